"""Rows of `mfa_outbox`: what owners are told, and how far it has got."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Literal, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Double,
    String,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from .engine import Transaction
from .schema import accounts, events, outbox
from .statement import Statement

Channel = Literal["mail", "hook"]


class NoticeRow(NamedTuple):
    id: int
    subject: str
    sign_in: str | None
    kind: str
    at: float
    data: str


class Claimed(NamedTuple):
    """A notice that is this sender's to send, whose it is, and how often that failed."""

    notice: NoticeRow
    account_id: str
    tries: int


_COLUMNS = tuple(outbox.c[name] for name in NoticeRow._fields)
# of an account that is being forgotten nothing is kept, and nothing fails
_there = select(accounts.c.subject).where(accounts.c.subject == bindparam("of_subject"))
_whose = _there.with_for_update(read=True, key_share=True)
_INSERT = Statement(
    insert(outbox)
    .from_select(
        ["subject", "sign_in", "kind", "at", "data", "mail_due", "hook_due"],
        _whose.add_columns(
            *(bindparam(name, type_=String) for name in ("the_sign_in", "what")),
            bindparam("now", type_=Double),
            bindparam("with_data", type_=String),
            *(bindparam(name, type_=Double) for name in ("due", "due")),
        ),
    )
    .inline()
)
# what failed or was asked for, and was then proven in the same sign-in (by a code of a letter where nothing else is
# enrolled yet), was the owner's own slip
_slip = and_(
    outbox.c.kind.in_([literal_column("'failed_second_factor'"), literal_column("'session_moved'")]),
    exists().where(
        events.c.subject == outbox.c.subject,
        events.c.sign_in == outbox.c.sign_in,
        events.c.kind.in_([literal_column("'second_factor'"), literal_column("'activation_redeemed'")]),
        events.c.outcome == literal_column("'success'"),
        events.c.at >= outbox.c.at,
    ),
)
_unseen = (
    outbox.c.shown_at.is_(None),
    or_(outbox.c.sign_in.is_(None), outbox.c.sign_in != bindparam("this")),
    ~_slip,
)
_WAITS = Statement(select(exists().where(outbox.c.subject == bindparam("of_subject"), *_unseen)))
_UNSHOWN = (
    select(*_COLUMNS)
    .join(accounts, accounts.c.subject == outbox.c.subject)
    .where(accounts.c.id == bindparam("account"), *_unseen)
    .order_by(outbox.c.at.desc(), outbox.c.id.desc())
    .limit(bindparam("most"))
)


def add(tx: Transaction, subject: str, sign_in: str | None, kind: str, now: float, data: str, due: float) -> None:
    values = {"of_subject": subject, "the_sign_in": sign_in, "what": kind, "now": now, "with_data": data, "due": due}
    _INSERT.run(tx, values)


def waits(tx: Transaction, subject: str, this_sign_in: str) -> bool:
    """Whether an account has something to be shown that another sign-in did, or nobody's."""
    return bool(_WAITS.run(tx, {"of_subject": subject, "this": this_sign_in}).fetchone()[0])


def unshown(tx: Transaction, account_id: str, this_sign_in: str, most: int) -> list[NoticeRow]:
    """What an account has not been shown yet, the newest first; nothing of the sign-in that asks."""
    rows = tx.execute(_UNSHOWN, {"account": account_id, "this": this_sign_in, "most": most})
    return [NoticeRow(*row) for row in rows]


def show(tx: Transaction, account_id: str, up_to: int, now: float) -> int:
    """Note that an account has been shown its notices up to this one."""
    subject = select(accounts.c.subject).where(accounts.c.id == account_id).scalar_subquery()
    statement = update(outbox).where(outbox.c.subject == subject, outbox.c.id <= up_to, outbox.c.shown_at.is_(None))
    return tx.execute(statement.values(shown_at=now)).rowcount


def drop_slips(tx: Transaction, now: float) -> None:
    """What turned out to be an owner's own slip is not sent."""
    due = or_(outbox.c.mail_due <= now, outbox.c.hook_due <= now)
    tx.execute(update(outbox).where(due, _slip).values(mail_due=None, hook_due=None, shown_at=now))


def claim(tx: Transaction, channel: Channel, now: float, until: float, most: int) -> list[Claimed]:
    """Take notices that are due, so that no other sender has them until then.

    Args:
        tx: committed before anything is sent.
        channel: by which way.
        now, until: seconds since the epoch; a sender that died leaves them to the next one from then on.
        most: of how many accounts; of each all that are due, so that many of them become one mail.
    """
    mine, due = secrets.token_hex(16), outbox.c[f"{channel}_due"]
    free = and_(due <= now, or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until <= now))
    subjects = select(outbox.c.subject).where(free).group_by(outbox.c.subject).limit(most)
    tx.execute(update(outbox).where(free, outbox.c.subject.in_(subjects)).values(claim=mine, claimed_until=until))
    tries = outbox.c[f"{channel}_tries"]
    statement = (
        select(*_COLUMNS, accounts.c.id, tries)
        .join(accounts, accounts.c.subject == outbox.c.subject)
        .where(outbox.c.claim == mine)
        .order_by(outbox.c.id)
    )
    return [Claimed(NoticeRow(*row[:-2]), row[-2], row[-1]) for row in tx.execute(statement)]


def last_mailed(tx: Transaction, subject: str) -> dict[str, float]:
    """When an account was last mailed about each kind."""
    statement = (
        select(outbox.c.kind, func.max(outbox.c.mailed_at))
        .where(outbox.c.subject == subject, outbox.c.mailed_at.is_not(None))
        .group_by(outbox.c.kind)
    )
    return {row[0]: row[1] for row in tx.execute(statement)}


def sent(tx: Transaction, channel: Channel, ids: Sequence[int], now: float) -> None:
    """Nothing more is to be sent of these by this way."""
    done = {f"{channel}_due": None, **({"mailed_at": now} if channel == "mail" else {})}
    tx.execute(update(outbox).where(_these(ids)).values(claim=None, claimed_until=None, **done))


def given_up(tx: Transaction, channel: Channel, ids: Sequence[int]) -> None:
    """They cannot be sent by this way at all."""
    tx.execute(update(outbox).where(_these(ids)).values(claim=None, claimed_until=None, **{f"{channel}_due": None}))


def postponed(tx: Transaction, channel: Channel, ids: Sequence[int], due: float, *, failed: bool) -> None:
    """They are to be sent later."""
    tries = outbox.c[f"{channel}_tries"]
    values = {f"{channel}_due": due, f"{channel}_tries": tries + 1 if failed else tries}
    tx.execute(update(outbox).where(_these(ids)).values(claim=None, claimed_until=None, **values))


def remove_old(tx: Transaction, before: float) -> int:
    """Clear away what is old and sent, shown or not; or waits for a way of sending that the portal does not have."""
    ways = ((outbox.c.mail_due, outbox.c.mail_tries), (outbox.c.hook_due, outbox.c.hook_tries))
    done = (or_(due.is_(None), and_(tries == 0, due <= before)) for due, tries in ways)
    return tx.execute(delete(outbox).where(outbox.c.at <= before, *done)).rowcount


def remove_account(tx: Transaction, account_id: str) -> None:
    """Take back what an account would be told."""
    subject = select(accounts.c.subject).where(accounts.c.id == account_id).scalar_subquery()
    tx.execute(delete(outbox).where(outbox.c.subject == subject))


def _these(ids: Sequence[int]) -> ColumnElement[bool]:
    return outbox.c.id.in_(ids)
