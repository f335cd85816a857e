"""For the tests of the help desk: its people with their keys, its pages, and what they do there."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

from mfa_gate import Account, DeskPolicy, Role
from mfa_gate.risk import RiskPolicy
from mfa_gate.store import desk_staff
from mfa_gate.testing import SoftwareKey
from tests.support.passkeys import UNLIMITED, sign_in
from tests.support.portal import REPORTED, Browser, Portal

STAFF = {"sue": Role.SUPERVISOR, "sam": Role.SUPERVISOR, "abe": Role.AGENT, "ray": Role.READER}
WHY = "The owner rang and gave the number of the letter"


@dataclass
class Desk:
    """A portal with a help desk.

    Attributes:
        keys: account -> security key.
        letters: the folder that letters are written to.
    """

    portal: Portal
    keys: dict[str, SoftwareKey]
    letters: Path

    def at(self, account: str) -> Browser:
        """A browser in which somebody of the desk has just signed in by key."""
        browser = self.portal.browser()
        answer = sign_in(browser, self.keys[account], account)
        assert answer.status_code == 200, answer.text
        return browser

    def subject(self, account: str) -> str:
        return str(self.portal.sql("SELECT subject FROM mfa_accounts WHERE id = :id", id=account)[0][0])

    def page(self, browser: Browser, account: str) -> TestResponse:
        return browser.get(f"/mfa/desk/accounts/{self.subject(account)}")

    def act(self, browser: Browser, action: str, account: str = "anne", reason: str = WHY, **more: str) -> TestResponse:
        """Press a button on the page of an account."""
        return browser.step(f"desk/accounts/{self.subject(account)}", action=action, reason=reason, **more)

    def request(self) -> str:
        """The id of the one request that is there."""
        return str(self.portal.sql("SELECT id FROM mfa_desk_requests")[0][0])

    def asked(self) -> str:
        """Abe has asked for a code of anne's to be spoken."""
        assert self.act(self.at("abe"), "ask").status_code == 303
        return self.request()

    def rows(self, table: str, account: str = "anne") -> int:
        statement = f"SELECT count(*) FROM {table} WHERE account_id = :account"  # noqa: S608
        return int(self.portal.sql(statement, account=account)[0][0])


def open_desk(
    make: Callable[..., Portal], folder: Path, *, risk: RiskPolicy = REPORTED, netinfo: Any = None, **more: Any
) -> Desk:
    """A portal whose desk has two supervisors, an agent and a reader, and anne and bob, who have an app each."""
    letters = folder / "letters"
    policy = {"permission": lambda account: account.group == "desk", "letters": letters, "spoken": True, **more}
    config = {"limits": UNLIMITED, "risk": risk, "netinfo": netinfo, "MFA_GATE_METHODS": ["webauthn", "totp"]}
    portal = make(desk=DeskPolicy(**policy), **config)
    keys = {}
    for name, role in STAFF.items():
        portal.people[name] = Account(name, f"{name.title()} of the desk", group="desk", locale="en")
        portal.passwords[name] = f"pw-{name}"
        keys[name] = portal.key(name)
        with portal.app.extensions["mfa_gate"].services.store.begin() as tx:
            desk_staff.grant(tx, name, role, None, portal.clock())
    portal.enrolled("anne")
    portal.mark_notices_shown()
    return Desk(portal, keys, letters)


def code_in(text: str) -> str:
    """The code that a page or a letter shows."""
    found = re.findall(r'<span class="mfa-group">(\w{4})</span>', text)
    return "-".join(found)
