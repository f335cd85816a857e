"""Who acts at the help desk, and over whom; and that each act has a reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from ..account import Account
from ..assurance import Requirement, satisfies
from ..exc import NotPermitted, OwnAccount, ReasonMissing, StepUpRequired
from ..flows import AccountLifecycle, AccountViews, Activation, ClientContext
from ..flows.flow import Flow
from ..flows.services import Services
from ..levels import Level
from ..reads.charging import Reads
from ..reads.reports import Reports
from ..staff import LEAST_ROLE, DeskPolicy, Role, Verb
from ..store import accounts, desk_staff

REASON: Final = range(3, 501)  # characters


@dataclass(frozen=True, slots=True)
class Staff:
    """Who acts: the account, its random name, and its role at the desk."""

    account: Account
    subject: str
    role: Role


class Acting(Flow):
    """Who acts at the desk, and over whom: checked anew at each act.

    Args:
        services: what the flows of one app share.
        policy: how the portal lets its desk in; None where it has none, which refuses everything.
        life, activation, cases, reads, reports: what does it.
    """

    def __init__(
        self,
        services: Services,
        policy: DeskPolicy | None,
        life: AccountLifecycle,
        activation: Activation,
        cases: AccountViews,
        reads: Reads,
        reports: Reports,
    ) -> None:
        super().__init__(services)
        self.policy = policy
        self.reads = reads
        self.reports = reports
        self._life = life
        self._activation = activation
        self._cases = cases

    def staff(self, client: ClientContext, verb: Verb = "look") -> Staff:
        """Return who acts, if they may do this.

        Raises:
            SignInRequired, StepUpRequired: no session, or none with a fresh phishing-resistant proof.
            NotPermitted: the portal lets the account not work at the desk, or its role does not reach that far.
        """
        session, policy = client.require_session(), self.policy
        account = self.account_of(session)
        if policy is None or not policy.permission(account):
            raise NotPermitted(reason="permission")
        required = Requirement(Level.PHISHING_RESISTANT, policy.max_age.total_seconds())
        with self.services.store.begin() as tx:
            self.signed_in(tx, session)
            account_row = self.lock_row(tx, session)
            role = desk_staff.role_of(tx, account.id)
        if not satisfies(session.level, session.proofs, required, self.services.clock()):
            raise StepUpRequired(requirement=required)
        if role < LEAST_ROLE[verb]:
            raise NotPermitted(reason="role")
        return Staff(account, account_row.subject, Role(role))

    @contextmanager
    def _acting(
        self, client: ClientContext, verb: Verb, account_id: str, reason: str | None
    ) -> Iterator[tuple[Staff, str]]:
        """Who acts over another account, and why; what is refused is an event."""
        try:
            staff = self.staff(client, verb)
            self._over(staff, account_id)
            yield staff, _reason(reason)
        except NotPermitted as refusal:
            self._tried(client, verb, account_id, str(refusal.data.get("reason", refusal.code)))
            raise

    def _over(self, staff: Staff, account_id: str) -> None:
        if account_id == staff.account.id:
            raise OwnAccount
        with self.services.store.begin() as tx:
            if desk_staff.role_of(tx, account_id) > staff.role:
                raise NotPermitted(reason="rank")

    def _tried(self, client: ClientContext, verb: Verb, account_id: str, reason: str) -> None:
        with self.services.store.begin() as tx:
            target, own = accounts.find(tx, account_id), accounts.find(tx, client.require_session().account_id)
            self.services.audit.record(
                tx,
                "desk_refused",
                self.services.clock(),
                client.who(target.subject if target else None),
                outcome="refused",
                reason=reason,
                verb=verb,
                by=own.subject if own else "",
            )


def _reason(text: str | None) -> str:
    reason = "".join(sign if sign.isprintable() else " " for sign in text or "").strip()
    if len(reason) not in REASON:
        raise ReasonMissing
    return reason
