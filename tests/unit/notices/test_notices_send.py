"""Notices leave by SMTP and webhooks: at least once, folded when there are many, and nothing is lost meanwhile."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mfa_gate import Account, ConfigurationError, Mail, Unavailable, Webhook
from mfa_gate.flows.account_lifecycle import NOTICE_RETENTION
from mfa_gate.flows.owner_notices import CLAIM_SECONDS
from tests.support.breaking import Fault, breaking, kept
from tests.support.notices import elsewhere, waiting
from tests.support.portal import Portal
from tests.support.postbox import Postbox, by_mail, dead_port, send
from tests.support.waiting import NET

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
HOUR = 3600.0
SOON = 0.6  # the time that a way gets which would otherwise never end: its end is what is waited for


@dataclass
class Receiver:
    """A real webhook receiver.

    Attributes:
        how: what it does with a call.
        calls: path, headers and body of each.
    """

    url: str = ""
    how: Callable[[BaseHTTPRequestHandler], None] = lambda handler: handler.send_response_only(204)
    calls: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.calls.append((self.path, {key.lower(): value for key, value in self.headers.items()}, body))
            kept.how(self)
            self.end_headers() if hasattr(self, "_headers_buffer") else None

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kept.url = f"http://127.0.0.1:{server.server_address[1]}/hook?of=portal"
    yield kept
    server.shutdown()
    server.server_close()


def by_hook(portal: Portal, url: str, timeout: float = NET) -> None:
    portal.app.extensions["mfa_gate"].webhook = Webhook(url, SECRET, timeout=timeout)


def body(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


@pytest.mark.abuse("A34")
@pytest.mark.abuse("A52")
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_whatever_fails_in_a_pass_each_notice_is_sent_at_least_once(portal: Portal, postbox: Postbox) -> None:
    by_mail(portal, postbox.port)
    for name in ("anne", "bob"):
        secret = portal.enrolled(name)
        portal.browser().sign_in(secret, name)
    with kept(portal) as put_back:
        with breaking(portal, Fault()) as whole:
            assert send(portal)["sent"] == 2
        for at in range(1, whole.asked + 1):
            put_back()
            postbox.mails.clear()
            with breaking(portal, Fault(at)), pytest.raises(Unavailable):
                send(portal)
            portal.clock.advance(CLAIM_SECONDS)
            send(portal)
            assert {mail["To"] for mail in postbox.mails} == {"anne@portal.example", "bob@portal.example"}, at
            assert len(postbox.mails) <= 3, at
            portal.clock.advance(-CLAIM_SECONDS)


# --- mail ------------------------------------------------------------------------------------------------------------


def test_a_mail_says_what_happened_in_the_language_of_the_account(portal: Portal, postbox: Postbox) -> None:
    by_mail(portal, postbox.port)
    elsewhere(portal, portal.enrolled())
    assert send(portal) == {"sent": 1, "later": 0, "given_up": 0}
    (mail,) = postbox.mails
    assert mail["To"] == mail["X-Rcpt"] == "anne@portal.example"
    assert mail["From"] == "portail@example.org"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Subject"] == "Sécurité de votre compte Portail"
    for text in (body(mail), body(mail, "html")):
        assert "Quelqu’un s’est connecté à votre compte" in text
        assert "Firefox · Linux" in text
        assert "https://portal.example/mfa/not-me?link=" in text


def test_an_english_account_is_written_to_in_english(portal: Portal, postbox: Postbox) -> None:
    by_mail(portal, postbox.port)
    secret = portal.enrolled("bob")
    portal.browser().sign_in(secret, "bob")
    send(portal)
    (mail,) = postbox.mails
    assert mail["Subject"] == "Security of your account at Portail"
    assert "Somebody signed in to your account" in body(mail)


@pytest.mark.abuse("A63")
def test_the_link_of_a_mail_works(portal: Portal, postbox: Postbox) -> None:
    by_mail(portal, postbox.port)
    thief = elsewhere(portal, portal.enrolled())
    send(portal)
    link = body(postbox.mails[0]).split("not-me?link=")[1].split()[0]
    assert portal.browser().post("/mfa/not-me", {"link": link}).status_code == 200
    assert thief.state == "anonymous"


def test_what_is_sent_is_not_sent_again(portal: Portal, postbox: Postbox) -> None:
    by_mail(portal, postbox.port)
    elsewhere(portal, portal.enrolled())
    assert [send(portal)["sent"] for _ in range(3)] == [1, 0, 0]


def test_what_was_sent_is_cleared_away_though_the_portal_has_no_webhook(portal: Portal, postbox: Postbox) -> None:
    by_mail(portal, postbox.port)
    portal.browser().sign_in(portal.enrolled())
    assert send(portal)["sent"] == 1
    purge = portal.app.extensions["mfa_gate"].life.purge
    assert purge()["notices"] == 0
    portal.clock.advance(NOTICE_RETENTION)
    assert purge()["notices"] == 1


def test_what_a_relay_does_not_take_is_kept_until_it_does(portal: Portal) -> None:
    portal.browser().sign_in(portal.enrolled())
    with dead_port() as port:
        by_mail(portal, port)
        assert send(portal)["later"] == 1
    portal.clock.advance(2 * NOTICE_RETENTION)
    assert portal.app.extensions["mfa_gate"].life.purge()["notices"] == 0


def test_a_failed_factor_is_mailed_after_ten_minutes_unless_it_was_a_slip(portal: Portal, postbox: Postbox) -> None:
    by_mail(portal, postbox.port)
    secret = portal.enrolled()
    owner, thief = portal.browser(), portal.browser("198.51.100.66")
    for one in (owner, thief):
        one.password()
        one.step("challenge", code="000000")
    owner.step("challenge", code=portal.code(secret))
    send(portal)
    assert len(postbox.mails) == 1  # the owner's new browser
    portal.clock.advance(600)
    send(portal)
    assert len(postbox.mails) == 2
    assert "Quelqu’un connaît votre mot de passe" in body(postbox.mails[1])
    assert not re.search(r"\d fois", body(postbox.mails[1]))


@pytest.mark.events_by_hand
@pytest.mark.abuse("A52")
def test_a_thousand_alerts_become_a_digest_and_none_is_lost(portal: Portal, postbox: Postbox) -> None:
    by_mail(portal, postbox.port)
    portal.enrolled()
    ((subject,),) = portal.sql("SELECT subject FROM mfa_accounts WHERE id = 'anne'")
    parts = portal.app.extensions["mfa_gate"]

    def flood(times: int) -> None:
        from mfa_gate.audit.record import Who

        with parts.services.store.begin() as tx:
            for number in range(times):
                parts.services.audit.record(
                    tx, "second_factor", portal.clock(), Who(subject, f"sign-in {number}"), outcome="failure",
                    amr="otp", reason="wrong_code", signing_in=True,
                )  # fmt: skip

    flood(1)
    portal.clock.advance(600)
    send(portal)
    assert len(postbox.mails) == 1
    flood(999)
    for _ in range(6):
        portal.clock.advance(600)
        send(portal)
    assert len(postbox.mails) <= 6  # of two hundred each, in the hour after
    told = sum(int(text.split(" fois")[0].split()[-1]) for text in map(body, postbox.mails[1:]))
    assert told == 999
    assert portal.sql("SELECT COUNT(*) FROM mfa_outbox WHERE mail_due IS NOT NULL") == [(0,)]


@pytest.mark.abuse("A52")
def test_the_same_is_mailed_once_an_hour_and_something_else_at_once(portal: Portal, postbox: Postbox) -> None:
    by_mail(portal, postbox.port)
    secret = portal.enrolled()
    for _ in range(3):
        elsewhere(portal, secret)
        send(portal)
    assert len(postbox.mails) == 1
    with portal.app.app_context():
        portal.gate.lock("anne", "stolen")
    send(portal)
    assert len(postbox.mails) == 2
    assert "Votre compte a été bloqué" in body(postbox.mails[1])
    assert len(waiting(portal)) == 4


@pytest.mark.abuse("A52")
def test_what_was_mailed_within_the_hour_waits_for_its_end_and_has_not_failed(portal: Portal, postbox: Postbox) -> None:
    by_mail(portal, postbox.port)
    secret = portal.enrolled()
    elsewhere(portal, secret)
    send(portal)
    mailed = portal.clock()
    elsewhere(portal, secret)
    assert send(portal) == {"sent": 0, "later": 0, "given_up": 0}
    waits = portal.sql("SELECT mail_due, mail_tries FROM mfa_outbox WHERE mail_due IS NOT NULL")
    assert waits == [(mailed + HOUR, 0)]


@pytest.mark.abuse("A52")
def test_a_dead_relay_loses_nothing(portal: Portal, postbox: Postbox) -> None:
    elsewhere(portal, portal.enrolled())
    waits = []
    with dead_port() as port:
        by_mail(portal, port)
        for _ in range(12):
            assert send(portal) == {"sent": 0, "later": 1, "given_up": 0}
            ((due,),) = portal.sql("SELECT mail_due FROM mfa_outbox")
            waits.append(due - portal.clock())
            assert send(portal)["later"] == 0  # not before its time
            portal.clock.now = due
    assert waits == [60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 6 * HOUR, 6 * HOUR, 6 * HOUR]
    by_mail(portal, postbox.port)
    assert send(portal)["sent"] == 1


@pytest.mark.parametrize("refusal", ["451 try later", "550 no such user"], ids=["for now", "for good"])
def test_a_recipient_who_is_refused(portal: Portal, postbox: Postbox, refusal: str) -> None:
    by_mail(portal, postbox.port)
    elsewhere(portal, portal.enrolled())
    postbox.recipient = refusal
    assert send(portal) == {"sent": 0, "later": int("451" in refusal), "given_up": int("550" in refusal)}
    assert waiting(portal) == ["new_device"]  # said at the next sign-in no matter what becomes of the mail
    assert (("notice_undeliverable", "failure", "recipient_refused") in portal.events()) is ("550" in refusal)


def test_a_mail_that_is_refused_as_a_whole_is_tried_again(portal: Portal, postbox: Postbox) -> None:
    by_mail(portal, postbox.port)
    elsewhere(portal, portal.enrolled())
    postbox.data = "554 looks like spam"
    assert send(portal)["later"] == 1


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "anne",
        "anne@",
        "a@b.example, c@d.example",
        "anne@b.example\r\nBcc: all@b.example",
        "a b@c.example",
        "x" * 300,
    ],
    ids=["none", "empty", "no host", "half", "two", "a header", "a space", "long"],
)
@pytest.mark.parametrize("backend", ["sqlite"])
def test_an_account_without_a_usable_address_is_told_on_the_page_alone(
    portal: Portal, postbox: Postbox, address: str | None
) -> None:
    by_mail(portal, postbox.port)
    elsewhere(portal, portal.enrolled())
    portal.people["anne"] = Account("anne", "Anne", address)
    assert send(portal)["given_up"] == 1
    assert postbox.mails == []
    assert waiting(portal) == ["new_device"]


@pytest.mark.abuse("A51")
@pytest.mark.parametrize("backend", ["sqlite"])
def test_hostile_names_are_inert_in_a_mail(portal: Portal, postbox: Postbox) -> None:
    by_mail(portal, postbox.port)
    secret = portal.enrolled()
    name = "<script>alert(1)</script>\r\nBcc: all@b.example\u202e"
    portal.people["anne"] = Account("anne", name, "anne@portal.example")
    browser = portal.browser()
    browser.client.environ_base["HTTP_USER_AGENT"] = "<b>x</b>\u202e Firefox/1".encode().decode("latin-1")
    browser.sign_in(secret)
    send(portal)
    (mail,) = postbox.mails
    assert mail["Bcc"] is None
    assert "<script>" not in body(mail, "html")
    assert "\u202e" not in body(mail) + body(mail, "html")


@pytest.mark.abuse("A27")
def test_neither_mail_nor_webhook_carries_a_secret(portal: Portal, postbox: Postbox, receiver: Receiver) -> None:
    by_mail(portal, postbox.port)
    by_hook(portal, receiver.url)
    browser = portal.browser()
    browser.activate()
    begun = browser.begin_enrolment()
    codes = browser.api(
        "POST", "totp/enrol/complete", {"enrolment": begun["enrolment"], "code": portal.code(begun["secret"])}
    ).json["recovery_codes"]
    send(portal)
    told = "".join(body(mail) + body(mail, "html") for mail in postbox.mails) + repr(receiver.calls)
    assert postbox.mails
    assert receiver.calls
    for secret in (begun["secret"], *codes, browser.gate_cookie or "", browser.token, "pw-anne", SECRET):
        assert secret not in told


def test_a_server_that_trickles_is_left_after_the_time_of_one_mail(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte by byte, so that no single wait is long."""
    elsewhere(portal, portal.enrolled())
    with Trickling() as server:

        class SinceItTalks(threading.Timer):  # a busy machine may take longer than that to connect
            def run(self) -> None:
                server.talks.wait(NET)
                super().run()

        monkeypatch.setattr(threading, "Timer", SinceItTalks)
        by_mail(portal, server.port, timeout=SOON)
        assert send(portal)["later"] == 1
        assert server.left.wait(NET), "the server had to end the conversation"


def test_a_sender_that_died_leaves_its_notices_to_the_next(portal: Portal, postbox: Postbox) -> None:
    by_mail(portal, postbox.port)
    elsewhere(portal, portal.enrolled())
    assert len(portal.app.extensions["mfa_gate"].notices.claim("mail")) == 1
    assert send(portal)["sent"] == 0
    portal.clock.advance(600)
    assert send(portal)["sent"] == 1


def test_two_senders_at_once_do_not_send_the_same(portal: Portal) -> None:
    parts = portal.app.extensions["mfa_gate"]
    elsewhere(portal, portal.enrolled())
    taken: list[int] = []
    threads = [threading.Thread(target=lambda: taken.append(len(parts.notices.claim("mail")))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [0] * 7 + [1]


# --- webhooks --------------------------------------------------------------------------------------------------------


def test_a_webhook_gets_signed_json(portal: Portal, receiver: Receiver) -> None:
    by_hook(portal, receiver.url)
    elsewhere(portal, portal.enrolled())
    assert send(portal)["sent"] == 1
    ((path, headers, sent),) = receiver.calls
    assert path == "/hook?of=portal"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + sent
    right = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{right}"
    document = json.loads(sent)
    assert document["account"] == "anne"
    (notice,) = document["notices"]
    assert notice["type"] == "mfa_gate.new_device"
    assert notice["data"]["browser"] == "Firefox · Linux"


def hang(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.recv(1)  # until the caller hangs up


def lie(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 maybe\r\nContent-Length: -7\r\n: :\r\n" + b"x" * 100_000)


def close(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def redirect(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response_only(307)
    handler.send_header("Location", "http://127.0.0.1:9/elsewhere")


def fail(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response_only(500)


def garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x00\xff" * 1000)
    handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("how", [hang, lie, close, redirect, fail, garbage])
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_webhook_that_misbehaves_is_called_again_later(portal: Portal, receiver: Receiver, how: Any) -> None:
    by_hook(portal, receiver.url, timeout=SOON if how is hang else NET)
    elsewhere(portal, portal.enrolled())
    receiver.how = how
    assert send(portal)["later"] == 1
    receiver.how = lambda handler: handler.send_response_only(204)
    by_hook(portal, receiver.url)
    portal.clock.advance(60)
    assert send(portal)["sent"] == 1
    ids = {headers["webhook-id"] for _, headers, _ in receiver.calls}
    assert len(ids) == 1  # the same at each try, so that the receiver can tell


def test_a_webhook_that_is_down_does_not_hold_up_the_mail(portal: Portal, postbox: Postbox) -> None:
    by_mail(portal, postbox.port)
    elsewhere(portal, portal.enrolled())
    with dead_port() as port:
        by_hook(portal, f"http://127.0.0.1:{port}/")
        assert send(portal) == {"sent": 1, "later": 1, "given_up": 0}


# --- what is refused at start ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: Mail("smtp.example.org", "portail@example.org", security="none"),
        lambda: Mail("smtp.example.org", "not an address"),
        lambda: Mail("", "portail@example.org"),
        lambda: Mail("smtp.example.org", "portail@example.org", timeout=0),
        lambda: Mail("smtp.example.org", "portail@example.org", security="ssl"),  # type: ignore[arg-type]
        lambda: Webhook("http://example.org/", SECRET),
        lambda: Webhook("https://user:password@example.org/", SECRET),
        lambda: Webhook("ftp://example.org/", SECRET),
        lambda: Webhook("https://example.org/", "whsec_short"),
        lambda: Webhook("https://example.org/", "whsec_*"),
    ],
)
def test_a_way_that_cannot_be_right_stops_the_start(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigurationError):
        make()


def test_neither_password_nor_secret_is_in_a_representation() -> None:
    mail = Mail("smtp.example.org", "portail@example.org", user="u", password="canary-password")
    assert "canary" not in repr(mail)
    assert SECRET not in repr(Webhook("https://example.org/", SECRET))


def test_the_command_sends_one_pass(portal: Portal, postbox: Postbox) -> None:
    runner = portal.app.test_cli_runner()
    assert "there is no way to send" in runner.invoke(args=["mfa", "notices", "send"]).output
    by_mail(portal, postbox.port)
    elsewhere(portal, portal.enrolled())
    done = runner.invoke(args=["mfa", "notices", "send", "--json"])
    assert json.loads(done.output) == {"sent": 1, "later": 0, "given_up": 0}


class Trickling:
    """A server that says one byte every tenth of a second, for as long as nobody leaves.

    Attributes:
        talks: the other side is being talked to.
        left: the other side has ended the conversation.
    """

    def __enter__(self) -> Trickling:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self.talks, self.left = threading.Event(), threading.Event()
        self._over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def _serve(self) -> None:
        talk, _ = self._server.accept()
        with talk:
            try:
                for _ in range(int(NET * 10)):
                    talk.sendall(b"2")
                    self.talks.set()
                    if self._over.wait(0.1):  # only the pace: nothing is to happen meanwhile
                        return
            except OSError:
                self.left.set()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.close()
