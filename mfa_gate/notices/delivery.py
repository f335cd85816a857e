"""Sending: SMTP and signed webhooks, each within a fixed time however slowly the other side talks."""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol
from urllib.parse import urlsplit

from ..exc import ConfigurationError, MFAGateError
from ..keyring import message_signature
from .addresses import mailable

if TYPE_CHECKING:  # who only imports the gate need not wait for what sends
    from email.message import EmailMessage
    from http.client import HTTPConnection
    from smtplib import SMTP

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
PREFIX: Final = "whsec_"


class NotNow(MFAGateError):
    """It could not be sent now, and may be later.

    Attributes:
        alone: only this recipient is the reason; others may be tried at once.
    """

    def __init__(self, text: str, *, alone: bool = False) -> None:
        self.alone = alone
        super().__init__(text)


class Undeliverable(MFAGateError):
    """The other side will never take it. The text is a word for the event."""


@dataclass(frozen=True, slots=True)
class Mail:
    """The SMTP server that notices go through (RFC 5321, RFC 3207, RFC 8314).

    Args:
        host, port: of the server.
        sender: the address that mails come from.
        user, password: where the server asks for them.
        security: `"starttls"`, `"tls"` from the first byte, or `"none"`, which is for this very machine alone.
        timeout: seconds for one mail as a whole.

    Raises:
        ConfigurationError: one of them cannot be right.
    """

    host: str
    sender: str
    port: int = 587
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    security: Literal["starttls", "tls", "none"] = "starttls"
    timeout: float = 20.0

    def __post_init__(self) -> None:
        if self.security not in ("starttls", "tls", "none"):
            raise ConfigurationError("Mail(security=...) is 'starttls', 'tls' or 'none'")
        if self.security == "none" and self.host not in LOOPBACK:
            raise ConfigurationError("Mail(security='none') is for a server on this machine: write 'starttls' or 'tls'")
        sender = mailable(self.sender)
        if not self.host or sender is None or not sender.isascii() or not 0 < self.timeout <= 300:
            raise ConfigurationError(
                "Mail needs a host, a sender such as 'portal@example.org', and a timeout up to 300"
            )
        object.__setattr__(self, "sender", sender)

    def send(self, message: EmailMessage) -> None:
        """Hand one mail over.

        Raises:
            NotNow: the server cannot be reached, or does not take it now.
            Undeliverable: it will not take this recipient, or has no way to write the address (RFC 6531).
        """
        import smtplib

        to = _recipient(message)
        try:
            with self._connected() as server:
                try:
                    server.send_message(message, self.sender, [to])
                except smtplib.SMTPNotSupportedError:
                    raise Undeliverable("recipient_refused") from None
        except smtplib.SMTPRecipientsRefused as refused:
            if all(500 <= code < 600 for code, _ in refused.recipients.values()):
                raise Undeliverable("recipient_refused") from None
            raise NotNow("the server does not take this recipient now", alone=True) from None
        except smtplib.SMTPDataError:
            raise NotNow("the server does not take this mail now", alone=True) from None
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise NotNow(f"the mail server: {type(error).__name__}") from None

    @contextmanager
    def _connected(self) -> Iterator[SMTP]:
        import smtplib
        import ssl

        context = ssl.create_default_context()
        server: SMTP = (
            smtplib.SMTP_SSL(timeout=self.timeout, context=context)
            if self.security == "tls"
            else smtplib.SMTP(timeout=self.timeout)
        )
        with _deadline(self.timeout, lambda: _cut(server)):
            try:
                # the certificate is held against this name
                server._host = self.host  # type: ignore[attr-defined]
                server.connect(self.host, self.port)
                if self.security == "starttls":
                    server.starttls(context=context)
                if self.user is not None:
                    server.login(self.user, self.password or "")
                yield server
                with suppress(OSError, smtplib.SMTPException):  # the mail is over there already
                    server.quit()
            finally:
                server.close()


def _recipient(message: EmailMessage) -> str:
    """The one address of a mail, as it stands in its header.

    Raises:
        Undeliverable: the header reads as something else than one address.
    """
    to = str(message["To"])
    if [address.addr_spec for address in message["To"].addresses] != [to]:
        raise Undeliverable("no_address")
    return to


@dataclass(frozen=True, slots=True)
class Webhook:
    """A URL that gets notices as JSON, signed as Standard Webhooks 1.0 says.

    Args:
        url: https, or http on this very machine.
        secret: `whsec_` and at least 24 random bytes in base64.
        timeout: seconds for one call as a whole.

    Raises:
        ConfigurationError: one of them cannot be right.
    """

    url: str
    secret: str = field(repr=False)
    timeout: float = 10.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        local = parts.scheme == "http" and parts.hostname in LOOPBACK
        if not (parts.scheme == "https" or local) or not parts.hostname or "@" in parts.netloc:
            raise ConfigurationError("Webhook(url=...) must be https, without a user in it")
        if len(self._key) < 24:
            raise ConfigurationError("Webhook(secret=...) is 'whsec_' and at least 24 random bytes in base64")

    @property
    def _key(self) -> bytes:
        try:
            return base64.b64decode(self.secret.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            return b""

    def send(self, message_id: str, at: int, body: bytes) -> None:
        """Make one call. No redirect is followed and the body of the answer is not read.

        Args:
            message_id: the same at each try.
            at: seconds since the epoch.
            body: JSON.

        Raises:
            NotNow: it was not answered with 2xx in time.
        """
        import http.client

        headers = {
            "Content-Type": "application/json",
            "User-Agent": "mfa-gate",
            "Connection": "close",
            "webhook-id": message_id,
            "webhook-timestamp": str(at),
            "webhook-signature": "v1," + message_signature(self._key, f"{message_id}.{at}.".encode() + body),
        }
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=self.timeout)
        try:
            with _deadline(self.timeout, lambda: _cut(connection)):
                connection.request("POST", parts._replace(scheme="", netloc="").geturl() or "/", body, headers)
                status = connection.getresponse().status
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NotNow(f"the webhook: {type(error).__name__}") from None
        finally:
            connection.close()
        if not 200 <= status < 300:
            raise NotNow(f"the webhook answered {status}")


class _Closes(Protocol):
    def __call__(self) -> Any: ...


@contextmanager
def _deadline(seconds: float, cut: _Closes) -> Iterator[None]:
    """End a conversation after so long: a socket's own timeout begins anew with each byte that trickles in."""
    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(connection: HTTPConnection | SMTP) -> None:
    sock = connection.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(2)
