"""Defences of the record of events, and how each is taken out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mfa_gate.audit import record as audit
from mfa_gate.audit.record import Audit
from mfa_gate.flows import event_log
from mfa_gate.flows.event_log import EventLog
from mfa_gate.store import events

Patch = pytest.MonkeyPatch


def what_a_line_says_is_not_in_its_hash(patch: Patch) -> None:
    from mfa_gate.audit import chain

    really = chain.link_of

    def link_of(before: str, name: str, seq: int, _content: Any) -> str:
        return really(before, name, seq, ())

    patch.setattr(chain, "link_of", link_of)
    patch.setattr(event_log, "link_of", link_of)


def lines_are_not_counted(patch: Patch) -> None:
    from mfa_gate.audit import chain

    really = chain.link_of

    def link_of(_before: str, name: str, _seq: int, content: Any) -> str:
        return really("", name, 0, content)

    def check(self: EventLog, row: Any, found: Any, anchors: Any) -> None:
        end = found.ends.get(row.chain)
        if end is not None:
            end.seq = row.seq - 1
        really_check(self, row, found, {**anchors, row.chain: events.AnchorRow(row.chain, row.seq - 1, "", "")})

    really_check = EventLog._check
    patch.setattr(chain, "link_of", link_of)
    patch.setattr(event_log, "link_of", link_of)
    patch.setattr(EventLog, "_check", check)


def lines_are_not_signed(patch: Patch) -> None:
    patch.setattr(EventLog, "_unvouched", lambda *_: None)


def lines_without_a_chain_are_older_ones(patch: Patch) -> None:
    really = EventLog._check

    def check(self: EventLog, row: Any, found: Any, anchors: Any) -> None:
        if row.chain is not None:
            really(self, row, found, anchors)

    patch.setattr(EventLog, "_check", check)


def checkpoints_are_not_looked_at(patch: Patch) -> None:
    patch.setattr(EventLog, "_hold_against", lambda *_: None)


def anybody_can_make_an_anchor(patch: Patch) -> None:
    patch.setattr(EventLog, "_anchors", lambda _self, tx: events.anchors(tx))


def takes_any_value(patch: Patch, name: str) -> None:
    """Let events of every kind have a value of this name too."""
    kinds = {kind: replace(known, fields=known.fields | {name}) for kind, known in audit.EVENT_KINDS.items()}
    patch.setattr(audit, "EVENT_KINDS", kinds)


def a_step_is_committed_before_its_event(patch: Patch) -> None:
    """In two halves, between which anything may break."""
    record = Audit.record

    def apart(self: Audit, tx: Any, *values: Any, **more: Any) -> None:
        tx.driver.commit()
        if tx.dialect.name == "sqlite":
            tx.driver.execute("BEGIN IMMEDIATE")
        record(self, tx, *values, **more)

    patch.setattr(Audit, "record", apart)


DEFENCES: dict[str, Callable[[Patch], None]] = {
    "A49": what_a_line_says_is_not_in_its_hash,
    "A49b": lines_are_not_counted,
    "A49c": lines_are_not_signed,
    "A49d": lines_without_a_chain_are_older_ones,
    "A49e": checkpoints_are_not_looked_at,
    "A49f": anybody_can_make_an_anchor,
    "A34e": a_step_is_committed_before_its_event,
}
