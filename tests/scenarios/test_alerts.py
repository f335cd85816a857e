"""What the help desk has to look at: listed until somebody has dealt with it, and written about."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mfa_gate.durations import DAY
from mfa_gate.risk import RiskPolicy
from tests.support.agents import CHROME, FIREFOX
from tests.support.desks import WHY, Desk, open_desk
from tests.support.networks import ABROAD, HOME, Networks
from tests.support.portal import Browser, MakePortal, Portal
from tests.support.postbox import Postbox, by_mail, send

UNUSUAL = " right password came from a place and a browser unlike its owner"
MAILBOX = "security@portal.example"


@pytest.fixture
def desk(make: MakePortal, tmp_path: Path) -> Desk:
    """A desk of a portal whose Anne has signed in at home for some days."""
    desk = open_desk(make, tmp_path, risk=RiskPolicy(), netinfo=Networks(), mail=MAILBOX)
    portal = desk.portal
    portal.sql("DELETE FROM mfa_authenticators WHERE account_id = 'anne'")
    portal.sql("UPDATE mfa_accounts SET habits = NULL WHERE id = 'anne'")
    secret = portal.enrolled("anne")
    browser = from_(portal, HOME, FIREFOX)
    for _ in range(8):
        assert browser.sign_in(secret).status_code == 303
        browser.step("sign-out")
        portal.clock.advance(DAY)
    return desk


def from_(portal: Portal, address: str, agent: str) -> Browser:
    browser = portal.browser(address)
    browser.client.environ_base["HTTP_USER_AGENT"] = agent
    return browser


def thief_tries(desk: Desk, times: int = 1) -> None:
    for _ in range(times):
        desk.portal.clock.advance(1)
        from_(desk.portal, ABROAD, CHROME).password("anne")


def seen(page: str) -> str:
    """What the form that closes alerts says was seen."""
    found = re.search(r'name="seen" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_the_desk_is_told_of_a_sign_in_that_is_unlike_its_owner_with_the_reasons(desk: Desk) -> None:
    sue = desk.at("sue")
    assert "There is no alert." in sue.get("/mfa/desk").text
    thief_tries(desk)
    page = sue.get("/mfa/desk").text
    assert UNUSUAL in page
    assert "has not signed in from this country before" in page
    assert f"/mfa/desk/accounts/{desk.subject('anne')}" in page


def test_a_thousand_of_the_same_are_one_alert_with_their_number(desk: Desk) -> None:
    thief_tries(desk, 12)
    assert "12 times" in desk.at("sue").get("/mfa/desk").text
    assert len(desk.portal.sql("SELECT id FROM mfa_alerts")) == 1


def test_what_is_dealt_with_goes_from_the_list_and_is_an_event(desk: Desk) -> None:
    thief_tries(desk)
    abe = desk.at("abe")
    answer = desk.act(abe, "close", seen=seen(desk.page(abe, "anne").text))
    assert answer.status_code == 303
    assert "There is no alert." in abe.get("/mfa/desk").text
    assert UNUSUAL in desk.page(abe, "anne").text  # in the history still
    ((data,),) = desk.portal.sql("SELECT data FROM mfa_events WHERE kind = 'alerts_closed'")
    assert json.loads(data) == {"by": desk.subject("abe"), "kinds": ["unusual_sign_in"], "why": WHY}


def test_what_has_happened_since_it_was_looked_at_stays_on_the_list(desk: Desk) -> None:
    thief_tries(desk)
    sue = desk.at("sue")
    looked = seen(desk.page(sue, "anne").text)
    thief_tries(desk)
    desk.act(sue, "close", seen=looked)
    assert UNUSUAL in sue.get("/mfa/desk").text


@pytest.mark.parametrize("given", ["", "x", "nan", "inf", "9" * 400, "0x10"])
def test_what_nobody_can_have_seen_closes_nothing(desk: Desk, given: str) -> None:
    thief_tries(desk)
    assert desk.act(desk.at("sue"), "close", seen=given).status_code == 400
    assert len(desk.portal.sql("SELECT id FROM mfa_alerts")) == 1


@pytest.mark.abuse("A45")
def test_a_reader_closes_nothing(desk: Desk) -> None:
    thief_tries(desk)
    ray = desk.at("ray")
    assert UNUSUAL in ray.get("/mfa/desk").text
    assert desk.act(ray, "close", seen="9e9").status_code == 403


@pytest.mark.abuse("A45")
def test_nobody_closes_an_alert_about_themselves(desk: Desk) -> None:
    desk.portal.sql(
        "INSERT INTO mfa_alerts (subject, kind, first_at, last_at, times, data) "
        "SELECT subject, 'not_me', 1, 1, 1, '{}' FROM mfa_accounts WHERE id = 'sue'"
    )
    assert desk.act(desk.at("sue"), "close", "sue", seen="9e9").status_code == 403
    assert len(desk.portal.sql("SELECT id FROM mfa_alerts")) == 1


def test_operators_list_alerts_on_the_command_line(desk: Desk) -> None:
    thief_tries(desk, 2)
    runner = desk.portal.app.test_cli_runner()
    assert "anne  unusual_sign_in  2 times" in runner.invoke(args=["mfa", "desk", "alerts"]).output
    (alert,) = json.loads(runner.invoke(args=["mfa", "desk", "alerts", "--json"]).output)["alerts"]
    assert "new_country" in alert["reasons"]


def test_the_desk_is_written_to_once_and_the_mail_names_nobody(desk: Desk, postbox: Postbox) -> None:
    thief_tries(desk, 5)
    by_mail(desk.portal, postbox.port)
    for _ in range(3):
        send(desk.portal)
        desk.portal.clock.advance(60)
    (mail,) = [mail for mail in postbox.mails if mail["To"] == MAILBOX]
    text = mail.get_content()
    assert "https://portal.example/mfa/desk" in text
    assert "Anne" not in mail.as_string()
    assert "anne" not in mail.as_string()


def test_a_dead_relay_loses_no_mail_to_the_desk(desk: Desk, postbox: Postbox) -> None:
    thief_tries(desk)
    by_mail(desk.portal, 1)
    send(desk.portal)
    by_mail(desk.portal, postbox.port)
    send(desk.portal)
    assert MAILBOX in [mail["To"] for mail in postbox.mails]


def test_what_goes_on_is_written_about_again_after_a_day(desk: Desk, postbox: Postbox) -> None:
    by_mail(desk.portal, postbox.port)
    for _ in range(2):
        thief_tries(desk)
        send(desk.portal)
        desk.portal.clock.advance(DAY + 60)
    assert [mail["To"] for mail in postbox.mails].count(MAILBOX) == 2


def test_forgetting_an_account_forgets_its_alerts(desk: Desk) -> None:
    thief_tries(desk)
    with desk.portal.app.app_context():
        desk.portal.gate.forget("anne")
    assert desk.portal.sql("SELECT id FROM mfa_alerts") == []


def test_what_nobody_has_dealt_with_for_long_is_purged(desk: Desk) -> None:
    thief_tries(desk)
    for later, alerts in ((0, 1), (400 * DAY, 0)):
        desk.portal.clock.advance(later)
        desk.portal.app.test_cli_runner().invoke(args=["mfa", "purge"])
        assert len(desk.portal.sql("SELECT id FROM mfa_alerts")) == alerts
