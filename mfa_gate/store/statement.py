"""Statements that every sign-in runs: compiled once for each kind of database and handed to its driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ClauseElement
from sqlalchemy.engine import Dialect

from .engine import Transaction


class Statement:
    """A statement of SQLAlchemy's that runs past its result machinery, which costs five times what SQLite takes.

    Args:
        statement: with named binds and no lists; plain columns come back as the driver gives them.
    """

    __slots__ = ("_compiled", "_statement")

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, list[str] | None]] = {}

    def run(self, tx: Transaction, values: Mapping[str, Any]) -> Any:
        """The driver's cursor after it, to be read to its end."""
        sql, order = self.prepared(tx.dialect)
        parameters = values if order is None else [values[name] for name in order]
        return tx.driver.execute(sql, parameters)

    def changes_one(self, tx: Transaction, values: Mapping[str, Any]) -> bool:
        """Whether it changed exactly one row."""
        return bool(self.run(tx, values).rowcount == 1)

    def prepared(self, dialect: Dialect) -> tuple[str, list[str] | None]:
        """Its text for a kind of database, and the order of the values where that takes them by position."""
        known = self._compiled.get(dialect.name)
        if known is None:
            compiled = self._statement.compile(dialect=dialect)
            known = self._compiled[dialect.name] = (str(compiled), getattr(compiled, "positiontup", None))
        return known
