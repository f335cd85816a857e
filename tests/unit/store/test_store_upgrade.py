"""A store of the first version, with rows in every table, brought to this one: nothing is lost on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, MetaData, inspect, text
from sqlalchemy.exc import IntegrityError

from mfa_gate import Unavailable
from mfa_gate.harvest import State
from mfa_gate.store import Store
from mfa_gate.store.migrate import HEAD, MIGRATIONS, VERSION_TABLE
from mfa_gate.store.schema import metadata
from mfa_gate.testing import Clock
from tests.support.portal import Browser, Portal, make_portal
from tests.support.postgres import Postgres

FIRST = "0001"
TABLES = frozenset(
    f"mfa_{name}"
    for name in (
        "accounts",
        "activations",
        "authenticators",
        "counters",
        "enrolments",
        "events",
        "keys",
        "sessions",
        "totp_seeds",
    )
)
NewStore = Callable[[], str]
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def new_store(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewStore]:
    """Make stores without a table."""
    made: list[str] = []

    def create() -> str:
        if backend == "sqlite":
            return f"sqlite:///{tmp_path / f'empty{len(made)}.sqlite3'}"
        made.append(request.getfixturevalue("postgres").create_database())
        return made[-1]

    yield create
    for url in made:
        server: Postgres = request.getfixturevalue("postgres")
        server.drop_database(url)


@pytest.fixture
def engine_on() -> Iterator[Callable[[str], Engine]]:
    """Open stores by hand, with foreign keys that hold."""
    opened: list[Engine] = []

    def connect(url: str) -> Engine:
        store = Store(url)
        opened.append(store._engine)
        return store._engine

    yield connect
    for engine in opened:
        engine.dispose()


EngineOn = Callable[[str], Engine]


def make_first(engine: Engine, version: str = FIRST) -> None:
    """The tables as the first version made them, or another."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)


def upgrade(url: str) -> None:
    store = Store(url)
    try:
        store.upgrade()
        assert store.outdated() is None
    finally:
        store.close()


def reflected(engine: Engine) -> MetaData:
    found = MetaData()
    found.reflect(engine)
    return found


def rows(engine: Engine) -> Rows:
    """Every row of every table of the gate's but its version."""
    tables = [table for table in reflected(engine).sorted_tables if table.name != VERSION_TABLE]
    with engine.connect() as connection:
        return {
            table.name: [dict(row._mapping) for row in connection.execute(table.select().order_by(*table.primary_key))]
            for table in tables
        }


@dataclass
class Old:
    """A store of the first version, and the people whose rows stand in it."""

    url: str
    before: Rows
    clock: Clock
    secret: str
    inside: Browser
    enrolling: Browser
    begun: dict[str, str]


@pytest.fixture
def old(portal: Portal, new_store: NewStore, engine_on: EngineOn) -> Old:
    """Anne signed in, bob half way through his enrolment; all that the first version knew of it."""
    secret = portal.enrolled()
    inside, enrolling = portal.browser(), portal.browser("192.0.2.9")
    assert inside.sign_in(secret).status_code == 303
    portal.activation_code("anne")
    enrolling.activate("bob")
    begun = enrolling.begin_enrolment()
    with portal.app.app_context():
        portal.gate.lock("carol", "left")
    url = new_store()
    engine = engine_on(url)
    make_first(engine)
    _copy(portal.app.extensions["mfa_gate"].services.store._engine, engine)
    before = rows(engine)
    assert {name for name, there in before.items() if there} == TABLES
    return Old(url, before, portal.clock, secret, inside, enrolling, begun)


def _copy(source: Engine, target: Engine) -> None:
    have, tables = rows(source), reflected(target).sorted_tables
    with target.begin() as connection:
        for table in tables:
            # the store numbers events by itself
            columns = [name for name in table.columns.keys() if (table.name, name) != ("mfa_events", "id")]  # noqa: SIM118
            there = [{name: row[name] for name in columns} for row in have.get(table.name, [])]
            if there:
                connection.execute(table.insert(), there)


# --- what is in it ---------------------------------------------------------------------------------------------------


def test_a_store_of_the_first_version_is_known_as_such(old: Old) -> None:
    store = Store(old.url)
    said = store.outdated()
    store.close()
    assert said == f"the store is of an older version ({FIRST}, not {HEAD}): run 'flask mfa db upgrade'"


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_an_upgrade_keeps_every_row_of_every_table(old: Old, engine_on: EngineOn, times: int) -> None:
    for _ in range(times):
        upgrade(old.url)
    after = rows(engine_on(old.url))
    for name, before in old.before.items():
        kept = [{column: row[column] for column in before[0]} for row in after[name]]
        assert kept == before, name


def test_what_an_upgrade_adds_is_empty_or_what_was_so_before(old: Old, engine_on: EngineOn) -> None:
    upgrade(old.url)
    after = rows(engine_on(old.url))
    assert after.keys() - old.before.keys() == set(metadata.tables) - TABLES
    assert [name for name in after.keys() - old.before.keys() if after[name]] == []
    new = {(name, column) for name in TABLES for column in after[name][0].keys() - old.before[name][0].keys()}
    every_seed = {"algorithm": "sha1", "digits": 6, "period": 30, "renew": False, "risk": "usual", "is_known": False}
    added = {(column, row[column]) for name, column in new for row in after[name] if row[column] is not None}
    assert added == set(every_seed.items())


@pytest.mark.parametrize("backend", ["sqlite"])
def test_after_an_upgrade_no_row_hangs_on_nothing(old: Old, engine_on: EngineOn) -> None:
    upgrade(old.url)
    with engine_on(old.url).connect() as connection:
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"


def test_after_an_upgrade_what_hangs_on_an_account_still_goes_with_it(old: Old, engine_on: EngineOn) -> None:
    upgrade(old.url)
    engine = engine_on(old.url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM mfa_accounts"))
    left = {name for name, there in rows(engine).items() if there}
    assert left == {"mfa_counters", "mfa_events", "mfa_keys"}


def test_after_an_upgrade_nothing_can_hang_on_an_account_that_is_not_there(old: Old, engine_on: EngineOn) -> None:
    upgrade(old.url)
    orphan = text("UPDATE mfa_authenticators SET account_id = 'nobody'")
    with pytest.raises(IntegrityError), engine_on(old.url).begin() as connection:
        connection.execute(orphan)


def test_after_an_upgrade_everybody_goes_on_from_where_they_were(old: Old, tmp_path: Path) -> None:
    """The session, the seed, the begun enrolment and the lock: each still opens, or closes, what it did."""
    upgrade(old.url)
    portal = make_portal(old.url, tmp_path / "upgraded", old.clock)
    assert old.inside.on(portal).get("/").text == "home of anne"
    assert old.enrolling.on(portal).confirm(old.begun).status_code == 200
    used, fresh = portal.browser(), portal.browser()
    assert used.sign_in(old.secret).status_code == 422  # this code was spent before
    portal.clock.advance(60)
    assert fresh.sign_in(old.secret).status_code == 303
    assert [row.id for row in portal.sql("SELECT id FROM mfa_accounts WHERE locked_at IS NOT NULL")] == ["carol"]
    portal.app.extensions["mfa_gate"].services.store.close()


def test_after_an_upgrade_a_passkey_is_enrolled_beside_the_app(old: Old, tmp_path: Path) -> None:
    upgrade(old.url)
    portal = make_portal(old.url, tmp_path / "upgraded", old.clock)
    browser = portal.browser()
    portal.clock.advance(60)
    browser.sign_in(old.secret)
    assert browser.api("POST", "activation/verify", {"code": portal.activation_code()}).status_code == 200
    assert browser.add_key().status_code == 200
    assert browser.get("/safe").text == "safe form"
    portal.app.extensions["mfa_gate"].services.store.close()


# --- what it is ------------------------------------------------------------------------------------------------------


def shape(engine: Engine) -> dict[str, dict[str, Any]]:
    """Columns, keys and indexes of every table, in no order but that of the key's columns."""
    seen = inspect(engine)
    return {name: _shape_of(seen, name) for name in seen.get_table_names() if name != VERSION_TABLE}


def _shape_of(seen: Any, table: str) -> dict[str, Any]:
    columns = {
        column["name"]: (str(column["type"]), column["nullable"], column["default"])
        for column in seen.get_columns(table)
    }
    indexes = {
        index["name"]: (tuple(index["column_names"]), bool(index["unique"]), index.get("duplicates_constraint"))
        for index in seen.get_indexes(table)
    }
    uniques = {tuple(unique["column_names"]) for unique in seen.get_unique_constraints(table)}
    foreign = {
        (tuple(key["constrained_columns"]), key["referred_table"], key["options"].get("ondelete"))
        for key in seen.get_foreign_keys(table)
    }
    return {
        "columns": columns,
        "primary key": seen.get_pk_constraint(table)["constrained_columns"],
        "indexes": indexes,
        "unique": uniques,
        "foreign keys": foreign,
    }


def without_rowid(engine: Engine) -> set[str]:
    """The tables that SQLite keeps as one tree."""
    with engine.connect() as connection:
        created = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all()
    return {row.name for row in created if "WITHOUT ROWID" in row.sql.upper()}


@pytest.mark.parametrize("new", ["by the migrations", "by the tables as they are written"])
def test_an_upgraded_store_is_like_one_made_new(old: Old, new_store: NewStore, engine_on: EngineOn, new: str) -> None:
    upgrade(old.url)
    url = new_store()
    if new == "by the migrations":
        upgrade(url)
    else:
        metadata.create_all(engine_on(url))
    upgraded, made = engine_on(old.url), engine_on(url)
    assert shape(upgraded).keys() == set(metadata.tables)
    assert shape(upgraded) == shape(made)
    if upgraded.dialect.name == "sqlite":
        assert without_rowid(upgraded) == without_rowid(made)
        assert "mfa_sessions" in without_rowid(upgraded)


def test_what_is_kept_of_an_accounts_reading_goes_on_after_the_upgrade_that_packs_it(
    new_store: NewStore, engine_on: EngineOn
) -> None:
    url = new_store()
    engine, seen = engine_on(url), "ab+/9" * 3
    make_first(engine, "0009")
    kept = [
        20_001, seen, 1.5, 2.25, 3.0, 4.0, 5.0, 6, 7.5, 8.5, 9.5, 10.5, 11.5,
        "prefi", None, None, 12.5, -1, 13, 14.5, [["é 1", 15.5, 16], ["s 2", 17.5, 18]], 19.5,
    ]  # fmt: skip
    states = {"anne": json.dumps(kept), "bob": json.dumps([*kept[:14], 99.5, "pace", *kept[16:]]), "carol": "broken"}
    with engine.begin() as connection:
        for name, state in states.items():
            values = {"id": name, "subject": f"subject of {name}", "state": state}
            connection.execute(
                text("INSERT INTO mfa_accounts (id, subject, created_at) VALUES (:id, :subject, 0)"), values
            )
            connection.execute(text("INSERT INTO mfa_reading (account_id, state) VALUES (:id, :state)"), values)
    upgrade(url)
    with engine.connect() as connection:
        rows_there = connection.execute(text("SELECT account_id, state FROM mfa_reading")).all()
    found = {row[0]: row[1] for row in rows_there}
    anne, bob = State.load(found["anne"]), State.load(found["bob"])
    assert anne == State(
        20_001, 1.5, 2.25, 3.0, 4.0, 5.0, 6, 7.5, 8.5, 9.5, 10.5, 11.5, -1, 13, 14.5, 19.5, None, 12.5,
        "prefi", None, seen, (("é 1", 15.5, 16), ("s 2", 17.5, 18)),
    )  # fmt: skip
    assert (bob.stopped, bob.why) == (99.5, "pace")
    assert found["carol"] == "broken"


def test_an_upgrade_that_breaks_half_way_leaves_the_store_as_it_was(old: Old, engine_on: EngineOn) -> None:
    """One transaction, where something of a later table's name stands in the way."""
    engine = engine_on(old.url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE mfa_recovery_codes (id INTEGER)"))
    before = shape(engine), rows(engine)
    store = Store(old.url)
    with pytest.raises(Unavailable):
        store.upgrade()
    store.close()
    assert (shape(engine), rows(engine)) == before
