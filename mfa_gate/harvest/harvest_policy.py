"""What is a harvest: every threshold, each with its unit. `docs/harvest.md` says why each is what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Final

from ..exc import ConfigurationError

CHARS: Final = 5  # of the mark of one record: 30 bits
MAX_MARKS: Final = 1_000  # marks that a state may hold: what an exception of the desk may allow in a day, and no more


@dataclass(frozen=True, slots=True)
class HarvestPolicy:
    """Limits on reading records, given by `MFAGate(harvest=...)`.

    Args:
        least, most: records that one second factor grants to its session at least and at most.
        share: of the account's usual day that it grants, between the two.
        unusual: records that it grants where the sign-in was unusual (`risk`).
        floor: records a day that are never too many.
        ceiling: records a day that are always too many, at most 500.
        warn: share of it from which on the desk is told, so that it can make an exception in time.
        usual: records that an account of each group reads on a working day, before it has shown its own; `""` for
            groups that are not named.
        worth: working days that `usual` counts for against what the account has shown.
        fading: what one working day counts for after the next one.
        spread: shape of the negative binomial distribution of a day's records; smaller is wilder.
        z: how far out in that distribution a day is too much.
        warm: working days after which an account is known; before, the adaptive limit asks instead of stopping.
        pace, burst: seconds that a look-up takes over minutes, and how many may be ahead of that.
        rest, stretch: the same over hours; an account that reads more on a usual day may be as many ahead.
        batch: further rows of a list that count as one look-up.
        miss, misses: share of look-ups that find nothing: an owner's, and one who guesses.
        step, steps: share of look-ups whose record begins as the one before: an owner's, and one who walks in order.
        prefix: characters that two records share then.
        alarm: log-likelihood at which misses or steps are too many.
        settled: what one working day counts for after the next one where a slow harvest is looked for.
        drift, drift_alarm: how many times the usual a slow harvest reads, and at which log-likelihood it is one.
        crowd: accounts with an unusual sign-in that read from one source on one day and are asked for a proof each.
        together: records that they may read that day, all of them together.
        canary: whether a record (kind, id) is one that nobody may have a reason to read.
        kept: days that the ledger of reads is kept.
        report_only: reasons that are recorded and do not refuse; `"all"` for every one.

    Raises:
        ConfigurationError: a value means nothing.
    """

    least: int = 60
    most: int = 250
    share: float = 2.0
    unusual: int = 20
    floor: float = 60.0
    ceiling: int = 500
    warn: float = 0.6
    usual: Mapping[str, float] = field(default_factory=lambda: {"": 35.0})
    worth: float = 1.0
    fading: float = 0.97
    spread: float = 3.0
    z: float = 3.4
    warm: int = 20
    pace: float = 6.0
    burst: int = 20
    rest: float = 30.0
    stretch: int = 60
    batch: int = 10
    miss: float = 0.03
    misses: float = 0.25
    step: float = 0.02
    steps: float = 0.5
    prefix: int = 10
    alarm: float = 10.0
    settled: float = 0.995
    drift: float = 2.0
    drift_alarm: float = 9.0
    crowd: int = 3
    together: int = 120
    canary: Callable[[str, str], bool] | None = None
    kept: int = 365
    report_only: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        numbers = [value for name in self.__slots__ if isinstance(value := getattr(self, name), int | float)]
        whole = (self.least, self.most, self.unusual, self.ceiling, self.warm, self.burst, self.batch, self.prefix)
        others = (self.stretch, self.crowd, self.together)
        rules = {
            "a number is negative, or none": all(isfinite(n) and n >= 0 for n in (*numbers, *self.usual.values())),
            "1 <= unusual <= least <= most <= ceiling <= 500": (
                1 <= self.unusual <= self.least <= self.most <= self.ceiling <= 500
            ),
            "counts are whole numbers of at least 1": all(n >= 1 and n == int(n) for n in (*whole, *others)),
            'usual has a number above 0 for "" and each group': min([self.usual.get("", 0), *self.usual.values()]) > 0,
            "0 < fading <= settled < 1": 0 < self.fading <= self.settled < 1,
            "worth, share, spread, pace, rest and kept are above 0": (
                min(self.worth, self.share, self.spread, self.pace, self.rest, self.kept) > 0
            ),
            "0 < miss < misses < 1 and 0 < step < steps < 1": (
                0 < self.miss < self.misses < 1 and 0 < self.step < self.steps < 1
            ),
            "warn is at most 1": self.warn <= 1,
            "drift is above 1": self.drift > 1,
            "canary is a function of kind and id": self.canary is None or callable(self.canary),
        }
        wrong = [rule for rule, holds in rules.items() if not holds]
        if wrong:
            raise ConfigurationError(f"HarvestPolicy: {wrong[0]}")

    def reports(self, reason: str) -> bool:
        """Whether this reason is only recorded."""
        return not self.report_only.isdisjoint((reason, "all"))
