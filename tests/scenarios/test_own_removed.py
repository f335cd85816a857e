"""What goes with a removed authenticator: the sessions that it made, on every worker, and no others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from mfa_gate.testing import SoftwareKey
from tests.support.html_page import Page
from tests.support.owners import (
    PAGE_REMOVE,
    REMOVE,
    Change,
    authenticators,
    by_app,
    by_code,
    by_key,
    client_at_login,
    credential_id,
    enrol,
    everything,
    id_of,
    id_of_key,
    named,
    redeem,
    said,
    with_codes,
)
from tests.support.portal import BASE_URL, JSON, MakePortal, Portal

BOTH = pytest.mark.parametrize("remove", [REMOVE, PAGE_REMOVE], ids=named)


# --- the sessions that it made ---------------------------------------------------------------------------------------


@pytest.mark.abuse("A25")
@BOTH
def test_the_sessions_that_it_made_end_at_once_on_every_worker_and_no_others(make: MakePortal, remove: Change) -> None:
    one, two = make(), make()
    secret, key = enrol(one, "app", "key")
    (of_bob,) = enrol(one, "app", account="bob")
    codes = with_codes(one)
    made_by_it = [by_app(one, secret), by_app(two, secret)]
    others = [by_key(two, key), by_code(one, codes[0]), client_at_login(two), by_app(one, of_bob, "bob")]
    states = [other.state for other in others]
    browser = by_key(one, key)
    assert remove.send(browser, id_of(one, "otp")).status_code == 200
    for ended in made_by_it:
        for worker in (one, two):
            there = ended.on(worker)
            assert there.state == "anonymous"
            assert there.get("/", headers=JSON).status_code == 401
    assert [other.on(worker).state for worker in (one, two) for other in others] == states * 2
    assert browser.on(two).state == "signed_in"
    assert browser.on(two).get("/").text == "home of anne"


@pytest.mark.abuse("A25")
@pytest.mark.parametrize("is_key", [False, True], ids=["app", "key"])
def test_a_session_that_has_enrolled_it_ends_too(portal: Portal, is_key: bool) -> None:
    first, key = portal.browser(), SoftwareKey(BASE_URL)
    first.activate()
    if is_key:
        first.add_key(key)
        second = by_key(portal, key)
    else:
        begun = first.begin_enrolment()
        first.confirm(begun)
        second = by_app(portal, begun["secret"])
    ((enrolled, *_),) = authenticators(portal)
    for browser in (first, second) * 8:  # a code that is issued while it may enrol would end it as well
        portal.clock.advance(150)
        assert browser.get("/").text == "home of anne"
    portal.clock.advance(30)
    if is_key:
        second.prove(key)
    else:
        second.step("challenge", code=portal.code(begun["secret"]))
    redeem(second)
    assert second.add_key().status_code == 200
    assert first.get("/").text == "home of anne"
    assert REMOVE.send(second, enrolled).status_code == 200
    assert first.get("/", headers=JSON).status_code == 401


def test_a_session_that_was_raised_by_it_on_the_way_ends_too(portal: Portal) -> None:
    """Signed in by the app, stepped up by the key that is removed: the holder of the key may be in it."""
    secret, gone, kept = enrol(portal, "app", "key", "key")
    raised = by_app(portal, secret)
    assert raised.prove(gone).status_code == 200
    assert REMOVE.send(by_key(portal, kept), id_of_key(portal, gone)).status_code == 200
    assert raised.state == "anonymous"


@BOTH
def test_this_session_stays_by_another_proof_of_its_own_without_that_of_the_removed(
    portal: Portal, remove: Change
) -> None:
    secret, key = enrol(portal, "app", "key")
    browser = by_app(portal, secret)
    browser.prove(key)
    assert browser.api("GET", "session").json["methods"] == ["pwd", "otp", "pop"]
    assert remove.send(browser, id_of(portal, "otp")).status_code == 200
    session = browser.api("GET", "session").json
    assert (session["state"], session["methods"], session["level"]) == (
        "signed_in",
        ["pwd", "pop"],
        "PHISHING_RESISTANT",
    )
    assert browser.get("/").text == "home of anne"


def test_a_session_falls_to_what_is_left_of_its_proofs(portal: Portal) -> None:
    secret, key = enrol(portal, "app", "key")
    browser = by_app(portal, secret)
    browser.prove(key)
    assert browser.get("/safe").text == "safe form"
    assert REMOVE.send(browser, id_of(portal, "pop")).json["signed_out"] is False
    session = browser.api("GET", "session").json
    assert (session["state"], session["methods"], session["level"]) == ("signed_in", ["pwd", "otp"], "MFA")
    assert browser.get("/safe").status_code == 403  # no key is left that could open it


@BOTH
def test_whoever_removes_the_key_that_made_this_session_is_signed_out_and_told_so(
    make: MakePortal, remove: Change
) -> None:
    one, two = make(), make()
    _, key = enrol(one, "app", "key")
    browser = by_key(one, key)
    assert browser.get("/open").text == "open to anne anne"
    id_ = id_of(one, "pop")
    answer = remove.send(browser, id_)
    assert answer.status_code == 200
    if remove.page:
        page = Page(answer.text)
        assert page.texts["h1"] == ["Vous êtes déconnecté"]
        assert "reconnectez-vous" in page.visible
        assert [note["data-mfa-removed"] for note in page.of("p") if "data-mfa-removed" in note] == [credential_id(key)]
        assert "/login" in [(link["href"] or "").removeprefix(BASE_URL) for link in page.of("a")]
    else:
        told = {"removed": id_, "credential_id": credential_id(key), "rp_id": "portal.example", "signed_out": True}
        assert answer.json == told
    for worker in (one, two):
        there = browser.on(worker)
        assert there.state == "anonymous"
        assert there.get("/open").text == "open to None None"  # the portal's own session is closed as well
        assert there.get("/").status_code == 303
    assert browser.gate_cookie in (None, "")


# --- what it opened ---------------------------------------------------------------------------------------------------


def test_until_then_each_of_two_apps_opens(portal: Portal) -> None:
    for secret in enrol(portal, "app", "app"):
        assert by_app(portal, secret).get("/").text == "home of anne"


def test_a_removed_app_shows_codes_that_open_nothing(portal: Portal) -> None:
    secret, key = enrol(portal, "app", "key")
    REMOVE.send(by_key(portal, key), id_of(portal, "otp"))
    portal.clock.advance(30)
    browser = client_at_login(portal)
    assert browser.api("GET", "session").json["allowed_methods"] == ["webauthn"]
    assert said(browser.api("POST", "totp/verify", {"code": portal.code(secret)})) == (409, "wrong_state")
    assert portal.sql("SELECT * FROM mfa_totp_seeds") == []


def test_a_removed_key_opens_nothing(portal: Portal) -> None:
    gone, kept = enrol(portal, "key", "key")
    asked = client_at_login(portal)
    options = asked.api("POST", "webauthn/verify/begin").json
    answer = gone.assert_(options)
    REMOVE.send(by_key(portal, kept), id_of_key(portal, gone))
    assert said(asked.api("POST", "webauthn/verify/complete", answer)) == (422, "wrong_assertion")
    assert asked.state == "pending"
    later = client_at_login(portal).api("POST", "webauthn/verify/begin").json
    assert [allowed["id"] for allowed in later["allowCredentials"]] == [credential_id(kept)]


def test_a_removed_key_may_be_enrolled_again(portal: Portal) -> None:
    gone, kept = enrol(portal, "key", "key")
    with_codes(portal)
    browser = by_key(portal, kept)
    REMOVE.send(browser, id_of_key(portal, gone))
    assert browser.add_key(gone).status_code == 200
    assert by_key(portal, gone).state == "signed_in"


# --- the last one ----------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A38")
@BOTH
@pytest.mark.parametrize("kind", ["key", "app"])
def test_an_owner_cannot_remove_the_last_one(portal: Portal, kind: str, remove: Change) -> None:
    """Not with recovery codes on paper and an activation code at hand either."""
    (made,) = enrol(portal, kind)
    with_codes(portal)
    browser = by_key(portal, made) if kind == "key" else by_app(portal, made)
    assert redeem(browser).status_code == 200
    before = everything(portal)
    answer = remove.send(browser, before[0][0][0])
    assert answer.status_code == 409
    if remove.page:
        assert 'role="alert"' in answer.text
    else:
        assert answer.json["code"] == "last_authenticator"
    assert everything(portal) == before
    assert browser.state == "signed_in"


@pytest.mark.abuse("A38")
def test_of_two_one_can_be_removed_and_then_none(portal: Portal) -> None:
    gone, kept = enrol(portal, "key", "key")
    browser = by_key(portal, kept)
    assert browser.get("/mfa/authenticators").text.count('value="remove"') == 2
    assert REMOVE.send(browser, id_of_key(portal, gone)).status_code == 200
    assert 'value="remove"' not in browser.get("/mfa/authenticators").text
    assert said(REMOVE.send(browser, id_of_key(portal, kept))) == (409, "last_authenticator")


@pytest.mark.abuse("A38")
def test_of_two_that_are_removed_at_the_same_moment_one_stays(make: MakePortal) -> None:
    """Each session removes the other's key, on a worker of its own."""
    one, two = make(), make()
    first, second = enrol(one, "key", "key")
    ids = {key: id_of_key(one, made) for key, made in (("first", first), ("second", second))}
    pairs = [(by_key(one, first), ids["second"]), (by_key(two, second), ids["first"])]
    ready = Barrier(2)
    tokens = [browser.token for browser, _ in pairs]

    def remove(at: int) -> tuple[int, str | None]:
        browser, id_ = pairs[at]
        ready.wait()
        return said(browser.api("DELETE", f"authenticators/{id_}", headers={"X-MFA-CSRF": tokens[at]}))

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(remove, range(2)), key=str)
    assert answers[0] == (200, None)
    assert answers[1] in [(409, "last_authenticator"), (401, "sign_in_required")]  # its session went with its key
    assert len(authenticators(one)) == 1


@pytest.mark.abuse("A38")
@pytest.mark.parametrize("codes", [False, True], ids=["no paper", "recovery codes"])
def test_an_account_whose_last_one_is_gone_is_closed_until_it_is_activated_anew(portal: Portal, codes: bool) -> None:
    enrol(portal, "key")
    paper = with_codes(portal)[0] if codes else "0000-0000-0000-0000"
    portal.sql("DELETE FROM mfa_authenticators")
    browser = client_at_login(portal)
    assert browser.state == "activation"
    assert said(browser.api("POST", "recovery/verify", {"code": paper})) == (409, "wrong_state")
    assert said(browser.api("POST", "webauthn/enrol/begin")) == (401, "activation_required")
    assert browser.get("/", headers=JSON).json["code"] == "activation_required"
    assert portal.opened == []


@pytest.mark.parametrize("remove", [REMOVE], ids=named)
def test_a_removal_is_an_event_with_its_id(portal: Portal, remove: Change) -> None:
    _, key = enrol(portal, "app", "key")
    id_ = id_of(portal, "otp")
    remove.send(by_key(portal, key), id_)
    (row,) = portal.sql("SELECT method, outcome, data FROM mfa_events WHERE kind = 'authenticator_removed'")
    assert (row.method, row.outcome) == ("otp", "success")
    assert id_ in row.data
    assert [method for _, method, _ in authenticators(portal)] == ["pop"]


# --- what a browser is signalled -------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", ["the page", "the API"])
@pytest.mark.parametrize("method", ["pop", "otp"])
def test_after_a_removal_the_browser_learns_which_credential_is_gone(portal: Portal, over: str, method: str) -> None:
    _, gone, kept = enrol(portal, "app", "key", "key")
    browser = by_key(portal, kept)
    id_ = id_of_key(portal, gone) if method == "pop" else id_of(portal, "otp")
    told = (credential_id(gone), "portal.example") if method == "pop" else (None, None)
    if over == "the API":
        answer = REMOVE.send(browser, id_)
        assert answer.json == {"removed": id_, "credential_id": told[0], "rp_id": told[1], "signed_out": False}
    else:
        page = Page(browser.step("authenticators", action="remove", id=id_).text)
        notes = [(each.get("data-mfa-removed"), each.get("data-rp-id")) for each in page.of("p")]
        assert [note for note in notes if note[0]] == ([told] if method == "pop" else [])
        assert page.of("script")
