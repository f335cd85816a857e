"""Rows of `mfa_reading`: how much an account reads, as text that only `mfa_gate.harvest` understands."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, exists, select, text

from .engine import Transaction
from .schema import accounts, reading
from .sessions import LIVES
from .statement import Statement


class ReadingRow(NamedTuple):
    """An account as far as its reading goes, and whether the session that reads lives still, by the same proofs."""

    subject: str
    locked_at: float | None
    state: str | None
    is_there: bool


_LOCK = Statement(select(accounts.c.id).where(accounts.c.id == bindparam("account")).with_for_update())
_FIND = Statement(
    select(accounts.c.subject, accounts.c.locked_at, reading.c.state, exists().where(*LIVES))
    .select_from(accounts.outerjoin(reading, reading.c.account_id == accounts.c.id))
    .where(accounts.c.id == bindparam("account"))
)
# the same words in SQLite and PostgreSQL
_KEEP = Statement(
    text(
        "INSERT INTO mfa_reading (account_id, state) VALUES (:account, :state) "
        "ON CONFLICT (account_id) DO UPDATE SET state = excluded.state"
    )
)


def lock_row(
    tx: Transaction, account_id: str, session: str | None = None, proofs: str | None = None, now: float = 0.0
) -> ReadingRow | None:
    """An account's reading, and its row, which nobody else changes until the transaction ends.

    Args:
        account_id: whose.
        session, proofs: of the session that reads, as it was read at the beginning of the request.
        now: seconds since the epoch.
    """
    if tx.dialect.name != "sqlite":  # whose transactions begin alone; one that waits elsewhere must look after it
        _LOCK.run(tx, {"account": account_id}).fetchall()
    values = {"account": account_id, "id": session, "proofs": proofs, "now": now}
    rows = _FIND.run(tx, values).fetchall()
    return ReadingRow(*rows[0]) if rows else None


def keep(tx: Transaction, account_id: str, state: str) -> None:
    _KEEP.run(tx, {"account": account_id, "state": state})
