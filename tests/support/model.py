"""A small model of who may do what at the gate: written from the promises, knowing nothing of the code.

It says an upper bound of what a browser may get. Where it also says that a step must succeed, refusing is wrong too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FRESH = 300.0  # seconds that a proof lets its session change authenticators
VIEW_AGE = 600.0  # of /bank and /safe
DESK_AGE = 3600.0
REDEEMED = 1800.0
CODE = 86_400.0
SURE = 240.0  # within this much of the password nothing has ended by itself


@dataclass
class Authenticator:
    """What somebody has enrolled.

    Attributes:
        secret: of an app; None for a key.
        last_step: of an app, the latest one that was used.
    """

    id: str
    secret: str | None = None
    last_step: int = -1

    @property
    def is_key(self) -> bool:
        return self.secret is None


@dataclass(eq=False)
class Lineage:
    """One sign-in, from its password to its end, no matter who has its cookie.

    Attributes:
        version: counts the ids of the session; an older one is worth nothing.
        proofs: authenticator id -> when.
        recovered: when a recovery code was used here.
        enrols_until: an activation code was redeemed here.
    """

    account: str
    began: float
    version: int = 0
    ended: bool = False
    proofs: dict[str, float] = field(default_factory=dict)
    recovered: float | None = None
    enrols_until: float = 0.0


@dataclass
class Person:
    """An account.

    Attributes:
        recovery: the recovery codes that are not used yet; None where none were ever drawn.
        code: the live activation code, and its end.
        bound: the sign-in that the code was redeemed in.
    """

    name: str
    authenticators: dict[str, Authenticator] = field(default_factory=dict)
    recovery: list[str] | None = None
    code: tuple[str, float] | None = None
    bound: Lineage | None = None
    locked: bool = False
    is_staff: bool = False

    @property
    def strongest_is_key(self) -> bool:
        return any(one.is_key for one in self.authenticators.values())


@dataclass
class Model:
    """Everybody and every sign-in."""

    people: dict[str, Person]
    lineages: list[Lineage] = field(default_factory=list)

    def of(self, lineage: Lineage) -> Person:
        return self.people[lineage.account]

    def end(self, account: str, but: Lineage | None = None) -> None:
        for lineage in self.lineages:
            if lineage.account == account and lineage is not but:
                lineage.ended = True

    def lives(self, lineage: Lineage | None, version: int) -> bool:
        return lineage is not None and not lineage.ended and lineage.version == version

    def is_in(self, lineage: Lineage) -> bool:
        """Signed in: a password, and a proof by something that the account still has, or by a recovery code."""
        return lineage.recovered is not None or bool(lineage.proofs.keys() & self.of(lineage).authenticators.keys())

    def proven(self, lineage: Lineage, now: float, age: float, *, by_key: bool) -> bool:
        """Whether something of that strength was proven within that age."""
        own = self.of(lineage).authenticators
        if not by_key and self.recovers(lineage, now, age):
            return True
        return any(now - at < age and own[one].is_key >= by_key for one, at in lineage.proofs.items() if one in own)

    def recovers(self, lineage: Lineage, now: float, age: float = FRESH) -> bool:
        return lineage.recovered is not None and now - lineage.recovered < age

    def may_see(self, lineage: Lineage, view: str, now: float) -> bool:
        if not self.is_in(lineage):
            return False
        return view == "/" or self.proven(lineage, now, VIEW_AGE, by_key=view == "/safe")

    def may_change(self, lineage: Lineage, now: float, *, adds_key: bool | None = None) -> bool:
        """Whether authenticators may be changed: by what is strongest, with a code besides what can be relayed.

        A recovery code stands for what is strongest, and never without an activation code.
        """
        person, activated = self.of(lineage), now < lineage.enrols_until
        if not person.authenticators:
            return adds_key is not None and activated
        if not self.is_in(lineage):
            return False
        proven = self.proven(lineage, now, FRESH, by_key=person.strongest_is_key)
        if activated:
            return proven or self.recovers(lineage, now)
        return proven and person.strongest_is_key

    def may_redeem(self, lineage: Lineage, now: float) -> bool:
        person = self.of(lineage)
        if not person.authenticators:
            return True
        proven = self.proven(lineage, now, FRESH, by_key=person.strongest_is_key) or self.recovers(lineage, now)
        return self.is_in(lineage) and proven

    def remove(self, person: Person, authenticator: str, by: Lineage) -> None:
        """It is gone, and so is every sign-in that it made, but for one that removed it and has something else."""
        del person.authenticators[authenticator]
        for lineage in self.lineages:
            if lineage.account == person.name and lineage.proofs.pop(authenticator, None) is not None:
                lineage.ended = lineage.ended or lineage is not by or not self.is_in(lineage)

    def reset(self, person: Person) -> None:
        """The desk leaves nothing of what the account can prove itself with, and nothing that it opened."""
        person.authenticators.clear()
        person.recovery = person.code = person.bound = None
        self.end(person.name)

    def issue(self, person: Person, code: str, until: float, now: float) -> None:
        """A new activation code in the place of the old one, and of what that opened."""
        person.code, person.bound = (code, until), None
        for lineage in self.lineages:
            if lineage.account == person.name and now < lineage.enrols_until:
                lineage.ended = True

    def may_work_at_desk(self, lineage: Lineage, now: float) -> bool:
        """Staff, who has proven a key within the hour."""
        return self.is_in(lineage) and self.of(lineage).is_staff and self.proven(lineage, now, DESK_AGE, by_key=True)
