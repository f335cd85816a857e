"""Leaked passwords: lists of one's own, a service that learns five digits, and what follows at a sign-in."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mfa_gate import ConfigurationError, Leaked, LeakedFile, LeakedRange
from mfa_gate.breached import MAGIC, ListUnreadable, build
from mfa_gate.durations import DAY
from mfa_gate.risk import RiskPolicy
from mfa_gate.testing import SoftwareKey
from tests.support.portal import BASE_URL, MakePortal, Portal
from tests.support.waiting import NET

LISTED = ["123456", "pw-anne", "motdepasse", "pâquerette"]


def sha1(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "leaked.bin"
    build(LISTED, made)
    return made


class TestFile:
    def test_what_is_in_the_list_is_found_and_nothing_else(self, file: Path) -> None:
        leaked = LeakedFile(file)
        assert all(leaked.has(password) for password in LISTED)
        assert not any(leaked.has(password) for password in ("", "123457", "pw-bob", "PW-ANNE"))

    def test_passwords_and_hashes_with_and_without_counts_make_the_same_file(self, tmp_path: Path) -> None:
        made = []
        for number, write in enumerate((str, sha1, lambda one: sha1(one).lower(), lambda one: f"{sha1(one)}:42\r")):
            path = tmp_path / f"{number}.bin"
            build([write(one) for one in LISTED], path)
            made.append(path.read_bytes())
        assert len(set(made)) == 1

    def test_what_stands_twice_counts_once(self, tmp_path: Path) -> None:
        assert build([*LISTED, *LISTED, "", "\n"], tmp_path / "x.bin") == len(LISTED)

    def test_a_list_longer_than_what_is_sorted_at_once_is_whole(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("mfa_gate.breached._CHUNK", 100)
        passwords = [f"password {number}" for number in range(1050)]
        assert build([*passwords, *passwords[:500]], tmp_path / "x.bin") == 1050
        leaked = LeakedFile(tmp_path / "x.bin")
        assert len(leaked) == 1050
        assert all(map(leaked.has, passwords))
        assert not any(leaked.has(f"password {number}") for number in range(1050, 2000))

    def test_an_empty_list_makes_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(ListUnreadable):
            build(["", "\n"], tmp_path / "x.bin")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("content", [b"", b"x", MAGIC, MAGIC + b"\0" * 7, MAGIC + b"\0\0\0\0\0\0\0\2" + b"x" * 8])
    def test_what_is_no_whole_list_is_said_in_a_sentence(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "x.bin"
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"x\.bin"):
            LeakedFile(path)

    def test_every_cut_of_a_list_is_found_out(self, file: Path, tmp_path: Path) -> None:
        whole = file.read_bytes()
        for length in range(len(whole)):
            (tmp_path / "cut.bin").write_bytes(whole[:length])
            with pytest.raises(ConfigurationError):
                LeakedFile(tmp_path / "cut.bin")


class TestCommand:
    def test_it_makes_a_file_and_says_how_many(self, portal: Portal, tmp_path: Path) -> None:
        source, target = tmp_path / "list.txt", tmp_path / "leaked.bin"
        source.write_bytes("\n".join(LISTED).encode() + b"\nm\xe9decin\n")  # in another encoding
        done = portal.app.test_cli_runner().invoke(
            args=["mfa", "breached", "build", str(source), str(target), "--json"]
        )
        assert json.loads(done.output) == {"file": str(target), "passwords": 5}
        assert LeakedFile(target).has("motdepasse")

    def test_it_never_overwrites(self, portal: Portal, file: Path, tmp_path: Path) -> None:
        source, before = tmp_path / "list.txt", file.read_bytes()
        source.write_text("another")
        done = portal.app.test_cli_runner().invoke(args=["mfa", "breached", "build", str(source), str(file)])
        assert (done.exit_code, file.read_bytes()) == (2, before)

    def test_an_empty_list_is_said_in_a_sentence(self, portal: Portal, tmp_path: Path) -> None:
        source = tmp_path / "list.txt"
        source.write_text("")
        done = portal.app.test_cli_runner().invoke(args=["mfa", "breached", "build", str(source), str(tmp_path / "x")])
        assert done.exit_code == 2
        assert "the list is empty. Nothing was made." in done.output


@dataclass
class Service:
    """A service with the range protocol, on loopback."""

    url: str
    answer: Callable[[str], bytes]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    status: int = 200


def padded(prefix: str) -> bytes:
    """What such a service answers: suffixes with counts, and random ones with a count of nought."""
    lines = [f"{sha1(one)[5:]}:{7}" for one in LISTED if sha1(one).startswith(prefix)]
    lines += [f"{number:035X}:0" for number in range(800)]
    return "\r\n".join(lines).encode()


@pytest.fixture
def service() -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append((self.path, dict(self.headers)))
            body = made.answer(self.path.rpartition("/")[2])
            self.send_response(made.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Service(f"http://127.0.0.1:{server.server_port}", padded)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


class TestService:
    def test_it_is_asked_for_five_digits_with_padding(self, service: Service) -> None:
        assert LeakedRange(service.url, NET).has("motdepasse")
        path, headers = service.asked[0]
        assert path == f"/range/{sha1('motdepasse')[:5]}"
        assert (headers["Add-Padding"], headers["User-Agent"]) == ("true", "mfa-gate")

    def test_what_only_pads_an_answer_is_no_leak(self, service: Service) -> None:
        service.answer = lambda prefix: f"{sha1('fine')[5:]}:0".encode()
        assert not LeakedRange(service.url, NET).has("fine")

    def test_an_answer_is_asked_for_once_an_hour(self, service: Service) -> None:
        asked = LeakedRange(service.url, NET)
        assert [asked.has("motdepasse") for _ in range(3)] == [True] * 3
        assert len(service.asked) == 1

    @pytest.mark.parametrize("body", [b"<html>", b"\xff\xfe", b"ABC:1", b"0" * 35 + b":x", b"{}"])
    def test_another_answer_changes_nothing(self, service: Service, body: bytes) -> None:
        service.answer = lambda prefix: body
        assert not Leaked(service=LeakedRange(service.url, NET)).has("motdepasse")

    @pytest.mark.parametrize("status", [404, 429, 500, 503])
    def test_a_refusal_changes_nothing(self, service: Service, status: int) -> None:
        service.status = status
        assert not Leaked(service=LeakedRange(service.url, NET)).has("motdepasse")

    def test_an_outage_changes_nothing_and_leaves_the_file(self, file: Path) -> None:
        nobody = LeakedRange("http://127.0.0.1:1")
        assert not Leaked(service=nobody).has("motdepasse")
        assert Leaked(LeakedFile(file), nobody).has("motdepasse")

    def test_it_is_never_asked_in_clear(self) -> None:
        with pytest.raises(ConfigurationError, match="https"):
            LeakedRange("http://passwords.example")


class TestAtTheDoor:
    @pytest.fixture
    def portal(self, make: MakePortal, file: Path) -> Portal:
        return leaky(make(leaked=Leaked(LeakedFile(file)), risk=RiskPolicy()))

    def test_a_leaked_password_asks_for_the_surest_proof(self, portal: Portal) -> None:
        owner, secret, key = with_both(portal)
        owner.password()
        answer = owner.api("POST", "totp/verify", {"code": portal.code(secret)})
        assert (answer.status_code, answer.json["code"]) == (403, "surer_proof_required")
        assert owner.prove(key).status_code == 200

    def test_one_that_is_not_leaked_does_not(self, portal: Portal) -> None:
        owner, secret, _ = with_both(portal)
        portal.passwords["anne"] = "a better one"
        owner.password()
        assert owner.api("POST", "totp/verify", {"code": portal.code(secret)}).status_code == 200

    def test_it_never_locks_anybody_out(self, portal: Portal) -> None:
        secret = portal.enrolled("anne")
        assert portal.browser().sign_in(secret).status_code == 303

    def test_its_owner_is_told_to_change_it(self, portal: Portal) -> None:
        secret = portal.enrolled("anne")
        portal.browser().sign_in(secret)
        kinds = [row[0] for row in portal.sql("SELECT kind FROM mfa_outbox WHERE shown_at IS NULL")]
        assert "leaked_password" in kinds
        assert ("leaked_password", "unknown", None) in portal.events()
        ((data,),) = portal.sql("SELECT data FROM mfa_events WHERE kind = 'first_factor' ORDER BY id DESC LIMIT 1")
        assert "leaked_password" in json.loads(data)["reasons"]

    def test_the_password_is_nowhere_in_the_store(self, portal: Portal) -> None:
        portal.browser().password()
        kept = json.dumps([list(map(str, row)) for row in portal.sql("SELECT * FROM mfa_events")])
        assert "pw-anne" not in kept
        assert sha1("pw-anne")[:16] not in kept.upper()

    @pytest.mark.parametrize("reported", ["leaked", "all"])
    def test_in_report_only_it_is_told_and_changes_nothing(self, make: MakePortal, file: Path, reported: str) -> None:
        quiet = RiskPolicy(report_only=frozenset({reported}))
        portal = leaky(make(leaked=Leaked(LeakedFile(file)), risk=quiet))
        owner, secret, _ = with_both(portal)
        owner.password()
        assert owner.api("POST", "totp/verify", {"code": portal.code(secret)}).status_code == 200

    def test_without_a_list_the_portal_is_told_what_is_missing(self, portal: Portal, make: MakePortal) -> None:
        with pytest.raises(ConfigurationError, match="leaked="):
            make().gate.has_leaked("x")


def leaky(portal: Portal) -> Portal:
    """The portal asks, wherever a password is right."""
    sign_in = portal.gate.sign_in

    def asks(account: Any) -> Any:
        return sign_in(account, leaked=portal.gate.has_leaked(portal.passwords[account.id]))

    portal.gate.sign_in = asks  # type: ignore[method-assign]
    return portal


def with_both(portal: Portal) -> tuple[Any, str, SoftwareKey]:
    """A browser that its owner has used for days, an app, and a key."""
    browser, key = portal.browser(), SoftwareKey(BASE_URL)
    browser.activate()
    begun = browser.begin_enrolment()
    browser.confirm(begun)
    browser.add_key(key)
    for _ in range(4):
        browser.step("sign-out")
        portal.clock.advance(DAY)
        browser.password()
        browser.prove(key)
    browser.step("sign-out")
    portal.clock.advance(DAY)
    return browser, begun["secret"], key
