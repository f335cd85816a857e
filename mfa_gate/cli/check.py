"""`check` and `routes`: what is set, what is risky about it, and what each route asks for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import click
from flask import current_app

from ..durations import HOUR
from ..exc import ConfigurationError
from ..portal import START
from ..settings import Settings
from ..wiring import Inspector, Parts
from .output import in_app, parts, tell


@click.command()
@in_app
def check(as_json: bool) -> None:
    """Say what is set and what is risky about it; exit code 1 where something does not work."""
    here = parts()
    errors = list(_errors(here))
    warnings = list(_warnings(here.settings, here))
    facts = _facts(here)
    sentences = [f"{name}: {value}" for name, value in facts.items()]
    sentences += [f"ERROR    {text}" for text in errors] + [f"WARNING  {text}" for text in warnings]
    sentences.append(f"{len(errors)} errors, {len(warnings)} warnings.")
    tell(as_json, {"settings": facts, "errors": errors, "warnings": warnings}, *sentences)
    if errors:
        raise click.exceptions.Exit(1)


def _facts(here: Parts) -> dict[str, Any]:
    settings = here.settings
    return {
        "base URL": settings.base_url,
        "cookie": settings.cookie_name,
        "store": here.services.store.backend + (" in the instance folder" if settings.own_store else ""),
        "keys": ", ".join(here.keyring.ids),
        "profile": "strict" if settings.strict else "standard",
        "idle end": str(timedelta(seconds=settings.idle)),
        "absolute end": str(timedelta(seconds=settings.lifetime)),
        "languages": ", ".join(settings.languages),
        "identity": settings.identity or "callback",
        "login page": here.login_path,
        "login views": ", ".join(f"{view.endpoint} ({view.path})" for view in _inspector().login_views()),
        "methods": ", ".join(settings.methods),
        "RP ID": settings.rp_id,
    }


def _errors(here: Parts) -> Iterator[str]:
    try:
        _inspector().check()
    except ConfigurationError as error:
        yield str(error)
    for authenticator in here.keys.broken():
        yield (
            f"authenticator {authenticator} was changed or moved by hand, or its seed does not open: "
            "its owner cannot sign in with it"
        )


def _warnings(settings: Settings, here: Parts) -> Iterator[str]:
    if not settings.secure:
        yield "the base URL is http: only for a machine that nobody else reaches"
    if settings.lifetime > 24 * HOUR:
        yield "sessions live longer than a day: a stolen one does too"
    if settings.idle > 2 * HOUR:
        yield "sessions may be idle for more than two hours"
    if settings.letter_ttl > 60 * 24 * HOUR or settings.activation_ttl > 7 * 24 * HOUR:
        yield "activation codes may be redeemed for very long"
    if len(here.keyring.ids) > 2:
        yield "MFA_GATE_KEYS holds more than two keys: run 'flask mfa keys rotate' and take the old ones out"
    yield from _passkey_warnings(settings)
    yield from _rollout_warnings(here)
    if settings.support is None:
        yield "MFA_GATE_SUPPORT is not set: pages and letters cannot say whom to call"
    if current_app.debug:
        yield "the app is in debug mode"
    yield from _login_warnings(settings, here)
    if settings.identity == "gate":
        yield "identity is 'gate': the portal must read gate.session.account_id and nothing else"


def _login_warnings(settings: Settings, here: Parts) -> Iterator[str]:
    views = _inspector().login_views()
    if not views:
        yield "no view is wrapped in @gate.first_factor: nothing brakes who guesses passwords"
    if here.login_path is None:
        yield "no login page is known: set MFA_GATE_LOGIN_URL, or wrap the login view in @gate.first_factor"
    if settings.login_url is not None or here.login_path not in [view.path for view in views]:
        return
    pages = dict.fromkeys(view.path for view in views if view.is_page)
    if not pages:
        yield f"nobody can open the login page {here.login_path} by GET: set MFA_GATE_LOGIN_URL"
    elif len(pages) > 1:
        named = ", ".join(str(path) for path in pages)
        yield f"several login views are pages ({named}), people are sent to {here.login_path}: set MFA_GATE_LOGIN_URL"


def _rollout_warnings(here: Parts) -> Iterator[str]:
    for name, group in here.services.policy.groups.items():
        until = group.observed_until()
        if until is not None and until <= here.services.clock():
            yield f"group {name!r} was observed until {_day(until)}: take observe_until out of its policy"
        elif until is not None:
            yield f"group {name!r} is only observed, until {_day(until)}: a leaked password lets in whoever has it"


def _passkey_warnings(settings: Settings) -> Iterator[str]:
    host, rp_id = urlsplit(settings.base_url).hostname or "", settings.rp_id or ""
    if "webauthn" not in settings.methods:
        yield "passkeys and security keys are off: every other second factor can be relayed by a phishing site"
        return
    if host != rp_id and not host.endswith(f".{rp_id}"):
        yield f"the RP ID {rp_id} is another host: it must list this portal in its own MFA_GATE_RELATED_ORIGINS"
    if settings.related_origins and settings.script_root:
        yield f"browsers look for /.well-known/webauthn at the root of {host}, and not under {settings.script_root}"


@click.command()
@click.option("--as", "group", help="What is asked of this group of people.")
@in_app
def routes(group: str | None, as_json: bool) -> None:
    """List every route with the level and the age it asks for, public and static ones apart."""
    listed = _inspector().routes(group)
    sentences = ["", *_about(group)] if group is not None else []
    for title, kind in (
        ("Guarded", "guarded"),
        ("Public", "public"),
        ("Static", "static"),
        ("The gate's own", "gate"),
    ):
        rows = [route for route in listed if route["kind"] == kind]
        if rows:
            sentences += ["", f"{title} ({len(rows)})"]
            sentences += [_line(route) for route in rows]
    tell(as_json, {"routes": listed}, *sentences[1:])


def _about(group: str) -> Iterator[str]:
    policy, now = parts().services.policy, parts().services.clock()
    if group not in policy.groups:
        yield f"No policy names the group {group!r}: what is asked of everybody is asked of it."
    until = policy.observed_until(group)
    if until is not None and now < until:
        yield f"Observed until {_day(until)}: whoever has no authenticator is let in, and it is recorded."


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _line(route: dict[str, Any]) -> str:
    asks = ""
    if route["level"]:
        age = route["max_age"]
        asks = route["level"] + (f", at most {timedelta(seconds=age)} old" if age else "")
        asks += f", by {' '.join(route['proofs'])}" if route["proofs"] is not None else ""
        asks += f"; reads are {route['reads']}" if route["reads"] else ""
    return f"  {route['methods']:<20} {route['rule']:<44} {asks}"


def _inspector() -> Inspector:
    found: Inspector = current_app.extensions[START]
    return found
