"""Activation codes: how they look, whom they open enrolment to, for how long, and what a new one does to the old."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mfa_gate.exc import ConfigurationError
from tests.support.portal import Browser, MakePortal, Portal

ALPHABET = set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")  # Crockford's base 32
WRONG = (422, "wrong_activation_code")
DAY = 86_400
HALF_AN_HOUR = 1800


def said(answer: Any) -> tuple[int, str | None]:
    """Status and stable code of an answer to a program."""
    return answer.status_code, (answer.json or {}).get("code")


def redeem(browser: Browser, code: str) -> tuple[int, str | None]:
    return said(browser.api("POST", "activation/verify", json={"code": code}))


def confirm(browser: Browser, begun: dict[str, str], code: str | None = None) -> tuple[int, str | None]:
    code = code or browser.portal.code(begun["secret"])
    return said(browser.api("POST", "totp/enrol/complete", json={"enrolment": begun["enrolment"], "code": code}))


def client_at_login(portal: Portal, account: str = "anne") -> Browser:
    """A browser with the right password typed, and nothing else."""
    browser = portal.browser()
    browser.password(account)
    return browser


# --- how they look -----------------------------------------------------------------------------------------------


def test_a_code_has_at_least_64_bits_in_groups_of_four(portal: Portal) -> None:
    codes = [portal.activation_code() for _ in range(60)]
    assert all(re.fullmatch(r"\w{4}(-\w{4})+", code) for code in codes)
    assert set("".join(codes)) - {"-"} <= ALPHABET
    symbols = len(codes[0].replace("-", ""))
    assert symbols * math.log2(len(ALPHABET)) >= 64
    assert len(set(codes)) == 60
    # each symbol is drawn by itself: of 32, 60 draws at one place show more than half
    assert all(len({code.replace("-", "")[place] for code in codes}) > 16 for place in range(symbols))


@pytest.mark.parametrize(
    "typed",
    [
        str,
        str.lower,
        lambda code: code.replace("-", ""),
        lambda code: code.replace("-", " "),
        lambda code: f"  {code} \n",
        lambda code: code.replace("-", "\u2013"),
        lambda code: code.replace("-", "\u00a0"),
        lambda code: code.replace("0", "O").replace("1", "I"),
        lambda code: code.replace("0", "o").replace("1", "l").lower(),
        lambda code: "-".join(code.replace("-", "")),
    ],
    ids=["as printed", "small", "no dashes", "spaces", "around", "en dash", "no-break", "OI", "ol", "dashes"],
)
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_code_may_be_typed_in_any_readable_way(portal: Portal, typed: Callable[[str], str]) -> None:
    code = portal.activation_code()
    while not {"0", "1"} <= set(code):
        code = portal.activation_code()
    browser = client_at_login(portal)
    assert redeem(browser, typed(code)) == (200, None)
    assert browser.state == "enrolling"


def test_the_store_keeps_a_code_as_a_keyed_hash_that_names_its_key(portal: Portal) -> None:
    code = portal.activation_code()
    (row,) = portal.sql("SELECT * FROM mfa_activations")
    assert row.code_hash.startswith("test1.")
    assert code.replace("-", "") not in str(tuple(row)).upper().replace("-", "")


# --- whom they open to -------------------------------------------------------------------------------------------


@pytest.mark.abuse("A3")
def test_a_right_password_without_an_activation_code_gets_no_seed_and_no_level(portal: Portal) -> None:
    browser = client_at_login(portal)
    assert browser.state == "activation"
    begun = browser.api("POST", "totp/enrol/begin")
    assert said(begun) == (401, "activation_required")
    assert "secret" not in begun.text
    assert said(browser.api("POST", "totp/enrol/complete", json={"enrolment": "0" * 32, "code": "123456"})) == (
        401,
        "activation_required",
    )
    for action in ("begin", "complete"):
        page = browser.step("enrol", action=action, enrolment="0" * 32, code="123456")
        assert (page.status_code, page.location) == (303, "https://portal.example/mfa/activate")
    assert said(browser.api("POST", "totp/verify", json={"code": "123456"})) == (409, "wrong_state")
    assert browser.api("GET", "session").json["level"] == "PASSWORD"
    assert browser.get("/").status_code == 303
    assert portal.opened == []
    assert portal.sql("SELECT * FROM mfa_enrolments") == []


@pytest.mark.abuse("A4")
@pytest.mark.parametrize("forged", ["0000-0000-0000-0000", "x", "%", "' OR 1=1 --", "0" * 128, "\ufeff", "测试"])
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_forged_code_opens_nothing(portal: Portal, forged: str) -> None:
    portal.activation_code()
    browser = client_at_login(portal)
    assert redeem(browser, forged) == WRONG
    assert browser.state == "activation"


@pytest.mark.abuse("A4")
@pytest.mark.abuse("A8")
def test_a_code_of_another_account_opens_nothing_and_stays_good_for_its_own(portal: Portal) -> None:
    portal.activation_code("anne")
    of_bob = portal.activation_code("bob")
    browser = client_at_login(portal, "anne")
    assert redeem(browser, of_bob) == WRONG
    assert browser.state == "activation"
    assert redeem(client_at_login(portal, "bob"), of_bob) == (200, None)


@pytest.mark.abuse("A4")
def test_a_code_that_is_redeemed_in_one_session_opens_no_other(portal: Portal) -> None:
    code = portal.activation_code()
    owner, thief = client_at_login(portal), client_at_login(portal)
    assert redeem(owner, code) == (200, None)
    assert redeem(thief, code) == WRONG
    assert thief.state == "activation"
    assert said(thief.api("POST", "totp/enrol/begin")) == (401, "activation_required")
    assert owner.state == "enrolling"


@pytest.mark.abuse("A4")
def test_every_reason_for_a_refusal_is_told_in_the_same_words(portal: Portal) -> None:
    """Mistyped, another account's, taken, replaced, out of time: a guesser learns nothing."""
    of_bob = portal.activation_code("bob")
    replaced = portal.activation_code()
    taken = portal.activation_code()
    redeem(client_at_login(portal), taken)
    answers = [
        client_at_login(portal).api("POST", "activation/verify", json={"code": code}).json
        for code in ("0000-0000-0000-0000", of_bob, replaced, taken)
    ]
    portal.clock.advance(2 * DAY)
    answers.append(client_at_login(portal).api("POST", "activation/verify", json={"code": taken}).json)
    assert all(answer == answers[0] for answer in answers)


def test_a_code_without_the_authenticator_that_there_is_opens_nothing(portal: Portal) -> None:
    secret = portal.enrolled()
    code = portal.activation_code()
    browser = client_at_login(portal)
    assert redeem(browser, code) == (409, "wrong_state")
    assert browser.state == "pending"
    assert said(browser.api("POST", "totp/enrol/begin")) == (401, "step_up_required")
    browser.step("challenge", code=portal.code(secret))
    assert redeem(browser, code) == (200, None)
    assert said(browser.api("POST", "totp/enrol/begin")) == (200, None)


def test_a_code_is_taken_beside_a_proof_of_the_last_five_minutes_alone(portal: Portal) -> None:
    secret = portal.enrolled()
    code = portal.activation_code()
    browser = portal.browser()
    browser.sign_in(secret)
    portal.clock.advance(300)
    assert redeem(browser, code) == (401, "step_up_required")
    browser.step("challenge", code=portal.code(secret))
    assert redeem(browser, code) == (200, None)


def test_whoever_has_only_a_code_and_no_password_gets_nowhere(portal: Portal, browser: Browser) -> None:
    code = portal.activation_code()
    assert redeem(browser, code) == (401, "sign_in_required")
    assert redeem(client_at_login(portal), code) == (200, None)


def test_redeeming_gives_the_session_a_new_id_and_no_level(portal: Portal) -> None:
    code = portal.activation_code()
    browser = client_at_login(portal)
    before = browser.copy()
    redeem(browser, code)
    assert browser.gate_cookie != before.gate_cookie
    assert before.state == "anonymous"
    assert browser.api("GET", "session").json["level"] == "PASSWORD"
    assert browser.get("/").location == "https://portal.example/mfa/challenge"
    assert portal.opened == []


# --- for how long ------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A5")
@pytest.mark.parametrize(("before_the_end", "answer"), [(1, (200, None)), (0, WRONG), (-1, WRONG)])
@pytest.mark.parametrize("ttl", [None, timedelta(minutes=1), timedelta(days=366)])
def test_a_code_may_be_redeemed_until_the_second_of_its_end(
    portal: Portal, before_the_end: int, answer: tuple[int, str | None], ttl: timedelta | None
) -> None:
    code = portal.activation_code(ttl=ttl)
    portal.clock.advance((ttl or timedelta(days=1)).total_seconds() - before_the_end)
    assert redeem(client_at_login(portal), code) == answer


@pytest.mark.abuse("A5")
def test_a_pending_sign_in_ends_after_ten_minutes_to_the_second(portal: Portal) -> None:
    code = portal.activation_code()
    browser = client_at_login(portal)
    portal.clock.advance(599)
    assert browser.state == "activation"
    portal.clock.advance(1)
    assert redeem(browser, code) == (401, "sign_in_required")
    assert browser.state == "anonymous"


@pytest.mark.abuse("A5")
@pytest.mark.parametrize(("second", "answer"), [(-1, (200, None)), (0, (401, "sign_in_required"))])
def test_an_enrolment_must_be_confirmed_within_half_an_hour_to_the_second(
    portal: Portal, second: int, answer: tuple[int, str | None]
) -> None:
    browser = portal.browser()
    browser.activate()
    begun = browser.begin_enrolment()
    portal.clock.advance(HALF_AN_HOUR + second)
    assert confirm(browser, begun) == answer
    assert len(portal.sql("SELECT id FROM mfa_authenticators")) == (answer[0] == 200)


def test_whoever_is_signed_in_stays_so_after_the_half_hour_of_a_code(portal: Portal) -> None:
    key, code, browser = portal.key(), portal.activation_code(), portal.browser()
    browser.password()
    assert browser.prove(key).status_code == 200
    assert browser.api("POST", "activation/verify", {"code": code}).status_code == 200
    portal.mark_notices_shown()
    portal.clock.advance(HALF_AN_HOUR - 1)
    assert browser.get("/").text == "home of anne"
    portal.clock.advance(2)
    assert browser.get("/").text == "home of anne"


def test_a_code_redeemed_in_its_last_second_still_has_its_half_hour(portal: Portal) -> None:
    code = portal.activation_code()
    portal.clock.advance(DAY - 1)
    browser = client_at_login(portal)
    redeem(browser, code)
    portal.clock.advance(HALF_AN_HOUR - 1)
    assert confirm(browser, browser.begin_enrolment()) == (200, None)


# --- spent, free again, replaced ---------------------------------------------------------------------------------


def test_a_code_is_spent_with_the_confirmation(portal: Portal) -> None:
    code = portal.activation_code()
    browser = client_at_login(portal)
    redeem(browser, code)
    begun = browser.begin_enrolment()
    assert confirm(browser, begun, "000000")[0] == 422
    assert len(portal.sql("SELECT id FROM mfa_activations")) == 1
    assert confirm(browser, begun) == (200, None)
    assert portal.sql("SELECT id FROM mfa_activations") == []
    with portal.app.app_context():
        portal.gate.forget("anne")  # no authenticator stands in its way any more
    assert redeem(client_at_login(portal), code) == WRONG


def sign_out(portal: Portal, browser: Browser) -> None:
    browser.step("sign-out")


def let_time_pass(portal: Portal, browser: Browser) -> None:
    portal.clock.advance(HALF_AN_HOUR)


def end_sessions(portal: Portal, browser: Browser) -> None:
    with portal.app.app_context():
        portal.gate.end_sessions("anne")


def sign_in_anew(portal: Portal, browser: Browser) -> None:
    browser.password("bob")  # in the same browser: its session gives way


@pytest.mark.parametrize("leave", [sign_out, let_time_pass, end_sessions, sign_in_anew])
def test_the_code_of_an_abandoned_enrolment_is_free_again(
    portal: Portal, leave: Callable[[Portal, Browser], None]
) -> None:
    code = portal.activation_code()
    browser = client_at_login(portal)
    redeem(browser, code)
    begun = browser.begin_enrolment()
    leave(portal, browser)
    other = client_at_login(portal)
    assert redeem(other, code) == (200, None)
    assert confirm(browser, begun)[0] in (401, 403)
    assert confirm(other, begun) == (409, "enrolment_gone")
    assert confirm(other, other.begin_enrolment()) == (200, None)


def test_a_session_that_idled_out_holds_no_code(make: MakePortal) -> None:
    portal = make(MFA_GATE_IDLE=300)
    code = portal.activation_code()
    idle = client_at_login(portal)
    redeem(idle, code)
    portal.clock.advance(299)
    assert redeem(client_at_login(portal), code) == WRONG
    portal.clock.advance(1)
    assert idle.state == "anonymous"
    assert redeem(client_at_login(portal), code) == (200, None)


def test_locking_and_unlocking_leaves_the_code_free_again(portal: Portal) -> None:
    code = portal.activation_code()
    browser = client_at_login(portal)
    redeem(browser, code)
    with portal.app.app_context():
        portal.gate.lock("anne", "lost phone")
        portal.gate.unlock("anne", "found")
    assert browser.state == "anonymous"
    assert redeem(client_at_login(portal), code) == (200, None)


def test_a_new_code_makes_the_old_one_worthless(portal: Portal) -> None:
    old, new = portal.activation_code(), portal.activation_code()
    assert len(portal.sql("SELECT id FROM mfa_activations")) == 1
    browser = client_at_login(portal)
    assert redeem(browser, old) == WRONG
    assert redeem(browser, new) == (200, None)


def test_a_new_code_ends_the_session_that_was_enrolling_by_the_old_one(portal: Portal) -> None:
    browser = portal.browser()
    browser.activate()
    begun = browser.begin_enrolment()
    waiting = client_at_login(portal)
    new = portal.activation_code()
    assert browser.state == "anonymous"
    assert confirm(browser, begun) == (401, "sign_in_required")
    assert waiting.state == "activation"  # it had not redeemed anything
    assert redeem(waiting, new) == (200, None)
    assert confirm(waiting, begun) == (409, "enrolment_gone")


def test_a_new_code_ends_the_session_that_may_still_enrol_by_one_that_is_spent(portal: Portal) -> None:
    browser = portal.browser()
    browser.activate()
    assert browser.add_key().status_code == 200
    portal.activation_code()
    assert browser.state == "anonymous"


def test_a_new_code_leaves_other_accounts_alone(portal: Portal) -> None:
    browser = portal.browser()
    browser.activate("bob")
    portal.activation_code("anne")
    assert browser.state == "enrolling"


def test_signing_out_before_anything_is_enrolled_frees_the_code(portal: Portal) -> None:
    code = portal.activation_code()
    for browser in (portal.browser(), portal.browser()):
        browser.password()
        assert browser.step("activate", code=code).status_code == 303
        assert browser.state == "enrolling"
        browser.step("sign-out")


def test_a_revoked_code_stops_even_an_enrolment_under_way(portal: Portal) -> None:
    browser = portal.browser()
    browser.activate()
    begun = browser.begin_enrolment()
    portal.app.test_cli_runner().invoke(args=["mfa", "activation", "revoke", "anne"])
    assert confirm(browser, begun)[0] == 401
    assert browser.state in ("activation", "anonymous")
    assert portal.sql("SELECT id FROM mfa_authenticators") == []


@pytest.mark.parametrize(
    "ttl", [timedelta(seconds=59), timedelta(days=366, seconds=1), timedelta(0), timedelta(days=-1)]
)
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_code_lives_from_a_minute_to_a_year(portal: Portal, ttl: timedelta) -> None:
    with pytest.raises(ValueError, match="minute"):
        portal.activation_code(ttl=ttl)
    assert portal.sql("SELECT id FROM mfa_activations") == []


@pytest.mark.parametrize("backend", ["sqlite"])
def test_each_step_of_a_code_is_an_event(portal: Portal) -> None:
    code = portal.activation_code()
    browser = client_at_login(portal)
    redeem(browser, "0000-0000-0000-0000")
    redeem(browser, code)
    confirm(browser, browser.begin_enrolment())
    assert portal.events() == [
        ("activation_issued", "success", None),
        ("first_factor", "success", None),
        ("activation_redeemed", "failure", "wrong_activation_code"),
        ("activation_redeemed", "success", None),
        ("authenticator_added", "success", None),
        ("recovery_codes_renewed", "success", None),
    ]


@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize("setting", ["MFA_GATE_ACTIVATION_TTL", "MFA_GATE_LETTER_TTL"])
@pytest.mark.parametrize("value", [0, -1, 59, True, "1 day", timedelta(days=400)])
def test_a_lifetime_of_codes_that_means_nothing_stops_the_start(make: MakePortal, setting: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        make(**{setting: value})


@pytest.mark.abuse("A5")
def test_an_issued_code_is_gone_after_its_end_even_though_no_clean_up_ran(portal: Portal) -> None:
    code = portal.activation_code()
    portal.clock.advance(DAY + 1)
    assert len(portal.sql("SELECT id FROM mfa_activations")) == 1
    assert redeem(client_at_login(portal), code) == WRONG
