"""What the help desk has to look at, until somebody has dealt with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..exc import InvalidRequest, NotFound
from ..flows import ClientContext
from ..store import accounts, alerts
from ..store.alerts import AlertRow
from .acting import Acting

MAX_ALERTS: Final = 200  # alerts
MAIL_INTERVAL: Final = 600.0  # seconds between two mails to the desk


class Alerts(Acting):
    """Alerts of all accounts."""

    def alerts(self, client: ClientContext) -> list[tuple[AlertRow, str]]:
        """What nobody has dealt with yet, with the ids of the accounts, the latest first. Raises as `staff`."""
        self.staff(client)
        return self.every_alert()

    def every_alert(self) -> list[tuple[AlertRow, str]]:
        """The same, for operators."""
        with self.services.store.begin() as tx:
            return alerts.opened(tx, MAX_ALERTS)

    def to_mail(self) -> list[AlertRow]:
        """What the desk is to be written to about now; nothing within ten minutes of the last time."""
        with self.services.store.begin() as tx:
            last = alerts.last_mailed(tx)
            quiet = last is not None and self.services.clock() - last < MAIL_INTERVAL
            return [] if quiet else alerts.not_mailed(tx, MAX_ALERTS)

    def mailed(self, rows: Sequence[AlertRow]) -> None:
        """Note that it was."""
        with self.services.store.begin() as tx:
            alerts.mark_mailed(tx, [row.id for row in rows], self.services.clock())

    def close(self, client: ClientContext, account_id: str, reason: str | None, seen: float) -> None:
        """Note that an account's alerts are dealt with. Raises as all acts, and InvalidRequest for what is to come.

        Args:
            seen: when the latest that was looked at happened; what has happened since stays open.
        """
        with self._acting(client, "close", account_id, reason) as (staff, why), self.services.store.begin() as tx:
            if not seen <= self.services.clock():  # nor a number that is none
                raise InvalidRequest
            target = accounts.lock_row(tx, account_id)
            if target is None:
                raise NotFound
            kinds = [row.kind for row in alerts.of_subject(tx, target.subject) if row.last_at <= seen]
            if alerts.close(tx, target.subject, seen):
                who = client.who(target.subject)
                self.services.audit.record(
                    tx, "alerts_closed", self.services.clock(), who, why=why, by=staff.subject, kinds=kinds
                )
