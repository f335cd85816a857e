"""A bought list of passwords, tried at a portal behind the gate over HTTP: how far it gets, and whom that bothers."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from flask import Flask, Response, request, session

from mfa_gate import Account, MFAGate
from mfa_gate.keyring import new_key
from mfa_gate.testing import Clock, enrol_totp, totp_code

PAIRS: Final = 25_000
RIGHT: Final = 100  # of these, passwords that are still good
OWNERS: Final = 200
DAY: Final = 86400.0
BASE_URL: Final = "http://localhost"
WAYS: Final = ((1, 3600.0), (1, DAY), (100, 3600.0), (100, DAY))  # addresses, and seconds that the list takes


@dataclass(frozen=True)
class Stuffed:
    """What became of one list.

    Attributes:
        evaluated: pairs of which the portal looked at the password.
        found: right passwords among them, of which each is no more than a pending sign-in.
        owners: sign-ins of owners meanwhile.
        refused: of these, how many were not let as far as the second factor at the first try.
    """

    addresses: int
    seconds: float
    evaluated: int
    found: int
    owners: int
    refused: int


def stuff(addresses: int, seconds: float) -> Stuffed:
    """Try the list once, in order, from these addresses in turn; owners sign in all the while."""
    rng = Random(f"stuffing {addresses} {seconds}")
    with tempfile.TemporaryDirectory(prefix="mfa-gate-stuffing-") as folder:
        site = _Site(Path(folder))
        sources = [
            f"127.{rng.randrange(1, 255)}.{rng.randrange(255)}.{rng.randrange(1, 255)}" for _ in range(addresses)
        ]
        right = dict(zip(rng.sample(range(PAIRS), RIGHT), rng.sample(site.names, RIGHT), strict=True))
        visits = {number * PAIRS // OWNERS: name for number, name in enumerate(site.names)}
        evaluated = found = refused = 0
        for number in range(PAIRS):
            site.clock.advance(seconds / PAIRS)
            name = right.get(number, f"leaked{number}")
            answer = site.tries(name, f"pw {name}" if number in right else "an old one", sources[number % addresses])
            evaluated += answer.status_code != 429
            found += number in right and answer.status_code == 200
            if number in visits:
                refused += not site.owner_signs_in(visits[number])
        return Stuffed(addresses, seconds, evaluated, found, OWNERS, refused)


class _Site:
    """A portal with owners, nine in ten of whom come in a browser that they have used before."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.names = [f"owner{number}" for number in range(OWNERS)]
        self._people = {name: Account(name, name) for name in self.names}
        self._app = self._made(folder)
        self._browsers = [self._app.test_client() for _ in self.names]
        for number, account in enumerate(self._people.values()):
            secret = enrol_totp(self._app, account)
            if number % 10:
                self._known(number, secret)
        self.clock.advance(DAY)

    def tries(self, name: str, password: str, address: str, browser: Any = None) -> Any:
        """Send one pair to the login."""
        browser = browser or self._app.test_client()
        sent = {"name": name, "password": password}
        return browser.post("/login", json=sent, base_url=BASE_URL, environ_base={"REMOTE_ADDR": address})

    def owner_signs_in(self, name: str) -> bool:
        """Whether an owner gets as far as the second factor."""
        number = self.names.index(name)
        answer = self.tries(name, f"pw {name}", _home(number), self._browsers[number])
        return bool(answer.status_code == 200)

    def _known(self, number: int, secret: str) -> None:
        browser, here = self._browsers[number], {"REMOTE_ADDR": _home(number)}
        token = self.tries(self.names[number], f"pw {self.names[number]}", _home(number), browser).json["session"]
        headers = {"X-MFA-CSRF": token["csrf_token"]}
        code = {"code": totp_code(secret, self.clock())}
        done = browser.post("/mfa/api/v1/totp/verify", json=code, base_url=BASE_URL, headers=headers, environ_base=here)
        assert done.status_code == 200, done.text

    def _made(self, folder: Path) -> Flask:
        app = Flask("stuffed", instance_path=str(folder), static_folder=None)
        app.config.update(SECRET_KEY="stuffed", MFA_GATE_BASE_URL=BASE_URL, MFA_GATE_KEYS=new_key())
        gate = MFAGate(app, account_loader=self._people.get, clock=self.clock)
        gate.signed_in(lambda account: session.update(user=account.id))
        gate.identity(lambda: session.get("user"))

        @app.post("/login")
        @gate.first_factor(username="name")
        def login() -> Response | tuple[str, int]:
            sent = request.get_json()
            account = self._people.get(sent["name"])
            return gate.sign_in(account) if account and sent["password"] == f"pw {account.id}" else ("wrong", 401)

        return app


def _home(number: int) -> str:
    return f"127.200.{number % 250}.{number // 250 + 1}"
