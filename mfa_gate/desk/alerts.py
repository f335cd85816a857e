"""What the help desk has to look at, until somebody has dealt with it."""

from __future__ import annotations

from typing import Final, NamedTuple

from ..exc import InvalidRequest, NotFound
from ..flows import ClientContext
from ..store import accounts, alerts
from ..store.alerts import AlertRow, Digest
from .acting import Acting

PAGE: Final = 150  # alerts on one page
MAIL_INTERVAL: Final = 600.0  # seconds between two mails to the desk


class AlertPage(NamedTuple):
    """A page of the list.

    Attributes:
        rows: alerts, with the ids of their accounts.
        number: which page it is, from 1 on.
        pages: how many there are.
    """

    rows: list[tuple[AlertRow, str]]
    number: int
    pages: int


class Alerts(Acting):
    """Alerts of all accounts."""

    def alerts(self, client: ClientContext, page: int = 1) -> AlertPage:
        """What nobody has dealt with yet, by pages, with the ids of the accounts, the latest first. Raises as `staff`.

        The first page begins with the latest of each kind.
        """
        self.staff(client)
        with self.services.store.begin() as tx:
            return AlertPage(alerts.opened(tx, PAGE, (page - 1) * PAGE), page, -(-alerts.count(tx) // PAGE))

    def every_alert(self) -> list[tuple[AlertRow, str]]:
        """All of them, for operators."""
        with self.services.store.begin() as tx:
            return alerts.opened(tx)

    def to_mail(self) -> Digest | None:
        """What the desk is to be written to about now; None for nothing, as within ten minutes of the last time."""
        with self.services.store.begin() as tx:
            last = alerts.last_mailed(tx)
            quiet = last is not None and self.services.clock() - last < MAIL_INTERVAL
            return None if quiet else alerts.not_mailed(tx)

    def mailed(self, told: Digest) -> None:
        """Note that it was."""
        with self.services.store.begin() as tx:
            alerts.mark_mailed(tx, told, self.services.clock())

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
