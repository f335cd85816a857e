"""A step that is sent twice, by a double click or on a bad line: the person is in once, and nothing is lost."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from werkzeug.test import TestResponse

from mfa_gate import Level
from mfa_gate.flows.sent_twice import WINDOW
from mfa_gate.testing import SoftwareKey
from tests.support.portal import BASE_URL, JSON, KEYS, Browser, MakePortal, Portal
from tests.support.web import STEPS, Step

# every step that gives the session another id
ELEVATES = [
    step
    for step in STEPS
    if step.name.replace(" page", "").removeprefix("api ")
    in {
        *("challenge", "activation", "confirmation", "recovery", "key", "new key"),
        *("totp/verify", "activation/verify", "totp/enrol/complete", "recovery/verify"),
        *("webauthn/verify/complete", "webauthn/enrol/complete"),
    }
]
LEVELS = "SELECT sign_in, level, proofs FROM mfa_sessions ORDER BY sign_in"
FAILED = "SELECT count(*) FROM mfa_events WHERE outcome = 'failure'"
COUNTED = "SELECT coalesce(sum(streak), 0) FROM mfa_counters"


def device_of(browser: Browser) -> str | None:
    name = browser.portal.gate_settings.device_cookie_name
    cookie = browser.client.get_cookie(name, domain="portal.example")
    return cookie.value if cookie else None


def send_code(browser: Browser, code: str, token: str, **fields: str) -> TestResponse:
    return browser.post("/mfa/challenge", {"csrf_token": token, "code": code, **fields})


def in_by(portal: Portal, code: str, browser: Browser) -> tuple[Browser, str]:
    """A browser that has signed in by this code, its copy of a moment before being what is returned, and the token."""
    browser.password()
    before, token = browser.copy(), browser.token
    assert send_code(browser, code, token).status_code == 303
    return before, token


@pytest.mark.abuse("A68")
@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize("step", ELEVATES, ids=lambda step: step.name)
def test_the_second_answer_to_a_step_leads_where_the_first_one_does(portal: Portal, step: Step) -> None:
    """It brings the cookies of before; the browser may keep either answer, or lose the first one."""
    browser = portal.browser()
    fields = step.fields(portal, browser)
    again, token = browser.copy(), browser.token
    first = step.send(browser, token, **step.packed(fields))
    after = portal.sql(LEVELS), portal.sql(FAILED), portal.sql(COUNTED), portal.events()
    second = step.send(again, token, **step.packed(fields))
    if first.status_code != 200 or "codes" not in first.text:  # which are told once
        assert (second.status_code, second.headers.get("Location")) == (
            first.status_code,
            first.headers.get("Location"),
        )
    assert second.status_code in (200, 303)
    assert (portal.sql(LEVELS), portal.sql(FAILED), portal.sql(COUNTED), portal.events()) == after
    assert again.gate_cookie == browser.gate_cookie
    assert again.state == browser.state in ("signed_in", "enrolling")
    if browser.state == "signed_in":
        assert again.get("/").text == browser.get("/").text == "home of anne"
        assert device_of(again) == device_of(browser)


@pytest.mark.abuse("A68")
@pytest.mark.parametrize("step", ELEVATES[:1], ids=lambda step: step.name)
def test_a_key_that_is_rotated_in_between_makes_no_difference(make: MakePortal, step: Step) -> None:
    portal = make()
    browser = portal.browser()
    fields = step.fields(portal, browser)
    again, token = browser.copy(), browser.token
    step.send(browser, token, **step.packed(fields))
    again = again.on(make(MFA_GATE_KEYS=f"later:{'B' * 43},{KEYS}"))
    assert step.send(again, token, **step.packed(fields)).headers["Location"] == f"{BASE_URL}/"
    assert again.get("/").text == "home of anne"


@pytest.mark.abuse("A68")
def test_a_double_click_in_a_step_up_stays_in(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    browser.sign_in(secret)
    portal.clock.advance(900)
    asked = browser.get("/bank")
    assert asked.status_code == 303
    before, token, code = browser.copy(), browser.token, portal.code(secret)
    for one in (browser, before):
        assert send_code(one, code, token).headers["Location"] == f"{BASE_URL}/bank"
        assert one.get("/bank").text == "bank form"
    assert portal.opened == ["anne"], "the portal's own session was there all the time"
    assert portal.events().count(("second_factor", "success", None)) == 2


@pytest.mark.abuse("A68")
def test_a_form_that_comes_with_the_newest_cookie_and_the_code_of_it_leads_on(portal: Portal, browser: Browser) -> None:
    """The first answer was there before the second click."""
    secret = portal.enrolled()
    portal.clock.advance(30)
    code = portal.code(secret)
    _, token = in_by(portal, code, browser)
    cookie, before = browser.gate_cookie, (portal.sql(COUNTED), portal.events())
    assert send_code(browser, code, token).headers["Location"] == f"{BASE_URL}/"
    assert browser.gate_cookie == cookie
    assert (portal.sql(COUNTED), portal.events()) == before


@pytest.mark.abuse("A18")
def test_a_code_serves_no_proof_that_was_asked_for_after_it(portal: Portal, browser: Browser) -> None:
    view = portal.gate.require(Level.MFA, max_age=timedelta(seconds=10))(lambda: "quick")
    portal.app.add_url_rule("/quick", endpoint="quick", view_func=view)
    secret = portal.enrolled()
    portal.clock.advance(30)
    code = portal.code(secret)
    _, token = in_by(portal, code, browser)
    portal.clock.advance(12)
    assert browser.get("/quick").headers["Location"] == f"{BASE_URL}/mfa/challenge"
    assert send_code(browser, code, token).status_code == 422
    assert portal.events()[-1] == ("second_factor", "failure", "spent")


@pytest.mark.abuse("A18")
@pytest.mark.abuse("A68")
def test_a_spent_code_in_another_session_fails_and_counts(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    portal.clock.advance(30)
    code = portal.code(secret)
    in_by(portal, code, browser)
    thief = portal.browser("198.51.100.66")
    thief.password()
    before = portal.sql(COUNTED)[0][0]
    assert thief.step("challenge", code=code).status_code == 422
    assert portal.sql(COUNTED)[0][0] > before
    assert thief.state == "pending"


@pytest.mark.abuse("A24")
@pytest.mark.abuse("A68")
def test_an_earlier_cookie_without_the_code_opens_nothing_however_often_it_is_sent(
    portal: Portal, browser: Browser
) -> None:
    secret = portal.enrolled()
    portal.clock.advance(30)
    code = portal.code(secret)
    before, token = in_by(portal, code, browser)
    assert before.state == "anonymous"
    assert before.get("/", headers=JSON).status_code == 401
    for number in range(20):
        guess = f"{(int(code) + 1 + number) % 10**6:06d}"
        assert send_code(before, guess, token).headers["Location"] == f"{BASE_URL}/login"
    assert send_code(before, code, token).headers["Location"] == f"{BASE_URL}/login", "that was one guess too many"
    assert before.state == "anonymous"
    assert browser.get("/").text == "home of anne"


@pytest.mark.abuse("A24")
@pytest.mark.abuse("A68")
@pytest.mark.parametrize("what", ["elsewhere", "another browser", "later", "signed out", "locked", "stepped up"])
def test_an_earlier_cookie_with_the_code_opens_nothing(portal: Portal, browser: Browser, what: str) -> None:
    """Elsewhere, after a minute, after the session's end, or once it has another id again."""
    secret = portal.enrolled()
    portal.clock.advance(30)
    code = portal.code(secret)
    before, token = in_by(portal, code, browser)
    agent = {}
    if what == "elsewhere":
        before = before.copy("203.0.113.77")
    elif what == "another browser":
        agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"}
    elif what == "later":
        portal.clock.advance(WINDOW)
    elif what == "signed out":
        browser.step("sign-out")
    elif what == "locked":
        with portal.app.app_context():
            portal.gate.lock("anne", "test")
    else:
        portal.clock.advance(30)
        browser.step("challenge", code=portal.code(secret))
    answer = before.post("/mfa/challenge", {"csrf_token": token, "code": code}, headers=agent)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{BASE_URL}/login")
    assert "mfa" not in "".join(answer.headers.getlist("Set-Cookie"))
    assert before.state == "anonymous"


@pytest.mark.abuse("A50")
@pytest.mark.abuse("A68")
@pytest.mark.parametrize("forged", ["token", "origin"])
def test_another_site_leads_nobody_on(portal: Portal, browser: Browser, forged: str) -> None:
    secret = portal.enrolled()
    portal.clock.advance(30)
    code = portal.code(secret)
    before, token = in_by(portal, code, browser)
    origin = {"Origin": "https://evil.example"} if forged == "origin" else {}
    answer = before.post(
        "/mfa/challenge", {"csrf_token": "" if forged == "token" else token, "code": code}, headers=origin
    )
    assert answer.headers.get("Location") == f"{BASE_URL}/login"
    assert before.state == "anonymous"


@pytest.mark.abuse("A31")
def test_an_assertion_that_is_sent_twice_opens_no_other_session(portal: Portal, browser: Browser) -> None:
    key = portal.key()
    browser.password()
    answer = key.assert_(browser.api("POST", "webauthn/verify/begin").json)
    again = browser.copy()
    token = browser.token
    for one in (browser, again):
        sent = one.api("POST", "webauthn/verify/complete", answer, headers={"X-MFA-CSRF": token})
        assert sent.status_code == 200
    other = portal.browser()
    other.password()
    assert other.api("POST", "webauthn/verify/complete", answer).status_code == 422
    assert portal.events().count(("second_factor", "success", None)) == 1


@pytest.mark.abuse("A27")
def test_recovery_codes_are_told_in_one_of_both_answers(portal: Portal, browser: Browser) -> None:
    browser.activate()
    answer = SoftwareKey(BASE_URL).register(browser.api("POST", "webauthn/enrol/begin").json)
    again, token = browser.copy(), browser.token
    sent = [
        one.api("POST", "webauthn/enrol/complete", answer, headers={"X-MFA-CSRF": token}).json
        for one in (browser, again)
    ]
    assert [json.dumps(one).count("recovery_codes") for one in sent] == [1, 0]
    assert sent[0]["session"]["state"] == sent[1]["session"]["state"] == "signed_in"
