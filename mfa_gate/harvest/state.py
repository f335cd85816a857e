"""What is kept of an account's reading: today's records as short marks, and a few numbers. At most 6 KB as text."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from math import isfinite
from operator import attrgetter, itemgetter
from types import NoneType
from typing import Any, Final

from ..exc import MFAGateError
from .policy import CHARS, MOST

SESSIONS: Final = 8  # that a state knows of
_FEW: Final = 100
_written: Final = json.JSONEncoder(separators=(",", ":")).encode


class StateBroken(MFAGateError):
    """A state that was written by hand, or cut short: nobody can say what the account has read."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """An exception that the desk has made: so many records a day, until then (seconds since the epoch)."""

    records: int
    until: float


@dataclass(slots=True)
class State:
    """An account's reading.

    Attributes:
        day: number of the UTC day that `seen` is of.
        seen: the marks of today's records, five characters each.
        at: latest time that was seen, so that a clock that goes back gains nothing.
        total, weight: faded sums of working days' records, and of working days.
        old_total, old_weight: the same, faded more slowly.
        days: working days so far.
        ahead, far_ahead: when the pace over minutes and over hours is even again (GCRA's theoretical arrival times).
        miss, walk, drift: the detectors' sums (CUSUM).
        last: prefix of the latest record.
        stopped, why: since when it reads nothing, and why.
        asked: when a proof was asked for as the day's limit was reached.
        lifted: number of the day whose limit a proof or the desk has lifted to the ceiling.
        allowed, allowed_until: an exception of the desk's.
        spent: of the latest sessions that read: name, when it has proven a factor last, and records since.
        spent_before: sessions that are not among them and have proven one no later have nothing left.
    """

    day: int = 0
    seen: str = ""
    at: float = 0.0
    total: float = 0.0
    weight: float = 0.0
    old_total: float = 0.0
    old_weight: float = 0.0
    days: int = 0
    ahead: float = 0.0
    far_ahead: float = 0.0
    miss: float = 0.0
    walk: float = 0.0
    drift: float = 0.0
    last: str = ""
    stopped: float | None = None
    why: str | None = None
    asked: float | None = None
    lifted: int = -1
    allowed: int = 0
    allowed_until: float = 0.0
    spent: tuple[tuple[str, float, int], ...] = ()
    spent_before: float = 0.0

    @property
    def today(self) -> int:
        return len(self.seen) // CHARS

    def has(self, mark: str) -> bool:
        """Whether a record was read today."""
        place = self.seen.find(mark)
        while place >= 0 and place % CHARS:
            place = self.seen.find(mark, place + 1)
        return place >= 0

    def used(self, session: str, proven_at: float) -> int | None:
        """Records of a session since its latest proof; None where nobody knows any more."""
        for name, at, records in self.spent:
            if name == session:
                return records if at >= proven_at else 0
        return 0 if proven_at > self.spent_before else None

    def spend(self, session: str, proven_at: float, records: int) -> None:
        """Note how many records a session has had since its latest proof."""
        others = [one for one in self.spent if one[0] != session]
        if len(others) >= SESSIONS:
            oldest = min(others, key=_proven_at)
            others.remove(oldest)
            self.spent_before = max(self.spent_before, oldest[1])
        self.spent = (*others, (session, proven_at, records))

    def lift(self) -> None:
        """Read again: what stopped it is forgotten, what it reads of late is usual, this day's limit is the ceiling."""
        self.settle()
        self.stopped = self.why = self.asked = None
        self.ahead = self.far_ahead = self.miss = self.walk = self.drift = 0.0
        self.lifted = self.day

    def settle(self) -> None:
        """After a stop for a slow harvest that was none: what it reads of late is usual from now on."""
        if self.why == "drift" and self.weight:
            self.old_total = self.total / self.weight * self.old_weight

    def copy(self) -> State:
        return State(*_VALUES(self))

    def dump(self) -> str:
        return _written(_VALUES(self))

    @classmethod
    def load(cls, text: str | None) -> State:
        """A state from what `dump` made; a new one from nothing.

        Raises:
            StateBroken: it is anything else.
        """
        if text is None:
            return cls()
        try:
            values = json.loads(text)
            if tuple(map(type, values)) not in _known and not _fits(values):
                raise ValueError
            values[_SPENT] = tuple((str(name), float(at), int(records)) for name, at, records in values[_SPENT])
            state = cls(*values)
            if not state._holds():
                raise ValueError
        except (ValueError, TypeError, RecursionError, OverflowError):
            raise StateBroken("a state of reading cannot be read") from None
        return state

    def _holds(self) -> bool:
        # one number that is none makes their sum none
        return (
            isfinite(sum(_NUMBERS(self)) + (self.stopped or 0) + (self.asked or 0))
            and self.weight >= 0 <= self.total
            and len(self.seen) % CHARS == 0
            and self.today <= MOST
            and len(self.spent) <= SESSIONS + 1
        )


_NAMES: Final = tuple(one.name for one in fields(State))
_TYPES: Final = tuple(one.type for one in fields(State))
_SPENT: Final = _NAMES.index("spent")
_VALUES: Final = attrgetter(*_NAMES)
_NUMBERS: Final = attrgetter(*(name for name, type_ in zip(_NAMES, _TYPES, strict=True) if type_ in ("int", "float")))
_JSON: Final[dict[object, tuple[type, ...]]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "float | None": (int, float, NoneType),
    "str | None": (str, NoneType),
}
_proven_at: Final = itemgetter(1)
_known: set[tuple[type, ...]] = set()  # rows of types that fit, of which there are few


def _fits(values: Any) -> bool:
    """Whether these are the types of a state's values."""
    types = tuple(map(type, values))
    fitting = len(types) == len(_NAMES) and all(
        type_ in _JSON.get(wanted, (list,)) for type_, wanted in zip(types, _TYPES, strict=True)
    )
    if fitting and len(_known) < _FEW:
        _known.add(types)
    return fitting
