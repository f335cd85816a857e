"""The store: transactions that are whole or nothing, and nothing that a moved or altered row could open."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

from mfa_gate import ConfigurationError, Unavailable
from mfa_gate.store import Store, accounts, sessions
from mfa_gate.store.sessions import SessionRow
from mfa_gate.testing import Clock
from tests.support.portal import Portal, make_portal, stored
from tests.support.postgres import Postgres

NOW = 1_700_000_000.0


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url)
    yield store
    store.close()


def row(number: int = 1, account: str = "anne") -> SessionRow:
    return SessionRow(f"{number:064}", f"{number:032}", account, 2, "[]", NOW, NOW + 60)


def test_what_raises_in_a_transaction_undoes_it(store: Store) -> None:
    def half_done() -> None:
        with store.begin() as tx:
            accounts.ensure(tx, "anne", NOW)
            raise KeyError

    with pytest.raises(KeyError):
        half_done()
    with store.begin() as tx:
        assert accounts.find(tx, "anne") is None


def test_what_the_database_refuses_is_unavailable_and_undone(store: Store) -> None:
    def half_done() -> None:
        with store.begin() as tx:
            accounts.ensure(tx, "bob", NOW)
            sessions.add(tx, row(account="nobody the gate knows"))

    with pytest.raises(Unavailable) as refused:
        half_done()
    assert isinstance(refused.value.__cause__, IntegrityError)
    with store.begin() as tx:
        assert accounts.find(tx, "bob") is None


def test_the_reader_sees_what_is_committed_and_nothing_else(store: Store) -> None:
    assert store.reader.session(row().id_hash) is None
    with store.begin() as tx:
        accounts.ensure(tx, "anne", NOW)
        sessions.add(tx, row())
    assert store.reader.session(row().id_hash) == row()
    with store.begin() as tx:
        sessions.remove_sign_in(tx, row().sign_in)
        if store.backend == "postgresql":
            assert store.reader.session(row().id_hash) == row()
    assert store.reader.session(row().id_hash) is None


def test_the_reader_does_not_wait_for_a_writer_nor_a_writer_for_it(store: Store) -> None:
    with store.begin() as tx:
        accounts.ensure(tx, "anne", NOW)
        sessions.add(tx, row())
    with store.begin() as tx:
        sessions.touch(tx, row().id_hash, None, NOW + 5)
        assert store.reader.session(row().id_hash) == row()
    assert store.reader.session(row().id_hash) == row()._replace(last_seen=NOW + 5)


def test_a_session_moves_once_only(store: Store) -> None:
    """Of two elevations of one session, as from two tabs at once, one wins; and none once it has ended."""
    with store.begin() as tx:
        accounts.ensure(tx, "anne", NOW)
        sessions.add(tx, row())
    new = [row()._replace(id_hash=letter * 64, last_seen=NOW + 1) for letter in "ab"]
    won: list[bool] = []

    def move(target: SessionRow) -> None:
        with store.begin() as tx:
            won.append(sessions.rotate(tx, row().id_hash, row().proofs, target))

    threads = [threading.Thread(target=move, args=(target,)) for target in new]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False, True]
    (there,) = (SessionRow._make(found) for target in new if (found := store.reader.session(target.id_hash)))
    with store.begin() as tx:
        ended = row()._replace(id_hash="c" * 64, last_seen=NOW + 60)
        assert sessions.rotate(tx, there.id_hash, there.proofs, ended) is False


def test_a_session_that_has_lost_a_proof_moves_no_more_as_it_was_read(store: Store) -> None:
    with store.begin() as tx:
        accounts.ensure(tx, "anne", NOW)
        sessions.add(tx, row())
        sessions.set_proofs(tx, row().id_hash, 1, "[[]]")
        assert sessions.is_there(tx, row().id_hash, row().proofs, NOW) is False
        assert sessions.rotate(tx, row().id_hash, row().proofs, row()._replace(id_hash="d" * 64)) is False
        assert sessions.rotate(tx, row().id_hash, "[[]]", row()._replace(id_hash="d" * 64)) is True


def test_many_writers_wait_for_each_other(store: Store) -> None:
    failed: list[Exception] = []

    def write(name: str) -> None:
        try:
            for number in range(10):
                with store.begin() as tx:
                    accounts.ensure(tx, f"{name}{number}", NOW)
                    assert accounts.lock_row(tx, f"{name}{number}") is not None
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with store.begin() as tx:
        assert all(accounts.find(tx, f"{name}9") for name in "abcdef")


@pytest.mark.usefixtures("usual_patience")
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_sqlite_is_set_up_as_it_must_be(store: Store) -> None:
    with store.begin() as tx:
        values = {
            name: tx.driver.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        }
    assert values == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 10_000, "synchronous": 1}


def test_an_old_sqlite_stops_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr("sqlite3.sqlite_version", "3.34.1")
    with pytest.raises(ConfigurationError, match=r"3\.34\.1 is too old: version 3\.35\.0"):
        Store(f"sqlite:///{tmp_path / 'x.sqlite3'}")


def test_a_missing_driver_stops_the_start_and_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"mfa-gate\[postgresql\]"):
        Store("postgresql+psycopg://x@127.0.0.1/x")


def test_several_workers_that_start_at_once_make_the_tables_once(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if backend == "sqlite":
        _upgrade_at_once(f"sqlite:///{tmp_path / 'new.sqlite3'}")
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create_database()
    _upgrade_at_once(url)
    server.drop_database(url)


def _upgrade_at_once(url: str) -> None:
    failed: list[BaseException] = []

    def upgrade() -> None:
        store = Store(url)
        try:
            store.upgrade()
            assert store.outdated() is None
        except BaseException as error:
            failed.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    engine = create_engine(url)
    assert {"mfa_sessions", "mfa_schema"} <= set(inspect(engine).get_table_names())
    engine.dispose()


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("0000", r"older version \(0000, not .*flask mfa db upgrade"),
        ("9999", r"newer version \(9999\).*install the newer library"),
    ],
)
def test_a_store_of_another_version_stops_the_start(database_url: str, tmp_path: Path, version: str, said: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE mfa_schema SET version_num = :version"), {"version": version})
    engine.dispose()
    with pytest.raises(ConfigurationError, match=said):
        make_portal(database_url, tmp_path, Clock())


def test_the_gates_tables_stand_beside_the_portals_own(database_url: str, tmp_path: Path) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('the portal''s')"))
        connection.execute(text("CREATE TABLE users (id INTEGER)"))
    portal = make_portal(database_url, tmp_path, Clock())
    portal.app.extensions["mfa_gate"].services.store.upgrade()
    portal.enrolled()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "the portal's"
    engine.dispose()
    portal.app.extensions["mfa_gate"].services.store.close()


def test_what_hangs_on_an_account_goes_with_it(portal: Portal) -> None:
    portal.enrolled()
    portal.activation_code()
    portal.browser().password()
    browser = portal.browser()
    browser.activate("bob")
    browser.begin_enrolment()
    engine = create_engine(portal.app.config["MFA_GATE_DATABASE_URL"])
    with closing(engine.raw_connection()) as raw:
        if engine.dialect.name == "sqlite":
            raw.cursor().execute("PRAGMA foreign_keys = ON")
        raw.cursor().execute("DELETE FROM mfa_accounts")
        raw.commit()
    engine.dispose()
    left = {name for name, rows in stored(portal).items() if rows}
    assert left <= {"mfa_events", "mfa_counters", "mfa_fan_in", "mfa_pressure", "mfa_keys", "mfa_schema"}
