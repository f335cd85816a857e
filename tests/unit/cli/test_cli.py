"""`flask mfa ...`: what the operators of a portal type, and what is printed for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result
from flask import Flask

from mfa_gate.exc import ConfigurationError
from mfa_gate.keyring import Keyring
from mfa_gate.store import Store
from tests.support.portal import KEYS, Browser, MakePortal, Portal, make_portal
from tests.support.waiting import NET

APP = """
from flask import Flask
from mfa_gate import Account, MFAGate

app = Flask(__name__)
app.config.from_prefixed_env("APP")
app.config.update(SECRET_KEY="x", MFA_GATE_BASE_URL="https://portal.example")
gate = MFAGate(
    app,
    account_loader=lambda id: Account(id, id.title()) if id == "anne" else None,
    signed_in=lambda account: None,
    identity=lambda: None,
)
"""


def run(portal: Portal, *words: str, **kwargs: Any) -> Result:
    """Run `flask mfa` with these words in this portal."""
    done = portal.app.test_cli_runner().invoke(args=["mfa", *words], **kwargs)
    assert done.exception is None or isinstance(done.exception, SystemExit), "a traceback"
    return done


def document(portal: Portal, *words: str) -> Any:
    done = run(portal, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def refused(done: Result | subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a command that failed."""
    code = done.exit_code if isinstance(done, Result) else done.returncode
    assert code == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    return done.stderr.removeprefix("Error: ").strip()


# --- as a program of its own -------------------------------------------------------------------------------------


@pytest.fixture
def flask(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `flask --app small mfa ...` as a person does, in a new process."""
    (tmp_path / "small.py").write_text(APP)

    def program(*words: str, app: bool = True, **config: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FLASK")}
        environment |= {f"APP_MFA_GATE_{name.upper()}": value for name, value in config.items()}
        command = [sys.executable, "-m", "flask", *(("--app", "small") if app else ()), "mfa", *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return program


def test_a_key_is_made_without_any_app(flask: Callable[..., Any]) -> None:
    done = flask("keys", "new", app=False)
    assert done.returncode == 0
    Keyring(done.stdout)
    as_json = flask("keys", "new", "--json", app=False)
    Keyring(json.loads(as_json.stdout)["key"])


def test_the_start_on_a_store_without_tables_stops_and_says_which_command_mends_it(
    flask: Callable[..., Any], tmp_path: Path
) -> None:
    config = {"keys": KEYS, "database_url": f"sqlite:///{tmp_path / 'new.sqlite3'}"}
    assert "flask mfa db upgrade" in refused(flask("check", **config))
    assert "flask mfa db upgrade" in refused(flask("activation", "issue", "anne", **config))
    mended = flask("db", "upgrade", "--json", **config)
    assert (mended.returncode, json.loads(mended.stdout)) == (0, {"upgraded": True})
    assert flask("check", **config).returncode == 0
    again = flask("db", "upgrade", **config)
    assert (again.returncode, again.stdout) == (0, "The store is at this version.\n")


@pytest.mark.abuse("A60")
@pytest.mark.parametrize(
    ("keys", "says"),
    [
        pytest.param(None, "MFA_GATE_KEYS is not set", id="missing", marks=pytest.mark.world),
        pytest.param("other:" + "B" * 43, "put it back", id="lost"),
        pytest.param("test1:" + "B" * 43, "does not open", id="another store's", marks=pytest.mark.world),
    ],
)
def test_a_command_on_keys_that_do_not_fit_is_a_sentence(
    flask: Callable[..., Any], tmp_path: Path, keys: str | None, says: str
) -> None:
    url = f"sqlite:///{tmp_path / 'new.sqlite3'}"
    flask("db", "upgrade", keys=KEYS, database_url=url)
    config = {"database_url": url} | ({"keys": keys} if keys else {})
    assert says in refused(flask("check", **config))
    if keys:  # the commands that mend do not enter keys that do not fit either
        assert says in refused(flask("db", "upgrade", **config))
        assert says in refused(flask("keys", "rotate", **config))
    assert flask("check", keys=KEYS, database_url=url).returncode == 0


@pytest.mark.abuse("A60")
def test_a_portal_without_its_store_upgrades_the_one_in_its_instance_folder_by_itself(
    flask: Callable[..., Any], tmp_path: Path
) -> None:
    assert flask("check", keys=KEYS).returncode == 0
    (file,) = tmp_path.rglob("mfa_gate.sqlite3")
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_app_without_a_gate_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "bare.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    command = [sys.executable, "-m", "flask", "--app", "bare", "mfa", "check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "has no gate" in refused(done)


# --- in the store ------------------------------------------------------------------------------------------------


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store without tables."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    return str(request.getfixturevalue("postgres").create_database())


def test_a_portal_does_not_start_on_a_store_without_tables(empty_url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no tables yet: run 'flask mfa db upgrade'"):
        make_portal(empty_url, tmp_path / "instance")


@pytest.mark.parametrize(("version", "says"), [("0000", "older.*flask mfa db upgrade"), ("9999", "newer library")])
def test_a_portal_does_not_start_on_a_store_of_another_version(
    make: MakePortal, portal: Portal, version: str, says: str
) -> None:
    portal.sql("UPDATE mfa_schema SET version_num = :version", version=version)
    with pytest.raises(ConfigurationError, match=says):
        make()


def test_of_several_workers_that_upgrade_at_once_one_does_it_and_none_fails(empty_url: str) -> None:
    script = "import sys; from mfa_gate.store import Store, engine; engine.BUSY_TIMEOUT = int(sys.argv[2]); "
    script += "Store(sys.argv[1]).upgrade()"
    command = [sys.executable, "-c", script, empty_url, str(int(NET * 1000))]  # as here: see conftest.py
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(process.communicate()[1], process.returncode) for process in started] == [("", 0)] * 3
    store = Store(empty_url)
    assert store.outdated() is None
    store.close()


def test_upgrading_a_store_that_is_at_this_version_changes_nothing(portal: Portal) -> None:
    secret = portal.enrolled()
    assert document(portal, "db", "upgrade") == {"upgraded": True}
    assert portal.browser().sign_in(secret).status_code == 303


def test_a_command_that_mends_does_not_make_later_starts_lenient(make: MakePortal, portal: Portal) -> None:
    run(portal, "keys", "rotate")
    run(portal, "db", "upgrade")
    with pytest.raises(ConfigurationError):
        make(MFA_GATE_KEYS="other:" + "B" * 43)


# --- activation codes --------------------------------------------------------------------------------------------


def test_issue_prints_a_code_once_that_opens_the_enrolment(portal: Portal, browser: Browser) -> None:
    done = run(portal, "activation", "issue", "anne", "--reason", "came to the desk")
    assert done.exit_code == 0
    code = done.stdout.splitlines()[0].removeprefix("Activation code for Anne Martin: ")
    assert "2023-11-15T22:13+00:00" in done.stdout  # a day later, by the clock of the gate
    browser.password()
    assert browser.api("POST", "activation/verify", json={"code": code}).status_code == 200
    assert portal.sql("SELECT kind, data FROM mfa_events ORDER BY id")[0].data.count("came to the desk") == 1


@pytest.mark.parametrize(("ttl", "seconds"), [("30m", 1800), ("24h", 86_400), ("7d", 604_800), (" 2H ", 7200)])
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_code_lives_as_long_as_it_is_told(portal: Portal, ttl: str, seconds: int) -> None:
    document(portal, "activation", "issue", "anne", "--ttl", ttl)
    ((ends_at,),) = portal.sql("SELECT ends_at FROM mfa_activations")
    assert ends_at == portal.clock() + seconds


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_time_that_cannot_be_read_is_refused_with_a_sentence(portal: Portal) -> None:
    for ttl in ("", "0h", "-1h", "1", "h", "1.5h", "1w", "400d", "٣h", "²h", "9" * 5000 + "d", "1 h 2", "nan"):
        done = run(portal, "activation", "issue", "anne", "--ttl", ttl)
        assert done.exit_code == 2, ttl
        assert "Traceback" not in done.stderr, ttl
        assert "--ttl" in done.stderr, ttl
        assert portal.sql("SELECT id FROM mfa_activations") == [], ttl


def test_issue_as_json(portal: Portal, browser: Browser) -> None:
    issued = document(portal, "activation", "issue", "anne")
    assert set(issued) == {"account", "code", "expires", "enrolled"}
    assert (issued["account"], issued["enrolled"]) == ("anne", False)
    browser.password()
    assert browser.api("POST", "activation/verify", json={"code": issued["code"]}).status_code == 200


def test_issue_says_when_the_account_has_an_authenticator_already(portal: Portal) -> None:
    portal.enrolled()
    assert "its owner signs in and changes it with this code" in run(portal, "activation", "issue", "anne").stdout
    assert document(portal, "activation", "issue", "anne")["enrolled"] is True


def test_revoke_ends_what_a_code_that_is_used_up_has_opened(portal: Portal, browser: Browser) -> None:
    browser.activate()
    assert browser.add_key().status_code == 200
    assert document(portal, "activation", "revoke", "anne") == {"account": "anne", "revoked": True}
    assert browser.state == "anonymous"
    assert document(portal, "activation", "revoke", "anne") == {"account": "anne", "revoked": False}


def test_revoke_makes_a_code_worthless(portal: Portal, browser: Browser) -> None:
    code = portal.activation_code()
    assert document(portal, "activation", "revoke", "anne") == {"account": "anne", "revoked": True}
    assert document(portal, "activation", "revoke", "anne") == {"account": "anne", "revoked": False}
    assert "no open code" in run(portal, "activation", "revoke", "nobody").stdout
    assert [kind for kind, _, _ in portal.events()].count("activation_revoked") == 1
    browser.password()
    assert browser.api("POST", "activation/verify", json={"code": code}).status_code == 422
    assert portal.events()[1] == ("activation_revoked", "success", None)


# --- accounts and sessions ---------------------------------------------------------------------------------------


def test_lock_ends_sessions_at_once_and_unlock_lets_in_again(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    browser.sign_in(secret)
    assert document(portal, "account", "lock", "anne", "--reason", "phone stolen") == {
        "account": "anne",
        "locked": True,
    }
    assert browser.get("/").status_code == 303
    assert portal.browser().password().status_code == 403
    assert "is locked and signed out" in run(portal, "account", "lock", "anne", "--reason", "again").stdout
    assert document(portal, "account", "unlock", "anne", "--reason", "phone found")["unlocked"] is True
    assert document(portal, "account", "unlock", "anne", "--reason", "phone found")["unlocked"] is False
    assert document(portal, "account", "unlock", "nobody", "--reason", "phone found")["unlocked"] is False
    portal.clock.advance(30)
    assert portal.browser().sign_in(secret).status_code == 303
    kinds = [kind for kind, _, _ in portal.events()]
    assert kinds.count("account_unlocked") == 2  # the second one forgot wrong codes, and is an act as well


def test_locking_needs_a_reason(portal: Portal) -> None:
    done = run(portal, "account", "lock", "anne")
    assert done.exit_code == 2
    assert "--reason" in done.stderr


def test_forget_asks_first_and_leaves_nothing(portal: Portal, browser: Browser) -> None:
    portal.enrolled()
    asked = run(portal, "account", "forget", "anne", input="n\n")
    assert asked.exit_code == 1
    assert len(portal.sql("SELECT id FROM mfa_authenticators")) == 1
    assert document(portal, "account", "forget", "anne", "--yes") == {"account": "anne", "forgotten": True}
    for table in ("accounts", "sessions", "authenticators", "totp_seeds", "enrolments", "activations"):
        assert portal.sql(f"SELECT * FROM mfa_{table}") == []  # noqa: S608  (own names)
    assert document(portal, "account", "forget", "anne", "--yes") == {"account": "anne", "forgotten": False}
    browser.password()
    assert browser.state == "activation"


def test_sessions_end(portal: Portal) -> None:
    secret = portal.enrolled()
    browsers = [portal.browser(), portal.browser()]
    for browser in browsers:
        portal.clock.advance(30)
        browser.sign_in(secret)
    assert document(portal, "sessions", "end", "anne", "--reason", "asked for") == {"account": "anne", "ended": 2}
    assert [browser.get("/").status_code for browser in browsers] == [303, 303]
    assert document(portal, "sessions", "end", "anne") == {"account": "anne", "ended": 0}
    assert "0 sessions of nobody ended." in run(portal, "sessions", "end", "nobody").stdout


def test_show_tells_the_state_and_the_history_of_an_account_and_no_secret(portal: Portal) -> None:
    secret = portal.enrolled()
    portal.clock.advance(30)
    portal.browser().sign_in(secret)
    code = portal.activation_code()
    run(portal, "account", "lock", "anne", "--reason", "on leave")
    shown = document(portal, "account", "show", "anne")
    assert (shown["locked"], shown["recovery_codes_left"], len(shown["authenticators"])) == (True, 0, 1)
    assert shown["code_until"] is not None
    assert shown["sessions"] == []
    assert (shown["history"][0]["kind"], shown["history"][0]["why"]) == ("account_locked", "on leave")
    sentences = run(portal, "account", "show", "anne").stdout
    assert "locked: True" in sentences
    for hidden in (secret, code, *portal.sql("SELECT seed, spent FROM mfa_totp_seeds")[0]):
        assert hidden not in sentences + json.dumps(shown)


def test_show_tells_of_the_same_event_over_and_over_the_latest(portal: Portal, browser: Browser) -> None:
    portal.enrolled()
    browser.password()
    for _ in range(3):
        portal.clock.advance(10)
        browser.step("challenge", code="000000")
    history = document(portal, "account", "show", "anne")["history"]
    (told,) = [one for one in history if one["kind"] == "second_factor"]
    assert (told["outcome"], told["reason"]) == ("failure", "wrong_code")
    assert datetime.fromisoformat(told["time"]).timestamp() == portal.clock()


def test_show_tells_how_many_recovery_codes_are_left(portal: Portal, browser: Browser) -> None:
    browser.activate()
    (code, *_) = browser.confirm(browser.begin_enrolment()).json["recovery_codes"]
    other = portal.browser()
    other.password()
    assert other.api("POST", "recovery/verify", {"code": code}).status_code == 200
    assert document(portal, "account", "show", "anne")["recovery_codes_left"] == 9


def test_reset_asks_first_and_leaves_an_account_that_enrols_anew(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    portal.clock.advance(30)
    browser.sign_in(secret)
    assert run(portal, "account", "reset", "anne", "--reason", "lost", input="n\n").exit_code == 1
    assert browser.state == "signed_in"
    done = document(portal, "account", "reset", "anne", "--reason", "lost", "--yes")
    assert done == {"account": "anne", "removed": 1}
    assert browser.state == "anonymous"
    browser.password()
    assert browser.state == "activation"
    assert portal.events()[-2:] == [("account_reset", "success", None), ("first_factor", "success", None)]


def test_the_living_sessions_of_an_account_are_listed(portal: Portal) -> None:
    secret = portal.enrolled()
    portal.clock.advance(30)
    portal.browser().sign_in(secret)
    listed = document(portal, "sessions", "list", "anne")["sessions"]
    assert len(listed) == 1
    assert listed[0]["id"] in run(portal, "sessions", "list", "anne").stdout
    portal.clock.advance(2 * 3600)
    assert document(portal, "sessions", "list", "anne")["sessions"] == []


@pytest.mark.parametrize(
    "words",
    [
        ("activation", "issue", "nobody"),
        ("account", "lock", "nobody", "--reason", "x"),
        ("account", "show", "nobody"),
        ("account", "reset", "nobody", "--reason", "x", "--yes"),
        ("sessions", "list", "nobody"),
        ("desk", "init", "nobody"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("backend", ["sqlite"])
def test_an_account_the_portal_does_not_know_is_a_sentence(portal: Portal, words: tuple[str, ...]) -> None:
    assert refused(run(portal, *words)) == "the portal knows no account 'nobody'."
    assert portal.sql("SELECT id FROM mfa_accounts") == []


@pytest.mark.parametrize(
    "words",
    [
        ("activation", "issue"),
        ("activation", "revoke"),
        ("account", "lock", "--reason", "x"),
        ("account", "unlock", "--reason", "x"),
        ("account", "forget", "--yes"),
        ("account", "show"),
        ("account", "reset", "--reason", "x", "--yes"),
        ("sessions", "list"),
        ("sessions", "end"),
        ("desk", "init"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("backend", ["sqlite"])
def test_an_account_id_that_cannot_be_read_is_a_sentence(portal: Portal, words: tuple[str, ...]) -> None:
    for account in ("\udcff", "", " ", "x" * 256, "an\0ne", "anne\n"):
        done = run(portal, *words, "--", account)
        assert done.exit_code == 2, ascii(account)
        assert "Traceback" not in done.stderr, ascii(account)


@pytest.mark.parametrize(
    "words", [("nonsense",), ("keys", "nonsense"), ("check", "--nonsense"), ("activation", "issue")]
)
@pytest.mark.parametrize("backend", ["sqlite"])
def test_words_that_are_no_command_have_exit_code_2(portal: Portal, words: tuple[str, ...]) -> None:
    assert run(portal, *words).exit_code == 2


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_store_that_does_not_answer_is_a_sentence(portal: Portal, tmp_path: Path) -> None:
    portal.enrolled()
    portal.sql("ALTER TABLE mfa_activations RENAME TO gone")
    assert "does not answer. Nothing was changed" in refused(run(portal, "activation", "issue", "anne"))
    assert "does not answer" in refused(run(portal, "activation", "revoke", "anne"))


# --- check and routes --------------------------------------------------------------------------------------------


def test_check_of_a_portal_in_order(portal: Portal) -> None:
    found = document(portal, "check")
    assert found["errors"] == []
    assert found["settings"]["base URL"] == "https://portal.example"
    assert found["settings"]["keys"] == "test1"
    assert found["settings"]["store"] in ("sqlite", "postgresql")
    words = run(portal, "check").stdout
    assert "0 errors" in words
    assert KEYS.partition(":")[2] not in words


def test_purge_says_how_much_of_what_it_has_cleared_away(portal: Portal) -> None:
    portal.browser().password()
    portal.clock.advance(400 * 86_400)
    cleared = document(portal, "purge")
    assert cleared.keys() == {
        *("sessions", "enrolments", "challenges", "activations", "notices", "alerts", "devices", "desk", "counters"),
        *("pressure", "crowds", "events", "reads"),
    }
    assert cleared["sessions"] == 1
    assert cleared["events"] > 0


@pytest.mark.parametrize(
    ("config", "about"),
    [
        ({"MFA_GATE_LIFETIME": 90_000}, "longer than a day"),
        ({"MFA_GATE_IDLE": 8000}, "idle for more than two hours"),
        ({"MFA_GATE_ACTIVATION_TTL": 86_400 * 8}, "redeemed for very long"),
        ({"MFA_GATE_BASE_URL": "http://localhost:5000"}, "base URL is http"),
        ({"MFA_GATE_KEYS": ",".join(f"k{number}:" + "A" * 43 for number in range(3))}, "more than two keys"),
        ({"MFA_GATE_IDENTITY": "gate"}, "identity is 'gate'"),
        ({}, "MFA_GATE_SUPPORT is not set"),
    ],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.parametrize("backend", ["sqlite"])
def test_check_warns_of_what_is_risky_without_failing(make: MakePortal, config: dict[str, Any], about: str) -> None:
    portal = make(**config)
    found = document(portal, "check")
    assert any(about in warning for warning in found["warnings"])


@pytest.mark.parametrize("backend", ["sqlite"])
def test_check_and_routes_say_when_a_mark_is_not_enforced(portal: Portal) -> None:
    @portal.gate.require()  # above the route, so that Flask registers the function below it
    @portal.app.get("/unguarded")
    def unguarded() -> str:
        return "x"

    done = run(portal, "check")
    assert done.exit_code == 1
    assert "unguarded" in done.stdout


@pytest.mark.parametrize("backend", ["sqlite"])
def test_routes_lists_every_route_with_what_it_asks_for(portal: Portal) -> None:
    listed = {route["rule"]: route for route in document(portal, "routes")["routes"]}
    assert set(listed) == {rule.rule for rule in portal.app.url_map.iter_rules()}
    assert (listed["/"]["kind"], listed["/"]["level"], listed["/"]["max_age"]) == ("guarded", "MFA", None)
    assert (listed["/bank"]["kind"], listed["/bank"]["max_age"]) == ("guarded", 600)
    assert listed["/open"]["kind"] == listed["/login"]["kind"] == "public"
    assert listed["/static/<path:filename>"]["kind"] == "static"
    assert listed["/mfa/challenge"]["kind"] == "gate"
    words = run(portal, "routes").stdout
    assert "Guarded" in words
    assert "at most 0:10:00 old" in words


@pytest.mark.parametrize("backend", ["sqlite"])
def test_each_command_has_json(portal: Portal) -> None:
    def commands(group: click.Command, words: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
        if isinstance(group, click.Group):
            return [found for name, sub in group.commands.items() for found in commands(sub, (*words, name))]
        return [(words, group)]

    app: Flask = portal.app
    found = commands(app.cli.commands["mfa"])
    assert len(found) >= 12
    for words, command in found:
        assert any("--json" in parameter.opts for parameter in command.params), words
        assert run(portal, *words, "--help").exit_code == 0
