"""A change that is under way when its session ends: by the owner, by a lock, by the removal of its key (A61, P7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mfa_gate.factors import recovery as factor
from mfa_gate.web import inputs
from tests.support.owners import (
    CHANGES,
    REMOVE,
    RENEW,
    Change,
    by_key,
    enrol,
    everything,
    id_of,
    id_of_key,
    named,
    with_codes,
)
from tests.support.portal import Browser, Portal

Ending = Callable[[Portal], object]


def ended(portal: Portal) -> None:
    with portal.app.app_context():
        assert portal.gate.end_sessions("anne") > 0


def locked(portal: Portal) -> None:
    with portal.app.app_context():
        portal.gate.lock("anne", "stolen")


ENDINGS = pytest.mark.parametrize("ending", [ended, locked])


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen once, when the next request has been read and before its change begins."""
    real, once = inputs.read, iter([happens])

    def read(*args: Any, **kwargs: Any) -> Any:
        fields = real(*args, **kwargs)
        for event in once:
            event()
        return fields

    monkeypatch.setattr(inputs, "read", read)


def out(change: Change, browser: Browser, id_: str) -> bool:
    """Whether a change was refused; what it answers is a page or a problem."""
    answer = change.send(browser, id_)
    if change.page and answer.status_code == 303:
        return not answer.location.endswith("/mfa/authenticators")
    return answer.status_code in (401, 403)


@pytest.mark.abuse("A61")
@ENDINGS
@pytest.mark.parametrize("change", CHANGES, ids=named)
def test_a_session_that_ends_meanwhile_changes_nothing(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, change: Change, ending: Ending
) -> None:
    _, key = enrol(portal, "app", "key")
    with_codes(portal)
    browser = by_key(portal, key)
    before, id_ = everything(portal), id_of(portal, "otp")
    meanwhile(monkeypatch, lambda: ending(portal))
    assert out(change, browser, id_)
    assert everything(portal) == before


@pytest.mark.abuse("A61")
def test_a_thief_whose_key_is_removed_meanwhile_does_not_remove_the_owners(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, stolen, kept = enrol(portal, "app", "key", "key")
    thief, owner = by_key(portal, stolen), by_key(portal, kept)
    ids = id_of_key(portal, stolen), id_of_key(portal, kept)
    meanwhile(monkeypatch, lambda: owner.api("DELETE", f"authenticators/{ids[0]}"))
    assert out(REMOVE, thief, ids[1])
    assert owner.state == "signed_in"
    assert ids[1] in str(everything(portal))


@pytest.mark.abuse("A61")
@ENDINGS
def test_recovery_codes_that_are_being_drawn_go_to_no_session_that_has_ended(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, ending: Ending
) -> None:
    """Drawing takes a second, in which the owner may press "end all other sessions"."""
    (key,) = enrol(portal, "key")
    with_codes(portal)
    browser, before, real = by_key(portal, key), everything(portal), factor.begin

    def drawn() -> factor.Codes:
        ending(portal)
        return real()

    monkeypatch.setattr(factor, "begin", drawn)
    assert out(RENEW, browser, "")
    assert everything(portal) == before


@pytest.mark.abuse("A61")
@pytest.mark.parametrize("path", ["sessions", "sessions/{id}"])
def test_a_session_that_ends_meanwhile_ends_no_other(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The thief who is thrown out does not throw the owner out."""
    (key,) = enrol(portal, "key")
    thief, owner = by_key(portal, key), by_key(portal, key)
    rows = {row["this"]: row["id"] for row in owner.api("GET", "sessions").json["sessions"]}
    meanwhile(monkeypatch, lambda: owner.api("DELETE", f"sessions/{rows[False]}"))
    assert thief.api("DELETE", path.format(id=rows[True])).status_code == 401
    assert (thief.state, owner.state) == ("anonymous", "signed_in")
