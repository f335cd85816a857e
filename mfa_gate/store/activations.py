"""Rows of `mfa_activations`: at most one live code per account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, exists, insert, or_, select, update

from .engine import Transaction
from .schema import activations, sessions


class ActivationRow(NamedTuple):
    id: str
    account_id: str
    code_hash: str
    reason: str
    issued_at: float
    ends_at: float


_BIND = (
    update(activations)
    .where(
        activations.c.account_id == bindparam("account"),
        activations.c.code_hash.in_(bindparam("hashes", expanding=True)),
        activations.c.ends_at > bindparam("now"),
        # free: never bound, bound for long enough, to a session that is no more, or to this one, which has moved
        or_(
            activations.c.bound_to.is_(None),
            activations.c.bound_to == bindparam("sign_in"),
            activations.c.bound_until <= bindparam("now"),
            ~exists().where(
                sessions.c.sign_in == activations.c.bound_to,
                sessions.c.ends_at > bindparam("now"),
                sessions.c.last_seen > bindparam("idle_since"),
            ),
        ),
    )
    .values(bound_to=bindparam("sign_in"), bound_until=bindparam("until"))
)
_BOUND = select(activations.c.id).where(
    activations.c.account_id == bindparam("account"),
    activations.c.bound_to == bindparam("sign_in"),
    activations.c.bound_until > bindparam("now"),
)


def replace(tx: Transaction, row: ActivationRow) -> None:
    """Put a new code in the place of the account's live one."""
    revoke(tx, row.account_id)
    tx.execute(insert(activations), row._asdict())


def revoke(tx: Transaction, account_id: str) -> bool:
    return tx.execute(delete(activations).where(activations.c.account_id == account_id)).rowcount == 1


def bind(
    tx: Transaction, account_id: str, hashes: Sequence[str], sign_in: str, now: float, until: float, idle: float
) -> bool:
    """Bind a code to one sign-in: true for exactly one of any number of parallel redemptions.

    Args:
        until: when the code is free again, unless it was spent.
        idle: seconds after which the session that it was bound to has ended by itself.
    """
    values = {
        "account": account_id,
        "hashes": list(hashes),
        "sign_in": sign_in,
        "now": now,
        "until": until,
        "idle_since": now - idle,
    }
    return tx.execute(_BIND, values).rowcount == 1


def is_bound(tx: Transaction, account_id: str, sign_in: str, now: float) -> bool:
    return tx.execute(_BOUND, {"account": account_id, "sign_in": sign_in, "now": now}).first() is not None


def spend(tx: Transaction, account_id: str, sign_in: str, now: float) -> bool:
    """Spend the code that is bound to this sign-in: true once."""
    statement = delete(activations).where(
        activations.c.account_id == account_id,
        activations.c.bound_to == sign_in,
        activations.c.bound_until > now,
    )
    return tx.execute(statement).rowcount == 1


def release(tx: Transaction, sign_in: str) -> None:
    """Make the code of an abandoned enrolment free again."""
    tx.execute(update(activations).where(activations.c.bound_to == sign_in).values(bound_to=None, bound_until=None))


def open_until(tx: Transaction, account_id: str, now: float) -> float | None:
    """Until when an account's code may be redeemed, if it has one."""
    statement = select(activations.c.ends_at).where(activations.c.account_id == account_id, activations.c.ends_at > now)
    found: float | None = tx.execute(statement).scalar()
    return found


def key_ids(tx: Transaction, now: float) -> set[str]:
    """The keys that live codes are hashed with."""
    live = select(activations.c.code_hash).where(activations.c.ends_at > now)
    return {hashed.partition(".")[0] for hashed in tx.execute(live).scalars()}


def remove_ended(tx: Transaction, now: float) -> int:
    """Clear away codes that can neither be redeemed any more nor finish an enrolment."""
    bound = activations.c.bound_until > now
    statement = delete(activations).where(activations.c.ends_at <= now, or_(activations.c.bound_to.is_(None), ~bound))
    return tx.execute(statement).rowcount


def open_accounts(tx: Transaction, now: float) -> set[str]:
    """The accounts that have a code which may still be redeemed."""
    return set(tx.execute(select(activations.c.account_id).where(activations.c.ends_at > now)).scalars())
