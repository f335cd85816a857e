"""Several login views: strangers are sent to the one that takes GET, and `flask mfa check` says which."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from mfa_gate import Account, MFAGate
from tests.support.portal import BASE_URL, KEYS, PAGE, Portal


@pytest.fixture
def backend() -> str:
    """Routes know nothing of the store: one back end will do."""
    return "sqlite"


Views = list[tuple[str, list[str], str]]  # path, methods, mark


def portal_with(database_url: str, folder: Path, views: Views, **config: Any) -> Flask:
    app = Flask("logins", instance_path=str(folder))
    app.config.update(
        TESTING=True,
        SECRET_KEY="x",
        MFA_GATE_BASE_URL=BASE_URL,
        MFA_GATE_KEYS=KEYS,
        MFA_GATE_DATABASE_URL=database_url,
        MFA_GATE_IDENTITY="gate",
        **config,
    )
    gate = MFAGate(app, account_loader=lambda account_id: Account(account_id, account_id))
    marks: dict[str, Any] = {"login": gate.first_factor("email"), "public": gate.public, "": lambda view: view}
    for number, (path, methods, mark) in enumerate(views):
        app.add_url_rule(path, f"view{number}", marks[mark](lambda **_: "page"), methods=methods)
    app.add_url_rule("/", "home", lambda: "home")
    return app


def sent_to(app: Flask) -> str | None:
    location = app.test_client().get("/", base_url=BASE_URL, headers=PAGE).location
    return location and location.removeprefix(BASE_URL)


def checked(app: Flask) -> dict[str, Any]:
    done = app.test_cli_runner().invoke(args=["mfa", "check", "--json"])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


API = ("/api/login", ["POST"], "login")


@pytest.mark.abuse("A70")
@pytest.mark.parametrize(
    ("views", "page"),
    [
        ([API, ("/login", ["GET", "POST"], "login")], "/login"),
        ([API, ("/login", ["POST"], "login"), ("/login", ["GET"], "public")], "/login"),
        ([("/login", ["GET"], "public"), API, ("/login", ["POST"], "login")], "/login"),
        ([API, ("/login", ["POST"], "login"), ("/login", ["GET"], "")], "/api/login"),
        ([API, ("/<lang>/login", ["GET", "POST"], "login")], "/api/login"),
        ([("/login/<lang>", ["GET", "POST"], "login"), API], "/api/login"),
        ([("/one", ["GET", "POST"], "login"), ("/two", ["GET", "POST"], "login")], "/one"),
    ],
)
def test_people_are_sent_to_the_login_view_that_takes_get(
    database_url: str, tmp_path: Path, views: Views, page: str
) -> None:
    app = portal_with(database_url, tmp_path, views)
    assert sent_to(app) == page
    assert checked(app)["settings"]["login page"] == page


def test_check_names_the_page_and_every_login_view(database_url: str, tmp_path: Path) -> None:
    app = portal_with(database_url, tmp_path, [API, ("/login", ["GET", "POST"], "login")])
    told = checked(app)
    assert told["settings"]["login page"] == "/login"
    assert told["settings"]["login views"] == "view0 (/api/login), view1 (/login)"
    assert not [warning for warning in told["warnings"] if "login" in warning]


@pytest.mark.parametrize(
    ("views", "warning"),
    [
        ([API], "nobody can open the login page /api/login by GET"),
        (
            [("/one", ["GET", "POST"], "login"), ("/two", ["GET", "POST"], "login")],
            "several login views are pages (/one, /two), people are sent to /one",
        ),
        ([("/login", ["GET", "POST"], "public")], "no view is wrapped in @gate.first_factor"),
    ],
)
def test_check_warns_of_a_login_page_that_people_cannot_open_or_that_is_not_clear(
    database_url: str, tmp_path: Path, views: Views, warning: str
) -> None:
    told = checked(portal_with(database_url, tmp_path, views))
    assert [one for one in told["warnings"] if warning in one]


def test_a_page_that_is_set_needs_no_guess(database_url: str, tmp_path: Path) -> None:
    views: Views = [("/one", ["GET", "POST"], "login"), ("/two", ["GET", "POST"], "login")]
    app = portal_with(database_url, tmp_path, views, MFA_GATE_LOGIN_URL="/two")
    assert sent_to(app) == "/two"
    assert not [warning for warning in checked(app)["warnings"] if "login" in warning]


def test_the_portal_of_the_tests_is_in_order(portal: Portal) -> None:
    assert portal.browser().get("/").location == f"{BASE_URL}/login"
    assert checked(portal.app)["settings"]["login page"] == "/login"
