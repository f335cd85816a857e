"""Rows of `mfa_devices`: browsers that have signed in before, each a series of tokens that is rotated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import and_, bindparam, delete, func, insert, literal_column, or_, select, update

from .engine import Transaction
from .schema import devices, sessions
from .statement import Statement

MAX_DEVICES: Final = 20  # of one account; what has been away longest goes first


class DeviceRow(NamedTuple):
    series: str
    account_id: str
    name_hash: str | None
    token_hash: str
    previous_hash: str | None
    ends_at: float


# what was typed at the login is kept with the session that it opened
_typed = select(sessions.c.name_hash).where(sessions.c.sign_in == bindparam("the_sign_in")).scalar_subquery()
_ROTATE = Statement(
    update(devices)
    .where(
        devices.c.series == bindparam("the_series"),
        devices.c.account_id == bindparam("account"),
        devices.c.ends_at > bindparam("now"),
        or_(
            devices.c.token_hash == bindparam("presented"),
            # presented once more: it has its successor already, and keeps it
            and_(devices.c.previous_hash == bindparam("presented"), devices.c.token_hash == bindparam("new")),
        ),
    )
    .values(
        token_hash=bindparam("new"),
        previous_hash=bindparam("presented"),
        last_used_at=bindparam("now"),
        name_hash=func.coalesce(_typed, devices.c.name_hash),
    )
)
_ADD = Statement(
    insert(devices)
    .values(
        series=bindparam("the_series"),
        account_id=bindparam("account"),
        name_hash=_typed,
        token_hash=bindparam("new"),
        created_at=bindparam("now"),
        last_used_at=bindparam("now"),
        ends_at=bindparam("until"),
    )
    .inline()
)
_away_longest = (
    select(devices.c.series)
    .where(devices.c.account_id == bindparam("account"))
    .order_by(devices.c.last_used_at.desc(), devices.c.series)
    .limit(literal_column(str(MAX_DEVICES)))  # one is too many at a time
    .offset(literal_column(str(MAX_DEVICES)))
)
_PRUNE = Statement(delete(devices).where(devices.c.series.in_(_away_longest.scalar_subquery())))


def add(
    tx: Transaction, series: str, account_id: str, token_hash: str, sign_in: str, now: float, ends_at: float
) -> None:
    """Remember a browser; of more than `MOST` the account forgets those that were away longest."""
    values = {
        "the_series": series,
        "account": account_id,
        "new": token_hash,
        "the_sign_in": sign_in,
        "now": now,
        "until": ends_at,
    }
    _ADD.run(tx, values)
    _PRUNE.run(tx, values)


def rotate(tx: Transaction, series: str, account_id: str, presented: str, new: str, sign_in: str, now: float) -> bool:
    """Put a new token in the place of the one that was presented, which stays good until the new one is seen.

    For the one before the newest it is done already, and true where `new` is what it was replaced by.
    """
    values = {
        "the_series": series,
        "account": account_id,
        "presented": presented,
        "new": new,
        "the_sign_in": sign_in,
        "now": now,
    }
    return _ROTATE.changes_one(tx, values)


def seen(tx: Transaction, series: str, token_hash: str) -> None:
    """The newest token has come back: the one before it is worth nothing any more."""
    statement = update(devices).where(devices.c.series == series, devices.c.token_hash == token_hash)
    tx.execute(statement.values(previous_hash=None))


def remove_replayed(tx: Transaction, series: str, token_hash: str) -> bool:
    """Forget a series of which a token was presented that is neither its newest nor the one before; true once."""
    statement = delete(devices).where(
        devices.c.series == series,
        devices.c.token_hash != token_hash,
        or_(devices.c.previous_hash.is_(None), devices.c.previous_hash != token_hash),
    )
    return tx.execute(statement).rowcount == 1


def remove_account(
    tx: Transaction,
    account_id: str,
    *,
    but: str | None = None,
    only: Sequence[str] | None = None,
    since: float | None = None,
) -> int:
    """Forget the browsers of an account, all or of these series; how many.

    Args:
        tx, account_id: whose.
        but: the one that stays.
        only: the series that may go.
        since: only those that have been known since then, in seconds since the epoch; older ones stay.
    """
    statement = delete(devices).where(devices.c.account_id == account_id)
    if but is not None:
        statement = statement.where(devices.c.series != but)
    if only is not None:
        statement = statement.where(devices.c.series.in_(only))
    if since is not None:
        statement = statement.where(devices.c.created_at >= since)
    return tx.execute(statement).rowcount


def remove_ended(tx: Transaction, now: float) -> int:
    return tx.execute(delete(devices).where(devices.c.ends_at <= now)).rowcount
