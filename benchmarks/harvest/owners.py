"""What owners meet: proofs that they are asked for besides the one of their sign-in, and stops."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from mfa_gate.harvest import HarvestPolicy, Read, State, missed, quota, read
from mfa_gate.harvest.harvest_policy import CHARS, MAX_MARKS

from .world import BEGIN, DAY, EPIDEMIC, Account, LookUp, accounts, days

YOUNG: Final = 7  # days of an account that is new
EXCEPTION: Final = 92 * DAY  # the longest that the desk makes


@dataclass(slots=True)
class Tally:
    """Counts of working days, and of what happened on them, by group and by whether the account is known already."""

    days: Counter[tuple[str, bool]] = field(default_factory=Counter)
    prompts: Counter[tuple[str, bool]] = field(default_factory=Counter)
    stops: Counter[tuple[str, bool]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    records: list[int] = field(default_factory=list)
    quotas: list[int] = field(default_factory=list)
    accounts: list[tuple[Account, State, State]] = field(default_factory=list)

    def __iadd__(self, other: Tally) -> Tally:
        for name in ("days", "prompts", "stops", "reasons"):
            getattr(self, name).update(getattr(other, name))
        self.records += other.records
        self.quotas += other.quotas
        self.accounts += other.accounts
        return self


class Reader:
    """An account that reads, as the gate counts it: a session a day, and a proof wherever one is asked for."""

    def __init__(self, account: Account, policy: HarvestPolicy, state: State | None = None) -> None:
        self.account, self.policy = account, policy
        self.state = state or State()
        self.proven_at, self.prompts = 0.0, 0
        self.stopped: tuple[str, ...] = ()
        self.neared = False

    def signs_in(self, now: float) -> None:
        self.proven_at, self.prompts, self.stopped = now, 0, ()

    def looks_up(self, one: LookUp, *, proves: bool = True) -> bool:
        """Whether the record is shown."""
        for _ in range(3):
            asked = Read(
                (mark(one.record),),
                one.at,
                self.proven_at,
                prefix=prefix_of(one.record),
                session="the day's",
                group=self.account.group,
            )
            self.state, verdict = read(self.state, asked, self.policy)
            self.neared |= verdict.nears
            if verdict.action == "pass":
                return self._found(one)
            if verdict.action == "stop":
                self.stopped = verdict.reasons
                return False
            if not proves:
                return False
            self.prompts += 1
            self.proven_at = one.at + 1e-3
        return False

    def _found(self, one: LookUp) -> bool:
        if one.record >= 0:
            return True
        self.state, reason = missed(self.state, self.policy)
        if reason:
            self.stopped = (reason,)
        return False


def mark(record: int) -> str:
    return b64encode(((record & 0x3FFFFFFF) << 2).to_bytes(4)).decode()[:CHARS]


def prefix_of(record: int) -> str:
    """Records of one place and month of birth share the beginning of their number: about five of all."""
    return format((record & 0xFFFFFFFF) // 5, "x")


def observe(seed: int, count: int, length: int, policy: HarvestPolicy) -> Tally:
    """Let accounts work for some days; a stop is lifted by the next morning."""
    rng = np.random.default_rng(seed)
    epidemic = rng.random(length) < EPIDEMIC
    tally = Tally()
    for account in accounts(rng, count):
        reader, young = Reader(account, policy), State()
        for day, today in enumerate(days(rng, account, length, epidemic)):
            if not today:
                continue
            _one_day(reader, BEGIN + day * DAY, today, tally)
            if day < YOUNG:
                young = reader.state.copy()
        tally.accounts.append((account, reader.state, young))
    return tally


def _one_day(reader: Reader, begin: float, today: list[LookUp], tally: Tally) -> None:
    kind = (reader.account.group, reader.state.days >= reader.policy.warm)
    reader.signs_in(begin + 8 * 3600)
    if (
        reader.state.why == "ceiling" or reader.neared
    ):  # the desk has rung, and lets an account that reads as much go on
        reader.state.allowed, reader.state.allowed_until = MAX_MARKS, begin + EXCEPTION
        reader.neared = False
    if reader.state.stopped is not None:
        reader.state.lift()  # by the owner's own proof, or the desk
    for one in today:
        reader.looks_up(one)
        if reader.stopped:
            tally.reasons[reader.stopped[0]] += 1
            break
    tally.days[kind] += 1
    tally.prompts[kind] += reader.prompts
    tally.stops[kind] += bool(reader.stopped)
    tally.records.append(reader.state.today)
    tally.quotas.append(quota(reader.state, reader.policy, reader.account.group))
