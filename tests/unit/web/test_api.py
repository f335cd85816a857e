"""The JSON API of the contract: every call by its documented shape."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.portal import BASE_URL, JSON, Browser, Portal

FIELDS = {"state", "account", "level", "methods", "authenticated_at", "allowed_methods", "csrf_token"}


def session(browser: Browser) -> dict[str, Any]:
    answer = browser.api("GET", "session")
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert set(answer.json) == FIELDS
    document: dict[str, Any] = answer.json
    return document


def without_token(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "csrf_token"}


# --- GET session -----------------------------------------------------------------------------------------------------


def test_session_of_nobody(browser: Browser) -> None:
    assert session(browser) == {
        "state": "anonymous",
        "account": None,
        "level": None,
        "methods": [],
        "authenticated_at": None,
        "allowed_methods": [],
        "csrf_token": None,
    }


def test_session_after_the_password_of_an_enrolled_account(portal: Portal, browser: Browser) -> None:
    portal.enrolled()
    browser.password()
    document = session(browser)
    assert re.fullmatch(r"test1\.[0-9a-f]{64}", document["csrf_token"])
    assert without_token(document) == {
        "state": "pending",
        "account": None,
        "level": "PASSWORD",
        "methods": ["pwd"],
        "authenticated_at": None,
        "allowed_methods": ["totp"],
    }


@pytest.mark.parametrize(("state", "redeemed"), [("activation", False), ("enrolling", True)])
def test_session_of_an_account_without_authenticator(
    portal: Portal, browser: Browser, state: str, redeemed: bool
) -> None:
    browser.activate() if redeemed else browser.password()
    document = session(browser)
    assert document["csrf_token"]
    assert without_token(document) == {
        "state": state,
        "account": None,
        "level": "PASSWORD",
        "methods": ["pwd"],
        "authenticated_at": None,
        "allowed_methods": [],
    }


def test_session_of_who_is_signed_in(portal: Portal, browser: Browser) -> None:
    browser.sign_in(portal.enrolled())
    document = session(browser)
    assert without_token(document) == {
        "state": "signed_in",
        "account": "anne",
        "level": "MFA",
        "methods": ["pwd", "otp"],
        "authenticated_at": portal.clock(),
        "allowed_methods": ["totp"],
    }


def test_looking_at_the_session_changes_nothing_and_needs_no_token(portal: Portal, browser: Browser) -> None:
    browser.sign_in(portal.enrolled())
    assert session(browser) == session(browser)


# --- verify ----------------------------------------------------------------------------------------------------------


def test_totp_verify_completes_a_sign_in(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    browser.password()
    answer = browser.api("POST", "totp/verify", {"code": portal.code(secret)})
    assert answer.status_code == 200
    assert answer.json == {"next": f"{BASE_URL}/", "session": session(browser)}
    assert answer.json["session"]["state"] == "signed_in"
    assert browser.get("/").text == "home of anne"


def test_totp_verify_steps_up(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    browser.sign_in(secret)
    portal.clock.advance(601)
    assert browser.get("/bank", headers=JSON).status_code == 401
    answer = browser.api("POST", "totp/verify", {"code": portal.code(secret)})
    assert answer.status_code == 200
    assert answer.json["session"]["authenticated_at"] == portal.clock()
    assert browser.get("/bank", headers=JSON).status_code == 200


def test_a_code_may_be_typed_with_spaces_and_dashes(portal: Portal, browser: Browser) -> None:
    code = portal.code(portal.enrolled())
    browser.password()
    assert browser.api("POST", "totp/verify", {"code": f" {code[:3]} - {code[3:]} "}).status_code == 200


def test_a_wrong_code_is_a_problem(portal: Portal, browser: Browser) -> None:
    portal.enrolled()
    browser.password()
    answer = browser.api("POST", "totp/verify", {"code": "000000"})
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert answer.json == {
        "type": "about:blank",
        "title": "Wrong code",
        "status": 422,
        "detail": "Ce code n’est pas le bon. Vérifiez-le et réessayez.",
        "code": "wrong_code",
    }


def test_too_many_codes_are_a_problem_with_a_time(portal: Portal, browser: Browser) -> None:
    portal.enrolled()
    browser.password()
    for _ in range(3):
        assert browser.api("POST", "totp/verify", {"code": "000000"}).status_code == 422
    answer = browser.api("POST", "totp/verify", {"code": "000000"})
    assert (answer.status_code, answer.json["code"]) == (429, "too_many_attempts")
    assert answer.headers["Retry-After"] == str(answer.json["retry_after"]) == "5"


@pytest.mark.parametrize(
    "path", ["totp/verify", "activation/verify", "totp/enrol/begin", "totp/enrol/complete", "sign-out"]
)
def test_a_call_of_nobody_asks_to_sign_in(browser: Browser, path: str) -> None:
    answer = browser.api("POST", path, {"code": "123456"}, headers={"X-MFA-CSRF": "x"})
    assert (answer.status_code, answer.json["code"]) == (401, "sign_in_required")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


# --- activation and enrolment ----------------------------------------------------------------------------------------


def test_activation_verify_opens_enrolment(portal: Portal, browser: Browser) -> None:
    code = portal.activation_code()
    browser.password()
    answer = browser.api("POST", "activation/verify", {"code": code})
    assert answer.status_code == 200
    assert answer.json == {"next": f"{BASE_URL}/mfa/enrol", "session": session(browser)}
    assert answer.json["session"]["state"] == "enrolling"


def test_activation_code_may_be_typed_as_people_read_it(portal: Portal, browser: Browser) -> None:
    code = portal.activation_code()
    browser.password()
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert browser.api("POST", "activation/verify", {"code": f" {typed} "}).status_code == 200


def test_a_wrong_activation_code_is_a_problem(browser: Browser) -> None:
    browser.password()
    answer = browser.api("POST", "activation/verify", {"code": "ABCD-EFGH-JKMN-PQRS"})
    assert (answer.status_code, answer.json["code"]) == (422, "wrong_activation_code")


def test_enrolment_hands_over_what_an_app_needs(portal: Portal, browser: Browser) -> None:
    browser.activate()
    answer = browser.api("POST", "totp/enrol/begin")
    assert answer.status_code == 200
    body = answer.json
    assert set(body) == {"secret", "uri", "qr_svg", "enrolment"}
    assert re.fullmatch("[A-Z2-7]{32}", body["secret"])
    assert body["uri"] == f"otpauth://totp/Portail:anne%40portal.example?secret={body['secret']}&issuer=Portail"
    assert body["qr_svg"].startswith("<svg")
    assert answer.headers["Cache-Control"] == "no-store"


def test_completing_an_enrolment_signs_in(portal: Portal, browser: Browser) -> None:
    browser.activate()
    begun = browser.begin_enrolment()
    body = {"enrolment": begun["enrolment"], "code": portal.code(begun["secret"]), "label": "Téléphone"}
    answer = browser.api("POST", "totp/enrol/complete", body)
    assert answer.status_code == 200
    body = answer.json
    assert len(body.pop("recovery_codes")) == 10
    assert body == {"next": f"{BASE_URL}/", "session": session(browser)}
    assert body["session"]["state"] == "signed_in"
    assert portal.opened == ["anne"]


def test_the_label_may_be_left_out(portal: Portal, browser: Browser) -> None:
    browser.activate()
    begun = browser.begin_enrolment()
    assert browser.confirm(begun).status_code == 200


def test_a_wrong_confirming_code_leaves_the_enrolment_open(portal: Portal, browser: Browser) -> None:
    browser.activate()
    begun = browser.begin_enrolment()
    answer = browser.api("POST", "totp/enrol/complete", {"enrolment": begun["enrolment"], "code": "000000"})
    assert (answer.status_code, answer.json["code"]) == (422, "wrong_code")
    assert browser.confirm(begun).status_code == 200


def test_an_enrolment_that_was_replaced_is_gone(portal: Portal, browser: Browser) -> None:
    browser.activate()
    first = browser.begin_enrolment()
    browser.begin_enrolment()
    answer = browser.confirm(first)
    assert (answer.status_code, answer.json["code"]) == (409, "enrolment_gone")


STATES = ("pending", "activation", "enrolling", "signed_in")
OUT_OF_TURN = {
    ("totp/verify", "activation"): (409, "wrong_state"),
    ("totp/verify", "enrolling"): (409, "wrong_state"),
    ("activation/verify", "pending"): (409, "wrong_state"),
    ("activation/verify", "enrolling"): (409, "wrong_state"),
    ("activation/verify", "signed_in"): (422, "wrong_activation_code"),
    ("totp/enrol/begin", "pending"): (401, "step_up_required"),
    ("totp/enrol/begin", "activation"): (401, "activation_required"),
    ("totp/enrol/begin", "signed_in"): (401, "activation_required"),
    ("totp/enrol/complete", "pending"): (401, "step_up_required"),
    ("totp/enrol/complete", "activation"): (401, "activation_required"),
    ("totp/enrol/complete", "signed_in"): (401, "activation_required"),
    ("webauthn/verify/begin", "pending"): (409, "wrong_state"),
    ("webauthn/verify/begin", "activation"): (409, "wrong_state"),
    ("webauthn/verify/begin", "enrolling"): (409, "wrong_state"),
    ("webauthn/enrol/begin", "pending"): (401, "step_up_required"),
    ("webauthn/enrol/begin", "activation"): (401, "activation_required"),
    ("webauthn/enrol/begin", "signed_in"): (401, "activation_required"),
    ("recovery/verify", "pending"): (409, "wrong_state"),
    ("recovery/verify", "enrolling"): (409, "wrong_state"),
    ("recovery/renew", "pending"): (401, "step_up_required"),
    ("recovery/renew", "activation"): (401, "activation_required"),
    ("recovery/renew", "enrolling"): (401, "enrolment_required"),
    ("recovery/renew", "signed_in"): (401, "activation_required"),
}


def bring(portal: Portal, browser: Browser, state: str) -> None:
    if state in ("pending", "signed_in"):
        secret = portal.enrolled()
        browser.password() if state == "pending" else browser.sign_in(secret)
    else:
        browser.activate() if state == "enrolling" else browser.password()
    assert browser.state == state


@pytest.mark.parametrize(("path", "state"), OUT_OF_TURN)
def test_a_call_out_of_turn_says_which_step_is_next(portal: Portal, browser: Browser, path: str, state: str) -> None:
    bring(portal, browser, state)
    body = {"code": "123456", "enrolment": "0" * 32} if path.endswith("complete") else {"code": "123456"}
    answer = browser.api("POST", path, {} if path.endswith(("begin", "renew")) else body)
    assert (answer.status_code, answer.json["code"]) == OUT_OF_TURN[path, state]
    assert browser.state == state


# --- sign-out --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
def test_sign_out_ends_whatever_there_is(portal: Portal, browser: Browser, state: str) -> None:
    bring(portal, browser, state)
    thief = browser.copy()
    answer = browser.api("POST", "sign-out")
    assert answer.status_code == 200
    assert answer.json["next"] == f"{BASE_URL}/login"
    assert answer.json["session"]["state"] == "anonymous"
    assert browser.gate_cookie in (None, "")
    assert thief.state == "anonymous"


# --- refusals of the guard -------------------------------------------------------------------------------------------


def test_the_guard_asks_programs_by_rfc_9470(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    assert browser.get("/bank", headers=JSON).headers["WWW-Authenticate"] == "Bearer"
    browser.password()
    pending = browser.get("/", headers=JSON)
    assert (pending.status_code, pending.json["code"]) == (401, "step_up_required")
    assert pending.headers["WWW-Authenticate"] == (
        'Bearer error="insufficient_user_authentication", acr_values="urn:mfa-gate:acr:mfa"'
    )
    browser.step("challenge", code=portal.code(secret))
    portal.clock.advance(601)
    stale = browser.get("/bank", headers=JSON)
    assert (stale.status_code, stale.json["code"]) == (401, "step_up_required")
    assert stale.headers["WWW-Authenticate"] == (
        'Bearer error="insufficient_user_authentication", acr_values="urn:mfa-gate:acr:mfa", max_age="600"'
    )


@pytest.mark.parametrize("accept", ["application/json", "*/*", "", "image/png", "application/xhtml+xml", "text/plain"])
def test_whoever_does_not_name_html_gets_json(browser: Browser, accept: str) -> None:
    answer = browser.get("/", headers={"Accept": accept})
    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"


def test_the_api_never_answers_with_a_page(portal: Portal, browser: Browser) -> None:
    browser.password()
    for method, path in (("GET", "session"), ("POST", "totp/verify"), ("POST", "sign-out")):
        answer = browser.open(method, f"/mfa/api/v1/{path}", json={} if method == "POST" else None)
        assert answer.mimetype in ("application/json", "application/problem+json")


# --- the pages' own URLs, for programs -------------------------------------------------------------------------------


def at_page(browser: Browser, step: str, body: dict[str, str]) -> Any:
    headers = {**JSON, "X-MFA-CSRF": browser.token}
    return browser.open("POST", f"/mfa/{step}", json=body, headers=headers)


def test_a_program_may_use_the_urls_of_the_pages(portal: Portal, browser: Browser) -> None:
    code = portal.activation_code()
    for step in ("challenge", "activate", "enrol", "sign-out"):
        assert browser.get(f"/mfa/{step}", headers=JSON).json["state"] == "anonymous"
    browser.password()
    assert at_page(browser, "activate", {"code": code}).json["next"] == f"{BASE_URL}/mfa/enrol"
    begun = at_page(browser, "enrol", {}).json
    assert set(begun) == {"secret", "uri", "qr_svg", "enrolment"}
    body = {"enrolment": begun["enrolment"], "code": portal.code(begun["secret"])}
    assert at_page(browser, "enrol", body).json["session"]["state"] == "signed_in"
    assert at_page(browser, "sign-out", {}).json["session"]["state"] == "anonymous"
    portal.clock.advance(30)
    browser.password()
    answer = at_page(browser, "challenge", {"code": portal.code(begun["secret"])})
    assert answer.json["session"]["state"] == "signed_in"
    assert browser.get("/mfa/challenge", headers=JSON).json["account"] == "anne"


@pytest.mark.parametrize("path", ["push/verify", "sms/verify", "nothing"])
def test_what_there_is_not_is_not_found(portal: Portal, browser: Browser, path: str) -> None:
    browser.sign_in(portal.enrolled())
    assert browser.api("POST", path, {}).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_taken(portal: Portal, browser: Browser, method: str) -> None:
    browser.password()
    assert browser.open(method, "/mfa/challenge").status_code == 405
    assert browser.open(method, "/mfa/api/v1/totp/verify").status_code == 405
