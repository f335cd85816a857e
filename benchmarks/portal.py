"""The portal that is measured: one view, bare or behind the gate, and the environs of requests to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from flask import Flask, Response, jsonify, session
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from mfa_gate import Account, MFAGate
from mfa_gate.harvest import HarvestPolicy
from mfa_gate.keyring import new_key

from .measure import Environ

HOST: Final = "localhost"
BASE_URL: Final = f"http://{HOST}"
SECRET_KEY: Final = "a portal's own secret, as long as one should be"
ACCOUNTS: Final = 200
PAGE: Final = {"Accept": "text/html,application/xhtml+xml"}
PROGRAM: Final = {"Accept": "application/json"}


def account_id(number: int) -> str:
    """Ids of one length, so that all cookies are of one length."""
    return f"{number:06d}"


def people() -> dict[str, Account]:
    """The portal's accounts, synthetic."""
    return {
        account_id(number): Account(account_id(number), f"Officine {number}", f"officine-{number}@portal.example")
        for number in range(ACCOUNTS)
    }


def bare(name: str) -> Flask:
    """The portal without anything in front: a page that reads Flask's session, a POST that opens it."""
    app = Flask(name, static_folder=None)
    app.secret_key = SECRET_KEY

    @app.get("/record")
    def record() -> str:
        return f"<h1>{session['user']}</h1>"

    @app.post("/sign-in")
    def sign_in() -> Response:
        session["user"] = account_id(0)
        return jsonify(next=f"{BASE_URL}/")

    return app


def gated(folder: Path, clock: Callable[[], float], harvest: HarvestPolicy | None = None) -> tuple[Flask, MFAGate]:
    """The same portal behind the gate, on the embedded SQLite store.

    Args:
        folder: where the store is made.
        clock: seconds since the epoch.
        harvest: how many records are too many.
    """
    app = bare("gated")
    app.instance_path = str(folder)
    app.config.update(MFA_GATE_BASE_URL=BASE_URL, MFA_GATE_KEYS=new_key())
    gate = MFAGate(app, account_loader=people().get, clock=clock, harvest=harvest)

    @gate.signed_in
    def open_session(account: Account) -> None:
        session["user"] = account.id

    @gate.identity
    def visitor() -> str | None:
        return session.get("user")

    gate.public("sign_in")
    return app, gate


def portal_cookie(app: Flask, user: str) -> str:
    """The portal's own session cookie, as Flask signs it."""
    signer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    return f"session={signer.dumps({'user': user})}"


def get(path: str, *cookies: str) -> Environ:
    """The environ of a page request by a browser."""
    return _environ("GET", path, {**PAGE, "Cookie": "; ".join(cookies)})


def post(
    path: str, body: Mapping[str, Any], address: str, *cookies: str, headers: dict[str, str] | None = None
) -> Environ:
    """The environ of a JSON POST.

    Args:
        address: the client's.
        cookies: as `name=value`.
        headers: further ones.
    """
    sent = {**PROGRAM, "Cookie": "; ".join(cookies), "Content-Type": "application/json", **(headers or {})}
    environ = _environ("POST", path, sent)
    raw = json.dumps(body).encode()
    return {**environ, "wsgi.input": BytesIO(raw), "CONTENT_LENGTH": str(len(raw)), "REMOTE_ADDR": address}


def _environ(method: str, path: str, headers: dict[str, str]) -> Environ:
    return EnvironBuilder(path, base_url=BASE_URL, method=method, headers=Headers(headers)).get_environ()
