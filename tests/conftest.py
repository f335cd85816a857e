"""Fixtures: a fresh portal per test, on SQLite and on a real PostgreSQL.

A test that takes `backend` is run on both. `make test` runs it on PostgreSQL only where something can differ there: in
the modules of `DIFFERS`, which hold locks, races, counters, the chain, the upgrade and one whole walk of each flow. The
others are repeated on PostgreSQL by `make world`, with what drives browsers for long; `.ci/run` runs both.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import sync_playwright

from mfa_gate.store import Store
from mfa_gate.testing import Clock
from tests.red.defences import take_out_from_environment
from tests.support.browser import launch
from tests.support.events import incomplete
from tests.support.portal import Browser, MakePortal, Portal, make_portal
from tests.support.postbox import Postbox, open_postbox
from tests.support.postgres import Postgres
from tests.support.races import StartWorkers
from tests.support.waiting import NET
from tests.support.workers import Workers

# Hypothesis would have an example end in 0.2 seconds, and examples be drawn at some speed
settings.register_profile("any machine", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

BACKENDS = ("sqlite", "postgresql")
DIFFERS = frozenset(
    f"test_{name}.py"
    for name in (
        *("store", "store_upgrade", "package", "races", "races_more", "reads_races", "limits"),
        *("audit_chain", "notices_send", "devices", "sessions"),
        *("sign_in", "activation", "enrolment", "passkeys", "own", "reads"),
    )
)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "store.sqlite3"
    _make_tables(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    url = postgres.create_database()
    _make_tables(url)
    return url


@pytest.fixture(scope="session")
def spare_databases() -> list[str]:
    """Databases with empty tables, for the next test."""
    return []


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store of one's own, with its tables."""
    if backend == "sqlite":
        file = tmp_path / "store.sqlite3"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    template: str = request.getfixturevalue("postgres_template")
    spare: list[str] = request.getfixturevalue("spare_databases")
    url = spare.pop() if spare else server.create_database(template)
    yield url
    # emptying one is ten times as fast as copying another
    if server.empty(url):
        spare.append(url)
    else:
        server.drop_database(url)


@pytest.fixture
def make(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MakePortal]:
    """Make portals (workers of one portal) on this test's store."""
    made: list[Portal] = []

    def factory(**config: Any) -> Portal:
        clock = config.pop("clock", None) or (made[0].clock if made else Clock())
        portal = make_portal(database_url, tmp_path / "instance", clock, **config)
        made.append(portal)
        return portal

    yield factory
    for portal in made:
        portal.app.extensions["mfa_gate"].services.store.close()
    if database_url.startswith("sqlite") and not request.node.get_closest_marker("events_by_hand"):
        assert incomplete(database_url.removeprefix("sqlite:///")) == [], "an event says less than its kind promises"


@pytest.fixture
def portal(make: MakePortal) -> Portal:
    return make()


@pytest.fixture
def browser(portal: Portal) -> Browser:
    return portal.browser()


@pytest.fixture
def secret(portal: Portal) -> str:
    """The secret of anne's app, her only authenticator."""
    return portal.enrolled()


@pytest.fixture
def anne(browser: Browser, secret: str) -> Browser:
    """Anne's browser, signed in."""
    browser.sign_in(secret)
    return browser


@pytest.fixture
def start_workers(database_url: str, portal: Portal, tmp_path: Path) -> Iterator[StartWorkers]:
    """Start worker processes on the store and by the clock of this test's portal."""
    started: list[Workers] = []

    def start(policy: str = "default") -> Workers:
        made = Workers(database_url, tmp_path / f"workers{len(started)}", portal.clock, policy)
        started.append(made)
        return made

    yield start
    for workers in started:
        workers.close()


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    with open_postbox() as box:
        yield box


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """Chromium, for one module alone: while it runs there is an event loop in this thread, which async views meet."""
    with sync_playwright() as running, launch(running) as browser:
        yield browser


def _make_tables(url: str) -> None:
    store = Store(url)
    store.upgrade()
    store.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--abuse", metavar="ROW", help="only the tests of this row of the abuse table, such as A13")


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        store = getattr(item, "callspec", None) and item.callspec.params.get("backend")  # type: ignore[attr-defined]
        if store == "postgresql" and item.path.name not in DIFFERS:
            item.add_marker("world")
        if item.get_closest_marker("browser") and _language(item).startswith("en"):
            item.add_marker("world")  # the catalogue and its sentences have tests of their own
    row = config.getoption("--abuse")
    if row is None:
        return
    chosen = [item for item in items if any(row in mark.args for mark in item.iter_markers("abuse"))]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def _language(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    return str(callspec.params.get("language", "")) if callspec else ""


@pytest.fixture(autouse=True)
def quick_recovery_codes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw recovery codes at a small part of their cost, except where that is what is looked at."""
    if request.node.get_closest_marker("full_cost") is None:
        monkeypatch.setattr("mfa_gate.factors.recovery._COST", 2**4)


@pytest.fixture
def usual_patience() -> None:
    """For a test that looks at how long a writer waits for another under SQLite."""


@pytest.fixture(autouse=True)
def patient_writers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a writer wait for the others of a crowd however long they take on this machine."""
    if "usual_patience" not in request.fixturenames:
        monkeypatch.setattr("mfa_gate.store.engine.BUSY_TIMEOUT", int(NET * 1000))


@pytest.fixture(autouse=True)
def environment_as_it_was() -> Iterator[None]:
    """What a test sets for its own process (`flask --debug` sets FLASK_DEBUG) is not the next one's."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys() - {"PYTEST_CURRENT_TEST"}:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="session", autouse=True)
def defence_taken_out() -> Iterator[None]:
    """Run without the defence that the environment names: see `make red`."""
    patch = take_out_from_environment()
    yield
    if patch is not None:
        patch.undo()
