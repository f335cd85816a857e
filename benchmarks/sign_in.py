"""What completing a sign-in by TOTP adds over a bare POST. Every call uses up a pending session of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from werkzeug.datastructures import Headers as SentHeaders
from werkzeug.test import EnvironBuilder

from mfa_gate.flows import ClientContext
from mfa_gate.testing import Clock, enrol_totp, totp_code

from .floor import Floor
from .measure import Environ, Headers, Variant
from .portal import ACCOUNTS, BASE_URL, PAGE, account_id, bare, gated, people, post

BETWEEN: Final = 3600.0  # seconds that the clock moves on between two sign-ins of one account


def variants(folder: Path) -> list[Variant]:
    """The bare POST, the floor, the gate's JSON step and its page, at accounts with one authenticator each.

    Args:
        folder: for the databases.
    """
    made = least(folder)
    for name, page in (("gate", False), ("gate, page", True)):
        (own := folder / name.replace(", ", "-")).mkdir()
        pending = _Pending(own)
        made.append(Variant(name, pending.app, pending.pages if page else pending.programs, _opened))
    return made


def least(folder: Path) -> list[Variant]:
    """The bare POST and the floor.

    Args:
        folder: for the database.
    """
    return [Variant("bare", bare("bare"), _bare, _opened), floor(folder)]


def _opened(_status: str, headers: Headers) -> bool:
    """Whether the portal's own session was opened, which happens after the last proof alone."""
    return any(name == "Set-Cookie" and value.startswith("session=") for name, value in headers)


def _bare(calls: int) -> Sequence[Environ]:
    return [post("/sign-in", {"code": "123456"}, _address(number)) for number in range(calls)]


def floor(folder: Path) -> Variant:
    """What a sign-in by TOTP takes at least."""
    clock = Clock()
    least = Floor(folder, clock)
    secrets = [least.enrol(account_id(number)) for number in range(ACCOUNTS)]

    def environs(calls: int) -> Sequence[Environ]:
        made = []
        for number in _accounts(clock, calls):
            cookie = least.open_session(account_id(number), level=1)
            body = {"code": totp_code(secrets[number], clock())}
            made.append(post("/sign-in", body, _address(number), cookie))
        return made

    return Variant("floor", least.signing_in(), environs, _opened)


class _Pending:
    """People of a gated portal who have given their password."""

    def __init__(self, folder: Path) -> None:
        self._clock = Clock()
        self.app, _ = gated(folder, self._clock)
        self._parts = self.app.extensions["mfa_gate"]
        self._people = list(people().values())
        self._secrets = [enrol_totp(self.app, account) for account in self._people]

    def programs(self, calls: int) -> Sequence[Environ]:
        made = []
        for cookie, csrf, code, address in self._begun(calls):
            headers = {"X-MFA-CSRF": csrf}
            made.append(post("/mfa/api/v1/totp/verify", {"code": code}, address, cookie, headers=headers))
        return made

    def pages(self, calls: int) -> Sequence[Environ]:
        made = []
        for cookie, csrf, code, address in self._begun(calls):
            form = {"csrf_token": csrf, "code": code}
            headers = SentHeaders({**PAGE, "Cookie": cookie})
            built = EnvironBuilder("/mfa/challenge", base_url=BASE_URL, method="POST", data=form, headers=headers)
            made.append({**built.get_environ(), "REMOTE_ADDR": address})
        return made

    def _begun(self, calls: int) -> Iterator[tuple[str, str, str, str]]:
        """Cookie, CSRF token, code and address of so many people."""
        parts = self._parts
        for number in _accounts(self._clock, calls):
            address = _address(number)
            elevated = parts.sign_in.begin(self._people[number], ClientContext(None, address))
            csrf = parts.keyring.hash("csrf", elevated.session.sign_in)
            code = totp_code(self._secrets[number], self._clock())
            yield f"{parts.settings.cookie_name}={elevated.cookie}", csrf, code, address


def _accounts(clock: Clock, calls: int) -> range:
    if calls > ACCOUNTS:
        raise ValueError(f"there are {ACCOUNTS} accounts, and each signs in once in a round")
    clock.advance(BETWEEN)
    return range(calls)


def _address(number: int) -> str:
    return f"198.51.100.{number % 256}"
