"""Rows of `mfa_webauthn_credentials`, and the challenges that wait for an answer."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from sqlalchemy import and_, bindparam, delete, insert, select, text, update

from .engine import Transaction
from .schema import accounts, authenticators, challenges, webauthn_credentials
from .statement import Statement

OPEN_CHALLENGES: Final = 8  # of one sign-in


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
    discoverable: bool | None


class NamedRow(NamedTuple):
    """An account, and the credential of its own that an answer names, if it has that."""

    subject: str
    user_handle: str | None
    credential: CredentialRow | None


class ChallengeRow(NamedTuple):
    challenge: str
    account_id: str
    sign_in: str
    purpose: str
    ends_at: float


_COLUMNS = tuple(webauthn_credentials.c[name] for name in CredentialRow._fields)
_ALL = (
    select(*_COLUMNS, accounts.c.subject)
    .select_from(webauthn_credentials.join(accounts, webauthn_credentials.c.account_id == accounts.c.id))
    .order_by(webauthn_credentials.c.authenticator_id)
)
_OF_ACCOUNT = select(*_COLUMNS).where(webauthn_credentials.c.account_id == bindparam("account"))
_NAMED = Statement(
    select(accounts.c.subject, accounts.c.user_handle, *_COLUMNS)
    .select_from(
        accounts.outerjoin(
            webauthn_credentials,
            and_(
                webauthn_credentials.c.account_id == accounts.c.id,
                webauthn_credentials.c.credential_id == bindparam("credential"),
            ),
        )
    )
    .where(accounts.c.id == bindparam("account"))
)
# the same words in SQLite and PostgreSQL
_ADD = text(
    f"INSERT INTO mfa_webauthn_credentials ({', '.join(CredentialRow._fields)}) "  # noqa: S608  (names alone)
    f"VALUES (:{', :'.join(CredentialRow._fields)}) ON CONFLICT (credential_id) DO NOTHING"
)
_TAKE = Statement(
    delete(challenges).where(
        challenges.c.challenge == bindparam("the_challenge"),
        challenges.c.account_id == bindparam("account"),
        challenges.c.sign_in == bindparam("the_sign_in"),
        challenges.c.purpose == bindparam("the_purpose"),
        challenges.c.ends_at > bindparam("now"),
    )
)
_USE = (
    update(webauthn_credentials)
    .where(webauthn_credentials.c.authenticator_id == bindparam("id"))
    .values(
        backed_up=bindparam("now_backed_up"),
        uv_initialised=bindparam("now_verified"),
        last_used_at=bindparam("now"),
    )
)
_USED = Statement(_USE)
_COUNTED = Statement(
    _USE.where(webauthn_credentials.c.sign_count < bindparam("count")).values(sign_count=bindparam("count"))
)


def of_account(tx: Transaction, account_id: str) -> list[CredentialRow]:
    return [CredentialRow(*row) for row in tx.execute(_OF_ACCOUNT, {"account": account_id})]


def every(tx: Transaction, *, for_update: bool = False) -> list[tuple[CredentialRow, str]]:
    """Every credential with its account's subject; with `hold`, none of them changes until the transaction ends."""
    rows = tx.execute(_ALL.with_for_update(of=webauthn_credentials) if for_update else _ALL)
    return [(CredentialRow(*row[:-1]), row[-1]) for row in rows]


def rebind(tx: Transaction, authenticator_id: str, binding: str) -> None:
    """Put the same binding back under another key; the row is held."""
    statement = update(webauthn_credentials).where(webauthn_credentials.c.authenticator_id == authenticator_id)
    tx.execute(statement.values(binding=binding))


def named(tx: Transaction, account_id: str, credential_id: str) -> NamedRow | None:
    """A credential by account and id, never by the id alone, which the answer does not sign; None: no such account."""
    row = _NAMED.run(tx, {"account": account_id, "credential": credential_id}).fetchone()
    if row is None:
        return None
    subject, user_handle, *credential = row
    return NamedRow(subject, user_handle, CredentialRow(*credential) if credential[0] is not None else None)


def add(tx: Transaction, row: CredentialRow, amr: str, label: str, now: float) -> bool:
    """Add a credential; False where any account has one of this id already, and then nothing may be kept."""
    tx.execute(
        insert(authenticators),
        {
            "id": row.authenticator_id,
            "account_id": row.account_id,
            "method": amr,
            "label": label,
            "created_at": now,
        },
    )
    return tx.execute(_ADD, row._asdict()).rowcount == 1


def used(
    tx: Transaction, authenticator_id: str, sign_count: int, backed_up: bool, uv_initialised: bool, now: float
) -> Literal["rose", "stayed", "gone"]:
    """Note a use: whether the counter rose, which never falls, whatever order parallel answers come in."""
    values = {"id": authenticator_id, "now_backed_up": backed_up, "now_verified": uv_initialised, "now": now}
    if sign_count > 0 and _COUNTED.changes_one(tx, {**values, "count": sign_count}):
        return "rose"
    return "stayed" if _USED.changes_one(tx, values) else "gone"


def ask(tx: Transaction, row: ChallengeRow, now: float) -> None:
    """Keep a challenge; of what the same sign-in asked before, the last few stay open, for its other tabs."""
    own = select(challenges.c.challenge).where(challenges.c.sign_in == row.sign_in, challenges.c.ends_at > now)
    kept = own.order_by(challenges.c.ends_at.desc()).limit(OPEN_CHALLENGES - 1).scalar_subquery()
    tx.execute(delete(challenges).where(challenges.c.sign_in == row.sign_in, challenges.c.challenge.not_in(kept)))
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
    return _TAKE.changes_one(tx, values)


def abandon_challenges(tx: Transaction, sign_in: str) -> None:
    tx.execute(delete(challenges).where(challenges.c.sign_in == sign_in))


def remove_ended_challenges(tx: Transaction, now: float) -> int:
    return tx.execute(delete(challenges).where(challenges.c.ends_at <= now)).rowcount
