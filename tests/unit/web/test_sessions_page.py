"""The page that says where one is signed in, and what a changed password ends."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest

from tests.support.agents import FIREFOX
from tests.support.portal import JSON, Browser, MakePortal, Portal, hidden
from tests.support.web import dump

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/19.1 Mobile/15E148 Safari/604.1"
)


def signed_in(portal: Portal, secret: str, agent: str = FIREFOX) -> Browser:
    portal.clock.advance(30)
    browser = portal.browser()
    browser.client.environ_base["HTTP_USER_AGENT"] = agent
    assert browser.sign_in(secret).status_code == 303
    return browser


def shown(browser: Browser, **headers: str) -> str:
    answer = browser.get("/mfa/sessions", headers=headers)
    assert answer.status_code == 200
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))


def end(browser: Browser, action: str, session: str = "") -> int:
    fields = {"csrf_token": browser.token, "action": action, **({"id": session} if session else {})}
    return browser.post("/mfa/sessions", fields).status_code


def id_of(browser: Browser, this: bool) -> str:
    rows = browser.api("GET", "sessions").json["sessions"]
    return next(row["id"] for row in rows if row["this"] is this)


def test_the_page_says_in_which_browsers_one_is_signed_in_and_which_is_this_one(portal: Portal) -> None:
    secret = portal.enrolled()
    phone = signed_in(portal, secret, IPHONE)
    portal.clock.advance(timedelta(minutes=12))
    desk = signed_in(portal, secret)
    text = shown(desk)
    assert "Firefox · Linux – celle-ci" in text
    assert "Mobile Safari · iOS" in text
    assert "Mobile Safari · iOS – celle-ci" not in text
    assert "il y a 12 min" in text
    assert "Mobile Safari · iOS – celle-ci" in shown(phone)


def test_the_page_names_the_network_where_the_portal_does(make: MakePortal) -> None:
    networks = {"192.0.2.1": "Orange, Lyon"}
    portal = make(network_of=networks.get)
    secret = portal.enrolled()
    portal.browser("198.51.100.7").sign_in(secret)
    desk = signed_in(portal, secret)
    assert shown(desk).count("Orange, Lyon") == 1
    rows = desk.api("GET", "sessions").json["sessions"]
    assert {row["network"] for row in rows if row["this"]} == {"Orange, Lyon"}
    assert {row["network"] for row in rows if not row["this"]} == {None}
    assert "192.0.2.1" not in dump(portal)


@pytest.mark.abuse("A34")
def test_a_network_that_cannot_be_named_is_not_known(make: MakePortal) -> None:
    def fails(_address: str) -> str:
        raise LookupError("the file is gone")

    portal = make(network_of=fails)
    desk = signed_in(portal, portal.enrolled())
    assert desk.api("GET", "sessions").json["sessions"][0]["network"] is None


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a" * 500, "\u202eevil\r\nX: y", 7, "", b"bytes"])
def test_the_name_of_a_network_is_one_short_inert_line(make: MakePortal, name: Any) -> None:
    portal = make(network_of=lambda _address: name)
    desk = signed_in(portal, portal.enrolled())
    told = desk.api("GET", "sessions").json["sessions"][0]["network"]
    assert told is None or (isinstance(told, str) and told.isprintable() and len(told) <= 60)
    assert "<script>alert" not in desk.get("/mfa/sessions").text


def test_one_session_is_ended_from_the_page(portal: Portal) -> None:
    secret = portal.enrolled()
    phone, desk = signed_in(portal, secret, IPHONE), signed_in(portal, secret)
    assert end(desk, "end", id_of(desk, this=False)) == 303
    assert phone.get("/", headers=JSON).status_code == 401
    assert "Votre compte n’est ouvert nulle part ailleurs" in shown(desk)


def test_all_others_are_ended_from_the_page(portal: Portal) -> None:
    secret = portal.enrolled()
    others = [signed_in(portal, secret, IPHONE) for _ in range(3)]
    desk = signed_in(portal, secret)
    assert end(desk, "end-others") == 303
    assert [other.get("/", headers=JSON).status_code for other in others] == [401] * 3
    assert desk.get("/").text == "home of anne"


def devices_of(portal: Portal) -> int:
    return len(portal.sql("SELECT series FROM mfa_devices"))


@pytest.mark.abuse("A74")
@pytest.mark.parametrize("one_by_one", [False, True])
def test_others_that_are_ended_by_a_code_stay_known_where_they_were_before(portal: Portal, one_by_one: bool) -> None:
    """Ten wrong codes would close the lane of an owner who is a stranger everywhere."""
    secret = portal.enrolled()
    owner = signed_in(portal, secret, IPHONE)
    thief = signed_in(portal, secret)
    if one_by_one:
        assert end(thief, "end", id_of(thief, this=False)) == 303
    else:
        assert end(thief, "end-others") == 303
    assert owner.state == "anonymous"
    for _ in range(12):
        stranger = portal.browser("198.51.100.66")
        stranger.password()
        stranger.api("POST", "totp/verify", {"code": "000000"})
        portal.clock.advance(600)
    assert owner.sign_in(secret).status_code == 303
    assert owner.get("/").text == "home of anne"


@pytest.mark.abuse("A74")
def test_others_that_are_ended_by_a_code_are_strangers_where_they_came_later(portal: Portal) -> None:
    secret = portal.enrolled()
    owner = signed_in(portal, secret)
    signed_in(portal, secret, IPHONE)
    portal.clock.advance(30)
    owner.step("challenge", code=portal.code(secret))
    assert devices_of(portal) == 2
    assert end(owner, "end-others") == 303
    assert devices_of(portal) == 1


@pytest.mark.abuse("A74")
@pytest.mark.parametrize("stale", [False, True])
def test_all_that_are_ended_by_a_passkey_become_strangers(portal: Portal, stale: bool) -> None:
    """A thief may have come first."""
    key = portal.key()
    for _ in range(3):
        browser = portal.browser()
        browser.password()
        browser.prove(key)
        portal.clock.advance(30)
    if stale:
        portal.clock.advance(300)
        assert browser.api("DELETE", "sessions").json["code"] == "step_up_required"
        assert devices_of(portal) == 3
        browser.prove(key)
    assert browser.api("DELETE", "sessions").json == {"ended": 2}
    assert devices_of(portal) == 1


@pytest.mark.abuse("A74")
@pytest.mark.parametrize("action", ["end-others", "end"])
def test_ending_other_sessions_takes_a_fresh_proof_and_goes_on_after_it(portal: Portal, action: str) -> None:
    secret = portal.enrolled()
    other, desk = signed_in(portal, secret, IPHONE), signed_in(portal, secret)
    portal.clock.advance(301)
    desk_id = id_of(desk, this=False) if action == "end" else ""
    fields = {"csrf_token": desk.token, "action": action, **({"id": desk_id} if desk_id else {})}
    asked = desk.post("/mfa/sessions", fields)
    assert asked.status_code == 401
    assert other.get("/").text == "home of anne"
    proven = desk.step("challenge", code=portal.code(secret), sealed_form=hidden(asked, "sealed_form"))
    assert proven.status_code == 200
    assert end(desk, action, desk_id) == 303
    assert other.state == "anonymous"


@pytest.mark.abuse("A74")
def test_on_the_page_of_news_it_was_not_me_takes_a_fresh_proof_as_well(portal: Portal) -> None:
    secret = portal.enrolled()
    other, desk = signed_in(portal, secret, IPHONE), signed_in(portal, secret)
    portal.clock.advance(301)
    assert desk.step("news", action="not-me", up_to="1000").status_code == 401
    assert other.get("/").text == "home of anne"


def test_this_very_session_ends_without_a_fresh_proof(portal: Portal) -> None:
    desk = signed_in(portal, portal.enrolled())
    portal.clock.advance(301)
    assert end(desk, "end", id_of(desk, this=True)) == 303
    assert desk.state == "anonymous"


def test_a_session_of_somebody_else_is_not_found(portal: Portal) -> None:
    bob = signed_in(portal, portal.enrolled())
    secret = portal.enrolled("bob")
    portal.clock.advance(30)
    other = portal.browser()
    other.sign_in(secret, "bob")
    assert end(bob, "end", id_of(other, this=True)) == 404
    assert other.get("/").text == "home of bob"


@pytest.mark.abuse("A1")
def test_with_the_password_alone_no_session_is_listed_or_ended(portal: Portal) -> None:
    secret = portal.enrolled()
    owner = signed_in(portal, secret)
    thief = portal.browser("198.51.100.66")
    thief.password()
    assert thief.get("/mfa/sessions").status_code == 303
    assert end(thief, "end", id_of(owner, this=True)) == 303
    assert end(thief, "end-others") == 303
    assert owner.get("/").text == "home of anne"


@pytest.mark.abuse("A51")
@pytest.mark.parametrize(
    "agent",
    [
        "<script>alert(1)</script>/1.0",
        "Mozilla/5.0 (<b>x</b>; rv:1) Firefox/1<img src=x onerror=alert(1)>",
        "\u202eevil\u202c Firefox/153.0",
        "x" * 20_000,
        "",
    ],
    ids=["script", "image", "bidi", "long", "none"],
)
@pytest.mark.parametrize("backend", ["sqlite"])
def test_what_a_browser_calls_itself_is_inert(portal: Portal, agent: str) -> None:
    secret = portal.enrolled()
    signed_in(portal, secret, agent.encode("utf-8").decode("latin-1"))
    answer = signed_in(portal, secret).get("/mfa/sessions")
    assert answer.status_code == 200
    assert not re.search(r"<script>alert|<img|\u202e", answer.text)
    assert max(len(row[0] or "") for row in portal.sql("SELECT browser FROM mfa_sessions")) <= 64


def test_a_changed_password_ends_all_sessions_but_the_one_it_was_changed_in(portal: Portal) -> None:
    @portal.app.post("/new-password")
    def changed() -> str:
        return f"{portal.gate.password_changed('anne')} ended"

    secret = portal.enrolled()
    thief, owner = signed_in(portal, secret), signed_in(portal, secret)
    half_way = portal.browser("198.51.100.66")
    half_way.password()
    assert owner.post("/new-password").text == "2 ended"
    assert owner.get("/").text == "home of anne"
    assert thief.get("/", headers=JSON).status_code == 401
    assert half_way.state == "anonymous"
    ((of_event,),) = portal.sql("SELECT sign_in FROM mfa_events WHERE kind = 'password_changed'")
    assert portal.sql("SELECT sign_in FROM mfa_sessions") == [(of_event,)]


def test_a_password_that_was_reset_outside_a_session_ends_them_all(portal: Portal) -> None:
    browser = signed_in(portal, portal.enrolled())
    with portal.app.app_context():
        assert portal.gate.password_changed("anne") == 1
        assert portal.gate.password_changed("nobody") == 0
    assert browser.get("/", headers=JSON).status_code == 401


def test_a_changed_password_of_another_account_leaves_this_session_out_of_it(portal: Portal) -> None:
    """Staff who reset somebody's password stay signed in, and no session of theirs protects that person's."""

    @portal.app.post("/reset")
    def reset() -> str:
        return f"{portal.gate.password_changed('bob')} ended"

    anne = signed_in(portal, portal.enrolled())
    secret = portal.enrolled("bob")
    portal.clock.advance(30)
    bob = portal.browser()
    bob.sign_in(secret, "bob")
    assert anne.post("/reset").text == "1 ended"
    assert anne.get("/").text == "home of anne"
    assert bob.get("/", headers=JSON).status_code == 401
