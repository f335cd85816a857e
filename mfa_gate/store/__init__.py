"""The store: the only room that writes SQL. One file per aggregate, plain rows in and out."""

from __future__ import annotations

from contextlib import AbstractContextManager

from . import (
    accounts,
    activations,
    alerts,
    authenticators,
    counters,
    credentials,
    devices,
    events,
    key_seals,
    outbox,
    recovery_sets,
    sessions,
)
from .engine import Connections, Transaction, make_engine
from .migrate import outdated, upgrade
from .reader import Reader

__all__ = [
    "Store",
    "Transaction",
    "accounts",
    "activations",
    "alerts",
    "authenticators",
    "counters",
    "credentials",
    "devices",
    "events",
    "key_seals",
    "outbox",
    "recovery_sets",
    "sessions",
]


class Store:
    """One portal's store.

    Args:
        url: SQLAlchemy URL of SQLite or PostgreSQL.

    Raises:
        ConfigurationError: the URL cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._engine = make_engine(url)
        self._connections = Connections(self._engine)
        self.reader = Reader(self._connections)

    def begin(self) -> AbstractContextManager[Transaction]:
        """A transaction: committed at the end of the block, rolled back by any exception.

        Raises:
            Unavailable: the store does not answer.
        """
        return self._connections.begin()

    def snapshot(self) -> AbstractContextManager[Transaction]:
        """A transaction that only reads, as the store is when it begins; nobody waits for it.

        Raises:
            Unavailable: the store does not answer.
        """
        return self._connections.snapshot()

    def upgrade(self) -> None:
        """Bring the schema to this version."""
        upgrade(self._engine)

    def outdated(self) -> str | None:
        """What is wrong with the schema's version, as a sentence, or None."""
        return outdated(self._engine)

    @property
    def backend(self) -> str:
        return self._engine.dialect.name

    def close(self) -> None:
        self.reader.close()
        self._connections.close()
