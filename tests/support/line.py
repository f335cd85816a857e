"""Between real browsers and a served portal: a line on which requests and answers come late, and another site."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any

from werkzeug.http import parse_cookie
from werkzeug.test import run_wsgi_app

from tests.support.served import Served, listening
from tests.support.waiting import NET, until

Cookies = frozenset[str]  # their names


@dataclass
class Held:
    """Requests of one kind that do not go on until they are let: before the portal has seen them, or its answers.

    Attributes:
        what: method and path.
        many: how many are held; later ones pass.
        answers: the portal has done what was asked, and its answer is held.
    """

    what: str
    many: int
    answers: bool
    _let: list[threading.Event] = field(default_factory=list)
    _done: list[int] = field(default_factory=list)

    def come(self, many: int) -> None:
        """Wait until so many are held."""
        until(lambda: len(self._let) >= many)

    def let_go(self, number: int) -> None:
        """Let one go on, counted from 0 as they came, and wait until the portal has answered it."""
        self._let[number].set()
        until(lambda: number in self._done)

    def takes(self, what: str) -> bool:
        return what == self.what and len(self._let) < self.many

    def enter(self) -> int:
        self._let.append(threading.Event())
        return len(self._let) - 1

    def wait(self, number: int) -> None:
        assert self._let[number].wait(NET), f"nobody let {self.what} go"

    def done(self, number: int) -> None:
        self._done.append(number)


class Line:
    """What stands before the app of a served portal.

    Args:
        served: the portal, which is reached over this line from now on.

    Attributes:
        address: of everybody who comes.
    """

    def __init__(self, served: Served) -> None:
        self.address = "127.0.0.1"
        self._app = served.portal.app.wsgi_app
        self._holding: list[Held] = []
        self._brought: dict[str, list[Cookies]] = {}
        self._lock = threading.Lock()
        served.portal.app.wsgi_app = self  # type: ignore[method-assign]

    def hold(self, what: str, many: int = 1, *, answers: bool = False) -> Held:
        held = Held(what, many, answers)
        self._holding.append(held)
        return held

    def brought(self, what: str) -> Cookies:
        """Wait until a request of this kind was answered; the cookies that the latest one brought."""
        return until(lambda: self._brought.get(what))[-1]

    def __call__(self, environ: Any, start_response: Any) -> Any:
        what = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        cookies = frozenset(parse_cookie(environ))
        with self._lock:
            held = next((one for one in self._holding if one.takes(what)), None)
            number = held.enter() if held else 0
        if held and not held.answers:
            held.wait(number)
        answer, status, headers = run_wsgi_app(self._app, {**environ, "REMOTE_ADDR": self.address}, buffered=True)
        self._brought.setdefault(what, []).append(cookies)
        if held and held.answers:
            held.wait(number)
        if held:
            held.done(number)
        start_response(status, headers.to_wsgi_list())
        return answer


@dataclass
class OtherSite:
    """Another site's page: for browsers the address 127.0.0.1 and the name of the portal are two sites.

    Attributes:
        page: what it answers with.
    """

    url: str = ""
    page: str = ""

    def posts(self, address: str, **fields: str) -> None:
        """Its page posts a form as soon as somebody opens it."""
        inputs = "".join(f'<input name="{name}" value="{escape(value)}">' for name, value in fields.items())
        form = f'<form method="post" action="{escape(address)}">{inputs}</form>'
        self.page = f"{form}<script>document.forms[0].submit()</script>"


@contextmanager
def other_site() -> Iterator[OtherSite]:
    site = OtherSite()

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [f'<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">{site.page}'.encode()]

    with listening(lambda _: app) as port:
        site.url = f"http://127.0.0.1:{port}"
        yield site
