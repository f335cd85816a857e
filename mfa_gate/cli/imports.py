"""Taking over authenticators from an earlier system: each line by itself, the good ones kept, none of them twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from ..exc import InvalidRequest, Unavailable, WrongCode
from ..factors.exported import BadSeed, Exported, read
from ..factors.totp import complete
from ..flows.imports import Taken
from ..wiring import Parts
from .output import AccountId, Failed, in_app, parts, tell
from .tables import readable, table

# what such columns are called, in this order; the long ones are Flask-Security's
ACCOUNTS: Final = ("account", "upn")
SECRETS: Final = ("secret", "secret key", "totp_secret", "tf_totp_secret", "us_totp_secrets")
GIVEN: Final = {"algorithm": ("algorithm",), "digits": ("digits",), "period": ("period", "time interval")}
SERIAL: Final = "serial number"  # which code tokens have, and apps have not
LABELS: Final = ("label", SERIAL)
Line = tuple[int, Mapping[str, Any]]
_PROBLEMS: Final[Mapping[Taken, str]] = {
    "enrolled": "the account {} has an authenticator already: its owner adds another one with an activation code",
    "frozen": "“it was not me” was pressed for the account {}: nothing is added until its owner has a new code",
    "not_offered": "the account {} may not use codes",
}


class Problem(Exception):
    """Why a line was not taken over."""


@click.group("import")
def imports() -> None:
    """What an earlier system had."""


@imports.command("totp")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--account-column", help="The column, or JSON name, of the account ids: 'account' or 'upn' by default.")
@click.option("--secret-column", help="The column, or JSON name, of the secrets.")
@click.option(
    "--secrets", "secrets_file", type=click.Path(path_type=Path), help="passlib's secrets, as JSON {tag: text}."
)
@click.option(
    "--sample", nargs=2, metavar="ACCOUNT CODE", help="A code of now, which the file must make for an account."
)
@click.option(
    "--tokens/--apps", default=None, help="What the seeds are in; by default tokens where a line has a serial number."
)
@in_app
def totp(
    file: Path,
    account_column: str | None,
    secret_column: str | None,
    secrets_file: Path | None,
    sample: tuple[str, str] | None,
    tokens: bool | None,
    as_json: bool,
) -> None:
    """Take over TOTP seeds from FILE: CSV, a JSON list, or JSON Lines.

    Each line names an account and its secret. Lines that are wrong are told, the others are taken over; running it
    again takes nothing over twice. Delete FILE afterwards: whoever reads it can make everybody's codes.
    """
    if secrets_file and not sample:
        raise Failed("passlib cannot tell wrong secrets from right ones: add --sample ACCOUNT CODE, the code of now.")
    accounts = (account_column.strip().lower(),) if account_column else ACCOUNTS
    columns = (secret_column.strip().lower(),) if secret_column else SECRETS
    taking = _Taking(parts(), accounts, columns, _secrets(secrets_file), tokens)
    counted: Counter[str] = Counter(imported=0, already=0, renew=0)
    problems = []
    lines = list(_lines(file))
    if sample:
        taking.must_match(lines, *sample)
    for line, fields in lines:
        try:
            counted.update(taking.take(fields))
        except Problem as problem:
            problems.append({"line": line, "problem": str(problem)})
            click.echo(f"line {line}: {problem}", err=True)
        except Unavailable:
            raise Failed(
                f"The gate's store does not answer, in line {line}. {counted['imported']} were taken over before that: "
                "run it again."
            ) from None
    sentences = [f"{counted['imported']} taken over, {counted['already']} were there already, {len(problems)} wrong."]
    if counted["renew"]:
        sentences.append(f"{counted['renew']} of them are short: their owners should set up their app anew.")
    tell(as_json, {**counted, "wrong": problems}, *sentences)
    if problems:
        click.get_current_context().exit(1)


class _Taking:
    """The taking over of one file, which names nobody and no secret twice."""

    def __init__(
        self,
        here: Parts,
        accounts: tuple[str, ...],
        columns: tuple[str, ...],
        secrets: dict[str, str],
        tokens: bool | None,
    ) -> None:
        self._parts = here
        self._accounts = accounts
        self._columns = columns
        self._secrets = secrets
        self._tokens = tokens
        self._named: set[str] = set()
        self._seeds: set[bytes] = set()
        self._holders = here.imports.holders()

    def take(self, fields: Mapping[str, Any]) -> list[str]:
        """What to count.

        Raises:
            Problem: the line was not taken over.
        """
        account_id = self._account(fields)
        exported = self._seed(fields)
        if account_id in self._named:
            raise Problem(f"the account {account_id!r} stands on an earlier line already")
        if exported.seed in self._seeds:
            raise Problem("this secret stands on an earlier line already, for somebody else")
        if self._holders.get(exported.seed, account_id) != account_id:
            raise Problem("this secret is another account's already")
        self._named.add(account_id)
        self._seeds.add(exported.seed)
        try:
            taken = self._parts.imports.totp(account_id, exported, str(_first(fields, LABELS) or ""))
        except InvalidRequest:
            raise Problem("the label is longer than 60 characters") from None
        if taken in _PROBLEMS:
            raise Problem(_PROBLEMS[taken].format(repr(account_id)))
        return [taken, "renew"] if taken == "imported" and exported.renew else [taken]

    def must_match(self, lines: Iterable[Line], account_id: str, code: str) -> None:
        """Hold the file against one code, before anything is taken over.

        Raises:
            Failed: the secret of this account does not make this code now, or the file has none.
        """
        settings, now = self._parts.settings, self._parts.services.clock()
        for _, fields in lines:
            try:
                if str(_first(fields, self._accounts)).strip() == account_id:
                    exported = self._seed(fields)
                    complete(exported.seed, code, now, settings.totp_window, exported.shape)
                    return
            except (Problem, WrongCode):
                break
        raise Failed(f"The file does not make this code for {account_id!r}. Nothing was taken over.")

    def _account(self, fields: Mapping[str, Any]) -> str:
        text = str(_first(fields, self._accounts) or "").strip()
        if not text:
            raise Problem(f"the account is missing (column {' or '.join(map(repr, self._accounts))})")
        try:
            account_id: str = AccountId().convert(text, None, None)
        except click.BadParameter:
            raise Problem("the account is not a readable id") from None
        if self._parts.portal.load(account_id) is None:
            raise Problem(f"the portal knows no account {account_id!r}")
        return account_id

    def _seed(self, fields: Mapping[str, Any]) -> Exported:
        if None in fields:
            raise Problem("it has more fields than the first line")
        if fields.get("tf_primary_method") not in (None, "", "authenticator"):
            raise Problem("the codes of this secret were sent by mail or SMS")
        secret = _first(fields, self._columns)
        if isinstance(secret, str) and secret.strip().startswith("{") and "authenticator" in secret:
            secret = _json(secret) or secret
        if isinstance(secret, Mapping) and "type" not in secret:
            secret = secret.get("authenticator")  # Flask-Security's unified sign-in: one for each way codes are sent
        given = {name: _first(fields, names) for name, names in GIVEN.items()}
        try:
            exported = read(secret, given=given, secrets=self._secrets)
        except BadSeed as bad:
            raise Problem(str(bad)) from None
        has_serial = _first(fields, (SERIAL,)) is not None
        return replace(exported, is_token=has_serial if self._tokens is None else self._tokens)


def _json(text: str) -> Any:
    """What a text is as JSON; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((fields[name] for name in names if fields.get(name) not in (None, "")), None)


def _lines(file: Path) -> Iterator[Line]:
    """The lines of a file with their numbers, by the names of their columns in small letters."""
    with readable(file), file.open(encoding="utf-8-sig") as handle:
        start = handle.read(4096).lstrip()[:1]
    if start not in ("[", "{"):
        with table(file) as reader:
            for fields in reader:
                yield reader.line_num, fields
        return
    with readable(file):
        text = file.read_text(encoding="utf-8-sig")
    yield from _json_list(file, text) if start == "[" else _json_lines(text)


def _json_list(file: Path, text: str) -> Iterator[Line]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Failed(f"{file} is not readable JSON: {error}.") from None
    for number, row in enumerate(rows, start=1):
        yield number, _named(row)


def _json_lines(text: str) -> Iterator[Line]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, _named(_json(line))


def _named(row: object) -> Mapping[str, Any]:
    return {str(name).strip().lower(): value for name, value in row.items()} if isinstance(row, dict) else {}


def _secrets(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    with readable(file):
        found = _json(file.read_text(encoding="utf-8-sig"))
    if not isinstance(found, dict) or not found or not all(isinstance(value, str) for value in found.values()):
        raise Failed(f'{file} is not a JSON object such as {{"1": "secret"}}.')
    return found
