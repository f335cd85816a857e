"""The challenge of a passkey: kept in the store, for one answer, for five minutes, for who was asked and what for."""

from __future__ import annotations

import json

import pytest

from mfa_gate.testing.software_key import Tampered
from tests.support.passkeys import (
    PLAIN,
    STEPS,
    WAYS,
    answer_to,
    begin,
    challenges,
    complete,
    credentials,
    key_of,
    ready,
    refused,
    send,
    session_of,
    sign_in,
)
from tests.support.portal import Browser, MakePortal, Portal


@pytest.fixture
def portal(make: MakePortal) -> Portal:
    return make(**PLAIN)


@pytest.mark.parametrize("step", STEPS)
def test_a_challenge_is_kept_in_the_store_until_it_is_answered(portal: Portal, step: str) -> None:
    key = key_of()
    browser = ready(portal, step, key)
    options = begin(browser, step)
    assert challenges(portal) == [options["challenge"]]
    (row,) = portal.sql("SELECT account_id, purpose, ends_at FROM mfa_challenges")
    assert tuple(row) == ("anne", step, portal.clock() + 300)
    assert send(browser, step, answer_to(step, key, options)).status_code == 200
    assert challenges(portal) == []


@pytest.mark.abuse("A31")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", STEPS)
def test_a_challenge_is_good_for_one_answer(portal: Portal, step: str, way: str) -> None:
    key = key_of()
    browser = ready(portal, step, key)
    answer = answer_to(step, key, begin(browser, step))
    assert send(browser, step, answer, way).status_code < 400
    cookie = browser.gate_cookie
    portal.clock.advance(61)  # within a minute, a form that is sent twice is led on
    assert refused(send(browser, step, answer, way), portal, "challenge")
    assert browser.gate_cookie == cookie
    assert len(credentials(portal)) == 1


@pytest.mark.abuse("A5")
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("seconds", "good"), [(299, True), (299.999, True), (300, False), (301, False)])
def test_a_challenge_is_good_for_five_minutes_to_the_second(
    portal: Portal, step: str, seconds: float, good: bool
) -> None:
    key = key_of()
    browser = ready(portal, step, key)
    answer = answer_to(step, key, begin(browser, step))
    portal.clock.advance(seconds)
    done = send(browser, step, answer)
    assert done.status_code == 200 if good else refused(done, portal, "challenge")


@pytest.mark.parametrize(
    "tampered",
    [
        Tampered(bad_signature=True),
        Tampered(origin="https://evil.example"),
        Tampered(flags_off=1),
        Tampered(type="webauthn.other"),
    ],
    ids=["signature", "origin", "presence", "type"],
)
@pytest.mark.parametrize("step", STEPS)
def test_an_answer_that_fails_spends_its_challenge(portal: Portal, step: str, tampered: Tampered) -> None:
    key = key_of()
    browser = ready(portal, step, key)
    options = begin(browser, step)
    # a first registration is not signed by anybody whom the portal could ask
    tampered = Tampered(flags_off=1) if tampered.bad_signature and step == "enrol" else tampered
    assert refused(send(browser, step, answer_to(step, key, options, tampered)), portal)
    assert challenges(portal) == []
    assert refused(send(browser, step, answer_to(step, key, options)), portal, "challenge")


@pytest.mark.parametrize("step", STEPS)
def test_a_challenge_that_nobody_asked_is_refused(portal: Portal, step: str) -> None:
    key = key_of()
    browser = ready(portal, step, key)
    options = begin(browser, step)
    for challenge in (bytes(32), b"", b"x" * 64):
        made = answer_to(step, key, options, Tampered(challenge=challenge))
        assert refused(send(browser, step, made), portal, "challenge")
    assert challenges(portal) == [options["challenge"]]


@pytest.mark.abuse("A8", "A47")
@pytest.mark.parametrize("step", STEPS)
def test_a_challenge_of_one_sign_in_does_not_serve_another_of_the_same_person(portal: Portal, step: str) -> None:
    key = portal.key()
    first, second = portal.browser(), portal.browser("192.0.2.2")
    for browser in (first, second):
        assert sign_in(browser, key).status_code == 200
    used = key if step == "verify" else key_of()
    answer = answer_to(step, used, begin(first, step))
    assert refused(send(second, step, answer), portal, "challenge")
    assert send(first, step, answer).status_code == 200


@pytest.mark.abuse("A8", "A47")
@pytest.mark.parametrize("step", STEPS)
def test_a_challenge_of_one_account_does_not_serve_another(portal: Portal, step: str) -> None:
    keys = {account: portal.key(account) for account in ("anne", "bob")}
    browsers = {account: portal.browser() for account in keys}
    for account, browser in browsers.items():
        assert sign_in(browser, keys[account], account).status_code == 200
    options, own = begin(browsers["anne"], step), begin(browsers["bob"], step)
    stolen = {**own, "challenge": options["challenge"]}
    answer = answer_to(step, keys["bob"] if step == "verify" else key_of(), stolen)
    assert refused(send(browsers["bob"], step, answer), portal, "challenge", "bob")
    assert options["challenge"] in challenges(portal)


@pytest.mark.abuse("A8")
def test_a_challenge_for_an_enrolment_answers_no_verification_and_the_other_way_round(
    portal: Portal, browser: Browser
) -> None:
    key = portal.key()
    sign_in(browser, key)
    enrol, verify = begin(browser, "enrol"), begin(browser, "verify")
    asserted = key.assert_({**verify, "challenge": enrol["challenge"]})
    assert refused(send(browser, "verify", asserted), portal, "challenge")
    made = key_of().register({**enrol, "challenge": verify["challenge"]})
    assert refused(send(browser, "enrol", made), portal, "challenge")
    assert len(credentials(portal)) == 1


def test_of_one_sign_in_eight_challenges_stay_open_the_newest(portal: Portal, browser: Browser) -> None:
    key = portal.key()
    browser.password()
    asked = []
    for _ in range(9):
        asked.append(begin(browser, "verify"))
        portal.clock.advance(1)
    assert challenges(portal) == [options["challenge"] for options in asked[1:]]
    assert refused(send(browser, "verify", key.assert_(asked[0])), portal, "challenge")
    assert send(browser, "verify", key.assert_(asked[1])).status_code == 200


def test_many_challenges_of_one_sign_in_leave_those_of_others_alone(portal: Portal) -> None:
    key = portal.key()
    waiting, busy = portal.browser(), portal.browser()
    for browser in (waiting, busy):
        browser.password()
    answer = key.assert_(begin(waiting, "verify"))
    for _ in range(20):
        begin(busy, "verify")
    assert len(challenges(portal)) == 9
    assert send(waiting, "verify", answer).status_code == 200


def test_two_tabs_of_one_sign_in_can_be_asked_side_by_side(portal: Portal, browser: Browser) -> None:
    key = portal.key()
    browser.password()
    first, second = begin(browser, "verify"), begin(browser, "verify")
    assert send(browser, "verify", key.assert_(first)).status_code == 200
    assert send(browser, "verify", key.assert_(second)).status_code == 200


@pytest.mark.abuse("A35")
@pytest.mark.parametrize("step", STEPS)
def test_signing_out_takes_the_open_challenges_along(portal: Portal, step: str) -> None:
    key = key_of()
    browser = ready(portal, step, key)
    other = portal.browser()
    portal.key("bob")
    other.password("bob")
    kept = begin(other, "verify")["challenge"]
    begin(browser, step)
    browser.step("sign-out")
    assert challenges(portal) == [kept]


def test_a_new_password_in_the_same_browser_takes_the_open_challenges_along(portal: Portal, browser: Browser) -> None:
    key = portal.key()
    browser.password()
    answer = key.assert_(begin(browser, "verify"))
    browser.password()
    assert challenges(portal) == []
    assert refused(send(browser, "verify", answer), portal, "challenge")


def test_purge_clears_away_the_challenges_that_have_ended_and_no_others(portal: Portal) -> None:
    portal.key()
    asked = []
    for seconds in (100, 200):
        browser = portal.browser()
        browser.password()
        asked.append(begin(browser, "verify")["challenge"])
        portal.clock.advance(seconds)
    assert challenges(portal) == asked
    done = portal.app.test_cli_runner().invoke(args=["mfa", "purge", "--json"])
    assert json.loads(done.output)["challenges"] == 1
    assert challenges(portal) == asked[1:]


def test_asking_clears_away_what_has_ended_of_the_same_sign_in(portal: Portal, browser: Browser) -> None:
    portal.key()
    browser.password()
    for _ in range(3):
        begin(browser, "verify")
    portal.clock.advance(300)
    assert len(challenges(portal)) == 3
    last = begin(browser, "verify")["challenge"]
    assert challenges(portal) == [last]


@pytest.mark.parametrize("step", STEPS)
def test_whoever_is_locked_out_for_a_moment_keeps_the_challenge(make: MakePortal, step: str) -> None:
    """A wait is answered before anything is spent, so the same answer is good once it is over."""
    portal = make(MFA_GATE_METHODS=["webauthn", "totp"])
    key = key_of()
    browser = ready(portal, step, key)
    options = begin(browser, step)
    while (
        done := complete(browser, step, key_of() if step == "enrol" else key, Tampered(flags_off=1))
    ).status_code == 422:
        pass
    assert (done.status_code, done.json["code"]) == (429, "too_many_attempts")
    answer = answer_to(step, key, options)
    assert send(browser, step, answer).status_code == 429
    portal.clock.advance(done.json["retry_after"])
    assert send(browser, step, answer).status_code == 200
    assert session_of(browser)["state"] == "signed_in"
