"""Flask-Login behind the gate: one line, and `current_user` stays anonymous until the gate agrees.

`login_user()` called anywhere, a remember-me cookie or a sign-in after a password reset all stand for the first factor
at most: the person that they name is asked for the second one at the first guarded view.
"""

from __future__ import annotations

from typing import Any, Protocol

from flask import Flask, session
from flask_login import LoginManager, current_user, login_user, logout_user, user_logged_in, user_logged_out

from ..account import Account
from ..exc import Unavailable
from ..portal import EXTENSION, Portal
from ..web.request_context import request_context


class Gate(Protocol):
    """What the bridge needs of `MFAGate`."""

    portal: Portal

    @property
    def session(self) -> Any: ...

    def sign_out(self) -> None: ...


class FlaskLoginBridge:
    """Put a LoginManager behind a gate.

    Args:
        gate: the `MFAGate`.
        login_manager: whose `login_view` becomes the gate's login page, and public.
    """

    def __init__(self, gate: Gate, login_manager: LoginManager) -> None:
        self._gate = gate
        self._manager = login_manager
        # every way of loading a user ends here: session, remember-me, request loader, login_user() itself
        self._set_user = login_manager._update_request_context_with_user
        login_manager._update_request_context_with_user = self._set_agreed_user
        portal = gate.portal
        portal.adopts = True
        if portal.identity is None:
            portal.identity, portal.named_at_hand = _identity, _named
        portal.signed_in = portal.signed_in or self._sign_in
        portal.signed_out = portal.signed_out or logout_user
        portal.login_view = portal.login_view or (lambda: login_manager.login_view)
        user_logged_in.connect(self._logged_in)
        user_logged_out.connect(self._logged_out)

    def _set_agreed_user(self, user: Any = None) -> None:
        if user is not None and not self._agrees(user):
            user = None
        self._set_user(user)

    def _agrees(self, user: Any) -> bool:
        named = user.get_id()
        if not isinstance(named, str):  # a principal that is no account, such as an API token's: nobody let it in
            return False
        try:
            return bool(self._gate.session.account_id == named)
        except Unavailable:  # unknown means nobody
            return False

    def _sign_in(self, account: Account) -> None:
        """Open Flask-Login's session, unless the portal has opened it for this account already."""
        user = self._manager._user_callback(account.id)
        if session.get("_user_id") == account.id:
            self._set_user(user)
        elif user is not None:
            login_user(user)

    def _logged_in(self, app: Flask, **_: Any) -> None:
        # a login view that calls login_user() instead of gate.sign_in() has signed in all the same
        if self._is_ours(app):
            context = request_context()
            context.signed_in_by_view = True
            context.signed_in_account = session.get("_user_id")
            context.portal_session.keep()

    def _is_ours(self, app: Flask) -> bool:
        return EXTENSION in app.extensions and getattr(app, "login_manager", None) is self._manager

    def _logged_out(self, app: Flask, **_: Any) -> None:
        # a copy of Flask-Login's cookie outlives logout_user(); without the gate's session it opens nothing
        if self._is_ours(app):
            self._gate.sign_out()


def _named() -> str | None:
    """Whom Flask-Login's session names; `current_user` is held against the gate by itself."""
    named: str | None = session.get("_user_id")
    return named


def _identity() -> str | None:
    """Whom Flask-Login's session or remember-me cookie names, whether or not the gate agrees."""
    if "_user_id" not in session:
        _ = current_user.is_anonymous  # reading it takes a remember-me cookie into the session
    return _named()
