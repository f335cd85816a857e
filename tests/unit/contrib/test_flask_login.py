"""Flask-Login behind the gate: `current_user` is nobody until the gate agrees, however a user was loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, redirect, render_template_string, request, session
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user
from werkzeug.test import TestResponse

from mfa_gate import Account, MFAGate
from mfa_gate.contrib.flask_login import FlaskLoginBridge
from mfa_gate.sessions.crowding import PER_SOURCE
from mfa_gate.testing import Clock, signed_in
from tests.support.portal import BASE_URL, JSON, KEYS, Browser, Portal

LOGIN = f"{BASE_URL}/login"
CHALLENGE = f"{BASE_URL}/mfa/challenge"
WHO = "{{ current_user.get_id() if current_user.is_authenticated else 'nobody' }}"


class User(UserMixin):
    def __init__(self, name: str) -> None:
        self.id = name


def make_login_portal(database_url: str, folder: Path, clock: Clock, **config: Any) -> Portal:
    """A portal on Flask-Login as one finds it, with one line for the gate."""
    app = Flask("login", instance_path=str(folder))
    app.config.update(
        SECRET_KEY="portal",
        TESTING=True,
        MFA_GATE_BASE_URL=BASE_URL,
        MFA_GATE_KEYS=KEYS,
        MFA_GATE_DATABASE_URL=database_url,
        **config,
    )
    people = {name: Account(name, name.title()) for name in ("anne", "bob")}
    gate = MFAGate(app, account_loader=people.get, clock=clock)
    manager = LoginManager(app)
    manager.login_view = "login"
    FlaskLoginBridge(gate, manager)
    portal = Portal(app, gate, clock, people, {"anne": "pw-anne", "bob": "pw-bob"})
    add_views(portal, manager)
    return portal


def add_views(portal: Portal, manager: LoginManager) -> None:
    app, gate = portal.app, portal.gate

    @manager.user_loader
    def load(user_id: str) -> User | None:
        return User(user_id) if user_id in portal.people else None

    @manager.request_loader
    def load_by_token(_request: Any) -> User | None:
        return User("anne") if request.headers.get("Authorization") == "Bearer anne" else None

    @app.route("/login", methods=["GET", "POST"])
    @gate.first_factor(username="email")
    def login() -> Any:
        if request.method == "GET":
            return "login page"
        if portal.passwords.get(request.form["email"]) != request.form["password"]:
            return "wrong", 401
        return gate.sign_in(portal.people[request.form["email"]])

    @app.post("/plain-login")
    @gate.public
    def plain_login() -> Any:
        if portal.passwords.get(request.form["email"]) == request.form["password"]:
            login_user(User(request.form["email"]), remember="remember" in request.form)
        return render_template_string(WHO)

    @app.get("/reset/<name>")
    @gate.public
    def reset(name: str) -> Any:
        login_user(User(name))
        return redirect("/")

    @app.get("/page")
    @gate.public
    def page() -> str:
        return render_template_string(WHO)

    @app.get("/required")
    @gate.public
    @login_required  # type: ignore[untyped-decorator]
    def required() -> str:
        return "shown to " + str(current_user.get_id())

    @app.get("/")
    def home() -> str:
        return "home of " + str(current_user.get_id())

    @app.post("/logout")
    @gate.public
    def logout() -> str:
        logout_user()
        return "bye"


@pytest.fixture
def clock() -> Clock:
    return Clock()


MakeLogin = Callable[..., Portal]


@pytest.fixture
def make_login(database_url: str, tmp_path: Path, clock: Clock) -> Iterator[MakeLogin]:
    made: list[Portal] = []

    def factory(**config: Any) -> Portal:
        made.append(make_login_portal(database_url, tmp_path / "instance", clock, **config))
        return made[-1]

    yield factory
    for portal in made:
        portal.app.extensions["mfa_gate"].services.store.close()


@pytest.fixture
def portal(make_login: MakeLogin) -> Portal:
    return make_login()


def plain_login(browser: Browser, name: str = "anne", **more: str) -> TestResponse:
    return browser.post("/plain-login", {"email": name, "password": f"pw-{name}", **more})


def forget_session(browser: Browser) -> None:
    """As after a restart of the browser: the session cookies are gone, the remember-me cookie stays."""
    for cookie in list(browser.client._cookies.values()):  # type: ignore[attr-defined]
        if cookie.key != "remember_token":
            browser.client.delete_cookie(cookie.key, domain=cookie.domain, path=cookie.path)


def test_password_and_code_open_flask_logins_session(portal: Portal, secret: str) -> None:
    browser = portal.browser()
    assert browser.sign_in(secret).location == f"{BASE_URL}/"
    assert browser.get("/").text == "home of anne"
    assert browser.get("/page").text == "anne"
    assert browser.get("/required").text == "shown to anne"


def test_the_login_view_is_public_and_where_strangers_are_sent(portal: Portal) -> None:
    assert portal.browser().get("/").location == LOGIN
    assert portal.browser().get("/login").text == "login page"


@pytest.mark.abuse("A33")
@pytest.mark.abuse("A57")
def test_while_the_second_factor_is_missing_current_user_is_nobody(portal: Portal, secret: str) -> None:
    browser = portal.browser()
    browser.password()
    assert browser.get("/page").text == "nobody"
    assert browser.get("/required").status_code in (302, 401)
    assert browser.get("/").location == CHALLENGE
    assert browser.get("/page", headers={"Authorization": "Bearer anne"}).text == "nobody"


class Anybody:
    """Equal to everything, as a query expression may be."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__


@pytest.mark.abuse("A57")
@pytest.mark.parametrize("named", [None, "", 0, False, Anybody()], ids=["None", "empty", "0", "False", "anything"])
@pytest.mark.parametrize("step", ["nobody", "half way", "signed in"])
def test_a_principal_that_is_no_account_is_never_current_user(
    portal: Portal, secret: str, named: Any, step: str
) -> None:
    class Service(UserMixin):
        def get_id(self) -> Any:
            return named

    portal.app.login_manager.request_loader(  # type: ignore[attr-defined]
        lambda sent: Service() if sent.headers.get("Authorization") == "Bearer batch" else None
    )
    portal.app.add_url_rule(
        "/signed", "signed", portal.gate.public(lambda: str(current_user.is_authenticated)), methods=["GET"]
    )
    browser = portal.browser()
    if step != "nobody":
        browser.password()
    if step == "signed in":
        browser.step("challenge", code=portal.code(secret))
    for cookie in ("session", "remember_token"):  # what names a person to Flask-Login is asked for first
        browser.client.delete_cookie(cookie, domain="portal.example")
    service = {"Authorization": "Bearer batch"}
    assert browser.get("/signed", headers=service).text == "False"
    assert browser.get("/required", headers=service).status_code in (302, 401)
    assert browser.open("GET", "/", headers={**JSON, **service}).status_code == 401


@pytest.mark.abuse("A33")
def test_login_user_called_anywhere_counts_as_a_password_at_most(portal: Portal, secret: str) -> None:
    """In the same request already, on public pages, in templates, behind `login_required`."""
    browser = portal.browser()
    assert plain_login(browser).text == "nobody"
    assert browser.get("/page").text == "nobody"
    assert browser.get("/required").status_code in (302, 401)
    assert browser.open("GET", "/", headers=JSON).json["code"] == "step_up_required"
    assert browser.get("/").location == CHALLENGE
    assert browser.state == "pending"
    assert browser.step("challenge", code=portal.code(secret)).status_code == 303
    assert browser.get("/").text == "home of anne"
    assert browser.get("/page").text == "anne"


@pytest.mark.abuse("A33")
def test_a_sign_in_after_a_password_reset_is_asked_for_the_second_factor(portal: Portal, secret: str) -> None:
    browser = portal.browser()
    assert browser.get("/reset/anne").status_code == 302
    assert browser.get("/page").text == "nobody"
    assert browser.get("/").location == CHALLENGE
    assert browser.get("/page").text == "nobody"


@pytest.mark.abuse("A33")
def test_a_remember_me_cookie_is_asked_for_the_second_factor(portal: Portal, secret: str) -> None:
    browser = portal.browser()
    plain_login(browser, remember="yes")
    assert browser.client.get_cookie("remember_token", domain="portal.example")
    for path in ("/page", "/"):
        forget_session(browser)
        assert browser.get("/page").text == "nobody"
        assert browser.get(path).text != "home of anne"
    assert browser.get("/").location == CHALLENGE
    assert browser.step("challenge", code=portal.code(secret)).status_code == 303
    assert browser.get("/").text == "home of anne"
    forget_session(browser)
    assert browser.get("/page").text == "nobody"
    assert browser.get("/").location == CHALLENGE


@pytest.mark.abuse("A75")
def test_a_remember_me_cookie_that_comes_alone_each_time_fills_nothing(portal: Portal, secret: str) -> None:
    browser = portal.browser("203.0.113.9")
    plain_login(browser, remember="yes")
    before = portal.sql("SELECT count(*) FROM mfa_sessions")[0][0]
    for _ in range(100):
        forget_session(browser)
        browser.get("/")
    assert 0 < portal.sql("SELECT count(*) FROM mfa_sessions")[0][0] - before <= PER_SOURCE
    assert [kind for kind, _, _ in portal.events()].count("first_factor") <= 60
    assert [kind for kind, _, _ in portal.events()].count("sign_in_unfinished") == 1


@pytest.mark.abuse("A33")
def test_a_remember_me_cookie_without_an_authenticator_needs_an_activation_code(portal: Portal) -> None:
    browser = portal.browser()
    plain_login(browser, remember="yes")
    forget_session(browser)
    assert browser.get("/").status_code == 303
    assert browser.state == "activation"


@pytest.mark.abuse("A33")
def test_an_api_token_opens_nothing_by_itself(portal: Portal, secret: str) -> None:
    answer = portal.browser().open("GET", "/", headers={**JSON, "Authorization": "Bearer anne"})
    assert (answer.status_code, answer.json["code"]) == (401, "sign_in_required")
    assert portal.browser().get("/page", headers={"Authorization": "Bearer anne"}).text == "nobody"


@pytest.mark.abuse("A55")
@pytest.mark.parametrize("way", ["plain", "reset"])
def test_ones_own_proof_does_not_serve_for_a_victims_session(portal: Portal, secret: str, way: str) -> None:
    browser = portal.browser()
    browser.sign_in(portal.enrolled("bob"), "bob")
    thief = browser.copy()
    plain_login(browser, "anne") if way == "plain" else browser.get("/reset/anne")
    assert browser.get("/page").text == "nobody"
    assert browser.get("/").location == CHALLENGE
    assert browser.get("/page").text == "nobody"
    assert thief.get("/").status_code == 303
    assert ("identity_mismatch", "refused", None) in portal.events("bob")
    assert browser.step("challenge", code=portal.code(secret)).status_code == 303
    assert browser.get("/").text == "home of anne"


def test_a_half_sign_in_goes_on_while_the_portal_names_the_same_one(portal: Portal, secret: str) -> None:
    browser = portal.browser()
    plain_login(browser)
    browser.get("/")
    pending = portal.sql("SELECT id_hash FROM mfa_sessions")
    for _ in range(3):
        assert browser.get("/").location == CHALLENGE
    assert portal.sql("SELECT id_hash FROM mfa_sessions") == pending
    assert len(pending) == 1


@pytest.mark.abuse("A55")
def test_a_half_sign_in_is_nothing_for_somebody_else_whom_the_portal_names(portal: Portal, secret: str) -> None:
    other, browser = portal.enrolled("bob"), portal.browser()
    plain_login(browser)
    assert browser.get("/").location == CHALLENGE
    plain_login(browser, "bob")
    assert browser.get("/").location == CHALLENGE
    assert browser.step("challenge", code=portal.code(secret)).status_code != 303
    assert browser.step("challenge", code=portal.code(other)).status_code == 303
    assert browser.get("/").text == "home of bob"


def test_logout_user_ends_the_gates_session_and_every_copy(portal: Portal, secret: str) -> None:
    browser = portal.browser()
    browser.sign_in(secret)
    thief = browser.copy()
    assert browser.post("/logout").text == "bye"
    for there in (browser, thief):
        assert there.get("/page").text == "nobody"
        assert there.get("/").text != "home of anne"
        assert there.state in ("anonymous", "pending")
    assert browser.get("/").location == LOGIN


def test_signing_out_at_the_gate_signs_out_of_flask_login(portal: Portal, secret: str) -> None:
    browser = portal.browser()
    browser.sign_in(secret)
    plain_login(browser, remember="yes")
    assert browser.step("sign-out").status_code == 200
    assert browser.client.get_cookie("remember_token", domain="portal.example") is None
    with browser.client.session_transaction(base_url=BASE_URL) as content:
        assert "_user_id" not in content
    assert browser.get("/").location == LOGIN


@pytest.mark.abuse("A62")
def test_a_disabled_account_is_out_and_its_remember_me_cookie_too(portal: Portal, secret: str) -> None:
    browser = portal.browser()
    browser.sign_in(secret)
    plain_login(browser, remember="yes")
    del portal.people["anne"]
    portal.clock.advance(60)
    assert browser.get("/").location == LOGIN
    forget_session(browser)
    assert browser.get("/").location == LOGIN
    assert browser.get("/page").text == "nobody"


@pytest.mark.abuse("A34")
@pytest.mark.abuse("A33")
def test_while_the_store_is_dead_nobody_is_signed_in(portal: Portal, secret: str) -> None:
    from sqlalchemy import create_engine, text

    portal.app.config["PROPAGATE_EXCEPTIONS"] = False
    browser = portal.browser()
    browser.sign_in(secret)
    engine = create_engine(portal.app.config["MFA_GATE_DATABASE_URL"])
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE mfa_sessions RENAME TO gone"))
    answers = {path: browser.get(path) for path in ("/", "/page", "/required")}
    assert answers["/"].status_code == 503
    assert "unavailable" in answers["/"].text
    assert answers["/page"].status_code == 503 or answers["/page"].text == "nobody"
    assert answers["/required"].status_code in (302, 401, 503)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE gone RENAME TO mfa_sessions"))
    engine.dispose()
    assert browser.get("/page").text == "anne"


def test_a_login_view_that_calls_login_user_is_not_counted_as_a_failure(portal: Portal, secret: str) -> None:
    """The view under `first_factor` may stay as it was, with `login_user()` in it."""

    def unchanged() -> Any:
        if portal.passwords.get(request.form["email"]) == request.form["password"]:
            login_user(User(request.form["email"]))
            return redirect("/")
        return "wrong", 401

    portal.app.view_functions["login"] = portal.gate.first_factor("email")(unchanged)
    for _ in range(12):
        browser = portal.browser()
        assert browser.password().status_code == 302
        assert browser.get("/").location == CHALLENGE


@pytest.mark.abuse("A66")
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_what_flask_logins_session_stands_for_has_a_counter_of_its_own(portal: Portal, secret: str) -> None:
    remembered = portal.browser()
    plain_login(remembered, remember="yes")
    for _ in range(40):
        assert remembered.copy().get("/").location == CHALLENGE
    assert remembered.copy().get("/").status_code == 429
    assert remembered.copy("198.51.100.7").get("/").location == CHALLENGE
    portal.clock.advance(1)
    assert remembered.copy().get("/").location == CHALLENGE


def test_a_person_is_signed_in_for_a_portals_own_tests(portal: Portal) -> None:
    client = portal.app.test_client()
    signed_in(client, portal.people["anne"])
    assert client.get("/", base_url=BASE_URL).text == "home of anne"
    assert client.get("/page", base_url=BASE_URL).text == "anne"


def test_the_portals_own_callbacks_go_before_the_bridges(database_url: str, tmp_path: Path, clock: Clock) -> None:
    app = Flask("login", instance_path=str(tmp_path))
    app.config.update(SECRET_KEY="x", TESTING=True, MFA_GATE_BASE_URL=BASE_URL, MFA_GATE_KEYS=KEYS)
    app.config["MFA_GATE_DATABASE_URL"] = database_url
    called: list[str] = []
    gate = MFAGate(
        app,
        account_loader=lambda name: Account(name, name),
        identity=lambda: session.get("mine"),
        signed_in=lambda account: called.append(account.id),
        clock=clock,
    )
    FlaskLoginBridge(gate, LoginManager(app))
    app.add_url_rule("/", "home", lambda: "home")
    portal = Portal(app, gate, clock, {"anne": Account("anne", "Anne")}, {})
    client = app.test_client()
    signed_in(client, portal.people["anne"])
    assert called == ["anne"]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("view", ["/login", f"{BASE_URL}/login"])
def test_the_login_view_may_be_an_address_as_flask_login_allows(make_login: MakeLogin, view: str) -> None:
    portal = make_login()
    portal.app.login_manager.login_view = view  # type: ignore[attr-defined]
    assert portal.browser().get("/").location == LOGIN


@pytest.mark.parametrize("protection", ["basic", "strong", None])
def test_session_protection_of_flask_login_stays_in_force(make_login: MakeLogin, protection: str | None) -> None:
    portal = make_login(SESSION_PROTECTION=protection)
    browser = portal.browser()
    browser.sign_in(portal.enrolled())
    assert browser.get("/").text == "home of anne"
    elsewhere = browser.get("/", headers={"User-Agent": "another browser"})
    assert (elsewhere.text == "home of anne") is (protection != "strong")
