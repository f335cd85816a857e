"""What is asked of the store: seen, or spoilt, on its way to the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from mfa_gate.store.statement import Statement


@contextmanager
def passing_through(engine: Engine, change: Callable[[str], str]) -> Iterator[None]:
    """Every statement of transactions passes through `change` meanwhile."""

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        return change(statement), parameters

    prepared = Statement.prepared

    def changed(self: Statement, dialect: Any) -> Any:
        sql, in_order = prepared(self, dialect)
        return change(sql), in_order

    event.listen(engine, "before_cursor_execute", listen, retval=True)
    Statement.prepared = changed  # type: ignore[method-assign]
    try:
        yield
    finally:
        Statement.prepared = prepared  # type: ignore[method-assign]
        event.remove(engine, "before_cursor_execute", listen)


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """The statements that run meanwhile."""
    seen: list[str] = []

    def note(statement: str) -> str:
        seen.append(statement)
        return statement

    with passing_through(engine, note):
        yield seen
