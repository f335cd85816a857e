"""What is kept of an account's reading: today's records as short marks, and a few numbers. At most 6 KB as text."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, Final

from ..exc import MFAGateError
from .policy import CHARS, MOST

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
        seen: the marks of today's records, eight characters each.
        at: latest time that was seen, so that a clock that goes back gains nothing.
        total, weight: faded sums of working days' records, and of working days.
        days: working days so far.
        ahead: when the pace is even again (GCRA's theoretical arrival time).
        miss, walk, drift: the detectors' sums (CUSUM).
        last: prefix of the latest record.
        stopped, why: since when it reads nothing, and why.
        asked: when a proof was asked for as the day's limit was reached.
        lifted: number of the day whose limit a proof or the desk has lifted to the ceiling.
        allowed, allowed_until: an exception of the desk's.
    """

    day: int = 0
    seen: str = ""
    at: float = 0.0
    total: float = 0.0
    weight: float = 0.0
    days: int = 0
    ahead: float = 0.0
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

    @property
    def today(self) -> int:
        return len(self.seen) // CHARS

    def has(self, mark: str) -> bool:
        """Whether a record was read today."""
        place = self.seen.find(mark)
        while place >= 0 and place % CHARS:
            place = self.seen.find(mark, place + 1)
        return place >= 0

    def dump(self) -> str:
        return _written([getattr(self, name) for name in _NAMES])

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
            state = cls(*values) if len(values) == len(_NAMES) else None
        except (ValueError, TypeError, RecursionError):
            state = None
        if state is None or not state._holds():
            raise StateBroken("a state of reading cannot be read")
        return state

    def _holds(self) -> bool:
        numbers: tuple[Any, ...] = tuple(getattr(self, name) for name in _NUMBERS)
        return (
            all(type(n) in (int, float) and isfinite(n) for n in numbers)
            and all(n is None or (type(n) in (int, float) and isfinite(n)) for n in (self.stopped, self.asked))
            and all(type(n) is int for n in (self.day, self.days, self.lifted, self.allowed))
            and all(type(text) is str for text in (self.seen, self.last))
            and (self.why is None or type(self.why) is str)
            and self.weight >= 0 <= self.total
            and len(self.seen) % CHARS == 0
            and self.today <= MOST
        )


_NAMES: Final = tuple(one.name for one in fields(State))
_NUMBERS: Final = tuple(name for name in _NAMES if name not in ("seen", "last", "stopped", "why", "asked"))
