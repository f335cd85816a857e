"""What is kept of an account's reading: today's records as short marks, and a few numbers. At most 6 KB as text."""

from __future__ import annotations

import struct
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass, fields
from math import isfinite, isnan, nan
from operator import attrgetter, itemgetter
from typing import Any, Final

from ..exc import MFAGateError
from .harvest_policy import CHARS, MAX_MARKS

SESSIONS: Final = 8  # that a state knows of


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
        at: latest time that was seen, so that a clock that goes back gains nothing.
        total, weight: faded sums of working days' records, and of working days.
        old_total, old_weight: the same, faded more slowly.
        days: working days so far.
        ahead, far_ahead: when the pace over minutes and over hours is even again (GCRA's theoretical arrival times).
        miss, walk, drift: the detectors' sums (CUSUM).
        lifted: number of the day whose limit a proof or the desk has lifted to the ceiling.
        allowed, allowed_until: an exception of the desk's.
        spent_before: sessions that `spent` does not know and that have proven a factor no later have nothing left.
        stopped, why: since when it reads nothing, and why.
        proof_asked_at: when a proof was asked for as the day's limit was reached.
        last: prefix of the latest record.
        seen: the marks of today's records, five characters each.
        spent: of the latest sessions that read: name, when it has proven a factor last, and records since.
    """

    day: int = 0
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
    lifted: int = -1
    allowed: int = 0
    allowed_until: float = 0.0
    spent_before: float = 0.0
    stopped: float | None = None
    proof_asked_at: float | None = None
    last: str = ""
    why: str | None = None
    seen: str = ""
    spent: tuple[tuple[str, float, int], ...] = ()

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
        self.stopped = self.why = self.proof_asked_at = None
        self.ahead = self.far_ahead = self.miss = self.walk = self.drift = 0.0
        self.lifted = self.day

    def settle(self) -> None:
        """After a stop for a slow harvest that was none: what it reads of late is usual from now on."""
        if self.why == "drift" and self.weight:
            self.old_total = self.total / self.weight * self.old_weight

    def copy(self) -> State:
        return State(*_VALUES(self))

    def dump(self) -> str:
        """As text: the numbers in base64, as a few of them take as long in JSON as all the rest; then a line each.

        Raises:
            ValueError: a mark or a name has a line break in it.
        """
        spent, seen = self.spent, self.seen
        stopped = nan if self.stopped is None else self.stopped
        proof_asked_at = nan if self.proof_asked_at is None else self.proof_asked_at
        sessions = [number for _, at, records in spent for number in (at, records)]
        numbers = _LAYOUTS[len(spent)].pack(*_NUMBERS(self), stopped, proof_asked_at, len(seen), *sessions)
        lines = [b2a_base64(numbers, newline=False).decode(), self.last, self.why or "", *map(_name, spent), seen]
        text = "\n".join(lines)
        if text.count("\n") >= len(lines):
            raise ValueError("a mark, a prefix or the name of a session has a line break in it")
        return text

    @classmethod
    def load(cls, text: str | None) -> State:
        """A state from what `dump` made; a new one from nothing.

        Raises:
            StateBroken: it is anything else.
        """
        if text is None:
            return cls()
        try:
            packed, last, why, *names, seen = text.split("\n")
            numbers = _LAYOUTS[len(names)].unpack(a2b_base64(packed, strict_mode=True))
        except (ValueError, IndexError, struct.error):
            raise StateBroken("a state of reading cannot be read") from None
        stopped, proof_asked_at, length, *sessions = numbers[_PLAIN:]
        values: Any = (
            *numbers[:_PLAIN],
            None if isnan(stopped) else stopped,
            None if isnan(proof_asked_at) else proof_asked_at,
            last,
            why or None,
            seen,
            tuple(zip(names, sessions[::2], sessions[1::2], strict=True)),
        )
        state = cls(*values)
        if length != len(seen) or not state._holds():
            raise StateBroken("a state of reading cannot be read")
        return state

    def _holds(self) -> bool:
        # one number that is none makes their sum none
        return (
            isfinite(sum(_NUMBERS(self)) + (self.stopped or 0) + (self.proof_asked_at or 0))
            and self.weight >= 0 <= self.total
            and len(self.seen) % CHARS == 0
            and self.today <= MAX_MARKS
        )


_VALUES: Final = attrgetter(*(one.name for one in fields(State)))
# the numbers that are always there; after them two that may be none, how long `seen` is, and two for each session
_FORMS: Final = {one.name: "q" if one.type == "int" else "d" for one in fields(State) if one.type in ("int", "float")}
_NUMBERS: Final = attrgetter(*_FORMS)
_PLAIN: Final = len(_FORMS)
_LAYOUTS: Final = [
    struct.Struct("<" + "".join(_FORMS.values()) + "ddq" + "dq" * knows) for knows in range(SESSIONS + 1)
]
_name: Final = itemgetter(0)
_proven_at: Final = itemgetter(1)
