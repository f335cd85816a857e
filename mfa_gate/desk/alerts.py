"""What the help desk has to look at, until somebody has dealt with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..exc import InvalidRequest, NotFound
from ..flows import Visit
from ..store import accounts, alerts
from ..store.alerts import AlertRow
from .acting import Acting

LISTED: Final = 200  # alerts
QUIET: Final = 600.0  # seconds between two mails to the desk


class Alerts(Acting):
    """Alerts of all accounts."""

    def alerts(self, visit: Visit) -> list[tuple[AlertRow, str]]:
        """What nobody has dealt with yet, with the ids of the accounts, the latest first. Raises as `staff`."""
        self.staff(visit)
        return self.every_alert()

    def every_alert(self) -> list[tuple[AlertRow, str]]:
        """The same, for operators."""
        with self.house.store.begin() as tx:
            return alerts.opened(tx, LISTED)

    def to_mail(self) -> list[AlertRow]:
        """What the desk is to be written to about now; nothing within ten minutes of the last time."""
        with self.house.store.begin() as tx:
            last = alerts.last_told(tx)
            quiet = last is not None and self.house.clock() - last < QUIET
            return [] if quiet else alerts.untold(tx, LISTED)

    def mailed(self, rows: Sequence[AlertRow]) -> None:
        """Note that it was."""
        with self.house.store.begin() as tx:
            alerts.told(tx, [row.id for row in rows], self.house.clock())

    def close(self, visit: Visit, account_id: str, reason: str | None, seen: float) -> None:
        """Note that an account's alerts are dealt with. Raises as all acts, and InvalidRequest for what is to come.

        Args:
            seen: when the latest that was looked at happened; what has happened since stays open.
        """
        with self._acting(visit, "close", account_id, reason) as (staff, why), self.house.store.begin() as tx:
            if not seen <= self.house.clock():  # nor a number that is none
                raise InvalidRequest
            whose = accounts.hold(tx, account_id)
            if whose is None:
                raise NotFound
            kinds = [row.kind for row in alerts.of_subject(tx, whose.subject) if row.last_at <= seen]
            if alerts.close(tx, whose.subject, seen):
                who = visit.who(whose.subject)
                self.house.audit.record(
                    tx, "alerts_closed", self.house.clock(), who, why=why, by=staff.subject, kinds=kinds
                )
