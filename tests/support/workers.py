"""Worker processes of one portal, each with a server of its own on loopback, for races that are truly parallel.

`Workers` starts several and sends them requests at once. The folder holds what they share besides the store: the clock,
the tally of evaluated codes, orders to die. `python -m tests.support.workers` is what they are forked from.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import request
from werkzeug.serving import WSGIRequestHandler, make_server

from mfa_gate import Account, DeskPolicy, Mail
from mfa_gate.cli.notices import one_pass
from mfa_gate.durations import DAY
from mfa_gate.factors import recovery, totp, webauthn
from mfa_gate.limits.rules import LimitPolicy, Rule
from mfa_gate.store import engine
from mfa_gate.testing import Clock
from tests.red.defences import take_out_from_environment
from tests.support.desks import STAFF
from tests.support.portal import BASE_URL, Browser, Portal, make_portal
from tests.support.readers import records
from tests.support.waiting import NET

HERE = "127.0.0.1"
ADDRESS_HEADER = "X-Test-Address"
POLICIES = {
    "default": LimitPolicy(),
    # nothing but a window, so that all of a crowd get as far as it allows
    "five": LimitPolicy(code=Rule(((5, DAY),), free=1000), code_known=Rule(((5, DAY),), free=1000)),
    "none": LimitPolicy(
        **dict.fromkeys(("code", "confirm", "assertion", "recovery", "source"), Rule(((10**6, DAY),), free=10**6))
    ),
}


class SharedClock(Clock):
    """A clock that every process reads from one file."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file

    def __call__(self) -> float:
        return float(self.file.read_text())


@dataclass(frozen=True)
class Call:
    """One request: the browser whose cookies it brings, the path below the API, the body.

    A path that begins with "/" is a page's, and its body a form.
    """

    browser: Browser
    path: str
    body: dict[str, Any]
    token: str

    @property
    def cookies(self) -> str:
        jar = self.browser.client._cookies.values()  # type: ignore[attr-defined]
        return "; ".join(f"{cookie.key}={cookie.value}" for cookie in jar)


@dataclass
class Answer:
    status: int
    body: Any
    cookies: dict[str, str]

    @property
    def session(self) -> str | None:
        """The cookie of the gate's session that it set."""
        own = (value for name, value in self.cookies.items() if re.fullmatch("__Host-mfa-[0-9a-f]{8}", name))
        return next(own, None)


class Workers:
    """Worker processes on one store.

    Args:
        database_url: their store.
        folder: new, for what they share.
        clock: what it shows is what they go by, from `set_clock` on.
        policy: name of `POLICIES`.
    """

    def __init__(self, database_url: str, folder: Path, clock: Clock, policy: str = "default", number: int = 2) -> None:
        folder.mkdir()
        self._folder = folder
        self._clock = clock
        self.set_clock()
        self._origin = _origin()
        started = self._origin.fork(number, database_url, str(folder), policy)
        self._processes = [process for process, _ in started]
        self._ports = [port for _, port in started]

    def set_clock(self) -> None:
        (self._folder / "clock.new").write_text(repr(self._clock()))
        (self._folder / "clock.new").rename(self._folder / "clock")

    @property
    def evaluated(self) -> int:
        """How many codes and answers of keys were checked by all workers together."""
        tally = self._folder / "tally"
        return tally.stat().st_size if tally.exists() else 0

    def die_in_check(self, on: bool) -> None:
        """From now on the process that checks a code dies right after it, as if it were killed."""
        (self._folder / "die").touch() if on else (self._folder / "die").unlink()

    def race(self, calls: Iterable[Call], after: Callable[[], object] | None = None) -> list[Answer]:
        """Send all calls at the same moment, spread over the workers.

        Args:
            after: runs at that very moment too, in a thread of its own.
        """
        calls = list(calls)
        answers: list[Answer | None] = [None] * len(calls)
        barrier = threading.Barrier(len(calls) + (after is not None))

        def send(number: int, call: Call) -> None:
            connection = http.client.HTTPConnection(HERE, self._ports[number % len(self._ports)], timeout=NET)
            connection.connect()
            barrier.wait()
            answers[number] = _send(connection, call)

        def aside() -> None:
            barrier.wait()
            assert after is not None
            after()

        threads = [threading.Thread(target=send, args=pair) for pair in enumerate(calls)]
        threads += [threading.Thread(target=aside)] if after is not None else []
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(answers), "a worker did not answer"
        return [answer for answer in answers if answer is not None]

    def send(self, call: Call, worker: int = 0) -> Answer:
        return _send(http.client.HTTPConnection(HERE, self._ports[worker], timeout=NET), call)

    def close(self) -> None:
        self._origin.end(self._processes)
        self._processes = []


class _Origin:
    """A process that has imported all that a worker needs, and forks itself: to start one anew takes a second.

    It ends, and its workers with it, when this process does.
    """

    def __init__(self) -> None:
        self.of = os.getpid()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.workers"],
            cwd=Path(__file__).parent.parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def fork(self, number: int, *place: str) -> list[tuple[int, int]]:
        """Start workers; the process and the port of each."""
        for _ in range(number):
            self._order("start", *place)
        said = [self._heard().split() for _ in range(number)]
        return [(int(process), int(port)) for process, port in said]

    def end(self, processes: Iterable[int]) -> None:
        """Kill workers, and wait until they are gone."""
        for process in processes:
            self._order("end", str(process))
            self._heard()

    def _order(self, *words: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()

    def _heard(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.strip(), "the worker did not start: see its standard error"
        return line


_origins: list[_Origin] = []


def _origin() -> _Origin:
    if not _origins or _origins[-1].of != os.getpid():  # a fork has one of its own
        _origins.append(_Origin())
    return _origins[-1]


def call(browser: Browser, path: str, **body: Any) -> Call:
    """A call of somebody who has signed in half way, with the token of that sign-in."""
    return Call(browser, path, body, browser.token)


def _send(connection: http.client.HTTPConnection, call: Call) -> Answer:
    is_form = call.path.startswith("/")
    headers = {
        "Host": "portal.example",
        "Origin": BASE_URL,
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded" if is_form else "application/json",
        "Cookie": call.cookies,
        "X-MFA-CSRF": call.token,
        ADDRESS_HEADER: call.browser.address,
    }
    try:
        path = call.path if is_form else f"/mfa/api/v1/{call.path}"
        connection.request("POST", path, urlencode(call.body) if is_form else json.dumps(call.body), headers)
        response = connection.getresponse()
        read = response.read()
        body = json.loads(read or b"null") if "json" in response.headers["Content-Type"] else read.decode()
    finally:
        connection.close()
    cookies: SimpleCookie = SimpleCookie()
    for header in response.headers.get_all("Set-Cookie") or ():
        cookies.load(header)
    return Answer(response.status, body, {key: morsel.value for key, morsel in cookies.items()})


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def serve(database_url: str, folder: Path, policy: str) -> None:
    """Be one worker until killed; prints the process and its port first."""
    take_out_from_environment()
    # as in the process of the tests: see conftest.py
    recovery._COST = 2**4  # type: ignore[misc]
    engine.BUSY_TIMEOUT = int(NET * 1000)  # type: ignore[misc]
    clock = SharedClock(folder / "clock")
    desk = DeskPolicy(lambda account: account.group == "desk", spoken=True)
    portal = make_portal(database_url, folder / "instance", clock, limits=POLICIES[policy], desk=desk)
    portal.people |= {name: Account(name, name, group="desk") for name in STAFF}
    portal.app.register_blueprint(records(portal.gate))
    _sends_notices(portal)
    _keep_tally(folder)
    inner = portal.app.wsgi_app

    def from_its_address(environ: dict[str, Any], start_response: Any) -> Any:
        environ["REMOTE_ADDR"] = environ.get("HTTP_X_TEST_ADDRESS", HERE)
        return inner(environ, start_response)

    portal.app.wsgi_app = from_its_address  # type: ignore[method-assign]
    server = make_server(HERE, 0, portal.app, threaded=True, request_handler=_Quiet)
    print(f"{os.getpid()} {server.server_port}\n", end="", flush=True)
    server.serve_forever()


def _sends_notices(portal: Portal) -> None:
    """A pass of sending, at the time at which a test asks for it."""

    @portal.app.post("/pass")
    @portal.gate.public
    def one() -> dict[str, int]:
        parts = portal.app.extensions["mfa_gate"]
        parts.mail = Mail(HERE, "portail@example.org", port=int(request.form["port"]), security="none", timeout=NET)
        return dict(one_pass(parts))


def _keep_tally(folder: Path) -> None:
    """Note each check in the file that all workers append to, and die there if ordered to."""
    tally = os.open(folder / "tally", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def noting(really: Callable[..., Any]) -> Callable[..., Any]:
        def check(*args: Any, **kwargs: Any) -> Any:
            os.write(tally, b".")
            try:
                return really(*args, **kwargs)
            finally:
                if (folder / "die").exists():
                    os._exit(9)

        return check

    totp.complete = noting(totp.complete)
    webauthn.complete_authentication = noting(webauthn.complete_authentication)
    webauthn.complete_registration = noting(webauthn.complete_registration)


def fork_when_told() -> None:
    """Start and end workers as standard input says, until it ends."""
    workers = set[int]()
    for line in sys.stdin:
        order, *rest = json.loads(line)
        if order == "start":
            workers.add(_forked(*rest))
        else:
            workers.remove(int(rest[0]))
            _kill(int(rest[0]))
            print("ended", flush=True)
    for process in workers:
        _kill(process)


def _forked(database_url: str, folder: str, policy: str) -> int:
    if process := os.fork():
        return process
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        serve(database_url, Path(folder), policy)
    except BaseException:
        traceback.print_exc()
    finally:
        print(flush=True)  # in the place of its port
        os._exit(1)


def _kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


if __name__ == "__main__":
    fork_when_told()
