"""For the tests of what goes over HTTP: each step of the gate in its own state, and what the store holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from flask import Flask
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from mfa_gate.store.schema import metadata
from tests.portal import BASE_URL, JSON, PAGE, Browser, Portal

COUNTERS = frozenset({"mfa_counters", "mfa_events"})
Prepare = Callable[[Portal, Browser], dict[str, str]]


# --- each step of the gate, ready to be passed -----------------------------------------------------------------------


def _ready_for_code(portal: Portal, browser: Browser) -> dict[str, str]:
    secret = portal.enrolled()
    browser.password()
    return {"code": portal.code(secret)}


def _ready_to_activate(portal: Portal, browser: Browser) -> dict[str, str]:
    code = portal.activation_code()
    browser.password()
    return {"code": code}


def _ready_to_begin(portal: Portal, browser: Browser) -> dict[str, str]:
    browser.activate()
    return {}


def _ready_to_complete(portal: Portal, browser: Browser) -> dict[str, str]:
    browser.activate()
    begun = browser.begin_enrolment()
    return {"enrolment": begun["enrolment"], "code": portal.code(begun["secret"]), "label": "Phone"}


def _ready_to_leave(portal: Portal, browser: Browser) -> dict[str, str]:
    browser.sign_in(portal.enrolled())
    return {}


@dataclass(frozen=True)
class Step:
    """One state-changing route of the gate: its right fields come from `prepare`, which signs the browser in so far.

    Attributes:
        needs: the fields without which it is refused.
        also: fields that only the page's form sends.
    """

    name: str
    endpoint: str
    path: str
    prepare: Prepare
    needs: tuple[str, ...] = ()
    also: tuple[tuple[str, str], ...] = ()
    page: bool = False

    def fields(self, portal: Portal, browser: Browser) -> dict[str, str]:
        return {**self.prepare(portal, browser), **dict(self.also)}

    def send(self, browser: Browser, token: str | None = None, **kwargs: Any) -> TestResponse:
        """Send a request as it is given, with the token (None: the right one, "": none) in its header."""
        headers = {**(PAGE if self.page else JSON), "Origin": BASE_URL}
        sent = browser.token if token is None else token
        if sent:
            headers["X-MFA-CSRF"] = sent
        headers |= kwargs.pop("headers", {})
        return browser.open("POST", self.path, headers={k: v for k, v in headers.items() if v != ""}, **kwargs)


STEPS = (
    Step("challenge page", "challenge", "/mfa/challenge", _ready_for_code, ("code",), page=True),
    Step("activation page", "activate", "/mfa/activate", _ready_to_activate, ("code",), page=True),
    Step("enrolment page", "enrol", "/mfa/enrol", _ready_to_begin, also=(("action", "begin"),), page=True),
    Step(
        "confirmation page",
        "enrol",
        "/mfa/enrol",
        _ready_to_complete,
        ("enrolment", "code"),
        (("action", "complete"),),
        page=True,
    ),
    Step("sign-out page", "sign-out", "/mfa/sign-out", _ready_to_leave, page=True),
    Step("challenge", "challenge", "/mfa/challenge", _ready_for_code, ("code",)),
    Step("activation", "activate", "/mfa/activate", _ready_to_activate, ("code",)),
    Step("enrolment", "enrol", "/mfa/enrol", _ready_to_begin),
    Step("sign-out", "sign-out", "/mfa/sign-out", _ready_to_leave),
    Step("api totp/verify", "api_totp_verify", "/mfa/api/v1/totp/verify", _ready_for_code, ("code",)),
    Step(
        "api activation/verify", "api_activation_verify", "/mfa/api/v1/activation/verify", _ready_to_activate, ("code",)
    ),
    Step("api totp/enrol/begin", "api_totp_enrol_begin", "/mfa/api/v1/totp/enrol/begin", _ready_to_begin),
    Step(
        "api totp/enrol/complete",
        "api_totp_enrol_complete",
        "/mfa/api/v1/totp/enrol/complete",
        _ready_to_complete,
        ("enrolment", "code"),
    ),
    Step("api sign-out", "api_sign-out", "/mfa/api/v1/sign-out", _ready_to_leave),
)


def posts_of_the_gate(app: Flask) -> set[tuple[str, str]]:
    """(endpoint, rule) of every route of the gate that takes anything but a safe method."""
    return {
        (rule.endpoint, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("mfa_gate.") and (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
    }


# --- the store -------------------------------------------------------------------------------------------------------


def engine_of(portal: Portal) -> Engine:
    engine: Engine = portal.app.extensions["mfa_gate"].house.store._engine
    return engine


def rows(portal: Portal, without: frozenset[str] = frozenset()) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the store holds, by table."""
    with portal.app.extensions["mfa_gate"].house.store.begin() as tx:
        return {
            table.name: sorted((tuple(row) for row in tx.execute(text(f"SELECT * FROM {table.name}"))), key=repr)  # noqa: S608
            for table in metadata.sorted_tables
            if table.name not in without
        }


def dump(portal: Portal) -> str:
    """Everything that the store holds, as one text to search in."""
    return repr(rows(portal))


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """Every log line of every logger meanwhile, with its traceback."""
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(logging.Formatter("%(name)s %(message)s").format(record))

    ear, root = Ear(), logging.getLogger()
    level = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(ear)
        root.setLevel(level)


# --- pages -----------------------------------------------------------------------------------------------------------

VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "path", "source", "wbr"})
Element = tuple[str, dict[str, str | None]]


class Page(HTMLParser):
    """What stands on a page: elements with their attributes, the text of each heading and label."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(html)
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.setdefault(tag, []).append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1] == tag, f"</{tag}> closes {self._open}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for tag in set(self._open):
            self.texts[tag][-1] += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def visible(self) -> str:
        return " ".join(" ".join(self.texts.get("body", [])).split())
