"""For the tests of races: a crowd, who of it has won, and rights that are taken away in the middle of a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.portal import Browser, Portal
from tests.support.workers import Answer, Workers

CROWD = 20
StartWorkers = Callable[..., Workers]  # the fixture `start_workers`


def client_at_login(portal: Portal, account: str, number: int) -> Browser:
    """A browser of its own address, with the right password typed."""
    browser = portal.browser(f"198.51.100.{number}")
    browser.password(account)
    return browser


def crowd(portal: Portal, account: str = "anne", number: int = CROWD) -> list[Browser]:
    return [client_at_login(portal, account, place) for place in range(1, number + 1)]


def won(answers: list[Answer]) -> list[Answer]:
    failures = [(answer.status, answer.body) for answer in answers if answer.status >= 500]
    assert not failures, failures
    return [answer for answer in answers if answer.status == 200]


# --- rights that are taken away --------------------------------------------------------------------------------------


def lock(portal: Portal) -> None:
    with portal.app.app_context():
        portal.gate.lock("anne", "lost phone")


def unlock(portal: Portal) -> None:
    with portal.app.app_context():
        portal.gate.unlock("anne", "found")


def forget(portal: Portal) -> None:
    with portal.app.app_context():
        portal.gate.forget("anne")


def end_sessions(portal: Portal) -> None:
    with portal.app.app_context():
        portal.gate.end_sessions("anne")


def reset(portal: Portal) -> None:
    portal.app.extensions["mfa_gate"].life.reset("anne", "lost phone")


def remove_authenticators(portal: Portal) -> None:
    portal.sql("DELETE FROM mfa_authenticators WHERE account_id = 'anne'")


def issue_anew(portal: Portal) -> None:
    portal.activation_code()


def in_the_middle(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, happens: Callable[[Portal], None], portal: Portal
) -> None:
    """Let something happen right after an answer has been found right, before the session is elevated by it."""
    really = getattr(module, name)

    def check(*args: Any, **kwargs: Any) -> Any:
        found = really(*args, **kwargs)
        happens(portal)
        return found

    monkeypatch.setattr(module, name, check)
