"""The day the key is lost: what lets its owner back, what does not, and how fast anybody may try."""

from __future__ import annotations

from typing import Any

import pytest

from mfa_gate.testing import SoftwareKey
from tests.support.html_page import Page
from tests.support.owners import (
    BEGIN_APP,
    BEGIN_KEY,
    REMOVE,
    RENEW,
    add_app,
    authenticators,
    by_app,
    by_code,
    by_key,
    client_at_login,
    enrol,
    everything,
    id_of,
    id_of_key,
    recovery_hashes,
    redeem,
    said,
    try_code,
    with_codes,
)
from tests.support.portal import BASE_URL, Browser, Portal, hidden

SQLITE = pytest.mark.parametrize("backend", ["sqlite"])
WRONG = (422, "wrong_code")


# --- how fast --------------------------------------------------------------------------------------------------------


def test_tries_are_slowed_per_session(portal: Portal) -> None:
    enrol(portal, "app")
    code, _ = with_codes(portal)
    browser = client_at_login(portal)
    for _ in range(5):
        assert try_code(browser) == WRONG
    slowed = browser.api("POST", "recovery/verify", {"code": code})
    assert said(slowed) == (429, "too_many_attempts")
    assert slowed.headers["Retry-After"] == str(slowed.json["retry_after"]) == "1"
    portal.clock.advance(1)
    assert try_code(browser, code) == (200, None)


def test_what_is_slowed_is_not_computed(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    enrol(portal, "app")
    with_codes(portal)
    browser = client_at_login(portal)
    for _ in range(5):
        try_code(browser)
    asked: list[Any] = []
    monkeypatch.setattr("mfa_gate.factors.recovery.complete", lambda *args: asked.append(args))
    assert try_code(browser) == (429, "too_many_attempts")
    assert asked == []


def test_tries_are_slowed_per_source_over_all_its_sessions(portal: Portal) -> None:
    enrol(portal, "app")
    with_codes(portal)
    tried = 0
    for _ in range(15):
        browser = client_at_login(portal)
        answers = [try_code(browser) for _ in range(5)]
        tried += answers.count(WRONG)
    assert tried == 60
    assert try_code(client_at_login(portal)) == (429, "too_many_attempts")


def test_whatever_a_stranger_with_the_password_tries_the_owner_gets_in_from_elsewhere(portal: Portal) -> None:
    enrol(portal, "app")
    (code, _) = with_codes(portal)
    for source in range(4):
        for _ in range(12):
            thief = portal.browser(f"198.51.100.{source}")
            thief.password()
            for _ in range(5):
                try_code(thief)
        assert try_code(thief) == (429, "too_many_attempts")
    owner = portal.browser("203.0.113.7")
    owner.password()
    assert try_code(owner, code) == (200, None)
    assert len(recovery_hashes(portal)) == 1  # none was spent by the tries


def test_a_try_that_dies_half_way_stays_counted(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    enrol(portal, "app")
    with_codes(portal)
    browser = client_at_login(portal)

    def dies(*_: Any) -> str:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("mfa_gate.factors.recovery.complete", dies)
        for _ in range(5):
            assert try_code(browser)[0] == 503
    assert try_code(browser) == (429, "too_many_attempts")


@SQLITE
def test_each_try_is_an_event(portal: Portal) -> None:
    enrol(portal, "app")
    code, _ = with_codes(portal)
    browser = client_at_login(portal)
    try_code(browser)
    try_code(browser, code)
    rows = portal.sql("SELECT outcome, reason, data FROM mfa_events WHERE method = 'recovery' ORDER BY id")
    assert [(row.outcome, row.reason) for row in rows] == [("failure", "wrong_code"), ("success", None)]
    assert '"left":1' in rows[1].data.replace(" ", "")
    assert [event for event in portal.events() if event[0] == "second_factor"] == [
        ("second_factor", "failure", "wrong_code"),
        ("second_factor", "success", None),
    ]


# --- a lost key is replaced ------------------------------------------------------------------------------------------


def test_a_recovery_code_and_an_activation_code_replace_a_lost_key(portal: Portal) -> None:
    (lost,) = enrol(portal, "key")
    code, _ = with_codes(portal)
    browser = by_code(portal, code)
    assert redeem(browser).status_code == 200
    assert browser.state == "signed_in"
    new = SoftwareKey(BASE_URL)
    assert browser.add_key(new).status_code == 200
    assert REMOVE.send(browser, id_of_key(portal, lost)).status_code == 200
    assert [id_ for id_, _, _ in authenticators(portal)] == [id_of_key(portal, new)]
    assert browser.get("/safe").text == "safe form"
    assert by_key(portal, new).get("/safe").text == "safe form"


def test_the_pages_lead_through_the_replacement(portal: Portal) -> None:
    (lost,) = enrol(portal, "key")
    code, _ = with_codes(portal)
    browser = by_code(portal, code)
    asked = browser.get("/mfa/enrol")
    assert (asked.status_code, asked.location) == (303, f"{BASE_URL}/mfa/activate")
    assert browser.get("/mfa/activate").status_code == 200
    redeemed = browser.step("activate", code=portal.activation_code())
    assert (redeemed.status_code, redeemed.location) == (303, f"{BASE_URL}/mfa/authenticators")
    scan = browser.step("enrol", action="begin")
    assert hidden(scan, "enrolment")
    assert browser.add_key().status_code == 200
    removed = browser.step("authenticators", action="remove", id=id_of_key(portal, lost))
    assert removed.status_code == 200
    assert len(authenticators(portal)) == 1


@pytest.mark.parametrize("stage", ["the page", "the form", "the removal"])
def test_whoever_took_long_over_it_is_offered_another_recovery_code_besides_the_lost_key(
    portal: Portal, stage: str
) -> None:
    """The half hour of the activation code runs on; the challenge does not ask for the lost key alone."""
    (lost,) = enrol(portal, "key")
    first, second = with_codes(portal)
    browser = by_code(portal, first)
    assert redeem(browser).status_code == 200
    if stage == "the removal":
        assert add_app(browser).status_code == 200
    portal.clock.advance(300)
    if stage == "the removal":
        challenge = browser.step("authenticators", action="remove", id=id_of_key(portal, lost))
        assert challenge.status_code == 401
    else:
        answer = browser.get("/mfa/enrol") if stage == "the page" else browser.step("enrol", action="begin")
        assert answer.location == f"{BASE_URL}/mfa/challenge"
        challenge = browser.get("/mfa/challenge")
    offered = {field["value"] for field in Page(challenge.text).of("input") if field["name"] == "method"}
    assert offered == {"webauthn", "recovery"}
    sealed = {"sealed_form": hidden(challenge, "sealed_form")} if stage == "the removal" else {}
    proven = browser.step("challenge", method="recovery", code=second, **sealed)
    if stage == "the removal":
        assert proven.status_code == 200
        assert REMOVE.send(browser, id_of_key(portal, lost)).status_code == 200
    else:
        assert proven.location == f"{BASE_URL}/mfa/enrol"
        assert browser.add_key().status_code == 200


CALLS = {
    "begin app": lambda browser: BEGIN_APP.send(browser, ""),
    "begin key": lambda browser: BEGIN_KEY.send(browser, ""),
    "remove": lambda browser: REMOVE.send(browser, id_of(browser.portal, "pop")),
    "renew": lambda browser: RENEW.send(browser, ""),
}
EACH = pytest.mark.parametrize("call", CALLS)


@pytest.mark.abuse("A56")
@EACH
def test_a_recovery_code_alone_replaces_nothing(portal: Portal, call: str) -> None:
    enrol(portal, "app", "key")
    code, _ = with_codes(portal)
    browser = by_code(portal, code)
    before = everything(portal)
    assert said(CALLS[call](browser)) == (401, "activation_required")
    assert everything(portal) == before


@pytest.mark.abuse("A56")
@EACH
def test_a_recovery_code_of_five_minutes_ago_is_no_proof_even_beside_an_activation_code(
    portal: Portal, call: str
) -> None:
    enrol(portal, "app", "key")
    code, _ = with_codes(portal)
    browser = by_code(portal, code)
    assert redeem(browser).status_code == 200
    portal.clock.advance(300)
    before = everything(portal)
    assert said(CALLS[call](browser)) == (401, "step_up_required")
    assert everything(portal) == before


@pytest.mark.abuse("A1")
@pytest.mark.abuse("A2")
@EACH
def test_an_activation_code_alone_replaces_nothing(portal: Portal, call: str) -> None:
    enrol(portal, "app", "key")
    code = portal.activation_code()
    browser = client_at_login(portal)
    assert said(redeem(browser, code)) == (409, "wrong_state")
    before = everything(portal)
    assert said(CALLS[call](browser)) == (401, "step_up_required")
    assert everything(portal) == before


@pytest.mark.abuse("A56")
@EACH
def test_an_app_and_an_activation_code_replace_no_key(portal: Portal, call: str) -> None:
    """A relay gets the one, a thief of letters the other; the key is asked for all the same."""
    secret, _ = enrol(portal, "app", "key")
    browser = by_app(portal, secret)
    assert said(redeem(browser)) == (401, "step_up_required")
    before = everything(portal)
    assert said(CALLS[call](browser)) == (401, "step_up_required")
    assert everything(portal) == before


@SQLITE
def test_a_redeemed_recovery_session_shares_its_right_with_no_other(portal: Portal) -> None:
    enrol(portal, "key")
    first, second = with_codes(portal)
    owner, thief = by_code(portal, first), by_code(portal, second)
    assert redeem(owner).status_code == 200
    assert said(thief.add_key()) == (401, "activation_required")
    assert said(add_app(thief)) == (401, "activation_required")


# --- off for who has nothing enrolled --------------------------------------------------------------------------------


@pytest.mark.abuse("A3")
def test_recovery_codes_open_no_account_without_an_authenticator(portal: Portal) -> None:
    """A set that is left over in the store is worth nothing by itself."""
    enrol(portal, "app")
    code, _ = with_codes(portal)
    portal.sql("DELETE FROM mfa_authenticators")
    browser = client_at_login(portal)
    session = browser.api("GET", "session").json
    assert (session["state"], session["allowed_methods"]) == ("activation", [])
    assert try_code(browser, code) == (409, "wrong_state")
    assert browser.step("challenge", method="recovery", code=code).location == f"{BASE_URL}/mfa/activate"
    assert browser.state == "activation"
    assert len(recovery_hashes(portal)) == 2


@SQLITE
def test_somebody_who_is_enrolling_has_no_recovery(portal: Portal, browser: Browser) -> None:
    browser.activate()
    assert try_code(browser) == (409, "wrong_state")
    assert said(browser.api("POST", "recovery/renew"))[0] in (401, 409)
    assert recovery_hashes(portal) == []


@SQLITE
def test_an_account_that_never_had_codes_is_offered_none(portal: Portal) -> None:
    enrol(portal, "app")
    browser = client_at_login(portal)
    assert 'id="recovery"' not in browser.get("/mfa/challenge").text
    assert browser.api("GET", "session").json["allowed_methods"] == ["totp"]
    assert try_code(browser) == (409, "wrong_state")
