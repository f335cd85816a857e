"""Charging records read: to the session, whose proofs grant so many, and to the account, whose habits say how many.

Each line of the ledger is stored before the answer leaves. Whatever is refused is neither charged nor read.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from ..assurance import Requirement
from ..audit.chain import Heads
from ..audit.record import Who
from ..durations import DAY
from ..exc import (
    InvalidRecord,
    LiftRequired,
    ReadQuotaReached,
    ReadsStopped,
    ReadsStoppedForDesk,
    Refusal,
    SignInRequired,
    StepUpRequired,
    TooManyAtOnce,
    WrongState,
)
from ..factors.registry import METHODS
from ..flows import ClientContext
from ..flows.flow import Flow, RecordedOnce
from ..flows.services import Services
from ..harvest import Allowance, Crowd, HarvestPolicy, Read, State, StateBroken, Verdict, may_lift, missed, quota, weigh
from ..harvest.harvest_policy import CHARS
from ..levels import Level
from ..netinfo import prefixes
from ..sessions.session import Session
from ..store import Transaction, crowds, read_ledger, reading_states
from ..store.read_ledger import Outcome, ReadRow
from .ledger import PURPOSE

MAX_ID_LENGTH: Final = 512  # characters of a record's id
MAX_RECORDS: Final = 1_000  # records in one list: more than anybody may read in a day
KIND: Final = range(1, 49)  # characters
MAX_CACHED_STATES: Final = 1024  # states that a process remembers
RECORD: Final = "record"  # purpose of what hides a record's id: a keyed hash, and a seal
_PREFIX: Final = "record prefix"
_CROWD: Final = "crowd"
_HASH: Final = 32  # hexadecimal digits that are kept of a record's hash
_NAME: Final = 12  # characters of a sign-in's name that a state keeps


class Reads(Flow):
    """Charges reads.

    Args:
        services: what the flows of one app share.
        policy: what is too much.
    """

    def __init__(self, services: Services, policy: HarvestPolicy) -> None:
        super().__init__(services)
        self.policy = policy
        self._heads = Heads()
        self._news = RecordedOnce()
        self._known: OrderedDict[str, State] = OrderedDict()  # what was written here last, by its text

    def charge(self, client: ClientContext, kind: str, records: Iterable[object]) -> None:
        """Charge records before they are shown. All of them, or none.

        Args:
            client: where the request comes from, and its session.
            kind: what they are, as the portal calls it.
            records: their ids; each as text is at most 512 characters.

        Raises:
            ReadQuotaReached: a further proof must be made first.
            ReadsStopped: the account reads nothing; the session has ended, where this charge was what stopped it.
            TooManyAtOnce: no proof grants as many.
            InvalidRecord: an id is empty or too long.
            SignInRequired: the session has ended meanwhile.
            Unavailable: the store does not answer. Nothing is to be shown then.
        """
        session, ids = client.require_session(), _ids(kind, records)
        if not ids:
            return
        hashes = [self._hash(kind, one) for one in ids]
        with self.services.store.begin() as tx:
            refusal = self._charge(tx, client, session, kind, ids, hashes)
        if refusal is not None:
            raise refusal

    def _charge(
        self,
        tx: Transaction,
        client: ClientContext,
        session: Session,
        kind: str,
        ids: Sequence[str],
        hashes: Sequence[str],
    ) -> Exception | None:
        """Why it is refused, once what is to be kept of that is kept."""
        row = reading_states.lock_row(
            tx, session.account_id, *self.services.sessions.stored(session), self.services.clock()
        )
        if row is None or row.locked_at is not None:
            raise SignInRequired
        state = self._known.pop(row.state or "", None) or self._state(row.state)
        if state is None:
            return self._stopped(tx, client, row.subject, State(at=self.services.clock(), why="state"), ("state",))
        was = state.stopped
        crowd = self._crowd(tx, client, row.subject)
        verdict = weigh(state, self._read(session, kind, ids, hashes, crowd and crowd[1]), self.policy)
        if verdict.action == "stop":
            if was is not None and state.stopped == was:
                return self._still_stopped(tx, session, state)
            return self._stopped(tx, client, row.subject, state, verdict.reasons)
        reading_states.keep(tx, session.account_id, self._remembered(state))
        if verdict.action == "prompt":
            return self._prompted(tx, client, row.subject, state, verdict)
        if not row.is_there:
            raise SignInRequired
        if crowd is not None:
            source, together = crowd
            crowds.keep(tx, source, replace(together, records=together.records + sum(verdict.fresh)))
        self._reported(tx, client, row.subject, verdict)
        if was is not None:
            self.services.audit.record(tx, "reads_lifted", self.services.clock(), client.who(row.subject))
        outcomes: list[Outcome] = ["first" if new else "again" for new in verdict.fresh]
        self._enter(tx, client, row.subject, kind, list(zip(ids, hashes, outcomes, strict=True)))
        return None

    def missed(self, client: ClientContext, kind: str, records: Iterable[object]) -> None:
        """Note that what was charged just now does not exist.

        Raises:
            ReadsStopped: that was one too many, and the session has ended; or the account was stopped before.
            SignInRequired, Unavailable: as for `charge`.
        """
        session, ids = client.require_session(), _ids(kind, records)
        refusal = None
        with self.services.store.begin() as tx:
            row = reading_states.lock_row(tx, session.account_id)
            state = self._state(row.state) if row is not None else None
            if row is None or state is None:
                raise SignInRequired
            if state.stopped is not None:  # nothing it does meanwhile makes its stop a lighter one
                raise self._still_stopped(tx, session, state)
            after, reason = missed(state, self.policy)
            lines: list[tuple[str, str, Outcome]] = [(one, self._hash(kind, one), "missed") for one in ids]
            self._enter(tx, client, row.subject, kind, lines)
            if reason is None:
                reading_states.keep(tx, session.account_id, after.dump())
            else:
                refusal = self._stopped(tx, client, row.subject, after, (reason,))
        if refusal is not None:
            raise refusal

    # --- what it is weighed by ------------------------------------------------------------------------------------

    def _crowd(self, tx: Transaction, client: ClientContext, subject: str) -> tuple[str, Crowd] | None:
        """A source that is new to its account, and who reads from there today, this one among them."""
        session, now, keyring = client.require_session(), self.services.clock(), self.services.keyring
        if session.risk == "usual":
            return None
        blocks = prefixes(client.address)
        source = keyring.hash(_CROWD, blocks.network if blocks else "unknown")
        reader = _mark(keyring.hash(_CROWD, f"account {subject}"))
        before = crowds.lock_row(tx, source)
        crowd = before.joined(reader, now, int(now // DAY), self.policy)
        if crowd != before:
            crowds.keep(tx, source, crowd)
        return source, crowd

    def _read(
        self, session: Session, kind: str, ids: Sequence[str], hashes: Sequence[str], crowd: Crowd | None
    ) -> Read:
        policy, alone = self.policy, ids[0] if len(ids) == 1 else ""
        prefix = alone[: policy.prefix] if len(alone) > policy.prefix else None
        return Read(
            tuple(_mark(hashed) for hashed in hashes),
            self.services.clock(),
            session.authenticated_at,
            session.surely_authenticated_at,
            _mark(self.services.keyring.hash(_PREFIX, prefix)) if prefix else None,
            # a group that is only observed has proven nothing that could grant
            session.sign_in[:_NAME] if session.level >= Level.MFA else None,
            session.risk != "usual",
            policy.canary is not None and any(policy.canary(kind, one) for one in ids),
            session.group,
            crowd,
        )

    def _hash(self, kind: str, record: str) -> str:
        return record_hash(self.services.keyring.hash(RECORD, f"{kind} {record}"))

    @staticmethod
    def _state(text: str | None) -> State | None:
        """None for what nobody can read: the account reads nothing then."""
        try:
            return State.load(text)
        except StateBroken:
            return None

    def _remembered(self, state: State) -> str:
        """A state as text, from which it need not be read at the account's next look-up."""
        text = state.dump()
        self._known[text] = state
        if len(self._known) > MAX_CACHED_STATES:
            self._known.popitem(last=False)
        return text

    # --- what follows ---------------------------------------------------------------------------------------------

    def _enter(
        self, tx: Transaction, client: ClientContext, subject: str, kind: str, lines: Sequence[tuple[str, str, Outcome]]
    ) -> None:
        """Write the ledger."""
        keyring, now, session = self.services.keyring, self.services.clock(), client.require_session()
        source = self.services.audit.source(client.address) if client.address else None
        lent = self._heads.take()
        tx.at_end(lent.give_back)
        head = lent.head
        for record, hashed, outcome in lines:
            sealed = keyring.seal(RECORD, record.encode("utf-8", "surrogatepass"), place(head.chain, head.seq + 1))
            row = ReadRow(now, int(now // DAY), subject, session.sign_in, source, kind, hashed, sealed, outcome)
            head.extend(row)
            read_ledger.add(tx, row, head.chain, head.seq, head.link, keyring.hash(PURPOSE, head.link))

    def _stopped(
        self, tx: Transaction, client: ClientContext, subject: str, after: State, reasons: tuple[str, ...]
    ) -> ReadsStopped:
        """The session ends, and the account reads nothing until it is lifted; owner and desk are told."""
        session = client.require_session()
        after.stopped = after.at
        reading_states.keep(tx, session.account_id, after.dump())
        self.services.sessions.end(tx, session)
        now, who = self.services.clock(), client.who(subject)
        self.services.audit.record(
            tx, "reads_stopped", now, who, outcome="refused", reasons=list(reasons), records=after.today
        )
        kind = ReadsStopped if self._may_lift(tx, session.account_id, after) else ReadsStoppedForDesk
        return kind(ended=True)

    def _still_stopped(self, tx: Transaction, session: Session, after: State) -> Exception:
        """What was stopped before; its owner can prove to be there, if the account has what that takes."""
        if not self._may_lift(tx, session.account_id, after):
            return ReadsStoppedForDesk()
        return LiftRequired(asked=Requirement(Level.PHISHING_RESISTANT, 0.0))

    def _may_lift(self, tx: Transaction, account_id: str, state: State) -> bool:
        """Whether the owner can lift a stop: the account has what that takes, and the portal offers it."""
        usable = self.usable(self.proven_amr(tx, account_id))
        return may_lift(state) and any(METHODS[one].level >= Level.PHISHING_RESISTANT for one in usable)

    def stop_of(self, account_id: str) -> Refusal | None:
        """What is to be said of an account that reads nothing, and of what lifts that; None where it reads."""
        with self.services.store.begin() as tx:
            row = reading_states.lock_row(tx, account_id)
            if row is None:
                return None
            state = self._state(row.state)
            if state is not None and state.stopped is None:
                return None
            liftable = state is not None and self._may_lift(tx, account_id, state)
        return LiftRequired() if liftable else ReadsStoppedForDesk()

    def _prompted(
        self, tx: Transaction, client: ClientContext, subject: str, after: State, verdict: Verdict
    ) -> Refusal:
        """A further proof must be made; unless none would do."""
        session, reason = client.require_session(), verdict.reasons[0]
        granted = quota(after, self.policy, session.group, unusual=session.risk != "usual")
        if reason == "quota" and sum(verdict.fresh) > granted:
            return TooManyAtOnce()
        if self._news.is_new(session.sign_in, str(session.authenticated_at), reason):
            self.services.audit.record(
                tx, "reads_asked", self.services.clock(), client.who(subject), outcome="refused", reasons=[reason]
            )
        asked = Requirement(max_age=0.0)
        return StepUpRequired(asked=asked) if reason == "read_fan_in" else ReadQuotaReached(asked=asked)

    def _reported(self, tx: Transaction, client: ClientContext, subject: str, verdict: Verdict) -> None:
        """Reasons that would have refused it, once for each session, and that the desk may have to look in time."""
        now, who, records = self.services.clock(), client.who(subject), verdict.today
        for reason in verdict.reasons:
            if self._news.is_new(client.require_session().sign_in, reason):
                self.services.audit.record(tx, "reads_reported", now, who, reasons=[reason], records=records)
        if verdict.nears:
            self.services.audit.record(tx, "reads_near_ceiling", now, who, records=records)

    # --- what is lifted -------------------------------------------------------------------------------------------

    def lift(self, account_id: str, reason: str, by: str | None = None) -> bool:
        """Let an account read again; False where it was not stopped.

        Args:
            account_id: whose.
            reason: why, for the record.
            by: the random name of who at the help desk does it.
        """
        with self.services.store.begin() as tx:
            row = reading_states.lock_row(tx, account_id)
            state = self._state(row.state) if row else None
            if row is None or (state is not None and state.stopped is None):
                return False
            state = state or State(at=self.services.clock(), day=int(self.services.clock() // DAY))
            state.lift()
            reading_states.keep(tx, account_id, state.dump())
            how: dict[str, Any] = {"why": reason, **({"by": by} if by else {})}
            self.services.audit.record(tx, "reads_lifted", self.services.clock(), Who(row.subject), **how)
        return True

    def allow(
        self, tx: Transaction, account_id: str, allowance: Allowance, who: Callable[[str], Who], **how: Any
    ) -> None:
        """Let an account read more for a while, and again if it was stopped for reading too much.

        Args:
            tx: the transaction of the act.
            account_id: whose.
            allowance: how many records a day, until when.
            who: says of a subject who it is about, and from where.
            how: `why=`, `by=`.
        """
        row = reading_states.lock_row(tx, account_id)
        state = self._state(row.state) if row else None
        if row is None or state is None:
            raise WrongState
        state.allowed, state.allowed_until = allowance.records, allowance.until
        if state.why in ("daily_limit", "ceiling", "drift"):
            state.settle()
            state.stopped = state.why = None
            state.drift = 0.0
        reading_states.keep(tx, account_id, state.dump())
        until = int(allowance.until)
        self.services.audit.record(
            tx, "reads_allowed", self.services.clock(), who(row.subject), records=allowance.records, until=until, **how
        )

    def state_of(self, account_id: str) -> State | None:
        """What is known of an account's reading; None where it has read nothing."""
        with self.services.store.begin() as tx:
            row = reading_states.lock_row(tx, account_id)
        return self._state(row.state) if row and row.state else None


def place(chain: str, seq: int) -> str:
    """Identity of a line, which its sealed id opens in alone."""
    return f"read {chain} {seq}"


def record_hash(hashed: str) -> str:
    """As much of a record's keyed hash as is kept."""
    key_id, _, body = hashed.partition(".")
    return f"{key_id}.{body[:_HASH]}"


def _mark(hashed: str) -> str:
    """As much of a keyed hash as a state keeps: six bits a character."""
    return b2a_base64(bytes.fromhex(hashed.partition(".")[2][: 2 * CHARS]))[:CHARS].decode()


def _ids(kind: str, records: Iterable[object]) -> list[str]:
    """Ids as text, each once.

    Raises:
        InvalidRecord: one of them is none.
    """
    if len(kind) not in KIND or isinstance(records, str | bytes):
        raise TypeError("reads are charged as a kind of at most 48 characters, and a list of ids")
    ids = dict.fromkeys("" if record is None else str(record) for record in islice(records, MAX_RECORDS + 1))
    if ids and not (min(map(len, ids)) > 0 and max(map(len, ids)) <= MAX_ID_LENGTH):
        raise InvalidRecord
    return list(ids)
