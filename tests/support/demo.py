"""The demo portal as a program of its own, and a plain HTTP client for it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from html import unescape
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from mfa_gate.testing import totp_code
from tests.support.waiting import NET

ROOT = Path(__file__).parent.parent.parent
HTML = "text/html,application/xhtml+xml"


def lasting_code(secret: str) -> str:
    """The code of the next half minute, for a portal that goes by the real clock: it is taken for a minute from now."""
    return totp_code(secret, time.time() + 30)


class Demo:
    """`python -m demo_app` in a folder of its own, on any free port.

    Args:
        folder: where it keeps its databases and keys, and writes the accounts.
        records: how many persons it invents.
    """

    def __init__(self, folder: Path, records: int = 300) -> None:
        self.instance = folder / "instance"
        self.accounts_file = folder / "accounts.json"
        command = [sys.executable, "-m", "demo_app", "--port", "0", "--records", str(records)]
        command += ["--instance", str(self.instance), "--accounts-json", str(self.accounts_file)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
        )
        self.told = self._until_ready()
        found = re.search(r"http://localhost:\d+", self.told)
        assert found is not None, self.told
        self.url = found.group(0)
        assert Http(self.url).get("/health").status == 200  # it has announced itself, and now it serves

    def _until_ready(self) -> str:
        told = ""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told += line
            if "Ctrl-C" in line:
                return told
        raise AssertionError(f"the demo did not start:\n{told}")

    @property
    def accounts(self) -> list[dict[str, Any]]:
        read: list[dict[str, Any]] = json.loads(self.accounts_file.read_text(encoding="utf-8"))
        return read

    @property
    def new(self) -> list[dict[str, Any]]:
        """Who still holds an activation code."""
        return [account for account in self.accounts if account["activation_code"]]

    @property
    def enrolled(self) -> dict[str, Any]:
        return next(account for account in self.accounts if "totp_secret" in account)

    def stop(self) -> tuple[int, str]:
        """Interrupt it as Ctrl-C does; its exit status and what it said last."""
        self._process.terminate()
        said, _ = self._process.communicate(timeout=NET)
        return self._process.returncode, said


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Any
    text: str

    @property
    def location(self) -> str | None:
        found: str | None = self.headers.get("Location")
        return found

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    def hidden(self, name: str) -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        assert found is not None, f"no field {name} in\n{self.text[:500]}"
        return unescape(found.group(1))


class Http:
    """A browser without pages: cookies, and no redirect followed."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.jar = CookieJar()
        self._opener = urllib.request.build_opener(_Stay, urllib.request.HTTPCookieProcessor(self.jar))

    def open(self, method: str, path: str, data: bytes | None = None, **headers: str) -> Answer:
        sent = {"Accept": HTML, **{name.replace("_", "-"): value for name, value in headers.items()}}
        asked = urllib.request.Request(self.url + path, data, sent, method=method)  # noqa: S310  (loopback)
        try:
            with self._opener.open(asked, timeout=NET) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode())
        except urllib.error.HTTPError as answer:
            return Answer(answer.code, answer.headers, answer.read().decode())

    def get(self, path: str, **headers: str) -> Answer:
        return self.open("GET", path.removeprefix(self.url), **headers)

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        sent = {"Origin": self.url, "Content_Type": "application/x-www-form-urlencoded", **headers}
        return self.open("POST", path.removeprefix(self.url), urlencode(fields).encode(), **sent)

    def step(self, step: str, **fields: str) -> Answer:
        """Send the form of one of the gate's pages."""
        token = self.get("/mfa/api/v1/session", Accept="application/json").json["csrf_token"]
        return self.post(f"/mfa/{step}", {"csrf_token": token or "", **fields})

    def password(self, account: dict[str, Any]) -> Answer:
        return self.post("/login", {"email": account["email"], "password": account["password"]})
