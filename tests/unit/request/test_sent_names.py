"""The user name that was sent is counted, however it was sent; a sign-in that nothing counted is refused."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from flask import Response, request, session
from werkzeug.test import TestResponse

from mfa_gate import ConfigurationError
from mfa_gate.limits.limiter import typed_name
from tests.support.portal import BASE_URL, JSON, Browser, Portal

FREE = 5  # failures of one name that cost no wait
URL = "/any-login"


@pytest.fixture
def backend() -> str:
    """The counters are tested on both back ends elsewhere."""
    return "sqlite"


@pytest.fixture
def portal(portal: Portal) -> Portal:
    """With a login that reads the name from anywhere, as a careless one does."""

    @portal.app.route(URL, methods=["GET", "POST", "PUT"], provide_automatic_options=False)
    @portal.app.route(f"{URL}/<email>", methods=["GET", "POST"])
    @portal.gate.first_factor(username="email")
    def any_login(email: str | None = None) -> Any:
        basic, sent = request.authorization, request.get_json(force=True, silent=True) or {}
        name = email or request.values.get("email") or (basic and basic.username) or _deep(sent)
        password = request.values.get("password") or (basic and basic.password) or sent.get("password")
        name = name[0] if isinstance(name, list) else name
        name = str(name or "").strip().lower()
        return portal.gate.sign_in(portal.people[name]) if portal.passwords.get(name) == password else ("wrong", 401)

    return portal


def _deep(sent: dict[str, Any]) -> Any:
    return sent.get("email") or sent.get("user", {}).get("email")


Send = Callable[[Browser, str, str], TestResponse]


def _sent(browser: Browser, method: str = "POST", url: str = URL, **how: Any) -> TestResponse:
    headers = {"Origin": BASE_URL, **how.pop("headers", {})}
    return browser.open(method, url, headers=headers, **how)


def _json(document: str, content_type: str, **headers: str) -> Send:
    def send(browser: Browser, name: str, password: str) -> TestResponse:
        body = document.replace("NAME", name).replace("WORD", password)
        return _sent(browser, data=body, content_type=content_type, headers=headers)

    return send


def _basic(method: str) -> Send:
    def send(browser: Browser, name: str, password: str) -> TestResponse:
        both = b64encode(f"{name}:{password}".encode()).decode()
        return _sent(browser, method, headers={"Authorization": f"Basic {both}"})

    return send


def _padded(padding: str) -> Send:
    return lambda browser, name, word: _sent(browser, data={"email": f"{padding}{name}{padding}", "password": word})


def _form(**more: Any) -> Send:
    return lambda browser, name, word: _sent(browser, data={"email": name, "password": word}, **more)


DOCUMENT = '{"email": "NAME", "password": "WORD"}'
WAYS: dict[str, Send] = {
    "form": _form(),
    "multipart": _form(content_type="multipart/form-data"),
    "put": lambda browser, name, word: _sent(browser, "PUT", data={"email": name, "password": word}),
    "get": lambda browser, name, word: _sent(browser, "GET", query_string={"email": name, "password": word}),
    "head": lambda browser, name, word: _sent(browser, "HEAD", query_string={"email": name, "password": word}),
    "query of a post": lambda browser, name, word: _sent(browser, query_string={"email": name, "password": word}),
    "name in the query, password in the body": lambda browser, name, word: _sent(
        browser, query_string={"email": name}, data={"password": word}
    ),
    "query beside another name in the body": lambda browser, name, word: _sent(
        browser, query_string={"email": name}, data={"email": "nobody", "password": word}
    ),
    "twice in the query": lambda browser, name, word: _sent(
        browser, "GET", query_string={"email": [name, "nobody"], "password": word}
    ),
    "url": lambda browser, name, word: _sent(browser, "GET", f"{URL}/{name}", query_string={"password": word}),
    "json": _json(DOCUMENT, "application/json"),
    "json as text": _json(DOCUMENT, "text/plain"),
    "json as a form": _json(DOCUMENT, "application/x-www-form-urlencoded"),
    "json as multipart": _json(DOCUMENT, "multipart/form-data"),
    "json as parts": _json(DOCUMENT, "multipart/form-data; boundary=x"),
    "json of no type": _json(DOCUMENT, ""),
    "json, deeper": _json('{"user": {"email": "NAME"}, "password": "WORD"}', "application/json"),
    "json, a list": _json('{"email": ["NAME"], "password": "WORD"}', "application/json"),
    "json, twice": _json('{"email": "nobody", "email": "NAME", "password": "WORD"}', "application/json"),
    "basic": _basic("POST"),
    "basic by get": _basic("GET"),
    "blanks": _padded(" " * 2000),
    "line ends": _padded("\r\n\t"),
    "wide blanks": _padded("\N{IDEOGRAPHIC SPACE}\N{NO-BREAK SPACE}"),
    "in capitals": lambda browser, name, word: _sent(browser, data={"email": name.upper(), "password": word}),
}


@pytest.mark.abuse("A66")
@pytest.mark.parametrize("way", WAYS)
def test_one_name_has_one_counter_however_it_is_sent(portal: Portal, way: str) -> None:
    stranger = portal.browser()
    for _ in range(FREE):
        assert WAYS[way](stranger, "anne", "wrong").status_code == 401
    assert WAYS[way](stranger, "anne", "pw-anne").status_code == 429
    assert stranger.state == "anonymous"
    assert stranger.password().status_code == 429  # at the portal's other login as well


@pytest.mark.parametrize("way", sorted(WAYS.keys() - {"head", "json as parts"}))
def test_who_is_right_gets_in_however_the_name_was_sent(portal: Portal, way: str) -> None:
    """What the gate has read is still there for the view."""
    portal.enrolled("anne")
    browser = portal.browser()
    assert WAYS[way](browser, "anne", "pw-anne").status_code == 303
    assert browser.state == "pending"


@pytest.mark.abuse("A66")
def test_a_sign_in_beside_another_name_clears_nothing_of_that_one(portal: Portal, browser: Browser) -> None:
    for _ in range(FREE):
        browser.password(password="wrong")
        portal.clock.advance(60)
    both = {"email": "anne"}
    portal.app.view_functions["login"] = portal.gate.first_factor("email")(
        lambda: portal.gate.sign_in(portal.people["bob"])
    )
    assert browser.post("/login", {"email": "bob"}, query_string=both).status_code == 303
    assert browser.post("/login", both, query_string={"email": "bob"}).status_code == 303
    assert WAYS["form"](browser, "anne", "wrong").status_code == 401
    assert WAYS["form"](browser, "anne", "wrong").status_code == 429


@pytest.mark.abuse("A66")
def test_a_request_with_more_names_than_anybody_sends_is_refused(portal: Portal, browser: Browser) -> None:
    names = {"email": [f"person{number}" for number in range(4)], "password": "x"}
    answer = browser.open("GET", URL, query_string=names, headers=JSON)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


@pytest.mark.abuse("A66")
def test_a_body_that_is_longer_than_any_logins_is_not_read(portal: Portal, browser: Browser) -> None:
    body = json.dumps({"pad": "x" * (1024 * 1024), "email": "anne", "password": "pw-anne"})
    for content_type in ("application/json", "text/plain"):
        assert _sent(browser, data=body, content_type=content_type).status_code == 413
    assert browser.state == "anonymous"


def test_the_view_may_read_the_body_in_its_own_way(portal: Portal, browser: Browser) -> None:
    @portal.app.post("/raw")
    @portal.gate.first_factor(username="email")
    def raw() -> Any:
        return request.stream.read() + b"|" + request.get_data()

    assert _sent(browser, url="/raw", data="anything", content_type="text/plain").text == "anything|anything"


@pytest.mark.abuse("A66")
@pytest.mark.parametrize("sent", [{"login": "anne"}, {"email": ""}, {}])
def test_names_in_a_field_that_is_not_counted_have_one_counter_and_sign_nobody_in(
    portal: Portal, browser: Browser, sent: dict[str, str]
) -> None:
    @portal.app.post("/two-fields")
    @portal.gate.first_factor(username="email")
    def two_fields() -> Any:
        name = request.form.get("email") or request.form.get("login", "anne")
        right = portal.passwords.get(name) == request.form["password"]
        return portal.gate.sign_in(portal.people[name]) if right else ("wrong", 401)

    with pytest.raises(ConfigurationError, match=r"two_fields.*no user name was counted"):
        browser.post("/two-fields", {**sent, "password": "pw-anne"})
    assert browser.state == "anonymous"
    for _ in range(FREE - 1):
        assert browser.post("/two-fields", {**sent, "password": "wrong"}).status_code == 401
    assert browser.post("/two-fields", {**sent, "password": "wrong"}).status_code == 429


def test_a_login_in_two_steps_says_whom_its_second_one_is_for(portal: Portal, browser: Browser) -> None:
    @portal.app.post("/name")
    @portal.gate.public
    def name() -> str:
        session["typed"] = request.form["email"]
        return "now the password"

    @portal.app.post("/word")
    @portal.gate.first_factor(username=lambda: session.get("typed"))
    def word() -> Any:
        who = session["typed"]
        right = portal.passwords.get(who) == request.form["password"]
        return portal.gate.sign_in(portal.people[who]) if right else ("wrong", 401)

    browser.post("/name", {"email": "anne"})
    assert browser.post("/word", {"password": "pw-anne"}).status_code == 303
    other = portal.browser("198.51.100.7")
    other.post("/name", {"email": "anne"})
    for _ in range(FREE):
        assert other.post("/word", {"password": "wrong"}).status_code == 401
    assert other.post("/word", {"password": "pw-anne"}).status_code == 429


@pytest.mark.parametrize("wrong", [None, 5, ["email"]])
def test_first_factor_takes_a_field_or_a_function(portal: Portal, wrong: Any) -> None:
    with pytest.raises(TypeError, match="first_factor"):
        portal.gate.first_factor(wrong)


@pytest.mark.parametrize(
    ("written", "one"),
    [
        (" " * 5000 + "Anne", "anne"),
        ("\u200banne\ufeff", "anne"),
        ("an\x00ne", "anne"),
        ("\ud800anne", "anne"),
        ("jean \t  paul", "jean paul"),
        ("\u200b" * 200_000 + "anne", ""),
        (" " * 5, ""),
    ],
)
def test_padding_makes_no_other_name(written: str, one: str) -> None:
    assert typed_name(written) == one


# --- what signs in without a password --------------------------------------------------------------------------------


def uncounted(portal: Portal, **how: Any) -> None:
    @portal.app.get("/back")
    @portal.gate.public
    def back() -> Response:
        return portal.gate.sign_in(portal.people[request.args.get("who", "anne")], **how)


@pytest.mark.abuse("A66")
def test_a_sign_in_that_nothing_counted_is_refused_with_a_sentence(portal: Portal, browser: Browser) -> None:
    uncounted(portal)
    with pytest.raises(ConfigurationError, match=r"back: no user name was counted.*first_factor.*sso="):
        browser.get("/back?email=anne")
    assert browser.state == "anonymous"
    portal.app.config["PROPAGATE_EXCEPTIONS"] = False
    assert browser.get("/back").status_code == 500
    assert portal.sql("SELECT 1 FROM mfa_sessions") == []


def test_a_sign_in_that_says_what_stands_for_the_password_goes_on_to_the_second_factor(
    portal: Portal, browser: Browser
) -> None:
    uncounted(portal, sso="directory")
    secret = portal.enrolled()
    assert browser.get("/back").location == f"{BASE_URL}/mfa/challenge"
    assert browser.step("challenge", code=portal.code(secret)).status_code == 303
    assert browser.get("/").text == "home of anne"


@pytest.mark.parametrize("empty", ["", "  "])
def test_what_stands_for_the_password_has_a_name(portal: Portal, browser: Browser, empty: str) -> None:
    uncounted(portal, sso=empty)
    with pytest.raises(ValueError, match="sso"):
        browser.get("/back")


@pytest.mark.abuse("A66")
def test_such_sign_ins_have_a_counter_of_their_own_by_account_and_source(portal: Portal) -> None:
    uncounted(portal, sso="directory")
    for _ in range(40):
        assert portal.browser().get("/back").status_code == 303
    assert portal.browser().get("/back").status_code == 429
    assert portal.browser().get("/back?who=bob").status_code == 303
    assert portal.browser("198.51.100.7").get("/back").status_code == 303
    assert portal.browser().password().status_code == 303
    portal.clock.advance(1)
    assert portal.browser().get("/back").status_code == 303


def test_a_known_device_is_not_slowed_by_them(portal: Portal, browser: Browser) -> None:
    uncounted(portal, sso="directory")
    browser.sign_in(portal.enrolled())
    for _ in range(40):
        portal.browser().get("/back")
    assert portal.browser().get("/back").status_code == 429
    assert browser.get("/back").status_code == 303


@pytest.mark.abuse("A66")
def test_a_sign_in_by_something_else_gives_no_typed_name_back(portal: Portal, browser: Browser) -> None:
    portal.app.view_functions["login"] = portal.gate.first_factor("email")(
        lambda: portal.gate.sign_in(portal.people["bob"], sso="directory")
    )
    for _ in range(FREE):
        assert browser.password("anne").status_code == 303
    assert browser.password("anne").status_code == 429
