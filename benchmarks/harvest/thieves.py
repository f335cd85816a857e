"""What a thief gets out of an account: at a machine's pace, at a person's, near its owner's habits, by guessing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np

from mfa_gate.harvest import HarvestPolicy, State

from .owners import Reader
from .world import BEGIN, DAY, OPENS, POPULATION, Account, LookUp, days

MOST: Final = 3_000  # look-ups after which a thief at one pace is let go
DAYS: Final = 60
FRESH: Final = 10_000_000  # numbers of records from there on are the thief's


@dataclass(frozen=True, slots=True)
class Thief:
    """One way of a thief.

    Attributes:
        name: in the report.
        pace: seconds between two look-ups.
        proves: whether he holds the second factor.
        misses: share of numbers that are nobody's.
        times: how many times what the owner reads, together with the owner; None for one run at a pace.
    """

    name: str
    pace: float = 13.0
    proves: bool = True
    misses: float = 0.0
    times: float | None = None


THIEVES: Final = (
    Thief("no second factor, 5 a second", 0.2, proves=False),
    Thief("no second factor, 1 per 13 s", 13.0, proves=False),
    Thief("second factor, 5 a second", 0.2),
    Thief("second factor, 1 per 3 s", 3.0),
    Thief("second factor, 1 per 13 s", 13.0),
    Thief("second factor, 1 per 20 s", 20.0),
    Thief("second factor, 3 × the habits", times=3.0),
    Thief("second factor, 2 × the habits", times=2.0),
    Thief("second factor, 1.5 × the habits", times=1.5),
    Thief("guessing, 30 % nobody's", misses=0.3),
    Thief("guessing, 50 % nobody's", misses=0.5),
    Thief("guessing, 70 % nobody's", misses=0.7),
)


def steals(rng: np.random.Generator, thief: Thief, account: Account, state: State, policy: HarvestPolicy) -> int:
    """How many records a thief gets out of an account before its first stop."""
    if state.stopped is not None:
        state.lift()
    if thief.times is not None:
        return _patiently(rng, thief, account, state, policy)
    reader = Reader(account, policy, state)
    at = (state.day + 1) * DAY + OPENS
    reader.signs_in(at)
    return sum(_at_a_pace(rng, thief, reader, at + 60))


def _at_a_pace(rng: np.random.Generator, thief: Thief, reader: Reader, at: float) -> Iterator[bool]:
    """Whether each look-up got a record, until the account is stopped or the session has nothing left."""
    for number in range(MOST):
        nobody = rng.random() < thief.misses
        one = LookUp(at + thief.pace * number, -number - 1 if nobody else FRESH + 7 * number)
        shown = reader.looks_up(one, proves=thief.proves)
        yield shown
        if reader.stopped or (not shown and not nobody):
            return


def _patiently(rng: np.random.Generator, thief: Thief, account: Account, state: State, policy: HarvestPolicy) -> int:
    """Day after day beside the owner, as a multiple of what the owner reads on a usual day."""
    assert thief.times is not None
    reader, got, fresh = Reader(account, policy, state), 0, count(FRESH, 7)
    first = state.day + 1
    begins = int(first - BEGIN // DAY)
    for day, own in enumerate(days(rng, account, DAYS, np.zeros(DAYS, bool), begins), start=first):
        if not own:
            continue
        more = round((thief.times - 1.0) * account.mean * 0.8)
        his = [LookUp(day * DAY + at, next(fresh)) for at in np.sort(rng.uniform(OPENS, 19.5 * 3600, more))]
        reader.signs_in(day * DAY + 8 * 3600)
        for one in sorted([*own, *his], key=lambda one: one.at):
            shown = reader.looks_up(one)
            if reader.stopped:
                return got
            got += shown and FRESH <= one.record < FRESH + POPULATION * 100
    return got
