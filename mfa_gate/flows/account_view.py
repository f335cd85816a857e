"""What support staff and operators see of an account: its state and history, and never a secret."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from ..account import Account
from ..store import Transaction, accounts, activations, alerts, authenticators, events, recovery_sets
from ..store.alerts import AlertRow
from ..store.authenticators import AuthenticatorRow
from ..store.events import EventRow
from ..store.sessions import ListedRow
from . import session_list
from .activation import UnknownAccount
from .flow import Flow
from .session_list import SessionPage

MAX_EVENTS = 25  # events of each kind and outcome


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as it stands.

    Attributes:
        subject: its random name in events and in addresses of pages.
        locked: it proves nothing until it is unlocked.
        frozen_until: nothing is added before that (seconds since the epoch), or None.
        sessions: the newest of them; `session_count` says how many there are.
        code_until: until when an activation code may be redeemed, or None.
        alerts: what the desk has not dealt with, the latest first.
        history: its latest events of each kind and outcome, the newest first; of the same one after the other only the
            latest.
    """

    account: Account
    subject: str
    locked: bool
    frozen_until: float | None
    authenticators: tuple[AuthenticatorRow, ...]
    recovery_codes: int
    sessions: tuple[ListedRow, ...]
    session_count: int
    code_until: float | None
    alerts: tuple[AlertRow, ...]
    history: tuple[EventRow, ...]


class AccountViews(Flow):
    """Reads accounts."""

    def of(self, account_id: str) -> AccountView:
        """An account by its id.

        Raises:
            UnknownAccount: the portal knows none.
        """
        account, now = self.services.load_account(account_id), self.services.clock()
        if account is None:
            raise UnknownAccount(f"the portal knows no account {account_id!r}")
        with self.services.store.begin() as tx:
            accounts.ensure(tx, account_id, now)
            return self._read(tx, account, now)

    def sessions(self, account_id: str, after: str | None = None) -> tuple[SessionPage, int]:
        """A page of an account's living sessions, and how many there are of them.

        Raises:
            UnknownAccount: the portal knows none.
            InvalidRequest: no page says that the next one begins `after`.
        """
        account = self.services.load_account(account_id)
        if account is None:
            raise UnknownAccount(f"the portal knows no account {account_id!r}")
        with self.services.store.begin() as tx:
            page = session_list.page(self.services, tx, account_id, account.group, after)
            return page, session_list.count(self.services, tx, account_id, account.group)

    def _read(self, tx: Transaction, account: Account, now: float) -> AccountView:
        row = accounts.find(tx, account.id)
        assert row is not None  # noqa: S101  (made in this transaction)
        frozen = accounts.frozen_until(tx, account.id)
        return AccountView(
            account,
            row.subject,
            row.locked_at is not None,
            frozen if frozen is not None and now < frozen else None,
            tuple(one._replace(method=self.as_proven(one.method)) for one in authenticators.of_account(tx, account.id)),
            recovery_sets.left(tx, account.id),
            session_list.page(self.services, tx, account.id, account.group).rows,
            session_list.count(self.services, tx, account.id, account.group),
            activations.open_until(tx, account.id, now),
            tuple(alerts.of_subject(tx, row.subject)),
            tuple(next(same) for _, same in groupby(events.latest(tx, row.subject, MAX_EVENTS), _what)),
        )


def _what(event: EventRow) -> tuple[str, str, str | None]:
    return event.kind, event.outcome, event.reason
