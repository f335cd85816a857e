"""Sessions: a signed random id in a cookie, everything else in the store, where only the id's hash is known.

The id begins with the name of its sign-in, which opens nothing: by it a request that comes late, with the id of before
a step-up, is told from one whose session has ended.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from ..assurance import Proof, level_of
from ..exc import SignInRequired
from ..factors.registry import METHODS
from ..keyring import Keyring
from ..levels import Level
from ..policy import Policy
from ..risk import Risk
from ..settings import Settings
from ..store import Store, Transaction
from ..store import sessions as rows
from ..store.sessions import Origin, SessionRow
from .ids import LONGEST, HeldId, SessionIds, hash_of
from .session import ProvenPlace, Session, dumped, proven, session_of


class After(NamedTuple):
    """The session that a step made of an earlier id: its cookie's value, and whether that step was a sign-in."""

    cookie: str
    session: Session
    signs_in: bool


class Sessions:
    """Opens, reads, raises and ends sessions."""

    def __init__(self, store: Store, keyring: Keyring, settings: Settings, policy: Policy) -> None:
        self._store = store
        self.ids = SessionIds(keyring)
        self._settings = settings
        # a session's cookie comes with each of its requests, and its signature stays as right as it was
        self._named = lru_cache(maxsize=4096)(self.ids.hash_in)
        # every guarded request asks for them
        idle, lifetime = settings.idle, settings.lifetime
        self._times = {group: policy.times(group, idle, lifetime) for group in policy.groups}
        self._others = Policy(default=policy.default).times(None, idle, lifetime)

    def times(self, group: str | None) -> tuple[float, float]:
        """Idle and absolute end of the sessions of a group, in seconds."""
        return self._times.get(group or "", self._others)

    def read(self, cookie: str | None, now: float) -> Session | None:
        """The living session that a cookie names, or None. One read of one row.

        Raises:
            Unavailable: the store does not answer.
        """
        if not cookie or len(cookie) > LONGEST:
            return None
        id_hash = self._named(cookie)
        if id_hash is None:
            return None
        return self._living(self._store.reader.session(id_hash), now)

    def of_sign_in(self, sign_in: str, now: float) -> Session | None:
        """The living session of a sign-in, whatever its id is now, or None.

        Raises:
            Unavailable: the store does not answer.
        """
        return self._living(self._store.reader.session_of_sign_in(sign_in), now)

    def _living(self, row: SessionRow | None, now: float) -> Session | None:
        if row is None:
            return None
        session = session_of(row)
        if now >= session.ends_at or now - session.last_seen >= self.times(session.group)[0]:
            return None
        return session

    def has_moved_on(self, cookie: str | None, now: float) -> bool:
        """Whether a cookie that names no session holds an earlier id of one that lives: its request came late.

        Raises:
            Unavailable: the store does not answer.
        """
        held = self.ids.held(cookie)
        return held is not None and self.of_sign_in(held.sign_in, now) is not None

    def has_signed(self, cookie: str) -> bool:
        """Whether a cookie is one of ours, of a session that lives or not."""
        return len(cookie) <= LONGEST and self._named(cookie) is not None

    def after(self, before: HeldId, sent: str, now: float) -> After | None:
        """The session that rose, or may enrol, from an earlier id by just this; None where that is not so.

        Args:
            before: the id that it had.
            sent: what was sent to prove it.
            now: seconds since the epoch.

        Raises:
            Unavailable: the store does not answer.
        """
        for token, signs_in in self.ids.made_of(before, sent):
            session = self._living(self._store.reader.session(hash_of(token)), now)
            if session is not None:
                return After(self.ids.cookie(token), session, signs_in)
        return None

    def open(
        self,
        tx: Transaction,
        account_id: str,
        now: float,
        *,
        group: str | None,
        observed_until: float | None,
        origin: Origin,
        risk: Risk,
        place_hash: str | None,
    ) -> tuple[str, Session]:
        """Open a session that has proven the first factor.

        Args:
            tx: the transaction of the sign-in.
            account_id: whose.
            group: the group that it is in.
            observed_until: until when the password alone lets it in.
            now: seconds since the epoch.
            origin: where it is opened, for the owner's list.
            risk: how unusual that is.
            place_hash: keyed hash of network and browser.

        Returns:
            The cookie's value, and the session.
        """
        sign_in = secrets.token_hex(16)
        token = self.ids.new(sign_in)
        row = SessionRow(
            hash_of(token),
            sign_in,
            account_id,
            int(Level.PASSWORD),
            dumped([Proof("pwd", now)]),
            now,
            now + (self._settings.pending if observed_until is None else self.times(group)[1]),
            None,
            group,
            observed_until,
            risk,
            place_hash,
        )
        rows.add(tx, row, origin)
        return self.ids.cookie(token), session_of(row)

    def prove(
        self,
        tx: Transaction,
        session: Session,
        proof: Proof,
        now: float,
        device: str | None = None,
        place: ProvenPlace | None = None,
        sent: str | None = None,
    ) -> tuple[str, Session]:
        """Add a proof: a new id, and from the first second factor on the full lifetime.

        Args:
            tx: the transaction of the step.
            session: as it was read.
            proof: what was proven.
            now: seconds since the epoch.
            device: series of the known device that it signs in on.
            place: where it is proven.
            sent: what it was proven by, so that the same sent again leads to the same session.

        Raises:
            SignInRequired: the session has ended meanwhile, or lost a proof.
        """
        same = (proof.amr, proof.authenticator)
        proofs = [kept for kept in session.proofs if (kept.amr, kept.authenticator) != same] + [proof]
        level = level_of(proofs)
        rises = session.level < Level.MFA <= level
        ends_at = now + self.times(session.group)[1] if rises else session.ends_at
        risk: Risk = "usual" if METHODS[proof.amr].level >= Level.PHISHING_RESISTANT else session.risk
        return self._rotate(tx, session, proofs, now, ends_at, device, place, risk=risk, sent=sent)

    def let_enrol(
        self,
        tx: Transaction,
        session: Session,
        now: float,
        until: float,
        place: ProvenPlace | None = None,
        sent: str | None = None,
    ) -> tuple[str, Session]:
        """Let a session change authenticators until then, under a new id; one that is pending lives as long.

        Args:
            tx: the transaction of the step.
            session: as it was read.
            now, until: seconds since the epoch.
            place: where the code was typed, if the session has not proven itself there yet.
            sent: as for `prove`.

        Raises:
            SignInRequired: the session has ended meanwhile.
        """
        ends_at = until if session.level < Level.MFA else session.ends_at
        return self._rotate(tx, session, session.proofs, now, ends_at, place=place, enrol_until=until, sent=sent)

    def lower_risk(self, tx: Transaction, session: Session, risk: Risk) -> bool:
        """Find the sign-in of a session less unusual, unless it has proven something meanwhile."""
        return rows.set_risk(tx, session.id_hash, session._proofs, risk)

    def drop_authenticator(self, tx: Transaction, session: Session, authenticator: str) -> Session | None:
        """After an authenticator is removed: end the sessions that it made, and take its proof from this one.

        Returns:
            This session as it is now; None where it was made by that authenticator alone.
        """

        def made_by_it(other: Session) -> bool:
            return any(proof.authenticator == authenticator for proof in other.proofs)

        kept = [proof for proof in session.proofs if proof.authenticator != authenticator]
        stays = level_of(kept) >= Level.MFA
        self.end_account(
            tx,
            session.account_id,
            lambda other: made_by_it(other) and not (stays and other.sign_in == session.sign_in),
        )
        if not stays or len(kept) == len(session.proofs):
            return session if stays else None
        proofs = dumped(kept)
        rows.set_proofs(tx, session.id_hash, int(level_of(kept)), proofs)
        return replace(session, level=level_of(kept), _proofs=proofs)

    @staticmethod
    def stored(session: Session) -> tuple[str, str]:
        """What `is_there` looks for, for a statement that asks the same: the hash of its id, and its proofs."""
        return session.id_hash, session._proofs

    def is_there(self, tx: Transaction, session: Session, now: float) -> bool:
        """Whether it lives still, by the proofs that it was read with; a rise finds out by itself."""
        return rows.is_there(tx, session.id_hash, session._proofs, now)

    def proven_at(self, tx: Transaction, account_id: str, place_hash: str | None) -> float | None:
        """When a session of an account that counts at this place has last proven a second factor; None: none has."""
        here = rows.proofs_at(tx, account_id, place_hash) if place_hash is not None else []
        return max((at for proofs in here if (at := proven(proofs).at) is not None), default=None)

    def touch(self, tx: Transaction, session: Session, group: str | None, now: float) -> None:
        """Note that a session is in use, and which group its account is in."""
        rows.touch(tx, session.id_hash, group, now)
        session.last_seen, session.group = now, group

    def end(self, tx: Transaction, session: Session) -> bool:
        return rows.remove_sign_in(tx, session.sign_in)

    def end_account(
        self,
        tx: Transaction,
        account_id: str,
        which: Callable[[Session], bool] | None = None,
        *,
        but: str | None = None,
    ) -> int:
        """End all sessions of an account, but that of a sign-in, or those that `which` picks; how many."""
        if which is None:
            return rows.remove_account(tx, account_id, but)
        return rows.remove(tx, [row.id_hash for row in rows.of_account(tx, account_id) if which(session_of(row))])

    def _rotate(
        self,
        tx: Transaction,
        session: Session,
        proofs: Sequence[Proof],
        now: float,
        ends_at: float,
        device: str | None = None,
        place: ProvenPlace | None = None,
        *,
        risk: Risk | None = None,
        enrol_until: float | None = None,
        sent: str | None = None,
    ) -> tuple[str, Session]:
        level = level_of(proofs)
        signs_in = session.level < Level.MFA <= level
        token = self.ids.after(HeldId(session.id_hash, session.sign_in), sent, signs_in)
        row = SessionRow(
            hash_of(token),
            session.sign_in,
            session.account_id,
            int(level),
            dumped(proofs),
            now,
            ends_at,
            enrol_until or session.enrol_until,
            session.group,
            None,
            risk or session.risk,
            place.place_hash if place else session.place_hash,
        )
        if not rows.rotate(tx, session.id_hash, session._proofs, row, device, place.fingerprint if place else None):
            raise SignInRequired
        return self.ids.cookie(token), session_of(row)
