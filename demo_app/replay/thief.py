"""What robots do: HTTP, cookies, and a list of numbers."""

from __future__ import annotations

import http.client
import json
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from .world import FIREFOX, PASSWORD, Victim

BOT = "python-requests/2.27.1"


class Thief:
    """One connection with one jar of cookies, from one address.

    Args:
        port: of the portal, on this machine.
        address: where it comes from, on loopback.
        agent: what it says it is.
    """

    def __init__(self, port: int, address: str, agent: str = BOT) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(address, 0))
        self._agent = agent
        self.cookies: dict[str, str] = {}
        self.last = 0
        self.code: str | None = None

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> bytes:
        sent = {
            "Host": "localhost:5000",
            "Origin": "http://localhost:5000",
            "Accept": "application/json",
            "User-Agent": self._agent,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        self._connection.request(method, path, body or None, sent)
        answer = self._connection.getresponse()
        read = answer.read()
        for header in answer.headers.get_all("Set-Cookie") or ():
            for name, morsel in SimpleCookie(header).items():
                self.cookies[name] = morsel.value
        self.last = answer.status
        return read

    def password(self, victim: Victim) -> int:
        form = urlencode({"email": victim.email, "password": PASSWORD})
        self.ask("POST", "/login", form, Content_Type="application/x-www-form-urlencoded")
        return self.last

    def proves(self, code: str) -> bool:
        """Prove the second factor by a code of the owner's app."""
        token = json.loads(self.ask("GET", "/mfa/api/v1/session"))["csrf_token"] or ""
        body = json.dumps({"code": code})
        self.ask("POST", "/mfa/api/v1/totp/verify", body, Content_Type="application/json", X_MFA_CSRF=token)
        return self.last == http.HTTPStatus.OK

    def reads(self, number: str) -> bool:
        """Whether a record was shown; otherwise `code` says why not."""
        answer = self.ask("GET", f"/patients/{number}")
        shown = self.last == http.HTTPStatus.OK
        self.code = None if shown or not answer.startswith(b"{") else json.loads(answer).get("code")
        return shown

    def close(self) -> None:
        self._connection.close()


def owners(port: int, victim: Victim) -> Thief:
    """Whoever sits where the owner does, in the owner's browser."""
    return Thief(port, victim.address, FIREFOX)
