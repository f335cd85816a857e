"""What the help desk sees of an account's reading, and what it may do about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mfa_gate.durations import DAY
from mfa_gate.harvest import State
from tests.support.desks import WHY, Desk, open_desk
from tests.support.portal import JSON, Browser, MakePortal
from tests.support.readers import PACE, records, works


@pytest.fixture
def desk(make: MakePortal, tmp_path: Path) -> Desk:
    return made(make, tmp_path)


def made(make: MakePortal, folder: Path, **policy: bool) -> Desk:
    desk = open_desk(make, folder, **policy)
    # the desk's own pages were asked for nothing yet
    desk.portal.app._got_first_request = False
    desk.portal.app.register_blueprint(records(desk.portal.gate))
    return desk


def anne(desk: Desk) -> Browser:
    """Anne, signed in by a key, on another day."""
    portal = desk.portal
    if "anne" not in desk.keys:
        portal.sql("DELETE FROM mfa_authenticators WHERE account_id = 'anne'")
        desk.keys["anne"] = portal.key("anne")
    portal.clock.advance(DAY - portal.clock() % DAY + 8 * 3600)
    return desk.at("anne")


def stopped(desk: Desk) -> Browser:
    browser = anne(desk)
    works(browser, 0, 60, pace=0.2)
    assert state(desk).why == "pace"
    return browser


def state(desk: Desk) -> State:
    ((text,),) = desk.portal.sql("SELECT state FROM mfa_reading WHERE account_id = 'anne'")
    return State.load(text)


def test_the_desk_sees_how_much_an_account_reads_against_its_usual_day(desk: Desk) -> None:
    works(anne(desk), 0, 12)
    page = desk.page(desk.at("ray"), "anne").text
    assert "Records today: 12" in page
    assert "On a usual day: 35; at most:" in page
    assert page.count("<rect") == 30


def test_the_desk_sees_that_and_why_an_account_was_stopped(desk: Desk) -> None:
    stopped(desk)
    sue = desk.at("sue")
    page = desk.page(sue, "anne").text
    assert "Stopped: it reads nothing." in page
    assert "faster than a person can read" in page
    assert "Records were read in a way unlike" in sue.get("/mfa/desk").text


def test_a_supervisor_lifts_it_and_the_owner_is_told(desk: Desk) -> None:
    stopped(desk)
    assert desk.act(desk.at("sue"), "lift").status_code == 303
    assert state(desk).stopped is None
    ((data,),) = desk.portal.sql("SELECT data FROM mfa_events WHERE kind = 'reads_lifted'")
    assert json.loads(data) == {"by": desk.subject("sue"), "why": WHY}
    assert ("reads_lifted",) in desk.portal.sql("SELECT kind FROM mfa_outbox")


@pytest.mark.abuse("A45")
@pytest.mark.parametrize("who", ["ray", "abe"])
@pytest.mark.parametrize("act", ["lift", "allow", "report"])
def test_nobody_below_a_supervisor_lifts_allows_or_reports(desk: Desk, who: str, act: str) -> None:
    stopped(desk)
    before = state(desk)
    answer = desk.act(desk.at(who), act, records="500", days="3")
    assert answer.status_code == 403
    assert state(desk) == before


def test_an_exception_lets_an_account_read_more_and_ends_by_itself(desk: Desk) -> None:
    browser = anne(desk)
    assert desk.act(desk.at("sue"), "allow", records="600", days="2").status_code == 303
    works(browser, 0, 1)
    assert (state(desk).allowed, state(desk).allowed_until > desk.portal.clock()) == (600, True)
    assert "Exception: 600 a day until" in desk.page(desk.at("sue"), "anne").text
    desk.portal.clock.advance(3 * DAY)
    assert "Exception" not in desk.page(desk.at("sue"), "anne").text


def test_an_exception_after_a_slow_harvest_makes_the_new_days_usual(desk: Desk) -> None:
    works(anne(desk), 0, 1)
    state = State(
        day=1, total=900.0, weight=15.0, old_total=900.0, old_weight=30.0, drift=9.0, stopped=1.0, why="drift"
    )
    desk.portal.sql("UPDATE mfa_reading SET state = :state", state=state.dump())
    assert desk.act(desk.at("sue"), "allow", records="300", days="10").status_code == 303
    ((text,),) = desk.portal.sql("SELECT state FROM mfa_reading")
    after = State.load(text)
    assert (after.stopped, after.drift, after.old_total / after.old_weight) == (None, 0.0, 60.0)


@pytest.mark.parametrize(
    ("records", "days"), [("0", "1"), ("1001", "1"), ("5", "93"), ("x", "1"), ("1e2", "1"), ("", "")]
)
def test_an_exception_out_of_range_is_refused(desk: Desk, records: str, days: str) -> None:
    works(anne(desk), 0, 1)
    assert desk.act(desk.at("sue"), "allow", records=records, days=days).status_code == 400
    assert state(desk).allowed == 0


class TestFourEyes:
    @pytest.fixture
    def desk(self, make: MakePortal, tmp_path: Path) -> Desk:
        return made(make, tmp_path, four_eyes=True)

    @pytest.mark.abuse("A45")
    def test_an_exception_waits_for_a_second_supervisor(self, desk: Desk) -> None:
        works(anne(desk), 0, 1)
        sue = desk.at("sue")
        desk.act(sue, "allow", records="600", days="2")
        assert state(desk).allowed == 0
        request = desk.request()
        assert sue.step("desk", action="approve", request=request).status_code == 403
        sam = desk.at("sam")
        assert "May read 600 records a day for 2 days." in sam.get("/mfa/desk").text
        assert sam.step("desk", action="approve", request=request).status_code == 303
        assert state(desk).allowed == 600
        assert sam.step("desk", action="approve", request=request).status_code == 409

    def test_what_is_declined_does_not_hold(self, desk: Desk) -> None:
        works(anne(desk), 0, 1)
        desk.act(desk.at("sue"), "allow", records="600", days="2")
        desk.at("sam").step("desk", action="decline", request=desk.request())
        assert state(desk).allowed == 0
        assert ("reads_allowance_declined", "success", None) in desk.portal.events()


def test_the_list_of_whom_an_account_has_read_is_one_click_and_on_record(desk: Desk) -> None:
    works(anne(desk), 0, 3)
    desk.portal.clock.advance(PACE)
    answer = desk.act(desk.at("sue"), "report")
    assert answer.mimetype == "text/csv"
    assert len(answer.text.splitlines()) == 4
    assert answer.headers["Cache-Control"] == "no-store"
    ((data,),) = desk.portal.sql("SELECT data FROM mfa_events WHERE kind = 'report_made'")
    assert json.loads(data) == {"by": desk.subject("sue"), "records": 3, "what": "breach", "why": WHY}


@pytest.mark.abuse("A45")
def test_nobody_lifts_their_own_account(desk: Desk) -> None:
    works(desk.at("sue"), 0, 60, pace=0.2)
    assert desk.act(desk.at("sue"), "lift", "sue").status_code == 403


def test_an_account_that_has_read_nothing_has_a_page(desk: Desk) -> None:
    assert "Records today: 0" in desk.page(desk.at("sue"), "anne").text
    assert desk.at("sue").get("/records/1", headers=JSON).status_code == 200
