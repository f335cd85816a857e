"""Rows of `mfa_events`: only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from .schema import events


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


_INSERT = insert(events)


def add(tx: Connection, row: EventRow) -> None:
    tx.execute(_INSERT, row._asdict())


def of_subject(tx: Connection, subject: str) -> Sequence[EventRow]:
    """The events of one account, oldest first."""
    statement = select(*(events.c[name] for name in EventRow._fields)).where(events.c.subject == subject)
    return [EventRow(*row) for row in tx.execute(statement.order_by(events.c.id))]
