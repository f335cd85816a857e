"""Rows of `mfa_recovery_sets` and `mfa_recovery_codes`: one salt per set, a row per code that is left."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, insert, select

from .engine import Transaction
from .schema import recovery_codes, recovery_sets


def replace(tx: Transaction, account_id: str, salt: str, hashes: Sequence[str], now: float) -> None:
    """Put a new set in the place of an earlier one."""
    tx.execute(delete(recovery_sets).where(recovery_sets.c.account_id == account_id))
    tx.execute(insert(recovery_sets), {"account_id": account_id, "salt": salt, "created_at": now})
    tx.execute(insert(recovery_codes), [{"account_id": account_id, "hash": hashed} for hashed in hashes])


def remove(tx: Transaction, account_id: str) -> None:
    tx.execute(delete(recovery_sets).where(recovery_sets.c.account_id == account_id))


def salt_of(tx: Transaction, account_id: str) -> str | None:
    salt: str | None = tx.execute(
        select(recovery_sets.c.salt).where(recovery_sets.c.account_id == account_id)
    ).scalar_one_or_none()
    return salt


def left(tx: Transaction, account_id: str) -> int:
    """How many codes of an account are left."""
    statement = select(func.count()).select_from(recovery_codes).where(recovery_codes.c.account_id == account_id)
    return int(tx.execute(statement).scalar_one())


def spend(tx: Transaction, account_id: str, hashed: str) -> bool:
    """Spend a code: true for exactly one of any number of parallel uses."""
    statement = delete(recovery_codes).where(recovery_codes.c.account_id == account_id, recovery_codes.c.hash == hashed)
    return tx.execute(statement).rowcount == 1
