"""Activation codes: one at a desk, or a folder of letters."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from .letters import BadRows, read_rows, write_letters
from .output import Failed, account_argument, in_app, parts, tell

UNITS = {"m": 60, "h": 3600, "d": 86_400}


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions
    """A time such as 30m, 24h or 7d, in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip().lower()
        number, unit = text[:-1], text[-1:]
        if unit not in UNITS or not (number.isascii() and number.isdigit() and len(number) < 9 and int(number) > 0):
            self.fail(f"{text!r} is not a time: write minutes, hours or days, such as 30m, 24h or 7d", param, ctx)
        seconds = float(int(number) * UNITS[unit])
        if seconds > 366 * 86_400:
            self.fail("an activation code lives 366 days at most", param, ctx)
        return seconds


@click.group()
def activation() -> None:
    """Activation codes, the only way to a first authenticator."""


@activation.command("issue")
@account_argument
@click.option("--ttl", type=Duration(), help="How long it may be redeemed, such as 24h (the default) or 7d.")
@click.option("--reason", default="by the operator", show_default=True, help="Why, for the record.")
@in_app
def issue(account_id: str, ttl: float | None, reason: str, as_json: bool) -> None:
    """Issue a code for ACCOUNT, in place of an earlier one. It is printed once: here."""
    issued = parts().activation.issue(account_id, reason, ttl)
    until = datetime.fromtimestamp(issued.ends_at, UTC).isoformat(timespec="minutes")
    sentences = [
        f"Activation code for {issued.account.name}: {issued.code}",
        f"It works once, until {until}.",
    ]
    if issued.enrolled:
        sentences.append("This account has an authenticator already: its owner signs in and changes it with this code.")
    document = {"account": account_id, "code": issued.code, "expires": until, "enrolled": issued.enrolled}
    tell(as_json, document, *sentences)


@activation.command("revoke")
@account_argument
@click.option("--reason", default="by the operator", show_default=True, help="Why, for the record.")
@in_app
def revoke(account_id: str, reason: str, as_json: bool) -> None:
    """Make the open code of ACCOUNT worthless."""
    revoked = parts().life.revoke_activation(account_id, reason)
    sentence = f"The code of {account_id} is revoked." if revoked else f"{account_id} has no open code."
    tell(as_json, {"account": account_id, "revoked": revoked}, sentence)


@activation.command("letters")
@click.argument("accounts", metavar="ACCOUNTS.CSV", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new or empty folder for the letters.")
@click.option("--ttl", type=Duration(), help="How long a code may be redeemed, 30d by default.")
@click.option("--reason", default="letter", show_default=True, help="Why, for the record.")
@in_app
def letters(accounts: Path, out: Path, ttl: float | None, reason: str, as_json: bool) -> None:
    """Write one printable A4 page per line of ACCOUNTS.CSV, each with a new activation code.

    The file has a header with the column 'account', and may have 'address' (lines parted by '|'). If any line is
    wrong, all wrong lines are told and no code is issued.
    """
    ttl = parts().settings.letter_ttl if ttl is None else ttl
    try:
        rows = read_rows(parts(), accounts)
    except BadRows as bad:
        for line, problem in bad.rows:
            click.echo(f"line {line}: {problem}", err=True)
        raise Failed(f"{len(bad.rows)} lines of {accounts.name} are wrong. No code was issued.") from None
    files = write_letters(parts(), rows, out, ttl, reason)
    sentences = [f"{len(files)} letters are in {out}. Print them, send them, and delete the folder."]
    tell(as_json, {"letters": [file.name for file in files], "folder": str(out)}, *sentences)
