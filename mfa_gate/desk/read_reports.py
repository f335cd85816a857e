"""What an account reads, for the help desk: lifted when it was stopped, allowed more for a while, and reported."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any, Final

from ..durations import DAY
from ..exc import InvalidRequest, NotFound
from ..flows import ClientContext
from ..harvest import Allowance, State, limit, mean
from ..harvest.harvest_policy import MAX_MARKS
from ..reads.reports import BreachReport, ReportScope
from ..store import Transaction, accounts, desk_staff, read_ledger
from ..store.desk_staff import RequestRow
from .acting import Acting, Staff

DAYS_SHOWN: Final = 30  # days
LONGEST: Final = 92  # days that an exception may last
ALLOW: Final = "allow"


@dataclass(frozen=True, slots=True)
class Habits:
    """What an account reads.

    Attributes:
        by_day: number of the UTC day, and how many records it read on it; the last is today.
        usual, limit: records of a usual day, and at most.
        stopped: why it reads nothing, or None.
        allowed: an exception that holds, or None.
    """

    by_day: tuple[tuple[int, int], ...]
    usual: float
    limit: float
    stopped: str | None
    allowed: Allowance | None


class Reading(Acting):
    """Reads, as the desk sees them."""

    def habits(self, client: ClientContext, account_id: str) -> Habits:
        """How much an account reads, against its usual band. Raises as `staff`."""
        self.staff(client)
        policy, today = self.reads.policy, int(self.services.clock() // DAY)
        state = self.reads.state_of(account_id) or State(day=today)
        account = self.services.load_account(account_id)
        group = account.group if account else None
        with self.services.store.begin() as tx:
            counts = read_ledger.by_day(tx, self.subject_in(tx, account_id), today - DAYS_SHOWN + 1)
        holds = state.allowed and self.services.clock() < state.allowed_until
        return Habits(
            tuple((day, counts.get(day, 0)) for day in range(today - DAYS_SHOWN + 1, today + 1)),
            mean(state, policy, group),
            limit(state, policy, group),
            (state.why or "state") if state.stopped is not None else None,
            Allowance(state.allowed, state.allowed_until) if holds else None,
        )

    def lift(self, client: ClientContext, account_id: str, reason: str | None) -> None:
        """Let an account that was stopped read again. Raises as all acts."""
        with self._acting(client, "lift", account_id, reason) as (staff, why):
            self.reads.lift(account_id, why, by=staff.subject)

    def allow(self, client: ClientContext, account_id: str, reason: str | None, records: int, days: int) -> bool:
        """Let an account read more for some days; where the portal wants four eyes, ask a second person for that.

        Args:
            records: a day, at most 1,000.
            days: at most 92.

        Returns:
            Whether it holds; False where it waits for a second person.

        Raises:
            InvalidRequest: numbers out of range.
            NotPermitted, OwnAccount, ReasonMissing, ...: as all acts.
        """
        with self._acting(client, "allow", account_id, reason) as (staff, why), self.services.store.begin() as tx:
            if not (1 <= records <= MAX_MARKS and 1 <= days <= LONGEST):
                raise InvalidRequest
            if self.policy is not None and self.policy.four_eyes:
                self._ask_to_allow(tx, client, account_id, staff, why, records, days)
                return False
            self.reads.allow(tx, account_id, self._allowance(records, days), client.who, why=why, by=staff.subject)
        return True

    def _ask_to_allow(
        self, tx: Transaction, client: ClientContext, account_id: str, staff: Staff, why: str, records: int, days: int
    ) -> None:
        now, target = self.services.clock(), accounts.find(tx, account_id)
        if target is None:
            raise NotFound
        data = json.dumps({"records": records, "days": days})
        desk_staff.ask(
            tx,
            RequestRow(secrets.token_hex(16), account_id, ALLOW, staff.account.id, why, now, now + DAY, None, data),
        )
        self.services.audit.record(
            tx, "reads_allowance_asked", now, client.who(target.subject), why=why, by=staff.subject, records=records
        )

    def allowed(self, tx: Transaction, client: ClientContext, four_eyes: RequestRow, by: str) -> None:
        """What a second person has approved holds from now on."""
        wanted: dict[str, Any] = json.loads(four_eyes.data or "{}")
        allowance = self._allowance(int(wanted["records"]), int(wanted["days"]))
        self.reads.allow(tx, four_eyes.account_id, allowance, client.who, why=four_eyes.reason, by=by)

    def _allowance(self, records: int, days: int) -> Allowance:
        return Allowance(records, self.services.clock() + days * DAY)

    def report(self, client: ClientContext, account_id: str, reason: str | None) -> BreachReport:
        """Whom an account has read, as long as the ledger is kept. Raises as all acts."""
        with self._acting(client, "report", account_id, reason) as (staff, why):
            return self.reports.breach(ReportScope(account=account_id), by=staff.subject, why=why)
