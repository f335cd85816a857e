"""What every step shares: the client, the preconditions, the counted attempt, and what follows it.

The order of a step: `FactorFlow.open_ceremony` (is the factor offered, whose session is it); transaction one checks
what must hold and counts the attempt; then comes the check of the factor, inside `recording_failure`; transaction two
locks the account's row (`lock_row`), spends, elevates the session and records.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from ..account import Account
from ..assurance import Requirement, satisfies, strongest
from ..audit.record import Who
from ..exc import (
    AccountClosed,
    ActivationRequired,
    AdditionsFrozen,
    EnrolmentGone,
    EnrolmentRequired,
    NotFound,
    Refusal,
    SignInRequired,
    StepUpRequired,
    SurerProofRequired,
    TooUnusual,
    WrongState,
)
from ..factors.registry import FACTORS, METHODS, RECOVERY_AMR, factor_of
from ..levels import Level
from ..risk.habits import Place
from ..sessions.session import Session
from ..store import Transaction, accounts, activations, authenticators
from ..store.accounts import AccountRow
from .services import Services

log: Final = logging.getLogger("mfa_gate")

State = Literal["anonymous", "pending", "activation", "enrolling", "signed_in"]
CHANGE_AGE: Final = 300.0  # seconds that a proof lets its session change authenticators

_MAX_REMEMBERED: Final = 10_000  # things that were recorded already, by this process
_REFUSALS: Final[dict[State, type[Refusal]]] = {
    "anonymous": SignInRequired,
    "pending": StepUpRequired,
    "activation": ActivationRequired,
    "enrolling": EnrolmentRequired,
    "signed_in": WrongState,
}


@dataclass(frozen=True, slots=True)
class ClientContext:
    """Who is at the door.

    Attributes:
        session: the session that the request's cookie names.
        address: the client's address.
        device: the device cookie's value.
        agent: what the browser says it is.
        name: the user name that was typed at the login.
        ja4: the fingerprint of its TLS handshake, where a trusted proxy says it.
        sent: what it proves itself by in this step, so that the same sent again is known.
    """

    session: Session | None
    address: str | None
    device: str | None = field(default=None, repr=False)
    agent: str | None = None
    name: str | None = None
    ja4: str | None = None
    sent: str | None = field(default=None, repr=False)

    def sending(self, *what: str) -> ClientContext:
        """The same client, in a step that is taken by this."""
        return replace(self, sent=" ".join(what))

    @property
    def place(self) -> Place:
        return Place(self.address, self.agent, self.ja4)

    def who(self, subject: str | None = None) -> Who:
        return Who(subject, self.session.sign_in if self.session else None, self.address, self.agent)

    def require_session(self) -> Session:
        """The session.

        Raises:
            SignInRequired: there is none.
        """
        if self.session is None:
            raise SignInRequired
        return self.session


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a session stands, worked out anew at each request: what another session did counts at once."""

    state: State
    amr: frozenset[str] = frozenset()


@dataclass(slots=True)
class Elevated:
    """A session that rose.

    Attributes:
        cookie: the new cookie value.
        device: the new value of the device cookie, where it changed.
        session: the session as it is now.
        account: whose it is.
        news: something that its owner was not shown yet has happened in the account.
        progress: where it stands now, where the step has worked it out.
        signs_in: this was the last proof of a sign-in, so the portal opens its own session now.
        is_again: the same was sent before, and nothing was spent or raised by this.
    """

    cookie: str = field(repr=False)
    session: Session
    account: Account
    progress: Progress | None = None
    signs_in: bool = False
    device: str | None = field(default=None, repr=False)
    has_unseen_notices: bool = False
    is_again: bool = False


def methods_allowed_at_risk(session: Session, amr: frozenset[str]) -> frozenset[str]:
    """Which of these methods, all of which the portal offers, may complete a sign-in that is as unusual as this one.

    What a relay cannot pass always may. Of a raised sign-in so may a recovery code, which is the way back when a key is
    lost; and a code of an app, where the account has nothing surer.
    """
    if session.risk == "usual":
        return amr
    sure = frozenset(one for one in amr if METHODS[one].level >= Level.PHISHING_RESISTANT)
    if session.risk == "high":
        return sure
    return sure | (amr & {RECOVERY_AMR}) if sure else amr


class RecordedOnce:
    """What this process has recorded already, since a refused client may ask as often as it likes."""

    def __init__(self) -> None:
        self._recorded: set[tuple[str, ...]] = set()

    def is_new(self, *what: str) -> bool:
        """Whether it was not recorded yet; from now on it is."""
        if what in self._recorded:
            return False
        if len(self._recorded) >= _MAX_REMEMBERED:
            self._recorded.clear()
        self._recorded.add(what)
        return True


class Flow:
    """Base of the flows: the pieces that none of them may forget."""

    def __init__(self, services: Services) -> None:
        self.services = services

    def progress(self, session: Session | None) -> Progress:
        """Where a session stands, and which methods its account has."""
        if session is None:
            return Progress("anonymous")
        with self.services.store.begin() as tx:
            return self.progress_in(tx, session)

    def progress_in(self, tx: Transaction, session: Session) -> Progress:
        amr = self.proven_amr(tx, session.account_id)
        if session.level >= Level.MFA:
            return Progress("signed_in", amr)
        # asked in any case: an account with and one without authenticators cost the same
        bound = activations.is_bound(tx, session.account_id, session.sign_in, self.services.clock())
        if amr:
            return Progress("pending", methods_allowed_at_risk(session, self.usable(amr)))
        return Progress("enrolling" if bound and not session.moved else "activation")

    def fits_risk(self, tx: Transaction, session: Session, amr: str) -> None:
        """Whether a method may complete this sign-in, as unusual as that is; nothing is verified where it may not.

        Raises:
            SurerProofRequired: something surer of the account is needed.
            TooUnusual: the account has nothing that would do.
        """
        if session.risk == "usual" or session.level >= Level.MFA:
            return
        fitting = methods_allowed_at_risk(session, self.usable(self.proven_amr(tx, session.account_id)))
        if amr not in fitting:
            raise SurerProofRequired if fitting else TooUnusual

    def proven_amr(self, tx: Transaction, account_id: str) -> frozenset[str]:
        """How an account can prove itself now (RFC 8176)."""
        return frozenset(map(self.as_proven, authenticators.amr(tx, account_id)))

    def usable(self, amr: frozenset[str]) -> frozenset[str]:
        """Those of these methods that the portal offers."""
        return frozenset(one for one in amr if factor_of(one).name in self.services.settings.methods)

    def as_proven(self, amr: str) -> str:
        """What an authenticator's method counts as now: hardware only while the portal asks for attestation."""
        rp = self.services.relying_party
        return "pop" if amr == "hwk" and (rp is None or rp.attestation is None) else amr

    def require_offered(self, factor: str) -> None:
        """Raise NotFound if the portal has switched this factor off."""
        if factor not in self.services.settings.methods:
            raise NotFound

    def require_addable(self, factor: str, group: str | None) -> None:
        """Raise NotFound if the portal has switched this factor off, or it does not count for this group."""
        self.require_offered(factor)
        required = self.services.policy.requirement(group, self.services.clock())
        if not any(required.counts(amr) for amr in FACTORS[factor].amr):
            raise NotFound

    @staticmethod
    def refusal_for(state: State) -> Refusal:
        """Why a session in this state may not do what another state may."""
        return _REFUSALS[state]()

    def signed_in(self, tx: Transaction, session: Session) -> frozenset[str]:
        """The methods of an account that is signed in.

        Raises:
            SignInRequired: the session has ended meanwhile.
            Refusal: it is not signed in; which, says what comes first.
        """
        self._still_there(tx, session)
        progress = self.progress_in(tx, session)
        if progress.state != "signed_in":
            raise self.refusal_for(progress.state)
        return progress.amr

    def may_change(
        self, tx: Transaction, session: Session, *, level: Level = Level.PASSWORD, adds: bool = False
    ) -> None:
        """Whether this session may change the account's authenticators, or add one of this level.

        It must have proven, minutes ago, what is strongest. What a phishing relay can prove (a code) changes nothing
        by itself, and neither does a recovery code: beside them an activation code must have been redeemed here. The
        same where the new authenticator would lift the highest level that the account can reach.

        Raises:
            StepUpRequired: a fresh proof is missing; `data["requirement"]` says which.
            ActivationRequired: an activation code is missing besides.
            SignInRequired: the session has ended meanwhile.
            AdditionsFrozen: something is to be added, and "it was not me" was pressed.
            Refusal: it is not signed in.
        """
        self._still_there(tx, session)
        progress = self.progress_in(tx, session)
        if progress.state == "enrolling":
            return
        if progress.state != "signed_in":
            raise self.refusal_for(progress.state)
        if adds and self.services.clock() < (accounts.frozen_until(tx, session.account_id) or 0.0):
            raise AdditionsFrozen
        lacking = self.lacks_strongest_proof(session, progress.amr)
        if session.enrol_until is not None and self.services.clock() < session.enrol_until:
            return
        reached = strongest(progress.amr)
        if lacking or reached < Level.PHISHING_RESISTANT or level > reached:
            raise ActivationRequired

    def lacks_strongest_proof(self, session: Session, amr: frozenset[str]) -> bool:
        """Whether a recovery code stands for the strongest proof of these methods, which is missing or too old.

        Raises:
            StepUpRequired: it is, and there is no recovery code of the last minutes; `data["requirement"]` says which.
        """
        now, required = self.services.clock(), Requirement(strongest(amr), CHANGE_AGE)
        if satisfies(session.level, session.proofs, required, now):
            return False
        if not self.proven_by_recovery_code(session, now):
            raise StepUpRequired(requirement=required)
        return True

    def _still_there(self, tx: Transaction, session: Session) -> None:
        if not self.services.sessions.is_there(tx, session, self.services.clock()):
            raise SignInRequired

    def use_activation(self, tx: Transaction, session: Session) -> None:
        """Spend the activation code, if one was redeemed here, with the first change that it allowed.

        Raises:
            EnrolmentGone: it was replaced, spent or out of time meanwhile, and there is no session to fall back on.
        """
        spent = activations.spend(tx, session.account_id, session.sign_in, self.services.clock())
        if not spent and session.level < Level.MFA:
            raise EnrolmentGone

    @staticmethod
    def proven_by_recovery_code(session: Session, now: float) -> bool:
        """Whether the session was proven by a recovery code, minutes ago."""
        return any(proof.amr == RECOVERY_AMR and now - proof.at < CHANGE_AGE for proof in session.proofs)

    @staticmethod
    def stored_amr(tx: Transaction, account_id: str) -> frozenset[str]:
        return authenticators.amr(tx, account_id)

    @staticmethod
    def subject_in(tx: Transaction, account_id: str) -> str:
        """The account's random name in events and counters.

        Raises:
            SignInRequired: the account is gone.
        """
        row = accounts.find(tx, account_id)
        if row is None:
            raise SignInRequired
        return row.subject

    def account_of(self, session: Session) -> Account:
        """The account behind a session, asked of the portal; a session without one ends.

        Raises:
            SignInRequired: the portal knows no such account, or has disabled it.
        """
        account = self.services.load_account(session.account_id)
        if account is not None and account.id == session.account_id:
            return account
        with self.services.store.begin() as tx:
            row = accounts.find(tx, session.account_id)
            self.services.sessions.end(tx, session)
            self.services.audit.record(
                tx,
                "session_ended",
                self.services.clock(),
                Who(row.subject if row else None, session.sign_in),
                reason="account_gone",
            )
        raise SignInRequired

    def lock_row(self, tx: Transaction, session: Session) -> AccountRow:
        """Lock the account's row before its rights change.

        Raises:
            AccountClosed: it is locked.
            SignInRequired: it is gone.
        """
        row = accounts.lock_row(tx, session.account_id)
        if row is None:
            raise SignInRequired
        if row.locked_at is not None:
            raise AccountClosed
        return row

    @contextmanager
    def recording_failure(
        self, kind: str, client: ClientContext, subject: str | None, amr: str | None = None
    ) -> Iterator[None]:
        """Store a failed step as an event of its own transaction, then let the refusal go on."""
        try:
            yield
        except Refusal as refusal:
            with self.services.store.begin() as tx:
                self.services.audit.record(
                    tx,
                    kind,
                    self.services.clock(),
                    client.who(subject),
                    outcome="failure",
                    amr=amr,
                    reason=str(refusal.data.get("reason", refusal.code)),
                    signing_in=client.require_session().level < Level.MFA,
                )
            raise
