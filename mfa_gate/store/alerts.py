"""Rows of `mfa_alerts`: what the help desk has not dealt with yet, one of each kind and account."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import case, delete, func, select, text, update

from ..durations import DAY
from .engine import Transaction
from .schema import accounts, alerts

FOREMOST = 20  # alerts of each kind that stand on the first page
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


def opened(tx: Transaction, most: int | None = None, after: int = 0) -> list[tuple[AlertRow, str]]:
    """The open alerts and the ids of their accounts, the latest first.

    Where there are more than one page, the first one begins with the latest of each kind: no number of cheap ones
    leaves out another.

    Args:
        most: how many; None for all.
        after: how many to leave out, on pages before this one.
    """
    alike = func.row_number().over(partition_by=alerts.c.kind, order_by=(alerts.c.last_at.desc(), alerts.c.id))
    foremost = case((alike <= FOREMOST, 0), else_=1)
    ranked = select(*_COLUMNS, foremost.label("place")).subquery()
    statement = (
        select(*(ranked.c[name] for name in AlertRow._fields), accounts.c.id)
        .join(accounts, accounts.c.subject == ranked.c.subject)
        .order_by(ranked.c.place, ranked.c.last_at.desc(), ranked.c.id)
    )
    if most is not None:
        statement = statement.limit(most).offset(after)
    return [(AlertRow(*row[:-1]), row[-1]) for row in tx.execute(statement)]


def count(tx: Transaction) -> int:
    """How many are open."""
    number: int = tx.execute(select(func.count()).select_from(alerts)).scalar_one()
    return number


def close(tx: Transaction, subject: str, seen: float) -> int:
    """Close those of an account that have not happened again since they were seen; how many."""
    return tx.execute(delete(alerts).where(alerts.c.subject == subject, alerts.c.last_at <= seen)).rowcount


class Digest(NamedTuple):
    """What the desk was not written to about.

    Attributes:
        kinds: how many alerts of each kind.
        accounts: of how many accounts.
        last_id, last_at: of the latest of them.
    """

    kinds: dict[str, int]
    accounts: int
    last_id: int
    last_at: float


def not_mailed(tx: Transaction) -> Digest | None:
    """All that the desk was not written to about, counted; None for nothing."""
    statement = select(alerts.c.kind, func.count(), func.max(alerts.c.id), func.max(alerts.c.last_at))
    rows = list(tx.execute(statement.where(alerts.c.told_at.is_(None)).group_by(alerts.c.kind).order_by(alerts.c.kind)))
    if not rows:
        return None
    people = select(func.count(alerts.c.subject.distinct())).where(alerts.c.told_at.is_(None))
    kinds = {kind: number for kind, number, _, _ in rows}
    return Digest(kinds, tx.execute(people).scalar_one(), max(row[2] for row in rows), max(row[3] for row in rows))


def last_mailed(tx: Transaction) -> float | None:
    """When the desk was written to last."""
    found: float | None = tx.execute(select(func.max(alerts.c.told_at))).scalar()
    return found


def mark_mailed(tx: Transaction, told: Digest, now: float) -> None:
    """Note that the desk was written to; what has come or happened again meanwhile is for the next mail."""
    known = (alerts.c.told_at.is_(None), alerts.c.id <= told.last_id, alerts.c.last_at <= told.last_at)
    tx.execute(update(alerts).where(*known).values(told_at=now))


def remove_old(tx: Transaction, before: float) -> int:
    """Clear away what nobody has dealt with and has not happened again."""
    return tx.execute(delete(alerts).where(alerts.c.last_at <= before)).rowcount
