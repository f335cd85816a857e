"""Another site makes a browser send a request: no state-changing route of the gate listens (A50)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.support.portal import BASE_URL, PAGE, Browser, Portal
from tests.support.web import COUNTERS, STEPS, Step, posts_of_the_gate, rows

every_step = pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)

# what a browser says of where a request comes from
ELSEWHERE: dict[str, dict[str, str]] = {
    "another site": {"Origin": "https://evil.example"},
    "a sandboxed frame": {"Origin": "null"},
    "another port": {"Origin": "https://portal.example:8443"},
    "plain http": {"Origin": "http://portal.example"},
    "a subdomain": {"Origin": "https://blog.portal.example"},
    "the parent domain": {"Origin": "https://example"},
    "a name that begins alike": {"Origin": "https://portal.example.evil.example"},
    "a name that ends alike": {"Origin": "https://evilportal.example"},
    "two origins": {"Origin": f"{BASE_URL} https://evil.example"},
    "another site, shown by metadata": {"Sec-Fetch-Site": "cross-site", "Origin": ""},
    "the same site, shown by metadata": {"Sec-Fetch-Site": "same-site", "Origin": ""},
    "the right origin, but metadata that disagrees": {"Sec-Fetch-Site": "cross-site"},
}


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """Token and origin are checked before any store is asked; one test shows it on both."""
    return str(getattr(request, "param", "sqlite"))


def test_every_state_changing_route_is_tried_here(portal: Portal) -> None:
    assert posts_of_the_gate(portal.app) == {(f"mfa_gate.{step.endpoint}", step.path) for step in STEPS}


def forged(answer: TestResponse, step: Step) -> bool:
    """Whether an answer says that the request was forged, in the shape that its reader asked for."""
    if answer.status_code != 403:
        return False
    if step.page:
        return answer.mimetype == "text/html" and "<code>csrf</code>" in answer.text
    return answer.mimetype == "application/problem+json" and answer.json["code"] == "csrf"


def bodies(step: Step, fields: dict[str, str]) -> list[dict[str, Any]]:
    """The same fields as a form, as JSON, and as a page of another site sends JSON without a preflight."""
    text = json.dumps(fields)
    sent: list[dict[str, Any]] = [step.packed(fields), {"data": text, "content_type": "text/plain"}]
    return (
        sent if step.page else [*sent, {"json": fields}, {"data": text, "content_type": "application/csp-report+json"}]
    )


def refused_and_unchanged(
    step: Step, portal: Portal, browser: Browser, token: str | None, *headers: dict[str, str]
) -> None:
    """However the fields are packed, the step is not passed; sent by the page itself, it is."""
    fields = step.fields(portal, browser)
    token = browser.token if token is None else token
    before = rows(portal, COUNTERS)
    for more in headers or ({},):
        for body in bodies(step, fields):
            answer = step.send(browser, token, **body, headers=more)
            unread = body.get("content_type") == "text/plain" and answer.status_code == 400
            assert unread or forged(answer, step), (body, more, answer.status_code)
    assert rows(portal, COUNTERS) == before
    passed = step.send(browser, **step.packed(fields))
    assert passed.status_code in (200, 303), passed.text


@pytest.mark.abuse("A50")
@every_step
def test_a_request_from_elsewhere_is_refused_even_with_the_right_token(
    portal: Portal, browser: Browser, step: Step
) -> None:
    refused_and_unchanged(step, portal, browser, None, *ELSEWHERE.values())


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.abuse("A50")
@every_step
def test_a_request_without_a_token_is_refused(portal: Portal, browser: Browser, step: Step) -> None:
    refused_and_unchanged(step, portal, browser, "")


@pytest.mark.abuse("A50")
@every_step
def test_a_request_without_token_and_origin_is_refused(portal: Portal, browser: Browser, step: Step) -> None:
    """As an old browser or a proxy that strips headers sends it."""
    refused_and_unchanged(step, portal, browser, "", {"Origin": ""})


@pytest.mark.abuse("A50")
@every_step
def test_the_token_of_somebody_else_is_refused(portal: Portal, browser: Browser, step: Step) -> None:
    thief = portal.browser("198.51.100.9")
    thief.password("bob")
    refused_and_unchanged(step, portal, browser, thief.token)


@pytest.mark.abuse("A50")
@every_step
def test_the_token_of_an_earlier_sign_in_is_refused(portal: Portal, browser: Browser, step: Step) -> None:
    browser.password()
    old = browser.token
    browser.step("sign-out")
    refused_and_unchanged(step, portal, browser, old)


@pytest.mark.abuse("A50")
@every_step
def test_a_token_that_was_made_up_is_refused(portal: Portal, browser: Browser, step: Step) -> None:
    fields = step.fields(portal, browser)
    right = browser.token
    before = rows(portal, COUNTERS)
    made_up = (
        "x",
        "test1.",
        "test1." + "0" * 64,
        right[:-1],
        right.upper(),
        right + "0",
        right.replace("test1", "test2"),
    )
    for token in (*made_up, "test1.\xe9", "\xe9.\xe9", "test1.\u2019", "\x00", "a" * 5000):
        for place in ("header", "field"):
            if (place == "header" and not token.isprintable()) or "\u2019" in token:
                continue
            if place == "field" and step.nested:
                continue
            answer = (
                step.send(browser, token, **step.packed(fields))
                if place == "header"
                else step.send(browser, "", data={**fields, "csrf_token": token})
            )
            assert forged(answer, step), (place, token, answer.status_code)
    assert rows(portal, COUNTERS) == before


@every_step
def test_a_second_tab_keeps_working_while_the_session_rises(portal: Portal, browser: Browser, step: Step) -> None:
    """The token is that of the sign-in: one that an earlier page of the same sign-in carried is good."""
    browser.password()
    assert browser.token
    fields = step.fields(portal, browser)
    early = browser.token
    browser.get("/mfa/challenge")
    assert step.send(browser, early, **step.packed(fields)).status_code in (200, 303)


@pytest.mark.abuse("A50")
@pytest.mark.parametrize("step", ["challenge", "activate", "enrol", "sign-out"])
def test_a_get_changes_nothing(portal: Portal, browser: Browser, step: str) -> None:
    """A link or an image on another site sends a GET, with the cookie."""
    secret = portal.enrolled()
    browser.sign_in(secret)
    before = rows(portal)
    for query in ("", "?code=000000", f"?action=begin&csrf_token={browser.token}"):
        browser.get(f"/mfa/{step}{query}")
        browser.open("HEAD", f"/mfa/{step}{query}")
    assert rows(portal) == before
    assert browser.state == "signed_in"


@pytest.mark.abuse("A50")
def test_the_cookies_are_lax_and_out_of_reach_of_scripts(portal: Portal, browser: Browser) -> None:
    portal.enrolled()
    answers = [browser.get("/patients/1"), browser.password()]
    cookies = [cookie for answer in answers for cookie in answer.headers.getlist("Set-Cookie") if "mfa-" in cookie]
    assert len(cookies) == 2
    for cookie in cookies:
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(re.split("; ?", cookie))
        assert cookie.startswith("__Host-")


# --- the person's own form, kept through a step-up -------------------------------------------------------------------


def stale(portal: Portal, browser: Browser) -> str:
    """Signed in, and too long ago for the bank details."""
    secret = portal.enrolled()
    browser.sign_in(secret)
    portal.clock.advance(601)
    return secret


@pytest.mark.abuse("A50")
def test_a_form_from_elsewhere_is_not_kept_through_the_step_up(portal: Portal, browser: Browser) -> None:
    stale(portal, browser)
    for where, said in ELSEWHERE.items():
        if "Origin" not in said:
            continue
        headers = {key: value for key, value in said.items() if value}
        answer = browser.open("POST", "/bank", data={"iban": "EVIL"}, headers=headers)
        assert answer.status_code in (303, 401), where
        assert 'name="sealed_form"' not in answer.text, where
        assert 'name="sealed_form"' not in browser.get("/mfa/challenge").text, where


@pytest.mark.abuse("A50")
def test_a_kept_form_of_somebody_else_is_not_sent(portal: Portal, browser: Browser) -> None:
    secret = stale(portal, browser)
    thief = portal.browser("198.51.100.9")
    thief.sign_in(portal.enrolled("bob"), "bob")
    portal.clock.advance(601)
    browser.get("/")
    page = thief.post("/bank", {"iban": "EVIL"})
    sealed = re.search(r'name="sealed_form" value="([^"]+)"', page.text)
    assert sealed is not None
    answer = browser.step("challenge", code=portal.code(secret), sealed_form=sealed.group(1))
    assert answer.location == f"{BASE_URL}/"
    assert "EVIL" not in answer.text


@pytest.mark.abuse("A50")
def test_the_kept_form_is_shown_only_after_the_proof_and_sent_only_by_the_person(
    portal: Portal, browser: Browser
) -> None:
    secret = stale(portal, browser)
    page = browser.post("/bank", {"iban": "FR76 & co", "tick": ["a", "b"]})
    assert page.status_code == 401
    assert "FR76" not in page.text
    sealed = re.search(r'name="sealed_form" value="([^"]+)"', page.text)
    assert sealed is not None
    wrong = browser.step("challenge", code="000000", sealed_form=sealed.group(1))
    assert "FR76" not in wrong.text
    assert sealed.group(1) in wrong.text
    resume = browser.step("challenge", code=portal.code(secret), sealed_form=sealed.group(1))
    assert resume.status_code == 200
    assert f'action="{BASE_URL}/bank"' in resume.text
    assert 'name="iban" value="FR76 &amp; co"' in resume.text
    assert resume.text.count('name="tick"') == 2
    sent = browser.post("/bank", {"iban": "FR76 & co", "tick": ["a", "b"]})
    assert sent.text == "bank {'iban': ['FR76 & co'], 'tick': ['a', 'b']}"


def test_pages_of_the_gate_name_no_other_target_for_their_forms(portal: Portal, browser: Browser) -> None:
    portal.enrolled()
    browser.password()
    for headers in (PAGE, {**PAGE, "Referer": "https://evil.example/"}):
        page = browser.get("/mfa/challenge", headers=headers).text
        assert re.findall(r'<form[^>]* action="([^"]*)"', page) == ["/mfa/challenge"]
