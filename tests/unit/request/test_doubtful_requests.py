"""A request that comes late, from another site or without its cookies destroys nothing that is shared (P15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import render_template_string, request, session
from werkzeug.test import TestResponse

from tests.support.portal import JSON, Browser, MakePortal, Portal

CROSS_SITE = {"Sec-Fetch-Site": "cross-site", "Origin": "https://other.example", "Sec-Fetch-Mode": "no-cors"}
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
FOLLOWED = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture
def portal(make: MakePortal) -> Portal:
    made = make()
    gate = made.gate

    @made.app.get("/news")
    @gate.public
    def news() -> str:
        """A public page that writes its session, as a counter, a message or the token of a form does."""
        session["visits"] = session.get("visits", 0) + 1
        return render_template_string("{{ session.get('user') }} {{ session.visits }}")

    @made.app.get("/leave-message")
    @gate.public
    def message() -> str:
        session.clear()
        return "cleared"

    @made.app.route("/form", methods=["GET", "POST"])
    @gate.public
    def form() -> str:
        if request.method == "POST":
            return "right" if session.get("token") == request.form["token"] else "wrong"
        session["token"] = "4711"
        return str(session.get("user"))

    @made.app.errorhandler(404)
    def nothing_there(_: Exception) -> tuple[str, int]:
        session["lost"] = True
        return f"nothing here for {session.get('user')}", 404

    made.app.extensions["watches"] = []

    @made.app.get("/stream")
    def stream() -> str:
        made.app.extensions["watches"].append(gate.watch_session())
        return "begun"

    made.app.add_url_rule("/public-stream", "public_stream", gate.public(lambda: stream()))

    @made.app.get("/cookies")
    @gate.public
    def cookies() -> str:
        return f"{request.cookies.get('who')} {request.cookies.get('language')}"

    @made.app.after_request
    def count(response: Any) -> Any:
        session["answers"] = session.get("answers", 0) + 1
        return response

    return made


@pytest.fixture
def secret(portal: Portal) -> str:
    return portal.enrolled("anne")


@pytest.fixture
def anne(portal: Portal, secret: str) -> Browser:
    browser = portal.browser()
    browser.sign_in(secret)
    portal.mark_notices_shown()
    portal.clock.advance(130)  # no grace by time
    return browser


REQUESTS: dict[str, Callable[[Browser, dict[str, str]], TestResponse]] = {
    f"{method} {path}, {kind}": lambda browser, headers, sent=(method, path, accept): browser.open(  # type: ignore[misc]
        sent[0], sent[1], headers={**sent[2], **headers}
    )
    for method, path in [
        ("GET", "/"),
        ("GET", "/patients/1"),
        ("POST", "/bank"),
        ("GET", "/bank"),
        ("GET", "/safe"),
        ("GET", "/login"),
        ("GET", "/open"),
        ("GET", "/news"),
        ("GET", "/leave-message"),
        ("GET", "/nothing"),
        ("PUT", "/"),
        ("GET", "/mfa/challenge"),
        ("POST", "/mfa/challenge"),
        ("GET", "/mfa/authenticators"),
        ("GET", "/mfa/sessions"),
        ("GET", "/mfa/sign-out"),
        ("POST", "/mfa/sign-out"),
        ("GET", "/mfa/api/v1/session"),
        ("POST", "/mfa/api/v1/totp/verify"),
        ("POST", "/mfa/api/v1/sign-out"),
        ("GET", "/mfa/api/v1/nothing"),
    ]
    for kind, accept in (("page", {}), ("JSON", JSON))
}


def is_refused(answer: TestResponse) -> bool:
    return "anne" not in answer.text and answer.headers.get("X-Accel-Redirect") is None


def takes(browser: Browser, answer: TestResponse) -> None:
    """The browser has one jar: it applies what any answer sets."""
    browser.client._update_cookies_from_response("portal.example", "/", answer.headers.getlist("Set-Cookie"))


def jar(browser: Browser) -> dict[str, str]:
    settings = browser.portal.app.extensions["mfa_gate"].settings
    names = ("session", settings.cookie_name, settings.device_cookie_name)
    found = {name: browser.client.get_cookie(name, domain="portal.example") for name in names}
    return {name: cookie.value for name, cookie in found.items() if cookie is not None}


def goes_on(portal: Portal, browser: Browser, answer: TestResponse, before: int) -> None:
    """The answer changed nothing of what the browser shares, and was no event but that of a refusal."""
    held = jar(browser)
    takes(browser, answer)
    assert jar(browser) == held
    assert browser.get("/").text == "home of anne"
    assert browser.get("/open").text == "open to anne anne"
    assert portal.events()[before:] == []


@pytest.mark.abuse("A68")
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_with_the_cookies_of_before_a_step_up_is_at_most_refused(
    portal: Portal, anne: Browser, secret: str, name: str
) -> None:
    for headers in ({}, SAME_ORIGIN):
        late = anne.copy()
        portal.clock.advance(700)
        assert anne.step("challenge", code=portal.code(secret)).status_code == 303
        portal.clock.advance(130)
        before = len(portal.events())
        answer = REQUESTS[name](late, headers)
        assert is_refused(answer)
        goes_on(portal, anne, answer, before)


@pytest.mark.abuse("A68")
@pytest.mark.parametrize("headers", [CROSS_SITE, FOLLOWED, {"Origin": "https://other.example"}], ids=str)
@pytest.mark.parametrize("name", REQUESTS)
def test_a_cross_site_request_without_the_gates_cookie_is_at_most_refused(
    portal: Portal, anne: Browser, name: str, headers: dict[str, str]
) -> None:
    other = portal.browser()
    other.client.set_cookie("session", jar(anne)["session"], domain="portal.example", secure=True)
    before = len(portal.events())
    answer = REQUESTS[name](other, headers)
    assert is_refused(answer)
    if headers is FOLLOWED:  # a first request of a tab brings all Lax cookies: here the browser has lost the gate's
        assert "anne" not in anne.get("/nothing").text or anne.get("/").text == "home of anne"
    else:
        goes_on(portal, anne, answer, before)


@pytest.mark.abuse("A68")
@pytest.mark.parametrize("name", REQUESTS)
def test_a_cross_site_request_without_the_portals_cookie_is_at_most_refused(
    portal: Portal, anne: Browser, name: str
) -> None:
    """As where the portal's cookie is SameSite=Strict and the gate's is Lax."""
    other = anne.copy()
    other.client.delete_cookie("session", domain="portal.example")
    before = len(portal.events())
    goes_on(portal, anne, REQUESTS[name](other, FOLLOWED), before)


@pytest.mark.abuse("A68")
@pytest.mark.parametrize("cookie", ["", "garbage", "a.b.c", "0" * 300])
@pytest.mark.parametrize("name", ["GET /, page", "GET /news, page", "GET /nothing, page", "POST /bank, JSON"])
def test_a_request_with_an_unknown_cookie_of_the_gate_shows_nobody(
    portal: Portal, anne: Browser, name: str, cookie: str
) -> None:
    other = anne.copy()
    other.gate_cookie = cookie
    answer = REQUESTS[name](other, {})
    assert is_refused(answer)
    assert anne.get("/").text == "home of anne"


@pytest.mark.abuse("A68")
def test_three_tabs_that_poll_do_not_sign_out_who_steps_up(portal: Portal, anne: Browser, secret: str) -> None:
    for _ in range(4):
        tabs = [anne.copy() for _ in range(3)]
        portal.clock.advance(700)
        anne.step("challenge", code=portal.code(secret))
        for tab in tabs:
            takes(anne, tab.get("/patients/1", headers=JSON))
            takes(anne, tab.get("/news"))
        assert anne.get("/").text == "home of anne"


# --- public pages (P7) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ended", ["end_sessions", "lock", "forget", "idle", "absolute"])
@pytest.mark.parametrize("path", ["/open", "/news", "/nothing", "/login"])
def test_a_page_that_asks_for_nothing_shows_nobody_whose_session_has_ended(
    portal: Portal, anne: Browser, ended: str, path: str
) -> None:
    gate = portal.gate
    with portal.app.app_context():
        match ended:
            case "end_sessions":
                gate.end_sessions("anne")
            case "lock":
                gate.lock("anne", "a reason")
            case "forget":
                gate.forget("anne")
            case "idle":
                portal.clock.advance(3600)
            case "absolute":
                portal.clock.advance(86_400)
    for _ in range(3):
        assert "anne" not in anne.get(path).text
        portal.clock.advance(86_400)


def test_where_the_store_does_not_answer_public_pages_show_nobody(
    portal: Portal, anne: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mfa_gate.exc import Unavailable

    def away(*_: Any) -> None:
        raise Unavailable

    held = jar(anne)
    with monkeypatch.context() as patch:
        patch.setattr(portal.app.extensions["mfa_gate"].services.sessions, "read", away)
        assert anne.get("/news").text == "None 1"
        assert anne.get("/nothing").text == "nothing here for None"
    assert jar(anne) == held
    assert anne.get("/open").text == "open to anne anne"


@pytest.mark.abuse("A57")
def test_the_sign_in_of_another_person_opens_on_a_session_that_is_nobodys(portal: Portal, anne: Browser) -> None:
    secret = portal.enrolled("bob")
    anne.get("/news")
    anne.password("bob")
    assert anne.state == "pending"
    assert anne.get("/open").text == "open to None None"
    assert anne.get("/news").text == "None 1"
    anne.step("challenge", code=portal.code(secret))
    assert anne.get("/open").text == "open to bob bob"
    assert anne.get("/news").text == "bob 2"


def test_who_signs_in_again_is_seen_by_nobody_until_the_last_proof(portal: Portal, anne: Browser, secret: str) -> None:
    portal.clock.advance(60)
    anne.password("anne")
    assert anne.get("/open").text == "open to None None"
    anne.step("challenge", code=portal.code(secret))
    assert anne.get("/open").text == "open to anne anne"


def test_what_the_portal_writes_for_nobody_is_there_in_the_next_request(portal: Portal, anne: Browser) -> None:
    """Such as the token of its login form: who comes back after hours must be able to sign in."""

    portal.clock.advance(86_400)
    assert anne.get("/form").text == "None"
    assert anne.post("/form", {"token": "4711"}).text == "right"
    late = anne.copy()
    assert late.open("POST", "/form", data={"token": "4711"}, headers=CROSS_SITE).text == "right"


def test_a_page_for_nobody_does_not_vary_by_its_cookies(portal: Portal, make: MakePortal) -> None:
    plain = make()
    stranger = plain.browser()
    stranger.client.set_cookie("language", "fr", domain="portal.example")

    @plain.app.get("/plain")
    @plain.gate.public
    def page() -> str:
        return "the same for all"

    assert "Cookie" not in stranger.get("/plain").headers.get("Vary", "")


# --- streams and sockets ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ended", ["end_sessions", "lock", "forget", "idle", "sign-out"])
def test_a_stream_can_ask_whether_its_session_goes_on(portal: Portal, ended: str) -> None:
    browser, secret = portal.browser(), portal.enrolled("anne")
    browser.sign_in(secret)
    watches = portal.app.extensions["watches"]
    browser.get("/stream")
    assert [lives() for lives in watches] == [True]
    portal.clock.advance(700)
    browser.get("/")
    browser.step("challenge", code=portal.code(secret))
    assert watches[0]()  # a step-up in another request gave the session another id
    with portal.app.app_context():
        match ended:
            case "end_sessions":
                portal.gate.end_sessions("anne")
            case "lock":
                portal.gate.lock("anne", "a reason")
            case "forget":
                portal.gate.forget("anne")
            case "idle":
                portal.clock.advance(3600)
            case "sign-out":
                browser.step("sign-out")
    assert not watches[0]()


def test_what_nobody_is_let_in_to_watches_nothing(portal: Portal, secret: str) -> None:
    browser = portal.browser()
    browser.password()
    browser.get("/public-stream")
    (lives,) = portal.app.extensions["watches"]
    assert not lives()
    browser.step("challenge", code=portal.code(secret))
    assert not lives()


# --- a portal whose own session stands for the first factor ----------------------------------------------------------


def adopting(portal: Portal) -> Portal:
    portal.gate.portal.adopts = True

    @portal.app.get("/sso")
    @portal.gate.public
    def sso() -> str:
        session["user"], session["id_token"] = "anne", "kept"
        return "named"

    @portal.app.get("/token")
    def token() -> str:
        return str(session.get("id_token"))

    return portal


@pytest.mark.abuse("A69")
@pytest.mark.parametrize("headers", [{}, SAME_ORIGIN, FOLLOWED, {"Sec-Fetch-Site": "none"}], ids=str)
def test_a_portals_session_is_adopted_by_a_request_of_this_site(
    portal: Portal, secret: str, headers: dict[str, str]
) -> None:
    browser = adopting(portal).browser()
    browser.get("/sso")
    assert browser.get("/open").text == "open to None None"
    assert browser.open("GET", "/", headers=headers).status_code in (303, 401)
    assert browser.state == "pending"
    assert browser.get("/open").text == "open to None None"
    browser.step("challenge", code=portal.code(secret))
    assert browser.get("/open").text == "open to anne anne"
    assert browser.get("/token").text == "kept"


@pytest.mark.abuse("A69")
def test_no_cross_site_request_has_a_portals_session_adopted(portal: Portal, secret: str) -> None:
    browser = adopting(portal).browser()
    browser.get("/sso")
    for method, path in (("POST", "/bank"), ("GET", "/"), ("GET", "/patients/1")):
        browser.open(method, path, headers=CROSS_SITE)
        assert browser.state == "anonymous"
    assert portal.events()[-1][0] != "first_factor"


@pytest.mark.abuse("A68")
def test_a_late_request_that_is_adopted_does_not_take_the_place_of_a_session(portal: Portal, secret: str) -> None:
    """Five tabs that a browser restores: each of them has the portal's cookie and none of the gate."""
    browser = adopting(portal).browser()
    browser.get("/sso")
    tabs = [browser.copy() for _ in range(5)]
    takes(browser, tabs[0].get("/"))
    takes(browser, tabs[1].get("/patients/1", headers=JSON))
    browser.step("challenge", code=portal.code(secret))
    assert browser.get("/open").text == "open to anne anne"
    for tab in tabs[2:]:
        takes(browser, tab.get("/"))
        assert browser.get("/").text == "home of anne"


# --- portals that keep who is there elsewhere ------------------------------------------------------------------------


def test_a_portal_with_a_cookie_of_its_own_sees_nobody_either(portal: Portal) -> None:
    portal.gate.portal.identity = lambda: request.cookies.get("who")
    browser = portal.browser()
    browser.client.set_cookie("language", "fr", domain="portal.example")
    assert browser.get("/cookies").text == "None fr"
    browser.client.set_cookie("who", "anne", domain="portal.example")
    assert browser.get("/cookies").text == "None None"


# --- what a request may make the gate keep ---------------------------------------------------------------------------


@pytest.mark.abuse("A75")
def test_no_header_is_kept_at_full_length(portal: Portal, anne: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches keep their keys: 60 KB of a header, thousands of times over, are hundreds of megabytes."""
    kept: list[object] = []
    services = portal.app.extensions["mfa_gate"].services
    for part, name in ((services.habits, "is_at"), (services.habits, "_hashed"), (services.audit, "source")):
        really = getattr(part, name)

        def keeps(*given: Any, really: Any = really) -> Any:
            kept.extend(given)
            return really(*given)

        monkeypatch.setattr(part, name, keeps)
    for number in range(5):
        copy = anne.copy("2001:db8::1%" + "z" * 60_000)
        copy.open("GET", "/", headers={"User-Agent": f"{number} " + "x" * 60_000})
        copy.password("anne", "wrong")
    sizes = [len(str(one)) for one in kept]
    assert sizes
    assert max(sizes) < 3000
