"""Rows of `mfa_authenticators` with what each method keeps, and enrolments that are begun and not completed."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, delete, exists, func, insert, literal_column, select, union_all, update

from ..factors.registry import RECOVERY_AMR
from .engine import Transaction
from .schema import accounts, authenticators, enrolments, recovery_codes, totp_seeds, webauthn_credentials
from .statement import Statement


class TOTPRow(NamedTuple):
    id: str
    account_id: str
    subject: str
    label: str
    seed: str
    last_step: int
    spent: str
    algorithm: str = "sha1"
    digits: int = 6
    period: int = 30
    renew: bool = False
    drift: int | None = None


class AuthenticatorRow(NamedTuple):
    id: str
    method: str
    label: str
    created_at: float
    last_used_at: float | None
    renew: bool | None


class EnrolmentRow(NamedTuple):
    id: str
    account_id: str
    sign_in: str
    method: str
    state: str
    ends_at: float


# one statement: every step of a sign-in asks it
_AMR = Statement(
    union_all(
        select(authenticators.c.method).distinct().where(authenticators.c.account_id == bindparam("account")),
        select(literal_column(f"'{RECOVERY_AMR}'")).where(
            exists().where(recovery_codes.c.account_id == bindparam("account")),
            exists().where(authenticators.c.account_id == bindparam("account")),
        ),
    )
)
_TOTP = select(
    authenticators.c.id,
    authenticators.c.account_id,
    accounts.c.subject,
    authenticators.c.label,
    totp_seeds.c.seed,
    totp_seeds.c.last_step,
    totp_seeds.c.spent,
    totp_seeds.c.algorithm,
    totp_seeds.c.digits,
    totp_seeds.c.period,
    totp_seeds.c.renew,
    totp_seeds.c.drift,
).select_from(authenticators.join(totp_seeds).join(accounts))
_TOTP_OF_ACCOUNT = Statement(
    _TOTP.where(authenticators.c.account_id == bindparam("account")).order_by(authenticators.c.id)
)
_SPEND = Statement(
    update(totp_seeds)
    .where(totp_seeds.c.authenticator_id == bindparam("id"), totp_seeds.c.last_step < bindparam("step"))
    .values(last_step=bindparam("step"), spent=bindparam("new_spent"), drift=bindparam("new_drift"))
)


_OF_SEED = ("seed", "last_step", "spent", "algorithm", "digits", "period", "renew", "drift")


def amr(tx: Transaction, account_id: str) -> frozenset[str]:
    """How an account can prove itself (RFC 8176): by recovery codes only while it has an authenticator too."""
    return frozenset(one for (one,) in _AMR.run(tx, {"account": account_id}))


def amr_of_all(tx: Transaction) -> dict[str, frozenset[str]]:
    """The same of every account that has an authenticator."""
    found: dict[str, set[str]] = {}
    for account_id, one in tx.execute(select(authenticators.c.account_id, authenticators.c.method).distinct()):
        found.setdefault(account_id, set()).add(one)
    return {account_id: frozenset(own) for account_id, own in found.items()}


def to_renew(tx: Transaction) -> set[str]:
    """The accounts that have a seed to be renewed."""
    statement = select(authenticators.c.account_id).join(totp_seeds).where(totp_seeds.c.renew)
    return set(tx.execute(statement).scalars())


def totp_of_account(tx: Transaction, account_id: str) -> list[TOTPRow]:
    return [TOTPRow(*row) for row in _TOTP_OF_ACCOUNT.run(tx, {"account": account_id})]


def all_totp(tx: Transaction, *, for_update: bool = False) -> list[TOTPRow]:
    """Every seed; with `for_update`, none of them can be used until the transaction ends."""
    statement = _TOTP.order_by(authenticators.c.id)
    return [TOTPRow(*row) for row in tx.execute(statement.with_for_update(of=totp_seeds) if for_update else statement)]


def spend_step(tx: Transaction, authenticator_id: str, step: int, spent: str, drift: int | None) -> bool:
    """Spend a time step: true for exactly one of any number of parallel uses, and never for an older step."""
    return _SPEND.changes_one(tx, {"id": authenticator_id, "step": step, "new_spent": spent, "new_drift": drift})


def add_totp(tx: Transaction, row: TOTPRow, now: float) -> None:
    tx.execute(
        insert(authenticators),
        {"id": row.id, "account_id": row.account_id, "method": "otp", "label": row.label, "created_at": now},
    )
    tx.execute(
        insert(totp_seeds),
        {"authenticator_id": row.id, **{name: getattr(row, name) for name in _OF_SEED}},
    )


def reseal(tx: Transaction, authenticator_id: str, seed: str, spent: str) -> None:
    """Put the same seed back under another key; the row is held."""
    statement = update(totp_seeds).where(totp_seeds.c.authenticator_id == authenticator_id)
    tx.execute(statement.values(seed=seed, spent=spent))


def of_account(tx: Transaction, account_id: str) -> list[AuthenticatorRow]:
    """The authenticators of an account, oldest first; an app's last use is the time of its last spent step."""
    last_used = func.coalesce(webauthn_credentials.c.last_used_at, totp_seeds.c.last_step * totp_seeds.c.period)
    statement = (
        select(
            *(authenticators.c[name] for name in AuthenticatorRow._fields[:4]),
            last_used.label("last_used_at"),
            totp_seeds.c.renew,
        )
        .select_from(authenticators.outerjoin(totp_seeds).outerjoin(webauthn_credentials))
        .where(authenticators.c.account_id == account_id)
        .order_by(authenticators.c.created_at, authenticators.c.id)
    )
    return [AuthenticatorRow._make(row) for row in tx.execute(statement)]


def rename(tx: Transaction, account_id: str, authenticator_id: str, label: str) -> bool:
    statement = update(authenticators).where(
        authenticators.c.account_id == account_id, authenticators.c.id == authenticator_id
    )
    return tx.execute(statement.values(label=label)).rowcount == 1


def remove(tx: Transaction, account_id: str, authenticator_id: str) -> bool:
    statement = delete(authenticators).where(
        authenticators.c.account_id == account_id, authenticators.c.id == authenticator_id
    )
    return tx.execute(statement).rowcount == 1


def remove_account(tx: Transaction, account_id: str) -> int:
    """Remove all authenticators of an account, and what was begun; how many there were."""
    tx.execute(delete(enrolments).where(enrolments.c.account_id == account_id))
    return tx.execute(delete(authenticators).where(authenticators.c.account_id == account_id)).rowcount


def begin_enrolment(tx: Transaction, row: EnrolmentRow) -> None:
    """Keep a begun enrolment in place of an earlier one of the same sign-in; nothing active is touched."""
    abandon_enrolments(tx, row.sign_in)
    tx.execute(insert(enrolments), row._asdict())


def find_enrolment(tx: Transaction, enrolment_id: str, sign_in: str, now: float) -> EnrolmentRow | None:
    statement = select(enrolments).where(
        enrolments.c.id == enrolment_id, enrolments.c.sign_in == sign_in, enrolments.c.ends_at > now
    )
    row = tx.execute(statement).first()
    return EnrolmentRow(*row) if row else None


def take_enrolment(tx: Transaction, enrolment_id: str, sign_in: str, now: float) -> bool:
    """Take a begun enrolment out: true for exactly one of any number of parallel completions."""
    statement = delete(enrolments).where(
        enrolments.c.id == enrolment_id, enrolments.c.sign_in == sign_in, enrolments.c.ends_at > now
    )
    return tx.execute(statement).rowcount == 1


def abandon_enrolments(tx: Transaction, sign_in: str) -> None:
    tx.execute(delete(enrolments).where(enrolments.c.sign_in == sign_in))


def enrolment_key_ids(tx: Transaction, now: float) -> set[str]:
    """The keys that begun enrolments are sealed with."""
    begun = select(enrolments.c.state).where(enrolments.c.ends_at > now)
    return {state.partition(".")[0] for state in tx.execute(begun).scalars()}


def remove_ended_enrolments(tx: Transaction, now: float) -> int:
    return tx.execute(delete(enrolments).where(enrolments.c.ends_at <= now)).rowcount
