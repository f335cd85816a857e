"""Rows of `mfa_keys`: one sealed row per key that something in this store may be sealed with."""

from __future__ import annotations

from sqlalchemy import delete, select, text

from .engine import Transaction
from .schema import keys

_ENSURE = text("INSERT INTO mfa_keys (id, seal) VALUES (:id, :seal) ON CONFLICT (id) DO NOTHING")


def seals(tx: Transaction) -> dict[str, str]:
    return {row.id: row.seal for row in tx.execute(select(keys.c.id, keys.c.seal))}


def add(tx: Transaction, key_id: str, seal: str) -> None:
    tx.execute(_ENSURE, {"id": key_id, "seal": seal})


def remove(tx: Transaction, key_id: str) -> None:
    tx.execute(delete(keys).where(keys.c.id == key_id))
