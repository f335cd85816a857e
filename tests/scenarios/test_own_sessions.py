"""A person's own sessions: listed, and ended one by one or all at once, on every worker."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.support.owners import by_app, by_key, client_at_login, enrol, said
from tests.support.portal import BASE_URL, JSON, Browser, MakePortal, Portal

SQLITE = pytest.mark.parametrize("backend", ["sqlite"])


def listed(browser: Browser) -> list[dict[str, Any]]:
    answer = browser.api("GET", "sessions")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(answer.json) == {"sessions", "next"}
    rows: list[dict[str, Any]] = answer.json["sessions"]
    return rows


def name_of(browser: Browser) -> str:
    """The name of this browser's own session."""
    (row,) = [row for row in listed(browser) if row["this"]]
    return str(row["id"])


# --- listed ----------------------------------------------------------------------------------------------------------


def test_the_owner_sees_every_session_by_its_documented_fields_the_newest_first(portal: Portal) -> None:
    secret, key = enrol(portal, "app", "key")
    enrol(portal, "app", account="bob")
    first = by_app(portal, secret)
    began = portal.clock()
    portal.clock.advance(60)
    waiting = client_at_login(portal)
    portal.clock.advance(60)
    client_at_login(portal, "bob")
    browser = by_key(portal, key)
    rows = listed(browser)
    told = [(row["level"], row["created_at"], row["last_seen"], row["this"]) for row in rows]
    assert told == [
        ("PHISHING_RESISTANT", began + 120, began + 120, True),
        ("PASSWORD", began + 60, began + 60, False),
        ("MFA", began, began, False),
    ]
    assert all(set(row) == {"id", "level", "browser", "network", "created_at", "last_seen", "this"} for row in rows)
    assert [row["this"] for row in listed(first)] == [False, False, True]
    assert waiting.state == "pending"


@pytest.mark.parametrize(
    ("idle", "lifetime", "passed"), [(600, 36_000, 600), (3600, 7200, 7200)], ids=["idle", "lifetime"]
)
def test_what_has_ended_by_itself_is_not_listed(make: MakePortal, idle: int, lifetime: int, passed: int) -> None:
    portal = make(MFA_GATE_IDLE=idle, MFA_GATE_LIFETIME=lifetime)
    (secret,) = enrol(portal, "app")
    old = by_app(portal, secret)
    step = idle / 2
    for _ in range(int((passed - 1) // step)):
        portal.clock.advance(step)
        if passed == lifetime:
            old.get("/")
    portal.clock.advance(passed - 1 - (passed - 1) // step * step)
    browser = by_app(portal, secret)  # one step, of 30 seconds, later
    assert [row["this"] for row in listed(browser)] == [True]


def test_no_answer_holds_what_opens_a_session(portal: Portal) -> None:
    """Neither the cookie nor its hash: a session goes by the name of its sign-in."""
    (secret,) = enrol(portal, "app")
    others, browser = [by_app(portal, secret), client_at_login(portal)], by_app(portal, secret)
    answers = [
        browser.api("GET", "sessions"),
        browser.api("GET", "session"),
        browser.api("GET", "authenticators"),
        browser.get("/mfa/authenticators"),
        browser.api("DELETE", f"sessions/{name_of(others[0])}"),
        browser.api("DELETE", "sessions/nothing"),
        browser.api("DELETE", "sessions"),
    ]
    for there in (browser, *others):
        assert there.gate_cookie
        whole = there.gate_cookie.rpartition(".")[0]
        secret = whole.rpartition(".")[2]  # what comes before is the name of the sign-in
        for kept in (there.gate_cookie, whole, secret, hashlib.sha256(whole.encode()).hexdigest()):
            assert not [answer for answer in answers if kept in answer.text]
    thief = portal.browser()
    thief.gate_cookie = listed(browser)[0]["id"]
    assert thief.state == "anonymous"


# --- ended -----------------------------------------------------------------------------------------------------------


def test_one_session_is_ended_on_every_worker_and_no_other(make: MakePortal) -> None:
    one, two = make(), make()
    (secret,) = enrol(one, "app")
    lost, kept, browser = by_app(one, secret), by_app(two, secret), by_app(one, secret)
    answer = browser.api("DELETE", f"sessions/{name_of(lost)}")
    assert (answer.status_code, answer.json) == (200, {"ended": 1})
    for worker in (one, two):
        assert lost.on(worker).state == "anonymous"
        assert lost.on(worker).get("/", headers=JSON).status_code == 401
        assert kept.on(worker).get("/").text == browser.on(worker).get("/").text == "home of anne"
    assert len(listed(browser)) == 2


def test_a_pending_sign_in_of_somebody_else_can_be_ended_too(portal: Portal) -> None:
    """Who has typed the owner's password is thrown out half way."""
    (secret,) = enrol(portal, "app")
    thief, browser = client_at_login(portal), by_app(portal, secret)
    (row,) = [row for row in listed(browser) if not row["this"]]
    assert browser.api("DELETE", f"sessions/{row['id']}").status_code == 200
    assert thief.state == "anonymous"


def test_all_others_are_ended_and_this_one_stays(make: MakePortal) -> None:
    one, two = make(), make()
    secret, key = enrol(one, "app", "key")
    (of_bob,) = enrol(one, "app", account="bob")
    others = [by_app(two, secret), client_at_login(one), by_key(two, key)]
    bob, browser = by_app(one, of_bob, "bob"), by_app(one, secret)
    answer = browser.api("DELETE", "sessions")
    assert (answer.status_code, answer.json) == (200, {"ended": 3})
    assert [other.on(worker).state for other in others for worker in (one, two)] == ["anonymous"] * 6
    assert browser.get("/").text == "home of anne"
    assert bob.get("/").text == "home of bob"
    assert [row["this"] for row in listed(browser)] == [True]
    assert browser.api("DELETE", "sessions").json == {"ended": 0}


def test_ending_this_very_session_is_a_sign_out(portal: Portal) -> None:
    """The portal's own session ends with it."""
    (secret,) = enrol(portal, "app")
    browser = by_app(portal, secret)
    assert browser.api("DELETE", f"sessions/{name_of(browser)}").status_code == 200
    assert browser.state == "anonymous"
    assert browser.get("/open").text == "open to None None"


def test_ending_sessions_is_an_event(portal: Portal) -> None:
    (secret,) = enrol(portal, "app")
    other, browser = by_app(portal, secret), by_app(portal, secret)
    browser.api("DELETE", f"sessions/{name_of(other)}")
    browser.api("DELETE", "sessions")
    assert portal.events()[-2:] == [("sessions_ended", "success", None)] * 2


# --- whose -----------------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A8")
def test_a_session_of_another_account_is_unknown_here_and_goes_on(portal: Portal) -> None:
    (secret,) = enrol(portal, "app")
    (of_bob,) = enrol(portal, "app", account="bob")
    bob, browser = by_app(portal, of_bob, "bob"), by_app(portal, secret)
    name = name_of(bob)
    assert name not in str(listed(browser))
    assert said(browser.api("DELETE", f"sessions/{name}")) == (404, "not_found")
    assert bob.get("/").text == "home of bob"


@SQLITE
@pytest.mark.parametrize("name", ["0" * 32, "x", "%27%20OR%201=1%20--", "%25", "%2a", "a%00b", "%ef%bb%bf", "9" * 9000])
def test_an_unknown_or_malformed_name_ends_nothing(portal: Portal, name: str) -> None:
    (secret,) = enrol(portal, "app")
    other, browser = by_app(portal, secret), by_app(portal, secret)
    assert said(browser.api("DELETE", f"sessions/{name}")) == (404, "not_found")
    assert (other.state, browser.state) == ("signed_in", "signed_in")


CALLS = [("GET", "sessions"), ("DELETE", "sessions"), ("DELETE", "sessions/{name}")]


@pytest.mark.abuse("A1")
@pytest.mark.parametrize(("method", "path"), CALLS)
def test_with_the_password_alone_no_session_is_listed_or_ended(portal: Portal, method: str, path: str) -> None:
    (secret,) = enrol(portal, "app")
    owner = by_app(portal, secret)
    name = name_of(owner)
    thief = client_at_login(portal)
    answer = thief.api(method, path.format(name=name))
    assert said(answer) == (401, "step_up_required")
    assert name not in answer.text
    assert owner.state == "signed_in"


@SQLITE
@pytest.mark.parametrize(("method", "path"), CALLS)
def test_nobody_is_asked_to_sign_in_first(browser: Browser, method: str, path: str) -> None:
    answer = browser.api(method, path.format(name="x"), headers={"X-MFA-CSRF": "x"})
    assert said(answer) == (401, "sign_in_required")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.abuse("A50")
@pytest.mark.parametrize("forged", ["no token", "another's token", "another origin", "cross-site"])
@pytest.mark.parametrize("path", ["sessions", "sessions/{name}"])
def test_ending_needs_the_token_and_the_origin_of_this_sign_in(portal: Portal, path: str, forged: str) -> None:
    (secret,) = enrol(portal, "app")
    other, browser = by_app(portal, secret), by_app(portal, secret)
    headers = {
        "no token": {"X-MFA-CSRF": ""},
        "another's token": {"X-MFA-CSRF": other.token},
        "another origin": {"Origin": "https://evil.example"},
        "cross-site": {"Sec-Fetch-Site": "cross-site"},
    }[forged]
    path = path.format(name=name_of(other))
    assert said(browser.api("DELETE", path, headers=headers)) == (403, "csrf")
    assert other.state == "signed_in"
    assert browser.api("DELETE", path, headers={"Origin": BASE_URL}).status_code == 200
    assert other.state == "anonymous"
