"""The help desk: what support staff may do to the accounts of others. Its pages are one face of it.

Each act is checked anew: a phishing-resistant proof, the portal's permission, a role that may do it, over an account
that is neither one's own nor of a higher role, with a reason. Each is an event that names who did it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from .account import Account
from .assurance import Level, Requirement, failing
from .audit import Who
from .exc import (
    NotFound,
    NotPermitted,
    OwnAccount,
    ReasonMissing,
    RequestGone,
    StepUpRequired,
    UnknownToDesk,
)
from .flows import Activation, Cases, Issued, Life, Visit
from .flows.cases import Case
from .flows.ceremony import Ceremony, House
from .staff import LEAST, DeskPolicy, Role, Verb
from .store import Transaction, accounts, desk
from .store.desk import RequestRow, StaffRow

REQUEST: Final = 30 * 60.0  # seconds that a second person has, and that an approved code may be told
SPOKEN: Final = 600.0  # seconds that a spoken code may be redeemed (NIST SP 800-63B-4 §4.2.1.2)
REASON: Final = range(3, 501)  # characters


@dataclass(frozen=True, slots=True)
class Found:
    """An account that somebody at the desk means, and its random name."""

    account: Account
    subject: str


@dataclass(frozen=True, slots=True)
class Staff:
    """Who acts: the account, its random name, and its role at the desk."""

    account: Account
    subject: str
    role: Role


class Desk(Ceremony):
    """What the desk may do.

    Args:
        house: the parts of the app.
        policy: how the portal lets its desk in; None where it has none, which refuses everything.
        life, activation, cases: the flows that do it.
    """

    def __init__(
        self, house: House, policy: DeskPolicy | None, life: Life, activation: Activation, cases: Cases
    ) -> None:
        super().__init__(house)
        self.policy = policy
        self._life = life
        self._activation = activation
        self._cases = cases

    # --- who acts, and over whom -------------------------------------------------------------------------------

    def staff(self, visit: Visit, verb: Verb = "look") -> Staff:
        """Who is there, if they may do this.

        Raises:
            SignInRequired, StepUpRequired: no session, or none with a fresh phishing-resistant proof.
            NotPermitted: the portal lets the account not work at the desk, or its role does not reach that far.
        """
        session, policy = visit.there(), self.policy
        account = self.account_of(session)
        if policy is None or not policy.permission(account):
            raise NotPermitted(reason="permission")
        required = Requirement(Level.PHISHING_RESISTANT, policy.max_age.total_seconds())
        with self.house.store.begin() as tx:
            self.signed_in(tx, session)
            held = self.hold(tx, session)
            role = desk.role_of(tx, account.id)
        if failing(session.level, session.proofs, required, self.house.clock()):
            raise StepUpRequired(requirement=required)
        if role < LEAST[verb]:
            raise NotPermitted(reason="role")
        return Staff(account, held.subject, Role(role))

    @contextmanager
    def _acting(self, visit: Visit, verb: Verb, account_id: str, reason: str | None) -> Iterator[tuple[Staff, str]]:
        """Who acts over another account, and why; what is refused is an event."""
        try:
            staff = self.staff(visit, verb)
            self._over(staff, account_id)
            yield staff, _reason(reason)
        except NotPermitted as refusal:
            self._tried(visit, verb, account_id, str(refusal.data.get("reason", refusal.code)))
            raise

    def _over(self, staff: Staff, account_id: str) -> None:
        if account_id == staff.account.id:
            raise OwnAccount
        with self.house.store.begin() as tx:
            if desk.role_of(tx, account_id) > staff.role:
                raise NotPermitted(reason="rank")

    def _tried(self, visit: Visit, verb: Verb, account_id: str, reason: str) -> None:
        with self.house.store.begin() as tx:
            whose, own = accounts.find(tx, account_id), accounts.find(tx, visit.there().account_id)
            self.house.audit.record(
                tx,
                "desk_refused",
                self.house.clock(),
                visit.who(whose.subject if whose else None),
                outcome="refused",
                reason=reason,
                verb=verb,
                by=own.subject if own else "",
            )

    # --- one account -------------------------------------------------------------------------------------------

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

    # --- codes that are told, which takes two --------------------------------------------------------------------

    def ask(self, visit: Visit, account_id: str, reason: str | None) -> None:
        """Ask that a code may be told on the telephone; a second person approves it.

        Raises:
            NotFound: the portal lets no code be told.
            NotPermitted, OwnAccount, ReasonMissing, ...: as all acts.
        """
        self._spoken_are_on()
        with self._acting(visit, "ask", account_id, reason) as (staff, why), self.house.store.begin() as tx:
            now = self.house.clock()
            whose = accounts.find(tx, account_id)
            if whose is None:
                raise NotFound
            row = RequestRow(secrets.token_hex(16), account_id, "spoken", staff.account.id, why, now, now + REQUEST)
            desk.ask(tx, row)
            self.house.audit.record(tx, "spoken_code_asked", now, visit.who(whose.subject), why=why, by=staff.subject)

    def requests(self, visit: Visit, account_id: str | None = None) -> list[RequestRow]:
        """What waits, of all accounts or one. Raises as `staff`."""
        self.staff(visit)
        with self.house.store.begin() as tx:
            return desk.requests(tx, self.house.clock(), account_id)

    def approve(self, visit: Visit, request_id: str) -> None:
        """Approve what a colleague asked for.

        Raises:
            OwnAccount: it is one's own request, or about oneself.
            RequestGone: it is no longer open.
            NotPermitted, ...: as `staff`.
        """
        self._decide(visit, request_id, "spoken_code_approved")

    def decline(self, visit: Visit, request_id: str) -> None:
        """Decline what a colleague asked for. Raises as `approve`."""
        self._decide(visit, request_id, "spoken_code_declined")

    def _decide(self, visit: Visit, request_id: str, kind: str) -> None:
        asked = self._request(request_id)
        with (
            self._acting(visit, "approve", asked.account_id, asked.reason) as (staff, _),
            self.house.store.begin() as tx,
        ):
            now, by = self.house.clock(), staff.account.id
            if asked.asked_by == by:
                raise OwnAccount
            whose = accounts.find(tx, asked.account_id)
            approves = kind == "spoken_code_approved"
            done = desk.approve(tx, asked.id, by, now) if approves else desk.drop(tx, asked.id)
            if not done or whose is None:
                raise RequestGone
            self.house.audit.record(tx, kind, now, visit.who(whose.subject), by=staff.subject)

    def speak(self, visit: Visit, request_id: str) -> Issued:
        """The code that was approved, told once: here, to who asked for it.

        Raises:
            RequestGone: nobody has approved it, it was told already, another one asked for it, or it is too old.
            NotPermitted, OwnAccount, ...: as all acts.
        """
        self._spoken_are_on()
        asked = self._request(request_id)
        with (
            self._acting(visit, "speak", asked.account_id, asked.reason) as (staff, why),
            self.house.store.begin() as tx,
        ):
            if not desk.take(tx, asked.id, staff.account.id, self.house.clock()):
                raise RequestGone
            return self._activation.issue_in(tx, asked.account_id, why, SPOKEN, by=staff.subject, via="spoken")

    def _request(self, request_id: str) -> RequestRow:
        with self.house.store.begin() as tx:
            rows = desk.requests(tx, self.house.clock())
        asked = next((row for row in rows if row.id == request_id), None)
        if asked is None:
            raise RequestGone
        return asked

    def _spoken_are_on(self) -> None:
        if self.policy is None or not self.policy.spoken:
            raise NotFound

    # --- who works here --------------------------------------------------------------------------------------------

    def begin(self, account_id: str) -> bool:
        """Make the first supervisor: once in the life of a store, whatever becomes of them.

        Raises:
            UnknownAccount: the portal knows no such account.
        """
        self._activation.portal_account(account_id)
        now = self.house.clock()
        with self.house.store.begin() as tx:
            if not desk.begin(tx, now):
                return False
            accounts.ensure(tx, account_id, now)
            desk.grant(tx, account_id, Role.SUPERVISOR, None, now)
            row = accounts.find(tx, account_id)
            self.house.audit.record(tx, "desk_begun", now, Who(row.subject if row else None))
        return True

    def everybody(self) -> list[StaffRow]:
        """Who has a role at the desk, the highest first."""
        with self.house.store.begin() as tx:
            return desk.staff(tx)

    def grant(self, visit: Visit, account_id: str, role: Role, reason: str | None) -> None:
        """Give an account a role, at most one's own.

        Raises:
            UnknownAccount: the portal knows none.
            NotPermitted, OwnAccount, ReasonMissing, ...: as all acts.
        """
        with self._acting(visit, "grant", account_id, reason) as (staff, why):
            if role > staff.role:
                raise NotPermitted(reason="rank")
            self._activation.portal_account(account_id)
            with self.house.store.begin() as tx:
                now = self.house.clock()
                accounts.ensure(tx, account_id, now)
                self._still(tx, staff, account_id)
                desk.grant(tx, account_id, role, staff.subject, now)
                self._granted(tx, visit, "desk_granted", account_id, why=why, by=staff.subject, role=role.name)

    def revoke(self, visit: Visit, account_id: str, reason: str | None) -> None:
        """Take an account's role away, and what it asked for or approved with it.

        Raises:
            NotFound: it has none.
            NotPermitted, OwnAccount, ReasonMissing, ...: as `grant`.
        """
        with self._acting(visit, "revoke", account_id, reason) as (staff, why), self.house.store.begin() as tx:
            self._still(tx, staff, account_id)
            if not desk.revoke(tx, account_id):
                raise NotFound
            desk.drop_of(tx, account_id)
            self._granted(tx, visit, "desk_revoked", account_id, why=why, by=staff.subject)

    @staticmethod
    def _still(tx: Transaction, staff: Staff, account_id: str) -> None:
        """Of two who revoke each other one is left: whoever acts has the role until the transaction ends."""
        roles = desk.hold(tx, (staff.account.id, account_id))
        if roles.get(staff.account.id, 0) < LEAST["grant"]:
            raise NotPermitted(reason="role")
        if roles.get(account_id, 0) > staff.role:
            raise NotPermitted(reason="rank")

    def _granted(self, tx: Transaction, visit: Visit, kind: str, account_id: str, **data: Any) -> None:
        row = accounts.find(tx, account_id)
        self.house.audit.record(tx, kind, self.house.clock(), visit.who(row.subject if row else None), **data)


def _reason(text: str | None) -> str:
    reason = "".join(sign if sign.isprintable() else " " for sign in text or "").strip()
    if len(reason) not in REASON:
        raise ReasonMissing
    return reason
