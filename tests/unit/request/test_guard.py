"""The decision on one request: what is asked for, how a refusal is answered, and in which order steps may be taken."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import make_response, request
from werkzeug.test import TestResponse

from mfa_gate import Account, Level
from tests.conftest import MakePortal
from tests.support.portal import ADDRESS, BASE_URL, JSON, PAGE, Browser, Portal, hidden

LOGIN = f"{BASE_URL}/login"
CHALLENGE = f"{BASE_URL}/mfa/challenge"
ACTIVATE = f"{BASE_URL}/mfa/activate"
ENROL = f"{BASE_URL}/mfa/enrol"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def secret(portal: Portal) -> str:
    return portal.enrolled()


@pytest.fixture
def anne(browser: Browser, secret: str) -> Browser:
    """Anne's browser, signed in."""
    browser.sign_in(secret)
    return browser


def problem(answer: TestResponse) -> tuple[int, str]:
    assert answer.mimetype == "application/problem+json", answer.text
    assert answer.json["status"] == answer.status_code
    return answer.status_code, answer.json["code"]


def program(browser: Browser, path: str, method: str = "GET", **kwargs: Any) -> TestResponse:
    return browser.open(method, path, headers={**JSON, **kwargs.pop("headers", {})}, **kwargs)


# --- how a refusal is answered ---------------------------------------------------------------------------------------


def test_a_program_gets_a_problem_document(portal: Portal, browser: Browser) -> None:
    answer = program(browser, "/")
    assert problem(answer) == (401, "sign_in_required")
    assert set(answer.json) == {"type", "title", "status", "detail", "code"}
    assert answer.json["type"] == "about:blank"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Location" not in answer.headers


def test_a_half_signed_in_program_is_told_what_level_is_missing(portal: Portal, browser: Browser, secret: str) -> None:
    browser.password()
    answer = program(browser, "/")
    assert problem(answer) == (401, "step_up_required")
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer error="insufficient_user_authentication", acr_values="urn:mfa-gate:acr:mfa"'
    )


def test_a_program_whose_proof_is_too_old_is_told_the_age(portal: Portal, anne: Browser) -> None:
    portal.clock.advance(600)
    answer = program(anne, "/bank")
    assert problem(answer) == (401, "step_up_required")
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer error="insufficient_user_authentication", acr_values="urn:mfa-gate:acr:mfa", max_age="600"'
    )


@pytest.mark.parametrize(("level", "acr"), [(Level.PHISHING_RESISTANT, "phr"), (Level.HARDWARE, "phrh")])
def test_a_greater_level_is_named_to_whoever_is_half_way_there(make: MakePortal, level: Level, acr: str) -> None:
    portal = make()

    @portal.app.get("/strong")
    @portal.gate.require(level)
    def strong() -> str:
        return "strong"

    portal.enrolled()
    browser = portal.browser()
    browser.password()
    answer = program(browser, "/strong")
    assert f'acr_values="{acr}"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        ("text/html", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("application/xhtml+xml, text/html;q=0.5", True),
        ("*/*", False),
        ("text/*", False),
        ("application/json", False),
        ("text/plain", False),
        ("", False),
        (None, False),
    ],
)
def test_only_who_asks_for_html_by_name_gets_a_page(browser: Browser, accept: str | None, is_page: bool) -> None:
    headers = {} if accept is None else {"Accept": accept}
    answer = browser.client.get("/", base_url=BASE_URL, headers=headers)
    assert answer.status_code == (303 if is_page else 401)


def test_without_a_known_login_page_a_person_gets_a_page_that_says_so(make: MakePortal) -> None:
    portal = make()
    for endpoint in ("login", "login_page"):
        portal.app.view_functions[endpoint] = portal.app.view_functions["home"]
    answer = portal.browser().get("/")
    assert answer.status_code == 401
    assert "text/html" in answer.content_type


def test_the_login_page_can_be_named_by_a_setting(make: MakePortal) -> None:
    portal = make(MFA_GATE_LOGIN_URL="/somewhere?else=1")
    assert portal.browser().get("/").location == f"{BASE_URL}/somewhere?else=1"


def test_refusals_never_carry_a_host_of_the_request(portal: Portal, browser: Browser) -> None:
    answer = browser.client.get("/", base_url="https://evil.example", headers={**PAGE, "X-Forwarded-Host": "evil.test"})
    assert answer.location == LOGIN


# --- caches ----------------------------------------------------------------------------------------------------------


def test_what_the_guard_lets_through_is_kept_nowhere_unless_the_portal_says_how(make: MakePortal) -> None:
    portal = make()

    @portal.app.get("/own-cache")
    def own_cache() -> Any:
        response = make_response("own")
        response.headers["Cache-Control"] = "private, max-age=60"
        return response

    @portal.app.get("/open")
    @portal.gate.public
    def open_to_all() -> str:
        return "open"

    browser = portal.browser()
    browser.sign_in(portal.enrolled())
    assert browser.get("/own-cache").headers["Cache-Control"] == "private, max-age=60"
    own = browser.get("/")
    assert own.headers.getlist("Cache-Control") == ["no-store"]
    assert "Content-Security-Policy" not in own.headers, "it is the portal's own answer"
    assert "Cache-Control" not in browser.get("/open").headers
    assert "no-store" not in browser.get("/mfa/static/mfa_gate.css").headers.get("Cache-Control", "")


# --- level and age ---------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A9")
def test_a_proof_is_too_old_to_the_second(portal: Portal, anne: Browser, secret: str) -> None:
    portal.clock.advance(599)
    assert anne.get("/bank").text == "bank form"
    portal.clock.advance(1)
    answer = anne.get("/bank")
    assert (answer.status_code, answer.location) == (303, CHALLENGE)
    assert anne.get("/").text == "home of anne"
    answer = anne.step("challenge", code=portal.code(secret))
    assert answer.location == f"{BASE_URL}/bank"
    assert anne.get("/bank").text == "bank form"


@pytest.mark.abuse("A9")
def test_a_view_of_a_greater_level_stays_closed_to_a_weaker_session(make: MakePortal) -> None:
    portal = make()

    @portal.app.get("/strong")
    @portal.gate.require(Level.PHISHING_RESISTANT)
    def strong() -> str:
        return "strong"

    browser = portal.browser()
    browser.sign_in(portal.enrolled())
    assert problem(program(browser, "/strong")) == (403, "no_suitable_method")
    answer = browser.get("/strong")
    assert answer.status_code == 403
    assert "text/html" in answer.content_type
    portal.clock.advance(30)
    assert browser.get("/").status_code == 200


@pytest.mark.abuse("A9")
def test_the_gates_own_defaults_can_ask_for_more(database_url: str, make: MakePortal) -> None:
    portal = make()

    @portal.app.get("/young")
    @portal.gate.require(max_age=timedelta(seconds=1))
    def young() -> str:
        return "young"

    browser = portal.browser()
    browser.sign_in(portal.enrolled())
    assert browser.get("/young").text == "young"
    portal.clock.advance(1)
    assert browser.get("/young").location == CHALLENGE


@pytest.mark.abuse("A10")
@pytest.mark.parametrize("changed", ["group", "name", "strict", "prefix", "new gate"])
def test_an_enrolled_authenticator_is_asked_for_whatever_else_changes(make: MakePortal, changed: str) -> None:
    portal = make()
    secret = portal.enrolled()
    if changed in ("group", "name"):
        portal.people["anne"] = Account("anne", "Anne", group="nobody must prove anything")
    else:
        settings = {"strict": {"MFA_GATE_STRICT": True}, "prefix": {"MFA_GATE_URL_PREFIX": "/mfa"}}
        portal = make(**settings.get(changed, {}))
    browser = portal.browser()
    browser.password()
    assert browser.state == "pending"
    assert browser.get("/").location == CHALLENGE
    assert browser.step("challenge", code=portal.code(secret)).status_code == 303
    assert browser.get("/").text == "home of anne"


@pytest.mark.abuse("A10")
def test_no_mark_and_no_default_can_ask_for_a_password_alone(portal: Portal, browser: Browser, secret: str) -> None:
    """Whoever writes it gets a sentence; were it accepted, a password alone would open the view."""
    said = ""
    try:

        @portal.app.get("/lax")
        @portal.gate.require(Level.PASSWORD)
        def lax() -> str:
            return "lax"

    except ValueError as refused:
        said = str(refused)
    assert "gate.public" in said


# --- the order of steps ----------------------------------------------------------------------------------------------


@pytest.mark.abuse("A7")
def test_nobody_takes_a_step_without_a_password(browser: Browser) -> None:
    for page in ("challenge", "activate", "enrol"):
        assert browser.get(f"/mfa/{page}").location == LOGIN
        assert browser.step(page, code="123456").location == LOGIN
    for call in ("totp/verify", "activation/verify", "totp/enrol/begin", "totp/enrol/complete"):
        assert problem(browser.api("POST", call, {"code": "123456"})) == (401, "sign_in_required")
    assert browser.state == "anonymous"


Step = tuple[str, dict[str, str] | None]
CALLS: dict[str, Step] = {
    "totp": ("totp/verify", {"code": "000000"}),
    "activation": ("activation/verify", {"code": "0000-0000-0000-0000"}),
    "begin": ("totp/enrol/begin", None),
    "complete": ("totp/enrol/complete", {"enrolment": "0" * 32, "code": "000000"}),
}
# state -> call -> (status, code); a call that is left out is the right one
OUT_OF_ORDER: dict[str, dict[str, tuple[int, str]]] = {
    "pending": {
        "activation": (409, "wrong_state"),
        "begin": (401, "step_up_required"),
        "complete": (401, "step_up_required"),
    },
    "activation": {
        "totp": (409, "wrong_state"),
        "begin": (401, "activation_required"),
        "complete": (401, "activation_required"),
    },
    "enrolling": {"totp": (409, "wrong_state"), "activation": (409, "wrong_state")},
    "signed_in": {
        "activation": (422, "wrong_activation_code"),
        "begin": (401, "activation_required"),
        "complete": (401, "activation_required"),
    },
}
PAGE_OF = {"pending": CHALLENGE, "activation": ACTIVATE, "enrolling": ENROL}


def at(portal: Portal, state: str) -> Browser:
    browser = portal.browser()
    if state in ("pending", "signed_in"):
        secret = portal.enrolled()
        browser.password() if state == "pending" else browser.sign_in(secret)
    elif state == "activation":
        browser.password()
    else:
        browser.activate()
    assert browser.state == state
    return browser


@pytest.mark.abuse("A7")
@pytest.mark.parametrize(
    ("state", "call", "refused"),
    [(state, call, how) for state, calls in OUT_OF_ORDER.items() for call, how in calls.items()],
)
def test_a_step_out_of_order_is_refused_and_changes_nothing(
    portal: Portal, state: str, call: str, refused: tuple[int, str]
) -> None:
    browser = at(portal, state)
    before = browser.gate_cookie
    path, sent = CALLS[call]
    assert problem(browser.api("POST", path, sent)) == refused
    assert browser.state == state
    assert browser.gate_cookie == before


@pytest.mark.abuse("A7")
@pytest.mark.parametrize("state", ["pending", "activation", "enrolling"])
def test_every_other_page_leads_to_the_step_one_stands_at(portal: Portal, state: str) -> None:
    browser = at(portal, state)
    pages = {CHALLENGE, ACTIVATE, ENROL} - {PAGE_OF[state]}
    for page in pages:
        assert browser.get(page).location == PAGE_OF[state]
        assert browser.post(page, {"csrf_token": browser.token, "code": "123456"}).location == PAGE_OF[state]
    assert browser.get(PAGE_OF[state]).status_code == 200
    for path in ("/", "/bank", "/patients/1"):
        followed = browser.get(path)
        assert followed.status_code == 303
        assert followed.location == CHALLENGE
        assert program(browser, path).status_code == 401
    assert browser.state == state


@pytest.mark.abuse("A7")
def test_the_back_button_after_signing_in_repeats_nothing(portal: Portal, browser: Browser, secret: str) -> None:
    browser.password()
    token, code = browser.token, portal.code(secret)
    browser.post("/mfa/challenge", {"csrf_token": token, "code": code})
    cookie = browser.gate_cookie
    again = browser.post("/mfa/challenge", {"csrf_token": token, "code": code})
    assert again.status_code == 303
    assert browser.gate_cookie == cookie
    assert portal.opened == ["anne"]
    assert browser.get("/").status_code == 200


@pytest.mark.abuse("A7")
def test_the_back_button_after_signing_out_shows_nothing(anne: Browser) -> None:
    cookies = dict(anne.client._cookies)  # type: ignore[attr-defined]
    anne.step("sign-out")
    anne.client._cookies = cookies  # type: ignore[attr-defined]
    assert anne.get("/").location == LOGIN


@pytest.mark.abuse("A7")
def test_a_second_tab_goes_on_from_where_the_first_one_is(portal: Portal, browser: Browser, secret: str) -> None:
    browser.password()
    token = hidden(browser.get("/mfa/challenge"), "csrf_token")
    browser.step("challenge", code=portal.code(secret))
    portal.clock.advance(30)
    answer = browser.post("/mfa/challenge", {"csrf_token": token, "code": portal.code(secret)})
    assert answer.status_code == 303
    assert browser.get("/").status_code == 200


@pytest.mark.abuse("A7")
def test_a_second_tab_with_another_sign_in_ends_the_first(portal: Portal, browser: Browser) -> None:
    """Two tabs of one browser share one cookie: the second password is whose sign-in it is now."""
    secrets = {name: portal.enrolled(name) for name in ("anne", "bob")}
    browser.password("anne")
    old = browser.token
    browser.password("bob")
    answer = browser.post("/mfa/challenge", {"csrf_token": old, "code": portal.code(secrets["anne"])})
    assert answer.status_code == 403
    assert browser.state == "pending"
    assert browser.step("challenge", code=portal.code(secrets["anne"])).status_code == 422
    assert browser.step("challenge", code=portal.code(secrets["bob"])).status_code == 303
    assert browser.get("/").text == "home of bob"


@pytest.mark.abuse("A7")
def test_a_restart_between_any_two_steps_loses_and_opens_nothing(make: MakePortal) -> None:
    portal = make()
    code = portal.activation_code()
    browser = portal.browser()
    browser.password()

    browser = browser.on(make())
    assert browser.state == "activation"
    assert browser.api("POST", "totp/enrol/begin").status_code == 401
    browser.step("activate", code=code)

    browser = browser.on(make())
    assert browser.state == "enrolling"
    assert browser.get("/").status_code == 303
    begun = browser.begin_enrolment()

    browser = browser.on(make())
    answer = browser.api(
        "POST", "totp/enrol/complete", {"enrolment": begun["enrolment"], "code": portal.code(begun["secret"])}
    )
    assert answer.status_code == 200

    browser = browser.on(make())
    assert browser.get("/").text == "home of anne"


@pytest.mark.abuse("A11")
def test_what_another_session_enrolled_counts_at_once(portal: Portal, browser: Browser) -> None:
    """Session A waits for an activation code; session B enrols: A is asked for the authenticator."""
    browser.password()
    assert browser.state == "activation"
    secret = portal.enrolled()
    assert browser.state == "pending"
    assert browser.get("/mfa/activate").location == CHALLENGE
    assert problem(browser.api("POST", "activation/verify", {"code": portal.activation_code()})) == (409, "wrong_state")
    portal.clock.advance(30)
    assert browser.step("challenge", code=portal.code(secret)).status_code == 303


@pytest.mark.abuse("A11")
def test_a_session_that_may_enrol_may_not_once_another_session_did(portal: Portal, browser: Browser) -> None:
    """Two enrolments of one account begun at once, as after a new code: the second finds an authenticator there."""
    browser.activate()
    begun = browser.begin_enrolment()
    other = portal.browser()
    other.activate()
    assert browser.state == "anonymous"
    theirs = other.begin_enrolment()
    assert other.confirm(theirs).status_code == 200
    assert problem(browser.confirm(begun)) == (401, "sign_in_required")


@pytest.mark.abuse("A11")
def test_a_locked_account_is_out_of_every_session_at_once(portal: Portal, anne: Browser) -> None:
    other = portal.browser()
    other.password()
    with portal.app.app_context():
        portal.gate.lock("anne", "test")
    assert anne.get("/").location == LOGIN
    assert other.state == "anonymous"
    assert other.password().status_code == 403
    with portal.app.app_context():
        assert portal.gate.unlock("anne", "test") is True
        assert portal.gate.unlock("anne", "test") is False
    assert other.password().status_code == 303


@pytest.mark.abuse("A35")
@pytest.mark.parametrize("way", ["page", "program", "portal"])
def test_signing_out_half_way_leaves_nothing_of_the_half_sign_in(
    portal: Portal, browser: Browser, secret: str, way: str
) -> None:
    browser.password()
    thief, token = browser.copy(), browser.token
    sign_out(browser, way)
    assert browser.state == thief.state == "anonymous"
    answer = thief.api("POST", "totp/verify", {"code": portal.code(secret)}, headers={"X-MFA-CSRF": token})
    assert problem(answer) == (401, "sign_in_required")
    assert portal.opened == []


@pytest.mark.abuse("A35")
@pytest.mark.parametrize("way", ["page", "program", "portal"])
def test_signing_out_half_way_through_an_enrolment_frees_the_code_and_drops_the_seed(
    portal: Portal, browser: Browser, way: str
) -> None:
    from tests.support.portal import stored

    code = portal.activation_code()
    browser.password()
    browser.step("activate", code=code)
    begun = browser.begin_enrolment()
    sign_out(browser, way)
    assert stored(portal)["mfa_enrolments"] == []
    assert stored(portal)["mfa_sessions"] == []
    browser.password()
    assert problem(browser.confirm(begun)) == (401, "activation_required")
    assert browser.step("activate", code=code).location == ENROL


def sign_out(browser: Browser, way: str) -> None:
    if way == "page":
        assert browser.step("sign-out").status_code == 200
    elif way == "program":
        assert browser.api("POST", "sign-out").status_code == 200
    else:
        browser.portal.app.view_functions["logout"] = public_logout(browser.portal)
        assert browser.post("/logout").text == "bye"


def public_logout(portal: Portal) -> Callable[[], str]:
    @portal.gate.public
    def logout() -> str:
        portal.gate.sign_out()
        return "bye"

    return logout


# --- a form that was opened in time ----------------------------------------------------------------------------------


def fields_of(answer: TestResponse) -> list[tuple[str, str]]:
    """The hidden fields of a page, in their order."""
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', answer.text)
    return [(html.unescape(name), html.unescape(value)) for name, value in found]


def send_late(
    browser: Browser, body: str | bytes, path: str = "/bank", content_type: str = FORM, **headers: str
) -> TestResponse:
    """Send a form whose page was opened in time, eleven minutes after the proof."""
    browser.portal.clock.advance(660)
    return browser.post(path, body, content_type=content_type, headers=headers)


def prove(browser: Browser, secret: str, late: TestResponse) -> TestResponse:
    return browser.step(
        "challenge", code=browser.portal.code(secret), sealed_form=html.unescape(hidden(late, "sealed_form"))
    )


def test_a_form_sent_too_late_is_kept_through_the_challenge_and_sent_after_it(
    portal: Portal, anne: Browser, secret: str
) -> None:
    fields = [("iban", "FR76"), ("x", "2"), ("x", "1"), ("a", ""), ("name", "Hélène <&\"' 漢字 😀"), ("t", "a\r\nb")]
    late = send_late(anne, urlencode(fields), "/bank?tab=2")
    assert late.status_code == 401
    assert "bank {" not in late.text
    resumed = prove(anne, secret, late)
    assert resumed.status_code == 200
    assert f'action="{BASE_URL}/bank?tab=2"' in resumed.text
    assert fields_of(resumed) == fields
    sent = anne.post("/bank?tab=2", urlencode(fields_of(resumed)), content_type=FORM)
    assert sent.text == "bank {'iban': ['FR76'], 'x': ['2', '1'], 'a': [''], 'name': [" + repr(fields[4][1]) + (
        "], 't': ['a\\r\\nb']}"
    )


def test_a_kept_form_survives_a_wrong_code(portal: Portal, anne: Browser, secret: str) -> None:
    late = send_late(anne, "iban=FR76")
    held = html.unescape(hidden(late, "sealed_form"))
    wrong = anne.step("challenge", code="000000", sealed_form=held)
    assert wrong.status_code == 422
    assert html.unescape(hidden(wrong, "sealed_form")) == held
    assert fields_of(prove(anne, secret, wrong)) == [("iban", "FR76")]


def test_nothing_of_a_kept_form_is_in_the_store_or_readable_in_the_page(portal: Portal, anne: Browser) -> None:
    from tests.support.portal import stored

    late = send_late(anne, "iban=FR7630006000011234567890189")
    assert "FR7630006000011234567890189" not in late.text
    assert "FR7630006000011234567890189" not in repr(stored(portal))


def test_a_kept_form_is_of_no_use_to_another_sign_in(portal: Portal, anne: Browser, secret: str) -> None:
    late = send_late(anne, "iban=FR76")
    bob = portal.browser()
    bob_secret = portal.enrolled("bob")
    bob.sign_in(bob_secret, "bob")
    portal.clock.advance(30)
    assert prove(bob, bob_secret, late).status_code == 303
    again = anne.copy()
    anne.step("sign-out")
    again.sign_in(secret)
    portal.clock.advance(30)
    assert prove(again, secret, late).location == f"{BASE_URL}/"


def test_a_kept_form_that_was_tampered_with_is_not_sent(portal: Portal, anne: Browser, secret: str) -> None:
    held = html.unescape(hidden(send_late(anne, "iban=FR76"), "sealed_form"))
    flipped = held[:-6] + ("A" if held[-6] != "A" else "B") + held[-5:]
    for wrong in (flipped, "x", "test1.", "test1.é", held.replace("test1", "test2"), held + "AAAA", "."):
        portal.clock.advance(30)
        answer = anne.step("challenge", code=portal.code(secret), sealed_form=wrong)
        assert answer.status_code == 303, answer.text


def test_a_kept_form_is_not_kept_for_ever(portal: Portal, anne: Browser, secret: str) -> None:
    late = send_late(anne, "iban=FR76")
    portal.clock.advance(1800)
    assert prove(anne, secret, late).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://portal.example.evil.example"},
        {"Origin": "http://portal.example"},
        {"Origin": BASE_URL, "Sec-Fetch-Site": "cross-site"},
        {"Origin": BASE_URL, "Sec-Fetch-Site": "same-site"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
def test_a_form_of_another_site_is_not_kept(anne: Browser, headers: dict[str, str]) -> None:
    late = send_late(anne, "iban=FR76", **headers)
    assert (late.status_code, late.location) == (303, CHALLENGE)
    assert "sealed_form" not in anne.get("/mfa/challenge").text


def test_a_form_that_says_nothing_of_its_origin_is_not_kept(portal: Portal, anne: Browser) -> None:
    portal.clock.advance(660)
    late = anne.open("POST", "/bank", data="iban=FR76", content_type=FORM)
    assert (late.status_code, late.location) == (303, CHALLENGE)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (
            b'--x\r\nContent-Disposition: form-data; name="iban"\r\n\r\nFR76\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (b'{"iban": "FR76"}', "application/json"),
        (b"iban=FR76", "text/plain"),
        (b"iban=" + b"x" * 40_000, FORM),
        (b"", ""),
    ],
    ids=["multipart", "json", "plain", "huge", "empty"],
)
def test_only_a_small_plain_form_is_kept(anne: Browser, body: bytes, content_type: str) -> None:
    late = send_late(anne, body, content_type=content_type)
    assert (late.status_code, late.location) == (303, CHALLENGE)


def test_a_program_is_told_to_step_up_and_sends_again_itself(portal: Portal, anne: Browser) -> None:
    portal.clock.advance(660)
    answer = program(anne, "/bank", "POST", data="iban=FR76", content_type=FORM, headers={"Origin": BASE_URL})
    assert problem(answer) == (401, "step_up_required")


@pytest.mark.parametrize(
    "body",
    ["&".join(f"f{number}=" for number in range(5000)), "n=" + "é" * 16_000, "n=" + "%C3%A9" * 5000, "a=" * 1],
    ids=["many fields", "raw UTF-8", "encoded UTF-8", "one"],
)
def test_whatever_is_kept_fits_through_the_challenge(portal: Portal, anne: Browser, secret: str, body: str) -> None:
    late = send_late(anne, body.encode())
    if late.status_code == 303:
        return
    answer = prove(anne, secret, late)
    assert answer.status_code == 200
    assert urlencode(fields_of(answer)).replace("%C3%A9", "é") == body.replace("%C3%A9", "é")


def test_a_form_that_is_not_utf8_breaks_nothing(portal: Portal, anne: Browser) -> None:
    late = send_late(anne, b"name=H\xe9l\xe8ne")
    assert late.status_code in (303, 400, 401, 413)
    assert "bank {" not in late.text


def test_the_path_of_a_kept_form_stays_the_same_path(make: MakePortal) -> None:
    portal = make()

    @portal.app.post("/files/<path:name>")
    @portal.gate.require(max_age=timedelta(minutes=10))
    def files(name: str) -> str:
        return f"file {name} {request.args.to_dict()}"

    browser = portal.browser()
    secret = portal.enrolled()
    browser.sign_in(secret)
    late = send_late(browser, "a=1", "/files/what%3Fx=1%23y%2525%C3%A9?q=%26")
    action = html.unescape(re.findall(r'<form method="post" action="([^"]*)"', prove(browser, secret, late).text)[0])
    sent = browser.client.post(action, data="a=1", content_type=FORM, headers={**PAGE, "Origin": BASE_URL},
                               environ_overrides={"REMOTE_ADDR": ADDRESS})  # fmt: skip
    assert sent.text == "file what?x=1#y%25é {'q': '&'}"
