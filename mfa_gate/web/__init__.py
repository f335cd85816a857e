"""What people and programs see of the gate: one blueprint, the only room that renders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from ..exc import InvalidRequest, Refusal, TooLarge, Unavailable
from ..flows.ceremony import log
from . import answers, api, pages
from .answers import BLUEPRINT, PROGRAMS

API: Final = "/api/v1"
View = Callable[[], Response]

# each page with the step that a program drives at the same URL
_PAGES: Final[dict[str, tuple[View, View]]] = {
    "challenge": (pages.challenge, api.verify_totp),
    "activate": (pages.activate, api.verify_activation),
    "enrol": (pages.enrol, api.enrol_totp),
    "sign-out": (pages.sign_out, api.sign_out),
}
_POSTS: Final = {
    "/totp/verify": api.verify_totp,
    "/activation/verify": api.verify_activation,
    "/totp/enrol/begin": api.begin_totp,
    "/totp/enrol/complete": api.complete_totp,
    "/sign-out": api.sign_out,
}


def blueprint(url_prefix: str) -> Blueprint:
    """The gate's blueprint: pages, JSON API, templates that a portal may override, static files."""
    made = Blueprint(BLUEPRINT, __name__, url_prefix=url_prefix, template_folder="templates", static_folder="static")
    for name, (page, step) in _PAGES.items():
        made.add_url_rule(f"/{name}", name, _for_both(page, step), methods=["GET", "POST"])
    made.add_url_rule(f"{API}/session", f"{PROGRAMS}session", api.session)
    for path, view in _POSTS.items():
        made.add_url_rule(API + path, _program(path), view, methods=["POST"])
    made.register_error_handler(Refusal, answers.refuse)
    made.register_error_handler(Exception, _closed)
    return made


def _for_both(page: View, step: View) -> View:
    def view() -> Response:
        if answers.wants_page():
            return page()
        return step() if request.method == "POST" else api.session()

    return view


def _closed(error: Exception) -> Response:
    """Whatever else breaks inside the gate keeps it closed, and says so."""
    if isinstance(error, HTTPException) and (error.code or 500) < 500:
        return answers.refuse(TooLarge() if error.code == 413 else InvalidRequest())
    log.error("a step of the gate failed", exc_info=error)
    return answers.refuse(Unavailable())


def _program(path: str) -> str:
    return PROGRAMS + path.strip("/").replace("/", "_")


_OWN: Final = frozenset(
    f"{BLUEPRINT}.{name}" for name in (*_PAGES, *map(_program, _POSTS), f"{PROGRAMS}session", "static")
)


def is_own(endpoint: str) -> bool:
    """Whether an endpoint is one of the gate's own steps, which look after themselves."""
    return endpoint in _OWN
