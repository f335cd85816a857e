"""Settings: a wrong one stops the start with a sentence that names it and says what to write instead."""

from __future__ import annotations

import os
import stat
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.cli import FlaskGroup, ScriptInfo

from mfa_gate import Account, ConfigurationError, MFAGate
from mfa_gate.settings import NAMES, Settings
from mfa_gate.testing import enrol_totp
from tests.support.portal import BASE_URL, JSON, KEYS
from tests.support.postgres import Postgres

NEEDED: dict[str, Any] = {"MFA_GATE_BASE_URL": BASE_URL, "MFA_GATE_KEYS": KEYS}
BASE = "MFA_GATE_BASE_URL"
TIMES = ("IDLE", "LIFETIME", "PENDING", "ENROLLING", "ACTIVATION_TTL", "LETTER_TTL", "DEVICE_TTL", "EVENT_TTL")


@pytest.fixture
def backend() -> str:
    """The settings know nothing of the store: one back end will do."""
    return "sqlite"


def make_app(tmp_path: Path, *, debug: bool = False, **config: Any) -> Flask:
    app = Flask("portal", instance_path=str(tmp_path / "instance"))
    app.debug = debug
    app.config.update(TESTING=True, SECRET_KEY="x", MFA_GATE_IDENTITY="gate")
    app.config.update(config)
    app.add_url_rule("/", "home", lambda: "home")
    MFAGate(app, account_loader=lambda account_id: Account(account_id, account_id))
    return app


def settings_of(app: Flask) -> Settings:
    found: Settings = app.extensions["mfa_gate"].settings
    return found


def stopped(tmp_path: Path, **config: Any) -> str:
    """The sentence that stops the start."""
    with pytest.raises(ConfigurationError) as refused:
        make_app(tmp_path, **config)
    return str(refused.value)


WRONG: list[tuple[str, Any]] = [
    *(
        ("BASE_URL", value)
        for value in (
            "",
            " ",
            "portal.example",
            "//portal.example",
            "ftp://portal.example",
            "javascript:alert(1)",
            "https://",
            "https:///mfa",
            "https://user@portal.example",
            "https://user:password@portal.example",
            "https://portal.example?x=1",
            "https://portal.example#x",
            "https://portal.example:port",
            "https://portal.example:99999",
            "https://por tal.example",
            "https://por\ntal.example",
            "https://portal.example\r\nX: y",
            "https://portal.example\0",
            "https://portal.exämple",
            "https://[::1",
            "https://portal.example/a b",
            "https://portal.example/<x>",
            "https://portal.example\\@evil.example",
            "http://portal.example",
            "http://192.0.2.1",
            "http://localhost.evil.example",
            b"https://portal.example",
            5,
            True,
            ["https://portal.example"],
        )
    ),
    *(("KEYS", value) for value in ("", " ", ",", 5, b"x", [KEYS], "nokey", "a:", ":b", "a:short", "a:" + "A" * 44)),
    *(("KEYS", value) for value in ("a b:" + "A" * 43, f"{KEYS},{KEYS}", "é:" + "A" * 43, "a:" + "é" * 43)),
    *(
        ("DATABASE_URL", value)
        for value in (
            "",
            5,
            "sqlite",
            "x",
            "sqlite://",
            "sqlite:///:memory:",
            "mysql://x/y",
            "nosuch://x/y",
            "postgresql+nosuch://x/y",
            "sqlite:////proc/nothing/here.sqlite3",
            "postgresql+psycopg://nobody@127.0.0.1:1/none",
        )
    ),
    *(("NAME", value) for value in ("", "  ", "a\nb", "a\0", "x" * 201, 5, b"x")),
    *(("SUPPORT", value) for value in ("", "a\nb", "x" * 201, 5)),
    *(("IDENTITY", value) for value in ("", "portal", "Gate", True, 5)),
    *(("URL_PREFIX", value) for value in ("", "/", "mfa", "/mfa/", "//mfa", "/m fa", "/<x>", "/é", 5)),
    *(
        (name, value)
        for name in ("HOME", "LOGIN_URL", "STYLESHEET")
        for value in (
            "",
            "home",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\nb",
            "/a b",
            "/<x>",
            5,
        )
    ),
    *((name, value) for name in TIMES for value in (0, -1, 0.5, "3600", True, float("nan"), float("inf"), 10**9, [])),
    *((name, timedelta(0)) for name in TIMES),
    *((name, timedelta(days=367)) for name in TIMES),
    ("IDLE", 43_201),
    ("IDLE", timedelta(days=2)),
    *(("STRICT", value) for value in (1, 0, "yes", "False", [])),
    *(("METHODS", value) for value in ([], ["recovery"], ["sms"], "totp", 5, [["totp"]], ["totp", "sms"])),
    *(("RP_ID", value) for value in ("", "Portal.example", "portal.example.", "https://portal.example", "*.example")),
    ("RP_ID", "portal.example:443"),
    *(("RP_ID", value) for value in ("192.0.2.1", "::1", "[::1]", "por tal", "x" * 64, "a." * 130 + "b", 5, b"x")),
    *(("USER_VERIFICATION", value) for value in ("", "Required", "always", True, 5, ["required"])),
    *(("ALGORITHMS", value) for value in ([], [-8, -36], ["ES256"], -7, {-7}, [-257.5], [[-7]], [None])),
    *(("HINTS", value) for value in ("hybrid", ["phone"], ["hybrid", 5], 5, {"hybrid"}, [["hybrid"]])),
    *(
        ("LOGIN_ORIGINS", value)
        for value in (
            "https://login.example",
            ["login.example"],
            ["https://login.example/path"],
            ["https://*.example"],
            ["NULL"],
            [7],
            [None],
            ["https://login.example"] * 21,
        )
    ),
    *(
        ("RELATED_ORIGINS", value)
        for value in (
            "https://portal.example.org",
            ["portal.example.org"],
            ["http://portal.example.org"],
            ["https://portal.example.org/path"],
            ["https://user@portal.example.org"],
            ["https://*.example.org"],
            [5],
            5,
            [f"https://portal{number}.example" for number in range(6)],
        )
    ),
    *(("LANGUAGES", value) for value in ("fr", [], ["de"], ["fr", "de"], ("en", 5), {"fr"}, 5, [["fr"]])),
]


def test_every_setting_is_tried_with_wrong_values() -> None:
    assert {f"MFA_GATE_{name}" for name, _ in WRONG} == set(NAMES)


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_stops_the_start_with_a_sentence(tmp_path: Path, name: str, value: Any) -> None:
    said = stopped(tmp_path, **{**NEEDED, f"MFA_GATE_{name}": value})
    assert f"MFA_GATE_{name}" in said or "the store" in said
    assert len(said) > 30
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEYS", "id:" + "c2VjcmV0" * 3),
        ("KEYS", f"{KEYS},{KEYS}"),
        ("KEYS", "A" * 43),
        ("DATABASE_URL", "mysql://user:c2VjcmV0@host/x"),
        ("DATABASE_URL", "not a url c2VjcmV0"),
        ("DATABASE_URL", "postgresql+psycopg://user:c2VjcmV0@127.0.0.1:1/none"),
        ("DATABASE_URL", "postgresql+psycopg://user:c2VjcmV0@127.0.0.1/" + "x" * 300 + "\n"),
    ],
)
def test_the_sentence_never_shows_a_secret(tmp_path: Path, name: str, value: str) -> None:
    said = stopped(tmp_path, **{**NEEDED, f"MFA_GATE_{name}": value})
    assert "c2VjcmV0" not in said
    assert "A" * 43 not in said


def test_a_long_database_url_is_no_mistake(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120) / ("y" * 120)
    url = f"sqlite:///{folder / 'store.sqlite3'}"
    said = stopped(tmp_path, **NEEDED, MFA_GATE_DATABASE_URL=url)
    assert "flask mfa db upgrade" in said


@pytest.mark.parametrize("name", ["BASE_URL", "KEYS"])
@pytest.mark.parametrize("none", [True, False])
def test_what_has_no_default_must_be_set(tmp_path: Path, name: str, none: bool) -> None:
    config = {key: value for key, value in NEEDED.items() if key != f"MFA_GATE_{name}"}
    said = stopped(tmp_path, **config, **({f"MFA_GATE_{name}": None} if none else {}))
    assert said.startswith(f"MFA_GATE_{name} is not set: ")


@pytest.mark.parametrize("name", ["MFA_GATE_BASEURL", "MFA_GATE_", "MFA_GATE_OWN_STORE", "MFA_GATE_IDLE_"])
def test_an_unknown_setting_stops_the_start_and_names_those_there_are(tmp_path: Path, name: str) -> None:
    said = stopped(tmp_path, **NEEDED, **{name: "x"})
    assert "is not a setting of this version" in said
    assert all(known in said for known in NAMES)


def test_other_settings_are_none_of_the_gates(tmp_path: Path) -> None:
    make_app(tmp_path, **NEEDED, MFA_OTHER="x", GATE="x", mfa_gate_idle="x")


def test_there_are_thirty_settings_at_most() -> None:
    assert len(NAMES) <= 30


@pytest.mark.parametrize(
    ("written", "meant", "cookie"),
    [
        ("https://portal.example", "https://portal.example", "__Host-mfa-f2441454"),
        ("https://portal.example/", "https://portal.example", "__Host-mfa-f2441454"),
        (" https://portal.example:443 ", "https://portal.example", "__Host-mfa-f2441454"),
        ("HTTPS://Portal.Example", "https://portal.example", "__Host-mfa-f2441454"),
        ("https://portal.example:8443", "https://portal.example:8443", None),
        ("https://Portal.example/Root", "https://portal.example/Root", None),
        ("https://portal.example/root/", "https://portal.example/root", None),
        ("http://localhost:5000", "http://localhost:5000", None),
        ("http://127.0.0.1:80", "http://127.0.0.1", None),
        ("http://[::1]:5000", "http://[::1]:5000", None),
        ("http://portal.localhost", "http://portal.localhost", None),
        ("https://[2001:db8::1]", "https://[2001:db8::1]", None),
    ],
)
def test_the_base_url_has_one_spelling(tmp_path: Path, written: str, meant: str, cookie: str | None) -> None:
    settings = settings_of(make_app(tmp_path, **{**NEEDED, BASE: written}))
    assert settings.base_url == meant
    assert settings.secure is meant.startswith("https")
    assert settings.cookie_name.startswith("__Host-") is settings.secure
    if cookie:
        assert settings.cookie_name == cookie


@pytest.mark.parametrize("name", TIMES)
def test_times_are_timedeltas_or_seconds(tmp_path: Path, name: str) -> None:
    field = name.lower()
    for value in (timedelta(minutes=10), 600, 600.0):
        config = {f"MFA_GATE_{name}": value, "MFA_GATE_IDLE": 600}
        assert getattr(settings_of(make_app(tmp_path, **NEEDED, **config)), field) == 600.0


def test_the_defaults_are_safe(tmp_path: Path) -> None:
    settings = settings_of(make_app(tmp_path, **NEEDED))
    assert (settings.idle, settings.lifetime, settings.pending) == (3600, 43_200, 600)
    assert (settings.activation_ttl, settings.letter_ttl, settings.enrolling) == (86_400, 30 * 86_400, 1800)
    assert (settings.name, settings.url_prefix, settings.languages) == ("portal", "/mfa", ("fr", "en"))
    assert settings.totp_window == 1
    assert settings_of(make_app(tmp_path, **NEEDED, MFA_GATE_STRICT=True)).totp_window == 0


# --- the store -------------------------------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_embedded_store_makes_and_upgrades_itself_for_its_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        app = make_app(tmp_path, **NEEDED)
        enrol_totp(app, Account("anne", "anne"))
    finally:
        os.umask(old)
    files = sorted((tmp_path / "instance").glob("mfa_gate.sqlite3*"))
    assert files[0].name == "mfa_gate.sqlite3"
    assert [mode(file) for file in files] == [0o600] * len(files)
    again = make_app(tmp_path, **NEEDED)
    assert again.test_client().get("/", base_url=BASE_URL, headers=JSON).status_code == 401


def test_a_store_that_is_named_is_not_upgraded_by_the_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'named.sqlite3'}"
    said = stopped(tmp_path, **NEEDED, MFA_GATE_DATABASE_URL=url)
    assert "flask mfa db upgrade" in said
    assert mode(tmp_path / "named.sqlite3") == 0o600
    result = run(tmp_path, "mfa", "db", "upgrade", MFA_GATE_DATABASE_URL=url, **NEEDED)
    assert result.exit_code == 0, result.output
    assert settings_of(make_app(tmp_path, **NEEDED, MFA_GATE_DATABASE_URL=url)).own_store is False


def test_a_named_postgresql_is_not_upgraded_by_the_start_either(tmp_path: Path, postgres: Postgres) -> None:
    url = postgres.create_database()
    assert "flask mfa db upgrade" in stopped(tmp_path, **NEEDED, MFA_GATE_DATABASE_URL=url)
    assert run(tmp_path, "mfa", "db", "upgrade", MFA_GATE_DATABASE_URL=url, **NEEDED).exit_code == 0
    make_app(tmp_path, **NEEDED, MFA_GATE_DATABASE_URL=url).extensions["mfa_gate"].services.store.close()
    postgres.drop_database(url)


def run(tmp_path: Path, *arguments: str, debug: bool = False, **config: Any) -> Any:
    """Run `flask ...` on an app of these settings."""

    def create_app(_info: Any = None) -> Flask:
        return make_app(tmp_path, debug=debug, **config)

    info = ScriptInfo(create_app=create_app)
    return CliRunner().invoke(FlaskGroup(add_default_commands=True, create_app=create_app), arguments, obj=info)


# --- debug mode ------------------------------------------------------------------------------------------------------


def test_debug_mode_makes_base_url_and_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLASK_RUN_PORT", raising=False)
    first, second = make_app(tmp_path, debug=True), make_app(tmp_path, debug=True)
    assert settings_of(first).base_url == "http://localhost:5000"
    assert settings_of(first).keys == settings_of(second).keys
    (file,) = (tmp_path / "instance").glob("*keys*")
    assert mode(file) == 0o600
    monkeypatch.setenv("FLASK_RUN_PORT", "5055")
    assert settings_of(make_app(tmp_path, debug=True)).base_url == "http://localhost:5055"


def test_what_is_set_goes_before_what_debug_mode_makes(tmp_path: Path) -> None:
    settings = settings_of(make_app(tmp_path, debug=True, **NEEDED))
    assert (settings.base_url, settings.keys) == (BASE_URL, KEYS)
    assert list((tmp_path / "instance").glob("*keys*")) == []


def test_outside_debug_mode_nothing_is_made(tmp_path: Path) -> None:
    assert "MFA_GATE_KEYS" in stopped(tmp_path, MFA_GATE_BASE_URL=BASE_URL)
    assert list((tmp_path / "instance").glob("*keys*")) == []


@pytest.mark.parametrize(("arguments", "port"), [((), 5000), (("--port", "5007"), 5007), (("-p", "5008"), 5008)])
def test_in_debug_mode_the_port_is_the_one_flask_runs_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], port: int
) -> None:
    """`flask --app portal --debug run --port 5007`, as far as the server's own start."""
    monkeypatch.delenv("FLASK_RUN_PORT", raising=False)
    module = ModuleType("portal_of_this_test")
    made: list[Flask] = []

    def create_app() -> Flask:
        made.append(make_app(tmp_path, debug=True))
        return made[-1]

    module.create_app = create_app  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("flask.cli.run_simple", lambda *args, **kwargs: None)
    result = CliRunner().invoke(
        FlaskGroup(), ["--app", f"{module.__name__}:create_app", "--debug", "run", "--no-reload", *arguments]
    )
    assert result.exit_code == 0, result.output
    assert settings_of(made[0]).base_url == f"http://localhost:{port}"


def test_in_debug_mode_127_0_0_1_is_sent_to_localhost(tmp_path: Path) -> None:
    client = make_app(tmp_path, debug=True).test_client()
    answer = client.get("/a%20b?x=1&y=%C3%A9", base_url="http://127.0.0.1:5000")
    assert answer.status_code == 307
    assert answer.location in ("http://localhost:5000/a%20b?x=1&y=%C3%A9", "http://localhost:5000/a b?x=1&y=%C3%A9")
    assert client.get("/", base_url="http://127.0.0.1:5000").location == "http://localhost:5000/"
    assert client.post("/", base_url="http://127.0.0.1:5000").status_code != 307
    assert client.get("/", base_url="http://localhost:5000", headers=JSON).status_code == 401


def test_outside_debug_mode_127_0_0_1_is_left_alone(tmp_path: Path) -> None:
    client = make_app(tmp_path, **{**NEEDED, BASE: "http://localhost:5000"}).test_client()
    assert client.get("/", base_url="http://127.0.0.1:5000", headers=JSON).status_code == 401
