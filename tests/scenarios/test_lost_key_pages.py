"""A lost key, on the pages: what the challenge offers to whom, and the way through it to a new key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape

import pytest
from werkzeug.test import TestResponse

from mfa_gate.testing import SoftwareKey
from tests.support.html_page import Page
from tests.support.owners import (
    PAGE_REMOVE,
    PAGE_RENAME,
    PAGE_RENEW,
    Change,
    authenticators,
    by_app,
    by_code,
    by_key,
    enrol,
    everything,
    id_of,
    id_of_key,
    named,
    recovery_hashes,
    redeem,
    with_codes,
)
from tests.support.portal import BASE_URL, Browser, Portal, hidden

pytestmark = pytest.mark.parametrize("backend", ["sqlite"])

SIX_MINUTES = 360
KEY_ALONE = ["webauthn"]
KEY_OR_PAPER = ["webauthn", "recovery"]
ALL = ["webauthn", "totp", "recovery"]


def offered(challenge: TestResponse) -> list[str]:
    """The ways that a challenge has a form for, in their order."""
    page = Page(challenge.text)
    assert challenge.status_code in (200, 401, 422), challenge
    return [str(field["value"]) for field in page.of("input") if field.get("name") == "method"]


def asked(browser: Browser) -> TestResponse:
    return browser.get("/mfa/challenge")


def lost(portal: Portal) -> tuple[SoftwareKey, tuple[str, ...]]:
    """Anne has an app, a key that she no longer finds, and three recovery codes."""
    _, key = enrol(portal, "app", "key")
    return key, with_codes(portal, count=3)


def enrol_on_page(browser: Browser, key: SoftwareKey) -> TestResponse:
    """Set a key up as the page's script does."""
    made = key.register(browser.api("POST", "webauthn/enrol/begin").json)
    return browser.step("enrol", action="webauthn", answer=json.dumps(made), label="New key")


def held_by(challenge: TestResponse) -> dict[str, str]:
    return {"sealed_form": hidden(challenge, "sealed_form")}


def kept_and_sent(browser: Browser, resume: TestResponse) -> TestResponse:
    """Press the button of the page that gives a kept form back; the answer to the form."""
    assert resume.status_code == 200
    page = Page(resume.text)
    (form,) = page.of("form")
    fields = {str(field["name"]): field["value"] for field in page.of("input")}
    return browser.post(str(form["action"]).removeprefix(BASE_URL), fields)


# --- who came by a recovery code -------------------------------------------------------------------------------------


def test_the_whole_way_from_a_lost_key_to_a_new_one(portal: Portal) -> None:
    """She signs in, calls the help desk, and is asked again by the time she has the activation code."""
    gone, (first, second, _) = lost(portal)
    browser = portal.browser()
    browser.password()
    signed_in = browser.step("challenge", method="recovery", code=first)
    assert (signed_in.status_code, signed_in.location) == (303, f"{BASE_URL}/")
    portal.clock.advance(SIX_MINUTES)
    code = portal.activation_code()
    late = browser.step("activate", code=code)
    assert (late.status_code, late.location) == (303, f"{BASE_URL}/mfa/challenge")
    assert offered(asked(browser)) == KEY_OR_PAPER
    proven = browser.step("challenge", method="recovery", code=second)
    assert (proven.status_code, proven.location) == (303, f"{BASE_URL}/mfa/activate")
    assert browser.get("/mfa/activate").status_code == 200
    redeemed = browser.step("activate", code=code)  # the same: it was not spent by coming too late
    assert (redeemed.status_code, redeemed.location) == (303, f"{BASE_URL}/mfa/authenticators")
    assert browser.get("/mfa/authenticators").status_code == browser.get("/mfa/enrol").status_code == 200
    new = SoftwareKey(BASE_URL)
    added = enrol_on_page(browser, new)
    assert (added.status_code, added.location) == (303, f"{BASE_URL}/mfa/authenticators")
    removed = browser.step("authenticators", action="remove", id=id_of_key(portal, gone))
    assert removed.status_code == 200
    assert [label for _, method, label in authenticators(portal) if method == "pop"] == ["New key"]
    assert len(recovery_hashes(portal)) == 1
    assert browser.get("/safe").text == by_key(portal, new).get("/safe").text == "safe form"


BEGIN: dict[str, Callable[[Browser], TestResponse]] = {
    "the page of another one": lambda browser: browser.get("/mfa/enrol"),
    "its form": lambda browser: browser.step("enrol", action="begin"),
    "the activation code": lambda browser: browser.step("activate", code=browser.portal.activation_code()),
}
begin = pytest.mark.parametrize("name", BEGIN)


@begin
def test_before_an_activation_code_was_redeemed_another_recovery_code_is_offered(portal: Portal, name: str) -> None:
    _, (first, second, _) = lost(portal)
    browser = by_code(portal, first)
    portal.clock.advance(SIX_MINUTES)
    sent_on = BEGIN[name](browser)
    assert (sent_on.status_code, sent_on.location) == (303, f"{BASE_URL}/mfa/challenge")
    assert offered(asked(browser)) == KEY_OR_PAPER
    assert browser.step("challenge", method="recovery", code=second).status_code == 303
    # from here the activation code is what is missing, and nothing else
    assert browser.get("/mfa/enrol").location == f"{BASE_URL}/mfa/activate"
    assert redeem(browser).status_code == 200
    assert browser.get("/mfa/enrol").status_code == 200


@pytest.mark.parametrize("change", [PAGE_REMOVE, PAGE_RENEW], ids=named)
def test_a_change_that_came_too_late_is_kept_beside_the_offer_of_another_recovery_code(
    portal: Portal, change: Change
) -> None:
    gone, (first, second, _) = lost(portal)
    browser = by_code(portal, first)
    assert redeem(browser).status_code == 200
    portal.clock.advance(SIX_MINUTES)
    before = everything(portal)
    challenge = change.send(browser, id_of_key(portal, gone))
    assert challenge.status_code == 401
    assert offered(challenge) == KEY_OR_PAPER
    assert everything(portal) == before
    resume = browser.step("challenge", method="recovery", code=second, **held_by(challenge))
    assert kept_and_sent(browser, resume).status_code == 200
    assert everything(portal) != before


def test_a_wrong_recovery_code_does_not_take_the_offer_away(portal: Portal) -> None:
    gone, (first, second, _) = lost(portal)
    browser = by_code(portal, first)
    assert redeem(browser).status_code == 200
    portal.clock.advance(SIX_MINUTES)
    challenge = PAGE_REMOVE.send(browser, id_of_key(portal, gone))
    wrong = browser.step("challenge", method="recovery", code="0000-0000-0000-0000", **held_by(challenge))
    assert wrong.status_code == 422
    assert offered(wrong) == KEY_OR_PAPER
    assert browser.step("challenge", method="recovery", code=second, **held_by(wrong)).status_code == 200


def test_no_recovery_code_is_spent_on_a_name_in_vain(portal: Portal) -> None:
    """Where one is offered, the change goes through by it and an activation code: no third one is asked for."""
    gone, (first, second, _) = lost(portal)
    browser = by_code(portal, first)
    portal.clock.advance(SIX_MINUTES)
    challenge = PAGE_RENAME.send(browser, id_of_key(portal, gone))
    assert offered(challenge) == KEY_OR_PAPER
    sent = kept_and_sent(browser, browser.step("challenge", method="recovery", code=second, **held_by(challenge)))
    assert (sent.status_code, sent.location) == (303, f"{BASE_URL}/mfa/activate")
    browser.step("activate", code=portal.activation_code())
    assert PAGE_RENAME.send(browser, id_of_key(portal, gone)).location == f"{BASE_URL}/mfa/authenticators"
    assert [label for _, method, label in authenticators(portal) if method == "pop"] == ["Mine now"]
    assert len(recovery_hashes(portal)) == 1


@pytest.mark.parametrize("age", [0, SIX_MINUTES])
def test_a_page_of_the_portal_that_asks_for_a_key_is_offered_the_key_alone(portal: Portal, age: int) -> None:
    _, (first, *_) = lost(portal)
    browser = by_code(portal, first)
    portal.clock.advance(age)
    assert browser.get("/safe").location == f"{BASE_URL}/mfa/challenge"
    assert offered(asked(browser)) == KEY_ALONE
    assert offered(browser.post("/safe", {"note": "x"})) == KEY_ALONE


@begin
def test_whoever_came_by_an_app_is_offered_the_key_alone(portal: Portal, name: str) -> None:
    """What a phishing relay can prove opens no way to a recovery code either."""
    secret, _ = enrol(portal, "app", "key")
    with_codes(portal)
    browser = by_app(portal, secret)
    assert BEGIN[name](browser).location == f"{BASE_URL}/mfa/challenge"
    assert offered(asked(browser)) == KEY_ALONE
    assert offered(PAGE_REMOVE.send(browser, id_of(portal, "pop"))) == KEY_ALONE


def test_whoever_came_by_the_last_recovery_code_is_not_offered_another(portal: Portal) -> None:
    enrol(portal, "app", "key")
    (only,) = with_codes(portal, count=1)
    browser = by_code(portal, only)
    portal.clock.advance(SIX_MINUTES)
    assert browser.get("/mfa/enrol").location == f"{BASE_URL}/mfa/challenge"
    assert offered(asked(browser)) == KEY_ALONE


# --- on the way to a page that asks for a key ------------------------------------------------------------------------

OTHER_WAY = {
    "anne": ("Je n’ai plus mon téléphone ou ma clé", "Me connecter autrement, sans la page demandée"),
    "bob": ("I no longer have my phone or my key", "Sign in another way, without the page that you wanted"),
}


def way_out(challenge: TestResponse, account: str = "anne") -> str | None:
    """Where the link leads that stands in the folded answer for who has lost something, if there is one."""
    summary, link = OTHER_WAY[account]
    folded = [text for text in re.findall(r"<details.*?</details>", challenge.text, re.DOTALL) if summary in text]
    assert len(folded) == 1
    assert challenge.text.count(link) == folded[0].count(link)
    found = re.search(rf'<a [^>]*href="([^"]*)"[^>]*>{link}</a>', folded[0])
    return unescape(found.group(1)) if found else None


def on_the_way_to(portal: Portal, path: str, account: str = "anne") -> Browser:
    """A browser that wanted a page, and has the right password typed."""
    browser = portal.browser()
    assert browser.get(path).location == f"{BASE_URL}/login"
    browser.password(account)
    return browser


@pytest.mark.parametrize("account", OTHER_WAY)
@pytest.mark.parametrize("by", ["app", "recovery code"])
def test_whoever_lost_the_key_on_the_way_to_a_page_that_asks_for_it_gets_in_by_another_way(
    portal: Portal, by: str, account: str
) -> None:
    secret, _ = enrol(portal, "app", "key", account=account)
    code, _ = with_codes(portal, account)
    browser = on_the_way_to(portal, "/safe", account)
    challenge = asked(browser)
    assert offered(challenge) == KEY_ALONE
    home = way_out(challenge, account)
    assert home == "/"
    sent_on = browser.get(home)
    assert (sent_on.status_code, sent_on.location) == (303, f"{BASE_URL}/mfa/challenge")
    challenge = asked(browser)
    assert offered(challenge) == ALL
    assert way_out(challenge, account) is None
    proof = {"code": portal.code(secret)} if by == "app" else {"method": "recovery", "code": code}
    proven = browser.step("challenge", **proof)
    assert (proven.status_code, proven.location) == (303, f"{BASE_URL}/")
    assert browser.get("/").text == f"home of {account}"
    # the page that was wanted asks for the key all the same
    assert browser.get("/safe").location == f"{BASE_URL}/mfa/challenge"
    assert offered(asked(browser)) == KEY_ALONE


def test_the_way_out_is_still_there_after_a_refused_key(portal: Portal) -> None:
    lost(portal)
    browser = on_the_way_to(portal, "/safe")
    refused = browser.step("challenge", method="webauthn", answer="{}")
    assert refused.status_code == 422
    assert (offered(refused), way_out(refused)) == (KEY_ALONE, "/")


@pytest.mark.parametrize("by", ["app", "recovery code"])
def test_in_a_step_up_there_is_no_way_out(portal: Portal, by: str) -> None:
    """Whoever is signed in already needs none: the home page is open."""
    secret, _ = enrol(portal, "app", "key")
    (code, _) = with_codes(portal)
    browser = by_app(portal, secret) if by == "app" else by_code(portal, code)
    assert browser.get("/safe").location == f"{BASE_URL}/mfa/challenge"
    for challenge in (asked(browser), browser.post("/safe", {"note": "x"})):
        assert (offered(challenge), way_out(challenge)) == (KEY_ALONE, None)


@pytest.mark.parametrize(
    ("have", "codes", "path", "ways"),
    [
        (("key",), 0, "/safe", KEY_ALONE),
        (("app",), 2, "/safe", ["totp", "recovery"]),
        (("app", "key"), 2, "/bank", ALL),
        (("app", "key"), 2, "/", ALL),
    ],
    ids=["a key alone", "no key at all", "a page at MFA", "home"],
)
def test_where_nothing_is_left_out_there_is_no_way_out(
    portal: Portal, have: tuple[str, ...], codes: int, path: str, ways: list[str]
) -> None:
    enrol(portal, *have)
    if codes:
        with_codes(portal)
    challenge = asked(on_the_way_to(portal, path))
    assert (offered(challenge), way_out(challenge)) == (ways, None)
