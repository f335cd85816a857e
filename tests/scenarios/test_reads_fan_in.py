"""Several accounts that read from one network which is new to all of them: the pattern of the incident."""

from __future__ import annotations

import pytest

from mfa_gate.durations import DAY
from mfa_gate.harvest import HarvestPolicy
from tests.support.portal import Browser, MakePortal, Portal
from tests.support.readers import open_records, opens, works

POLICY = HarvestPolicy(crowd=2, together=30)


@pytest.fixture
def portal(make: MakePortal) -> Portal:
    return open_records(make, harvest=POLICY)


def strangers(portal: Portal, *addresses: str) -> list[tuple[Browser, str]]:
    """Anne and Bob, signed in from there, where neither was before."""
    there = []
    secrets = {name: portal.enrolled(name) for name in ("anne", "bob")}
    portal.clock.advance(DAY)
    for (name, secret), address in zip(secrets.items(), addresses, strict=True):
        browser = portal.browser(address)
        assert browser.sign_in(secret, name).status_code == 303
        there.append((browser, secret))
    portal.sql("UPDATE mfa_sessions SET risk = 'raised'")
    return there


def proves(browser: Browser, secret: str) -> None:
    browser.portal.clock.advance(30)
    assert browser.api("POST", "totp/verify", {"code": browser.portal.code(secret)}).status_code == 200
    browser.portal.sql("UPDATE mfa_sessions SET risk = 'raised'")


@pytest.mark.abuse("A54")
def test_each_of_them_proves_to_be_there_once_they_are_a_crowd(portal: Portal) -> None:
    (anne, app_of_anne), (bob, app_of_bob) = strangers(portal, "203.0.113.7", "203.0.113.99")
    assert opens(anne, 1).status_code == 200
    for browser, secret in ((bob, app_of_bob), (anne, app_of_anne)):
        asked = opens(browser, 2)
        assert (asked.status_code, asked.json["code"]) == (401, "step_up_required")
        proves(browser, secret)
        assert opens(browser, 2).status_code == 200


@pytest.mark.abuse("A54")
def test_they_read_so_many_records_together_and_no_more(portal: Portal) -> None:
    there = strangers(portal, "203.0.113.7", "203.0.113.99")
    shown = 0
    for number, (browser, secret) in enumerate(there * 3):
        proves(browser, secret)
        shown += works(browser, number * 100, 15)
        if browser.state == "anonymous":
            break
    assert shown <= POLICY.together
    assert any(kind == "reads_stopped" for kind, *_ in portal.events("anne") + portal.events("bob"))


def test_in_two_networks_they_are_no_crowd(portal: Portal) -> None:
    for browser, _ in strangers(portal, "203.0.113.7", "198.51.100.7"):
        assert works(browser, 0, 20) == 20


def test_where_the_network_is_known_to_them_they_are_colleagues(portal: Portal) -> None:
    there = strangers(portal, "203.0.113.7", "203.0.113.99")
    portal.sql("UPDATE mfa_sessions SET risk = 'usual'")
    for number, (browser, _) in enumerate(there):
        assert works(browser, number * 100, 40) == 40


def test_on_the_next_day_nobody_has_read_there_yet(portal: Portal) -> None:
    there = strangers(portal, "203.0.113.7", "203.0.113.99")
    for browser, _ in there:
        opens(browser, 1)
    portal.clock.advance(DAY - portal.clock() % DAY + 8 * 3600)
    browser = portal.browser("203.0.113.7")
    browser.sign_in(there[0][1])
    portal.sql("UPDATE mfa_sessions SET risk = 'raised'")
    assert opens(browser, 1).status_code == 200


def test_what_a_network_has_read_is_cleared_away_after_its_day(portal: Portal) -> None:
    ((browser, _), _) = strangers(portal, "203.0.113.7", "203.0.113.99")
    opens(browser, 1)
    runner = portal.app.test_cli_runner()
    for days, kept in ((0, 1), (1, 0)):
        portal.clock.advance(days * DAY)
        assert runner.invoke(args=["mfa", "purge"]).exit_code == 0
        assert len(portal.sql("SELECT * FROM mfa_crowds")) == kept


def test_nothing_in_the_store_names_the_network(portal: Portal) -> None:
    ((browser, _), _) = strangers(portal, "203.0.113.7", "203.0.113.99")
    opens(browser, 1)
    assert "203.0.113" not in repr(portal.sql("SELECT * FROM mfa_crowds"))


def test_a_crowd_may_be_only_recorded(make: MakePortal) -> None:
    quiet = HarvestPolicy(crowd=2, together=30, report_only=frozenset({"read_fan_in"}))
    portal = open_records(make, harvest=quiet)
    there = strangers(portal, "203.0.113.7", "203.0.113.99")
    assert [works(browser, number * 100, 20) for number, (browser, _) in enumerate(there)] == [20, 20]
    assert ("reads_reported", "success", None) in portal.events("bob")
