"""What a metered read adds to the same view guarded alone, ledger included; in a small store and in a large one."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count, cycle, islice
from pathlib import Path
from typing import Final

from flask import Flask

from mfa_gate.audit.chain import Head
from mfa_gate.harvest import HarvestPolicy, State
from mfa_gate.reads.charging import RECORD, place, record_hash
from mfa_gate.reads.ledger import PURPOSE
from mfa_gate.reads.reports import ReportScope
from mfa_gate.store import read_ledger as rows
from mfa_gate.store import reading_states

from .guarded import gate_cookie
from .measure import Environ, Variant
from .portal import ACCOUNTS, account_id, gated, get, portal_cookie

# a person's day in a moment: nothing may refuse it for being quick
POLICY: Final = HarvestPolicy(least=250, most=250, pace=1e-6, rest=1e-6)
DAYS: Final = 365
HARVEST, SPAN = 26_842, 30  # records of one account of 2022, and days over which they are spread
SMALL, LARGE = "a store of 1,000 accounts", "a large store"


def variants(folder: Path, accounts: int, lines: int) -> list[Variant]:
    """A guarded view and a metered one on a small store, and the same on a large one.

    Args:
        folder: for the databases.
        accounts, lines: of the large store.
    """
    made = []
    for name, people_there, lines_there in ((SMALL, 1_000, 0), (LARGE, accounts, lines)):
        own = folder / name.replace(" ", "-")
        own.mkdir()
        app = _portal(own)
        cookies = [gate_cookie(app, number) for number in range(ACCOUNTS)]
        app.extensions["mfa_gate"].services.store.close()
        _fill(own / "mfa_gate.sqlite3", people_there, lines_there)
        made += [
            Variant(f"guarded, {name}", app, _calls(app, "/plain", cookies)),
            Variant(f"metered, {name}", app, _calls(app, "/read", cookies)),
        ]
    return made


def reports(app: Flask, rounds: int) -> list[float]:
    """Seconds of each report on an account that has read as many records as each of 2022 did."""
    services, made = app.extensions["mfa_gate"].services, app.extensions["mfa_gate"].reports
    head, now, whose = Head("report"), time.time(), account_id(0)
    with services.store.begin() as tx:
        held = reading_states.lock_row(tx, whose)
        assert held is not None
        for number in range(HARVEST):
            at = now - number % SPAN * 86_400
            sealed = services.keyring.seal(RECORD, str(number).encode(), place(head.chain, head.seq + 1))
            hashed = record_hash(services.keyring.hash(RECORD, f"patient {number}"))
            row = rows.ReadRow(at, int(at // 86_400), held.subject, "s", None, "patient", hashed, sealed, "first")
            head.extend(row)
            rows.add(tx, row, head.chain, head.seq, head.link, services.keyring.hash(PURPOSE, head.link))
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        found = made.breach(ReportScope(account=whose), None, None)
        taken.append(time.perf_counter() - begun)
        assert len(found.persons) >= HARVEST
    return taken


def _portal(folder: Path) -> Flask:
    app, gate = gated(folder, time.time, POLICY)

    @app.get("/plain/<number>")
    def plain(number: str) -> str:
        return f"<h1>{number}</h1>"

    @app.get("/read/<number>")
    @gate.reads("patient", record="number")
    def read(number: str) -> str:
        return f"<h1>{number}</h1>"

    return app


def _calls(app: Flask, path: str, cookies: Sequence[str]) -> Callable[[int], Sequence[Environ]]:
    """Each call is another account's, and of a record that nobody has read."""
    numbers, turn = count(1_000_000), cycle(range(ACCOUNTS))

    def one() -> Iterator[Environ]:
        while True:
            who = next(turn)
            yield get(f"{path}/{next(numbers)}", portal_cookie(app, account_id(who)), cookies[who])

    return lambda calls: list(islice(one(), calls))


def _fill(file: Path, accounts: int, lines: int) -> None:
    """Accounts that have read for a year, in the store's own shape."""
    store = sqlite3.connect(file, isolation_level=None)
    store.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; BEGIN;")
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
    store.execute(
        f"{numbers} INSERT INTO mfa_accounts (id, subject, created_at) "  # noqa: S608  (own words)
        "SELECT 'other-' || i, lower(hex(randomblob(16))), 0 FROM n",
        (accounts,),
    )
    state = State(int(time.time() // 86_400) - 1, seen="c0ffe" * 25).dump()
    store.execute(
        "INSERT INTO mfa_reading (account_id, state) SELECT id, ? FROM mfa_accounts WHERE id LIKE 'other-%'",
        (state,),
    )
    if lines:
        today = int(time.time() // 86_400)
        store.execute(
            f"{numbers} INSERT INTO mfa_reads "  # noqa: S608  (own words)
            "(at, day, subject, sign_in, source, kind, record, sealed, outcome, chain, seq, link, mac) "
            "SELECT i, ? - ? + i * ? / ?, lower(hex(randomblob(16))), lower(hex(randomblob(16))), "
            "'key.' || hex(randomblob(32)), 'patient', 'key.' || lower(hex(randomblob(16))), "
            "'key.' || hex(randomblob(30)), 'first', 'c' || (i / 1000), i % 1000, hex(randomblob(32)), "
            "'key.' || hex(randomblob(32)) FROM n",
            (lines, today, DAYS, DAYS, lines),
        )
    store.execute("COMMIT")
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
