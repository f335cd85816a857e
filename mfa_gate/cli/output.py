"""How commands speak: sentences for people, one JSON document for programs, errors as a sentence and exit code 2."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
from flask import current_app
from flask.cli import with_appcontext

from ..exc import MFAGateError, Unavailable
from ..flows import UnknownAccount
from ..portal import EXTENSION
from ..wiring import Parts

F = TypeVar("F", bound=Callable[..., Any])


class Failed(click.ClickException):
    """A sentence on standard error, and exit code 2."""

    exit_code = 2


def parts() -> Parts:
    """The gate's parts of the app that Flask has loaded.

    Raises:
        Failed: the app has no gate.
    """
    found: Parts | None = current_app.extensions.get(EXTENSION)
    if found is None:
        raise Failed("this app has no gate: MFAGate(app) or gate.init_app(app) is missing")
    return found


def in_app(function: F) -> F:
    """A command that runs in the app's context, has `--json`, and turns our exceptions into a sentence."""

    in_context = with_appcontext(function)  # loads the app, which may stop its start and say why

    @click.option("--json", "as_json", is_flag=True, help="One JSON document instead of sentences.")
    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        try:
            return in_context(*args, **kwargs)
        except UnknownAccount as error:
            raise Failed(f"{error}.") from None
        except Unavailable:
            raise Failed("The gate's store does not answer. Nothing was changed.") from None
        except MFAGateError as error:
            raise Failed(str(error)) from None

    wrapped: F = command  # type: ignore[assignment]
    return wrapped


class AccountId(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions
    """An account's id, as the terminal sent it."""

    name = "account"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if not text.isprintable() or not text.strip() or len(text) > 255:
            self.fail("this is not a readable account id", param, ctx)
        return text


account_argument = click.argument("account_id", metavar="ACCOUNT", type=AccountId())


def time_of(at: float) -> str:
    """A time (seconds since the epoch) in universal time (RFC 3339)."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def seconds_of(moment: datetime | None) -> float | None:
    """Seconds since the epoch of a time that was typed, which is universal."""
    return moment.replace(tzinfo=UTC).timestamp() if moment else None


def tell(as_json: bool, document: dict[str, Any], *sentences: str) -> None:
    """Print a result, for programs or for people."""
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False, sort_keys=True))
    else:
        for sentence in sentences:
            click.echo(sentence)
