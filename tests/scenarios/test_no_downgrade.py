"""No downgrade and no creeping up (P4): where a key is asked for nothing weaker serves; only a code raises levels."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from mfa_gate import AttestationPolicy, Level
from mfa_gate.testing import SoftwareKey
from mfa_gate.testing.software_key import to_text
from mfa_gate.testing.software_maker import Maker
from tests.support.html_page import Page
from tests.support.owners import (
    add_app,
    authenticators,
    by_app,
    by_code,
    by_key,
    client_at_login,
    enrol,
    prove_on_page,
    redeem,
    said,
    with_codes,
)
from tests.support.portal import BASE_URL, JSON, Browser, MakePortal, Portal, hidden

PHR_600 = 'Bearer error="insufficient_user_authentication", acr_values="phr", max_age="600"'
pytestmark = pytest.mark.parametrize("backend", ["sqlite"])


def offered(answer: Any) -> set[str]:
    """The methods that a challenge page has a form for."""
    return {str(field["value"]) for field in Page(answer.text).of("input") if field["name"] == "method"}


Stand = Callable[[Portal, str, SoftwareKey, str], Browser]


def in_by_app(portal: Portal, secret: str, key: SoftwareKey, code: str) -> Browser:
    return by_app(portal, secret)


def in_by_code(portal: Portal, secret: str, key: SoftwareKey, code: str) -> Browser:
    return by_code(portal, code)


def in_to_replace(portal: Portal, secret: str, key: SoftwareKey, code: str) -> Browser:
    browser = by_code(portal, code)
    assert redeem(browser).status_code == 200
    return browser


def in_by_old_key(portal: Portal, secret: str, key: SoftwareKey, code: str) -> Browser:
    browser = by_key(portal, key)
    portal.clock.advance(600)
    return browser


STANDS = pytest.mark.parametrize(
    "stand",
    [in_by_app, in_by_code, in_to_replace, in_by_old_key],
    ids=["app", "recovery", "recovery and activation", "old key"],
)


def standing(portal: Portal, stand: Stand) -> tuple[Browser, str, SoftwareKey, str]:
    """Somebody who has an app, a key and recovery codes, signed in so; a recovery code is left."""
    secret, key = enrol(portal, "app", "key")
    first, second = with_codes(portal)
    return stand(portal, secret, key, first), secret, key, second


# --- what is offered -------------------------------------------------------------------------------------------------


@STANDS
def test_the_challenge_for_a_sure_page_offers_the_key_alone(portal: Portal, stand: Stand) -> None:
    browser, _, key, _ = standing(portal, stand)
    asked = browser.get("/safe")
    assert (asked.status_code, asked.location) == (303, f"{BASE_URL}/mfa/challenge")
    challenge = browser.get("/mfa/challenge")
    assert offered(challenge) == {"webauthn"}
    assert 'name="code"' not in challenge.text
    proven = prove_on_page(browser, key)
    assert (proven.status_code, proven.location) == (303, f"{BASE_URL}/safe")
    assert browser.get("/safe").text == "safe form"


@STANDS
def test_a_program_is_told_the_level_and_the_age(portal: Portal, stand: Stand) -> None:
    browser, _, key, _ = standing(portal, stand)
    answer = browser.get("/safe", headers=JSON)
    assert said(answer) == (401, "step_up_required")
    assert answer.headers["WWW-Authenticate"] == PHR_600
    assert browser.prove(key).status_code == 200
    assert browser.get("/safe", headers=JSON).text == "safe form"


def test_where_mfa_is_enough_every_way_is_offered(portal: Portal) -> None:
    """So that the tests above do not pass because nothing is ever offered."""
    secret, _ = enrol(portal, "app", "key")
    with_codes(portal)
    assert offered(client_at_login(portal).get("/mfa/challenge")) == {"webauthn", "totp", "recovery"}
    browser = by_app(portal, secret)
    portal.clock.advance(600)
    browser.get("/bank")
    assert offered(browser.get("/mfa/challenge")) == {"webauthn", "totp", "recovery"}


@STANDS
@pytest.mark.parametrize("wrong", ["another's key", "nonsense", "an app's code", "a recovery code"])
def test_after_a_wrong_answer_the_key_alone_is_offered_again(portal: Portal, stand: Stand, wrong: str) -> None:
    browser, _, _, _ = standing(portal, stand)
    browser.get("/safe")
    fields = {
        "another's key": {"method": "webauthn", "answer": _by_another(browser)},
        "nonsense": {"method": "webauthn", "answer": "{}"},
        "an app's code": {"method": "totp", "code": "000000"},
        "a recovery code": {"method": "recovery", "code": "0000-0000-0000-0000"},
    }[wrong]
    again = browser.step("challenge", **fields)
    assert again.status_code == 422
    assert offered(again) == {"webauthn"}
    assert 'role="alert"' in again.text


def _by_another(browser: Browser) -> str:
    """What a key answers that is not enrolled here."""
    options = browser.api("POST", "webauthn/verify/begin").json
    stranger = SoftwareKey(BASE_URL)
    id_, _ = stranger.make("portal.example", b"x" * 32, b"\0" * 32)
    options["allowCredentials"] = [{"id": to_text(id_), "type": "public-key"}]
    return json.dumps(stranger.assert_(options))


# --- what is posted all the same -------------------------------------------------------------------------------------


@STANDS
@pytest.mark.parametrize("method", ["totp", "recovery"])
@pytest.mark.parametrize("over", ["the page", "the API"])
def test_a_weaker_proof_that_is_posted_all_the_same_opens_nothing(
    portal: Portal, stand: Stand, method: str, over: str
) -> None:
    """A relay that shows a form of its own for the app's code: what it sends is good, and not good enough."""
    browser, secret, _, code = standing(portal, stand)
    browser.get("/safe")
    portal.clock.advance(30)
    typed = portal.code(secret) if method == "totp" else code
    if over == "the page":
        answer = browser.step("challenge", method=method, code=typed)
        assert answer.status_code == 303
    else:
        assert browser.api("POST", f"{method}/verify", {"code": typed}).status_code == 200
    assert said(browser.get("/safe", headers=JSON)) == (401, "step_up_required")
    asked = browser.get("/safe")
    assert (asked.status_code, asked.location) == (303, f"{BASE_URL}/mfa/challenge")
    assert offered(browser.get("/mfa/challenge")) == {"webauthn"}


def test_a_fresh_weak_proof_does_not_make_an_old_strong_one_young(portal: Portal) -> None:
    """The level comes from the key, the age from the code: together they are no proof by a key of now."""
    browser, secret, key, code = standing(portal, in_by_old_key)
    for path, typed in (("totp", portal.code(secret)), ("recovery", code)):
        assert browser.api("POST", f"{path}/verify", {"code": typed}).status_code == 200
    session = browser.api("GET", "session").json
    assert (session["level"], session["authenticated_at"]) == ("PHISHING_RESISTANT", portal.clock())
    assert said(browser.get("/safe", headers=JSON)) == (401, "step_up_required")
    assert browser.prove(key).status_code == 200
    assert browser.get("/safe").text == "safe form"


# --- a form that came too late ---------------------------------------------------------------------------------------


@STANDS
def test_a_kept_form_of_a_sure_page_asks_for_the_key_alone_after_a_failed_try_too(portal: Portal, stand: Stand) -> None:
    browser, _, key, _ = standing(portal, stand)
    asked = browser.post("/safe", {"iban": "FR76"})
    assert asked.status_code == 401
    assert offered(asked) == {"webauthn"}
    sealed = hidden(asked, "sealed_form")
    for fields in ({"method": "webauthn", "answer": "{}"}, {"method": "totp", "code": "000000"}):
        again = browser.step("challenge", sealed_form=sealed, **fields)
        assert again.status_code == 422
        assert offered(again) == {"webauthn"}
        assert hidden(again, "sealed_form") == sealed
    resume = prove_on_page(browser, key, sealed_form=sealed)
    assert hidden(resume, "iban") == "FR76"
    assert browser.post("/safe", {"iban": "FR76"}).text == "safe {'iban': 'FR76'}"


@pytest.mark.parametrize("method", ["totp", "recovery"])
def test_a_kept_form_that_comes_back_by_a_weaker_proof_is_not_taken(portal: Portal, method: str) -> None:
    browser, secret, _, code = standing(portal, in_by_app)
    sealed = hidden(browser.post("/safe", {"iban": "FR76"}), "sealed_form")
    typed = portal.code(secret) if method == "totp" else code
    browser.step("challenge", method=method, code=typed, sealed_form=sealed)
    late = browser.post("/safe", {"iban": "FR76"})
    assert late.status_code == 401
    assert offered(late) == {"webauthn"}


# --- an account without a key ----------------------------------------------------------------------------------------


def test_an_account_without_a_key_is_told_what_is_missing_and_how_to_get_it(portal: Portal) -> None:
    (secret,) = enrol(portal, "app")
    with_codes(portal)
    browser = by_app(portal, secret)
    told = browser.get("/safe", headers=JSON)
    assert said(told) == (403, "no_suitable_method")
    assert told.mimetype == "application/problem+json"
    for answer in (browser.get("/safe"), browser.post("/safe", {"iban": "FR76"})):
        page = Page(answer.text)
        assert answer.status_code == 403
        assert "no_suitable_method" in page.visible
        assert page.of("input") == []
        assert "/mfa/authenticators" in [link["href"] for link in page.of("a")]
    assert browser.state == "signed_in"


def test_a_portal_without_keys_shows_no_way_to_one(make: MakePortal) -> None:
    portal = make(MFA_GATE_METHODS=["totp", "recovery"])
    (secret,) = enrol(portal, "app")
    page = Page(by_app(portal, secret).get("/safe").text)
    assert "no_suitable_method" in page.visible
    assert "/mfa/authenticators" not in [link["href"] for link in page.of("a")]


def test_whoever_signs_in_by_an_app_on_the_way_to_a_sure_page_is_let_in_and_told_there(portal: Portal) -> None:
    (secret,) = enrol(portal, "app")
    browser = portal.browser()
    assert browser.get("/safe").location == f"{BASE_URL}/login"
    browser.password()
    assert offered(browser.get("/mfa/challenge")) == {"totp"}
    proven = browser.step("challenge", code=portal.code(secret))
    assert (proven.status_code, proven.location) == (303, f"{BASE_URL}/safe")
    assert browser.get("/safe").status_code == 403
    assert browser.get("/").text == "home of anne"


def test_whoever_has_a_key_is_offered_it_alone_on_the_way_to_a_sure_page(portal: Portal) -> None:
    _, key = enrol(portal, "app", "key")
    with_codes(portal)
    browser = portal.browser()
    browser.get("/safe")
    browser.password()
    assert offered(browser.get("/mfa/challenge")) == {"webauthn"}
    assert prove_on_page(browser, key).location == f"{BASE_URL}/safe"
    assert browser.get("/safe").text == "safe form"


# --- creeping up: in the activation session --------------------------------------------------------------------------


def add(browser: Browser, kind: str) -> tuple[int, str | None]:
    return said(add_app(browser) if kind == "app" else browser.add_key())


@pytest.mark.parametrize("kinds", [("app", "key"), ("key", "app"), ("key", "key"), ("app", "app", "key")], ids="-".join)
def test_one_activation_code_enrols_as_many_as_are_at_hand(portal: Portal, kinds: tuple[str, ...]) -> None:
    browser = portal.browser()
    browser.activate()
    for kind in kinds:
        portal.clock.advance(299)
        assert add(browser, kind) == (200, None)
    assert len(authenticators(portal)) == len(kinds)
    assert portal.sql("SELECT id FROM mfa_activations") == []  # spent with the first


@pytest.mark.parametrize(("second", "answer"), [(-1, (200, None)), (0, (401, "activation_required"))])
def test_the_second_one_is_within_the_half_hour_of_the_code(
    portal: Portal, second: int, answer: tuple[int, str | None]
) -> None:
    browser = portal.browser()
    browser.activate()
    began = portal.clock()
    begun = browser.begin_enrolment()
    assert browser.confirm(begun).status_code == 200
    portal.clock.advance(began + 1800 + second - portal.clock())
    assert browser.api("POST", "totp/verify", {"code": portal.code(begun["secret"])}).status_code == 200
    assert add(browser, "key") == answer


def test_the_page_suggests_a_second_one(portal: Portal, browser: Browser) -> None:
    browser.activate()
    start = Page(browser.get("/mfa/enrol").text)
    assert "deux clés" in start.visible
    assert {form.get("data-mfa-webauthn") for form in start.of("form")} == {None, "create"}
    scan = browser.step("enrol", action="begin")
    secret = re.search("secret=([A-Z2-7]{32})", scan.text).group(1)  # type: ignore[union-attr]
    done = browser.step("enrol", action="complete", enrolment=hidden(scan, "enrolment"), code=portal.code(secret))
    assert "/mfa/enrol" in [link["href"] for link in Page(done.text).of("a")]
    assert browser.get("/mfa/enrol").status_code == 200


# --- creeping up: later ----------------------------------------------------------------------------------------------


@pytest.mark.abuse("A56")
def test_an_app_account_adds_a_key_with_its_code_and_a_new_activation_code_and_not_with_one_of_them(
    portal: Portal,
) -> None:
    (secret,) = enrol(portal, "app")
    with_codes(portal)
    browser = by_app(portal, secret)
    assert add(browser, "key") == (401, "activation_required")
    portal.clock.advance(300)
    code = portal.activation_code()
    assert said(redeem(browser, code)) == (401, "step_up_required")
    assert add(browser, "key") == (401, "step_up_required")
    assert browser.api("POST", "totp/verify", {"code": portal.code(secret)}).status_code == 200
    assert add(browser, "key") == (401, "activation_required")
    assert redeem(browser, code).status_code == 200
    portal.clock.advance(300)
    assert add(browser, "key") == (401, "step_up_required")
    assert browser.api("POST", "totp/verify", {"code": portal.code(secret)}).status_code == 200
    assert add(browser, "key") == (200, None)
    assert browser.get("/safe").text == "safe form"


@pytest.mark.parametrize("kind", ["key", "app"])
def test_an_account_with_a_key_adds_another_one_or_an_app_by_its_key_alone(portal: Portal, kind: str) -> None:
    (key,) = enrol(portal, "key")
    with_codes(portal)
    assert add(by_key(portal, key), kind) == (200, None)
    assert len(authenticators(portal)) == 2


@pytest.mark.abuse("A56")
def test_an_unattested_passkey_does_not_make_a_key_of_hardware(make: MakePortal) -> None:
    """What would lift the highest level asks for an activation code, however strong the proof at hand."""
    (passkey,) = enrol(make(), "key")
    maker = Maker()
    portal = make(attestation=AttestationPolicy({"packed": (maker.root,)}))
    with_codes(portal)
    browser = by_key(portal, passkey)
    hardware = SoftwareKey(BASE_URL, maker=maker)
    assert said(browser.add_key(hardware)) == (401, "activation_required")
    assert add(browser, "app") == (200, None)  # this lifts nothing
    assert redeem(browser).status_code == 200
    assert browser.add_key(hardware).status_code == 200
    assert browser.api("GET", "session").json["level"] == Level.HARDWARE.name
