"""What an account with many sessions costs: a page of them, and one more sign-in beside as many as may wait."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import insert, select

from mfa_gate.flows import ClientContext
from mfa_gate.sessions.crowding import PER_ACCOUNT
from mfa_gate.store.schema import sessions
from mfa_gate.testing import Clock, enrol_totp, totp_code

from .measure import Variant, direct
from .portal import gated, people

MANY: Final = 20_000
HERE: Final = "198.51.100.1"


def lists(folder: Path) -> list[Variant]:
    """A page of one's own sessions, where there is one, and where there are twenty thousand."""
    return [_list(folder / "one", 1), _list(folder / "many", MANY)]


def sign_ins(folder: Path) -> list[Variant]:
    """A right password beside no other sign-in, and beside fifty of as many networks, one of which gives way."""
    return [_sign_in(folder / "none", 0), _sign_in(folder / "fifty", PER_ACCOUNT)]


def _list(folder: Path, number: int) -> Variant:
    folder.mkdir()
    clock = Clock()
    app, _ = gated(folder, clock)
    parts = app.extensions["mfa_gate"]
    account = next(iter(people().values()))
    secret = enrol_totp(app, account)
    clock.advance(30)
    begun = parts.sign_in.begin(account, ClientContext(None, HERE))
    done = parts.totp.verify(ClientContext(begun.session, HERE), totp_code(secret, clock()))
    with parts.services.store.begin() as tx:
        row = tx.execute(select(sessions).where(sessions.c.sign_in == done.session.sign_in)).one()._asdict()
        more = [{**row, "id_hash": f"{one:064x}", "sign_in": f"{one:032x}"} for one in range(number - 1)]
        if more:
            tx.execute(insert(sessions), more)
    client = ClientContext(done.session, HERE)
    return direct(f"{number:,} sessions", lambda: parts.own.sessions(client))


def _sign_in(folder: Path, waiting: int) -> Variant:
    folder.mkdir()
    clock = Clock()
    app, _ = gated(folder, clock)
    parts = app.extensions["mfa_gate"]
    account = next(iter(people().values()))
    enrol_totp(app, account)
    for number in range(waiting):
        parts.sign_in.begin(account, ClientContext(None, f"203.0.113.{number}"))

    last = ClientContext(None, HERE)

    def begin() -> None:
        nonlocal last
        clock.advance(0.01)
        # where none waits, the browser brings its own session, which is replaced
        opened = parts.sign_in.begin(account, last if not waiting else ClientContext(None, HERE))
        last = ClientContext(opened.session, HERE)

    return direct(f"beside {waiting} others", begin)
