"""Rows of `mfa_sessions`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Double, and_, bindparam, delete, func, insert, literal_column, null, or_, select, tuple_, update

from ..levels import Level
from .engine import Transaction
from .schema import devices, sessions
from .statement import Statement


class SessionRow(NamedTuple):
    id_hash: str
    sign_in: str
    account_id: str
    level: int
    proofs: str
    last_seen: float
    ends_at: float
    enrol_until: float | None = None
    group_name: str | None = None
    observed_until: float | None = None
    risk: str = "usual"
    context: str | None = None


AT_ONCE: Final = 500  # values in one statement: drivers take so many
_INSERT = insert(sessions)
_ROTATE = Statement(
    update(sessions)
    .where(
        sessions.c.id_hash == bindparam("old"),
        sessions.c.proofs == bindparam("old_proofs"),
        sessions.c.ends_at > bindparam("now"),
    )
    .values(
        id_hash=bindparam("new"),
        level=bindparam("new_level"),
        proofs=bindparam("new_proofs"),
        last_seen=bindparam("now"),
        ends_at=bindparam("new_end"),
        enrol_until=bindparam("new_enrol_until"),
        device=func.coalesce(bindparam("new_device"), sessions.c.device),
        group_name=bindparam("new_group"),
        risk=bindparam("new_risk"),
        context=bindparam("new_context"),
        shown=func.coalesce(bindparam("new_shown"), sessions.c.shown),
        moved_at=null(),
    )
)
# a session that was read at the beginning of a request lives still, and by the same proofs
LIVES = (
    sessions.c.id_hash == bindparam("id"),
    sessions.c.proofs == bindparam("proofs"),
    sessions.c.ends_at > bindparam("now"),
)
_THERE = Statement(select(sessions.c.id_hash).where(*LIVES))
_TOUCH = (
    update(sessions)
    .where(sessions.c.id_hash == bindparam("id"), sessions.c.last_seen < bindparam("now"))
    .values(last_seen=bindparam("now"), group_name=bindparam("group"))
)
_OF_ACCOUNT = select(*(sessions.c[name] for name in SessionRow._fields)).where(
    sessions.c.account_id == bindparam("account")
)


class Unfinished(NamedTuple):
    """A sign-in that ended after the right password, with nothing proven besides."""

    sign_in: str
    account_id: str
    browser: str | None
    context: str | None
    created_at: float


class Unproven(NamedTuple):
    """A living session that has proven nothing but the first factor, and may not enrol either."""

    id_hash: str
    sign_in: str
    account_id: str
    browser: str | None
    context: str | None
    created_at: float
    source: str | None
    is_known: bool
    risk: str
    observed_until: float | None

    def as_unfinished(self) -> Unfinished:
        """What is told of it once it has ended."""
        return Unfinished(self.sign_in, self.account_id, self.browser, self.context, self.created_at)


_unfinished = and_(
    sessions.c.level == literal_column(str(int(Level.PASSWORD))),
    sessions.c.observed_until.is_(None),
    sessions.c.enrol_until.is_(None),
)
_ended = sessions.c.ends_at <= bindparam("now", type_=Double)
_UNPROVEN = Statement(
    select(*(sessions.c[name] for name in Unproven._fields))
    .where(
        sessions.c.account_id == bindparam("account"),
        sessions.c.level == literal_column(str(int(Level.PASSWORD))),
        sessions.c.enrol_until.is_(None),
        sessions.c.ends_at > bindparam("now"),
    )
    .order_by(sessions.c.created_at)
)
_UNFINISHED = tuple(sessions.c[name] for name in Unfinished._fields)
_REMOVE_ENDED = Statement(
    delete(sessions)
    .where(_ended, sessions.c.account_id == bindparam("account"))
    .returning(*_UNFINISHED, sessions.c.level, sessions.c.observed_until, sessions.c.enrol_until)
)


class Origin(NamedTuple):
    """Where a session was opened: for its owner's list, and what a change of place is held against.

    Attributes:
        source: keyed hash of the known device, else of the network, that it was opened from.
        is_known: whether that is a known device.
        browser: its family and the system's.
        network: name of the network.
        name_hash: keyed hash of the user name that was typed.
        shown: what its place and browser were, hashed.
    """

    source: str | None = None
    is_known: bool = False
    browser: str | None = None
    network: str | None = None
    name_hash: str | None = None
    shown: str | None = None


NOWHERE: Final = Origin()


def add(tx: Transaction, row: SessionRow, origin: Origin = NOWHERE) -> None:
    """Keep a session that was opened now."""
    tx.execute(_INSERT, {**row._asdict(), **origin._asdict(), "created_at": row.last_seen})


def rotate(
    tx: Transaction, old: str, old_proofs: str, row: SessionRow, device: str | None = None, shown: str | None = None
) -> bool:
    """Give a session that still lives, as it was read, a new id and what it rose to; False where it does not."""
    values = {
        "old": old,
        "old_proofs": old_proofs,
        "new": row.id_hash,
        "new_level": row.level,
        "new_proofs": row.proofs,
        "now": row.last_seen,
        "new_end": row.ends_at,
        "new_enrol_until": row.enrol_until,
        "new_device": device,
        "new_group": row.group_name,
        "new_risk": row.risk,
        "new_context": row.context,
        "new_shown": shown,
    }
    return _ROTATE.changes_one(tx, values)


def is_there(tx: Transaction, id_hash: str, proofs: str, now: float) -> bool:
    """Whether a session that was read at the beginning of a request lives still, and by the same proofs."""
    return _THERE.run(tx, {"id": id_hash, "proofs": proofs, "now": now}).fetchone() is not None


def proofs_at(tx: Transaction, account_id: str, context: str) -> list[str]:
    """What the sessions of an account have proven that count at a place."""
    at_place = (sessions.c.account_id == account_id, sessions.c.context == context)
    proven = sessions.c.level > int(Level.PASSWORD)
    return list(tx.execute(select(sessions.c.proofs).where(*at_place, proven)).scalars())


def is_sign_in(tx: Transaction, sign_in: str) -> bool:
    """Whether a sign-in has a session, under whatever id."""
    return tx.execute(select(sessions.c.sign_in).where(sessions.c.sign_in == sign_in)).first() is not None


def touch(tx: Transaction, id_hash: str, group: str | None, now: float) -> None:
    """Note that a session is in use, and the group that its account is in now."""
    tx.execute(_TOUCH, {"id": id_hash, "now": now, "group": group})


def fingerprint(tx: Transaction, id_hash: str) -> str | None:
    """What place and browser of a session were when it was proven last."""
    found: str | None = tx.execute(select(sessions.c.shown).where(sessions.c.id_hash == id_hash)).scalar()
    return found


def moves(tx: Transaction, id_hash: str, now: float, within: float) -> bool:
    """Note that a session shows up elsewhere; False where that was noted within these seconds."""
    before = or_(sessions.c.moved_at.is_(None), sessions.c.moved_at <= now - within)
    changes = update(sessions).where(sessions.c.id_hash == id_hash, before).values(moved_at=now)
    return tx.execute(changes).rowcount == 1


def goes_on(tx: Transaction, id_hash: str, context: str, shown: str | None) -> None:
    """Note that a session is its owner's in another place as well, or with `shown` in that place alone."""
    anew = {} if shown is None else {"shown": shown}
    tx.execute(update(sessions).where(sessions.c.id_hash == id_hash).values(context=context, **anew))


def set_proofs(tx: Transaction, id_hash: str, level: int, proofs: str) -> None:
    tx.execute(update(sessions).where(sessions.c.id_hash == id_hash).values(level=level, proofs=proofs))


def set_risk(tx: Transaction, id_hash: str, proofs: str, risk: str) -> bool:
    """How unusual a session's sign-in is after all; False where it is gone, or has proven something since."""
    changes = update(sessions).where(sessions.c.id_hash == id_hash, sessions.c.proofs == proofs)
    return tx.execute(changes.values(risk=risk)).rowcount == 1


def remove(tx: Transaction, id_hashes: Sequence[str]) -> int:
    """Remove these sessions, however many they are, by few statements; how many there were."""
    removed = 0
    for start in range(0, len(id_hashes), AT_ONCE):
        these = sessions.c.id_hash.in_(id_hashes[start : start + AT_ONCE])
        removed += tx.execute(delete(sessions).where(these)).rowcount
    return removed


def unproven(tx: Transaction, account_id: str, now: float) -> list[Unproven]:
    """The living sessions of an account that a password alone has opened, the oldest first."""
    return [Unproven(*row) for row in _UNPROVEN.run(tx, {"account": account_id, "now": now}).fetchall()]


def of_account(tx: Transaction, account_id: str) -> Sequence[SessionRow]:
    return [SessionRow(*row) for row in tx.execute(_OF_ACCOUNT, {"account": account_id})]


class ListedRow(NamedTuple):
    """What an owner sees of a session: its sign-in, which opens nothing."""

    sign_in: str
    level: int
    browser: str | None
    network: str | None
    device: str | None
    created_at: float
    last_seen: float
    ends_at: float


_LISTED = select(*(sessions.c[name] for name in ListedRow._fields))


def listed(
    tx: Transaction, account_id: str, now: float, idle: float, most: int, after: tuple[float, str] | None = None
) -> list[ListedRow]:
    """The living sessions of an account, the newest first.

    Args:
        tx: the transaction.
        account_id: whose.
        now: seconds since the epoch.
        idle: seconds without a request after which one has ended.
        most: how many at once.
        after: when the last one of the page before was opened, and its sign-in.
    """
    lives = (sessions.c.account_id == account_id, sessions.c.ends_at > now, sessions.c.last_seen > now - idle)
    order = (sessions.c.created_at, sessions.c.sign_in)
    older = () if after is None else (tuple_(*order) < after,)
    page = _LISTED.where(*lives, *older).order_by(*(column.desc() for column in order)).limit(most)
    return [ListedRow(*row) for row in tx.execute(page)]


def count(tx: Transaction, account_id: str, now: float, idle: float) -> int:
    """How many living sessions an account has."""
    lives = (sessions.c.account_id == account_id, sessions.c.ends_at > now, sessions.c.last_seen > now - idle)
    found: int = tx.execute(select(func.count()).where(*lives)).scalar_one()
    return found


def named(tx: Transaction, account_id: str, sign_in: str) -> ListedRow | None:
    """The session of an account that a sign-in has, under whatever id."""
    one = (sessions.c.account_id == account_id, sessions.c.sign_in == sign_in)
    row = tx.execute(_LISTED.where(*one)).first()
    return None if row is None else ListedRow(*row)


def remove_account(tx: Transaction, account_id: str, but: str | None = None) -> int:
    """End the sessions of an account, by one statement; all, or all but that of a sign-in."""
    others = () if but is None else (sessions.c.sign_in != but,)
    return tx.execute(delete(sessions).where(sessions.c.account_id == account_id, *others)).rowcount


def remove_older(tx: Transaction, account_id: str, at: float) -> int:
    """End the sessions of an account that were opened by then; how many."""
    return tx.execute(delete(sessions).where(sessions.c.account_id == account_id, sessions.c.created_at <= at)).rowcount


def remove_enrolling(tx: Transaction, account_id: str, now: float) -> int:
    """End the sessions of an account that may change its authenticators by an activation code."""
    return tx.execute(
        delete(sessions).where(sessions.c.account_id == account_id, sessions.c.enrol_until > now)
    ).rowcount


def remove_sign_in(tx: Transaction, sign_in: str) -> bool:
    return tx.execute(delete(sessions).where(sessions.c.sign_in == sign_in)).rowcount == 1


def stop_observing(tx: Transaction, account_id: str, this: str) -> None:
    """The account has an authenticator now: what its password alone had opened ends, all but this sign-in."""
    observed = (sessions.c.account_id == account_id, sessions.c.observed_until.is_not(None))
    tx.execute(delete(sessions).where(*observed, sessions.c.sign_in != this))


def remove_device(tx: Transaction, series: str) -> int:
    """End the sessions that signed in with a device."""
    return tx.execute(delete(sessions).where(sessions.c.device == series)).rowcount


def remove_ended_of(tx: Transaction, now: float, account_id: str) -> list[Unfinished]:
    """Clear away what has ended by itself of an account; the sign-ins among it that nobody completed."""
    rows = _REMOVE_ENDED.run(tx, {"now": now, "account": account_id}).fetchall()
    return [Unfinished(*row[:-3]) for row in rows if tuple(row[-3:]) == (int(Level.PASSWORD), None, None)]


def unfinished(tx: Transaction, now: float, most: int) -> list[str]:
    """Accounts with sign-ins that ended with nobody completing them."""
    statement = select(sessions.c.account_id).distinct().where(_ended, _unfinished).limit(most)
    return list(tx.execute(statement, {"now": now}).scalars())


def remove_ended(tx: Transaction, now: float) -> int:
    """Clear away what has ended by itself; `ends_at` is checked at each read, so this is only tidiness."""
    return tx.execute(delete(sessions).where(_ended, ~_unfinished), {"now": now}).rowcount


def display(tx: Transaction, sign_in: str, up_to: int) -> None:
    """Note up to which notice a session was displayed what happened."""
    tx.execute(update(sessions).where(sessions.c.sign_in == sign_in).values(displayed=up_to))


def displayed(tx: Transaction, sign_in: str) -> int:
    """Up to which notice that was; 0: none."""
    found: int | None = tx.execute(select(sessions.c.displayed).where(sessions.c.sign_in == sign_in)).scalar()
    return found or 0


def device_since(tx: Transaction, sign_in: str) -> float | None:
    """Since when the device is known that a session signed in on; None where it is not, or not any more."""
    statement = select(devices.c.created_at).join(sessions, sessions.c.device == devices.c.series)
    found: float | None = tx.execute(statement.where(sessions.c.sign_in == sign_in)).scalar()
    return found
