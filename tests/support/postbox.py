"""A real SMTP server on this machine, and one pass of sending."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from mfa_gate import Mail
from mfa_gate.cli.notices import one_pass
from tests.support.portal import Portal
from tests.support.waiting import NET


@dataclass
class Postbox:
    """A real SMTP server on this machine.

    Attributes:
        utf8: whether it takes addresses that are not ASCII (RFC 6531).
        recipient, data: what it says to a recipient and to a mail.
        mails: what it has taken.
    """

    port: int = 0
    utf8: bool = True
    recipient: str = "250 OK"
    data: str = "250 OK"
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_RCPT(self, _s: SMTP, _session: Session, envelope: Envelope, address: str, _o: Any) -> str:
        if self.recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(self, _s: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.data.startswith("250"):
            content = envelope.content or b""
            assert isinstance(content, bytes)
            mail = email.message_from_bytes(content, policy=email.policy.default)
            assert isinstance(mail, EmailMessage)
            mail["X-Rcpt"] = ",".join(envelope.rcpt_tos)
            self.mails.append(mail)
        return self.data


class _Listening(Controller):
    """Serves a socket that listens already, so that nobody else can take its port."""

    def __init__(self, box: Postbox, listens: socket.socket) -> None:
        super().__init__(box, ready_timeout=NET, enable_SMTPUTF8=box.utf8)
        self._listens = listens

    def _create_server(self) -> Awaitable[asyncio.AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._listens)

    def _trigger_server(self) -> None:
        with socket.create_connection(self._listens.getsockname(), NET) as line:
            line.recv(1024)


@contextmanager
def open_postbox(utf8: bool = True) -> Iterator[Postbox]:
    listens = socket.create_server(("127.0.0.1", 0))
    box = Postbox(listens.getsockname()[1], utf8)
    controller = _Listening(box, listens)
    controller.start()
    yield box
    controller.stop()


@contextmanager
def dead_port() -> Iterator[int]:
    """A port that refuses each call: it is taken, so that nobody else can listen there, and does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


def by_mail(portal: Portal, port: int, timeout: float = NET) -> None:
    portal.app.extensions["mfa_gate"].mail = Mail(
        "127.0.0.1", "portail@example.org", port=port, security="none", timeout=timeout
    )


def send(portal: Portal) -> dict[str, int]:
    with portal.app.test_request_context():
        return dict(one_pass(portal.app.extensions["mfa_gate"]))
