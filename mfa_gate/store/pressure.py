"""Rows of `mfa_pressure` (tries of a source in an hour) and `mfa_fan_in` (accounts new to a source or tally)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, select, text

from .engine import Transaction
from .schema import fan_in, pressure
from .statement import Statement

MAX_ACCOUNTS = 8  # accounts that are kept of one source


class PressureRow(NamedTuple):
    key: str
    failures: int
    successes: int


_ADD = Statement(
    text(
        "INSERT INTO mfa_pressure (key, failures, successes, ends_at) VALUES (:key, :failures, :successes, :ends_at) "
        "ON CONFLICT (key) DO UPDATE SET failures = mfa_pressure.failures + excluded.failures, "
        "successes = mfa_pressure.successes + excluded.successes"
    )
)
_JOIN = text(
    "INSERT INTO mfa_fan_in (source, account, ends_at) VALUES (:source, :account, :ends_at) "
    "ON CONFLICT (source, account) DO UPDATE SET ends_at = excluded.ends_at"
)
_FIRST = Statement(
    text(
        "INSERT INTO mfa_fan_in (source, account, ends_at) VALUES (:source, :account, :ends_at) "
        "ON CONFLICT (source, account) DO NOTHING"
    )
)
_COUNT = select(func.count()).where(fan_in.c.source == bindparam("source"), fan_in.c.ends_at > bindparam("now"))


def add(tx: Transaction, keys: Iterable[str], failures: int, successes: int, ends_at: float) -> None:
    """Count tries, without reading what is there: no two wait for each other longer than it takes to write."""
    for key in sorted(keys):
        _ADD.run(tx, {"key": key, "failures": failures, "successes": successes, "ends_at": ends_at})


def read(tx: Transaction, keys: Sequence[str]) -> dict[str, PressureRow]:
    columns = (pressure.c[name] for name in PressureRow._fields)
    rows = tx.execute(select(*columns).where(pressure.c.key.in_(keys)))
    return {row[0]: PressureRow(*row) for row in rows}


def accounts_of(tx: Transaction, source: str, now: float) -> int:
    """How many accounts a source that is new to them has had a right password of."""
    found: int = tx.execute(_COUNT, {"source": source, "now": now}).scalar_one()
    return found


def join(tx: Transaction, source: str, account: str, now: float, ends_at: float) -> int:
    """Note that a source has had a right password of an account; of how many by now."""
    if accounts_of(tx, source, now) < MAX_ACCOUNTS:
        tx.execute(_JOIN, {"source": source, "account": account, "ends_at": ends_at})
    return accounts_of(tx, source, now)


def is_first(tx: Transaction, tally: str, account: str, ends_at: float) -> bool:
    """Whether this is the first success of an account in a tally: true once, of any number at the same time."""
    return _FIRST.changes_one(tx, {"source": tally, "account": account, "ends_at": ends_at})


def remove_ended(tx: Transaction, now: float) -> int:
    """Clear away what counts no more."""
    ended = tx.execute(delete(pressure).where(pressure.c.ends_at <= now)).rowcount
    return ended + tx.execute(delete(fan_in).where(fan_in.c.ends_at <= now)).rowcount
