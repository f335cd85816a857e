"""Rows of `mfa_counters`: the failures of one subject, read and written under the row's lock; what was used once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select, text

from .engine import Transaction
from .schema import counters
from .statement import Statement


class CounterRow(NamedTuple):
    key: str
    failures: str
    streak: int
    ends_at: float


_ENSURE = text(
    "INSERT INTO mfa_counters (key, failures, streak, ends_at) VALUES (:key, '[]', 0, 0) ON CONFLICT (key) DO NOTHING"
)
_HOLD = Statement(
    select(*(counters.c[name] for name in CounterRow._fields))
    .where(counters.c.key == bindparam("counter"))
    .with_for_update()
)
_UPSERT = Statement(
    text(
        "INSERT INTO mfa_counters (key, failures, streak, ends_at) VALUES (:key, :failures, :streak, :ends_at) "
        "ON CONFLICT (key) DO UPDATE SET failures = excluded.failures, streak = excluded.streak, "
        "ends_at = excluded.ends_at"
    )
)
_REPLACE = Statement(
    text(
        "UPDATE mfa_counters SET failures = :failures, streak = :streak, ends_at = :ends_at "
        "WHERE key = :key AND failures = :counted"
    )
)


_USE = Statement(
    text(
        "INSERT INTO mfa_counters (key, failures, streak, ends_at) VALUES (:key, '[]', 0, :ends_at) "
        "ON CONFLICT (key) DO NOTHING"
    )
)


def lock_rows(tx: Transaction, keys: Sequence[str]) -> dict[str, CounterRow]:
    """The rows of these keys, locked in one order until the transaction ends; a missing one comes empty."""
    if tx.dialect.name != "sqlite":
        # what is not there cannot be locked; on SQLite the whole transaction is the lock
        tx.execute(_ENSURE, [{"key": key} for key in sorted(keys)])
    rows = {key: _HOLD.run(tx, {"counter": key}).fetchone() for key in sorted(keys)}
    return {key: CounterRow(*row) if row else CounterRow(key, "[]", 0, 0.0) for key, row in rows.items()}


def write(tx: Transaction, rows: Sequence[CounterRow]) -> None:
    for row in rows:
        _UPSERT.run(tx, row._asdict())


def replace(tx: Transaction, row: CounterRow, failures: str) -> bool:
    """Write a row where these failures still stand in it; False where others were counted meanwhile."""
    return _REPLACE.changes_one(tx, {**row._asdict(), "counted": failures})


def use(tx: Transaction, key: str, ends_at: float) -> bool:
    """Note that something that works once was used: true for exactly one of any number of uses, until then."""
    return _USE.changes_one(tx, {"key": key, "ends_at": ends_at})


def is_used(tx: Transaction, key: str) -> bool:
    return tx.execute(select(counters.c.key).where(counters.c.key == key)).first() is not None


def remove(tx: Transaction, keys: Sequence[str]) -> None:
    tx.execute(delete(counters).where(counters.c.key.in_(keys)))


def remove_ended(tx: Transaction, now: float) -> int:
    return tx.execute(delete(counters).where(counters.c.ends_at <= now)).rowcount
