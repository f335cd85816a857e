"""Runs sign-ins through scorers in order of time, with attacks beside them, and reads figures off the scores."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

import numpy as np

from .attackers import KINDS, attempt
from .people import SPAN, START, Person, Shape, SignIn, a_time, population
from .scorers import Scorer

LEARN: Final = START + 0.70 * SPAN
REPORT: Final = START + 0.85 * SPAN
HISTORY: Final = 5  # sign-ins that an account must have had to be attacked


class Marks:
    """Scores with the account that each is of."""

    def __init__(self) -> None:
        self.accounts: list[int] = []
        self.scores: list[float] = []

    def add(self, account: int, score: float) -> None:
        self.accounts.append(account)
        self.scores.append(score)

    def pool(self, other: Marks, offset: int) -> None:
        """Add those of another population, whose accounts are others."""
        self.accounts += [account + offset for account in other.accounts]
        self.scores += other.scores

    def above(self, threshold: float) -> float:
        """Share of them from a threshold on."""
        return float(np.mean(np.array(self.scores) >= threshold))

    def interval(self, threshold: float, rng: np.random.Generator, times: int = 1000) -> tuple[float, float]:
        """A 95 % interval of that share: accounts are drawn anew, since the sign-ins of one are alike."""
        names, inverse = np.unique(self.accounts, return_inverse=True)
        above = np.bincount(inverse, weights=np.array(self.scores) >= threshold)
        count = np.bincount(inverse)
        draws = rng.integers(0, len(names), size=(times, len(names)))
        low, high = np.quantile(above[draws].sum(axis=1) / count[draws].sum(axis=1), [0.025, 0.975])
        return float(low), float(high)


@dataclass
class Scores:
    """What one scorer said, in the two later parts of the time: thresholds come of the first, figures of the second.

    Attributes:
        owners: of the owners' sign-ins, by part.
        attacks: of each kind of attacker, by part.
        rank: of every sign-in of an owner, whose, which of the account's it was, and its score; over all the time.
    """

    owners: tuple[Marks, Marks] = field(default_factory=lambda: (Marks(), Marks()))
    attacks: Mapping[str, tuple[Marks, Marks]] = field(
        default_factory=lambda: {kind: (Marks(), Marks()) for kind in KINDS}
    )
    rank: list[tuple[int, int, float]] = field(default_factory=list)

    def threshold(self, kind: str, catch: float) -> float:
        """The greatest score from which asking catches that share of these attacks, in the first part."""
        return float(np.quantile(self.attacks[kind][0].scores, 1 - catch, method="lower"))

    def at_rate(self, asked: float) -> float:
        """The score from which that share of the owners is asked, in the first part."""
        return float(np.quantile(self.owners[0].scores, 1 - asked, method="higher"))

    def caught(self, kind: str, threshold: float) -> float:
        """Share of these attacks from a threshold on."""
        return self.attacks[kind][1].above(threshold)

    def asked(self, threshold: float) -> float:
        """Share of the owners' sign-ins from a threshold on."""
        return self.owners[1].above(threshold)

    def add(self, other: Scores, offset: int) -> None:
        """Pool another population, whose accounts are others."""
        pairs = [*zip(self.owners, other.owners, strict=True)]
        pairs += [pair for kind in KINDS for pair in zip(self.attacks[kind], other.attacks[kind], strict=True)]
        for mine, theirs in pairs:
            mine.pool(theirs, offset)
        self.rank += [(account + offset, number, score) for account, number, score in other.rank]


def attacks_on(people: Sequence[Person], shape: Shape, seed: int, each: int = 1) -> list[tuple[str, SignIn]]:
    """Attempts of every kind at every account, in both later parts, at the owners' hours: these give nothing away."""
    rng = Random(f"attacks {seed}")
    return [
        (kind, attempt(kind, person, shape, a_time(shape, rng, begin, 0.15 * SPAN), rng))
        for person in people
        for kind in KINDS
        for begin in (LEARN, REPORT)
        for _ in range(each)
    ]


def run(
    shape: Shape,
    seed: int,
    accounts: int,
    scorers: Mapping[str, Scorer],
) -> dict[str, Scores]:
    """All scorers over one population. An attack is scored by what was learnt before it, and never learnt from."""
    people, sign_ins = population(shape, seed, accounts)
    events: list[tuple[float, str | None, SignIn]] = [(one.at, None, one) for one in sign_ins]
    events += [(one.at, kind, one) for kind, one in attacks_on(people, shape, seed)]
    events.sort(key=lambda event: event[0])
    found = {name: Scores() for name in scorers}
    counts: Counter[int] = Counter()
    for at, kind, one in events:
        part = int(at >= REPORT)
        for name, scorer in scorers.items():
            scores = found[name]
            if kind is None:
                score = scorer.score(one)
                scores.rank.append((one.account, counts[one.account] + 1, score))
                if at >= LEARN:
                    scores.owners[part].add(one.account, score)
                scorer.learn(one)
            elif counts[one.account] >= HISTORY:
                scores.attacks[kind][part].add(one.account, scorer.score(one))
        counts[one.account] += kind is None
    return found


def median_asked(rank: Iterable[tuple[int, int, float]], threshold: float, sign_ins: int) -> float:
    """The published form: of the accounts with so many sign-ins, the median share of those first ones that is asked."""
    asked: dict[int, list[bool]] = defaultdict(list)
    for account, number, score in rank:
        if number <= sign_ins:
            asked[account].append(score >= threshold)
    shares = [sum(flags) / sign_ins for flags in asked.values() if len(flags) == sign_ins]
    return float(np.median(shares)) if shares else float("nan")
