"""The help desk: what support staff may do to the accounts of others. Its pages are one face of it.

Each act is checked anew: a phishing-resistant proof, the portal's permission, a role that may do it, over an account
that is neither one's own nor of a higher role, with a reason. Each is an event that names who did it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..account import Account
from ..exc import NotFound, UnknownToDesk
from ..flows import Issued, Visit
from ..flows.account_view import Case
from ..store import accounts
from .acting import Staff
from .alerts import Alerts
from .roles import Roles
from .spoken_codes import Codes

__all__ = ["Desk", "Found", "Staff"]


@dataclass(frozen=True, slots=True)
class Found:
    """An account that somebody at the desk means, and its random name."""

    account: Account
    subject: str


class Desk(Codes, Roles, Alerts):
    """What the desk may do."""

    def find(self, visit: Visit, typed: str) -> Found:
        """The account that is meant by what was typed.

        Raises:
            UnknownToDesk: the portal knows none.
            NotPermitted, ...: as `staff`.
        """
        self.staff(visit)
        text = typed.strip()
        if not text or len(text) > 255 or not text.isprintable():
            raise UnknownToDesk
        find = self.policy.find if self.policy and self.policy.find else self.house.load_account
        found = find(text)
        if found is None:
            raise UnknownToDesk
        with self.house.store.begin() as tx:
            accounts.ensure(tx, found.id, self.house.clock())
            return Found(found, self.subject_in(tx, found.id))

    def case(self, visit: Visit, account_id: str) -> Case:
        """An account as it stands; that it was looked at is an event.

        Raises:
            UnknownAccount: the portal knows none.
            NotPermitted, ...: as `staff`.
        """
        staff = self.staff(visit)
        case = self._cases.of(account_id)
        with self.house.store.begin() as tx:
            self.house.audit.record(tx, "desk_looked", self.house.clock(), visit.who(case.subject), by=staff.subject)
        return case

    def named(self, visit: Visit, subject: str) -> str:
        """The id of the account that has this random name.

        Raises:
            NotFound: none has.
            NotPermitted, ...: as `staff`.
        """
        self.staff(visit)
        with self.house.store.begin() as tx:
            account_id = accounts.of_subject(tx, subject)
        if account_id is None:
            raise NotFound
        return account_id

    def lock(self, visit: Visit, account_id: str, reason: str | None) -> None:
        """Lock an account. Raises as all acts: NotPermitted, OwnAccount, ReasonMissing, and as `staff`."""
        with self._acting(visit, "lock", account_id, reason) as (staff, why):
            self._life.lock(account_id, why, by=staff.subject)

    def unlock(self, visit: Visit, account_id: str, reason: str | None) -> None:
        """Unlock an account. Raises as all acts."""
        with self._acting(visit, "unlock", account_id, reason) as (staff, why):
            self._life.unlock(account_id, why, by=staff.subject)

    def end_sessions(self, visit: Visit, account_id: str, reason: str | None) -> None:
        """Sign an account out everywhere. Raises as all acts."""
        with self._acting(visit, "end_sessions", account_id, reason) as (staff, why):
            self._life.end_sessions(account_id, why, by=staff.subject)

    def reset(self, visit: Visit, account_id: str, reason: str | None) -> None:
        """Remove all that an account can prove itself with. Raises as all acts."""
        with self._acting(visit, "reset", account_id, reason) as (staff, why):
            self._life.reset(account_id, why, by=staff.subject)

    def letter(
        self, visit: Visit, account_id: str, reason: str | None, write: Callable[[Issued], Callable[[], object]]
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
        with self._acting(visit, "letter", account_id, reason) as (staff, why), self.house.store.begin() as tx:
            ttl = self.house.settings.letter_ttl
            take_back = write(self._activation.issue_in(tx, account_id, why, ttl, by=staff.subject, via="letter"))
            tx.at_end(lambda committed: committed or take_back())
