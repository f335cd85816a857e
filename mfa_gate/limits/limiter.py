"""One limiter for everything that verifies: the attempt is counted, and that is committed, before it is checked.

An attempt counts as a failure until it succeeds, so neither a crash nor fifty of them at once evaluate more than the
limit. A success gives its own attempt back and ends the streak of its own lane; it never clears a window, and never
what a source did to others.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final, Literal, NamedTuple

from ..exc import TooManyAttempts
from ..keyring import Keyring
from ..store import Transaction, counters
from .rules import LimitPolicy, Rule

Lane = Literal["stranger", "known"]
_LONGEST_NAME: Final = 100_000  # characters that are looked at
_KEPT_OF_NAME: Final = 1000


class Scope(NamedTuple):
    """One counter: which rule of the policy, whose, in which lane, and the rule while its attempt is pressed."""

    rule: str
    subject: str
    lane: Lane = "stranger"
    pressed: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One counted attempt, to be given back if it succeeds."""

    counters: tuple[_Counter, ...]
    at: float


@dataclass(slots=True)
class _Counter:
    scope: Scope
    rule: Rule
    keys: list[str]
    failures: list[float] = field(default_factory=list)
    written: str = "[]"  # these, as they were stored last
    streak: int = 0


class Limiter:
    """Counts attempts in the shared store."""

    def __init__(self, keyring: Keyring, policy: LimitPolicy) -> None:
        self._keyring = keyring
        self._policy = policy

    def count(self, tx: Transaction, scopes: Iterable[Scope], now: float, *, pressed: bool = False) -> Attempt:
        """Count an attempt in all its scopes; the caller commits before it checks anything.

        Args:
            tx, scopes, now: what is counted, and when.
            pressed: somebody guesses in breadth: scopes with a stricter rule have that.

        Raises:
            TooManyAttempts: one of the scopes is at its limit. Nothing was counted then.
        """
        counted = tuple(self._counter(scope) for scope in scopes)
        self._lock_and_read(tx, counted, now)
        self._press(counted, now, pressed)
        wait = max(counter.rule.retry_after(counter.failures, counter.streak, now) for counter in counted)
        if wait > 0:
            raise TooManyAttempts(retry_after=max(1, -int(-wait // 1)))
        for counter in counted:
            counter.failures = [*counter.failures, now][-counter.rule.most :]
            counter.streak += 1
        counters.write(tx, [_row(counter) for counter in counted])
        return Attempt(counted, now)

    def succeeded(self, tx: Transaction, attempt: Attempt, *, ends_streaks: bool = True) -> None:
        """Give a counted attempt back; streaks end, except a source's, whose other failures stay as they are.

        Args:
            tx, attempt: what succeeded.
            ends_streaks: False where it may have succeeded for another subject than one of those counted.
        """
        for counter in sorted(attempt.counters, key=lambda counter: counter.keys[0]):  # locked in one order
            counted = counter.written
            self._give_back(counter, attempt.at, ends_streaks)
            # as a rule nothing was counted in between, and one conditional statement does it
            if not counters.replace(tx, _row(counter), counted):
                self._lock_and_read(tx, [counter], attempt.at)
                self._give_back(counter, attempt.at, ends_streaks)
                counters.write(tx, [_row(counter)])

    def _press(self, counted: Iterable[_Counter], now: float, pressed: bool) -> None:
        """Where a counter that only counts is full, the others of the attempt may have a stricter rule."""
        if pressed or any(
            not counter.rule.brakes and counter.rule.pressed(counter.failures, now) for counter in counted
        ):
            for counter in counted:
                if counter.scope.pressed:
                    counter.rule = getattr(self._policy, counter.scope.pressed)

    def clear(self, tx: Transaction, scopes: Iterable[Scope]) -> None:
        """Forget the failures of these scopes: for staff who know whom they let try again."""
        counters.remove(tx, [key for scope in scopes for key in self._counter(scope).keys])

    @staticmethod
    def _give_back(counter: _Counter, at: float, ends_streaks: bool) -> None:
        if at in counter.failures:
            counter.failures.remove(at)
        ends = ends_streaks and not counter.scope.rule.endswith("source")
        counter.streak = 0 if ends else max(0, counter.streak - 1)

    def _lock_and_read(self, tx: Transaction, counted: Iterable[_Counter], now: float) -> None:
        """Lock the rows of counters, and read what stands in them now."""
        rows = counters.lock_rows(tx, [key for counter in counted for key in counter.keys])
        for counter in counted:
            # after a new key was put first, what stands under the older one still counts
            row = next((rows[key] for key in counter.keys if rows[key].ends_at), None)
            if row is not None:
                counter.failures = [at for at in json.loads(row.failures) if at > now - counter.rule.span]
                counter.streak = min(row.streak, len(counter.failures))
            else:
                counter.failures, counter.streak = [], 0

    def _counter(self, scope: Scope) -> _Counter:
        name = f"{scope.rule}_known" if scope.lane == "known" else scope.rule
        rule: Rule = getattr(self._policy, name)
        return _Counter(scope, rule, self._keyring.hashes("limit", f"{name} {scope.subject}"))


def _row(counter: _Counter) -> counters.CounterRow:
    """A counter as it is to be stored now."""
    failures, last = counter.failures, counter.failures[-1] if counter.failures else 0.0
    counter.written = f"[{','.join(map(repr, failures))}]"  # JSON, in a fraction of the time that a library takes
    return counters.CounterRow(counter.keys[0], counter.written, counter.streak, last + counter.rule.span)


def typed_name(name: str) -> str:
    """One name for all spellings of a typed user name (NFKC, case folded, no blanks around it, nothing unseen)."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", _bare(name)).casefold())
    return _bare(folded)


def _bare(name: str) -> str:
    """Without blanks around it, with one for several, and without what cannot be seen; cut only then."""
    name = name.strip()[:_LONGEST_NAME]
    if not name.isprintable():
        name = "".join(sign for sign in name if sign.isprintable() or sign.isspace())
    return " ".join(name.split())[:_KEPT_OF_NAME]


@lru_cache(maxsize=1024)
def network(address: str | None) -> str:
    """The counted source: an IPv4 address, or the /64 that an IPv6 subscriber has to himself (RFC 6177)."""
    try:
        ip = ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(IPv6Address(int(ip) >> 64 << 64))
    return str(ip)
