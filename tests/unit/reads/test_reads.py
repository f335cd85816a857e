"""Records read: charged before they are shown, to the session's proof and the account's habits, and all on record."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
from flask import Blueprint

from mfa_gate import ConfigurationError
from mfa_gate.durations import DAY
from mfa_gate.flows import ClientContext
from mfa_gate.harvest import HarvestPolicy, State
from mfa_gate.testing import SoftwareKey
from tests.support.breaking import Fault, breaking
from tests.support.portal import BASE_URL, JSON, Browser, MakePortal, Portal
from tests.support.readers import PACE, lines, morning, open_records, opens, proves, signed_in, works


@pytest.fixture
def portal(make: MakePortal) -> Portal:
    return open_records(make)


@pytest.fixture
def reader(portal: Portal) -> tuple[Browser, str]:
    """Anne, signed in by her app."""
    return signed_in(portal)


def keyed(portal: Portal) -> tuple[Browser, SoftwareKey]:
    """Anne, signed in by a security key."""
    browser, key = portal.browser(), portal.key()
    morning(portal)
    browser.password()
    assert browser.prove(key).status_code == 200
    return browser, key


def settled(portal: Portal, secret: str, days: int = 25, records: int = 10) -> Browser:
    """Anne has worked for so many days, and is signed in."""
    for day in range(days):
        portal.clock.advance(DAY)
        browser = portal.browser()
        assert browser.sign_in(secret).status_code == 303
        assert works(browser, 10_000 + day * records, records) == records
    portal.clock.advance(DAY)
    browser = portal.browser()
    browser.sign_in(secret)
    return browser


class TestTheLedger:
    def test_a_record_that_is_shown_is_a_line_with_who_when_and_what_sealed(
        self, portal: Portal, reader: tuple[Browser, str]
    ) -> None:
        assert opens(reader[0], "n-4711").text == "record n-4711"  # no hash in hex holds an "n"
        (line,) = lines(portal)
        assert (line.kind, line.outcome) == ("patient", "first")
        (row,) = portal.sql("SELECT * FROM mfa_reads")
        assert "n-4711" not in repr(row)
        assert row.at == portal.clock()

    def test_the_same_record_again_that_day_is_a_line_and_free(
        self, portal: Portal, reader: tuple[Browser, str]
    ) -> None:
        for _ in range(3):
            opens(reader[0], 4711)
        assert [line.outcome for line in lines(portal)] == ["first", "again", "again"]
        assert state(portal)["spent"][0][2] == 1

    def test_a_list_is_charged_by_its_rows(self, portal: Portal, reader: tuple[Browser, str]) -> None:
        assert reader[0].get("/records/?ids=1,2,3,2").status_code == 200
        assert [line.outcome for line in lines(portal)] == ["first"] * 3

    def test_what_does_not_exist_is_a_second_line(self, portal: Portal, reader: tuple[Browser, str]) -> None:
        assert opens(reader[0], 900_001).status_code == 404
        assert [line.outcome for line in lines(portal)] == ["first", "missed"]

    def test_a_page_that_says_that_nothing_was_found_counts_as_well(
        self, portal: Portal, reader: tuple[Browser, str]
    ) -> None:
        assert reader[0].get("/records/search?q=nobody").status_code == 200
        assert state(portal)["miss"] > 0

    def test_it_is_stored_before_the_view_runs(self, portal: Portal, reader: tuple[Browser, str]) -> None:
        portal.app.config["PROPAGATE_EXCEPTIONS"] = False
        assert reader[0].get("/records/broken/4711").status_code == 500
        assert len(lines(portal)) == 1

    def test_a_prefetch_and_a_question_for_the_head_are_reads(
        self, portal: Portal, reader: tuple[Browser, str]
    ) -> None:
        reader[0].get("/records/1", headers={"Sec-Purpose": "prefetch"})
        reader[0].open("HEAD", "/records/2")
        assert len(lines(portal)) == 2

    def test_a_dead_store_shows_nothing(self, portal: Portal, reader: tuple[Browser, str]) -> None:
        fault = Fault()
        with breaking(portal, fault):
            opens(reader[0], 1)
        for number in range(1, fault.asked + 1):
            if number in fault.reads:
                continue
            with breaking(portal, Fault(number)):
                answer = opens(reader[0], f"at-{number}")
            assert (answer.status_code, "record at" in answer.text) == (503, False), number
        assert opens(reader[0], 4711).status_code == 200
        assert len(lines(portal)) == 2


def state(portal: Portal, account: str = "anne") -> dict[str, Any]:
    """What is known of an account's reading."""
    ((text,),) = portal.sql("SELECT state FROM mfa_reading WHERE account_id = :id", id=account)
    loaded = State.load(text)
    return {name: getattr(loaded, name) for name in ("today", "miss", "stopped", "why", "days", "spent")}


class TestTheQuota:
    @pytest.mark.abuse("A54")
    def test_what_another_worker_has_charged_counts_here_at_the_next_look_up(
        self, portal: Portal, reader: tuple[Browser, str], make: MakePortal
    ) -> None:
        here, there = (app.extensions["mfa_gate"] for app in (portal.app, open_records(make).app))
        for number in range(70):
            portal.clock.advance(PACE)
            worker = there if number % 3 == 1 else here  # each has what it wrote last of anne in mind
            session = here.services.sessions.read(reader[0].gate_cookie, portal.clock())
            worker.reads.charge(ClientContext(session, "127.0.0.1"), "patient", [number])
        assert state(portal)["today"] == 70
        assert opens(reader[0], 70).json["code"] == "read_quota_reached"

    @pytest.mark.abuse("A54")
    def test_a_session_reads_its_quota_and_then_proves_a_factor_again(
        self, portal: Portal, reader: tuple[Browser, str]
    ) -> None:
        browser, secret = reader
        assert works(browser, 0, 70) == 70
        answer = opens(browser, "next")
        assert (answer.status_code, answer.json["code"]) == (401, "read_quota_reached")
        assert 'error="insufficient_user_authentication"' in answer.headers["WWW-Authenticate"]
        proves(browser, secret)
        assert opens(browser, "next").status_code == 200

    @pytest.mark.abuse("A54")
    def test_what_is_refused_is_in_no_line_and_not_charged(self, portal: Portal, reader: tuple[Browser, str]) -> None:
        works(reader[0], 0, 70)
        for number in range(5):
            assert opens(reader[0], f"more-{number}").status_code == 401
        assert len(lines(portal)) == 70
        assert state(portal)["today"] == 70

    def test_what_was_read_today_is_open_still(self, reader: tuple[Browser, str]) -> None:
        opens(reader[0], "first")
        works(reader[0], 0, 69)
        assert opens(reader[0], "more").status_code == 401
        assert opens(reader[0], "first").status_code == 200

    def test_a_list_over_the_edge_is_refused_as_a_whole(self, portal: Portal, reader: tuple[Browser, str]) -> None:
        works(reader[0], 0, 65)
        ids = ",".join(f"row-{number}" for number in range(6))
        assert reader[0].get(f"/records/?ids={ids}", headers=JSON).status_code == 401
        assert len(lines(portal)) == 65

    def test_a_page_leads_to_the_proof_and_back(self, portal: Portal, reader: tuple[Browser, str]) -> None:
        browser, secret = reader
        works(browser, 0, 70)
        answer = browser.get("/records/4711")
        assert answer.headers["Location"] == f"{BASE_URL}/mfa/challenge"
        assert "Vous avez ouvert beaucoup de dossiers" in browser.get("/mfa/challenge").text
        portal.clock.advance(30)
        back = browser.step("challenge", code=portal.code(secret))
        assert back.headers["Location"] == f"{BASE_URL}/records/4711"
        assert browser.get("/records/4711").text == "record 4711"

    def test_each_session_has_its_own(self, portal: Portal, reader: tuple[Browser, str]) -> None:
        browser, secret = reader
        works(browser, 0, 70)
        portal.clock.advance(30)
        other = portal.browser()
        other.sign_in(secret)
        assert opens(other, "other").status_code == 200
        assert opens(browser, "mine").status_code == 401

    def test_an_activation_code_grants_no_records(self, portal: Portal) -> None:
        browser, _ = keyed(portal)
        for page in range(7):
            portal.clock.advance(PACE)
            assert browser.get(f"/records/?ids={','.join(f'{page}-{row}' for row in range(10))}").status_code == 200
        assert browser.api("POST", "activation/verify", {"code": portal.activation_code()}).status_code == 200
        assert opens(browser, "more").status_code == 401

    def test_an_unusual_sign_in_is_granted_few(self, portal: Portal, reader: tuple[Browser, str]) -> None:
        portal.sql("UPDATE mfa_sessions SET risk = 'raised'")
        assert works(reader[0], 0, 30) == 20

    def test_who_reads_much_is_granted_more(self, make: MakePortal) -> None:
        portal = open_records(make, harvest=HarvestPolicy(usual={"": 35.0, "pharmacist": 90.0}))
        browser, _ = signed_in(portal)
        assert works(browser, 0, 200) == 180


class TestStopped:
    @pytest.mark.abuse("A54")
    def test_a_machine_is_stopped_within_tens_of_records_and_its_session_ends(
        self, portal: Portal, reader: tuple[Browser, str]
    ) -> None:
        browser, _ = reader
        assert works(browser, 0, 60, pace=0.2) <= 21
        assert browser.state == "anonymous"
        assert ("reads_stopped", "refused", None) in portal.events()

    @pytest.mark.abuse("A54")
    def test_the_account_reads_nothing_from_then_on_by_an_app(
        self, portal: Portal, reader: tuple[Browser, str]
    ) -> None:
        browser, secret = reader
        works(browser, 0, 60, pace=0.2)
        portal.clock.advance(3 * DAY)
        browser.sign_in(secret)
        answer = opens(browser, 1)
        assert (answer.status_code, answer.json["code"]) == (403, "reads_stopped")
        assert browser.state == "signed_in"

    def test_a_key_lifts_it(self, portal: Portal) -> None:
        browser, key = keyed(portal)
        works(browser, 0, 60, pace=0.2)
        browser.password()
        browser.prove(key)
        assert opens(browser, 1).status_code == 200
        assert ("reads_lifted", "success", None) in portal.events()

    def test_a_session_of_before_is_asked_for_the_key(self, portal: Portal) -> None:
        browser, key = keyed(portal)
        portal.clock.advance(60)
        other = portal.browser()
        other.password()
        other.prove(key)
        works(browser, 0, 60, pace=0.2)
        answer = opens(other, 1)
        assert (answer.status_code, answer.json["code"]) == (401, "step_up_required")
        other.prove(key)
        assert opens(other, 1).status_code == 200

    def test_the_portal_lifts_it(self, portal: Portal, reader: tuple[Browser, str]) -> None:
        browser, secret = reader
        works(browser, 0, 60, pace=0.2)
        with portal.app.app_context():
            assert portal.gate.lift_reads("anne", "was asked by telephone")
            assert not portal.gate.lift_reads("anne", "again")
        portal.clock.advance(30)
        browser.sign_in(secret)
        assert opens(browser, 1).status_code == 200

    @pytest.mark.abuse("A54")
    def test_who_guesses_numbers_is_stopped_within_25(self, portal: Portal, reader: tuple[Browser, str]) -> None:
        browser, _ = reader
        shown = 0
        for number in range(60):
            answer = opens(browser, 900_000 + number if number % 3 == 0 else number)
            shown += answer.status_code == 200
        assert shown <= 25
        assert state(portal)["why"] == "misses"

    def test_a_look_up_that_found_nothing_and_was_one_too_many_drops_the_cookie(
        self, portal: Portal, reader: tuple[Browser, str]
    ) -> None:
        browser, _ = reader
        answers = [opens(browser, 900_000 + number) for number in range(10)]
        last = next(answer for answer in answers if answer.status_code == 403)
        assert last.json["code"] == "reads_stopped"
        assert browser.gate_cookie is None

    @pytest.mark.abuse("A54")
    def test_who_walks_in_order_is_stopped(self, portal: Portal, reader: tuple[Browser, str]) -> None:
        shown = sum(opens(reader[0], f"185077511800{number:03}").status_code == 200 for number in range(30))
        assert shown <= 10
        assert state(portal)["why"] == "walk"

    def test_a_canary_stops_at_once_and_only_the_desk_lifts_it(self, make: MakePortal) -> None:
        portal = open_records(make, harvest=HarvestPolicy(canary=lambda _, record: record == "1"))
        browser, key = keyed(portal)
        assert opens(browser, 1).status_code == 403
        browser.password()
        browser.prove(key)
        assert opens(browser, 2).json["code"] == "reads_stopped"

    @pytest.mark.abuse("A54")
    def test_look_ups_that_find_nothing_make_no_stop_a_lighter_one(self, make: MakePortal) -> None:
        portal = open_records(make, harvest=HarvestPolicy(canary=lambda _, record: record == "1"))
        browser, key = keyed(portal)
        opens(browser, 1)
        browser.password()
        browser.prove(key)
        for _ in range(10):
            assert browser.get("/records/search", headers=JSON).json["code"] == "reads_stopped"
        assert state(portal)["why"] == "canary"

    @pytest.mark.abuse("A54")
    def test_an_account_that_is_known_is_stopped_far_outside_its_habits(self, portal: Portal) -> None:
        secret = portal.enrolled()
        browser = settled(portal, secret)
        read = 0
        for number in range(200):
            answer = opens(browser, number)
            if answer.status_code == 401:
                proves(browser, secret)
                answer = opens(browser, number)
            read += answer.status_code == 200
            if answer.status_code == 403:
                break
        assert read <= 70
        assert state(portal)["why"] == "daily_limit"

    def test_a_new_account_is_asked_there_and_goes_on(self, portal: Portal, reader: tuple[Browser, str]) -> None:
        browser, secret = reader
        codes = []
        for number in range(200):
            answer = opens(browser, number)
            if answer.status_code == 401:
                codes.append(answer.json["code"])
                proves(browser, secret)
                assert opens(browser, number).status_code == 200
        assert codes

    def test_owner_and_desk_are_told_with_the_number(self, portal: Portal, reader: tuple[Browser, str]) -> None:
        works(reader[0], 0, 60, pace=0.2)
        ((data,),) = portal.sql("SELECT data FROM mfa_alerts WHERE kind = 'reads_stopped'")
        assert json.loads(data)["reasons"] == ["pace"]
        assert 0 < json.loads(data)["records"] <= 21
        portal.clock.advance(30)
        news = portal.browser()
        news.sign_in(reader[1])
        shown = re.search(r"Dossiers consultés ce jour-là\xa0: (\d+)\.", news.get("/mfa/news").text)
        assert shown is not None
        assert int(shown[1]) == json.loads(data)["records"]

    def test_the_desk_is_told_in_time_of_an_account_that_nears_the_ceiling(self, make: MakePortal) -> None:
        portal = open_records(make, harvest=HarvestPolicy(ceiling=250, usual={"": 100.0}))
        browser, _ = signed_in(portal)
        assert works(browser, 0, 151) == 151
        ((data,),) = portal.sql("SELECT data FROM mfa_alerts WHERE kind = 'reads_near_ceiling'")
        assert json.loads(data)["records"] == 150
        assert not portal.sql("SELECT kind FROM mfa_outbox WHERE kind = 'reads_near_ceiling'")

    def test_a_locked_account_reads_nothing(self, portal: Portal, reader: tuple[Browser, str]) -> None:
        portal.sql("UPDATE mfa_accounts SET locked_at = 1 WHERE id = 'anne'")
        assert opens(reader[0], 1).status_code == 401

    @pytest.mark.parametrize("written", ["", "{", "[]", "[1]", "null", '{"day": 1}', "[" * 2000, "1e999"])
    def test_what_was_written_there_by_hand_stops_it(
        self, portal: Portal, reader: tuple[Browser, str], written: str
    ) -> None:
        opens(reader[0], 1)
        portal.sql("UPDATE mfa_reading SET state = :written", written=written)
        answer = opens(reader[0], 2)
        assert (answer.status_code, answer.json["code"]) == (403, "reads_stopped")

    def test_a_clock_that_goes_back_over_midnight_forgets_nothing(
        self, portal: Portal, reader: tuple[Browser, str]
    ) -> None:
        browser, _ = reader
        portal.clock.advance(DAY - portal.clock() % DAY + 10)
        browser.sign_in(reader[1])
        works(browser, 0, 30)
        portal.clock.advance(-2000.0)
        opens(browser, "x")
        assert state(portal)["today"] == 31

    def test_report_only_records_and_refuses_nothing(self, make: MakePortal) -> None:
        portal = open_records(make, harvest=HarvestPolicy(report_only=frozenset({"all"})))
        browser, _ = signed_in(portal)
        assert works(browser, 0, 100, pace=0.2) == 100
        assert ("reads_reported", "success", None) in portal.events()


class TestNothingLeavesUncharged:
    @pytest.mark.abuse("A64")
    def test_a_metered_view_that_forgot_to_charge_sends_nothing(
        self, reader: tuple[Browser, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.ERROR):
            answer = reader[0].get("/records/forgotten", headers=JSON)
        assert (answer.status_code, answer.json["code"]) == (500, "not_metered")
        assert "records.forgotten" in caplog.text

    @pytest.mark.abuse("A64")
    @pytest.mark.parametrize("number", [0, 1])
    def test_an_error_of_a_metered_view_tells_nothing_either(self, reader: tuple[Browser, str], number: int) -> None:
        assert reader[0].get(f"/records/oracle/{number}", headers=JSON).json["code"] == "not_metered"

    def test_a_view_that_reads_nothing_says_so(self, portal: Portal, reader: tuple[Browser, str]) -> None:
        assert reader[0].get("/records/help").text == "how to search"
        assert lines(portal) == []

    @pytest.mark.abuse("A64")
    def test_a_refusal_that_a_view_swallows_replaces_its_answer(self, reader: tuple[Browser, str]) -> None:
        works(reader[0], 0, 70)
        answer = reader[0].get("/records/swallowed/more", headers=JSON)
        assert (answer.status_code, answer.json["code"]) == (401, "read_quota_reached")

    @pytest.mark.abuse("A64")
    def test_a_session_that_was_ended_in_the_middle_of_a_request_reads_nothing(self, portal: Portal) -> None:
        @portal.app.get("/ended")
        def ended() -> str:
            portal.sql("DELETE FROM mfa_sessions")
            portal.gate.count_reads("patient", ["4711"])
            return "record 4711"

        browser, _ = signed_in(portal)
        answer = browser.get("/ended", headers=JSON)
        assert (answer.status_code, "record" in answer.text) == (401, False)
        assert lines(portal) == []

    @pytest.mark.abuse("A64")
    def test_a_stream_that_charges_while_it_runs_sends_no_record(
        self, portal: Portal, reader: tuple[Browser, str]
    ) -> None:
        assert reader[0].get("/records/streamed", headers=JSON).json["code"] == "not_metered"
        with pytest.raises(RuntimeError, match="too late"):
            _ = reader[0].get("/records/streamed-after").data
        assert len(lines(portal)) == 1

    @pytest.mark.abuse("A64")
    @pytest.mark.parametrize("path", ["/records/1", "/records/?ids=1", "/records/forgotten", "/records/help"])
    def test_nobody_who_is_not_signed_in_learns_what_there_is(self, portal: Portal, path: str) -> None:
        stranger = portal.browser()
        portal.enrolled()
        assert stranger.get(path, headers=JSON).status_code == 401
        stranger.password()
        assert stranger.get(path, headers=JSON).status_code == 401
        assert lines(portal) == []

    def test_an_automatic_answer_to_options_passes(self, reader: tuple[Browser, str]) -> None:
        assert reader[0].open("OPTIONS", "/records/1").status_code == 200

    @pytest.mark.abuse("A64")
    def test_a_view_of_the_portals_own_for_options_is_metered_as_any(self, reader: tuple[Browser, str]) -> None:
        answer = reader[0].open("OPTIONS", "/records/asked", headers=JSON)
        assert answer.json["code"] == "not_metered"

    def test_the_portals_cookies_go_with_the_answer_that_takes_the_place(self, make: MakePortal) -> None:
        portal = open_records(make)

        @portal.app.after_request
        def cookie(response: Any) -> Any:
            response.set_cookie("portal_saw", "it")
            return response

        browser, _ = signed_in(portal)
        answer = browser.get("/records/forgotten", headers=JSON)
        assert any("portal_saw=it" in value for value in answer.headers.getlist("Set-Cookie"))

    def test_the_list_of_routes_says_which_are_charged_and_which_must_count(self, portal: Portal) -> None:
        done = portal.app.test_cli_runner().invoke(args=["mfa", "routes", "--json"])
        told = {route["rule"]: route["reads"] for route in json.loads(done.stdout)["routes"]}
        assert told["/records/<number>"] == "charged"
        assert told["/records/forgotten"] == "metered"
        assert told["/records/help"] is told["/"] is None
        words = portal.app.test_cli_runner().invoke(args=["mfa", "routes"]).stdout
        assert "MFA; reads are charged" in words

    def test_a_mark_that_contradicts_another_stops_the_start(self, portal: Portal) -> None:
        gate = portal.gate
        with pytest.raises(ConfigurationError, match="contradict"):
            gate.reads_nothing(gate.reads("patient", record="number")(lambda number: number))
        with pytest.raises(ConfigurationError, match="contradict"):
            gate.public(gate.reads_nothing(lambda: ""))

    def test_a_public_view_in_a_metered_blueprint_stops_the_start(self, make: MakePortal) -> None:
        portal = make()
        made = Blueprint("open", __name__, url_prefix="/open")
        portal.gate.metered(made)
        made.get("/")(portal.gate.public(lambda: ""))
        portal.app.register_blueprint(made)
        with pytest.raises(ConfigurationError, match=r"gate\.metered"):
            portal.browser().get("/open/")

    def test_a_mark_that_names_no_argument_shows_nothing(self, make: MakePortal) -> None:
        portal = make()
        portal.app.get("/wrong/<number>")(portal.gate.reads("patient", record="nir")(lambda number: number))
        browser, _ = signed_in(portal)
        assert browser.get("/wrong/1", headers=JSON).json["code"] == "not_metered"


class TestBadInput:
    @pytest.mark.parametrize("record", ["x" * 513, "%00" * 600])
    def test_what_can_be_no_id_is_said_in_a_sentence(self, reader: tuple[Browser, str], record: str) -> None:
        answer = opens(reader[0], record)
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_record")

    @pytest.mark.parametrize("record", ["%F0%9F%92%8A", "%00", "..%2F", "%E2%80%AE", "'%20OR%201=1", "x" * 512])
    def test_whatever_else_is_an_id(self, portal: Portal, reader: tuple[Browser, str], record: str) -> None:
        assert opens(reader[0], record).status_code in (200, 404)

    def test_a_list_of_a_hundred_thousand_ids_is_stopped(self, portal: Portal) -> None:
        @portal.app.get("/everything")
        def everything() -> str:
            portal.gate.count_reads("patient", range(100_000))
            return "all of them"

        browser, _ = signed_in(portal)
        answer = browser.get("/everything", headers=JSON)
        assert (answer.status_code, answer.json["code"]) == (403, "reads_stopped")
        assert lines(portal) == []

    def test_a_list_that_no_proof_grants_is_said_to_be_too_long(
        self, portal: Portal, reader: tuple[Browser, str]
    ) -> None:
        answer = reader[0].get(f"/records/?ids={','.join(map(str, range(100)))}", headers=JSON)
        assert (answer.status_code, answer.json["code"]) == (403, "too_many_at_once")
        assert lines(portal) == []

    @pytest.mark.parametrize("ids", [[], ()])
    def test_an_empty_list_reads_nothing_and_is_charged(self, portal: Portal, ids: Any) -> None:
        @portal.app.get("/none")
        def none() -> str:
            portal.gate.count_reads("patient", ids)
            return "none"

        browser, _ = signed_in(portal)
        assert browser.get("/none").status_code == 200
        assert lines(portal) == []

    @pytest.mark.parametrize("ids", ["4711", b"4711", 4711, None])
    def test_what_is_no_list_is_a_mistake_of_the_portals(self, portal: Portal, ids: Any) -> None:
        @portal.app.get("/mistake")
        def mistake() -> str:
            portal.gate.count_reads("patient", ids)
            return "record"

        browser, _ = signed_in(portal)
        with pytest.raises(TypeError):
            browser.get("/mistake")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"least": 0},
            {"ceiling": 501},
            {"fading": 1.0},
            {"miss": 0.3},
            {"usual": {}},
            {"usual": {"": float("nan")}},
            {"pace": -1.0},
            {"z": float("inf")},
            {"canary": "1"},
        ],
    )
    def test_a_policy_that_means_nothing_stops_the_start(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError):
            HarvestPolicy(**wrong)
