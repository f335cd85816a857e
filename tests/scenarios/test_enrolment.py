"""Enrolling an authenticator app: who may, what a second try or another browser does, and secrets that leave once."""

from __future__ import annotations

import html
import logging
import re
from typing import Any

import pytest

from mfa_gate.store.schema import metadata
from mfa_gate.testing import totp_code
from mfa_gate.testing.software_key import Tampered
from tests.support.portal import KEYS, Browser, MakePortal, Portal, hidden

NONE = "0" * 32  # an enrolment that was never begun


def said(answer: Any) -> tuple[int, str | None]:
    """Status and stable code of an answer to a program."""
    return answer.status_code, (answer.json or {}).get("code")


def begin(browser: Browser) -> Any:
    return browser.api("POST", "totp/enrol/begin")


def complete(browser: Browser, enrolment: str, code: str, **more: str) -> Any:
    return browser.api("POST", "totp/enrol/complete", json={"enrolment": enrolment, "code": code, **more})


def client_at_login(portal: Portal, account: str = "anne") -> Browser:
    """A browser with the right password typed, and nothing else."""
    browser = portal.browser()
    browser.password(account)
    return browser


def enrolling(portal: Portal, account: str = "anne") -> tuple[Browser, dict[str, str]]:
    """A browser in the middle of an enrolment, and what it was handed."""
    browser = portal.browser()
    browser.activate(account)
    return browser, browser.begin_enrolment()


def test_a_confirmation_that_fails_is_on_record_with_the_account_and_the_method(portal: Portal) -> None:
    browser, begun = enrolling(portal)
    assert complete(browser, begun["enrolment"], "000000").status_code == 422
    assert browser.add_key(tampered=Tampered(challenge=bytes(32))).status_code == 422
    rows = portal.sql("SELECT method, outcome, reason FROM mfa_events WHERE kind = 'authenticator_added' ORDER BY id")
    assert [tuple(row) for row in rows] == [("otp", "failure", "wrong_code"), ("pop", "failure", "challenge")]
    assert [kind for kind, *_ in portal.events("anne")].count("authenticator_added") == 2


# --- who may -----------------------------------------------------------------------------------------------------


def test_a_confirmed_authenticator_signs_the_person_in(portal: Portal) -> None:
    browser, begun = enrolling(portal)
    assert portal.opened == []
    answer = complete(browser, begun["enrolment"], portal.code(begun["secret"]), label="Téléphone")
    assert answer.status_code == 200
    assert answer.json["session"] == {
        "state": "signed_in",
        "account": "anne",
        "level": "MFA",
        "methods": ["pwd", "otp"],
        "authenticated_at": portal.clock(),
        "allowed_methods": ["totp", "recovery"],
        "csrf_token": answer.json["session"]["csrf_token"],
    }
    assert portal.opened == ["anne"]
    assert browser.get("/").text == "home of anne"
    assert portal.sql("SELECT account_id, method, label FROM mfa_authenticators") == [("anne", "otp", "Téléphone")]


@pytest.mark.abuse("A2")
@pytest.mark.parametrize("by", ["api", "page"])
def test_with_the_password_alone_no_enrolment_begins_beside_an_authenticator(portal: Portal, by: str) -> None:
    secret = portal.enrolled()
    thief = client_at_login(portal)
    if by == "api":
        assert said(begin(thief)) == (401, "step_up_required")
        assert said(complete(thief, NONE, "123456")) == (401, "step_up_required")
    else:
        for action in ("begin", "complete"):
            answer = thief.step("enrol", action=action, enrolment=NONE, code="123456")
            assert (answer.status_code, answer.location) == (303, "https://portal.example/mfa/challenge")
    assert portal.sql("SELECT id FROM mfa_enrolments") == []
    assert portal.browser().sign_in(secret).status_code == 303


@pytest.mark.abuse("A2")
def test_an_enrolment_that_is_under_way_cannot_be_completed_beside_an_authenticator(portal: Portal) -> None:
    """Begun before the owner enrolled, completed after it."""
    thief, begun = enrolling(portal)
    code = portal.code(begun["secret"])
    # the owner's authenticator comes to stand there by the store, while the thief's session still lives
    portal.sql(
        "INSERT INTO mfa_authenticators (id, account_id, method, label, created_at) "
        "VALUES ('owner', 'anne', 'otp', '', 0)"
    )
    assert said(complete(thief, begun["enrolment"], code)) == (401, "step_up_required")
    assert said(begin(thief)) == (401, "step_up_required")
    assert portal.sql("SELECT id FROM mfa_authenticators") == [("owner",)]


@pytest.mark.abuse("A3")
def test_an_account_without_authenticators_needs_its_activation_code_at_every_step(portal: Portal) -> None:
    browser = client_at_login(portal)
    for path, body in (
        ("totp/enrol/begin", {}),
        ("totp/enrol/complete", {"enrolment": NONE, "code": "123456"}),
    ):
        answer = browser.api("POST", path, json=body)
        assert said(answer) == (401, "activation_required")
        assert set(answer.json) == {"type", "title", "status", "detail", "code"}
    assert portal.sql("SELECT level FROM mfa_sessions") == [(1,)]


@pytest.mark.abuse("A3")
def test_a_stranger_gets_no_seed(portal: Portal, browser: Browser) -> None:
    assert said(begin(browser)) == (401, "sign_in_required")
    assert said(complete(browser, NONE, "123456")) == (401, "sign_in_required")


def test_an_enrolling_session_may_do_nothing_else(portal: Portal) -> None:
    browser, _ = enrolling(portal)
    assert browser.get("/").location == "https://portal.example/mfa/challenge"
    assert browser.get("/mfa/challenge").location == "https://portal.example/mfa/enrol"
    assert browser.open("GET", "/", headers={"Accept": "application/json"}).json["code"] == "enrolment_required"
    assert said(browser.api("POST", "totp/verify", json={"code": "123456"})) == (409, "wrong_state")
    assert "None" in browser.get("/open").text


# --- twice, abandoned, elsewhere ---------------------------------------------------------------------------------


@pytest.mark.abuse("A39")
def test_only_the_enrolment_begun_last_can_be_confirmed(portal: Portal) -> None:
    browser, first = enrolling(portal)
    second = browser.begin_enrolment()
    assert second["secret"] != first["secret"]
    assert said(complete(browser, first["enrolment"], portal.code(first["secret"]))) == (409, "enrolment_gone")
    assert said(complete(browser, second["enrolment"], portal.code(first["secret"])))[0] == 422
    assert complete(browser, second["enrolment"], portal.code(second["secret"])).status_code == 200
    assert len(portal.sql("SELECT authenticator_id FROM mfa_totp_seeds")) == 1


@pytest.mark.abuse("A39")
def test_whatever_is_begun_or_abandoned_the_active_authenticator_still_works_unchanged(portal: Portal) -> None:
    secret = portal.enrolled()
    before = portal.sql("SELECT * FROM mfa_totp_seeds"), portal.sql("SELECT * FROM mfa_authenticators")
    browser = client_at_login(portal)
    portal.activation_code()
    for _ in range(2):
        begin(browser)
        browser.step("enrol", action="begin")
    browser.step("sign-out")
    signed_in = portal.browser()
    signed_in.sign_in(secret)
    begin(signed_in)
    signed_in.step("sign-out")
    after = portal.sql("SELECT * FROM mfa_totp_seeds"), portal.sql("SELECT * FROM mfa_authenticators")
    assert after[1] == before[1]
    assert [row.seed for row in after[0]] == [row.seed for row in before[0]]
    portal.clock.advance(30)
    assert portal.browser().sign_in(secret).status_code == 303


@pytest.mark.abuse("A39")
def test_an_abandoned_enrolment_leaves_nothing_that_opens(portal: Portal) -> None:
    browser, begun = enrolling(portal)
    browser.step("sign-out")
    assert portal.sql("SELECT id FROM mfa_enrolments") == []
    later = client_at_login(portal)
    assert later.state == "activation"
    assert said(later.api("POST", "totp/verify", json={"code": portal.code(begun["secret"])})) == (409, "wrong_state")


@pytest.mark.abuse("A8")
def test_an_enrolment_of_one_account_is_nothing_in_the_flow_of_another(portal: Portal) -> None:
    """Bob, who may enrol, names Anne's begun enrolment with the right code for it, and his own with hers."""
    anne, of_anne = enrolling(portal, "anne")
    bob, of_bob = enrolling(portal, "bob")
    assert said(complete(bob, of_anne["enrolment"], portal.code(of_anne["secret"]))) == (409, "enrolment_gone")
    assert said(complete(bob, of_bob["enrolment"], portal.code(of_anne["secret"])))[0] == 422
    assert portal.sql("SELECT id FROM mfa_authenticators") == []
    assert complete(anne, of_anne["enrolment"], portal.code(of_anne["secret"])).json["session"]["account"] == "anne"


@pytest.mark.abuse("A8")
def test_a_code_of_ones_own_app_does_not_open_another_account(portal: Portal) -> None:
    portal.enrolled("anne")
    of_bob = portal.enrolled("bob")
    thief = client_at_login(portal, "anne")
    assert said(thief.api("POST", "totp/verify", json={"code": portal.code(of_bob)})) == (422, "wrong_code")
    assert thief.state == "pending"
    assert portal.opened == []


@pytest.mark.abuse("A8")
def test_what_confirms_an_enrolment_does_not_pass_for_a_step_of_another_kind(portal: Portal) -> None:
    """A six-digit code at the activation, an activation code at the challenge."""
    portal.enrolled("bob")
    code = portal.activation_code("anne")
    anne = client_at_login(portal, "anne")
    assert said(anne.api("POST", "totp/verify", json={"code": code})) == (409, "wrong_state")
    assert said(anne.api("POST", "activation/verify", json={"code": "123456"})) == (422, "wrong_activation_code")
    bob = client_at_login(portal, "bob")
    assert said(bob.api("POST", "activation/verify", json={"code": portal.activation_code("bob")})) == (
        409,
        "wrong_state",
    )


@pytest.mark.abuse("A47")
def test_nothing_handed_out_in_between_is_of_use_in_a_second_browser(portal: Portal) -> None:
    """Enrolment id, CSRF token, activation code: each is bound to the sign-in that got it."""
    code = portal.activation_code()
    owner = client_at_login(portal)
    owner.api("POST", "activation/verify", json={"code": code})
    begun = owner.begin_enrolment()
    right = {"enrolment": begun["enrolment"], "code": portal.code(begun["secret"])}
    for thief in (portal.browser("198.51.100.7"), client_at_login(portal), client_at_login(portal, "bob")):
        foreign = {"X-MFA-CSRF": owner.token}
        for headers in ({}, foreign):
            for path, body in (("totp/enrol/complete", right), ("activation/verify", {"code": code})):
                answer = thief.api("POST", path, json=body, headers=headers)
                assert answer.status_code in (401, 403, 409, 422)
                assert thief.state in ("anonymous", "activation")
    assert portal.sql("SELECT id FROM mfa_authenticators") == []
    assert complete(owner, **right).status_code == 200


@pytest.mark.abuse("A47")
def test_the_token_of_one_browser_is_refused_in_another(portal: Portal) -> None:
    owner, thief = client_at_login(portal), client_at_login(portal)
    code = portal.activation_code()
    answer = thief.api("POST", "activation/verify", json={"code": code}, headers={"X-MFA-CSRF": owner.token})
    assert said(answer) == (403, "csrf")
    assert thief.state == "activation"


@pytest.mark.abuse("A11")
def test_another_session_of_the_account_follows_an_enrolment_at_once(portal: Portal) -> None:
    """Session A stands at the activation; session B enrols; A is now asked for the authenticator."""
    a = client_at_login(portal)
    assert a.state == "activation"
    b, begun = enrolling(portal)
    complete(b, begun["enrolment"], portal.code(begun["secret"]))
    assert a.state == "pending"
    assert a.get("/mfa/activate").location == "https://portal.example/mfa/challenge"
    assert said(a.api("POST", "activation/verify", json={"code": portal.activation_code()})) == (409, "wrong_state")
    assert said(begin(a)) == (401, "step_up_required")
    portal.clock.advance(30)
    assert a.step("challenge", code=portal.code(begun["secret"])).status_code == 303


@pytest.mark.abuse("A11")
def test_another_session_of_the_account_follows_when_it_is_forgotten(portal: Portal) -> None:
    secret = portal.enrolled()
    a, waiting = portal.browser(), client_at_login(portal)
    a.sign_in(secret)
    assert a.get("/").status_code == 200
    with portal.app.app_context():
        portal.gate.forget("anne")
    assert a.get("/").status_code == 303
    assert said(waiting.api("POST", "totp/verify", json={"code": portal.code(secret)})) == (401, "sign_in_required")
    assert client_at_login(portal).state == "activation"


@pytest.mark.abuse("A5")
def test_a_begun_enrolment_ends_with_its_half_hour(portal: Portal) -> None:
    browser, begun = enrolling(portal)
    portal.clock.advance(1801)
    assert said(complete(browser, begun["enrolment"], portal.code(begun["secret"]))) == (401, "sign_in_required")
    again = portal.browser()
    again.activate()
    assert said(complete(again, begun["enrolment"], portal.code(begun["secret"]))) == (409, "enrolment_gone")


@pytest.mark.parametrize("label", ["x" * 61, "x" * 5000])
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_name_that_is_too_long_is_refused_and_the_enrolment_stays_open(portal: Portal, label: str) -> None:
    browser, begun = enrolling(portal)
    code = portal.code(begun["secret"])
    assert said(complete(browser, begun["enrolment"], code, label=label)) == (400, "invalid_request")
    assert complete(browser, begun["enrolment"], code, label="\u202ex\r\n\0y").status_code == 200
    assert portal.sql("SELECT label FROM mfa_authenticators") == [("xy",)]


@pytest.mark.parametrize("enrolment", ["", "x", "' OR 1=1 --", NONE, "\0", "é" * 100], ids=ascii)
def test_an_enrolment_that_does_not_exist_cannot_be_confirmed(portal: Portal, enrolment: str) -> None:
    browser, begun = enrolling(portal)
    assert complete(browser, enrolment, portal.code(begun["secret"])).status_code in (400, 409)
    assert browser.state == "enrolling"


# --- secrets leave once ------------------------------------------------------------------------------------------


@pytest.mark.abuse("A27")
@pytest.mark.parametrize("by", ["page", "api"])
def test_seed_and_codes_leave_once_and_are_in_no_log_event_or_later_answer(
    make: MakePortal, caplog: pytest.LogCaptureFixture, by: str
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "sqlalchemy")  # every statement with its values
    portal = make()
    code = portal.activation_code()
    answers: list[Any] = []
    browser = client_at_login(portal)
    answers += [browser.step("activate", code="0000-0000-0000-0000"), browser.step("activate", code=code)]
    if by == "page":
        handed = browser.step("enrol", action="begin")
        enrolment = hidden(handed, "enrolment")
        secret = re.search(r"secret=([A-Z2-7]+)", html.unescape(handed.text)).group(1)  # type: ignore[union-attr]
    else:
        handed = begin(browser)
        enrolment, secret = handed.json["enrolment"], handed.json["secret"]
    assert secret in html.unescape(handed.text)
    assert handed.headers["Cache-Control"] == "no-store"
    confirming = portal.code(secret)
    wrong = "000000" if confirming != "000000" else "000001"
    drifted = totp_code(secret, portal.clock() + 600)
    for typed in (wrong, drifted, confirming):
        answers.append(browser.step("enrol", action="complete", enrolment=enrolment, code=typed))
    portal.clock.advance(60)
    signing_in = portal.code(secret)
    again = client_at_login(portal)
    answers += [again.step("challenge", code=wrong), again.step("challenge", code=signing_in)]
    answers += [again.get(path) for path in ("/", "/mfa/challenge", "/mfa/enrol", "/mfa/activate", "/mfa/sign-out")]
    answers += [again.api("GET", "session"), again.step("challenge", code=signing_in), again.step("sign-out")]

    key = KEYS.partition(":")[2]
    canaries = [secret, " ".join(re.findall("....", secret)), code, code.replace("-", ""), key]
    canaries += [confirming, signing_in, drifted]
    places = {
        "an answer": "\n".join(f"{answer.headers}\n{answer.text}" for answer in answers),
        "a log line": caplog.text + "\n".join(f"{record.args}" for record in caplog.records),
        "the store": "\n".join(str(portal.sql(f"SELECT * FROM {table.name}")) for table in metadata.sorted_tables),  # noqa: S608  (own names)
    }
    assert len(caplog.records) > 100  # the statements of the store are among them
    for place, text in places.items():
        for canary in canaries:
            assert not re.search(rf"(?<![\w.]){re.escape(canary)}(?!\w)", html.unescape(text)), (
                f"a secret is in {place}"
            )


@pytest.mark.abuse("A27")
def test_the_picture_is_not_shown_again_after_a_wrong_code_or_a_reload(portal: Portal, browser: Browser) -> None:
    browser.activate()
    first = browser.step("enrol", action="begin")
    enrolment = hidden(first, "enrolment")
    assert "otpauth:" in first.text
    again = browser.step("enrol", action="complete", enrolment=enrolment, code="000000")
    assert again.status_code == 422
    for answer in (again, browser.get("/mfa/enrol")):
        assert "otpauth:" not in answer.text
        assert "<svg" not in answer.text


@pytest.mark.abuse("A27")
def test_a_step_that_breaks_tells_no_secret(
    portal: Portal, browser: Browser, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    code = portal.activation_code()
    browser.password()
    with monkeypatch.context() as broken:
        broken.setattr("mfa_gate.store.activations.bind", lambda *_: 1 / 0)
        answer = browser.api("POST", "activation/verify", json={"code": code})
    assert said(answer) == (503, "unavailable")
    assert code not in answer.text + caplog.text
    assert code.replace("-", "") not in answer.text + caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.abuse("A27")
@pytest.mark.parametrize("backend", ["sqlite"])
def test_what_an_error_tracker_prints_of_the_objects_that_carry_secrets_shows_none(portal: Portal) -> None:
    from mfa_gate.account import Account
    from mfa_gate.factors import totp
    from mfa_gate.web.letters import Letter

    parts = portal.app.extensions["mfa_gate"]
    begun = totp.begin("Portail", "anne")
    assert begun.secret not in repr(begun)
    assert repr(begun.seed) not in repr(begun)
    key = KEYS.partition(":")[2]
    assert key not in repr(parts.keyring)
    assert key not in repr(parts.settings)
    issued = parts.activation.issue("anne", "test")
    assert issued.code not in repr(issued)
    letter = Letter(Account("a", "A"), (), issued.code, 0.0)
    assert issued.code not in repr(letter)
