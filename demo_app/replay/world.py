"""What the incident needs: the portal and its records, 19 accounts with leaked passwords, a month of their work."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from mfa_gate.testing import Clock, enrol_totp, totp_code

from .. import DATABASE, create_app
from ..accounts import hash_password
from ..gate import as_account, gate
from ..store import Store, User, connect

VICTIMS = 19
PASSWORD = "leaked-2022"  # noqa: S105  (everybody's here, and known to the thief)
DAY = 86_400.0
MONDAY = 20_001 * DAY  # the replay begins then
WORK, USUAL = 30, 25  # days that the owners have worked before, and records that they read on one
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GATE_STORE = "mfa_gate.sqlite3"


@dataclass(frozen=True)
class Victim:
    """An owner whose password and mailbox the thief has; and the secret of the app, where he has that as well."""

    number: int
    email: str
    secret: str

    @property
    def address(self) -> str:
        """The owner's own, on loopback: each in a network of its own."""
        return f"127.{self.number + 1}.0.1"

    def code(self, at: float) -> str:
        return totp_code(self.secret, at)


class Quiet(WSGIRequestHandler):
    """No line per request, and connections that stay open."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@dataclass
class World:
    """The portal's folder, its people, and all numbers of its records."""

    folder: Path
    victims: list[Victim]
    numbers: list[str]

    @contextmanager
    def portal(self, name: str) -> Iterator[tuple[int, Clock]]:
        """Serve the portal with the gate as it was after the month of work; its port, and the clock it goes by."""
        store = self.folder / f"{name}.sqlite3"
        shutil.copy(self.folder / GATE_STORE, store)
        clock = Clock(MONDAY + 8 * 3600)
        app = _gated(self.folder, clock, store)
        with served(app) as port:
            yield port, clock
        app.extensions["mfa_gate"].services.store.close()


@contextmanager
def served(app: Flask) -> Iterator[int]:
    """An app on a port of this machine, and nowhere else."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _gated(folder: Path, clock: Clock, store: Path) -> Flask:
    gate.clock = clock
    return create_app(folder, MFA_GATE_BASE_URL="http://localhost:5000", MFA_GATE_DATABASE_URL=f"sqlite:///{store}")


def prepare(folder: Path, records: int, progress: object = None) -> World:
    """Make the portal, enrol its people, and let them work for a month.

    Args:
        folder: new.
        records: how many persons to invent.
        progress: called with the number of persons made and wanted.
    """
    clock = Clock(MONDAY - (WORK + 10) * DAY)
    gate.clock = clock
    app = create_app(
        folder,
        MFA_GATE_BASE_URL="http://localhost:5000",
        PORTAL_RECORDS=records,
        PORTAL_PROGRESS=progress,
    )
    portal = Store(connect(folder / DATABASE))
    numbers = [row[0] for row in portal._connection.execute("SELECT nir FROM person")]
    hashed = hash_password(PASSWORD)
    users = [
        User(f"pro-{n}", f"victim-{n}@pharmacie.example", f"Victim {n}", hashed, "pharmacist", "", "fr", None, None)
        for n in range(VICTIMS)
    ]
    portal.save_users(users)
    portal.close()
    victims = []
    with app.app_context():
        for number, user in enumerate(users):
            victims.append(Victim(number, user.email, enrol_totp(app, as_account(user))))
    world = World(folder, victims, numbers)
    rng = random.Random(1)
    for victim in victims:
        clock.now = MONDAY - (WORK + 9) * DAY
        _works(app, clock, victim, rng, numbers)
    app.extensions["mfa_gate"].services.store.close()
    return world


def _works(app: Flask, clock: Clock, victim: Victim, rng: random.Random, numbers: list[str]) -> None:
    """A month of an owner's work, in one browser at one place."""
    client = app.test_client()
    client.environ_base.update(REMOTE_ADDR=victim.address, HTTP_USER_AGENT=FIREFOX)
    base, json = "http://localhost:5000", {"Accept": "application/json"}
    for _ in range(WORK):
        clock.now += DAY - clock.now % DAY + 9 * 3600
        origin = {**json, "Origin": base}
        client.post("/login", data={"email": victim.email, "password": PASSWORD}, base_url=base, headers=origin)
        token = client.get("/mfa/api/v1/session", base_url=base, headers=json).get_json()["csrf_token"]
        code = {"code": victim.code(clock.now)}
        proven = client.post(
            "/mfa/api/v1/totp/verify", json=code, base_url=base, headers={**origin, "X-MFA-CSRF": token}
        )
        if proven.status_code != 200:
            raise RuntimeError(f"an owner could not sign in: {proven.text}")
        for number in rng.sample(numbers, max(1, round(rng.gauss(USUAL, USUAL / 4)))):
            clock.now += 120
            client.get(f"/patients/{number}", base_url=base, headers=json)
