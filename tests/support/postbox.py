"""A real SMTP server on this machine, and one pass of sending."""

from __future__ import annotations

import email
import email.policy
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from mfa_gate import Mail
from mfa_gate.cli.notices import one_pass
from tests.support.portal import Portal


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


@contextmanager
def open_postbox(utf8: bool = True) -> Iterator[Postbox]:
    box = Postbox(free_port(), utf8)
    controller = Controller(box, hostname="127.0.0.1", port=box.port, enable_SMTPUTF8=utf8)
    controller.start()
    yield box
    controller.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def by_mail(portal: Portal, port: int, timeout: float = 5.0) -> None:
    portal.app.extensions["mfa_gate"].mail = Mail(
        "127.0.0.1", "portail@example.org", port=port, security="none", timeout=timeout
    )


def send(portal: Portal) -> dict[str, int]:
    with portal.app.test_request_context():
        return dict(one_pass(portal.app.extensions["mfa_gate"]))
