"""Every page of the gate by its name: its status, and how a browser gets there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from werkzeug.test import TestResponse

from mfa_gate.testing import SoftwareKey
from tests.support.portal import BASE_URL, Browser, Portal, hidden

Show = Callable[[Portal, Browser], TestResponse]


def scan(portal: Portal, browser: Browser) -> TestResponse:
    browser.activate()
    return browser.step("enrol", action="begin")


def retype(portal: Portal, browser: Browser) -> TestResponse:
    enrolment = hidden(scan(portal, browser), "enrolment")
    return browser.step("enrol", action="complete", enrolment=enrolment, code="000000", label="Phone")


def _begin_again(portal: Portal, browser: Browser) -> TestResponse:
    scan(portal, browser)
    return browser.step("enrol", action="complete", enrolment="0" * 32, code="000000")


def _step_up(portal: Portal, browser: Browser) -> TestResponse:
    browser.sign_in(portal.enrolled())
    portal.clock.advance(601)
    return browser.post("/bank", {"iban": "x"})


def _resume(portal: Portal, browser: Browser) -> TestResponse:
    secret = portal.enrolled()
    browser.sign_in(secret)
    portal.clock.advance(601)
    sealed = hidden(browser.post("/bank", {"iban": "x"}), "sealed_form")
    return browser.step("challenge", code=portal.code(secret), sealed_form=sealed)


def _codes(portal: Portal, browser: Browser) -> TestResponse:
    """The first enrolment, of a key with a name, by the page."""
    browser.activate()
    made = SoftwareKey(BASE_URL).register(browser.api("POST", "webauthn/enrol/begin").json)
    return browser.step("enrol", action="webauthn", answer=json.dumps(made), label="Blue key")


def _three_ways(portal: Portal, browser: Browser) -> TestResponse:
    _codes(portal, browser)
    begun = browser.begin_enrolment()
    browser.step("enrol", action="complete", enrolment=begun["enrolment"], code=portal.code(begun["secret"]))
    browser.step("sign-out")
    browser.password()
    return browser.get("/mfa/challenge")


def _removed(portal: Portal, browser: Browser) -> TestResponse:
    """Two keys, both proven in this session: it stays by the other one."""
    _two_keys(browser)
    answer = _remove_first(browser)
    assert browser.state == "signed_in"
    return answer


def _removed_own(portal: Portal, browser: Browser) -> TestResponse:
    """Two keys, and signed in by the one that goes."""
    first = _two_keys(browser)
    browser.step("sign-out")
    browser.password()
    browser.prove(first)
    answer = _remove_first(browser)
    assert browser.state == "anonymous"
    return answer


def _two_keys(browser: Browser) -> SoftwareKey:
    """Enrol two keys in one sitting; the first of them."""
    first = SoftwareKey(BASE_URL)
    browser.activate()
    browser.add_key(first, "First key")
    browser.add_key(label="Second key")
    return first


def _remove_first(browser: Browser) -> TestResponse:
    rows = browser.api("GET", "authenticators").json["authenticators"]
    (gone,) = [row["id"] for row in rows if row["label"] == "First key"]
    return browser.step("authenticators", action="remove", id=gone)


def _renewed_too_often(portal: Portal, browser: Browser) -> TestResponse:
    _codes(portal, browser)
    for _ in range(10):
        browser.api("POST", "recovery/renew")
    return browser.step("authenticators", action="renew")


def _key_alone(portal: Portal, browser: Browser) -> TestResponse:
    """On the way to a page that an app's code does not open."""
    _three_ways(portal, browser)
    browser.step("sign-out")
    browser.get("/safe")
    browser.password()
    return browser.get("/mfa/challenge")


def _after(*steps: Callable[[Portal, Browser], Any]) -> Show:
    def show(portal: Portal, browser: Browser) -> TestResponse:
        answer: Any = None
        for step in steps:
            answer = step(portal, browser)
        assert isinstance(answer, TestResponse)
        return answer

    return show


PAGES: dict[str, tuple[int, Show]] = {
    "challenge": (
        200,
        _after(lambda p, b: p.enrolled(), lambda p, b: b.password(), lambda p, b: b.get("/mfa/challenge")),
    ),
    "challenge, wrong code": (
        422,
        _after(lambda p, b: p.enrolled(), lambda p, b: b.password(), lambda p, b: b.step("challenge", code="000000")),
    ),
    "challenge, too many": (
        429,
        _after(
            lambda p, b: p.enrolled(),
            lambda p, b: b.password(),
            *[lambda p, b: b.step("challenge", code="000000")] * 4,
        ),
    ),
    "step-up with a kept form": (401, _step_up),
    "kept form": (200, _resume),
    "activation": (200, _after(lambda p, b: b.password(), lambda p, b: b.get("/mfa/activate"))),
    "activation, wrong code": (422, _after(lambda p, b: b.password(), lambda p, b: b.step("activate", code="ABCD"))),
    "enrolment": (200, _after(lambda p, b: b.activate(), lambda p, b: b.get("/mfa/enrol"))),
    "enrolment, picture": (200, scan),
    "enrolment, wrong code": (422, retype),
    "enrolment, gone": (409, _begin_again),
    "sign out": (200, _after(lambda p, b: b.sign_in(p.enrolled()), lambda p, b: b.get("/mfa/sign-out"))),
    "signed out": (200, _after(lambda p, b: b.sign_in(p.enrolled()), lambda p, b: b.step("sign-out"))),
    "sign out, nobody there": (200, _after(lambda p, b: b.get("/mfa/sign-out"))),
    "recovery codes": (200, _codes),
    "challenge, a key first": (
        200,
        _after(lambda p, b: p.key(), lambda p, b: b.password(), lambda p, b: b.get("/mfa/challenge")),
    ),
    "challenge, three ways": (200, _three_ways),
    "challenge, the key alone": (200, _key_alone),
    "challenge, wrong key": (
        422,
        _after(
            lambda p, b: p.key(),
            lambda p, b: b.password(),
            lambda p, b: b.step("challenge", method="webauthn", answer="{}"),
        ),
    ),
    "challenge, wrong recovery code": (
        422,
        _after(_three_ways, lambda p, b: b.step("challenge", method="recovery", code="0000-0000-0000-0000")),
    ),
    "own authenticators": (200, _after(_codes, lambda p, b: b.get("/mfa/authenticators"))),
    "own authenticators, one more": (200, _after(_codes, lambda p, b: b.get("/mfa/enrol"))),
    "own authenticators, removed": (200, _removed),
    "own authenticators, renewed too often": (429, _renewed_too_often),
    "signed out by removing": (200, _removed_own),
    "activation beside a proof": (
        200,
        _after(lambda p, b: b.sign_in(p.enrolled()), lambda p, b: b.get("/mfa/activate")),
    ),
    "no suitable method": (403, _after(lambda p, b: b.sign_in(p.enrolled()), lambda p, b: b.get("/safe"))),
    "forged": (403, _after(lambda p, b: b.password(), lambda p, b: b.post("/mfa/activate", {"code": "x"}))),
}


def show(name: str, portal: Portal, browser: Browser) -> TestResponse:
    status, shown = PAGES[name]
    answer = shown(portal, browser)
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "text/html"
    return answer
