"""For the tests of what goes over HTTP: each step of the gate in its own state, and what the store holds."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from mfa_gate.store.schema import metadata
from mfa_gate.testing import SoftwareKey
from tests.support.portal import BASE_URL, JSON, PAGE, Browser, Portal

COUNTERS = frozenset({"mfa_counters", "mfa_events", "mfa_outbox"})
Prepare = Callable[[Portal, Browser], dict[str, Any]]


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


def _ready_for_recovery(portal: Portal, browser: Browser) -> dict[str, str]:
    browser.activate()
    begun = browser.begin_enrolment()
    codes = browser.confirm(begun).json["recovery_codes"]
    browser.step("sign-out")
    browser.password()
    return {"code": codes[0]}


def _ready_for_options(portal: Portal, browser: Browser) -> dict[str, str]:
    portal.key()
    browser.password()
    return {}


def _ready_for_assertion(portal: Portal, browser: Browser) -> dict[str, Any]:
    key = portal.key()
    browser.password()
    return key.assert_(browser.api("POST", "webauthn/verify/begin").json)


def _ready_for_registration(portal: Portal, browser: Browser) -> dict[str, Any]:
    browser.activate()
    return {**SoftwareKey(BASE_URL).register(browser.api("POST", "webauthn/enrol/begin").json), "label": "Key"}


def _as_form(prepare: Prepare) -> Prepare:
    """What the script of a page puts into its form."""

    def ready(portal: Portal, browser: Browser) -> dict[str, Any]:
        answer = prepare(portal, browser)
        label = {"label": answer.pop("label")} if "label" in answer else {}
        return {"answer": json.dumps(answer), **label}

    return ready


def _ready_to_change(portal: Portal, browser: Browser) -> dict[str, str]:
    """Signed in by a key a moment ago, with a second one; `browser.one` is that."""
    browser.activate()
    browser.add_key()
    browser.add_key()
    browser.one = browser.api("GET", "authenticators").json["authenticators"][1]["id"]
    return {}


def _ready_to_rename(portal: Portal, browser: Browser) -> dict[str, str]:
    return {**_ready_to_change(portal, browser), "label": "Blue key"}


def _on_page(prepare: Prepare) -> Prepare:
    """The page's form names in a field what a call names in its path."""
    return lambda portal, browser: {**prepare(portal, browser), "id": browser.one}


def _ready_to_end(portal: Portal, browser: Browser) -> dict[str, str]:
    key = portal.key()
    for there in (portal.browser(), browser):
        there.password()
        there.prove(key)
    ids = [row["id"] for row in browser.api("GET", "sessions").json["sessions"] if not row["this"]]
    browser.one = ids[0]
    return {}


def _to_be_seen(portal: Portal, browser: Browser) -> dict[str, Any]:
    _ready_to_end(portal, browser)
    return {"up_to": 1000}


def _on_news(portal: Portal, browser: Browser) -> dict[str, Any]:
    _ready_to_end(portal, browser)
    return {"up_to": "1000"}


@dataclass(frozen=True)
class Step:
    """One state-changing route of the gate: its right fields come from `prepare`, which signs the browser in so far.

    Attributes:
        path: the rule; an id in it is `browser.one`.
        needs: the fields without which it is refused.
        also: fields that only the page's form sends.
        nested: its fields are no texts, so no form can hold them.
    """

    name: str
    endpoint: str
    path: str
    prepare: Prepare
    needs: tuple[str, ...] = ()
    also: tuple[tuple[str, str], ...] = ()
    page: bool = False
    nested: bool = False
    method: str = "POST"

    def fields(self, portal: Portal, browser: Browser) -> dict[str, Any]:
        return {**self.prepare(portal, browser), **dict(self.also)}

    def packed(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields as its own page, or program, sends them."""
        return {"json": fields} if self.nested else {"data": fields}

    def send(self, browser: Browser, token: str | None = None, **kwargs: Any) -> TestResponse:
        """Send a request as it is given, with the token (None: the right one, "": none) in its header."""
        headers = {**(PAGE if self.page else JSON), "Origin": BASE_URL}
        sent = browser.token if token is None else token
        if sent:
            headers["X-MFA-CSRF"] = sent
        headers |= kwargs.pop("headers", {})
        path = re.sub(r"<\w+>", browser.one, self.path)
        return browser.open(self.method, path, headers={k: v for k, v in headers.items() if v != ""}, **kwargs)


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
    Step(
        "recovery page",
        "challenge",
        "/mfa/challenge",
        _ready_for_recovery,
        ("code",),
        (("method", "recovery"),),
        page=True,
    ),
    Step(
        "key page",
        "challenge",
        "/mfa/challenge",
        _as_form(_ready_for_assertion),
        also=(("method", "webauthn"),),
        page=True,
    ),
    Step(
        "new key page",
        "enrol",
        "/mfa/enrol",
        _as_form(_ready_for_registration),
        also=(("action", "webauthn"),),
        page=True,
    ),
    Step(
        "rename page",
        "authenticators",
        "/mfa/authenticators",
        _on_page(_ready_to_rename),
        ("id",),
        (("action", "rename"),),
        page=True,
    ),
    Step(
        "remove page",
        "authenticators",
        "/mfa/authenticators",
        _on_page(_ready_to_change),
        ("id",),
        (("action", "remove"),),
        page=True,
    ),
    Step(
        "renew page",
        "authenticators",
        "/mfa/authenticators",
        _ready_to_change,
        also=(("action", "renew"),),
        page=True,
    ),
    Step("api recovery/verify", "api_recovery_verify", "/mfa/api/v1/recovery/verify", _ready_for_recovery, ("code",)),
    Step("api recovery/renew", "api_recovery_renew", "/mfa/api/v1/recovery/renew", _ready_to_change),
    Step(
        "api webauthn/verify/begin",
        "api_webauthn_verify_begin",
        "/mfa/api/v1/webauthn/verify/begin",
        _ready_for_options,
    ),
    Step(
        "api webauthn/verify/complete",
        "api_webauthn_verify_complete",
        "/mfa/api/v1/webauthn/verify/complete",
        _ready_for_assertion,
        nested=True,
    ),
    Step("api webauthn/enrol/begin", "api_webauthn_enrol_begin", "/mfa/api/v1/webauthn/enrol/begin", _ready_to_begin),
    Step(
        "api webauthn/enrol/complete",
        "api_webauthn_enrol_complete",
        "/mfa/api/v1/webauthn/enrol/complete",
        _ready_for_registration,
        nested=True,
    ),
    Step(
        "api rename",
        "api_authenticators_one",
        "/mfa/api/v1/authenticators/<authenticator_id>",
        _ready_to_rename,
        method="PATCH",
    ),
    Step(
        "api remove",
        "api_authenticators_one",
        "/mfa/api/v1/authenticators/<authenticator_id>",
        _ready_to_change,
        method="DELETE",
    ),
    Step(
        "end one page",
        "sessions",
        "/mfa/sessions",
        _on_page(_ready_to_end),
        ("id",),
        (("action", "end"),),
        page=True,
    ),
    Step(
        "end others page",
        "sessions",
        "/mfa/sessions",
        _ready_to_end,
        also=(("action", "end-others"),),
        page=True,
    ),
    Step("news page", "news", "/mfa/news", _on_news, also=(("action", "seen"),), page=True),
    Step("not me on the news page", "news", "/mfa/news", _on_news, also=(("action", "not-me"),), page=True),
    Step("api notices/seen", "api_notices_seen", "/mfa/api/v1/notices/seen", _to_be_seen, nested=True),
    Step("api end others", "api_sessions", "/mfa/api/v1/sessions", _ready_to_end, method="DELETE"),
    Step("api end one", "api_sessions_one", "/mfa/api/v1/sessions/<session_id>", _ready_to_end, method="DELETE"),
)


def posts_of_the_gate(app: Flask) -> set[tuple[str, str]]:
    """(endpoint, rule) of every route of the gate that takes anything but a safe method."""
    return {
        (rule.endpoint, rule.rule)
        for rule in app.url_map.iter_rules()
        # the page behind a mail belongs to no session: its link is signed, and is all that it takes
        if rule.endpoint.startswith("mfa_gate.")
        and rule.endpoint != "mfa_gate.not-me"
        and (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
    }


# --- the store -------------------------------------------------------------------------------------------------------


def engine_of(portal: Portal) -> Engine:
    engine: Engine = portal.app.extensions["mfa_gate"].services.store._engine
    return engine


def rows(portal: Portal, without: frozenset[str] = frozenset()) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the store holds, by table."""
    with portal.app.extensions["mfa_gate"].services.store.begin() as tx:
        return {
            table.name: sorted((tuple(row) for row in tx.driver.execute(f"SELECT * FROM {table.name}")), key=repr)  # noqa: S608
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
