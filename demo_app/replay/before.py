"""The portal as it was before the gate: a password opens it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path
from secrets import token_hex

from flask import Flask, abort, redirect, request, session
from werkzeug.wrappers import Response

from ..accounts import normalise_email, password_matches
from ..gate import close_store, get_store
from ..record import details


def portal_before(database: Path) -> Flask:
    """The two views that the robots of 2022 used, as answers for programs.

    Args:
        database: of the portal's own records and accounts.
    """
    app = Flask("demo_app.before")
    app.config.update(SECRET_KEY=token_hex(32), PORTAL_DATABASE=str(database))
    app.teardown_appcontext(close_store)

    @app.post("/login")
    def login() -> Response | tuple[str, int]:
        user = get_store().user_by_email(normalise_email(request.form["email"]))
        if user is None or not password_matches(request.form["password"], user.password):
            return "wrong", 401
        session["user"] = user.id
        return redirect("/")

    @app.get("/patients/<number>")
    def record(number: str) -> dict[str, object]:
        if "user" not in session:
            abort(401)
        person = get_store().person(number)
        if person is None:
            abort(404)
        return {"person": asdict(person), "treatments": str(details(person, date.today()))}

    return app
