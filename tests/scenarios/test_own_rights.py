"""Who may change authenticators: not the password alone, and no relayed code without an activation code."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import Any

import pytest

from mfa_gate import Level
from mfa_gate.assurance import Proof, Requirement, level_of, satisfies, strongest
from mfa_gate.factors.registry import METHODS
from mfa_gate.testing import SoftwareKey
from tests.support.owners import (
    BEGIN_APP,
    BEGIN_KEY,
    CHANGES,
    ENROLMENTS,
    PAGE_REMOVE,
    PAGE_RENEW,
    REMOVE,
    RENEW,
    Change,
    add_app,
    authenticators,
    by_app,
    by_code,
    client_at_login,
    enrol,
    everything,
    id_of,
    named,
    redeem,
    said,
    with_codes,
)
from tests.support.portal import BASE_URL, JSON, Browser, Portal

SQLITE = pytest.mark.parametrize("backend", ["sqlite"])
HAVE = pytest.mark.parametrize("have", [("app",), ("key",), ("app", "key")], ids=["an app", "a key", "both"])


def assert_refused(answer: Any, change: Change, code: str, step: str) -> None:
    """A program gets the code, a person is sent to the step."""
    if change.page:
        assert (answer.status_code, answer.location) == (303, f"{BASE_URL}/mfa/{step}")
    else:
        assert said(answer) == (401, code)
        assert set(answer.json) == {"type", "title", "status", "detail", "code"}  # and nothing else


# --- with the password alone -----------------------------------------------------------------------------------------


@pytest.mark.abuse("A1")
@HAVE
def test_with_the_password_alone_nothing_is_listed(portal: Portal, have: tuple[str, ...]) -> None:
    enrol(portal, *have)
    with_codes(portal)
    thief = client_at_login(portal)
    answers = [
        thief.api("GET", "authenticators"),
        thief.api("GET", "sessions"),
        thief.get("/mfa/authenticators", headers=JSON),
    ]
    for answer in answers:
        assert said(answer) == (401, "step_up_required")
        assert set(answer.json) == {"type", "title", "status", "detail", "code"}
    page = thief.get("/mfa/authenticators")
    assert (page.status_code, page.location) == (303, f"{BASE_URL}/mfa/challenge")
    for answer in [*answers, page, thief.get("/mfa/challenge"), thief.api("GET", "session")]:
        assert not [told for id_, _, label in authenticators(portal) for told in (id_, label) if told in answer.text]


@pytest.mark.abuse("A1")
@SQLITE
@HAVE
@pytest.mark.parametrize("change", CHANGES, ids=named)
def test_with_the_password_alone_nothing_is_changed(portal: Portal, have: tuple[str, ...], change: Change) -> None:
    enrol(portal, *have)
    with_codes(portal)
    before = everything(portal)
    thief = client_at_login(portal)
    for id_, _, _ in before[0]:
        assert_refused(change.send(thief, id_), change, "step_up_required", "challenge")
    assert everything(portal) == before
    assert thief.state == "pending"


@pytest.mark.abuse("A1")
@pytest.mark.parametrize("change", CHANGES, ids=named)
@SQLITE
def test_an_activation_code_beside_the_password_changes_nothing_either(portal: Portal, change: Change) -> None:
    enrol(portal, "app", "key")
    before = everything(portal)
    thief = client_at_login(portal)
    assert said(redeem(thief)) == (409, "wrong_state")
    assert_refused(change.send(thief, before[0][0][0]), change, "step_up_required", "challenge")
    assert everything(portal) == before


@pytest.mark.abuse("A1")
@pytest.mark.parametrize("change", CHANGES, ids=named)
@SQLITE
def test_somebody_who_is_enrolling_the_first_one_lists_and_changes_nothing(portal: Portal, change: Change) -> None:
    enrol(portal, "app", "key", account="bob")
    browser = portal.browser()
    browser.activate()
    before = everything(portal, "bob")
    assert said(browser.api("GET", "authenticators")) == (401, "enrolment_required")
    assert change.send(browser, before[0][0][0]).status_code in (303, 401, 404)
    assert everything(portal, "bob") == before
    assert everything(portal) == ([], [])


@pytest.mark.abuse("A2")
@SQLITE
@HAVE
@pytest.mark.parametrize("call", ENROLMENTS, ids=named)
def test_with_the_password_alone_both_calls_of_an_enrolment_ask_for_the_second_factor(
    portal: Portal, have: tuple[str, ...], call: Change
) -> None:
    enrol(portal, *have)
    before = everything(portal)
    thief = client_at_login(portal)
    answer = call.send(thief, "")
    assert_refused(answer, call, "step_up_required", "challenge")
    assert everything(portal) == before
    assert portal.sql("SELECT * FROM mfa_enrolments") == portal.sql("SELECT * FROM mfa_challenges") == []
    assert portal.opened == []


@pytest.mark.abuse("A2")
@pytest.mark.parametrize("kind", ["app", "key"])
def test_an_enrolment_begun_before_the_owner_enrolled_is_not_completed_after_it(portal: Portal, kind: str) -> None:
    thief = portal.browser()
    thief.activate()
    begun = thief.api("POST", "totp/enrol/begin" if kind == "app" else "webauthn/enrol/begin").json
    # the owner's authenticator comes to stand there by the store, while the thief's session still lives
    portal.sql(
        "INSERT INTO mfa_authenticators (id, account_id, method, label, created_at) "
        "VALUES ('owner', 'anne', 'otp', '', 0)"
    )
    if kind == "app":
        answer = thief.confirm(begun)
    else:
        answer = thief.api("POST", "webauthn/enrol/complete", SoftwareKey(BASE_URL).register(begun))
    assert said(answer) == (401, "step_up_required")
    assert authenticators(portal) == [("owner", "otp", "")]


@pytest.mark.abuse("A2")
@pytest.mark.parametrize("kind", ["app", "key"])
def test_an_enrolment_begun_with_a_fresh_proof_is_not_completed_with_an_old_one(portal: Portal, kind: str) -> None:
    """Looked at again at the second call, with the clock of that moment."""
    (key,) = enrol(portal, "key")
    with_codes(portal)
    browser = portal.browser()
    browser.password()
    browser.prove(key)
    portal.clock.advance(250)
    begun = browser.api("POST", "totp/enrol/begin" if kind == "app" else "webauthn/enrol/begin").json
    portal.clock.advance(50)
    before = everything(portal)
    if kind == "app":
        answer = browser.confirm(begun)
    else:
        answer = browser.api("POST", "webauthn/enrol/complete", SoftwareKey(BASE_URL).register(begun))
    assert said(answer) == (401, "step_up_required")
    assert everything(portal) == before


# --- two proofs of one category --------------------------------------------------------------------------------------


def proofs(*methods: str) -> list[Proof]:
    return [Proof(method, 100.0, f"one {at}") for at, method in enumerate(methods)]


@pytest.mark.abuse("A12")
@pytest.mark.parametrize("methods", [m for n in (0, 1, 2, 3, 4) for m in combinations_with_replacement(METHODS, n)])
def test_only_knowledge_and_possession_together_are_two_factors(methods: tuple[str, ...]) -> None:
    categories = {METHODS[method].category for method in methods}
    both = categories == {"knowledge", "possession"}
    level = level_of(proofs(*methods))
    assert (level >= Level.MFA) == both
    assert level == (max(METHODS[method].level for method in methods) if both else Level.PASSWORD)
    assert satisfies(level, proofs(*methods), Requirement(Level.MFA), 100.0) == both


@pytest.mark.abuse("A12")
def test_recovery_codes_never_count_as_what_an_account_can_reach() -> None:
    assert strongest(["recovery"]) == Level.PASSWORD
    assert strongest(["recovery", "otp"]) == Level.MFA
    assert strongest(["recovery", "otp", "pop"]) == Level.PHISHING_RESISTANT


@pytest.mark.abuse("A12")
@pytest.mark.parametrize("order", [("otp", "recovery"), ("recovery", "otp"), ("recovery", "recovery"), ("otp", "otp")])
def test_an_apps_code_and_a_recovery_code_in_one_session_are_mfa_and_never_more(
    portal: Portal, order: tuple[str, ...]
) -> None:
    secret, _ = enrol(portal, "app", "key")
    codes = iter(with_codes(portal))
    browser = client_at_login(portal)
    for method in order:
        portal.clock.advance(30)
        path, code = ("totp", portal.code(secret)) if method == "otp" else ("recovery", next(codes))
        answer = browser.api("POST", f"{path}/verify", {"code": code})
        assert answer.json["session"]["level"] == "MFA"
    assert browser.get("/safe", headers=JSON).status_code == 401
    assert browser.api("GET", "session").json["methods"] == ["pwd", *dict.fromkeys(order)]


@pytest.mark.abuse("A12")
def test_typing_the_password_twice_is_no_second_factor(portal: Portal) -> None:
    enrol(portal, "app")
    browser = client_at_login(portal)
    browser.password()
    session = browser.api("GET", "session").json
    assert (session["state"], session["level"]) == ("pending", "PASSWORD")
    assert said(browser.api("POST", "totp/verify", {"code": portal.passwords["anne"]})) == (422, "wrong_code")
    assert browser.get("/", headers=JSON).status_code == 401


@pytest.mark.abuse("A12")
def test_proofs_of_possession_without_the_password_are_worth_nothing(portal: Portal, browser: Browser) -> None:
    """App, paper and key in hand, and no session that they could be added to."""
    secret, _ = enrol(portal, "app", "key")
    (paper,) = with_codes(portal, count=1)
    forged = {"X-MFA-CSRF": "x"}
    for path, body in (
        ("totp/verify", {"code": portal.code(secret)}),
        ("recovery/verify", {"code": paper}),
        ("webauthn/verify/begin", None),
    ):
        assert said(browser.api("POST", path, body, headers=forged)) == (401, "sign_in_required")
    assert browser.state == "anonymous"
    assert by_code(portal, paper).state == "signed_in"  # nothing was spent


# --- a relayed code --------------------------------------------------------------------------------------------------


def by_relayed_code(portal: Portal, secret: str, paper: str) -> Browser:
    return by_app(portal, secret, address="198.51.100.9")


def by_stolen_paper(portal: Portal, secret: str, paper: str) -> Browser:
    return by_code(portal, paper)


Relay = Callable[[Portal, str, str], Browser]
RELAYED = pytest.mark.parametrize("relay", [by_relayed_code, by_stolen_paper], ids=["app code", "recovery code"])
ALONE = (BEGIN_APP, BEGIN_KEY, *ENROLMENTS[1:], REMOVE, RENEW, PAGE_REMOVE, PAGE_RENEW)


@pytest.mark.abuse("A56")
@SQLITE
@RELAYED
@pytest.mark.parametrize("change", ALONE, ids=named)
def test_a_relayed_code_enrols_removes_and_renews_nothing(portal: Portal, relay: Relay, change: Change) -> None:
    (secret,) = enrol(portal, "app")
    codes = with_codes(portal, count=1)
    attacker = relay(portal, secret, codes[0])
    before = everything(portal)
    answer = change.send(attacker, id_of(portal, "otp"))
    assert_refused(answer, change, "activation_required", "activate")
    assert everything(portal) == before
    assert portal.sql("SELECT * FROM mfa_enrolments") == portal.sql("SELECT * FROM mfa_challenges") == []


def attack(attacker: Browser, id_: str) -> list[tuple[int, str | None]]:
    """The attacker's passkey, a second app, the owner's app removed, recovery codes of one's own."""
    return [
        said(attacker.add_key()),
        said(add_app(attacker)),
        said(REMOVE.send(attacker, id_)),
        said(RENEW.send(attacker, id_)),
    ]


REFUSED = [(401, "activation_required")] * 4


@pytest.mark.abuse("A56")
@RELAYED
def test_an_activation_code_that_lies_at_the_owners_helps_a_relay_nothing(portal: Portal, relay: Relay) -> None:
    """Issued, and not redeemed in this very session."""
    (secret,) = enrol(portal, "app")
    codes = with_codes(portal, count=1)
    portal.activation_code()
    attacker = relay(portal, secret, codes[0])
    before = everything(portal)
    assert attack(attacker, id_of(portal, "otp")) == REFUSED
    assert everything(portal) == before


@pytest.mark.abuse("A56")
@RELAYED
def test_an_activation_code_that_another_session_redeemed_helps_a_relay_nothing(portal: Portal, relay: Relay) -> None:
    (secret,) = enrol(portal, "app")
    codes = with_codes(portal, count=1)
    owner = by_app(portal, secret)
    code = portal.activation_code()
    assert redeem(owner, code).status_code == 200
    attacker = relay(portal, secret, codes[0])
    assert said(redeem(attacker, code)) == (422, "wrong_activation_code")
    before = everything(portal)
    assert attack(attacker, id_of(portal, "otp")) == REFUSED
    assert everything(portal) == before
    assert owner.add_key().status_code == 200


@pytest.mark.abuse("A56")
@pytest.mark.parametrize(("second", "open_"), [(-1, True), (0, False)])
def test_the_half_hour_of_an_activation_code_ends_to_the_second(portal: Portal, second: int, open_: bool) -> None:
    """With a code of the app that is fresh all the same."""
    (secret,) = enrol(portal, "app")
    with_codes(portal)
    browser = by_app(portal, secret)
    assert redeem(browser).status_code == 200
    portal.clock.advance(1800 + second)
    assert browser.api("POST", "totp/verify", {"code": portal.code(secret)}).status_code == 200
    before = everything(portal)
    if open_:
        assert browser.add_key().status_code == 200
        assert len(authenticators(portal)) == 2
    else:
        assert attack(browser, id_of(portal, "otp")) == REFUSED
        assert everything(portal) == before


@pytest.mark.abuse("A56")
def test_a_window_that_is_over_stays_over_after_the_session_rises_again(portal: Portal) -> None:
    (secret,) = enrol(portal, "app")
    browser = by_app(portal, secret)
    redeem(browser)
    portal.clock.advance(1800)
    browser.api("POST", "totp/verify", {"code": portal.code(secret)})
    portal.clock.advance(30)
    browser.api("POST", "totp/verify", {"code": portal.code(secret)})
    assert attack(browser, id_of(portal, "otp")) == REFUSED


@pytest.mark.abuse("A56")
@RELAYED
def test_signing_out_and_in_again_leaves_the_window_behind(portal: Portal, relay: Relay) -> None:
    (secret,) = enrol(portal, "app")
    codes = with_codes(portal, count=1)
    owner = by_app(portal, secret)
    redeem(owner)
    owner.step("sign-out")
    assert attack(relay(portal, secret, codes[0]), id_of(portal, "otp")) == REFUSED


@pytest.mark.abuse("A56")
def test_the_owner_with_app_and_activation_code_may_do_each_of_these(portal: Portal) -> None:
    (secret,) = enrol(portal, "app")
    before = with_codes(portal)
    browser = by_app(portal, secret)
    old = id_of(portal, "otp")
    assert redeem(browser).status_code == 200
    renewed = RENEW.send(browser, "").json["codes"]
    assert len(renewed) == 10
    assert not set(renewed) & set(before)
    assert browser.add_key().status_code == 200
    assert add_app(browser).status_code == 200
    assert REMOVE.send(browser, old).status_code == 200
    assert sorted(method for _, method, _ in authenticators(portal)) == ["otp", "pop"]


@pytest.mark.abuse("A56")
@pytest.mark.parametrize("change", [RENEW, REMOVE], ids=named)
def test_an_activation_code_that_let_something_be_changed_is_spent(portal: Portal, change: Change) -> None:
    """Single use (P5): a later reader of the letter gets nothing."""
    secret, _ = enrol(portal, "app", "app")
    with_codes(portal)
    owner = by_app(portal, secret)
    (row,) = portal.sql("SELECT proofs FROM mfa_sessions")
    other = next(id_ for id_, _, _ in authenticators(portal) if id_ not in row.proofs)  # not what made this session
    code = portal.activation_code()
    assert redeem(owner, code).status_code == 200
    assert change.send(owner, other).status_code == 200
    owner.step("sign-out")
    assert said(redeem(by_app(portal, secret), code)) == (422, "wrong_activation_code")
