"""Rows of `mfa_outbox`: what owners are told, and how far it has got."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

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

from ..notices.kinds import ALARMING, OPEN_FOR, PASSWORD_KNOWN, SLIP, SLIPS
from .engine import Transaction
from .schema import accounts, outbox
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


def _is_of(kinds: Iterable[str]) -> ColumnElement[bool]:
    return outbox.c.kind.in_([literal_column(f"'{kind}'") for kind in sorted(kinds)])


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
_since = bindparam("since", type_=Double)
_this = bindparam("this", type_=String)
# shown until it was seen; what is alarming for so long at most, and never to the sign-in that did it
_OPEN = (
    outbox.c.shown_at.is_(None),
    or_(outbox.c.at > _since, ~_is_of(ALARMING)),
    or_(outbox.c.sign_in.is_(None), outbox.c.sign_in != _this),
)
_MAY_BE_SLIPS = (
    outbox.c.shown_at.is_(None),
    _is_of(SLIPS),
    or_(outbox.c.sign_in == _this, outbox.c.at > bindparam("lately", type_=Double)),
)
_of_subject = outbox.c.subject == bindparam("of_subject")
_WAITS = Statement(
    select(exists().where(_of_subject, *_OPEN), exists().where(_of_subject, *_MAY_BE_SLIPS)),
)
_OWN = select(accounts.c.subject).where(accounts.c.id == bindparam("account")).scalar_subquery()
# of each kind the latest, so that no number of one kind leaves out another, and how many there are
_RANKED = select(
    *_COLUMNS,
    func.row_number().over(partition_by=outbox.c.kind, order_by=(outbox.c.at.desc(), outbox.c.id.desc())).label("nth"),
    func.count().over(partition_by=outbox.c.kind).label("times"),
)


def add(tx: Transaction, subject: str, sign_in: str | None, kind: str, now: float, data: str, due: float) -> None:
    values = {"of_subject": subject, "the_sign_in": sign_in, "what": kind, "now": now, "with_data": data, "due": due}
    _INSERT.run(tx, values)


class Waiting(NamedTuple):
    """Whether an account has something to be shown that another sign-in did, or nobody's; and what may be a slip."""

    something: bool
    slips: bool


class Shown(NamedTuple):
    """A notice among those that are shown, and how many of its kind there are."""

    notice: NoticeRow
    times: int


def waits(tx: Transaction, subject: str, this_sign_in: str, now: float) -> Waiting:
    """What waits for an account whose sign-in is completed now."""
    values = {"of_subject": subject, "this": this_sign_in, "since": now - OPEN_FOR, "lately": now - SLIP}
    return Waiting(*map(bool, _WAITS.run(tx, values).fetchone()))


def settle(tx: Transaction, subject: str, this_sign_in: str, place: str, now: float) -> int:
    """Take back what was its owner's own slip: done at this place, by this sign-in or one begun lately and not ended.

    Args:
        tx: the transaction of the proof.
        place: the keyed hash of where the proof is made: what happened elsewhere was somebody else.

    Returns:
        How many.
    """
    values = {"of_subject": subject, "this": this_sign_in, "lately": now - SLIP}
    rows = tx.execute(select(outbox.c.id, outbox.c.sign_in, outbox.c.data).where(_of_subject, *_MAY_BE_SLIPS), values)
    slips = [row_id for row_id, sign_in, data in rows if _is_slip(json.loads(data), place, sign_in == this_sign_in)]
    return tx.execute(delete(outbox).where(_these(slips))).rowcount if slips else 0


def _is_slip(data: dict[str, Any], place: str, own: bool) -> bool:
    return data.get("place") == place and (own or data.get("unfinished") is True)


class Known(NamedTuple):
    """A notice that says that somebody knows the password."""

    at: float
    kind: str
    sign_in: str | None
    data: str


def password_known(tx: Transaction, subject: str, since: float, until: float) -> list[Known]:
    """What an account is told of somebody who knows its password, of what happened in that time."""
    when = (outbox.c.subject == subject, outbox.c.kind.in_(PASSWORD_KNOWN), outbox.c.at.between(since, until))
    return [Known(*row) for row in tx.execute(select(*(outbox.c[name] for name in Known._fields)).where(*when))]


def opened(tx: Transaction, account_id: str, this_sign_in: str, now: float, most: int) -> list[Shown]:
    """What an account has not been shown yet, the latest first; nothing of the sign-in that asks.

    Args:
        most: of each kind; each says how many there are.
    """
    return _ranked(tx, account_id, this_sign_in, now, most, *_OPEN)


def history(tx: Transaction, account_id: str, this_sign_in: str, now: float, most: int) -> list[Shown]:
    """What an account was shown, or what was not seen for long; likewise."""
    past = or_(outbox.c.shown_at.is_not(None), and_(outbox.c.at <= _since, _is_of(ALARMING)))
    return _ranked(tx, account_id, this_sign_in, now, most, past)


def _ranked(
    tx: Transaction, account_id: str, this_sign_in: str, now: float, most: int, *which: ColumnElement[bool]
) -> list[Shown]:
    ranked = _RANKED.where(outbox.c.subject == _OWN, *which).subquery()
    statement = (
        select(*(ranked.c[name] for name in NoticeRow._fields), ranked.c.times)
        .where(ranked.c.nth <= most)
        .order_by(ranked.c.at.desc(), ranked.c.id.desc())
    )
    rows = tx.execute(statement, {"account": account_id, "this": this_sign_in, "since": now - OPEN_FOR})
    return [Shown(NoticeRow(*row[:-1]), row[-1]) for row in rows]


def newest(tx: Transaction, account_id: str) -> int:
    """The id of an account's latest notice; 0 where it has none. Those to come have higher ones: its row is held."""
    found: int | None = tx.execute(
        select(func.max(outbox.c.id)).where(outbox.c.subject == _OWN), {"account": account_id}
    ).scalar()
    return found or 0


def first_alarm(tx: Transaction, account_id: str, since: float, but: str | None) -> float | None:
    """When the first alarming notice happened that is open; None without one.

    Args:
        since: only what happened later.
        but: nothing of this sign-in.
    """
    statement = select(func.min(outbox.c.at)).where(
        outbox.c.subject == _OWN,
        outbox.c.shown_at.is_(None),
        outbox.c.at > since,
        _is_of(ALARMING),
        or_(outbox.c.sign_in.is_(None), outbox.c.sign_in != bindparam("but", type_=String)),
    )
    found: float | None = tx.execute(statement, {"account": account_id, "but": but or ""}).scalar()
    return found


class Alarms(NamedTuple):
    """Which alarming notices a session may mark as seen.

    Attributes:
        all: every one, as it was there, or its key was, before the first of them.
        begun_at: those until then, when the account got its first authenticator: nobody was known before.
        begun_by: and those of the sign-in that set that up.
    """

    all: bool
    begun_at: float
    begun_by: str | None

    def may_mark(self, notice: NoticeRow) -> bool:
        """Whether it may mark this one."""
        begun = notice.at <= self.begun_at or (notice.sign_in is not None and notice.sign_in == self.begun_by)
        return self.all or begun or notice.kind not in ALARMING


def see(tx: Transaction, account_id: str, this_sign_in: str, up_to: int, now: float, alarms: Alarms) -> int:
    """Note that an account has been shown its notices up to this one; how many those were.

    Args:
        this_sign_in: it marks nothing that it did itself.
        alarms: which of the alarming ones it may mark.
    """
    begun = or_(outbox.c.at <= alarms.begun_at, outbox.c.sign_in == (alarms.begun_by or ""))
    statement = update(outbox).where(
        outbox.c.subject == _OWN,
        outbox.c.id <= up_to,
        *_OPEN,
        *(() if alarms.all else (or_(~_is_of(ALARMING), begun),)),
    )
    values = {"account": account_id, "this": this_sign_in, "since": now - OPEN_FOR}
    return tx.execute(statement.values(shown_at=now), values).rowcount


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
