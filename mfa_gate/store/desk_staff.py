"""Rows of the help desk: who works there, what waits for a second person, and that it was begun."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete, insert, select, text, update

from .engine import Transaction
from .schema import desk_requests, desk_staff

_BEGUN = "desk"
# the same words in SQLite and PostgreSQL
_BEGIN = text("INSERT INTO mfa_milestones (name, at) VALUES (:name, :now) ON CONFLICT (name) DO NOTHING")
_GRANT = text(
    "INSERT INTO mfa_desk_staff (account_id, role, since, granted_by) VALUES (:account, :role, :now, :by) "
    "ON CONFLICT (account_id) DO UPDATE SET role = excluded.role, since = excluded.since, "
    "granted_by = excluded.granted_by"
)


class StaffRow(NamedTuple):
    account_id: str
    role: int
    since: float


class RequestRow(NamedTuple):
    id: str
    account_id: str
    verb: str
    asked_by: str
    reason: str
    asked_at: float
    ends_at: float
    approved_by: str | None = None
    data: str | None = None


def begin(tx: Transaction, now: float) -> bool:
    """True once in the life of a store, whatever becomes of those who work at the desk."""
    return tx.execute(_BEGIN, {"name": _BEGUN, "now": now}).rowcount == 1


def role_of(tx: Transaction, account_id: str) -> int:
    """The role of an account at the desk; 0 where it has none."""
    return int(tx.execute(select(desk_staff.c.role).where(desk_staff.c.account_id == account_id)).scalar() or 0)


def lock_rows(tx: Transaction, account_ids: Sequence[str]) -> dict[str, int]:
    """The roles of those accounts that have one, which stay until the transaction ends."""
    statement = select(desk_staff.c.account_id, desk_staff.c.role).where(desk_staff.c.account_id.in_(account_ids))
    # in one order, or two who revoke each other wait for each other
    rows = tx.execute(statement.order_by(desk_staff.c.account_id).with_for_update())
    return {row.account_id: row.role for row in rows}


def staff(tx: Transaction) -> list[StaffRow]:
    statement = select(*(desk_staff.c[name] for name in StaffRow._fields))
    return [StaffRow(*row) for row in tx.execute(statement.order_by(desk_staff.c.role.desc(), desk_staff.c.account_id))]


def grant(tx: Transaction, account_id: str, role: int, by: str | None, now: float) -> None:
    tx.execute(_GRANT, {"account": account_id, "role": role, "by": by, "now": now})


def revoke(tx: Transaction, account_id: str) -> bool:
    return tx.execute(delete(desk_staff).where(desk_staff.c.account_id == account_id)).rowcount == 1


def ask(tx: Transaction, row: RequestRow) -> None:
    """Keep a request in the place of an earlier one about the same."""
    same = (desk_requests.c.account_id == row.account_id, desk_requests.c.verb == row.verb)
    tx.execute(delete(desk_requests).where(*same))
    tx.execute(insert(desk_requests), row._asdict())


def requests(tx: Transaction, now: float, account_id: str | None = None) -> list[RequestRow]:
    """What waits, of all accounts or one, the oldest first."""
    statement = select(desk_requests).where(desk_requests.c.ends_at > now).order_by(desk_requests.c.asked_at)
    if account_id is not None:
        statement = statement.where(desk_requests.c.account_id == account_id)
    return [RequestRow(*row) for row in tx.execute(statement)]


def approve(tx: Transaction, request_id: str, by: str, now: float) -> bool:
    """Approve what another person asked for, for a third one: true once."""
    statement = update(desk_requests).where(
        desk_requests.c.id == request_id,
        desk_requests.c.ends_at > now,
        desk_requests.c.approved_by.is_(None),
        desk_requests.c.asked_by != by,
        desk_requests.c.account_id != by,
    )
    return tx.execute(statement.values(approved_by=by)).rowcount == 1


def take(tx: Transaction, request_id: str, by: str, now: float) -> bool:
    """Use what was approved: true once, for who asked."""
    statement = delete(desk_requests).where(
        desk_requests.c.id == request_id,
        desk_requests.c.ends_at > now,
        desk_requests.c.asked_by == by,
        desk_requests.c.approved_by.is_not(None),
    )
    return tx.execute(statement).rowcount == 1


def drop(tx: Transaction, request_id: str) -> bool:
    return tx.execute(delete(desk_requests).where(desk_requests.c.id == request_id)).rowcount == 1


def drop_of(tx: Transaction, account_id: str) -> None:
    """Nothing that somebody asked for or approved stands once they no longer work at the desk."""
    own = (desk_requests.c.asked_by == account_id) | (desk_requests.c.approved_by == account_id)
    tx.execute(delete(desk_requests).where(own))


def remove_ended(tx: Transaction, now: float) -> int:
    return tx.execute(delete(desk_requests).where(desk_requests.c.ends_at <= now)).rowcount
