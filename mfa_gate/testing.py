"""For a portal's own tests: a clock that one sets, people who are signed in, authenticator apps."""

from __future__ import annotations

from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Final
from urllib.parse import urlsplit

import pyotp
from flask import Flask, session
from flask.testing import FlaskClient

from .account import Account
from .assurance import Level, Proof
from .factors.totp import STEP
from .flows import Visit
from .portal import EXTENSION
from .wiring import Parts

LOOPBACK: Final = "127.0.0.1"
_AMR: Final = {Level.MFA: "otp"}


class Clock:
    """A clock that stands still until it is moved. Give it to `MFAGate(clock=...)`.

    Args:
        now: seconds since the epoch that it shows first.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, by: float | timedelta) -> None:
        """Move it, in seconds; a negative number sets it back."""
        self.now += by.total_seconds() if isinstance(by, timedelta) else by


def signed_in(client: FlaskClient, account: Account, level: Level = Level.MFA) -> None:
    """Sign an account in on a test client, as if it had just proven what the level takes.

    Args:
        client: gets the gate's cookie, and the portal's session as the portal's `signed_in` callback opens it.
        account: who. Where a step-up is tested, call `enrol_totp` first: it needs an authenticator.
        level: a level that some method of this version reaches.

    Raises:
        ValueError: no method reaches the level.
    """
    if level not in _AMR:
        raise ValueError(f"no method of this version proves {level!r}")
    app = client.application
    parts = _parts(app)
    with app.app_context():
        risen = parts.sign_in.begin(account, Visit(None, LOOPBACK))
    now = parts.house.clock()
    with parts.house.store.begin() as tx:
        cookie, _ = parts.house.sessions.prove(tx, risen.session, Proof(_AMR[level], now), now)
    host = urlsplit(parts.settings.base_url).hostname or "localhost"
    client.set_cookie(parts.settings.cookie_name, cookie, domain=host)
    _open_portal(app, client, account, host)


def enrol_totp(app: Flask, account: Account) -> str:
    """Enrol an authenticator app for an account through every real step.

    Args:
        app: an app with a gate.
        account: as the portal's loader gives it; it must not have an authenticator yet.

    Returns:
        The secret in base32, for `totp_code` or any authenticator app. The code of this moment is still unused,
        except in the strict profile.
    """
    with app.app_context():
        return _enrol_totp(_parts(app), account)


def _enrol_totp(parts: Parts, account: Account) -> str:
    code = parts.activation.issue(account.id, "test").code
    risen = parts.sign_in.begin(account, Visit(None, LOOPBACK))
    risen = parts.activation.redeem(Visit(risen.session, LOOPBACK), code)
    visit = Visit(risen.session, LOOPBACK)
    begun = parts.enrolment.begin_totp(visit)
    # the code before this one, so that this one can still sign in
    confirming = totp_code(begun.secret, parts.house.clock() - parts.settings.totp_window * STEP)
    risen = parts.enrolment.complete_totp(visit, begun.enrolment, confirming, "test")
    parts.sign_in.sign_out(Visit(risen.session, LOOPBACK))
    return begun.secret


def totp_code(secret: str, at: float) -> str:
    """What an authenticator app shows.

    Args:
        secret: in base32.
        at: seconds since the epoch.
    """
    return pyotp.TOTP(secret).at(int(at))


def _open_portal(app: Flask, client: FlaskClient, account: Account, host: str) -> None:
    parts = _parts(app)
    if parts.portal.signed_in is None:
        return
    with app.test_request_context(base_url=parts.settings.base_url):
        parts.portal.signed_in(account)
        answer = app.response_class()
        app.session_interface.save_session(app, session._get_current_object(), answer)  # type: ignore[attr-defined]
    for header in answer.headers.getlist("Set-Cookie"):
        for name, morsel in SimpleCookie(header).items():
            client.set_cookie(name, morsel.value, domain=host)


def _parts(app: Flask) -> Parts:
    parts: Parts = app.extensions[EXTENSION]
    return parts
