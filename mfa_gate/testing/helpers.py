"""A clock that one sets, people who are signed in, authenticator apps and security keys that are enrolled."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Final
from urllib.parse import urlsplit

import pyotp
from flask import Flask, session
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ..account import Account
from ..assurance import Proof
from ..factors.totp import STEP
from ..flows import ClientContext
from ..levels import Level
from ..portal import EXTENSION
from ..sessions.session import Session
from ..store import devices, outbox
from ..wiring import Parts
from .software_key import SoftwareKey

LOOPBACK: Final = "127.0.0.1"
_AMR: Final = {Level.MFA: "otp", Level.PHISHING_RESISTANT: "pop", Level.HARDWARE: "hwk"}


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
        account: who. Where a step-up is tested, call `enrol_totp` or `enrol_key` first: it needs an authenticator.
        level: at least `Level.MFA`.

    Raises:
        ValueError: nobody is signed in at this level.
    """
    if level not in _AMR:
        raise ValueError(f"nobody is signed in at {level!r}: write Level.MFA or a greater one")
    app = client.application
    parts = _parts(app)
    with app.app_context():
        elevated = parts.sign_in.begin(account, ClientContext(None, LOOPBACK))
    now = parts.services.clock()
    # whatever browser and address the test goes on with, it is nothing unusual
    session_ = replace(elevated.session, risk="usual", place_hash=None)
    with parts.services.store.begin() as tx:
        cookie, _ = parts.services.sessions.prove(tx, session_, Proof(_AMR[level], now), now)
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
        parts = _parts(app)
        client = _activated(parts, account)
        begun = parts.totp.begin_enrol(client)
        # the code before this one, so that this one can still sign in
        confirming = totp_code(begun.secret, parts.services.clock() - parts.settings.totp_window * STEP)
        elevated = parts.totp.complete_enrol(client, begun.enrolment, confirming, "test")
        _leave(parts, elevated.session)
    return begun.secret


def enrol_key(app: Flask, account: Account, key: SoftwareKey | None = None) -> SoftwareKey:
    """Enrol a security key for an account through every real step.

    Args:
        app: an app with a gate.
        account: as the portal's loader gives it; it must not have an authenticator yet.
        key: by default a new one, on the portal's own pages.

    Returns:
        The key, for `prove_by_key` or one's own calls of `assert_`.
    """
    with app.app_context():
        parts = _parts(app)
        key = key or SoftwareKey(parts.settings.origin)
        client = _activated(parts, account)
        elevated = parts.webauthn.complete_enrol(client, key.register(parts.webauthn.begin_enrol(client)), "test")
        _leave(parts, elevated.session)
    return key


def prove_by_key(client: FlaskClient, key: SoftwareKey) -> TestResponse:
    """Complete a sign-in, or step up, as a single-page portal does: over the JSON API.

    Args:
        client: of whoever is signed in, or has given the right password.
        key: that `enrol_key` enrolled.

    Returns:
        The answer to the assertion: 200 with `{next, session}`, or a problem document.

    Raises:
        KeyRefused: the browser, or the key, would not.
    """
    settings = _parts(client.application).settings
    api = f"{settings.script_root}{settings.url_prefix}/api/v1"
    token = client.get(f"{api}/session", base_url=settings.origin).get_json()["csrf_token"]
    headers = {"X-MFA-CSRF": token or "", "Origin": settings.origin}
    begun = client.post(f"{api}/webauthn/verify/begin", base_url=settings.origin, headers=headers)
    if begun.status_code != 200:
        return begun
    answer = key.assert_(begun.get_json())  # noqa: PT009  (not unittest's)
    return client.post(f"{api}/webauthn/verify/complete", base_url=settings.origin, headers=headers, json=answer)


def _activated(parts: Parts, account: Account) -> ClientContext:
    """A session that may enrol."""
    code = parts.activation.issue(account.id, "test").code
    begun: Session = parts.sign_in.begin(account, ClientContext(None, LOOPBACK)).session
    return ClientContext(parts.activation.redeem(ClientContext(begun, LOOPBACK), code).session, LOOPBACK)


def _leave(parts: Parts, session: Session) -> None:
    """Sign out, and leave no known device and nothing to be told behind: nobody's browser was there."""
    parts.sign_in.sign_out(ClientContext(session, LOOPBACK))
    with parts.services.store.begin() as tx:
        devices.remove_account(tx, session.account_id)
        outbox.remove_account(tx, session.account_id)


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
