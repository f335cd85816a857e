"""A professional portal's accounts: how many records each reads on which day, when, and what is mistyped.

Made after ../risk.md of the published shares: `docs/harvest.md` says which figure comes from where.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from mfa_gate.harvest import HarvestPolicy

DAY: Final = 86_400.0
BEGIN: Final = 20_001 * DAY  # a Monday
OPENS, CLOSES = 8.5 * 3600, 19.5 * 3600
WEEK: Final = (1.25, 1.0, 1.0, 1.0, 1.0, 0.6, 0.0)  # Monday first
GROUPS: Final = {"pharmacist": (30.0, 0.8), "doctor": (24.0, 0.8)}  # median of the mean look-ups a day, and its spread
EPIDEMIC, MORE = 0.02, 1.8  # share of days, and how much busier they are
WILD: Final = 5.0  # shape of a day's gamma factor
BURSTS, REPEATS = 0.15, 0.20
MISSES = 0.003  # look-ups that find nobody, once the portal has checked the key of the number; 3 % are mistyped before
POPULATION: Final = 510_000
POLICY: Final = HarvestPolicy(miss=0.01)  # of a portal that checks the key of a number before it looks it up


@dataclass(frozen=True, slots=True)
class LookUp:
    """One look-up: which record (negative: nobody's number), and when."""

    at: float
    record: int


@dataclass(frozen=True, slots=True)
class Account:
    """An account: its group, how many records a usual day of it has, and how that drifts in a year."""

    group: str
    mean: float
    drift: float


def accounts(rng: np.random.Generator, count: int) -> list[Account]:
    groups = rng.choice(list(GROUPS), size=count, p=(0.7, 0.3))
    return [
        Account(
            str(group), float(rng.lognormal(np.log(GROUPS[group][0]), GROUPS[group][1])), float(rng.normal(0, 0.15))
        )
        for group in groups
    ]


def records_of(rng: np.random.Generator, account: Account, day: int, epidemic: bool) -> int:
    """How many look-ups of records a day has; none on days off."""
    usual = account.mean * WEEK[day % 7] * np.exp(account.drift * day / 365)
    if not usual or (account.group == "doctor" and day % 7 == 5):
        return 0
    return int(rng.poisson(usual * rng.gamma(WILD, 1 / WILD) * (MORE if epidemic else 1.0)))


def look_ups(rng: np.random.Generator, count: int, day: int) -> list[LookUp]:
    """A day's look-ups in their order: bursts of three, some again, some mistyped."""
    times = []
    while len(times) < count:
        at = float(rng.uniform(OPENS, CLOSES))
        times += [at, at + rng.uniform(3, 15), at + rng.uniform(15, 30)] if rng.random() < BURSTS else [at]
    records: list[int] = []
    for _ in range(count):
        found = [record for record in records if record >= 0]
        again = found and rng.random() < REPEATS
        record = found[rng.integers(len(found))] if again else int(rng.integers(POPULATION))
        records.append(-record - 1 if not again and rng.random() < MISSES else record)
    return [LookUp(BEGIN + day * DAY + at, one) for at, one in zip(sorted(times[:count]), records, strict=True)]


def days(
    rng: np.random.Generator, account: Account, count: int, epidemic: np.ndarray, first: int = 0
) -> Iterator[list[LookUp]]:
    """The look-ups of each day, from the first one on."""
    for day in range(count):
        number = first + day
        yield look_ups(rng, records_of(rng, account, number, bool(epidemic[day])), number)
