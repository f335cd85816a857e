"""The engine: SQLite as it must be set up, PostgreSQL as it is, and one way to open a transaction."""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, CursorResult, Engine, Executable, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection

from ..exc import ConfigurationError, Unavailable

SQLITE_FLOOR: Final = (3, 35, 0)  # RETURNING
BUSY_TIMEOUT: Final = 10_000  # milliseconds that a writer waits for another
MAX_IDLE: Final = 16  # connections that wait between two uses; the pool has more
INSTEAD: Final = "write an SQLAlchemy URL such as 'postgresql+psycopg://user@host/name' or 'sqlite:///file'"


def make_engine(url: str) -> Engine:
    """An engine for the gate's store.

    Args:
        url: SQLAlchemy URL of SQLite or PostgreSQL (psycopg 3).

    Raises:
        ConfigurationError: the URL is not readable, names another database, or its driver is not there.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            return _sqlite(url, parsed.database)
        if backend == "postgresql":
            return _shared(create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20, hide_parameters=True))
    except (ArgumentError, NoSuchModuleError):
        raise ConfigurationError(f"MFA_GATE_DATABASE_URL is not readable: {INSTEAD}") from None
    except ImportError as missing:
        raise ConfigurationError(
            f"MFA_GATE_DATABASE_URL needs the package {missing.name!r}: install mfa-gate[postgresql]"
        ) from None
    raise ConfigurationError(f"MFA_GATE_DATABASE_URL names the database {backend!r}: {INSTEAD}")


def _sqlite(url: str, database: str | None) -> Engine:
    if sqlite3.sqlite_version_info < SQLITE_FLOOR:
        raise ConfigurationError(
            f"SQLite {sqlite3.sqlite_version} is too old: version {'.'.join(map(str, SQLITE_FLOOR))} or newer is needed"
        )
    if not database or database == ":memory:":
        raise ConfigurationError("MFA_GATE_DATABASE_URL needs a file: each thread would see a memory store of its own")
    folder = Path(database).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # the file holds sealed seeds and hashes: its owner's alone, from the first byte
        os.close(os.open(database, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise ConfigurationError(f"the store {database} cannot be written: {error.strerror}") from None
    arguments = {"timeout": BUSY_TIMEOUT / 1000, "check_same_thread": False}
    # a transaction sees to what was not committed: the pool's own way costs as much as a statement
    engine = create_engine(
        url,
        connect_args=arguments,
        hide_parameters=True,
        pool_reset_on_return=None,
        pool_size=MAX_IDLE,
        max_overflow=MAX_IDLE,
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return _shared(engine)


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not open transactions of its own
    for pragma in (
        "journal_mode = WAL",
        "synchronous = NORMAL",  # safe in WAL against a crash; a power cut may undo the last moment as a whole
        "foreign_keys = ON",
        f"busy_timeout = {BUSY_TIMEOUT}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    # a transaction that begins by reading could not rise to a writing one while another writes
    driver: Any = connection.connection.dbapi_connection
    if not driver.in_transaction:
        driver.execute("BEGIN IMMEDIATE")


def _shared(engine: Engine) -> Engine:
    """After a fork the child forgets the parent's connections without closing them."""
    alive = weakref.ref(engine)

    def forget() -> None:
        if (inherited := alive()) is not None:
            inherited.dispose(close=False)

    os.register_at_fork(after_in_child=forget)
    return engine


class Ending(Enum):
    """How a transaction ended; unknown where the store did not answer the commit."""

    COMMITTED = auto()
    ROLLED_BACK = auto()
    UNKNOWN = auto()


class Transaction:
    """One transaction on a connection of the pool.

    What every sign-in runs goes to the driver itself (see `Statement`), the rest through SQLAlchemy's own `execute`.

    Attributes:
        driver: the driver's connection.
        chain: the chain of events that it writes to, once it does.
    """

    __slots__ = ("_at_end", "_connection", "_core", "_engine", "chain", "dialect", "driver")

    def __init__(self, engine: Engine, connection: PoolProxiedConnection) -> None:
        self._engine = engine
        self._connection = connection
        self._core: Connection | None = None
        self.dialect = engine.dialect
        self.driver: Any = connection.dbapi_connection
        self.chain: Any = None
        self._at_end: list[Callable[[Ending], object]] = []

    def at_end(self, tell: Callable[[Ending], object]) -> None:
        """Have something told how this ended."""
        self._at_end.append(tell)

    def ended(self, ending: Ending) -> None:
        for tell in self._at_end:
            tell(ending)

    def execute(self, statement: Executable, values: Any = None) -> CursorResult[*tuple[Any, ...]]:
        if self._core is None:
            self._core = Connection(self._engine, connection=self._connection)
        return self._core.execute(statement, values)


class IdleConnections:
    """Connections between two uses: the pool's way costs as much as two statements.

    The one that was used last is used next. It remembers most of the store: what another one writes makes a
    connection of SQLite's forget all its pages.

    Attributes:
        waiting: these connections; another list after a fork.
    """

    def __init__(self) -> None:
        self.waiting: list[PoolProxiedConnection] = []
        self._inherited: list[object] = []
        alive = weakref.WeakMethod(self._leave_parent)
        os.register_at_fork(after_in_child=lambda: (leave := alive()) and leave())

    def close(self) -> None:
        while self.waiting:
            self.waiting.pop().close()

    def _leave_parent(self) -> None:
        self._inherited.append(self.waiting)  # closing the parent's connections here would close them there
        self.waiting = []


class Connections:
    """Where transactions get their connection: SQLite's wait here, others in the pool, which looks after them.

    Args:
        engine: whose connections.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.on_sqlite: Final = engine.dialect.name == "sqlite"
        self.errors: Final = (SQLAlchemyError, engine.dialect.loaded_dbapi.Error)
        self.idle: Final = IdleConnections()

    def begin(self) -> AbstractContextManager[Transaction]:
        """One transaction: committed at the end, rolled back by any exception.

        Raises:
            Unavailable: the store does not answer. Whatever was not committed is as if it had not been.
        """
        return _Begun(self, "BEGIN IMMEDIATE" if self.on_sqlite else None)  # elsewhere the driver begins by itself

    def snapshot(self) -> AbstractContextManager[Transaction]:
        """One transaction that only reads, and sees the store as it is now however long it takes; nobody waits for it.

        Raises:
            Unavailable: the store does not answer.
        """
        return _Begun(self, "BEGIN" if self.on_sqlite else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def close(self) -> None:
        self.idle.close()
        self.engine.dispose()


class _Begun:
    """The way into one transaction and out of it; a generator in its place costs as much as a statement."""

    __slots__ = ("_begin", "_connection", "_connections", "_home", "_tx")

    def __init__(self, connections: Connections, begin: str | None) -> None:
        self._connections = connections
        self._begin = begin
        self._home = connections.idle.waiting

    def __enter__(self) -> Transaction:
        connections = self._connections
        try:
            self._connection = self._home.pop()
        except IndexError:
            self._connection = self._fresh()
        self._tx = tx = Transaction(connections.engine, self._connection)
        if self._begin is not None:
            self._or_undo(tx.driver.execute, self._begin)
        return tx

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None:
            try:
                self._or_undo(self._tx.driver.commit)
            except BaseException:
                self._tx.ended(Ending.UNKNOWN)
                raise
            self._give_back()
            self._tx.ended(Ending.COMMITTED)
            return
        self._undo()
        self._tx.ended(Ending.ROLLED_BACK)
        if isinstance(error, self._connections.errors):
            raise Unavailable from error

    def _fresh(self) -> PoolProxiedConnection:
        try:
            return self._connections.engine.raw_connection()
        except self._connections.errors as error:
            raise Unavailable from error

    def _or_undo(self, step: Callable[..., object], *values: object) -> None:
        try:
            step(*values)
        except BaseException as error:
            self._undo()
            if isinstance(error, self._connections.errors):
                raise Unavailable from error
            raise

    def _undo(self) -> None:
        """Roll back; a connection that cannot even do that is not used again."""
        try:
            self._connection.rollback()
        except Exception:
            self._connection.invalidate()
            self._connection.close()
        else:
            self._give_back()

    def _give_back(self) -> None:
        connections, home = self._connections, self._home
        # after a fork in the middle the child's list is another one: this connection is the parent's
        if connections.on_sqlite and home is connections.idle.waiting and len(home) < MAX_IDLE:
            home.append(self._connection)
        else:
            self._connection.close()
