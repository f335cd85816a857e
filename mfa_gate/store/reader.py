"""Reads beside every transaction: one statement on one held connection per process and thread, in autocommit.

It stays clear of the engine's begin-IMMEDIATE hook (which would lock everybody out) and always exhausts its cursor
(an open one would pin an old snapshot). A connection is replaced after a fork or an error.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Engine
from sqlalchemy.pool import PoolProxiedConnection

from ..exc import Unavailable
from .devices import DeviceRow
from .schema import devices, sessions
from .sessions import SessionRow


class Reader:
    """Reads the session of a guarded request, and the devices of a cookie."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held = threading.local()
        self._inherited: list[object] = []
        alive = weakref.WeakMethod(self._leave_parent)
        os.register_at_fork(after_in_child=lambda: (leave := alive()) and leave())
        mark = "?" if engine.dialect.name == "sqlite" else "%s"
        columns = ", ".join(SessionRow._fields)
        self._session: Final = f"SELECT {columns} FROM {sessions.name} WHERE id_hash = {mark}"  # noqa: S608  (own names)
        columns = ", ".join(DeviceRow._fields)
        self._devices: Final = f"SELECT {columns} FROM {devices.name} WHERE series IN "  # noqa: S608  (own names)
        self._mark = mark

    def session(self, id_hash: str) -> tuple[Any, ...] | None:
        """The session whose id has this hash, as the driver gives it, in the order of `SessionRow`; or None.

        Raises:
            Unavailable: the store does not answer, on a fresh connection either.
        """
        rows = self._read(self._session, (id_hash,))
        return rows[0] if rows else None

    def devices(self, series: Sequence[str]) -> list[DeviceRow]:
        """The devices of these series.

        Raises:
            Unavailable: the store does not answer, on a fresh connection either.
        """
        marks = ", ".join(self._mark for _ in series)
        return [DeviceRow._make(row) for row in self._read(f"{self._devices}({marks})", tuple(series))]

    def _read(self, sql: str, values: tuple[str, ...]) -> list[Any]:
        """The rows.

        Raises:
            Unavailable: the store does not answer, on a fresh connection either.
        """
        held = getattr(self._held, "connection", None)
        if held is None:
            return self._read_fresh(sql, values)
        try:
            return _query(held, sql, values)
        except Exception:
            self._drop()
            return self._read_fresh(sql, values)

    def close(self) -> None:
        """Close what this thread holds; another thread's goes with the thread."""
        self._drop()

    def _read_fresh(self, sql: str, values: tuple[str, ...]) -> list[Any]:
        if _greenlets():
            return self._read_pooled(sql, values)
        try:
            self._held.connection = held = self._fresh()
            return _query(held, sql, values)
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

    def _read_pooled(self, sql: str, values: tuple[str, ...]) -> list[Any]:
        try:
            proxied = self._engine.raw_connection()
            try:
                return _query(proxied, sql, values)
            finally:
                proxied.close()
        except Exception as error:
            raise Unavailable from error


def _query(connection: Any, sql: str, values: tuple[str, ...]) -> list[Any]:
    rows: list[Any] = connection.execute(sql, values).fetchall()
    return rows


def _greenlets() -> bool:
    # many greenlets share one thread, so what a thread holds could be in the middle of another's answer
    monkey = sys.modules.get("gevent.monkey") or sys.modules.get("eventlet.patcher")
    if monkey is None:
        return False
    patched = getattr(monkey, "is_module_patched", None) or getattr(monkey, "is_monkey_patched", None)
    return bool(patched and (patched("threading") or patched("thread")))
