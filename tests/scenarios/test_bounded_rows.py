"""What a stolen password or cookie can make the gate keep: so many rows, whoever asks and however often."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from mfa_gate.policy import GroupPolicy, Policy
from mfa_gate.risk import RiskPolicy
from mfa_gate.sessions.crowding import PER_ACCOUNT, PER_SOURCE, RISKS, giving_way
from mfa_gate.store.schema import sessions
from mfa_gate.store.sessions import Unproven
from tests.support.agents import CHROME
from tests.support.owners import by_app, enrol
from tests.support.portal import JSON, Browser, MakePortal, Portal
from tests.support.statements import statements
from tests.support.web import engine_of

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
UNTIL = date(2030, 1, 1)

pytestmark = pytest.mark.abuse("A75")


def with_password(portal: Portal, address: str) -> Browser:
    """Somebody who has the right password, and has never been here."""
    browser = portal.browser(address)
    portal.clock.advance(1)
    assert browser.password().status_code == 303
    return browser


def states(browsers: list[Browser]) -> list[str]:
    return [browser.state for browser in browsers]


def known_device(portal: Portal, secret: str) -> Browser:
    """A browser that has signed in before, and was closed."""
    browser = by_app(portal, secret)
    browser.step("sign-out")
    return browser


# --- sessions that a password opens ----------------------------------------------------------------------------------


def test_of_the_sign_ins_from_one_source_the_latest_five_wait_for_a_second_factor(portal: Portal) -> None:
    portal.enrolled()
    there = [with_password(portal, "203.0.113.9") for _ in range(8)]
    other = with_password(portal, "198.51.100.7")
    assert states(there) == ["anonymous"] * 3 + ["pending"] * 5
    assert other.state == "pending"


def test_an_ipv6_subscriber_is_one_source(portal: Portal) -> None:
    portal.enrolled()
    there = [with_password(portal, f"2001:db8:7::{number}") for number in range(1, 8)]
    assert states(there) == ["anonymous"] * 2 + ["pending"] * 5


def test_the_source_that_holds_most_loses_its_oldest(portal: Portal) -> None:
    """The owner's half sign-in, from a browser that nobody knows, outlives any number of the thief's."""
    portal.enrolled()
    owner = with_password(portal, "192.0.2.77")
    thief = [with_password(portal, f"203.0.113.{1 + number % 20}") for number in range(80)]
    assert owner.state == "pending"
    assert states(thief).count("pending") == PER_ACCOUNT - 1
    assert states(thief[-10:]) == ["pending"] * 10


def test_a_half_sign_in_on_a_known_device_gives_way_to_nobody_elses(portal: Portal) -> None:
    secret = portal.enrolled()
    owner = known_device(portal, secret)
    portal.clock.advance(31)
    owner.password()
    for number in range(PER_ACCOUNT + 10):
        with_password(portal, f"203.0.113.{number + 1}")
    assert owner.step("challenge", code=portal.code(secret)).status_code == 303
    assert owner.state == "signed_in"


def test_a_sign_in_with_an_activation_code_gives_way_to_nobody(portal: Portal) -> None:
    owner = portal.browser()
    assert owner.activate().status_code == 303
    for number in range(PER_ACCOUNT + 10):
        with_password(portal, f"203.0.113.{number % 250 + 1}")
    for _ in range(PER_SOURCE + 1):
        with_password(portal, owner.address)
    assert owner.state == "enrolling"


def test_a_password_alone_that_lets_in_has_fifty_sessions_and_the_owners_goes_on(make: MakePortal) -> None:
    portal = make(policy=Policy({"doctor": GroupPolicy(observe_until=UNTIL)}))
    portal.people["anne"] = replace(portal.people["anne"], group="doctor")
    owner = with_password(portal, "192.0.2.77")
    thief = [with_password(portal, f"203.0.113.{1 + number % 3}") for number in range(PER_ACCOUNT + 10)]
    assert owner.get("/").text == "home of anne"
    assert portal.sql("SELECT count(*) FROM mfa_sessions")[0][0] == PER_ACCOUNT
    assert thief[-1].get("/").text == "home of anne"


@SQLITE
def test_what_was_there_before_there_was_a_bound_goes_with_the_next_sign_in(portal: Portal) -> None:
    portal.enrolled()
    with_password(portal, "203.0.113.9")
    copied(portal, 3000)
    with_password(portal, "203.0.113.9")
    assert portal.sql("SELECT count(*) FROM mfa_sessions")[0][0] <= PER_ACCOUNT
    told = [kind for kind, _, _ in portal.events() if kind == "sign_in_unfinished"]
    assert len(told) == 1


def copied(portal: Portal, times: int, back: int = 0) -> None:
    """As many more sessions as the latest one, each seventh opened a second earlier where `back` is 1."""
    with portal.app.extensions["mfa_gate"].services.store.begin() as tx:
        row = tx.execute(select(sessions).order_by(sessions.c.created_at.desc()).limit(1)).one()._asdict()
        more = [
            {
                **row,
                "id_hash": f"{number:064x}",
                "sign_in": f"{number:032x}",
                "created_at": row["created_at"] - back * (number // 7),
            }
            for number in range(times)
        ]
        tx.execute(insert(sessions), more)


sources = st.integers(0, 60)
unproven = st.builds(
    lambda source, known, risk, observed: (f"{'device' if known else 'network'} {source}", known, risk, observed),
    sources,
    st.booleans(),
    st.sampled_from(RISKS),
    st.booleans(),
)


@given(st.lists(unproven, max_size=160), unproven)
def test_what_gives_way_leaves_room_and_no_more_than_that(there: list[Any], new: Any) -> None:
    rows = [
        Unproven(str(at), str(at), "anne", None, None, float(at), source, known, risk, 1.0 if observed else None)
        for at, (source, known, risk, observed) in enumerate(there)
    ]
    gone = giving_way(rows, new[0])
    left = [row for row in rows if row not in gone]
    assert len(set(gone)) == len(gone)
    for observed in (False, True):
        kept = [row for row in left if (row.observed_until is not None) is observed]
        unknown = [row for row in kept if not row.is_known]
        assert len(kept) < PER_ACCOUNT or not unknown
    pending = [row for row in left if row.observed_until is None]
    assert Counter(row.source for row in pending)[new[0]] < PER_SOURCE
    assert not [row for row in gone if row.is_known and row.source != new[0]]
    for source in {row.source for row in gone}:  # the oldest of each source
        mine = [row for row in rows if row.source == source and row.observed_until is None]
        ended = [row for row in mine if row in gone]
        assert ended == mine[: len(ended)]


# --- notices ---------------------------------------------------------------------------------------------------------


def unfinished(portal: Portal) -> int:
    return [kind for kind, _, _ in portal.events()].count("sign_in_unfinished")


def test_sign_ins_from_one_place_that_nobody_completed_are_told_once_an_hour(portal: Portal) -> None:
    portal.enrolled()
    for _ in range(30):
        with_password(portal, "203.0.113.9")
    assert unfinished(portal) == 1
    portal.clock.advance(7200)
    for _ in range(PER_SOURCE + 1):
        with_password(portal, "203.0.113.9")
    assert unfinished(portal) == 2


@pytest.mark.abuse("A73")
def test_who_types_the_password_again_before_each_sign_in_ends_is_told_of_meanwhile(portal: Portal) -> None:
    portal.enrolled()
    thief = with_password(portal, "203.0.113.9")
    for _ in range(3):
        portal.clock.advance(540)
        assert thief.password().status_code == 303
    assert thief.state == "pending"
    assert unfinished(portal) == 1


def test_sign_ins_from_many_places_that_nobody_completed_are_told_twenty_times_an_hour(portal: Portal) -> None:
    portal.enrolled()
    for number in range(120):
        with_password(portal, f"203.0.{number}.1")
    portal.clock.advance(1800)
    with_password(portal, "203.0.0.1")
    assert unfinished(portal) == 20


# --- moves -----------------------------------------------------------------------------------------------------------


def shows_up(browser: Browser, number: int) -> str:
    """In another browser each time; what state it finds itself in."""
    agent = CHROME.replace("140", str(100 + number))
    answer = browser.open("GET", "/mfa/api/v1/session", headers={**JSON, "User-Agent": agent})
    return str(answer.json["state"])


def moves(portal: Portal) -> tuple[int, int]:
    told = portal.sql("SELECT count(*) FROM mfa_outbox WHERE kind = 'session_moved'")[0][0]
    return [kind for kind, _, _ in portal.events()].count("session_moved"), told


def test_a_copied_cookie_that_shows_up_in_any_number_of_places_is_told_once_an_hour(make: MakePortal) -> None:
    portal = make(risk=RiskPolicy())
    (secret,) = enrol(portal, "app")
    owner = by_app(portal, secret)
    thief = owner.copy("203.0.113.77")
    before = moves(portal)
    assert {shows_up(thief, number) for number in range(60)} == {"pending"}
    assert owner.state == "signed_in"
    assert moves(portal) == (before[0] + 1, before[1] + 1)
    for _ in range(4):
        portal.clock.advance(901)
        owner.get("/")
    assert shows_up(thief, 61) == "pending"
    assert moves(portal) == (before[0] + 2, before[1] + 2)


def test_what_a_session_has_proven_anew_is_told_of_anew_when_it_moves(make: MakePortal) -> None:
    portal = make(risk=RiskPolicy())
    (secret,) = enrol(portal, "app")
    owner = by_app(portal, secret)
    shows_up(owner.copy("203.0.113.77"), 1)
    portal.clock.advance(31)
    assert owner.step("challenge", code=portal.code(secret)).status_code == 303
    before = moves(portal)
    shows_up(owner.copy("203.0.113.78"), 2)
    assert moves(portal)[0] == before[0] + 1


# --- lists -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowded(portal: Portal) -> Browser:
    """An owner who is signed in in 121 places."""
    (secret,) = enrol(portal, "app")
    browser = by_app(portal, secret)
    copied(portal, 120, back=1)
    return browser


def test_programs_get_all_sessions_by_pages_each_once(crowded: Browser) -> None:
    seen: list[dict[str, Any]] = []
    after: str | None = ""
    pages = 0
    while after is not None:
        answer = crowded.api("GET", "sessions", query_string={"after": after} if after else {})
        seen += answer.json["sessions"]
        after = answer.json["next"]
        pages += 1
    assert pages == 3
    assert len({one["id"] for one in seen}) == len(seen) == 121
    assert [one["this"] for one in seen].index(True) == 0
    times = [one["created_at"] for one in seen[1:]]
    assert times == sorted(times, reverse=True)


def test_the_page_leads_on_to_earlier_sessions_and_back(crowded: Browser) -> None:
    seen: set[str] = set()
    path = "/mfa/sessions"
    for _ in range(3):
        text = crowded.get(path).text
        seen |= set(re.findall(r'name="id" value="(\w+)"', text))
        later = re.search(r'href="[^"]*(/mfa/sessions\?after=[^"]+)"', text)
        path = later[1] if later else ""
        assert "end-others" in text
    assert path == ""
    assert 'href="/mfa/sessions"' in text or '/mfa/sessions"' in text
    assert len(seen) == 120


NO_PAGES = ["x", "~", "1~", "nan~a", "inf~a", "1~'", "1~é", "1e999~a", "1~" + "a" * 200, "\x00~a"]


@pytest.mark.parametrize("after", NO_PAGES)
def test_a_page_that_no_answer_names_is_refused(crowded: Browser, after: str) -> None:
    answer = crowded.api("GET", "sessions", query_string={"after": after})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert crowded.get("/mfa/sessions", query_string={"after": after}).status_code == 400


def test_an_operator_gets_all_sessions_by_pages(portal: Portal, crowded: Browser) -> None:
    seen: list[str] = []
    more: list[str] = []
    while True:
        done = portal.app.test_cli_runner().invoke(args=["mfa", "sessions", "list", "anne", "--json", *more])
        page = json.loads(done.stdout)
        assert page["count"] == 121
        seen += [one["id"] for one in page["sessions"]]
        if page["next"] is None:
            break
        more = ["--after", page["next"]]
    assert len(set(seen)) == len(seen) == 121


def test_all_others_are_ended_by_one_statement(portal: Portal, crowded: Browser) -> None:
    with statements(engine_of(portal)) as asked:
        answer = crowded.api("DELETE", "sessions")
    assert (answer.status_code, answer.json) == (200, {"ended": 120})
    assert len([one for one in asked if one.startswith("DELETE FROM mfa_sessions")]) == 1
    assert crowded.state == "signed_in"
