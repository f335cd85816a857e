"""The guard's one read: one statement on one held connection per process and thread, in autocommit.

It stays clear of the engine's begin-IMMEDIATE hook (which would lock everybody out) and always exhausts its cursor
(an open one would pin an old snapshot). A connection is replaced after a fork or an error.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Engine
from sqlalchemy.pool import PoolProxiedConnection

from ..exc import Unavailable
from .schema import sessions
from .sessions import SessionRow


class SessionReader:
    """Reads one session row by the hash of its id."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held = threading.local()
        self._inherited: list[object] = []
        alive = weakref.WeakMethod(self._leave_parent)
        os.register_at_fork(after_in_child=lambda: (leave := alive()) and leave())
        mark = "?" if engine.dialect.name == "sqlite" else "%s"
        columns = ", ".join(SessionRow._fields)
        self._sql: Final = f"SELECT {columns} FROM {sessions.name} WHERE id_hash = {mark}"  # noqa: S608  (own names)

    def read(self, id_hash: str) -> SessionRow | None:
        """The row, or None.

        Raises:
            Unavailable: the store does not answer, on a fresh connection either.
        """
        held = self._held.__dict__.get("connection")
        if held is None:
            return self._read_fresh(id_hash)
        try:
            return _query(held, self._sql, id_hash)
        except Exception:
            self._drop()
            return self._read_fresh(id_hash)

    def close(self) -> None:
        """Close what this thread holds; another thread's goes with the thread."""
        self._drop()

    def _read_fresh(self, id_hash: str) -> SessionRow | None:
        if _greenlets():
            return self._read_pooled(id_hash)
        try:
            self._held.connection = held = self._fresh()
            return _query(held, self._sql, id_hash)
        except Exception as error:
            self._drop()
            raise Unavailable from error

    def _fresh(self) -> Any:
        proxied: PoolProxiedConnection = self._engine.raw_connection()
        proxied.detach()  # this one is the reader's, not the pool's
        connection = proxied.dbapi_connection
        if self._engine.dialect.name == "postgresql":
            connection.autocommit = True  # type: ignore[union-attr]
        return connection

    def _leave_parent(self) -> None:
        self._inherited.append(self._held)  # closing the parent's connection here would close it there
        self._held = threading.local()

    def _drop(self) -> None:
        connection = self._held.__dict__.pop("connection", None)
        if connection is not None:
            with suppress(Exception):  # it is broken already; a fresh one follows
                connection.close()

    def _read_pooled(self, id_hash: str) -> SessionRow | None:
        try:
            proxied = self._engine.raw_connection()
            try:
                return _query(proxied, self._sql, id_hash)
            finally:
                proxied.close()
        except Exception as error:
            raise Unavailable from error


def _query(connection: Any, sql: str, id_hash: str) -> SessionRow | None:
    rows = connection.execute(sql, (id_hash,)).fetchall()
    return SessionRow._make(rows[0]) if rows else None


def _greenlets() -> bool:
    # many greenlets share one thread, so what a thread holds could be in the middle of another's answer
    monkey = sys.modules.get("gevent.monkey") or sys.modules.get("eventlet.patcher")
    if monkey is None:
        return False
    patched = getattr(monkey, "is_module_patched", None) or getattr(monkey, "is_monkey_patched", None)
    return bool(patched and (patched("threading") or patched("thread")))
