"""Chained lines: verified one by one, vouched for elsewhere, purged without breaking; and the record of events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Protocol

from ..audit.chain import link_of
from ..audit.record import PURPOSE
from ..exc import MFAGateError
from ..store import Transaction, accounts, events
from ..store.events import AnchorRow, ChainedRow, EventRow
from .flow import Flow

PAGE_SIZE: Final = 1000  # lines read at once
CHAINS_AT_ONCE: Final = 100  # chains purged at once


class ChainBroken(MFAGateError):
    """A line was changed, is missing, or stands in another place.

    Attributes:
        line: id of the first bad line; None where only a checkpoint knows of it.
        damage: a stable word.
    """

    def __init__(self, line: int | None, damage: str, text: str) -> None:
        self.line = line
        self.damage = damage
        super().__init__(text)


@dataclass(slots=True)
class End:
    """Where a chain ends, as far as it was read.

    Attributes:
        line: id of its last line.
        unvouched: id of the first line since the last one whose keyed hash could be checked, or None.
    """

    seq: int
    link: str
    at: float = 0.0
    line: int = 0
    mac: str = ""
    unvouched: int | None = None


@dataclass(slots=True)
class Verified:
    """What was found in order.

    Attributes:
        lines: how many.
        unchained: how many of them are older than chains.
        first, last: times of the first and last one, in seconds since the epoch.
        ends: where each chain ends.
    """

    lines: int = 0
    unchained: int = 0
    first: float | None = None
    last: float | None = None
    ends: dict[str, End] = field(default_factory=dict)


class Lines(Protocol):
    """Where chained lines are stored: a file of the store's."""

    def after(self, tx: Transaction, last_id: int, most: int) -> Sequence[Any]: ...
    def chains_older(self, tx: Transaction, before: float, most: int) -> list[str]: ...
    def last_to_purge(self, tx: Transaction, chain: str, before: float) -> Any: ...
    def purge_chain(self, tx: Transaction, chain: str, up_to: int) -> int: ...
    def vouch(self, tx: Transaction, row_id: int, mac: str) -> None: ...


class ChainedLog(Flow):
    """What operators do with chained lines of any content.

    Attributes:
        lines: where they are.
        purpose, name: of the keyed hashes over them, and over what vouches for them.
    """

    lines: ClassVar[Lines]
    purpose: ClassVar[str]
    name: ClassVar[str]

    def verify(self, checkpoint: str | None = None) -> Verified:
        """Go through all lines in their order.

        Args:
            checkpoint: what `checkpoint` made earlier and was kept elsewhere: finds a tail that was cut off.

        Raises:
            LogBroken: with the first bad line.
        """
        with self.services.store.snapshot() as tx:
            found, anchors = Verified(), self._anchors(tx)
            for row in self.rows(tx):
                try:
                    self._check(row, found, anchors)
                except (TypeError, ValueError):  # a store by hand may hold anything
                    raise ChainBroken(row.id, "changed", f"line {row.id} is not what a line can be") from None
            if checkpoint is not None:
                self._hold_against(tx, checkpoint, found, anchors)
        for end in found.ends.values():
            if end.unvouched is not None:
                raise ChainBroken(
                    end.unvouched,
                    "key_missing",
                    f"line {end.unvouched} and what follows it in its chain were signed with a key that is not in "
                    "MFA_GATE_KEYS: put that back and run 'flask mfa keys rotate'",
                )
        return found

    def _check(self, row: ChainedRow, found: Verified, anchors: Mapping[str, AnchorRow]) -> None:
        event = row.event
        if row.chain is None or row.seq is None or row.link is None or row.mac is None:
            if found.ends:
                raise ChainBroken(row.id, "unsigned", f"line {row.id} is in no chain")
            found.unchained += 1
        else:
            end = found.ends.get(row.chain) or self._begin(row.chain, anchors)
            if row.seq != end.seq + 1:
                after = row.seq > end.seq
                damage = "missing" if after else "out_of_order"
                what = "lines before it are missing" if after else "it stands in the wrong place, or is there twice"
                raise ChainBroken(row.id, damage, f"line {row.id}: {what}")
            if link_of(end.link, row.chain, row.seq, event) != row.link:
                raise ChainBroken(
                    row.id, "changed", f"line {row.id} was changed, or the one before it in its chain was"
                )
            found.ends[row.chain] = End(row.seq, row.link, event.at, row.id, row.mac, self._unvouched(row, end))
        found.lines += 1
        found.first = event.at if found.first is None else found.first
        found.last = event.at

    def _unvouched(self, row: ChainedRow, end: End) -> int | None:
        """Lines whose key is gone are vouched for by a later one of their chain."""
        keyring, mac = self.services.keyring, row.mac or ""
        if mac.partition(".")[0] not in keyring.ids:
            return end.unvouched or row.id
        if not keyring.matches(self.purpose, row.link or "", mac):
            raise ChainBroken(row.id, "forged", f"line {row.id} was not written by this portal")
        return None

    def _begin(self, chain: str, anchors: Mapping[str, AnchorRow]) -> End:
        """Where a chain begins: at its first line, or after what was purged of it."""
        anchor = anchors.get(chain)
        return End(anchor.seq, anchor.link) if anchor else End(0, "")

    def _anchors(self, tx: Transaction) -> dict[str, AnchorRow]:
        """The anchors that this portal made; a forged one is none, so that its chain begins nowhere."""
        rows, matches = events.anchors(tx), self.services.keyring.matches
        return {chain: row for chain, row in rows.items() if matches(self._anchor, _anchored(row), row.mac)}

    def checkpoint(self) -> str:
        """The ends of all chains as signed JSON, to be kept out of reach of those who can write to the store.

        Raises:
            LogBroken: the record is not in order.
        """
        found = self.verify()
        heads = {chain: [end.seq, end.link, end.at] for chain, end in sorted(found.ends.items())}
        body = {"at": self.services.clock(), "lines": found.lines, "heads": heads}
        mac = self.services.keyring.hash(self._checkpoint, _canonical(body))
        return json.dumps({**body, "mac": mac}, sort_keys=True)

    def _hold_against(
        self, tx: Transaction, checkpoint: str, found: Verified, anchors: Mapping[str, AnchorRow]
    ) -> None:
        heads = self._heads_of(checkpoint)
        links = {(chain, end.seq): end.link for chain, end in found.ends.items()}
        wanted = {(chain, seq) for chain, (seq, _, _) in heads.items()} - links.keys()
        if wanted:
            for row in self.rows(tx):
                if (row.chain, row.seq) in wanted:
                    links[str(row.chain), int(row.seq or 0)] = str(row.link)
        for chain, (seq, link, _at) in heads.items():
            purged = anchors.get(chain)
            if links.get((chain, seq)) == link or (purged is not None and purged.seq >= seq):
                continue
            damage = "changed" if (chain, seq) in links else "cut_off"
            raise ChainBroken(
                None, damage, f"chain {chain} no longer has line {seq} of the checkpoint: it was {damage}"
            )

    def _heads_of(self, checkpoint: str) -> dict[str, tuple[int, str, float]]:
        try:
            document = json.loads(checkpoint)
            mac, body = document.pop("mac"), document
            heads = {chain: (int(seq), str(link), float(at)) for chain, (seq, link, at) in body["heads"].items()}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ChainBroken(None, "checkpoint", "this is not a checkpoint") from None
        if not isinstance(mac, str) or not self.services.keyring.matches(self._checkpoint, _canonical(body), mac):
            raise ChainBroken(None, "checkpoint", "the checkpoint was altered, or its key is not in MFA_GATE_KEYS")
        return heads

    def purge(self, before: float) -> int:
        """Clear away lines from before a time, as many of each chain's beginning as are; how many those were."""
        purged = 0
        while True:
            with self.services.store.begin() as tx:
                done = 0
                for chain in self.lines.chains_older(tx, before, CHAINS_AT_ONCE):
                    last = self.lines.last_to_purge(tx, chain, before)
                    if last is None or last.seq is None or last.link is None:
                        continue
                    anchor = AnchorRow(chain, last.seq, last.link, "")
                    mac = self.services.keyring.hash(self._anchor, _anchored(anchor))
                    events.put_anchor(tx, anchor._replace(mac=mac))
                    done += self.lines.purge_chain(tx, chain, last.seq)
            purged += done
            if not done:
                return purged

    def vouch(self) -> int:
        """Sign the ends of all chains, and what was purged, with the current key, so that older ones may go.

        Returns:
            How many lines and anchors were signed anew.

        Raises:
            LogBroken: the record is not in order; nothing was signed.
        """
        keyring = self.services.keyring
        found = self.verify()
        with self.services.store.begin() as tx:
            old = [end for end in found.ends.values() if not keyring.is_current(end.mac)]
            for end in old:
                self.lines.vouch(tx, end.line, keyring.hash(self.purpose, end.link))
            stale = [row for row in self._anchors(tx).values() if not keyring.is_current(row.mac)]
            for row in stale:
                events.put_anchor(tx, row._replace(mac=keyring.hash(self._anchor, _anchored(row))))
        return len(old) + len(stale)

    def rows(self, tx: Transaction) -> Iterator[Any]:
        """All lines in the order in which they were stored."""
        last = 0
        while rows := self.lines.after(tx, last, PAGE_SIZE):
            yield from rows
            last = rows[-1].id

    @property
    def _anchor(self) -> str:
        return f"{self.name} anchor"

    @property
    def _checkpoint(self) -> str:
        return f"{self.name} checkpoint"


class EventLog(ChainedLog):
    """The record of events."""

    lines: ClassVar[Lines] = events
    purpose: ClassVar[str] = PURPOSE
    name: ClassVar[str] = "audit"

    def purge(self, before: float) -> int:
        """The same, and what is older than chains."""
        with self.services.store.begin() as tx:
            purged = events.purge_unchained(tx, before)
        return purged + super().purge(before)

    def event(self, event_id: int) -> ChainedRow | None:
        """One event by its id."""
        with self.services.store.snapshot() as tx:
            rows = events.after(tx, event_id - 1, 1)
        return rows[0] if rows and rows[0].id == event_id else None

    def export(
        self, since: float | None, until: float | None, account: str | None
    ) -> Iterator[tuple[ChainedRow, str | None]]:
        """Events in their order, each with the account's id if that still exists.

        Args:
            since, until: seconds since the epoch; from the first, and before the second.
            account: only this account's.
        """
        names: dict[str | None, str | None] = {None: None}
        with self.services.store.snapshot() as tx:
            for row in self.rows(tx):
                subject = row.event.subject
                if not _within(row.event, since, until):
                    continue
                if subject is not None and subject not in names:
                    names[subject] = accounts.of_subject(tx, subject)
                if account is None or names[subject] == account:
                    yield row, names[subject]


def _within(event: EventRow, since: float | None, until: float | None) -> bool:
    return (since is None or event.at >= since) and (until is None or event.at < until)


def _anchored(row: AnchorRow) -> str:
    return f"{row.chain} {row.seq} {row.link}"


def _canonical(body: Mapping[str, Any]) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"))
