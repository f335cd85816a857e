"""Activation codes: the only way to a first authenticator. They reach the owner outside password and mailbox."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Final

from .. import crockford
from ..account import Account
from ..audit.record import Who
from ..exc import MFAGateError, WrongActivationCode, WrongState
from ..limits.limiter import Attempt
from ..sessions.session import Session
from ..store import Transaction, accounts, activations, sessions
from .flow import ClientContext, Elevated
from .proving import ProofFlow

SYMBOLS: Final = 16  # of five bits each: 80 bits, out of reach of guessing


class UnknownAccount(MFAGateError):
    """The portal's account loader knows no such account."""


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code, told once: here.

    Attributes:
        code: in groups of four.
        ends_at: seconds since the epoch.
        enrolled: the account has an authenticator already: the code serves beside a proof of that.
    """

    account: Account
    code: str = field(repr=False)
    ends_at: float
    enrolled: bool


class Activation(ProofFlow):
    """Issuing and redeeming activation codes."""

    def issue(self, account_id: str, reason: str, ttl: float | None = None) -> IssuedCode:
        """Issue a code; an earlier one of the account, and every session that may change things by it, end.

        Args:
            account_id: whose.
            reason: why, for the record.
            ttl: seconds that it may be redeemed; `MFA_GATE_ACTIVATION_TTL` by default.

        Raises:
            UnknownAccount: the portal knows no such account.
            ValueError: the time is not between a minute and 366 days.
        """
        with self.services.store.begin() as tx:
            return self.issue_in(tx, account_id, reason, ttl)

    def issue_in(
        self, tx: Transaction, account_id: str, reason: str, ttl: float | None = None, **how: Any
    ) -> IssuedCode:
        """`issue` in a transaction of the caller's, who hands the code over before it commits.

        Args:
            tx, account_id, reason, ttl: as for `issue`.
            how: `by=` the random name of who at the help desk does it, `via=` the way it is told.
        """
        services, now = self.services, self.services.clock()
        ttl = services.settings.activation_ttl if ttl is None else ttl
        if not 60 <= ttl <= 366 * 86_400:
            raise ValueError("an activation code lives between a minute and 366 days")
        account = self.portal_account(account_id)
        accounts.ensure(tx, account_id, now)
        account_row = accounts.lock_row(tx, account_id)
        code = crockford.new(SYMBOLS)
        row = activations.ActivationRow(
            secrets.token_hex(16), account_id, services.keyring.hash("activation", code), reason, now, now + ttl
        )
        accounts.freeze(tx, account_id, None)  # the issuer has checked whom the code is for
        activations.replace(tx, row)
        ended = sessions.remove_enrolling(tx, account_id, now)
        subject = account_row.subject if account_row else None
        services.audit.record(
            tx, "activation_issued", now, Who(subject), why=reason, activation=row.id, ended=ended, **how
        )
        return IssuedCode(account, crockford.grouped(code), row.ends_at, bool(self.stored_amr(tx, account_id)))

    def portal_account(self, account_id: str) -> Account:
        """The account as the portal knows it.

        Raises:
            UnknownAccount: it does not.
        """
        account = self.services.load_account(account_id)
        if account is None:
            raise UnknownAccount(f"the portal knows no account {account_id!r}")
        return account

    def redeem(self, client: ClientContext, code: str) -> Elevated:
        """Bind a code to this session, which may then enrol.

        Args:
            client: its session has the right password and no authenticator yet, or was signed in by the strongest
                proof at hand, or by a recovery code, minutes ago.
            code: as typed.

        Raises:
            SignInRequired, WrongState, TooManyAttempts, AccountClosed, Unavailable: as for any step.
            WrongActivationCode: mistyped, another account's, bound to another session, replaced or out of time.
        """
        client = client.sending(*self.sent(code))
        session = client.require_session()
        account = self.account_of(session)
        services, now = self.services, self.services.clock()
        with services.store.begin() as tx:
            self._may_redeem(tx, session)
            attempt = self.count(tx, client, "activation")
            subject = self.subject_in(tx, account.id)
        with self.recording_failure("activation_redeemed", client, subject):
            return self.settled(client, attempt, lambda: self._settle(client, account, attempt, code, now))

    @staticmethod
    def sent(code: str) -> tuple[str, str]:
        """What a step is taken by that sends this code."""
        return "activation", code

    def _settle(self, client: ClientContext, account: Account, attempt: Attempt, code: str, now: float) -> Elevated:
        services, session = self.services, client.require_session()
        with services.store.begin() as tx:
            subject = self.lock_row(tx, session).subject
            self._may_redeem(tx, session)
            until = now + services.settings.enrolling
            hashes = services.keyring.hashes("activation", crockford.normalised(code))
            if not activations.bind(tx, account.id, hashes, session.sign_in, now, until, services.settings.idle):
                raise WrongActivationCode
            cookie, elevated = services.sessions.let_enrol(
                tx, session, now, until, self.newly_proven_place(client, now), client.sent
            )
            services.limiter.succeeded(tx, attempt)
            self.settle(tx, client, subject, now)
            services.audit.record(tx, "activation_redeemed", now, client.who(subject))
        return Elevated(cookie, elevated, account)

    def _may_redeem(self, tx: Transaction, session: Session) -> None:
        progress = self.progress_in(tx, session)
        if progress.state == "activation":
            return
        if progress.state != "signed_in":
            raise WrongState
        self.lacks_strongest_proof(session, progress.amr)  # or has the strongest proof itself
