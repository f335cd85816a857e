"""Reads beside every transaction: one statement in autocommit.

It stays clear of the engine's begin-IMMEDIATE hook (which would lock everybody out) and always exhausts its cursor
(an open one would pin an old snapshot). A connection that fails is replaced, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from sqlalchemy.pool import PoolProxiedConnection

from ..exc import Unavailable
from .devices import DeviceRow
from .engine import MAX_IDLE, Connections, IdleConnections
from .schema import devices, sessions
from .sessions import SessionRow


class Reader:
    """Reads the session of a guarded request, and the devices of a cookie.

    On SQLite by a connection of the transactions'; elsewhere, where one is in autocommit or not, by some of its own.

    Args:
        connections: of the same store.
    """

    def __init__(self, connections: Connections) -> None:
        self._engine = connections.engine
        self._shares: Final = connections.on_sqlite
        self._idle = connections.idle if self._shares else IdleConnections()
        mark = "?" if self._shares else "%s"
        columns = ", ".join(SessionRow._fields)
        self._session: Final = f"SELECT {columns} FROM {sessions.name} WHERE id_hash = {mark}"  # noqa: S608  (own names)
        self._sign_in: Final = f"SELECT {columns} FROM {sessions.name} WHERE sign_in = {mark}"  # noqa: S608  (own names)
        columns = ", ".join(DeviceRow._fields)
        self._devices: Final = f"SELECT {columns} FROM {devices.name} WHERE series IN "  # noqa: S608  (own names)
        self._mark = mark

    def session(self, id_hash: str) -> SessionRow | None:
        """The session whose id has this hash, or None.

        Raises:
            Unavailable: the store does not answer, on a fresh connection either.
        """
        rows = self._read(self._session, (id_hash,))
        return SessionRow._make(rows[0]) if rows else None

    def session_of_sign_in(self, sign_in: str) -> SessionRow | None:
        """The session of this sign-in, whatever its id is now, or None.

        Raises:
            Unavailable: the store does not answer, on a fresh connection either.
        """
        rows = self._read(self._sign_in, (sign_in,))
        return SessionRow._make(rows[0]) if rows else None

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
        waiting = self._idle.waiting
        try:
            connection = waiting.pop()
        except IndexError:
            return self._read_fresh(sql, values)
        try:
            rows = _query(connection.dbapi_connection, sql, values)
        except Exception:
            self._drop(connection)
            return self._read_fresh(sql, values)
        waiting.append(connection)
        return rows

    def close(self) -> None:
        """Close what waits here."""
        self._idle.close()

    def _read_fresh(self, sql: str, values: tuple[str, ...]) -> list[Any]:
        connection = None
        try:
            connection = self._fresh()
            rows = _query(connection.dbapi_connection, sql, values)
        except Exception as error:
            self._drop(connection)
            raise Unavailable from error
        if len(self._idle.waiting) < MAX_IDLE:
            self._idle.waiting.append(connection)
        else:
            connection.close()
        return rows

    def _fresh(self) -> PoolProxiedConnection:
        connection: PoolProxiedConnection = self._engine.raw_connection()
        if not self._shares:
            connection.detach()  # this one is the reader's, not the pool's
            connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]
        return connection

    def _drop(self, connection: PoolProxiedConnection | None) -> None:
        with suppress(Exception):  # it is broken already
            if connection is not None and self._shares:
                connection.invalidate()
            elif connection is not None:
                connection.close()


def _query(connection: Any, sql: str, values: tuple[str, ...]) -> list[Any]:
    rows: list[Any] = connection.execute(sql, values).fetchall()
    return rows
