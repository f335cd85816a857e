"""Protection of the portal's own forms against requests that another site makes a browser send."""

from __future__ import annotations

import hmac
import secrets

from flask import abort, current_app, request, session


def csrf_token() -> str:
    """Return the token of this browser's session, for a hidden field `csrf_token`."""
    token = session.get("csrf")
    if not isinstance(token, str):
        token = session["csrf"] = secrets.token_urlsafe(24)
    return token


def require_csrf_token() -> None:
    """Answer 400 unless the form carries the token of this browser's session."""
    expected, given = session.get("csrf"), request.form.get("csrf_token", "").encode("utf-8", "replace")
    if not isinstance(expected, str) or not hmac.compare_digest(given, expected.encode()):
        abort(400, "Ce formulaire n’est plus valable\N{NO-BREAK SPACE}: rouvrez la page et recommencez.")


def refuse_other_sites() -> None:
    """Answer 400 to a form that another site sent: for the login form, before which there is no session."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    own = current_app.config["MFA_GATE_BASE_URL"]
    if site not in (None, "same-origin", "none") or (site is None and origin not in (None, own)):
        abort(400, "Ce formulaire a été envoyé depuis un autre site.")
