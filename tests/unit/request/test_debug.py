"""What debug mode makes up is said aloud, and serves nobody but a developer."""

from __future__ import annotations

import io
import wsgiref.simple_server
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from wsgiref.util import setup_testing_defaults

import pytest
import werkzeug.serving
from flask import Flask, Response

from mfa_gate import Account, MFAGate
from tests.support.portal import BASE_URL, JSON, KEYS
from tests.support.waiting import NET


@pytest.fixture
def backend() -> str:
    """Debug mode knows nothing of the store: one back end will do."""
    return "sqlite"


def make_app(tmp_path: Path, **config: Any) -> Flask:
    """A portal in debug mode."""
    app = Flask("portal", instance_path=str(tmp_path / "instance"))
    app.debug = True
    app.config.update(SECRET_KEY="x", MFA_GATE_IDENTITY="gate", **config)
    app.add_url_rule("/", "home", lambda: "home")
    MFAGate(app, account_loader=lambda account_id: Account(account_id, account_id))
    return app


def environ(**more: Any) -> dict[str, Any]:
    """A request as a server hands it over, which is not Flask's."""
    made: dict[str, Any] = {"wsgi.errors": io.StringIO(), "REMOTE_ADDR": "192.0.2.1", **more}
    setup_testing_defaults(made)
    return made


def called(app: Any, environ: dict[str, Any]) -> int:
    """The status of an answer to a server's call."""
    began: list[str] = []
    for _ in app(environ, lambda status, headers, *more: began.append(status)):
        pass
    return int(began[0][:3])


@contextmanager
def served(server: Any) -> Iterator[str]:
    """A server that runs; its address."""
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def status_of(url: str) -> int:
    try:
        with urlopen(Request(url, headers=JSON), timeout=NET) as answer:  # noqa: S310  (of this test)
            return int(answer.status)
    except HTTPError as refused:
        return refused.code


OTHERS: dict[str, dict[str, Any]] = {
    "gunicorn": {"SERVER_SOFTWARE": "gunicorn/23.0.0"},
    "waitress": {"SERVER_SOFTWARE": "waitress"},
    "uWSGI": {"uwsgi.version": b"2.0.31"},
    "mod_wsgi": {"mod_wsgi.version": (5, 0, 0), "SERVER_SOFTWARE": "Apache/2.4"},
    "one that says nothing": {},
    "one whose client says that it is Flask's": {
        "HTTP_USER_AGENT": "Werkzeug/3.1.3",
        "HTTP_SERVER_SOFTWARE": "Werkzeug/3.1.3",
        "HTTP_WERKZEUG_SOCKET": "x",
    },
    "one behind a proxy on this machine": {"HTTP_HOST": "localhost:5000", "REMOTE_ADDR": "127.0.0.1"},
}


@pytest.mark.abuse("A60")
@pytest.mark.parametrize("given", [(), ("base_url",), ("keys",)], ids=["nothing is set", "base URL", "keys"])
def test_what_debug_mode_makes_up_is_said_aloud(
    tmp_path: Path, given: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    both = {"base_url": BASE_URL, "keys": KEYS}
    make_app(tmp_path, **{f"MFA_GATE_{name.upper()}": both[name] for name in given})
    (said,) = [record for record in caplog.records if record.name == "mfa_gate"]
    assert said.levelname == "WARNING"
    for name in both:
        assert (f"MFA_GATE_{name.upper()}" in said.getMessage()) is (name not in given)
    assert KEYS not in said.getMessage()


@pytest.mark.abuse("A60")
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize(
    "given", [{}, {"MFA_GATE_BASE_URL": BASE_URL}, {"MFA_GATE_KEYS": KEYS}], ids=["", "base URL", "keys"]
)
def test_what_debug_mode_makes_up_serves_nobody_by_another_server(
    tmp_path: Path, other: str, given: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(tmp_path, **given)
    caplog.clear()
    for path in ("/", "/mfa/challenge", "/mfa/api/v1/session", "/mfa/static/mfa_gate.css", "/none", "/static/none"):
        assert called(app, environ(PATH_INFO=path, **OTHERS[other])) == 503, path
    (said,) = [record for record in caplog.records if record.name == "mfa_gate"]
    assert "FLASK_DEBUG" in said.getMessage()
    assert app.test_client().get("/", base_url="http://localhost:5000", headers=JSON).status_code == 401


@pytest.mark.abuse("A60")
def test_an_answer_that_is_fetched_by_a_middleware_is_no_tests(tmp_path: Path) -> None:
    app = make_app(tmp_path)
    assert Response.from_app(app, environ()).status_code == 503


@pytest.mark.abuse("A60")
def test_by_the_development_server_alone_a_browser_gets_in(tmp_path: Path) -> None:
    app = make_app(tmp_path)
    with served(werkzeug.serving.make_server("localhost", 0, app, threaded=True)) as url:
        assert status_of(f"{url}/") == 401
    with served(wsgiref.simple_server.make_server("localhost", 0, app)) as url:
        assert status_of(f"{url}/") == 503


def test_what_is_set_is_served_by_any_server_in_debug_mode_as_well(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(tmp_path, MFA_GATE_BASE_URL=BASE_URL, MFA_GATE_KEYS=KEYS)
    assert called(app, environ(HTTP_HOST="portal.example")) == 401
    assert [record for record in caplog.records if record.name == "mfa_gate"] == []
