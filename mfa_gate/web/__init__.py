"""What people and programs see of the gate: one blueprint, the only room that renders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

from flask import Blueprint, Response, request

from ..exc import Refusal
from ..factors.registry import FACTORS
from . import answers, api, notice_pages, pages
from .answers import BLUEPRINT, PROGRAMS
from .factors import FACES, totp
from .request_context import current_parts

API: Final = "/api/v1"
NOT_ME: Final = "not-me"  # a page of its own kind: behind a mail, without a session
RELATED_ORIGINS: Final = f"{BLUEPRINT}.related_origins"
View = Callable[..., Response]

# each page with the step that a program drives at the same URL
_PAGES: Final[dict[str, tuple[View, View]]] = {
    "challenge": (pages.challenge, totp.verify),
    "activate": (pages.activate, api.verify_activation),
    "enrol": (pages.enrol, totp.enrol),
    "authenticators": (pages.authenticators, api.authenticators),
    "sessions": (pages.sessions, api.sessions),
    "news": (notice_pages.page_of_news, api.notices),
    "sign-out": (pages.sign_out, api.sign_out),
}
_LISTS: Final = (api.authenticators, api.sessions, api.notices)  # what programs may read at the URL of a page
# rule, methods, view
_API: Final[tuple[tuple[str, str, View], ...]] = (
    ("/session", "GET", api.session),
    ("/activation/verify", "POST", api.verify_activation),
    ("/authenticators", "GET", api.authenticators),
    ("/authenticators/<authenticator_id>", "PATCH DELETE", api.authenticator),
    ("/sessions", "GET DELETE", api.sessions),
    ("/sessions/<session_id>", "DELETE", api.one_session),
    ("/notices", "GET", api.notices),
    ("/notices/earlier", "GET", api.notices_earlier),
    ("/notices/seen", "POST", api.notices_seen),
    ("/sign-out", "POST", api.sign_out),
    ("/openapi.json", "GET", api.openapi),
)


def blueprint(url_prefix: str) -> Blueprint:
    """The gate's blueprint: pages, JSON API, templates that a portal may override, static files."""
    made = Blueprint(BLUEPRINT, __name__, url_prefix=url_prefix, template_folder="templates", static_folder="static")
    for name, (page, step) in _PAGES.items():
        made.add_url_rule(f"/{name}", name, _for_both(page, step), methods=["GET", "POST"])
    made.add_url_rule("/not-me", NOT_ME, notice_pages.not_me, methods=["GET", "POST"])
    for rule, methods, view in _calls():
        made.add_url_rule(API + rule, _endpoint(rule), view, methods=methods.split())
    made.register_error_handler(Refusal, answers.refuse)
    made.register_error_handler(Exception, answers.closed)
    return made


def _calls() -> Iterator[tuple[str, str, View]]:
    """Rule, methods and view of every call of the API: the gate's own, and those of each factor in the registry."""
    yield from _API
    for name, factor in FACTORS.items():
        for route, view in zip(factor.routes, FACES[name].views, strict=True):
            yield route.path, "POST", view


def related_origins() -> Response:
    """At `/.well-known/webauthn`: which other addresses may use this portal's passkeys (W3C WebAuthn L3 §5.11)."""
    return answers.json_answer({"origins": list(current_parts().settings.related_origins)})


def _endpoint(rule: str) -> str:
    """The endpoint of a call: its path, with "one" for an id."""
    return PROGRAMS + re.sub(r"<\w+>", "one", rule).strip("/").replace("/", "_").removesuffix(".json")


def _for_both(page: View, step: View) -> View:
    def view() -> Response:
        if answers.wants_page():
            return page()
        return step() if request.method == "POST" or step in _LISTS else api.session()

    return view


def is_own(endpoint: str) -> bool:
    """Whether an endpoint is one of the gate's own steps, which look after themselves."""
    return endpoint in _own(tuple(FACTORS))


@cache
def _own(_factors: tuple[str, ...]) -> frozenset[str]:
    """The gate's endpoints, worked out anew if other factors are registered."""
    calls = (_endpoint(rule) for rule, _, _ in _calls())
    return frozenset([RELATED_ORIGINS, *(f"{BLUEPRINT}.{name}" for name in (*_PAGES, *calls, NOT_ME, "static"))])
