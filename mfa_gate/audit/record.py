"""Security events: what happened to whom, in the transaction of the thing itself, each a line of a chain."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Final, Literal, NamedTuple

from ..keyring import Keyring
from ..netinfo.browsers import family
from ..notices.kinds import ALERTS, NOTICE_KINDS, SLIPS, notice_of
from ..risk.habits import place_text
from ..store import Transaction, alerts, events, outbox
from ..store.engine import Ending
from .chain import Head, Heads
from .event_kinds import EVENT_KINDS
from .signals import SecurityEvent, announce, security_event

_written: Final = json.JSONEncoder(sort_keys=True).encode

PURPOSE: Final = "audit"  # of the keyed hash over a line
Outcome = Literal["success", "failure", "refused", "unknown"]


class Earlier(NamedTuple):
    """When and where something happened that is told later.

    Attributes:
        at: seconds since the epoch.
        place: keyed hash of network and browser.
        browser: its family.
    """

    at: float
    place: str | None
    browser: str | None


class Who(NamedTuple):
    """Whom an event is about and from where it came.

    Attributes:
        subject: the account's random name in events, or None where no account is meant.
        sign_in: the sign-in it happened in.
        address: the client's address as the portal sees it; only its keyed hash is stored.
        agent: what the browser says it is; its family is told to the owner. None where no browser took part.
        earlier: where it was, if it is told later than it happened.
    """

    subject: str | None = None
    sign_in: str | None = None
    address: str | None = None
    agent: str | None = None
    earlier: Earlier | None = None


class Audit:
    """Writes events; the address of a client is kept as a keyed hash only."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._heads = Heads()
        # the keyed hash that an address is kept as; the same one comes again and again
        self.source: Callable[[str], str] = lru_cache(maxsize=1024)(partial(keyring.hash, "address"))

    def record(
        self,
        tx: Transaction,
        kind: str,
        now: float,
        who: Who,
        *,
        outcome: Outcome = "success",
        amr: str | None = None,
        reason: str | None = None,
        **data: Any,
    ) -> None:
        """Store one event in the transaction of the thing it tells.

        Args:
            tx: the transaction that does the thing.
            kind: one of `EVENT_KINDS`.
            now: seconds since the epoch.
            who: whom it is about.
            outcome: how it ended.
            amr: how a proof was made (RFC 8176).
            reason: a stable word.
            data: further plain values, never a secret.
        """
        if kind not in EVENT_KINDS or not data.keys() <= EVENT_KINDS[kind].fields:
            raise ValueError(f"{kind!r} is not a kind of event, or has no {sorted(data)}")
        source = self.source(who.address) if who.address else None
        about = _written(data) if data else "{}"
        row = events.EventRow(float(now), kind, who.subject, who.sign_in, source, amr, outcome, reason, about)
        if tx.chain is None:
            tx.chain = lent = self._heads.take()
            tx.at_end(lent.give_back)
        head: Head = tx.chain.head
        head.extend(row)
        events.add(tx, row, head.chain, head.seq, head.link, self._keyring.hash(PURPOSE, head.link))
        if security_event.receivers:
            event = SecurityEvent(now, kind, who.subject, who.sign_in, amr, outcome, reason, dict(data))
            tx.at_end(lambda ending: announce(event) if ending is Ending.COMMITTED else None)
        self._tell(tx, kind, now, who, outcome, amr, data)

    def _tell(
        self,
        tx: Transaction,
        kind: str,
        now: float,
        who: Who,
        outcome: Outcome,
        amr: str | None,
        data: Mapping[str, Any],
    ) -> None:
        """Put what the owner is told into the outbox, and what the desk is among its alerts, with the event itself."""
        if kind in ALERTS and who.subject is not None:
            said = {name: data[name] for name in ("reasons", "records") if name in data}
            alerts.add(tx, who.subject, kind, now, _written(said))
        notice = notice_of(kind, outcome, amr, data)
        if notice is None or who.subject is None:
            return
        at = now if who.earlier is None else who.earlier.at
        about = {"method": amr, "records": data.get("records"), **self._where(notice, who)}
        written = _written({name: value for name, value in about.items() if value is not None})
        outbox.add(tx, who.subject, who.sign_in, notice, at, written, at + NOTICE_KINDS[notice].delay)

    def _where(self, notice: str, who: Who) -> dict[str, Any]:
        """In which browser, "" for an unknown one; and, of what may turn out to be a slip, in which place."""
        if who.earlier is not None:
            return {"browser": who.earlier.browser or "", "place": who.earlier.place, "unfinished": True}
        if who.agent is None:
            return {}
        return {"browser": family(who.agent) or "", "place": self.place(who) if notice in SLIPS else None}

    def place(self, who: Who) -> str:
        """The keyed hash of where a client is, and with what: as a session keeps it."""
        return self._keyring.hash("context", place_text(who.address, who.agent))
