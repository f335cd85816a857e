"""Who must what: per group of people, beside what each view asks for. The strictest that applies wins. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from .assurance import Requirement
from .exc import ConfigurationError
from .factors.registry import FACTORS, METHODS
from .levels import Level


def _all() -> tuple[str, ...]:
    return tuple(FACTORS)


@dataclass(frozen=True, slots=True)
class GroupPolicy:
    """What is asked of a group of people at every guarded view.

    Args:
        level: at least this.
        max_age: greatest age of the proof.
        methods: the factors that count, by their names in the registry; ("webauthn",) is "passkey only".
        until: factor -> the day (UTC) from which it no longer counts.
        idle, lifetime: shorter session times than the portal's.
        observe_until: until then people of this group who have no authenticator are let in after their password, and
            what would have been refused is recorded. Whoever has an authenticator is asked for it all the same.

    Raises:
        ConfigurationError: nobody could satisfy it, or a value means nothing.
    """

    level: Level = Level.MFA
    max_age: timedelta | None = None
    methods: tuple[str, ...] = field(default_factory=_all)
    until: Mapping[str, date] = field(default_factory=dict)
    idle: timedelta | None = None
    lifetime: timedelta | None = None
    observe_until: date | datetime | None = None
    _lasting: Requirement | None = field(default=None, init=False, repr=False, compare=False)  # where no date is in it

    def __post_init__(self) -> None:
        unknown = [name for name in (*self.methods, *self.until) if name not in FACTORS]
        if unknown or not self.methods:
            raise ConfigurationError(f"a GroupPolicy takes methods of {', '.join(map(repr, FACTORS))}, not {unknown}")
        for name in ("max_age", "idle", "lifetime"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, timedelta) or value <= timedelta(0)):
                raise ConfigurationError(f"GroupPolicy({name}=...) is a datetime.timedelta greater than zero")
        if self.level < Level.MFA:
            raise ConfigurationError("GroupPolicy(level=...) is Level.MFA at least")
        if isinstance(self.observe_until, datetime) and self.observe_until.tzinfo is None:
            raise ConfigurationError("GroupPolicy(observe_until=...) needs a time zone, or is a date")
        lasting = [name for name in self.methods if name not in self.until]
        if not any(method.level >= self.level for name in lasting for method in FACTORS[name].methods):
            raise ConfigurationError(
                f"a GroupPolicy asks for Level.{self.level.name} and leaves no method that reaches it for good"
            )
        if not self.until:
            object.__setattr__(self, "_lasting", self._asks(0.0))

    def requirement(self, now: float) -> Requirement:
        """What it asks for at a time (seconds since the epoch)."""
        return self._lasting or self._asks(now)

    def _asks(self, now: float) -> Requirement:
        left = [name for name in self.methods if name not in self.until or now < _start(self.until[name])]
        every = set(left) == set(FACTORS)
        amr = None if every else frozenset().union(*(FACTORS[name].amr for name in left))
        return Requirement(self.level, self.max_age.total_seconds() if self.max_age else None, amr)

    def observed_until(self) -> float | None:
        """Until when refusals are only recorded, in seconds since the epoch; None for never."""
        return None if self.observe_until is None else _start(self.observe_until)


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of a portal, given by `MFAGate(policy=...)`.

    Args:
        groups: by `Account.group`.
        default: asked of everybody; a group can only add. For a group that is not named, or none, it is all there is.

    Raises:
        ConfigurationError: it contradicts itself; the text names the group.
    """

    groups: Mapping[str, GroupPolicy] = field(default_factory=dict)
    default: GroupPolicy = field(default_factory=GroupPolicy)

    def __post_init__(self) -> None:
        if self.default.observe_until is not None:
            raise ConfigurationError("Policy(default=...) cannot observe: whoever is in no group would get in")
        for name, group in self.groups.items():
            both = Requirement() | self.default.requirement(_FAR) | group.requirement(_FAR)
            if both.amr is not None and not any(METHODS[amr].level >= both.level for amr in both.amr):
                raise ConfigurationError(f"the policy of group {name!r} and the default leave no method to both")

    def requirement(self, group: str | None, now: float) -> Requirement:
        """What is asked of a group at every guarded view.

        Args:
            group: as the portal says; unknown or None is everybody else.
            now: seconds since the epoch.
        """
        required = self.default.requirement(now)
        own = self.groups.get(group or "")
        return required | own.requirement(now) if own is not None else required

    def times(self, group: str | None, idle: float, lifetime: float) -> tuple[float, float]:
        """Idle and absolute end of a session of this group, at most the portal's own, in seconds."""
        for one in (self.default, self.groups.get(group or "")):
            if one is not None:
                idle = min(idle, one.idle.total_seconds()) if one.idle else idle
                lifetime = min(lifetime, one.lifetime.total_seconds()) if one.lifetime else lifetime
        return idle, lifetime

    def observed_until(self, group: str | None) -> float | None:
        """Until when refusals of a group are only recorded; a group that is not known is enforced."""
        own = self.groups.get(group or "")
        return own.observed_until() if own is not None else None

    @property
    def asks_nothing(self) -> bool:
        """Whether it adds nothing to what views ask for."""
        return not self.groups and self.default == GroupPolicy()


def _start(day: date | datetime) -> float:
    moment = day if isinstance(day, datetime) else datetime.combine(day, time(), UTC)
    return moment.timestamp()


_FAR: Final = _start(date(9000, 1, 1))  # when every date has passed
