"""What takes two of the desk: codes that are told on the telephone, and more reads for a while."""

from __future__ import annotations

import secrets
from typing import Final

from ..exc import NotFound, OwnAccount, RequestGone
from ..flows import ClientContext, IssuedCode
from ..store import accounts, desk_staff
from ..store.desk_staff import RequestRow
from .read_reports import ALLOW, Reading

REQUEST: Final = 30 * 60.0  # seconds that a second person has, and that an approved code may be told
SPOKEN: Final = 600.0  # seconds that a spoken code may be redeemed (NIST SP 800-63B-4 §4.2.1.2)

_DECIDED: Final = {
    ("spoken", True): "spoken_code_approved",
    ("spoken", False): "spoken_code_declined",
    (ALLOW, False): "reads_allowance_declined",
}


class FourEyes(Reading):
    """Asked for by one, approved by another, told once."""

    def ask(self, client: ClientContext, account_id: str, reason: str | None) -> None:
        """Ask that a code may be told on the telephone; a second person approves it.

        Raises:
            NotFound: the portal lets no code be told.
            NotPermitted, OwnAccount, ReasonMissing, ...: as all acts.
        """
        self._spoken_are_on()
        with self._acting(client, "ask", account_id, reason) as (staff, why), self.services.store.begin() as tx:
            now = self.services.clock()
            target = accounts.find(tx, account_id)
            if target is None:
                raise NotFound
            row = RequestRow(secrets.token_hex(16), account_id, "spoken", staff.account.id, why, now, now + REQUEST)
            desk_staff.ask(tx, row)
            self.services.audit.record(
                tx, "spoken_code_asked", now, client.who(target.subject), why=why, by=staff.subject
            )

    def requests(self, client: ClientContext, account_id: str | None = None) -> list[RequestRow]:
        """What waits, of all accounts or one. Raises as `staff`."""
        self.staff(client)
        with self.services.store.begin() as tx:
            return desk_staff.requests(tx, self.services.clock(), account_id)

    def approve(self, client: ClientContext, request_id: str) -> None:
        """Approve what a colleague asked for.

        Raises:
            OwnAccount: it is one's own request, or about oneself.
            RequestGone: it is no longer open.
            NotPermitted, ...: as `staff`.
        """
        self._decide(client, request_id, approves=True)

    def decline(self, client: ClientContext, request_id: str) -> None:
        """Decline what a colleague asked for. Raises as `approve`."""
        self._decide(client, request_id, approves=False)

    def _decide(self, client: ClientContext, request_id: str, *, approves: bool) -> None:
        four_eyes = self._request(request_id)
        with (
            self._acting(client, "approve", four_eyes.account_id, four_eyes.reason) as (staff, _),
            self.services.store.begin() as tx,
        ):
            now, by = self.services.clock(), staff.account.id
            if four_eyes.asked_by == by:
                raise OwnAccount
            target = accounts.find(tx, four_eyes.account_id)
            done = desk_staff.approve(tx, four_eyes.id, by, now) if approves else desk_staff.drop(tx, four_eyes.id)
            if not done or target is None:
                raise RequestGone
            if approves and four_eyes.verb == ALLOW:
                desk_staff.drop(tx, four_eyes.id)
                self.allowed(tx, client, four_eyes, staff.subject)
                return
            self.services.audit.record(
                tx, _DECIDED[four_eyes.verb, approves], now, client.who(target.subject), by=staff.subject
            )

    def speak(self, client: ClientContext, request_id: str) -> IssuedCode:
        """The code that was approved, told once: here, to who asked for it.

        Raises:
            RequestGone: nobody has approved it, it was told already, another one asked for it, or it is too old.
            NotPermitted, OwnAccount, ...: as all acts.
        """
        self._spoken_are_on()
        four_eyes = self._request(request_id)
        with (
            self._acting(client, "speak", four_eyes.account_id, four_eyes.reason) as (staff, why),
            self.services.store.begin() as tx,
        ):
            if not desk_staff.take(tx, four_eyes.id, staff.account.id, self.services.clock()):
                raise RequestGone
            return self._activation.issue_in(tx, four_eyes.account_id, why, SPOKEN, by=staff.subject, via="spoken")

    def _request(self, request_id: str) -> RequestRow:
        with self.services.store.begin() as tx:
            rows = desk_staff.requests(tx, self.services.clock())
        four_eyes = next((row for row in rows if row.id == request_id), None)
        if four_eyes is None:
            raise RequestGone
        return four_eyes

    def _spoken_are_on(self) -> None:
        if self.policy is None or not self.policy.spoken:
            raise NotFound
