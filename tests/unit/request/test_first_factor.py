"""The brakes before the portal's own login view: what did not sign in stays counted."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import TestResponse

from mfa_gate import LimitPolicy, Rule
from mfa_gate.exc import Unavailable
from tests.support.answers import shape
from tests.support.portal import JSON, PAGE, Browser, Portal
from tests.support.statements import statements
from tests.support.web import dump, engine_of, rows

FREE = 5  # failures of one name that cost no wait


def wrong(browser: Browser, name: str = "anne", **kwargs: Any) -> TestResponse:
    return browser.post("/login", {"email": name, "password": "wrong"}, **kwargs)


def exhausted(browser: Browser, name: str = "anne") -> None:
    for _ in range(FREE):
        assert wrong(browser, name).status_code == 401


def json_login(browser: Browser, name: object, password: object) -> TestResponse:
    return browser.open("POST", "/login", json={"email": name, "password": password}, headers=JSON)


def test_too_many_tries_are_answered_by_a_page_that_says_how_long_to_wait(portal: Portal, browser: Browser) -> None:
    exhausted(browser)
    answer = wrong(browser)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    assert answer.mimetype == "text/html"
    assert "<code>too_many_attempts</code>" in answer.text
    assert "dans 1\N{NO-BREAK SPACE}seconde." in answer.text


def test_a_program_is_told_by_a_problem_document(portal: Portal, browser: Browser) -> None:
    exhausted(browser)
    answer = json_login(browser, "anne", "wrong")
    assert answer.status_code == 429
    assert answer.mimetype == "application/problem+json"
    assert (answer.json["code"], answer.json["retry_after"], answer.headers["Retry-After"]) == (
        "too_many_attempts",
        1,
        "1",
    )


def test_the_view_does_not_run_while_it_is_braked(portal: Portal, browser: Browser) -> None:
    """Not even with the right password: nobody learns that it would have been right."""
    exhausted(browser)
    answer = browser.password()
    assert answer.status_code == 429
    assert browser.gate_cookie is None


def test_waits_grow_and_stay_below_a_minute(portal: Portal, browser: Browser) -> None:
    exhausted(browser)
    waits = []
    for _ in range(9):
        waits.append(int(wrong(browser).headers["Retry-After"]))
        portal.clock.advance(waits[-1])
        assert wrong(browser).status_code == 401
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_braked_try_is_not_counted(portal: Portal, browser: Browser) -> None:
    """Whoever hammers at a closed door does not keep it closed for longer."""
    exhausted(browser)
    for _ in range(50):
        assert wrong(browser).headers["Retry-After"] == "1"
    portal.clock.advance(1)
    assert browser.password().status_code == 303


def test_one_name_does_not_brake_another(portal: Portal, browser: Browser) -> None:
    exhausted(browser)
    assert wrong(browser).status_code == 429
    assert wrong(browser, "bob").status_code == 401


def test_a_name_is_braked_at_the_source_that_fails_it_and_nowhere_else(portal: Portal) -> None:
    exhausted(portal.browser("198.51.100.7"))
    assert wrong(portal.browser("198.51.100.7")).status_code == 429
    assert portal.browser("203.0.113.7").password().status_code == 303


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_name_that_fails_everywhere_has_a_try_a_minute_at_each_source(portal: Portal) -> None:
    for number in range(100):
        wrong(portal.browser(f"198.51.100.{number}"))
    owner = portal.browser("203.0.113.7")
    assert wrong(owner).status_code == 401
    assert owner.password().headers["Retry-After"] == "60"
    portal.clock.advance(60)
    assert owner.password().status_code == 303
    assert portal.browser("203.0.113.8").password().status_code == 303


def test_a_source_is_braked_whatever_name_it_tries(portal: Portal) -> None:
    browser = portal.browser("198.51.100.7")
    for number in range(60):
        assert wrong(browser, f"person{number}").status_code == 401
    waits = []
    for number in range(8):
        answer = wrong(browser, f"someone else {number}")
        assert answer.status_code == 429
        waits.append(int(answer.headers["Retry-After"]))
        portal.clock.advance(waits[-1])
        assert wrong(browser, f"someone else {number}").status_code == 401
    assert waits == [5, 10, 20, 40, 80, 160, 240, 240]  # slower and slower, never closed
    assert wrong(portal.browser("198.51.100.8"), "someone else").status_code == 401


def test_addresses_of_one_ipv6_subscriber_are_one_source(make: Any) -> None:
    portal = make()
    for number in range(60):
        wrong(portal.browser(f"2001:db8:0:1::{number:x}"), f"person{number}")
    assert wrong(portal.browser("2001:db8:0:1:ffff::1"), "x").status_code == 429
    assert wrong(portal.browser("2001:db8:0:2::1"), "x").status_code == 401


@pytest.mark.abuse("A37")
def test_a_forwarded_address_from_the_client_itself_is_ignored(portal: Portal) -> None:
    browser = portal.browser("198.51.100.7")
    spellings = ("X-Forwarded-For", "X_Forwarded_For", "Forwarded", "X-Real-IP", "Client-IP", "True-Client-IP")
    for number in range(60):
        value = f"10.0.{number}.1"
        name = spellings[number % len(spellings)]
        forged = f"for={value}" if name == "Forwarded" else f"{value}, 10.9.9.{number}"
        assert wrong(browser, f"person{number}", headers={name: forged}).status_code == 401
    assert wrong(browser, "x", headers={"X-Forwarded-For": "10.1.1.1"}).status_code == 429


def test_behind_a_proxy_that_the_portal_trusts_its_forwarded_address_counts(portal: Portal, monkeypatch: Any) -> None:
    monkeypatch.setattr(portal.app, "wsgi_app", ProxyFix(portal.app.wsgi_app, x_for=1))
    browser = portal.browser("10.0.0.1")
    for number in range(60):
        wrong(browser, f"person{number}", headers={"X-Forwarded-For": "9.9.9.9, 198.51.100.7"})
    forged = {"X-Forwarded-For": "1.2.3.4, 198.51.100.7"}
    assert wrong(browser, "x", headers=forged).status_code == 429
    assert wrong(browser, "x", headers={"X-Forwarded-For": "198.51.100.8"}).status_code == 401


@pytest.mark.abuse("A17")
@pytest.mark.parametrize(
    "name",
    ["ANNE", "Anne", " anne", "anne ", "anne\t", "\uff41\uff4e\uff4e\uff45", "\uff41NNE ", "anne\u3000", "ANNE\r\n"],
)
def test_spellings_of_one_name_have_one_counter(portal: Portal, browser: Browser, name: str) -> None:
    exhausted(browser, name)
    assert wrong(browser, "anne").status_code == 429


def test_a_success_gives_its_own_try_back_and_ends_the_waits(portal: Portal, browser: Browser) -> None:
    for _ in range(FREE - 1):
        wrong(browser)
    assert browser.password().status_code == 303
    for _ in range(FREE):
        assert wrong(browser).status_code == 401


def test_many_successes_are_no_failures(portal: Portal, browser: Browser) -> None:
    """More of them than a source may fail in an hour, each once it has waited."""
    for _ in range(70):
        answer = browser.password()
        if answer.status_code == 429:
            portal.clock.advance(int(answer.headers["Retry-After"]))
            answer = browser.password()
        assert answer.status_code == 303
    assert wrong(browser).status_code == 401


@pytest.mark.abuse("A36")
def test_ones_own_success_does_not_clear_a_source_that_is_guessing_others(portal: Portal, browser: Browser) -> None:
    for number in range(60):
        assert wrong(browser, f"person{number}").status_code == 401
        if number % 10 == 0 and number < 50:
            assert browser.password().status_code == 303
    assert wrong(browser, "person99").status_code == 429


@pytest.mark.abuse("A14")
def test_a_view_that_fails_leaves_its_try_counted(portal: Portal, browser: Browser) -> None:
    def broken() -> Any:
        raise RuntimeError("the user table is gone")

    portal.app.config["PROPAGATE_EXCEPTIONS"] = False
    portal.app.view_functions["login"] = portal.gate.first_factor(username="email")(broken)
    for _ in range(FREE):
        assert wrong(browser).status_code == 500
    assert wrong(browser).status_code == 429


def test_looking_at_the_login_page_is_never_braked(portal: Portal, browser: Browser) -> None:
    exhausted(browser)
    assert browser.get("/login").text == "login page"
    assert browser.open("HEAD", "/login").status_code == 200
    assert browser.open("OPTIONS", "/login").status_code == 200


def test_a_view_that_takes_get_and_post_counts_only_posts(portal: Portal, browser: Browser) -> None:
    calls: list[str] = []

    @portal.app.route("/other-login", methods=["GET", "POST"])
    @portal.gate.first_factor(username="user")
    def other_login() -> tuple[str, int]:
        calls.append("called")
        return "no", 401

    for _ in range(20):
        assert browser.get("/other-login").status_code == 401
    for _ in range(FREE):
        assert browser.post("/other-login", {"user": "anne"}).status_code == 401
    assert browser.post("/other-login", {"user": "anne"}).status_code == 429
    assert len(calls) == 20 + FREE


def test_a_json_login_is_braked_by_the_same_counter_as_a_form(portal: Portal, browser: Browser) -> None:
    for _ in range(FREE):
        assert json_login(browser, "anne", "wrong").status_code == 401
    assert json_login(browser, "anne", "pw-anne").status_code == 429
    assert wrong(browser).status_code == 429


def test_a_json_login_gets_the_session_document(portal: Portal, browser: Browser) -> None:
    portal.enrolled()
    answer = json_login(browser, "anne", "pw-anne")
    assert answer.status_code == 200
    assert answer.json["next"] == "https://portal.example/mfa/challenge"
    assert answer.json["session"]["state"] == "pending"
    assert answer.json["session"]["account"] is None
    assert answer.json["session"]["csrf_token"] == browser.token


@pytest.mark.parametrize("name", [None, {"a": "b"}, True, "", " "])
def test_tries_without_a_name_are_braked_as_if_they_were_for_one(
    portal: Portal, browser: Browser, name: object
) -> None:
    for number in range(FREE):
        assert json_login(browser, name if number else {}, "wrong").status_code == 401
    assert json_login(browser, name, "wrong").status_code == 429
    assert wrong(browser).status_code == 401


def test_an_async_login_view_is_wrapped_too(portal: Portal, browser: Browser) -> None:
    async def login() -> Any:
        from flask import request

        await asyncio.sleep(0)
        name = request.form["email"]
        right = portal.passwords.get(name) == request.form["password"]
        return portal.gate.sign_in(portal.people[name]) if right else ("wrong", 401)

    portal.app.view_functions["login"] = portal.gate.first_factor(username="email")(login)
    secret = portal.enrolled()
    assert browser.sign_in(secret).status_code == 303
    assert browser.get("/").text == "home of anne"
    stranger = portal.browser()
    exhausted(stranger)
    assert wrong(stranger).status_code == 429


def test_a_right_password_is_on_record_with_where_it_came_from(portal: Portal) -> None:
    for address in ("192.0.2.1", "192.0.2.1", "198.51.100.9"):
        portal.browser(address).password()
    rows = portal.sql("SELECT source FROM mfa_events WHERE kind = 'first_factor' ORDER BY id")
    first, again, elsewhere = (row.source for row in rows)
    assert first is not None
    assert (first == again, first == elsewhere) == (True, False)


def test_a_locked_account_is_told_so_only_after_the_right_password(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    with portal.app.app_context():
        portal.gate.lock("anne", "stolen laptop")
    assert wrong(browser).text == "wrong"
    answer = browser.password()
    assert answer.status_code == 403
    assert "<code>account_closed</code>" in answer.text
    assert portal.events()[-1] == ("first_factor", "refused", "locked")
    assert browser.gate_cookie is None
    assert "stolen laptop" not in answer.text
    assert json_login(browser, "anne", "pw-anne").json["code"] == "account_closed"
    assert browser.sign_in(secret).status_code != 303 or browser.state == "anonymous"


def test_tries_at_a_locked_account_stay_counted(portal: Portal, browser: Browser) -> None:
    with portal.app.app_context():
        portal.gate.lock("anne", "x")
    for _ in range(FREE):
        assert browser.password().status_code == 403
    assert browser.password().status_code == 429


def test_sign_in_takes_an_account_and_nothing_else(portal: Portal) -> None:
    with portal.app.test_request_context(), pytest.raises(TypeError, match="takes an Account"):
        portal.gate.sign_in("anne")  # type: ignore[arg-type]


def test_the_view_is_not_run_where_nothing_can_be_counted(portal: Portal, browser: Browser, monkeypatch: Any) -> None:
    def gone(*_: Any) -> Any:
        raise Unavailable

    monkeypatch.setattr(type(portal.app.extensions["mfa_gate"].services.limiter), "count", gone)
    for accept in (PAGE, JSON):
        answer = browser.post("/login", {"email": "anne", "password": "pw-anne"}, headers=accept)
        assert answer.status_code == 503
    assert browser.gate_cookie is None


def test_a_portal_can_set_other_limits(portal: Portal) -> None:
    policy = LimitPolicy(password=Rule(((2, 60.0),)))
    portal.app.extensions["mfa_gate"].services.limiter._policy = policy
    browser = portal.browser()
    assert [wrong(browser).status_code for _ in range(3)] == [401, 401, 429]
    portal.clock.advance(timedelta(seconds=60))
    assert wrong(browser).status_code == 401


# --- nothing tells whether a user is known ---------------------------------------------------------------------------


class Counted:
    """What one request costs: statements by their text, and keyed hashes."""

    def __init__(self, portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
        self.portal = portal
        self.hashes = 0
        keyring = type(portal.app.extensions["mfa_gate"].keyring)
        real = keyring.hash

        def counting(*args: Any, **kwargs: Any) -> str:
            self.hashes += 1
            return str(real(*args, **kwargs))

        monkeypatch.setattr(keyring, "hash", counting)

    def of(self, send: Any) -> tuple[TestResponse, list[str], int]:
        self.hashes = 0
        with statements(engine_of(self.portal)) as seen:
            answer = send()
        return answer, seen, self.hashes


@pytest.mark.abuse("A26")
@pytest.mark.parametrize("as_json", [False, True])
def test_a_wrong_password_tells_nothing_of_the_user(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    """Enrolled, not enrolled, locked and unknown: one answer, at one cost; the brakes included."""
    portal.enrolled("anne")
    portal.activation_code("bob")
    cost = Counted(portal, monkeypatch)
    seen = []
    for number, name in enumerate(["anne", "bob", "nobody", "nobody2"]):
        browser = portal.browser(f"198.51.100.{number}")
        told = []
        for _ in range(FREE + 1):
            send = partial(json_login, browser, name, "x") if as_json else partial(wrong, browser, name)
            answer, ran, hashes = cost.of(send)
            told.append((shape(answer), ran, hashes))
        seen.append(told)
    assert seen[0] == seen[1] == seen[2] == seen[3]
    assert [status for (status, *_), _, _ in seen[0]] == [401] * FREE + [429]


@pytest.mark.abuse("A26")
def test_the_answer_to_a_right_password_tells_nothing_of_authenticators(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.enrolled("anne")
    portal.activation_code("bob")
    portal.browser("198.51.100.1").password("bob")
    cost = Counted(portal, monkeypatch)
    told = []
    for number, name in enumerate(["anne", "bob"]):
        answer, ran, hashes = cost.of(partial(portal.browser(f"198.51.100.{10 + number}").password, name))
        told.append((shape(answer), ran, hashes))
    assert told[0] == told[1]
    assert told[0][0][0] == 303


def test_the_store_learns_neither_names_nor_passwords_nor_addresses(portal: Portal, browser: Browser) -> None:
    wrong(browser, "some.body@portal.example")
    browser.post("/login", {"email": "anne", "password": "a-secret-password"})
    dumped = dump(portal)
    for secret in ("some.body", "a-secret-password", browser.address):
        assert secret not in dumped
    assert rows(portal)["mfa_counters"]
