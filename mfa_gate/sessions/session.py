"""A session as one request sees it: what its row says, and what its proofs amount to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, cast

from ..assurance import Proof
from ..factors.registry import METHODS
from ..levels import Level
from ..risk import Risk
from ..store.sessions import SessionRow

_encoded = json.JSONEncoder(separators=(",", ":")).encode
_LEVELS = {int(level): level for level in Level}


@dataclass(frozen=True, slots=True)
class ProvenPlace:
    """Where a session is proven: keyed hash of network and browser, and what a change is held against."""

    place_hash: str
    fingerprint: str


@dataclass(slots=True)
class Session:
    """A session as one request sees it.

    Attributes:
        sign_in: random name of the sign-in; it stays while the id changes at each rise.
        account_id: whose it is.
        level: what its proofs amount to.
        proofs: the latest proof of each kind and authenticator.
        last_seen, ends_at: seconds since the epoch.
        enrol_until: until when an activation code that it redeemed lets it change authenticators, or None.
        group: the group that its account was in a minute ago at most.
        observed_until: until when it is let in by its password, as the policy of its group says; or None.
        risk: how unusual its sign-in was, until a phishing-resistant proof.
        context: keyed hash of the network and browser that it has proven itself in.
        moved: whether this request comes from elsewhere, so that it counts for no more than a password.
    """

    id_hash: str
    sign_in: str
    account_id: str
    level: Level
    _proofs: str
    last_seen: float
    ends_at: float
    enrol_until: float | None
    group: str | None
    observed_until: float | None
    risk: Risk
    place_hash: str | None
    moved: bool = False

    @property
    def proofs(self) -> tuple[Proof, ...]:
        return proven(self._proofs).proofs

    @property
    def amr(self) -> tuple[str, ...]:
        """How it was proven (RFC 8176 `amr`)."""
        return tuple(dict.fromkeys(proof.amr for proof in self.proofs))

    @property
    def authenticated_at(self) -> float | None:
        """When the latest second factor was proven, in seconds since the epoch; None before it was."""
        return proven(self._proofs).at

    @property
    def surely_authenticated_at(self) -> float | None:
        """The same of the latest phishing-resistant one."""
        return proven(self._proofs).surely_at


class Proven(NamedTuple):
    """What the proofs of a session say."""

    proofs: tuple[Proof, ...]
    at: float | None
    surely_at: float | None


@lru_cache(maxsize=1024)  # a session's are the same at each of its requests
def proven(written: str) -> Proven:
    proofs = tuple(Proof(*fields) for fields in json.loads(written))

    def latest(level: Level) -> float | None:
        return max((proof.at for proof in proofs if METHODS[proof.amr].level >= level), default=None)

    return Proven(proofs, latest(Level.MFA), latest(Level.PHISHING_RESISTANT))


def dumped(proofs: Sequence[Proof]) -> str:
    return _encoded([[proof.amr, proof.at, proof.authenticator] for proof in proofs])


def session_of(row: SessionRow) -> Session:
    # unpacked by name in one step: each guarded request makes one, and keywords cost it three microseconds
    id_hash, sign_in, account, level, proofs, seen, ends, enrol, group, observed, risk, context = row
    return Session(
        id_hash, sign_in, account, _LEVELS[level], proofs, seen, ends, enrol, group, observed, cast(Risk, risk), context
    )
