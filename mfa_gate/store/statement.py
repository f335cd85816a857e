"""Statements that every sign-in runs: compiled once for each kind of database and handed to its driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from sqlalchemy import ClauseElement
from sqlalchemy.engine import Dialect

from .engine import Transaction

_Prepared = tuple[str, Callable[[Mapping[str, Any]], tuple[Any, ...]] | None]


class Statement:
    """A statement of SQLAlchemy's that runs past its result machinery, which costs five times what SQLite takes.

    Args:
        statement: with named binds and no lists; plain columns come back as the driver gives them.
    """

    __slots__ = ("_compiled", "_statement")

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, _Prepared] = {}

    def run(self, tx: Transaction, values: Mapping[str, Any]) -> Any:
        """The driver's cursor after it, to be read to its end."""
        sql, in_order = self.prepared(tx.dialect)
        return tx.driver.execute(sql, values if in_order is None else in_order(values))

    def changes_one(self, tx: Transaction, values: Mapping[str, Any]) -> bool:
        """Whether it changed exactly one row."""
        return bool(self.run(tx, values).rowcount == 1)

    def prepared(self, dialect: Dialect) -> _Prepared:
        """Its text for a kind of database, and what puts values in order where that takes them by position."""
        known = self._compiled.get(dialect.name)
        if known is None:
            compiled = self._statement.compile(dialect=dialect)
            order: list[str] | None = getattr(compiled, "positiontup", None)
            known = self._compiled[dialect.name] = (str(compiled), None if order is None else _picking(order))
        return known


def _picking(names: list[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: tuple(values[name] for name in names)
