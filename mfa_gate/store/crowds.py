"""Rows of `mfa_crowds`: what accounts read today from a source that is new to them."""

from __future__ import annotations

from sqlalchemy import delete, select, text

from ..harvest import Crowd
from .engine import Transaction
from .schema import crowds

# the same words in SQLite and PostgreSQL
_BEGIN = text(
    "INSERT INTO mfa_crowds (source, day, readers, records) VALUES (:source, 0, '', 0) ON CONFLICT (source) DO NOTHING"
)
_COLUMNS = (crowds.c.day, crowds.c.readers, crowds.c.records, crowds.c.since)


def lock_row(tx: Transaction, source: str) -> Crowd:
    """The readers of a source, and its row, which nobody else changes until the transaction ends."""
    tx.execute(_BEGIN, {"source": source})
    return Crowd(*tx.execute(select(*_COLUMNS).where(crowds.c.source == source).with_for_update()).one())


def keep(tx: Transaction, source: str, crowd: Crowd) -> None:
    values = {"day": crowd.day, "readers": crowd.readers, "records": crowd.records, "since": crowd.since}
    tx.execute(crowds.update().where(crowds.c.source == source).values(values))


def remove_before(tx: Transaction, day: int) -> int:
    """Clear away what was of earlier days."""
    return tx.execute(delete(crowds).where(crowds.c.day < day)).rowcount
