"""Who works at the help desk: roles given and taken away."""

from __future__ import annotations

from typing import Any

from ..audit.record import Who
from ..exc import NotFound, NotPermitted
from ..flows import ClientContext
from ..staff import LEAST_ROLE, Role
from ..store import Transaction, accounts, desk_staff
from ..store.desk_staff import StaffRow
from .acting import Acting, Staff


class Roles(Acting):
    """The first supervisor, and whom supervisors make."""

    def begin(self, account_id: str) -> bool:
        """Make the first supervisor: once in the life of a store, even if they are revoked later.

        Raises:
            UnknownAccount: the portal knows no such account.
        """
        self._activation.portal_account(account_id)
        now = self.services.clock()
        with self.services.store.begin() as tx:
            if not desk_staff.begin(tx, now):
                return False
            accounts.ensure(tx, account_id, now)
            desk_staff.grant(tx, account_id, Role.SUPERVISOR, None, now)
            row = accounts.find(tx, account_id)
            self.services.audit.record(tx, "desk_begun", now, Who(row.subject if row else None))
        return True

    def everybody(self) -> list[StaffRow]:
        """Who has a role at the desk, the highest first."""
        with self.services.store.begin() as tx:
            return desk_staff.staff(tx)

    def grant(self, client: ClientContext, account_id: str, role: Role, reason: str | None) -> None:
        """Give an account a role, at most one's own.

        Raises:
            UnknownAccount: the portal knows none.
            NotPermitted, OwnAccount, ReasonMissing, ...: as all acts.
        """
        with self._acting(client, "grant", account_id, reason) as (staff, why):
            if role > staff.role:
                raise NotPermitted(reason="rank")
            self._activation.portal_account(account_id)
            with self.services.store.begin() as tx:
                now = self.services.clock()
                accounts.ensure(tx, account_id, now)
                self._still(tx, staff, account_id)
                desk_staff.grant(tx, account_id, role, staff.subject, now)
                self._granted(tx, client, "desk_granted", account_id, why=why, by=staff.subject, role=role.name)

    def revoke(self, client: ClientContext, account_id: str, reason: str | None) -> None:
        """Take an account's role away, and what it asked for or approved with it.

        Raises:
            NotFound: it has none.
            NotPermitted, OwnAccount, ReasonMissing, ...: as `grant`.
        """
        with self._acting(client, "revoke", account_id, reason) as (staff, why), self.services.store.begin() as tx:
            self._still(tx, staff, account_id)
            if not desk_staff.revoke(tx, account_id):
                raise NotFound
            desk_staff.drop_of(tx, account_id)
            self._granted(tx, client, "desk_revoked", account_id, why=why, by=staff.subject)

    @staticmethod
    def _still(tx: Transaction, staff: Staff, account_id: str) -> None:
        """Of two who revoke each other one is left: the one who acts has the role until the transaction ends."""
        roles = desk_staff.lock_rows(tx, (staff.account.id, account_id))
        if roles.get(staff.account.id, 0) < LEAST_ROLE["grant"]:
            raise NotPermitted(reason="role")
        if roles.get(account_id, 0) > staff.role:
            raise NotPermitted(reason="rank")

    def _granted(self, tx: Transaction, client: ClientContext, kind: str, account_id: str, **data: Any) -> None:
        row = accounts.find(tx, account_id)
        self.services.audit.record(tx, kind, self.services.clock(), client.who(row.subject if row else None), **data)
