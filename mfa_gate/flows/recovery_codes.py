"""Recovery codes: the way back when the phone is gone. One memory-hard computation per try, each code spent once."""

from __future__ import annotations

from typing import ClassVar

from ..account import Account
from ..assurance import Proof
from ..exc import WrongCode, WrongState
from ..factors import recovery
from ..factors.registry import RECOVERY, RECOVERY_AMR, Factor
from ..limits.limiter import Attempt, Scope
from ..sessions.devices import Device
from ..store import Transaction, recovery_sets
from .factor_flow import FactorFlow
from .flow import ClientContext, Elevated


class Recovery(FactorFlow):
    """Verifying and renewing recovery codes. Their hashes stand under no key of ours, so a rotation leaves them."""

    factor: ClassVar[Factor] = RECOVERY

    def verify(self, client: ClientContext, code: str) -> Elevated:
        """Prove a second factor by a recovery code. It gives `Level.MFA` and never more.

        Raises:
            WrongState: the account has no codes left.
            WrongCode: wrong, or spent already.
            TooManyAttempts, AccountClosed, SignInRequired, Unavailable: as for any step.
            NotFound: the portal has switched this method off.
        """
        client = client.sending(*self.sent(code))
        session, account = self.open_ceremony(client)
        device = self.device_of(client, account.id)
        services = self.services
        with services.store.begin() as tx:
            salt = recovery_sets.salt_of(tx, account.id)
            if salt is None or RECOVERY_AMR not in self.stored_amr(tx, account.id):
                raise WrongState
            self.fits_risk(tx, session, RECOVERY_AMR)
            attempt = self.count(tx, client, "recovery")
            subject = self.subject_in(tx, account.id)
        with self.recording_failure("second_factor", client, subject, RECOVERY_AMR):
            hashed = recovery.complete(bytes.fromhex(salt), code)
            return self.settled(client, attempt, lambda: self._settle(client, account, attempt, hashed, device))

    @staticmethod
    def sent(code: str) -> tuple[str, str]:
        """What a step is taken by that sends this code."""
        return RECOVERY_AMR, code

    def _settle(
        self, client: ClientContext, account: Account, attempt: Attempt, hashed: str, device: Device | None
    ) -> Elevated:
        with self.services.store.begin() as tx:
            account_row = self.lock_row(tx, client.require_session())
            if not recovery_sets.spend(tx, account.id, hashed):
                raise WrongCode
            left, proof = recovery_sets.left(tx, account.id), Proof(RECOVERY_AMR, self.services.clock())
            return self.proven_again(tx, client, account, account_row, proof, device, attempt, left=left)

    def renew(self, client: ClientContext) -> tuple[str, ...]:
        """Draw a new set in the place of the old one; told once, here.

        Raises:
            StepUpRequired, ActivationRequired, SignInRequired, AccountClosed: the session may not change anything.
            TooManyAttempts: there were ten today.
            WrongState: another set was drawn meanwhile.
        """
        session, _ = self.open_ceremony(client)
        with self.services.store.begin() as tx:
            self.signed_in(tx, session)
            self.may_change(tx, session, adds=True)
            replaced = recovery_sets.salt_of(tx, session.account_id)
            scope = Scope("renewal", f"account {self.subject_in(tx, session.account_id)}")
            self.services.limiter.count(tx, [scope], self.services.clock())  # it stays counted
        drawn = recovery.begin()  # takes a second: nothing waits for it
        with self.services.store.begin() as tx:
            self.lock_row(tx, session)
            self.may_change(tx, session, adds=True)
            if recovery_sets.salt_of(tx, session.account_id) != replaced:
                raise WrongState  # another one was faster, and its codes are the ones that were told
            self.use_activation(tx, session)
            self._put(tx, client, drawn)
        return drawn.codes

    def first(self, client: ClientContext) -> tuple[str, ...] | None:
        """The first set of an account that has just enrolled; None where it has one already, or none are offered."""
        if self.factor.name not in self.services.settings.methods:
            return None
        session = client.require_session()
        with self.services.store.begin() as tx:
            if recovery_sets.salt_of(tx, session.account_id) is not None:
                return None
        drawn = recovery.begin()
        with self.services.store.begin() as tx:
            self.lock_row(tx, session)
            self.signed_in(tx, session)
            if recovery_sets.salt_of(tx, session.account_id) is not None:
                return None
            self._put(tx, client, drawn)
        return drawn.codes

    def _put(self, tx: Transaction, client: ClientContext, drawn: recovery.Codes) -> None:
        session = client.require_session()
        now = self.services.clock()
        recovery_sets.replace(tx, session.account_id, drawn.salt.hex(), drawn.hashes, now)
        subject = self.subject_in(tx, session.account_id)
        self.services.audit.record(tx, "recovery_codes_renewed", now, client.who(subject), amr=RECOVERY_AMR)
