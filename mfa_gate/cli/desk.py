"""The help desk: its first supervisor, and who works there."""

from __future__ import annotations

import json

import click

from ..staff import Role
from .output import Failed, account_argument, in_app, parts, tell, time_of


@click.group()
def desk() -> None:
    """The help desk."""


@desk.command("init")
@account_argument
@in_app
def init(account_id: str, as_json: bool) -> None:
    """Make ACCOUNT the first supervisor: once in the life of a store."""
    if not parts().desk.begin(account_id):
        raise Failed("The desk has had its first supervisor already. Whoever is a supervisor makes the next ones.")
    sentence = f"{account_id} is the first supervisor of the help desk. Make a second one soon, on its pages."
    tell(as_json, {"account": account_id, "role": Role.SUPERVISOR.name}, sentence)


@desk.command("alerts")
@in_app
def alerts(as_json: bool) -> None:
    """List what nobody has dealt with yet, the latest first."""
    rows = [
        {
            "account": account_id,
            "kind": row.kind,
            "times": row.times,
            "first": time_of(row.first_at),
            "last": time_of(row.last_at),
            **json.loads(row.data),
        }
        for row, account_id in parts().desk.every_alert()
    ]
    lines = (f"{row['last']}  {row['account']}  {row['kind']}  {row['times']} times" for row in rows)
    tell(as_json, {"alerts": rows}, *lines, f"{len(rows)} to be looked at.")


@desk.command("staff")
@in_app
def staff(as_json: bool) -> None:
    """List who works at the help desk."""
    rows = [
        {
            "account": row.account_id,
            "role": Role(row.role).name,
            "since": time_of(row.since),
        }
        for row in parts().desk.everybody()
    ]
    tell(as_json, {"staff": rows}, *("  ".join(row.values()) for row in rows), f"{len(rows)} work at the help desk.")
