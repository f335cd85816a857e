"""Rows of `mfa_alerts`: what the help desk has not dealt with yet, one of each kind and account."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import delete, func, select, text, update

from ..durations import DAY
from .engine import Transaction
from .schema import accounts, alerts

AGAIN = DAY  # seconds after which what goes on is told once more


class AlertRow(NamedTuple):
    id: int
    subject: str
    kind: str
    first_at: float
    last_at: float
    times: int
    data: str


_COLUMNS = tuple(alerts.c[name] for name in AlertRow._fields)
# whoever raises one holds the account's row, so that it is not forgotten meanwhile
_RAISE = text(
    "INSERT INTO mfa_alerts (subject, kind, first_at, last_at, times, data) "
    "SELECT subject, :kind, :now, :now, 1, :data FROM mfa_accounts WHERE subject = :subject "
    "ON CONFLICT (subject, kind) DO UPDATE SET last_at = excluded.last_at, data = excluded.data, "
    "times = mfa_alerts.times + 1, "
    "told_at = CASE WHEN mfa_alerts.told_at < :again THEN NULL ELSE mfa_alerts.told_at END"
)


def add(tx: Transaction, subject: str, kind: str, now: float, data: str) -> None:
    """Raise an alert, or count it once more: a thousand of the same are one."""
    tx.execute(_RAISE, {"subject": subject, "kind": kind, "now": now, "data": data, "again": now - AGAIN})


def of_subject(tx: Transaction, subject: str) -> list[AlertRow]:
    """The open alerts of an account, the latest first."""
    statement = select(*_COLUMNS).where(alerts.c.subject == subject).order_by(alerts.c.last_at.desc())
    return [AlertRow(*row) for row in tx.execute(statement)]


def opened(tx: Transaction, most: int) -> list[tuple[AlertRow, str]]:
    """The open alerts and the ids of their accounts, the latest first."""
    statement = select(*_COLUMNS, accounts.c.id).join(accounts, accounts.c.subject == alerts.c.subject)
    rows = tx.execute(statement.order_by(alerts.c.last_at.desc(), alerts.c.id).limit(most))
    return [(AlertRow(*row[:-1]), row[-1]) for row in rows]


def close(tx: Transaction, subject: str, seen: float) -> int:
    """Close those of an account that have not happened again since they were seen; how many."""
    return tx.execute(delete(alerts).where(alerts.c.subject == subject, alerts.c.last_at <= seen)).rowcount


def not_mailed(tx: Transaction, most: int) -> list[AlertRow]:
    """Those that the desk was not written to about."""
    rows = tx.execute(select(*_COLUMNS).where(alerts.c.told_at.is_(None)).order_by(alerts.c.id).limit(most))
    return [AlertRow(*row) for row in rows]


def last_mailed(tx: Transaction) -> float | None:
    """When the desk was written to last."""
    found: float | None = tx.execute(select(func.max(alerts.c.told_at))).scalar()
    return found


def mark_mailed(tx: Transaction, ids: list[int], now: float) -> None:
    tx.execute(update(alerts).where(alerts.c.id.in_(ids)).values(told_at=now))


def remove_old(tx: Transaction, before: float) -> int:
    """Clear away what nobody has dealt with and has not happened again."""
    return tx.execute(delete(alerts).where(alerts.c.last_at <= before)).rowcount
