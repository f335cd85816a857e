"""Rows of `mfa_accounts`: what the gate knows of a person besides what the portal says."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select, text, update

from .engine import Transaction
from .schema import accounts
from .statement import Statement


class AccountRow(NamedTuple):
    id: str
    subject: str
    locked_at: float | None
    habits: str | None = None


# the same words in SQLite and PostgreSQL
_ENSURE = text(
    "INSERT INTO mfa_accounts (id, subject, created_at) VALUES (:id, :subject, :now) ON CONFLICT (id) DO NOTHING"
)
_SELECT = select(*(accounts.c[name] for name in AccountRow._fields)).where(accounts.c.id == bindparam("id"))
_LOCK_ROW = Statement(_SELECT.with_for_update())
_LEARN = Statement(update(accounts).where(accounts.c.id == bindparam("account")).values(habits=bindparam("habits")))


def ensure(tx: Transaction, account_id: str, now: float) -> None:
    """Make the row of an account that the gate meets for the first time."""
    tx.execute(_ENSURE, {"id": account_id, "subject": secrets.token_hex(16), "now": now})


def find(tx: Transaction, account_id: str) -> AccountRow | None:
    row = tx.execute(_SELECT, {"id": account_id}).first()
    return AccountRow(*row) if row else None


def every(tx: Transaction) -> list[AccountRow]:
    """All accounts that the gate has met."""
    statement = select(accounts.c.id, accounts.c.subject, accounts.c.locked_at).order_by(accounts.c.id)
    return [AccountRow(*row) for row in tx.execute(statement)]


def of_subject(tx: Transaction, subject: str) -> str | None:
    """The id of the account that has this random name."""
    found: str | None = tx.execute(select(accounts.c.id).where(accounts.c.subject == subject)).scalar()
    return found


def freeze(tx: Transaction, account_id: str, until: float | None) -> None:
    """Let nothing be added to an account until then; None ends that."""
    tx.execute(update(accounts).where(accounts.c.id == account_id).values(frozen_until=until))


def frozen_until(tx: Transaction, account_id: str) -> float | None:
    until: float | None = tx.execute(select(accounts.c.frozen_until).where(accounts.c.id == account_id)).scalar()
    return until


def lock_row(tx: Transaction, account_id: str) -> AccountRow | None:
    """The row, locked until the transaction ends: what changes an account's rights goes through here first."""
    row = _LOCK_ROW.run(tx, {"id": account_id}).fetchone()
    return AccountRow(*row) if row else None


def learn(tx: Transaction, account_id: str, habits: str) -> None:
    """Keep what is usual at an account; the row is held."""
    _LEARN.run(tx, {"account": account_id, "habits": habits})


def lock(tx: Transaction, account_id: str, now: float, reason: str) -> None:
    tx.execute(update(accounts).where(accounts.c.id == account_id).values(locked_at=now, lock_reason=reason))


def unlock(tx: Transaction, account_id: str) -> bool:
    statement = (
        update(accounts)
        .where(accounts.c.id == account_id, accounts.c.locked_at.is_not(None))
        .values(locked_at=None, lock_reason=None)
    )
    return tx.execute(statement).rowcount == 1


def remove(tx: Transaction, account_id: str) -> bool:
    """Delete the account and, by the foreign keys, all that hangs on it."""
    return tx.execute(delete(accounts).where(accounts.c.id == account_id)).rowcount == 1


def user_handle(tx: Transaction, account_id: str) -> str:
    """The account's random WebAuthn user handle, the same for all its credentials; the row is held."""
    found: str | None = tx.execute(select(accounts.c.user_handle).where(accounts.c.id == account_id)).scalar_one()
    if found is None:
        found = secrets.token_urlsafe(32)
        tx.execute(update(accounts).where(accounts.c.id == account_id).values(user_handle=found))
    return found
