"""Who was read by whom: out of the ledger, for the persons who must be told, and for the authority (GDPR 33, 34)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ..audit.record import Who
from ..durations import DAY
from ..exc import MFAGateError, SealBroken
from ..flows.flow import Flow
from ..store import Transaction, accounts, events, read_ledger
from ..store.read_ledger import ChainedRead
from .charging import RECORD, place, record_hash

# what was done about it, as far as the gate did it
MEASURES: Final = frozenset(
    {"reads_stopped", "reads_asked", "sessions_ended", "account_locked", "account_reset", "not_me", "device_replayed"}
)


class NothingToReport(MFAGateError):
    """The account, the session or the time is none that the ledger could know."""


@dataclass(frozen=True, slots=True)
class ReportScope:
    """Whose reads a report is about: exactly one of them.

    Attributes:
        account: an account's id.
        session: the name of a sign-in, as on the list of sessions and in events.
        source: a client's address.
    """

    account: str | None = None
    session: str | None = None
    source: str | None = None


@dataclass(slots=True)
class PersonRead:
    """A record that was read.

    Attributes:
        kind, id: as the portal calls it; the id is None where its seal does not open.
        first, last: seconds since the epoch.
        times: how often it was read.
    """

    kind: str
    id: str | None
    first: float
    last: float
    times: int = 0


@dataclass(slots=True)
class BreachReport:
    """What was read.

    Attributes:
        reads: records shown, each time.
        persons: distinct records, in the order in which they were read first.
        misses: look-ups that found nothing.
        first, last: seconds since the epoch, None where nothing was read.
        sessions: names of the sign-ins.
        measures: kind and time of what was done about it.
        broken: lines whose seal does not open: the key is gone, or they were changed.
    """

    reads: int = 0
    persons: list[PersonRead] = field(default_factory=list)
    misses: int = 0
    first: float | None = None
    last: float | None = None
    sessions: list[str] = field(default_factory=list)
    measures: list[tuple[str, float]] = field(default_factory=list)
    broken: int = 0


@dataclass(frozen=True, slots=True)
class RecordReader:
    """That a record was read: by which account (None where that is forgotten), in which sign-in, when."""

    account: str | None
    subject: str
    session: str
    at: float


class Reports(Flow):
    """Reports out of the ledger; that one was made is an event."""

    def breach(
        self, scope: ReportScope, since: float | None = None, until: float | None = None, **how: str
    ) -> BreachReport:
        """What an account, a session or a source has read.

        Args:
            scope: of whom.
            since, until: seconds since the epoch, the second not included.
            how: `by=` the random name of who at the help desk makes it, `why=`.

        Raises:
            NothingToReport: there is no such account.
        """
        with self.services.store.snapshot() as tx:
            which = self._which(tx, scope)
            found = self._summed(self._lines(tx, since, until, **which))
            subject = which.get("subject")
            found.measures = self._measures(tx, subject, found.first)
        self._made("breach", subject, len(found.persons), **how)
        return found

    def seen(
        self, kind: str, record: str, since: float | None = None, until: float | None = None
    ) -> list[RecordReader]:
        """Who has read a record, in the order of time."""
        hashes = [record_hash(one) for one in self.services.keyring.hashes(RECORD, f"{kind} {record}")]
        names: dict[str, str | None] = {}
        found: list[RecordReader] = []
        with self.services.store.snapshot() as tx:
            for line in self._lines(tx, since, until, records=hashes):
                event = line.event
                if event.subject not in names:
                    names[event.subject] = accounts.of_subject(tx, event.subject)
                if event.outcome == "missed":
                    _take_back(found, event.sign_in)
                else:
                    found.append(RecordReader(names[event.subject], event.subject, event.sign_in, event.at))
        self._made("seen", None, len(found))
        return found

    def _which(self, tx: Transaction, scope: ReportScope) -> dict[str, Any]:
        if scope.account is not None:
            row = accounts.find(tx, scope.account)
            if row is None:
                raise NothingToReport(f"the gate knows no account {scope.account!r}, or has forgotten it")
            return {"subject": row.subject}
        if scope.session is not None:
            subject = events.subject_of_sign_in(tx, scope.session)
            if subject is None:
                raise NothingToReport(f"there was no session {scope.session!r}, as far as the record of events goes")
            return {"subject": subject, "sign_in": scope.session}
        return {"sources": self.services.keyring.hashes("address", scope.source or "")}

    def _lines(self, tx: Transaction, since: float | None, until: float | None, **which: Any) -> Iterator[ChainedRead]:
        days = read_ledger.days(tx)
        if days is None:
            return
        first = max(days[0], int((since or 0.0) // DAY))
        last = days[1] if until is None else min(days[1], int(until // DAY))
        for line in read_ledger.of(tx, first, last, **which):
            if (since is None or line.event.at >= since) and (until is None or line.event.at < until):
                yield line

    def _summed(self, lines: Iterable[ChainedRead]) -> BreachReport:
        found, persons, sessions = BreachReport(), dict[str, PersonRead](), dict[str, None]()
        for line in lines:
            event = line.event
            if event.outcome == "missed":
                found.misses += 1
                self._missed(persons, event.record)
                continue
            sessions[event.sign_in] = None
            person = persons.get(event.record)
            if person is None:
                person = persons[event.record] = PersonRead(event.kind, self._opened(line, found), event.at, event.at)
            person.times, person.last = person.times + 1, event.at
        found.persons = list(persons.values())
        found.sessions = list(sessions)
        found.reads = sum(person.times for person in found.persons)
        found.first = min((person.first for person in found.persons), default=None)
        found.last = max((person.last for person in found.persons), default=None)
        return found

    @staticmethod
    def _missed(persons: dict[str, PersonRead], record: str) -> None:
        """There was no such record: its line before this one showed nobody."""
        person = persons.get(record)
        if person is not None:
            person.times -= 1
            if not person.times:
                del persons[record]

    def _opened(self, line: ChainedRead, found: BreachReport) -> str | None:
        try:
            sealed = self.services.keyring.open(RECORD, line.event.sealed, place(line.chain, line.seq))
        except SealBroken:
            found.broken += 1
            return None
        return sealed.decode("utf-8", "surrogatepass")

    @staticmethod
    def _measures(tx: Transaction, subject: str | None, first: float | None) -> list[tuple[str, float]]:
        """What was done about it, from the first read on."""
        if subject is None or first is None:
            return []
        every = events.of_subject(tx, subject)
        return [(event.kind, event.at) for event in every if event.kind in MEASURES and event.at >= first]

    def _made(self, what: str, subject: str | None, records: int, **how: Any) -> None:
        with self.services.store.begin() as tx:
            now = self.services.clock()
            self.services.audit.record(tx, "report_made", now, Who(subject), what=what, records=records, **how)


def _take_back(found: list[RecordReader], session: str) -> None:
    """The look-up before this line found nothing: nobody was seen by it."""
    for index in range(len(found) - 1, -1, -1):
        if found[index].session == session:
            del found[index]
            return
