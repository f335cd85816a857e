"""What the proofs of a session amount to, and whether that satisfies a requirement. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

from .factors.registry import METHODS, PASSWORD, factor_of
from .levels import Level

ACR: Final = {
    Level.MFA: "urn:mfa-gate:acr:mfa",
    Level.PHISHING_RESISTANT: "phr",
    Level.HARDWARE: "phrh",
}


LEVELS: Final = {acr: level for level, acr in ACR.items()}


class Proof(NamedTuple):
    """One successful verification.

    Attributes:
        amr: how, as RFC 8176 names it; one of the registry's `METHODS`.
        at: when, in seconds since the epoch (UTC).
        authenticator: id of the authenticator, or None for the password.
    """

    amr: str
    at: float
    authenticator: str | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a view asks for.

    Attributes:
        level: at least this.
        max_age: how old its proof may be, in seconds; None: any age.
        amr: the proofs that count beside the password, by their RFC 8176 values; None: all.
    """

    level: Level = Level.MFA
    max_age: float | None = None
    amr: frozenset[str] | None = None

    def __or__(self, other: Requirement) -> Requirement:
        """Both at once: the greater level, the smaller age, the proofs that both let count."""
        ages = [age for age in (self.max_age, other.max_age) if age is not None]
        sets = [amr for amr in (self.amr, other.amr) if amr is not None]
        counting = frozenset.intersection(*sets) if sets else None
        return Requirement(max(self.level, other.level), min(ages) if ages else None, counting)

    def counts(self, amr: str) -> bool:
        """Whether a proof of this method counts."""
        return self.amr is None or amr == PASSWORD.amr or amr in self.amr

    def reached_by(self, amr: str) -> bool:
        """Whether a proof of this method, beside the password, satisfies it."""
        return self.counts(amr) and METHODS[amr].level >= self.level


CLOCK_SKEW: Final = 90.0  # seconds by which the clocks of two workers may differ


def requirement(level: Level, max_age: timedelta | None) -> Requirement:
    """Check what a developer wrote and make a `Requirement` of it.

    Args:
        level: at least `Level.MFA`; a password alone never opens a guarded view.
        max_age: greatest age of the proof, positive, or None.

    Raises:
        TypeError, ValueError: with a sentence that says what to write.
    """
    if not isinstance(level, Level):
        raise TypeError(f"the level must be a member of mfa_gate.Level, not {level!r}")
    if level < Level.MFA:
        raise ValueError("a guarded view asks for Level.MFA at least; gate.public marks one that needs no gate")
    if max_age is None:
        return Requirement(level)
    if not isinstance(max_age, timedelta):
        raise TypeError(f"max_age must be a datetime.timedelta, not {max_age!r}")
    if max_age <= timedelta(0):
        raise ValueError("max_age must be greater than zero")
    return Requirement(level, max_age.total_seconds())


def level_of(proofs: Iterable[Proof]) -> Level:
    """The level that proofs amount to: two of one category never count as two factors (NIST SP 800-63B-4 §2.2)."""
    methods = [METHODS[proof.amr] for proof in proofs]
    if len({method.category for method in methods}) < 2:
        return Level.PASSWORD
    return max(method.level for method in methods)


def strongest(amr: Iterable[str]) -> Level:
    """The highest level that an account's authenticators reach; recovery codes are none."""
    return max((METHODS[one].level for one in amr if factor_of(one).stands_alone), default=Level.PASSWORD)


def satisfies(level: Level, proofs: Iterable[Proof], required: Requirement, now: float) -> bool:
    """Whether a session is at least at a requirement's level, by proofs that count and one that is fresh enough.

    Args:
        level: what the session amounts to.
        proofs: its proofs; only read where the requirement has an age or names which proofs count.
        required: what the view asks for.
        now: seconds since the epoch.
    """
    if level < required.level:
        return False
    if required.amr is not None:
        proofs = [proof for proof in proofs if required.counts(proof.amr)]
        if level_of(proofs) < required.level:
            return False
    if required.max_age is None:
        return True
    return any(required.reached_by(proof.amr) and -CLOCK_SKEW <= now - proof.at < required.max_age for proof in proofs)
