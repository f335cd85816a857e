"""The help desk: what support staff may do to the accounts of others. Its pages are one face of it.

Each act is checked anew: a phishing-resistant proof, the portal's permission, a role that may do it, over an account
that is neither one's own nor of a higher role, with a reason. Each is an event that names who did it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..account import Account
from ..exc import NotFound, UnknownToDesk
from ..flows import ClientContext, IssuedCode
from ..flows.account_view import AccountView
from ..store import accounts
from ..store.engine import Ending
from .acting import Staff
from .alerts import Alerts
from .four_eyes import FourEyes
from .roles import Roles

__all__ = ["Desk", "FoundAccount", "Staff"]


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """An account that somebody at the desk means, and its random name."""

    account: Account
    subject: str


class Desk(FourEyes, Roles, Alerts):
    """What the desk may do."""

    def find(self, client: ClientContext, typed: str) -> FoundAccount:
        """The account that is meant by what was typed.

        Raises:
            UnknownToDesk: the portal knows none.
            NotPermitted, ...: as `staff`.
        """
        self.staff(client)
        text = typed.strip()
        if not text or len(text) > 255 or not text.isprintable():
            raise UnknownToDesk
        find = self.policy.find if self.policy and self.policy.find else self.services.load_account
        found = find(text)
        if found is None:
            raise UnknownToDesk
        with self.services.store.begin() as tx:
            accounts.ensure(tx, found.id, self.services.clock())
            return FoundAccount(found, self.subject_in(tx, found.id))

    def case(self, client: ClientContext, account_id: str) -> AccountView:
        """An account as it stands; that it was looked at is an event.

        Raises:
            UnknownAccount: the portal knows none.
            NotPermitted, ...: as `staff`.
        """
        staff = self.staff(client)
        case = self._cases.of(account_id)
        with self.services.store.begin() as tx:
            self.services.audit.record(
                tx, "desk_looked", self.services.clock(), client.who(case.subject), by=staff.subject
            )
        return case

    def named(self, client: ClientContext, subject: str) -> str:
        """The id of the account that has this random name.

        Raises:
            NotFound: none has.
            NotPermitted, ...: as `staff`.
        """
        self.staff(client)
        with self.services.store.begin() as tx:
            account_id = accounts.of_subject(tx, subject)
        if account_id is None:
            raise NotFound
        return account_id

    def lock(self, client: ClientContext, account_id: str, reason: str | None) -> None:
        """Lock an account. Raises as all acts: NotPermitted, OwnAccount, ReasonMissing, and as `staff`."""
        with self._acting(client, "lock", account_id, reason) as (staff, why):
            self._life.lock(account_id, why, by=staff.subject)

    def unlock(self, client: ClientContext, account_id: str, reason: str | None) -> None:
        """Unlock an account. Raises as all acts."""
        with self._acting(client, "unlock", account_id, reason) as (staff, why):
            self._life.unlock(account_id, why, by=staff.subject)

    def end_sessions(self, client: ClientContext, account_id: str, reason: str | None) -> None:
        """Sign an account out everywhere. Raises as all acts."""
        with self._acting(client, "end_sessions", account_id, reason) as (staff, why):
            self._life.end_sessions(account_id, why, by=staff.subject)

    def reset(self, client: ClientContext, account_id: str, reason: str | None) -> None:
        """Remove all that an account can prove itself with. Raises as all acts."""
        with self._acting(client, "reset", account_id, reason) as (staff, why):
            self._life.reset(account_id, why, by=staff.subject)

    def letter(
        self,
        client: ClientContext,
        account_id: str,
        reason: str | None,
        write: Callable[[IssuedCode], Callable[[], object]],
    ) -> None:
        """Cause a letter with a new activation code, which is good only once the letter is written.

        Args:
            write: puts the code into a letter, which who asked for it does not see; what it returns takes that back.

        Raises:
            NotFound: the portal has no folder for letters.
            NotPermitted, OwnAccount, ReasonMissing, ...: as all acts.
        """
        if self.policy is None or self.policy.letters is None:
            raise NotFound
        with self._acting(client, "letter", account_id, reason) as (staff, why), self.services.store.begin() as tx:
            ttl = self.services.settings.letter_ttl
            take_back = write(self._activation.issue_in(tx, account_id, why, ttl, by=staff.subject, via="letter"))
            tx.at_end(lambda ending: ending is Ending.COMMITTED or take_back())
