"""One limiter for everything that verifies: the attempt is counted, and that is committed, before it is checked.

An attempt counts as a failure until it succeeds, so neither a crash nor fifty of them at once evaluate more than the
limit. A success gives its own attempt back and ends the streak of its own lane; it never clears a window, and never
what a source did to others.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from itertools import pairwise
from typing import Final, Literal

from .exc import TooManyAttempts
from .keyring import Keyring
from .store import Transaction, counters

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
QUARTER: Final = 90 * DAY

_written: Final = json.JSONEncoder(separators=(",", ":")).encode

Lane = Literal["stranger", "known"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How many failures one subject may have.

    Attributes:
        windows: pairs of (failures, seconds): at most so many in any such span, whatever succeeds in between.
        streak: failures without a success between them, after which the subject is closed for their window.
        free: failures of a streak that cost no wait.
        first_wait, greatest_wait: seconds to wait after the next ones, doubling each time; 0 for none.
    """

    windows: tuple[tuple[int, float], ...]
    streak: int | None = None
    free: int = 3
    first_wait: float = 0.0
    greatest_wait: float = 0.0

    def __post_init__(self) -> None:
        if not self.windows or any(a[1] >= b[1] for a, b in pairwise(self.windows)):
            raise ValueError("the windows of a rule must grow")

    @property
    def span(self) -> float:
        return self.windows[-1][1]

    def wait(self, streak: int) -> float:
        """Seconds between the last failure of a streak and the next attempt."""
        if streak < self.free or not self.first_wait:
            return 0.0
        return float(min(self.first_wait * 2.0 ** min(streak - self.free, 30), self.greatest_wait))

    def retry_after(self, failures: Sequence[float], streak: int, now: float) -> float:
        """Seconds until another attempt may be made; 0 for at once.

        Args:
            failures: their times in seconds since the epoch, ascending, none older than the longest window.
            streak: how many of the last ones had no success after them.
            now: seconds since the epoch.
        """
        ends = [now]
        if failures and streak:
            ends.append(failures[-1] + self.wait(streak))
        for allowed, seconds in self.windows:
            if len(failures) >= allowed:
                ends.append(failures[-allowed] + seconds)
        if self.streak is not None and streak >= self.streak and len(failures) >= self.streak:
            ends.append(failures[-self.streak] + self.span)
        return max(ends) - now


@dataclass(frozen=True, slots=True)
class LimitPolicy:
    """The rules, each with its reason in docs/security.md. Give another one by `MFAGate(limits=...)`.

    A TOTP guess hits with 3 in 10^6. Ten a day, 60 in a row and 100 in a quarter bound a stranger's chance at 0.03 % a
    quarter, whatever the owner does meanwhile (NIST SP 800-63B-4 §3.2.2 asks for at most 100 in a row).
    """

    code: Rule = Rule(((10, DAY), (100, QUARTER)), streak=60, first_wait=5.0, greatest_wait=900.0)
    code_known: Rule = Rule(((40, QUARTER),), streak=40, free=5, first_wait=2.0, greatest_wait=300.0)
    # 80 bits cannot be guessed: only slowed, per session and source, so that nobody can lock an owner out of it
    activation: Rule = Rule(((60, HOUR),), free=5, first_wait=1.0, greatest_wait=30.0)
    confirm: Rule = Rule(((60, HOUR),), free=5, first_wait=1.0, greatest_wait=30.0)
    password: Rule = Rule(((100, DAY),), free=5, first_wait=1.0, greatest_wait=60.0)
    source: Rule = Rule(((60, HOUR), (240, DAY)))
    password_source: Rule = Rule(((60, HOUR), (240, DAY)))


@dataclass(frozen=True, slots=True)
class Scope:
    """One counter: which rule of the policy, whose, and in which lane."""

    rule: str
    subject: str
    lane: Lane = "stranger"


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
    streak: int = 0


class Limiter:
    """Counts attempts in the shared store."""

    def __init__(self, keyring: Keyring, policy: LimitPolicy) -> None:
        self._keyring = keyring
        self._policy = policy

    def count(self, tx: Transaction, scopes: Iterable[Scope], now: float) -> Attempt:
        """Count an attempt in all its scopes; the caller commits before it checks anything.

        Raises:
            TooManyAttempts: one of the scopes is at its limit. Nothing was counted then.
        """
        held = tuple(self._counter(scope) for scope in scopes)
        self._hold(tx, held, now)
        wait = max(counter.rule.retry_after(counter.failures, counter.streak, now) for counter in held)
        if wait > 0:
            raise TooManyAttempts(retry_after=max(1, -int(-wait // 1)))
        for counter in held:
            counter.failures.append(now)
            counter.streak += 1
        self._write(tx, held)
        return Attempt(held, now)

    def succeeded(self, tx: Transaction, attempt: Attempt) -> None:
        """Give a counted attempt back; streaks end, except a source's, whose other failures stay as they are."""
        self._hold(tx, attempt.counters, attempt.at)
        for counter in attempt.counters:
            if attempt.at in counter.failures:
                counter.failures.remove(attempt.at)
            counter.streak = max(0, counter.streak - 1) if counter.scope.rule.endswith("source") else 0
        self._write(tx, attempt.counters)

    def _hold(self, tx: Transaction, held: Iterable[_Counter], now: float) -> None:
        """Lock the rows of counters, and read what stands in them now."""
        rows = counters.hold(tx, [key for counter in held for key in counter.keys])
        for counter in held:
            # after a new key was put first, what stands under the older one still counts
            row = next((rows[key] for key in counter.keys if rows[key].ends_at), None)
            if row is not None:
                counter.failures = [at for at in json.loads(row.failures) if at > now - counter.rule.span]
                counter.streak = min(row.streak, len(counter.failures))
            else:
                counter.failures, counter.streak = [], 0

    def _write(self, tx: Transaction, held: Iterable[_Counter]) -> None:
        counters.write(
            tx,
            [
                counters.CounterRow(
                    counter.keys[0],
                    _written(counter.failures),
                    counter.streak,
                    (counter.failures[-1] if counter.failures else 0.0) + counter.rule.span,
                )
                for counter in held
            ],
        )

    def _counter(self, scope: Scope) -> _Counter:
        name = f"{scope.rule}_known" if scope.lane == "known" else scope.rule
        rule: Rule = getattr(self._policy, name)
        return _Counter(scope, rule, self._keyring.hashes("limit", f"{name} {scope.subject}"))


def lane_of(_account: str) -> Lane:
    """The lane of whoever is there: the one place that decides it."""
    return "stranger"


def typed_name(name: str) -> str:
    """One name for all spellings of what was typed as a user name (NFKC, case folded, stripped)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name[:1000]).casefold()).strip()


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
