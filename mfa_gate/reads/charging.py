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

from ..assurance import METHODS, Level, Requirement
from ..audit.chain import Heads
from ..audit.record import Who
from ..durations import DAY
from ..exc import (
    InvalidRecord,
    ReadQuotaReached,
    ReadsStopped,
    Refusal,
    SignInRequired,
    StepUpRequired,
    TooManyAtOnce,
    WrongState,
)
from ..flows import Visit
from ..flows.flow import Ceremony, House, News
from ..harvest import Allowance, Crowd, HarvestPolicy, Read, State, StateBroken, Verdict, may_lift, missed, quota, weigh
from ..harvest.harvest_policy import CHARS
from ..netinfo import prefixes
from ..sessions.session import Session
from ..store import Transaction, crowds, read_ledger, reading_states
from ..store.read_ledger import Outcome, ReadRow
from .ledger import PURPOSE

LONGEST: Final = 512  # characters of a record's id
MOST: Final = 1_000  # records in one list: more than anybody may read in a day
KIND: Final = range(1, 49)  # characters
KNOWN: Final = 1024  # states that a process remembers
RECORD: Final = "record"  # purpose of the keyed hash of a record's id
_PREFIX: Final = "record prefix"
_CROWD: Final = "crowd"
_HASH: Final = 32  # hexadecimal digits that are kept of a record's hash
_NAME: Final = 12  # characters of a sign-in's name that a state keeps


class Reads(Ceremony):
    """Charges reads.

    Args:
        house: the parts of the app.
        policy: what is too much.
    """

    def __init__(self, house: House, policy: HarvestPolicy) -> None:
        super().__init__(house)
        self.policy = policy
        self._heads = Heads()
        self._news = News()
        self._known: OrderedDict[str, State] = OrderedDict()  # what was written here last, by its text

    def charge(self, visit: Visit, kind: str, records: Iterable[object]) -> None:
        """Charge records before they are shown. All of them, or none.

        Args:
            visit: who is there.
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
        session, ids = visit.there(), _ids(kind, records)
        if not ids:
            return
        hashes = [self._hash(kind, one) for one in ids]
        with self.house.store.begin() as tx:
            refusal = self._charge(tx, visit, session, kind, ids, hashes)
        if refusal is not None:
            raise refusal

    def _charge(
        self, tx: Transaction, visit: Visit, session: Session, kind: str, ids: Sequence[str], hashes: Sequence[str]
    ) -> Exception | None:
        """Why it is refused, once what is to be kept of that is kept."""
        held = reading_states.hold(tx, session.account_id, *self.house.sessions.stored(session), self.house.clock())
        if held is None or held.locked_at is not None:
            raise SignInRequired
        state = self._known.pop(held.state or "", None) or self._state(held.state)
        if state is None:
            return self._stopped(tx, visit, held.subject, State(at=self.house.clock(), why="state"), ("state",))
        was = state.stopped
        crowd = self._crowd(tx, visit, held.subject)
        verdict = weigh(state, self._read(session, kind, ids, hashes, crowd and crowd[1]), self.policy)
        if verdict.action == "stop":
            if was is not None and state.stopped == was:
                return self._still_stopped(tx, session, state)
            return self._stopped(tx, visit, held.subject, state, verdict.reasons)
        reading_states.keep(tx, session.account_id, self._remembered(state))
        if verdict.action == "prompt":
            return self._prompted(tx, visit, held.subject, state, verdict)
        if not held.is_there:
            raise SignInRequired
        if crowd is not None:
            source, together = crowd
            crowds.keep(tx, source, replace(together, records=together.records + sum(verdict.fresh)))
        self._reported(tx, visit, held.subject, verdict)
        if was is not None:
            self.house.audit.record(tx, "reads_lifted", self.house.clock(), visit.who(held.subject))
        outcomes: list[Outcome] = ["first" if new else "again" for new in verdict.fresh]
        self._enter(tx, visit, held.subject, kind, list(zip(ids, hashes, outcomes, strict=True)))
        return None

    def missed(self, visit: Visit, kind: str, records: Iterable[object]) -> None:
        """Note that what was charged just now does not exist.

        Raises:
            ReadsStopped: that was one too many, and the session has ended; or the account was stopped before.
            SignInRequired, Unavailable: as for `charge`.
        """
        session, ids = visit.there(), _ids(kind, records)
        refusal = None
        with self.house.store.begin() as tx:
            held = reading_states.hold(tx, session.account_id)
            state = self._state(held.state) if held is not None else None
            if held is None or state is None:
                raise SignInRequired
            if state.stopped is not None:  # nothing it does meanwhile makes its stop a lighter one
                raise ReadsStopped
            after, reason = missed(state, self.policy)
            lines: list[tuple[str, str, Outcome]] = [(one, self._hash(kind, one), "missed") for one in ids]
            self._enter(tx, visit, held.subject, kind, lines)
            if reason is None:
                reading_states.keep(tx, session.account_id, after.dump())
            else:
                refusal = self._stopped(tx, visit, held.subject, after, (reason,))
        if refusal is not None:
            raise refusal

    # --- what it is weighed by ------------------------------------------------------------------------------------

    def _crowd(self, tx: Transaction, visit: Visit, subject: str) -> tuple[str, Crowd] | None:
        """A source that is new to its account, and who reads from there today, this one among them."""
        session, now, keyring = visit.there(), self.house.clock(), self.house.keyring
        if session.risk == "usual":
            return None
        blocks = prefixes(visit.address)
        source = keyring.hash(_CROWD, blocks.network if blocks else "unknown")
        reader = _mark(keyring.hash(_CROWD, f"account {subject}"))
        held = crowds.hold(tx, source)
        crowd = held.joined(reader, now, int(now // DAY), self.policy)
        if crowd != held:
            crowds.keep(tx, source, crowd)
        return source, crowd

    def _read(
        self, session: Session, kind: str, ids: Sequence[str], hashes: Sequence[str], crowd: Crowd | None
    ) -> Read:
        policy, alone = self.policy, ids[0] if len(ids) == 1 else ""
        prefix = alone[: policy.prefix] if len(alone) > policy.prefix else None
        return Read(
            tuple(_mark(hashed) for hashed in hashes),
            self.house.clock(),
            session.authenticated_at,
            session.surely_authenticated_at,
            _mark(self.house.keyring.hash(_PREFIX, prefix)) if prefix else None,
            # a group that is only observed has proven nothing that could grant
            session.sign_in[:_NAME] if session.level >= Level.MFA else None,
            session.risk != "usual",
            policy.canary is not None and any(policy.canary(kind, one) for one in ids),
            session.group,
            crowd,
        )

    def _hash(self, kind: str, record: str) -> str:
        return record_hash(self.house.keyring.hash(RECORD, f"{kind} {record}"))

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
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return text

    # --- what follows ---------------------------------------------------------------------------------------------

    def _enter(
        self, tx: Transaction, visit: Visit, subject: str, kind: str, lines: Sequence[tuple[str, str, Outcome]]
    ) -> None:
        """Write the ledger."""
        keyring, now, session = self.house.keyring, self.house.clock(), visit.there()
        source = self.house.audit.source(visit.address) if visit.address else None
        lent = self._heads.take()
        tx.at_end(lent.give_back)
        head = lent.head
        for record, hashed, outcome in lines:
            sealed = keyring.seal(record.encode("utf-8", "surrogatepass"), place(head.chain, head.seq + 1))
            row = ReadRow(now, int(now // DAY), subject, session.sign_in, source, kind, hashed, sealed, outcome)
            head.extend(row)
            read_ledger.add(tx, row, head.chain, head.seq, head.link, keyring.hash(PURPOSE, head.link))

    def _stopped(
        self, tx: Transaction, visit: Visit, subject: str, after: State, reasons: tuple[str, ...]
    ) -> ReadsStopped:
        """The session ends, and the account reads nothing until it is lifted; owner and desk are told."""
        session = visit.there()
        after.stopped = after.at
        reading_states.keep(tx, session.account_id, after.dump())
        self.house.sessions.end(tx, session)
        now, who = self.house.clock(), visit.who(subject)
        self.house.audit.record(
            tx, "reads_stopped", now, who, outcome="refused", reasons=list(reasons), records=after.today
        )
        return ReadsStopped(ended=True)

    def _still_stopped(self, tx: Transaction, session: Session, after: State) -> Exception:
        """What was stopped before; its owner can prove to be there, if the account has what that takes."""
        progress = self.progress_in(tx, session)
        surest = any(METHODS[method].ceiling >= Level.PHISHING_RESISTANT for method in progress.methods)
        if not surest or not may_lift(after):
            return ReadsStopped()
        return StepUpRequired(asked=Requirement(Level.PHISHING_RESISTANT, 0.0))

    def _prompted(self, tx: Transaction, visit: Visit, subject: str, after: State, verdict: Verdict) -> Refusal:
        """A further proof must be made; unless none would do."""
        session, reason = visit.there(), verdict.reasons[0]
        granted = quota(after, self.policy, session.group, unusual=session.risk != "usual")
        if reason == "quota" and sum(verdict.fresh) > granted:
            return TooManyAtOnce()
        if self._news.is_new(session.sign_in, str(session.authenticated_at), reason):
            self.house.audit.record(
                tx, "reads_asked", self.house.clock(), visit.who(subject), outcome="refused", reasons=[reason]
            )
        asked = Requirement(max_age=0.0)
        return StepUpRequired(asked=asked) if reason == "read_fan_in" else ReadQuotaReached(asked=asked)

    def _reported(self, tx: Transaction, visit: Visit, subject: str, verdict: Verdict) -> None:
        """Reasons that would have refused it, once for each session, and that the desk may have to look in time."""
        now, who, records = self.house.clock(), visit.who(subject), verdict.today
        for reason in verdict.reasons:
            if self._news.is_new(visit.there().sign_in, reason):
                self.house.audit.record(tx, "reads_reported", now, who, reasons=[reason], records=records)
        if verdict.nears:
            self.house.audit.record(tx, "reads_near_ceiling", now, who, records=records)

    # --- what is lifted -------------------------------------------------------------------------------------------

    def lift(self, account_id: str, reason: str, by: str | None = None) -> bool:
        """Let an account read again; False where it was not stopped.

        Args:
            account_id: whose.
            reason: why, for the record.
            by: the random name of who at the help desk does it.
        """
        with self.house.store.begin() as tx:
            held = reading_states.hold(tx, account_id)
            state = self._state(held.state) if held else None
            if held is None or (state is not None and state.stopped is None):
                return False
            state = state or State(at=self.house.clock(), day=int(self.house.clock() // DAY))
            state.lift()
            reading_states.keep(tx, account_id, state.dump())
            how: dict[str, Any] = {"why": reason, **({"by": by} if by else {})}
            self.house.audit.record(tx, "reads_lifted", self.house.clock(), Who(held.subject), **how)
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
        held = reading_states.hold(tx, account_id)
        state = self._state(held.state) if held else None
        if held is None or state is None:
            raise WrongState
        state.allowed, state.allowed_until = allowance.records, allowance.until
        if state.why in ("daily_limit", "ceiling", "drift"):
            state.settle()
            state.stopped = state.why = None
            state.drift = 0.0
        reading_states.keep(tx, account_id, state.dump())
        until = int(allowance.until)
        self.house.audit.record(
            tx, "reads_allowed", self.house.clock(), who(held.subject), records=allowance.records, until=until, **how
        )

    def state_of(self, account_id: str) -> State | None:
        """What is known of an account's reading; None where it has read nothing."""
        with self.house.store.begin() as tx:
            held = reading_states.hold(tx, account_id)
        return self._state(held.state) if held and held.state else None


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
    ids = dict.fromkeys("" if record is None else str(record) for record in islice(records, MOST + 1))
    if ids and not (min(map(len, ids)) > 0 and max(map(len, ids)) <= LONGEST):
        raise InvalidRecord
    return list(ids)
