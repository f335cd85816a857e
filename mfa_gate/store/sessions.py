"""Rows of `mfa_sessions`."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, delete, insert, update

from .engine import Transaction
from .schema import sessions
from .statement import Statement


class SessionRow(NamedTuple):
    id_hash: str
    sign_in: str
    account_id: str
    level: int
    proofs: str
    last_seen: float
    ends_at: float


_INSERT = insert(sessions)
_MOVE = Statement(
    update(sessions)
    .where(sessions.c.id_hash == bindparam("old"), sessions.c.ends_at > bindparam("now"))
    .values(
        id_hash=bindparam("new"),
        level=bindparam("new_level"),
        proofs=bindparam("new_proofs"),
        last_seen=bindparam("now"),
        ends_at=bindparam("new_end"),
    )
)
_TOUCH = (
    update(sessions)
    .where(sessions.c.id_hash == bindparam("id"), sessions.c.last_seen < bindparam("now"))
    .values(last_seen=bindparam("now"))
)


def add(tx: Transaction, row: SessionRow) -> None:
    tx.execute(_INSERT, {**row._asdict(), "created_at": row.last_seen})


def move(tx: Transaction, old: str, row: SessionRow) -> bool:
    """Give a session that still lives a new id and what it rose to; False where it has ended meanwhile."""
    values = {
        "old": old,
        "new": row.id_hash,
        "new_level": row.level,
        "new_proofs": row.proofs,
        "now": row.last_seen,
        "new_end": row.ends_at,
    }
    return _MOVE.changes_one(tx, values)


def touch(tx: Transaction, id_hash: str, now: float) -> None:
    tx.execute(_TOUCH, {"id": id_hash, "now": now})


def remove_account(tx: Transaction, account_id: str) -> int:
    return tx.execute(delete(sessions).where(sessions.c.account_id == account_id)).rowcount


def remove_sign_in(tx: Transaction, sign_in: str) -> bool:
    return tx.execute(delete(sessions).where(sessions.c.sign_in == sign_in)).rowcount == 1


def remove_ended(tx: Transaction, now: float, account_id: str | None = None) -> int:
    """Clear away what has ended by itself; `ends_at` is checked at each read, so this is only tidiness."""
    statement = delete(sessions).where(sessions.c.ends_at <= now)
    if account_id is not None:
        statement = statement.where(sessions.c.account_id == account_id)
    return tx.execute(statement).rowcount
