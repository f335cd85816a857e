"""Passkeys over HTTP, for tests: over the API and over the form of a page, and what the store holds of them."""

from __future__ import annotations

import html
import json
from typing import Any

from werkzeug.test import TestResponse

from mfa_gate.durations import DAY
from mfa_gate.exc import WrongAssertion
from mfa_gate.limits.rules import LimitPolicy, Rule
from mfa_gate.testing import enrol_key
from mfa_gate.testing.software_key import UNTAMPERED, SoftwareKey, Tampered
from mfa_gate.web.language import catalogue
from tests.support.portal import BASE_URL, Browser, Portal

WAYS = ("api", "page")
STEPS = ("enrol", "verify")
# a browser that skips every check of its own, and does nothing wrong
LENIENT = Tampered(client_data={"note": "do not compare this with a template"})
_FREE = Rule(((10**6, DAY),), free=10**6)
# for tests that fail many times in a row for another reason than the limits
UNLIMITED = LimitPolicy(
    code=_FREE,
    assertion=_FREE,
    recovery=_FREE,
    activation=_FREE,
    source=_FREE,
    assertion_source=_FREE,
    password_source=_FREE,
)
# without recovery codes, whose drawing takes a second per account
PLAIN = {"MFA_GATE_METHODS": ["webauthn", "totp"], "limits": UNLIMITED}

Options = dict[str, Any]
Answer = dict[str, Any]


def key_of(origin: str = BASE_URL, **made: Any) -> SoftwareKey:
    return SoftwareKey(origin, **made)


def begin(browser: Browser, step: str) -> Options:
    """Options of "enrol" or "verify", where this browser stands."""
    begun = browser.api("POST", f"webauthn/{step}/begin")
    assert begun.status_code == 200, begun.text
    options: Options = begun.json
    return options


def answer_to(step: str, key: SoftwareKey, options: Options, tampered: Tampered = UNTAMPERED) -> Answer:
    """What the browser and the key make of options."""
    return key.register(options, tampered) if step == "enrol" else key.assert_(options, tampered)


def send(browser: Browser, step: str, answer: Any, way: str = "api", label: str = "Key") -> TestResponse:
    """Hand an answer over, by a program or by the form of a page."""
    if way == "api":
        body = {**answer, "label": label} if step == "enrol" else answer
        return browser.api("POST", f"webauthn/{step}/complete", body)
    if step == "enrol":
        return browser.step("enrol", action="webauthn", answer=json.dumps(answer), label=label)
    return browser.step("challenge", method="webauthn", answer=json.dumps(answer))


def complete(
    browser: Browser, step: str, key: SoftwareKey, tampered: Tampered = UNTAMPERED, way: str = "api", **more: Any
) -> TestResponse:
    """Begin and complete in one go."""
    return send(browser, step, answer_to(step, key, begin(browser, step), tampered), way, **more)


def sign_in(browser: Browser, key: SoftwareKey, account: str = "anne", tampered: Tampered = UNTAMPERED) -> TestResponse:
    browser.password(account)
    return complete(browser, "verify", key, tampered)


def ready(portal: Portal, step: str, key: SoftwareKey) -> Browser:
    """A browser of anne's from which this step can be taken by this key."""
    browser = portal.browser()
    if step == "enrol":
        browser.activate()
    else:
        enrol_key(portal.app, portal.people["anne"], key)
        browser.password()
    return browser


def session_of(browser: Browser) -> dict[str, Any]:
    document: dict[str, Any] = browser.api("GET", "session").json
    return document


def credentials(portal: Portal, account: str = "anne") -> list[Any]:
    """The stored credentials of an account, the oldest first."""
    return portal.sql(
        "SELECT c.*, a.label, a.method FROM mfa_webauthn_credentials c JOIN mfa_authenticators a "
        "ON a.id = c.authenticator_id WHERE c.account_id = :account ORDER BY a.created_at, a.id",
        account=account,
    )


def challenges(portal: Portal) -> list[str]:
    return [row.challenge for row in portal.sql("SELECT challenge FROM mfa_challenges ORDER BY ends_at")]


def refused(answer: TestResponse, portal: Portal, reason: str | None = None, account: str = "anne") -> bool:
    """Whether an answer was refused like every bad one; the word stands in the event alone."""
    assert answer.status_code == 422, answer.text
    if answer.mimetype == "application/problem+json":
        assert answer.json["code"] == "wrong_assertion"
        assert "reason" not in answer.json
    told = portal.events(account)[-1]
    assert told[1] == "failure"
    assert told[2]
    return reason is None or told[2] == reason


SAID = catalogue("fr")(WrongAssertion.sentence)
PROBLEM = {
    "type": "about:blank",
    "title": "Wrong assertion",
    "status": 422,
    "detail": SAID,
    "code": "wrong_assertion",
}
EVENT = {"enrol": "authenticator_added", "verify": "second_factor"}


class Trial:
    """A browser of anne's that could take a step with this key, and a way to see that nothing came of it.

    Args:
        step: "enrol": in an activation session; "verify": with the right password.
        key: by default a new one; for "verify" it is anne's.
        signed_in: by a key of hers, minutes ago: a step-up, or an enrolment beside others.
    """

    def __init__(self, portal: Portal, step: str, key: SoftwareKey | None = None, signed_in: bool = False) -> None:
        self.portal, self.step, self.key = portal, step, key or key_of()
        self.browser = portal.browser()
        if step == "enrol" and not signed_in:
            self.browser.activate()
        else:
            enrolled = self.key if step == "verify" else key_of()
            enrol_key(portal.app, portal.people["anne"], enrolled)
            self.browser.password()
            if signed_in:
                assert complete(self.browser, "verify", enrolled).status_code == 200
        self.before = self.state()

    def state(self) -> list[Any]:
        tables = ("mfa_authenticators", "mfa_webauthn_credentials", "mfa_activations")
        return [
            self.browser.gate_cookie,
            session_of(self.browser),
            self.browser.get("/safe").status_code,
            list(self.portal.opened),
            *(self.portal.sql(f"SELECT * FROM {table} ORDER BY 1") for table in tables),  # noqa: S608  (own names)
            self.portal.sql("SELECT id_hash, level, proofs FROM mfa_sessions ORDER BY 1"),
        ]

    def refused(self, answer: Any, way: str = "api", what: object = "") -> str:
        """Send an answer, which must be refused like every other and leave all as it was; the word of its event.

        Args:
            what: said where it is not.
        """
        events = len(self.portal.events())
        sent = send(self.browser, self.step, answer, way)
        assert sent.status_code == 422, (what, sent.text)
        if way == "api":
            assert sent.json == PROBLEM, what
            assert sent.mimetype == "application/problem+json", what
        else:
            assert SAID in html.unescape(sent.text), what
        assert self.state() == self.before, what
        (told,) = self.portal.events()[events:]
        assert told[:2] == (EVENT[self.step], "failure"), what
        assert told[2], what
        return str(told[2])

    def tampered(self, tampered: Tampered, way: str = "api") -> str:
        """Take the step, but for this; the word of the event."""
        return self.refused(answer_to(self.step, self.key, begin(self.browser, self.step), tampered), way, tampered)

    def passes(self, tampered: Tampered = LENIENT) -> bool:
        """Take the step as it should be: what was refused was refused for its one fault."""
        return complete(self.browser, self.step, self.key, tampered).status_code == 200
