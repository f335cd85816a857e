"""Rows of `mfa_reads`, the ledger of records read: only ever added, and purged by day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from sqlalchemy import Select, bindparam, delete, func, insert, select, update

from ..durations import DAY
from .engine import Transaction
from .schema import reads
from .statement import Statement

Outcome = Literal["first", "again", "missed"]


class ReadRow(NamedTuple):
    """One record that was read.

    Attributes:
        at: seconds since the epoch.
        day: number of the UTC day.
        subject: the account's random name.
        sign_in: random name of the sign-in.
        source: keyed hash of the client's address.
        kind: of the record, as the portal calls it.
        record: keyed hash of kind and id.
        sealed: the id, for the report alone.
        outcome: its account's first time that day, or not; or that there is no such record, after it was looked up.
    """

    at: float
    day: int
    subject: str
    sign_in: str
    source: str | None
    kind: str
    record: str
    sealed: str
    outcome: str


class ChainedRead(NamedTuple):
    """A row as it is stored: its id, what it says, and its place in a chain."""

    id: int
    event: ReadRow
    chain: str
    seq: int
    link: str
    mac: str


_NAMES = (*ReadRow._fields, "chain", "seq", "link", "mac")
_BINDS = tuple(f"{name}_" for name in _NAMES)
_INSERT = Statement(insert(reads).values(dict(zip(_NAMES, map(bindparam, _BINDS), strict=True))).inline())
_ALL = select(reads.c.id, *(reads.c[name] for name in _NAMES))


def add(tx: Transaction, row: ReadRow, chain: str, seq: int, link: str, mac: str) -> None:
    _INSERT.run(tx, dict(zip(_BINDS, (*row, chain, seq, link, mac), strict=True)))


def after(tx: Transaction, last_id: int, most: int) -> list[ChainedRead]:
    """The next rows after an id, in the order in which they were stored."""
    rows = tx.execute(_ALL.where(reads.c.id > last_id).order_by(reads.c.id).limit(most))
    return [_chained(row) for row in rows]


def of(
    tx: Transaction,
    first_day: int,
    last_day: int,
    *,
    subject: str | None = None,
    sign_in: str | None = None,
    sources: Sequence[str] = (),
    records: Sequence[str] = (),
) -> Iterator[ChainedRead]:
    """The rows of some days, of an account, a sign-in, a source or a record; day by day, as they were stored.

    Args:
        first_day, last_day: numbers of days, both included.
        subject, sign_in: whose.
        sources, records: hashes of the same under each key.
    """
    for day in range(first_day, last_day + 1):
        statement: Select[*tuple[object, ...]] = _ALL.where(reads.c.day == day)
        if subject is not None:
            statement = statement.where(reads.c.subject == subject)
        if sign_in is not None:
            statement = statement.where(reads.c.sign_in == sign_in)
        if sources:
            statement = statement.where(reads.c.source.in_(sources))
        if records:
            statement = statement.where(reads.c.record.in_(records))
        yield from map(_chained, tx.execute(statement.order_by(reads.c.id)))


def days(tx: Transaction) -> tuple[int, int] | None:
    """The first and the last day that the ledger has."""
    first, last = tx.execute(select(func.min(reads.c.day), func.max(reads.c.day))).one()
    return None if first is None else (first, last)


def by_day(tx: Transaction, subject: str, first_day: int) -> dict[int, int]:
    """How many records an account has read on each day since."""
    statement = (
        select(reads.c.day, func.count())
        .where(reads.c.day >= first_day, reads.c.subject == subject, reads.c.outcome == "first")
        .group_by(reads.c.day)
    )
    return {row[0]: row[1] for row in tx.execute(statement)}


def needs_key(tx: Transaction, key_id: str) -> bool:
    """Whether a record is sealed and hashed with this key still."""
    statement = select(reads.c.id).where(reads.c.record.startswith(f"{key_id}.", autoescape=True)).limit(1)
    return tx.execute(statement).first() is not None


def chains_older(tx: Transaction, before: float, most: int) -> list[str]:
    """Chains that have lines from before a time."""
    old = (reads.c.day <= int(before // DAY), reads.c.at < before)
    statement = select(reads.c.chain).where(*old).group_by(reads.c.chain).limit(most)
    return list(tx.execute(statement).scalars())


def last_to_purge(tx: Transaction, chain: str, before: float) -> ChainedRead | None:
    """The last line of a chain before its first one that is to be kept."""
    kept = select(func.min(reads.c.seq)).where(reads.c.chain == chain, reads.c.at >= before).scalar_subquery()
    statement = _ALL.where(reads.c.chain == chain, reads.c.seq < func.coalesce(kept, 2**62))
    row = tx.execute(statement.order_by(reads.c.seq.desc()).limit(1)).first()
    return _chained(row) if row else None


def purge_chain(tx: Transaction, chain: str, up_to: int) -> int:
    return tx.execute(delete(reads).where(reads.c.chain == chain, reads.c.seq <= up_to)).rowcount


def vouch(tx: Transaction, row_id: int, mac: str) -> None:
    """Put another key's hash to a line."""
    tx.execute(update(reads).where(reads.c.id == row_id).values(mac=mac))


def _chained(row: Sequence[object]) -> ChainedRead:
    return ChainedRead(row[0], ReadRow(*row[1:10]), *row[10:])  # type: ignore[arg-type]
