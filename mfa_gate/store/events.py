"""Rows of `mfa_events`: only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, exists, func, insert, select, text, update

from .engine import Transaction
from .schema import accounts, audit_anchors, events
from .statement import Statement


class EventRow(NamedTuple):
    at: float
    kind: str
    subject: str | None
    sign_in: str | None
    source: str | None
    method: str | None
    outcome: str
    reason: str | None
    data: str


class ChainedRow(NamedTuple):
    """A row as it is stored: its id, what it says, and its place in a chain; None where it is older than chains."""

    id: int
    event: EventRow
    chain: str | None
    seq: int | None
    link: str | None
    mac: str | None


class AnchorRow(NamedTuple):
    """The last line of a chain that was purged."""

    chain: str
    seq: int
    link: str
    mac: str


_NAMES = (*EventRow._fields, "chain", "seq", "link", "mac")
_INSERT = Statement(insert(events).values({name: bindparam(f"{name}_") for name in _NAMES}).inline())
_ALL = select(events.c.id, *(events.c[name] for name in _NAMES))
# the same words in SQLite and PostgreSQL
_ANCHOR = text(
    "INSERT INTO mfa_audit_anchors (chain, seq, link, mac) VALUES (:chain, :seq, :link, :mac) "
    "ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, link = excluded.link, mac = excluded.mac"
)


def add(tx: Transaction, row: EventRow, chain: str, seq: int, link: str, mac: str) -> None:
    values = {f"{name}_": value for name, value in row._asdict().items()}
    _INSERT.run(tx, {**values, "chain_": chain, "seq_": seq, "link_": link, "mac_": mac})


def of_subject(tx: Transaction, subject: str) -> Sequence[EventRow]:
    """The events of one account, oldest first."""
    statement = select(*(events.c[name] for name in EventRow._fields)).where(events.c.subject == subject)
    return [EventRow(*row) for row in tx.execute(statement.order_by(events.c.id))]


def latest(tx: Transaction, subject: str, most: int) -> list[EventRow]:
    """The latest events of one account, the newest first: of each kind and outcome, so that none leaves out others.

    Args:
        most: of each kind and outcome.
    """
    alike = func.row_number().over(partition_by=(events.c.kind, events.c.outcome), order_by=events.c.id.desc())
    ranked = (
        select(events.c.id, *(events.c[name] for name in EventRow._fields), alike.label("nth"))
        .where(events.c.subject == subject)
        .subquery()
    )
    statement = select(*(ranked.c[name] for name in EventRow._fields)).where(ranked.c.nth <= most)
    return [EventRow(*row) for row in tx.execute(statement.order_by(ranked.c.id.desc()))]


class Enrolment(NamedTuple):
    """When an account got its first authenticator, and in which sign-in."""

    at: float
    sign_in: str


def first_enrolment(tx: Transaction, account_id: str, since: float) -> Enrolment | None:
    """The latest enrolment of an account that had no authenticator: of a sign-in without a second factor."""
    proven = events.alias()
    statement = (
        select(events.c.at, events.c.sign_in)
        .join(accounts, accounts.c.subject == events.c.subject)
        .where(
            accounts.c.id == account_id,
            events.c.at > since,
            events.c.kind == "authenticator_added",
            events.c.outcome == "success",
            events.c.sign_in.is_not(None),
            ~exists().where(
                proven.c.subject == events.c.subject,
                proven.c.sign_in == events.c.sign_in,
                proven.c.kind == "second_factor",
                proven.c.outcome == "success",
            ),
        )
        .order_by(events.c.at.desc())
        .limit(1)
    )
    row = tx.execute(statement).first()
    return Enrolment(*row) if row else None


def has_since(tx: Transaction, subject: str, kind: str, at: float) -> bool:
    """Whether something of this kind has happened to an account after that."""
    after = (events.c.subject == subject, events.c.kind == kind, events.c.at > at)
    return tx.execute(select(events.c.id).where(*after).limit(1)).first() is not None


def subject_of_sign_in(tx: Transaction, sign_in: str) -> str | None:
    """Whose sign-in it was; looks through all events, as nothing asks for it but a report."""
    statement = select(events.c.subject).where(events.c.sign_in == sign_in, events.c.subject.is_not(None)).limit(1)
    found: str | None = tx.execute(statement).scalar()
    return found


def after(tx: Transaction, last_id: int, most: int) -> list[ChainedRow]:
    """The next rows after an id, in the order in which they were stored."""
    rows = tx.execute(_ALL.where(events.c.id > last_id).order_by(events.c.id).limit(most))
    return [ChainedRow(row[0], EventRow(*row[1:10]), *row[10:]) for row in rows]


def anchors(tx: Transaction) -> dict[str, AnchorRow]:
    return {row.chain: AnchorRow(*row) for row in tx.execute(select(audit_anchors))}


def put_anchor(tx: Transaction, row: AnchorRow) -> None:
    tx.execute(_ANCHOR, row._asdict())


def chains_older(tx: Transaction, before: float, most: int) -> list[str]:
    """Chains that have lines from before a time."""
    statement = select(events.c.chain).where(events.c.at < before, events.c.chain.is_not(None))
    return list(tx.execute(statement.group_by(events.c.chain).limit(most)).scalars())


def last_to_purge(tx: Transaction, chain: str, before: float) -> ChainedRow | None:
    """The last line of a chain before its first one that is to be kept."""
    kept = select(func.min(events.c.seq)).where(events.c.chain == chain, events.c.at >= before).scalar_subquery()
    statement = _ALL.where(events.c.chain == chain, events.c.seq < func.coalesce(kept, 2**62))
    row = tx.execute(statement.order_by(events.c.seq.desc()).limit(1)).first()
    return ChainedRow(row[0], EventRow(*row[1:10]), *row[10:]) if row else None


def purge_chain(tx: Transaction, chain: str, up_to: int) -> int:
    return tx.execute(delete(events).where(events.c.chain == chain, events.c.seq <= up_to)).rowcount


def purge_unchained(tx: Transaction, before: float) -> int:
    """Clear away lines that are older than chains."""
    return tx.execute(delete(events).where(events.c.chain.is_(None), events.c.at < before)).rowcount


def vouch(tx: Transaction, row_id: int, mac: str) -> None:
    """Put another key's hash to a line."""
    tx.execute(update(events).where(events.c.id == row_id).values(mac=mac))
