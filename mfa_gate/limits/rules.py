"""The rules of the limiter: how many failures one subject may have. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ..durations import DAY, HOUR

QUARTER: Final = 90 * DAY


@dataclass(frozen=True, slots=True)
class Rule:
    """How many failures one subject may have.

    Attributes:
        windows: pairs of (failures, seconds): at most so many in any such span; a success in between changes nothing.
        streak: failures without a success between them, after which the subject is closed for their window.
        free: failures of a streak that cost no wait.
        first_wait, greatest_wait: seconds to wait after the next ones, doubling each time; 0 for none.
        brakes: whether it refuses anything by itself; one that does not only says whether a subject is `pressed`.
    """

    windows: tuple[tuple[int, float], ...]
    streak: int | None = None
    free: int = 3
    first_wait: float = 0.0
    greatest_wait: float = 0.0
    brakes: bool = True

    def __post_init__(self) -> None:
        if not self.windows or any(a[1] >= b[1] for a, b in pairwise(self.windows)):
            raise ValueError("the windows of a rule must grow")

    @property
    def span(self) -> float:
        return self.windows[-1][1]

    @property
    def most(self) -> int:
        """Failures that can matter: older ones beyond them are not kept."""
        return self.windows[-1][0]

    def pressed(self, failures: Sequence[float], now: float) -> bool:
        """Whether a window is full.

        Args:
            failures: their times in seconds since the epoch, ascending.
            now: seconds since the epoch.
        """
        return any(len(failures) >= allowed and failures[-allowed] + span > now for allowed, span in self.windows)

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
        if not self.brakes:
            return 0.0
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
    quarter, also while the owner signs in (NIST SP 800-63B-4 §3.2.2 asks for at most 100 in a row).
    """

    code: Rule = Rule(((10, DAY), (100, QUARTER)), streak=60, first_wait=5.0, greatest_wait=900.0)
    # one who holds a known device has been in before: 40 in a row, and at most 0.12 % a quarter
    code_known: Rule = Rule(((100, DAY), (400, QUARTER)), streak=40, free=5, first_wait=2.0, greatest_wait=300.0)
    # 80 bits cannot be guessed: only slowed, per session and source, so that nobody can lock an owner out of it
    activation: Rule = Rule(((60, HOUR),), free=5, first_wait=1.0, greatest_wait=30.0)
    # nothing to guess either, but each try costs a computation
    assertion: Rule = Rule(((60, HOUR),), free=5, first_wait=1.0, greatest_wait=30.0)
    recovery: Rule = Rule(((60, HOUR),), free=5, first_wait=1.0, greatest_wait=30.0)
    # each draws ten, which takes a second of a processor
    renewal: Rule = Rule(((10, DAY),))
    confirm: Rule = Rule(((60, HOUR),), free=5, first_wait=1.0, greatest_wait=30.0)
    # per typed name and source; where the name fails from everywhere, each source has a try a minute
    password: Rule = Rule(((2000, DAY),), free=5, first_wait=1.0, greatest_wait=60.0)
    password_pressed: Rule = Rule(((2000, DAY),), free=1, first_wait=60.0, greatest_wait=60.0)
    password_known: Rule = Rule(((1000, DAY),), free=10, first_wait=1.0, greatest_wait=60.0)
    password_name: Rule = Rule(((100, DAY),), brakes=False)
    # slows and never closes: an owner who shares an address with an attacker still gets to a passkey
    password_source: Rule = Rule(((1000, DAY),), free=60, first_wait=5.0, greatest_wait=240.0)
    # while somebody guesses in breadth, from here or from everywhere
    password_source_pressed: Rule = Rule(((1000, DAY),), free=3, first_wait=30.0, greatest_wait=900.0)
    # right passwords of one account from one source, on no known device: each opens a session; slowed and never closed
    signed_in: Rule = Rule(((240, HOUR),), free=40, first_wait=1.0, greatest_wait=30.0)
    # sign-ins of one account from one source without a password typed here, on no known device: slowed, never closed
    upstream: Rule = Rule(((240, HOUR),), free=40, first_wait=1.0, greatest_wait=30.0)
    assertion_source: Rule = Rule(((1000, HOUR),), free=60, first_wait=1.0, greatest_wait=30.0)
    source: Rule = Rule(((60, HOUR), (240, DAY)))
