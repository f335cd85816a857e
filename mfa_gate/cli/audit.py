"""The record of events: verify it, vouch for it elsewhere, hand it on."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from ..audit.event_kinds import EVENT_KINDS
from ..flows.event_log import ChainBroken, Verified
from ..store.events import ChainedRow
from .output import AccountId, Failed, in_app, parts, seconds_of, tell

ECS: Final = "8.17.0"
FILE: Final = click.Path(dir_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """The record of security events."""


@audit.command("verify")
@click.option("--checkpoint", type=FILE, help="A checkpoint that was kept elsewhere.")
@in_app
def verify(checkpoint: Path | None, as_json: bool) -> None:
    """Go through all events and all reads, and name the first that was changed, is missing or out of order."""
    kept = _both(_read(checkpoint)) if checkpoint else (None, None)
    record = "events"
    try:
        found = parts().log.verify(kept[0])
        record = "reads"
        ledger = parts().ledger.verify(kept[1])
    except ChainBroken as broken:
        document = {"ok": False, "record": record, "line": broken.line, "damage": broken.damage}
        tell(as_json, document, f"In the record of {record}: {broken}.")
        raise click.exceptions.Exit(1) from None
    document = {
        "ok": True,
        "lines": found.lines,
        "unchained": found.unchained,
        "chains": len(found.ends),
        "reads": {"lines": ledger.lines, "chains": len(ledger.ends)},
    }
    sentences = [_in_order("events", found), _in_order("reads", ledger)]
    if found.unchained:
        sentences.append(f"{found.unchained} of the events are older than chains, and nothing vouches for those.")
    tell(as_json, document, *sentences)


def _in_order(what: str, found: Verified) -> str:
    times = "" if found.first is None else f", from {_time(found.first)} to {_time(found.last or 0.0)}"
    return f"{found.lines} {what} in {len(found.ends)} chains are in order{times}."


def _both(text: str) -> tuple[str, str | None]:
    """The checkpoints of events and of reads; one from before there was a ledger is of events alone."""
    try:
        document = json.loads(text)
        return json.dumps(document["events"]), json.dumps(document["reads"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return text, None


@audit.command("checkpoint")
@click.option("-o", "--output", type=FILE, help="A new file; standard output by default.")
@in_app
def checkpoint(output: Path | None, as_json: bool) -> None:
    """Make a checkpoint, to be kept where whoever writes to the store cannot."""
    try:
        made = f'{{"events": {parts().log.checkpoint()}, "reads": {parts().ledger.checkpoint()}}}'
    except ChainBroken as broken:
        raise Failed(f"{broken}. No checkpoint was made.") from None
    if output is None:
        click.echo(made)
        return
    try:
        with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(made + "\n")
    except OSError as error:
        raise Failed(f"{output} cannot be written: {error.strerror}.") from None
    tell(as_json, {"checkpoint": str(output)}, f"The checkpoint is in {output}: keep it on another machine.")


@audit.command("export")
@click.option("--from", "since", type=click.DateTime(), help="UTC.")
@click.option("--to", "until", type=click.DateTime(), help="UTC, not included.")
@click.option("--account", "account_id", type=AccountId(), help="Only this account's.")
@in_app
def export(since: datetime | None, until: datetime | None, account_id: str | None, as_json: bool) -> None:
    """Events as JSON Lines in the Elastic Common Schema."""
    for row, subject in parts().log.export(seconds_of(since), seconds_of(until), account_id):
        # ASCII alone: what somebody typed can neither begin a line nor turn one round
        click.echo(json.dumps(ecs(row, subject), sort_keys=True))


def ecs(row: ChainedRow, account_id: str | None) -> dict[str, Any]:
    """One event in the Elastic Common Schema."""
    event, kind = row.event, EVENT_KINDS.get(row.event.kind)
    said = {
        "id": str(row.id),
        "kind": "alert" if kind and kind.type == "indicator" else "event",
        "module": "mfa_gate",
        "dataset": "mfa_gate.audit",
        "category": [kind.category] if kind else [],
        "type": [kind.type] if kind else [],
        "action": event.kind,
        "outcome": event.outcome if event.outcome in ("success", "failure") else "failure",
        "reason": event.reason,
    }
    labels = {
        "subject": event.subject,
        "sign_in": event.sign_in,
        "source": event.source,
        "method": event.method,
        "outcome": event.outcome,
        "chain": row.chain,
        "seq": row.seq,
    }
    return {
        "@timestamp": _time(event.at),
        "ecs": {"version": ECS},
        "event": _there(said),
        "labels": _there(labels),
        **({"user": {"id": account_id}} if account_id else {}),
        "mfa_gate": json.loads(event.data),
    }


def _there(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise Failed(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Failed(f"{file} is not a checkpoint.") from None
