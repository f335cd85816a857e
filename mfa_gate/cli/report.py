"""Who was read by whom: for the persons who must be told, and for the authority."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from ..reads.reports import BreachReport, ReportScope
from ..web.letters import write_private
from ..web.report_summary import render, table_of
from .output import AccountId, Failed, in_app, parts, seconds_of, tell, time_of

FILE: Final = click.Path(dir_okay=False, path_type=Path)
since_option = click.option("--from", "since", type=click.DateTime(), help="UTC.")
until_option = click.option("--to", "until", type=click.DateTime(), help="UTC, not included.")


@click.group()
def report() -> None:
    """Who was read by whom."""


@report.command("breach")
@click.option("--account", "account", type=AccountId(), help="What this account has read.")
@click.option("--session", "session", help="What a session has read; its name is in events (`sign_in`).")
@click.option("--source", "source", help="What was read from this address.")
@since_option
@until_option
@click.option("--csv", "table", type=FILE, help="A new file for the list of whom to tell.")
@click.option("--summary", "page", type=FILE, help="A new file for a page to print, for the authority.")
@click.option("--locale", type=click.Choice(["fr", "en"]), default="fr", show_default=True, help="Of that page.")
@in_app
def breach(
    account: str | None,
    session: str | None,
    source: str | None,
    since: datetime | None,
    until: datetime | None,
    table: Path | None,
    page: Path | None,
    locale: str,
    as_json: bool,
) -> None:
    """Say how many persons were read, who they are, and when."""
    if sum(one is not None for one in (account, session, source)) != 1:
        raise Failed("Name one of them: --account, --session or --source.")
    scope = ReportScope(account, session, source)
    found = parts().reports.breach(scope, seconds_of(since), seconds_of(until))
    if table is not None:
        _write(table, table_of(found.persons))
    if page is not None:
        _write(page, render(parts(), found, scope, locale))
    tell(as_json, _document(found), *_sentences(found, table, page))


@report.command("seen")
@click.argument("record")
@click.option("--kind", default="patient", show_default=True, help="What the portal calls it.")
@since_option
@until_option
@in_app
def seen(record: str, kind: str, since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Say which accounts have read a RECORD."""
    found = parts().reports.seen(kind, record, seconds_of(since), seconds_of(until))
    rows: list[dict[str, Any]] = [
        {"account": one.account, "subject": one.subject, "session": one.session, "at": time_of(one.at)} for one in found
    ]
    lines = (f"{row['at']}  {row['account'] or '(forgotten)'}  session {row['session']}" for row in rows)
    who = len({one.subject for one in found})
    tell(as_json, {"seen": rows}, *lines, f"{who} accounts have read it, {len(found)} times.")


def _document(found: BreachReport) -> dict[str, Any]:
    return {
        "reads": found.reads,
        "persons": len(found.persons),
        "misses": found.misses,
        "first": found.first and time_of(found.first),
        "last": found.last and time_of(found.last),
        "sessions": found.sessions,
        "measures": [{"kind": kind, "at": time_of(at)} for kind, at in found.measures],
        "unreadable": found.broken,
        "notify": [
            {
                "kind": one.kind,
                "record": one.id,
                "first": time_of(one.first),
                "last": time_of(one.last),
                "times": one.times,
            }
            for one in found.persons
        ],
    }


def _sentences(found: BreachReport, table: Path | None, page: Path | None) -> list[str]:
    if found.first is None or found.last is None:
        return ["Nothing was read."]
    lines = [
        f"{len(found.persons)} persons were read, {found.reads} times in {len(found.sessions)} sessions,",
        f"from {time_of(found.first)} to {time_of(found.last)}; {found.misses} look-ups found nobody.",
    ]
    if found.broken:
        lines.append(f"{found.broken} of them cannot be named: the key is gone, or the line was changed.")
    lines += [f"The list of whom to tell is in {table}."] if table else ["--csv FILE or --json lists whom to tell."]
    return [*lines, f"The page for the authority is in {page}."] if page else lines


def _write(file: Path, text: str) -> None:
    try:
        write_private(file, text)
    except OSError as error:
        raise Failed(f"{file} cannot be written: {error.strerror}.") from None
