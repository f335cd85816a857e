"""Portail Officine: a pharmacist's portal with invented records, protected by mfa_gate.

It shows what protecting an existing portal takes: `gate.py` holds all of it besides the marks in `views.py`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, Response, render_template
from werkzeug.exceptions import HTTPException

from mfa_gate.keyring import new_key

from . import bank, data, nir
from .forms import csrf_token
from .gate import close_store, current_user, gate
from .patients import patients
from .store import Person
from .views import portal

DEFAULT_INSTANCE = Path("instance", "demo")
DEFAULT_BASE_URL = "http://localhost:5000"
DATABASE = "portal.sqlite3"
# Shown on the gate's pages in every language, so it is a name and a number.
SUPPORT_NUMBER = "Portail Officine · 01 99 00 12 34"
SUPPORT = "Assistance du Portail Officine, 01 99 00 12 34, du lundi au vendredi, de 8 h 30 à 18 h"
_PARIS = ZoneInfo("Europe/Paris")


def create_app(instance_path: str | Path | None = None, **config: Any) -> Flask:
    """Make the portal, and its database and keys at the first call with an instance folder.

    Args:
        instance_path: where everything is kept; `instance/demo` under the current folder by default.
        config: settings of Flask, of the gate (`MFA_GATE_...`) and of the portal: `PORTAL_RECORDS`, how many
            persons to invent at the first start; `PORTAL_PROGRESS`, called with the number done and wanted.
    """
    instance = Path(instance_path or DEFAULT_INSTANCE).resolve()
    instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    app = Flask(__name__, instance_path=str(instance))
    app.config.from_mapping(
        PORTAL_DATABASE=str(instance / DATABASE),
        SESSION_COOKIE_NAME="portail",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=64 * 1024,
        MFA_GATE_BASE_URL=DEFAULT_BASE_URL,
        MFA_GATE_NAME="Portail Officine",
        MFA_GATE_LOGIN_URL="/login",
        MFA_GATE_STYLESHEET="/static/gate.css",
        MFA_GATE_SUPPORT=SUPPORT_NUMBER,
    )
    app.config.update(config)
    with _alone(instance):
        app.config.setdefault("MFA_GATE_KEYS", _kept(instance / "mfa_gate.keys", new_key))
        if app.secret_key is None:
            app.secret_key = _kept(instance / "secret.key", lambda: token_hex(32))
        if not (instance / DATABASE).exists():
            records = app.config.get("PORTAL_RECORDS", data.DEFAULT_RECORDS)
            data.build(instance / DATABASE, records, app.config.get("PORTAL_PROGRESS"))
    app.config["SESSION_COOKIE_SECURE"] = app.config["MFA_GATE_BASE_URL"].startswith("https:")
    _dress(app)
    app.register_blueprint(portal)
    app.register_blueprint(patients)
    gate.init_app(app)
    return app


@contextmanager
def _alone(instance: Path) -> Iterator[None]:
    """Let one process at a time prepare the folder; the lock falls with the process that holds it."""
    lock = sqlite3.connect(instance / "start.lock", timeout=300, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        lock.close()


def _kept(path: Path, make: Callable[[], str]) -> str:
    """Return the secret kept at `path`, readable by the owner alone; made at the first call."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.part")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(make())
        os.replace(draft, path)
    return path.read_text(encoding="ascii").strip()


def _dress(app: Flask) -> None:
    """Give the app what its pages share: filters, values, headers, error pages."""
    app.teardown_appcontext(close_store)
    app.after_request(_headers)
    app.register_error_handler(HTTPException, _error_page)
    app.add_template_filter(_day, "day")
    app.add_template_filter(_moment, "moment")
    app.add_template_filter(_euros, "euros")
    app.add_template_filter(_count, "count")
    app.add_template_filter(nir.spaced, "spaced")
    app.add_template_filter(bank.mask, "masked")
    app.add_template_filter(_born, "born")

    @app.context_processor
    def shared() -> dict[str, Any]:
        return {"current_user": current_user, "csrf_token": csrf_token, "support": SUPPORT}


def _headers(response: Response) -> Response:
    policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    response.headers.setdefault("Content-Security-Policy", policy)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if response.mimetype == "text/html":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


_SENTENCES = {
    403: ("Accès refusé", "Vous n’avez pas accès à cette page."),
    404: ("Page introuvable", "Cette page n’existe pas."),
    405: ("Action impossible", "Cette page ne peut pas être appelée de cette manière."),
    413: ("Envoi trop volumineux", "Le formulaire envoyé est trop volumineux."),
    500: ("Service indisponible", "Une erreur est survenue. Réessayez dans quelques instants."),
}


def _error_page(error: HTTPException) -> Response | HTTPException | tuple[str, int]:
    code = error.code or 500
    if error.response is not None or code < 400:
        return error
    heading, sentence = _SENTENCES.get(code, ("Demande refusée", "La demande n’a pas pu être traitée."))
    # A view's own sentence is French; werkzeug's is the class's English text.
    if error.description and error.description != type(error).description:
        sentence = error.description
    return render_template("portal/error.html", heading=heading, sentence=sentence), code


def _day(value: date) -> str:
    return f"{value:%d/%m/%Y}"


def _moment(value: str) -> str:
    """Show a stored UTC time the way a clock in Paris does."""
    return f"{datetime.fromisoformat(value).astimezone(_PARIS):%d/%m/%Y à %H:%M}"


def _euros(cents: int) -> str:
    whole, rest = divmod(cents, 100)
    return f"{_count(whole)},{rest:02d}\N{NO-BREAK SPACE}€"


def _count(number: int) -> str:
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _born(person: Person) -> str:
    return "Née" if person.nir[0] == "2" else "Né"
