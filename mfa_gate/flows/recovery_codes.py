"""Recovery codes: the way back when the phone is gone. One memory-hard computation per try, each code spent once."""

from __future__ import annotations

from ..assurance import RECOVERY, Proof
from ..exc import WrongCode, WrongState
from ..factors import recovery as factor
from ..limits.limiter import Scope
from ..store import Transaction, recovery_sets
from .flow import Risen, Visit
from .proving import Proving


class Recovery(Proving):
    """Verifying and renewing recovery codes."""

    def verify(self, visit: Visit, code: str) -> Risen:
        """Prove a second factor by a recovery code. It gives `Level.MFA` and never more.

        Raises:
            WrongState: the account has no codes left.
            WrongCode: wrong, or spent already.
            TooManyAttempts, AccountClosed, SignInRequired, Unavailable: as for any step.
            NotFound: the portal has switched this method off.
        """
        self.offered(RECOVERY)
        session = visit.there()
        account = self.account_of(session)
        device = self.device_of(visit, account.id)
        house = self.house
        with house.store.begin() as tx:
            salt = recovery_sets.salt_of(tx, account.id)
            if salt is None or RECOVERY not in self.methods_in(tx, account.id):
                raise WrongState
            self.fits_risk(tx, session, RECOVERY)
            attempt = self.count(tx, visit, "recovery")
            subject = self.subject_in(tx, account.id)
        with self.told("second_factor", visit, subject, RECOVERY):
            hashed = factor.complete(bytes.fromhex(salt), code)
            now = house.clock()
            with house.store.begin() as tx:
                held = self.hold(tx, session)
                if not recovery_sets.spend(tx, account.id, hashed):
                    raise WrongCode
                left = recovery_sets.left(tx, account.id)
                proof = Proof(RECOVERY, now)
                return self.proven_again(tx, visit, account, held, proof, device, attempt, left=left)

    def renew(self, visit: Visit) -> tuple[str, ...]:
        """Draw a new set in the place of the old one; told once, here.

        Raises:
            StepUpRequired, ActivationRequired, SignInRequired, AccountClosed: the session may not change anything.
            TooManyAttempts: there were ten today.
            WrongState: another set was drawn meanwhile.
        """
        self.offered(RECOVERY)
        session = visit.there()
        self.account_of(session)
        with self.house.store.begin() as tx:
            self.signed_in(tx, session)
            self.may_change(tx, session, adds=True)
            replaced = recovery_sets.salt_of(tx, session.account_id)
            scope = Scope("renewal", f"account {self.subject_in(tx, session.account_id)}")
            self.house.limiter.count(tx, [scope], self.house.clock())  # it stays counted
        drawn = factor.begin()  # takes a second: nothing waits for it
        with self.house.store.begin() as tx:
            self.hold(tx, session)
            self.may_change(tx, session, adds=True)
            if recovery_sets.salt_of(tx, session.account_id) != replaced:
                raise WrongState  # another one was faster, and its codes are the ones that were told
            self.use_activation(tx, session)
            self._put(tx, visit, drawn)
        return drawn.codes

    def first(self, visit: Visit) -> tuple[str, ...] | None:
        """The first set of an account that has just enrolled; None where it has one already, or none are offered."""
        if RECOVERY not in self.house.settings.methods:
            return None
        session = visit.there()
        with self.house.store.begin() as tx:
            if recovery_sets.salt_of(tx, session.account_id) is not None:
                return None
        drawn = factor.begin()
        with self.house.store.begin() as tx:
            self.hold(tx, session)
            self.signed_in(tx, session)
            if recovery_sets.salt_of(tx, session.account_id) is not None:
                return None
            self._put(tx, visit, drawn)
        return drawn.codes

    def _put(self, tx: Transaction, visit: Visit, drawn: factor.Codes) -> None:
        session = visit.there()
        now = self.house.clock()
        recovery_sets.replace(tx, session.account_id, drawn.salt.hex(), drawn.hashes, now)
        subject = self.subject_in(tx, session.account_id)
        self.house.audit.record(tx, "recovery_codes_renewed", now, visit.who(subject), method=RECOVERY)
