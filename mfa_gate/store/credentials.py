"""Rows of `mfa_webauthn_credentials`, and the challenges that wait for an answer."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, case, delete, insert, select, update

from .engine import Transaction
from .schema import authenticators, challenges, webauthn_credentials


class CredentialRow(NamedTuple):
    authenticator_id: str
    account_id: str
    credential_id: str
    public_key: str
    binding: str
    sign_count: int
    aaguid: str
    rp_id: str
    transports: str
    backup_eligible: bool
    backed_up: bool
    uv_initialised: bool
    attested: bool


class ChallengeRow(NamedTuple):
    challenge: str
    account_id: str
    sign_in: str
    purpose: str
    ends_at: float


_COLUMNS = tuple(webauthn_credentials.c[name] for name in CredentialRow._fields)
_OF_ACCOUNT = select(*_COLUMNS).where(webauthn_credentials.c.account_id == bindparam("account"))
_ONE = _OF_ACCOUNT.where(webauthn_credentials.c.credential_id == bindparam("credential"))
_TAKE = delete(challenges).where(
    challenges.c.challenge == bindparam("the_challenge"),
    challenges.c.account_id == bindparam("account"),
    challenges.c.sign_in == bindparam("the_sign_in"),
    challenges.c.purpose == bindparam("the_purpose"),
    challenges.c.ends_at > bindparam("now"),
)
_USED = (
    update(webauthn_credentials)
    .where(webauthn_credentials.c.authenticator_id == bindparam("id"))
    .values(
        sign_count=case(
            (webauthn_credentials.c.sign_count < bindparam("count"), bindparam("count")),
            else_=webauthn_credentials.c.sign_count,
        ),
        backed_up=bindparam("now_backed_up"),
        last_used_at=bindparam("now"),
    )
)


def of_account(tx: Transaction, account_id: str) -> list[CredentialRow]:
    return [CredentialRow(*row) for row in tx.execute(_OF_ACCOUNT, {"account": account_id})]


def find(tx: Transaction, account_id: str, credential_id: str) -> CredentialRow | None:
    """A credential by account and id: never by the id alone, which the answer does not sign."""
    row = tx.execute(_ONE, {"account": account_id, "credential": credential_id}).first()
    return CredentialRow(*row) if row else None


def is_known(tx: Transaction, credential_id: str) -> bool:
    """Whether any account has this credential."""
    statement = select(webauthn_credentials.c.authenticator_id)
    return tx.execute(statement.where(webauthn_credentials.c.credential_id == credential_id)).first() is not None


def add(tx: Transaction, row: CredentialRow, method: str, label: str, now: float) -> None:
    tx.execute(
        insert(authenticators),
        {
            "id": row.authenticator_id,
            "account_id": row.account_id,
            "method": method,
            "label": label,
            "created_at": now,
        },
    )
    tx.execute(insert(webauthn_credentials), row._asdict())


def used(tx: Transaction, authenticator_id: str, sign_count: int, backed_up: bool, now: float) -> bool:
    """Note a use: the counter never falls, whatever order parallel answers come in. False where it was removed."""
    values = {"id": authenticator_id, "count": sign_count, "now_backed_up": backed_up, "now": now}
    return tx.execute(_USED, values).rowcount == 1


def ask(tx: Transaction, row: ChallengeRow, now: float) -> None:
    """Keep a challenge; what the same sign-in asked before and nobody answered in time goes."""
    tx.execute(delete(challenges).where(challenges.c.sign_in == row.sign_in, challenges.c.ends_at <= now))
    tx.execute(insert(challenges), row._asdict())


def take_challenge(tx: Transaction, row: ChallengeRow, now: float) -> bool:
    """Spend a challenge, before its answer is looked at: true once."""
    values = {
        "the_challenge": row.challenge,
        "account": row.account_id,
        "the_sign_in": row.sign_in,
        "the_purpose": row.purpose,
        "now": now,
    }
    return tx.execute(_TAKE, values).rowcount == 1


def abandon_challenges(tx: Transaction, sign_in: str) -> None:
    tx.execute(delete(challenges).where(challenges.c.sign_in == sign_in))


def remove_ended_challenges(tx: Transaction, now: float) -> int:
    return tx.execute(delete(challenges).where(challenges.c.ends_at <= now)).rowcount
