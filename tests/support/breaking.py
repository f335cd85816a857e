"""For the tests of faults: one thing that is asked of the store fails, and the store is put back for the next try."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import make_url

from mfa_gate.audit.record import Audit
from mfa_gate.keyring import Keyring
from mfa_gate.limits.limiter import Limiter
from mfa_gate.store import Store, reader
from mfa_gate.store.engine import Transaction
from mfa_gate.store.reader import Reader
from mfa_gate.store.schema import metadata
from tests.support.portal import Portal
from tests.support.web import engine_of

# what a refused attempt may write too, and a challenge is spent before its answer is looked at
LOOSE = frozenset({"mfa_counters", "mfa_fan_in", "mfa_pressure", "mfa_events", "mfa_outbox", "mfa_challenges"})
_COUNTED = tuple(table.name for table in metadata.sorted_tables if table.name not in LOOSE)
_SHOWN = (
    ("levels", "level FROM mfa_sessions"),
    ("steps", "last_step FROM mfa_totp_seeds"),
    ("redeemed", "bound_to IS NOT NULL FROM mfa_activations"),
    ("labels", "label FROM mfa_authenticators"),
    ("locked", "locked_at IS NOT NULL FROM mfa_accounts"),
    ("frozen", "frozen_until IS NOT NULL FROM mfa_accounts"),
    ("approved", "approved_by IS NOT NULL FROM mfa_desk_requests"),
    ("said", "kind FROM mfa_events WHERE outcome = 'success' AND kind != 'desk_looked'"),
    ("told", "kind FROM mfa_outbox WHERE kind != 'failed_second_factor'"),
    ("seen", "kind FROM mfa_outbox WHERE shown_at IS NOT NULL"),
    ("sent", "kind FROM mfa_outbox WHERE mail_due IS NULL"),
)
State = dict[str, Any]


@dataclass
class Fault:
    """Counts what is asked of the store, and lets one thing fail.

    Attributes:
        at: the number of it, from 1; 0 for none.
        commit_at: or the number of the commit.
        done: it fails only after it was done, so that the caller does not know; of commits.
        happen: what goes wrong; by default an error of the driver.
        asked: how much was asked so far.
        commits, reads: which of it were commits, and reads beside transactions, which are tried again once.
    """

    at: int = 0
    commit_at: int = 0
    done: bool = False
    happen: Callable[[], object] | None = None
    asked: int = 0
    commits: list[int] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)

    def passes(self, do: Callable[..., Any], *values: Any) -> Any:
        self.asked += 1
        if self.asked != self.at:
            return do(*values)
        if self.done:
            do(*values)
        if self.happen is None:
            raise sqlite3.OperationalError("disk I/O error")
        self.happen()
        return None if self.done else do(*values)

    def commit(self, do: Callable[[], Any]) -> Any:
        self.commits.append(self.asked + 1)
        if len(self.commits) == self.commit_at:
            self.at = self.asked + 1
        return self.passes(do)

    def read(self, do: Callable[..., Any], *values: Any) -> Any:
        self.reads.append(self.asked + 1)
        return self.passes(do, *values)


class _Driver:
    """A driver's connection through which a fault is looked for."""

    def __init__(self, driver: Any, fault: Fault) -> None:
        self._driver = driver
        self._fault = fault

    def execute(self, *values: Any) -> Any:
        return self._fault.passes(self._driver.execute, *values)

    def commit(self) -> Any:
        return self._fault.commit(self._driver.commit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)


@contextmanager
def breaking(portal: Portal, fault: Fault) -> Iterator[Fault]:
    """What is asked meanwhile, in transactions and beside them, is counted and may fail."""
    begin, query, engine = Transaction.__init__, reader._query, engine_of(portal)

    def begun(self: Transaction, *values: Any) -> None:
        begin(self, *values)
        self.driver = _Driver(self.driver, fault)

    def listen(*_: Any) -> None:
        fault.passes(lambda: None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transaction, "__init__", begun)
        patch.setattr(reader, "_query", lambda *values: fault.read(query, *values))
        event.listen(engine, "before_cursor_execute", listen)
        try:
            yield fault
        finally:
            event.remove(engine, "before_cursor_execute", listen)


@contextmanager
def kept(portal: Portal) -> Iterator[Callable[[], None]]:
    """An SQLite store as it is now; what it hands out puts that back."""
    file = make_url(portal.app.config["MFA_GATE_DATABASE_URL"]).database
    assert file is not None
    with closing(sqlite3.connect(file)) as store, closing(sqlite3.connect(":memory:")) as copy:
        store.execute("PRAGMA synchronous = OFF")  # no power cut is looked at, and this is done for each fault
        store.backup(copy)
        yield lambda: copy.backup(store)


def state_of(portal: Portal) -> State:
    """What people have, how far they are and what is said of it, without what is random in it."""
    counts = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in _COUNTED)  # noqa: S608
    with portal.app.extensions["mfa_gate"].services.store.begin() as tx:
        # by the driver itself: this is asked thousands of times
        state: State = dict(iter(tx.driver.execute(counts)))
        for name, column in _SHOWN:
            state[name] = sorted(row[0] for row in tx.driver.execute(f"SELECT {column}"))
    return state


# --- parts of the gate that raise, and a server that crashes ---------------------------------------------------------


class Broken(Exception):
    """Nothing that anybody expects."""


OWN_PARTS: dict[str, tuple[Any, str]] = {
    "reader": (Reader, "session"),
    "transactions": (Store, "begin"),
    "unsigning": (Keyring, "unsign"),
    "signing": (Keyring, "sign"),
    "sealing": (Keyring, "seal"),
    "opening": (Keyring, "open"),
    "hashing": (Keyring, "hash"),
    "comparing": (Keyring, "matches"),
    "limiter": (Limiter, "count"),
    "limiter's successes": (Limiter, "succeeded"),
    "events": (Audit, "record"),
}


def raise_broken(*args: Any, **kwargs: Any) -> Any:
    raise Broken("a part of the gate does not work")


@contextmanager
def listening(parts: dict[str, tuple[Any, str]]) -> Iterator[set[str]]:
    """The names of those of these parts that are called meanwhile."""
    called: set[str] = set()

    def heard(part: str, do: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            called.add(part)
            return do(*args, **kwargs)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for part, where in parts.items():
            patch.setattr(*where, heard(part, getattr(*where)))
        yield called


def write_out(portal: Portal) -> None:
    """The tests' server is fast because it writes late: before a crash, what is committed must be on the disk."""
    engine = create_engine(portal.app.config["MFA_GATE_DATABASE_URL"], isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CHECKPOINT"))
    engine.dispose()
