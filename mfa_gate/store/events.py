"""Rows of `mfa_events`: only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, insert, select

from .engine import Transaction
from .schema import events
from .statement import Statement


class EventRow(NamedTuple):
    at: float
    kind: str
    subject: str | None
    sign_in: str | None
    source: str | None
    method: str | None
    outcome: str
    reason: str | None
    data: str


_INSERT = Statement(insert(events).values({name: bindparam(f"{name}_") for name in EventRow._fields}).inline())


def add(tx: Transaction, row: EventRow) -> None:
    _INSERT.run(tx, {f"{name}_": value for name, value in row._asdict().items()})


def of_subject(tx: Transaction, subject: str) -> Sequence[EventRow]:
    """The events of one account, oldest first."""
    statement = select(*(events.c[name] for name in EventRow._fields)).where(events.c.subject == subject)
    return [EventRow(*row) for row in tx.execute(statement.order_by(events.c.id))]
