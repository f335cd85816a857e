"""Risk at the door and inside a session, over HTTP: the unusual proves more, the usual is left in peace."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mfa_gate import GroupPolicy, Policy
from mfa_gate.durations import DAY
from mfa_gate.netinfo import Network
from mfa_gate.risk import RiskPolicy
from mfa_gate.risk.features import CHAINS, LEVELS
from mfa_gate.risk.reasons import REASONS
from mfa_gate.testing import SoftwareKey
from tests.support.agents import CHROME
from tests.support.networks import ABROAD, HOME, PHONE, Networks
from tests.support.portal import BASE_URL, JSON, Browser, MakePortal, Portal
from tests.support.statements import statements
from tests.support.web import engine_of

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0"


@pytest.fixture
def networks() -> Networks:
    return Networks()


@pytest.fixture
def portal(make: MakePortal, networks: Networks) -> Portal:
    return make(netinfo=networks, risk=RiskPolicy())


def with_agent(browser: Browser, agent: str = FIREFOX.format(140)) -> Browser:
    browser.client.environ_base["HTTP_USER_AGENT"] = agent
    return browser


def at(portal: Portal, address: str = HOME, agent: str = FIREFOX.format(140)) -> Browser:
    return with_agent(portal.browser(address), agent)


def moved(browser: Browser, address: str | None = None, agent: str = FIREFOX.format(140)) -> Browser:
    """The same cookies in another place or browser."""
    return with_agent(browser.copy(address), agent)


def usual(portal: Portal, times: int = 8) -> tuple[Browser, str]:
    """An owner with an app, who has signed in at home for some days; signed out now."""
    secret = portal.enrolled("anne")
    browser = at(portal)
    for _ in range(times):
        browser.sign_in(secret)
        browser.step("sign-out")
        portal.clock.advance(DAY)
    return browser, secret


def with_key(portal: Portal) -> tuple[Browser, str, SoftwareKey]:
    """The same, with a security key besides."""
    browser, key = at(portal), SoftwareKey(BASE_URL)
    browser.activate()
    secret = browser.begin_enrolment()
    browser.api(
        "POST", "totp/enrol/complete", {"enrolment": secret["enrolment"], "code": portal.code(secret["secret"])}
    )
    browser.add_key(key)
    for _ in range(8):
        browser.step("sign-out")
        portal.clock.advance(DAY)
        browser.sign_in(secret["secret"])
    browser.step("sign-out")
    portal.clock.advance(DAY)
    return browser, secret["secret"], key


def later(browser: Browser, quarters: int) -> Any:
    """Use a session every quarter of an hour; the last answer."""
    for _ in range(quarters):
        browser.portal.clock.advance(901)
        answer = browser.get("/")
    return answer


def assessed(portal: Portal) -> dict[str, Any]:
    """What the last right password was found to be."""
    (row,) = portal.sql("SELECT data FROM mfa_events WHERE kind = 'first_factor' ORDER BY id DESC LIMIT 1")
    found: dict[str, Any] = json.loads(row[0])
    return found


class TestAtTheDoor:
    def test_a_usual_sign_in_is_left_in_peace(self, portal: Portal) -> None:
        browser, secret = usual(portal)
        assert browser.sign_in(secret).status_code == 303
        assert (assessed(portal)["risk"], assessed(portal)["reasons"]) == ("usual", [])

    def test_a_usual_sign_in_may_be_completed_by_all_that_the_account_has(self, portal: Portal) -> None:
        browser, _, _ = with_key(portal)
        browser.password()
        assert sorted(browser.api("GET", "session").json["allowed_methods"]) == ["recovery", "totp", "webauthn"]

    @pytest.mark.abuse("A53")
    def test_an_app_is_not_enough_abroad_where_the_account_has_a_key(self, portal: Portal) -> None:
        _, secret, key = with_key(portal)
        thief = at(portal, ABROAD, CHROME)
        thief.password()
        answer = thief.api("POST", "totp/verify", {"code": portal.code(secret)})
        assert (answer.status_code, answer.json["code"]) == (403, "surer_proof_required")
        assert thief.state == "pending"
        assert thief.prove(key).status_code == 200

    def test_the_page_offers_only_what_would_do_and_says_why(self, portal: Portal) -> None:
        _, _, _ = with_key(portal)
        thief = at(portal, ABROAD, CHROME)
        thief.password()
        page = thief.get("/mfa/challenge", headers={"Accept-Language": "en"}).text
        assert 'value="webauthn"' in page
        assert 'value="totp"' not in page
        assert "ressemble pas" in page  # the account's language is French

    def test_programs_are_told_the_methods_that_would_do(self, portal: Portal) -> None:
        with_key(portal)
        thief = at(portal, ABROAD, CHROME)
        thief.password()
        assert thief.api("GET", "session").json["allowed_methods"] == ["webauthn"]

    @pytest.mark.abuse("A53")
    def test_where_nothing_would_do_it_is_stopped_and_says_what_to_do(self, portal: Portal) -> None:
        _, secret = usual(portal)
        thief = at(portal, ABROAD, CHROME)
        thief.password()
        assert assessed(portal)["risk"] == "high"
        answer = thief.step("challenge", code=portal.code(secret))
        assert answer.status_code == 403
        assert "ressemble pas" in answer.text
        assert thief.api("POST", "totp/verify", {"code": portal.code(secret)}).json["code"] == "too_unusual"
        assert thief.get("/").status_code != 200

    def test_what_was_refused_for_its_risk_spends_no_code_and_counts_no_attempt(self, portal: Portal) -> None:
        owner, secret = usual(portal)
        thief = at(portal, ABROAD, CHROME)
        thief.password()
        for _ in range(30):
            thief.api("POST", "totp/verify", {"code": portal.code(secret)})
        assert owner.sign_in(secret).status_code == 303

    def test_the_owner_is_told_of_a_high_one(self, portal: Portal) -> None:
        usual(portal)
        portal.mark_notices_shown()
        at(portal, ABROAD, CHROME).password()
        kinds = [row[0] for row in portal.sql("SELECT kind FROM mfa_outbox WHERE shown_at IS NULL")]
        assert "unusual_sign_in" in kinds

    @pytest.mark.abuse("A53")
    def test_a_password_alone_teaches_nothing(self, portal: Portal) -> None:
        usual(portal)
        for _ in range(20):
            at(portal, ABROAD, CHROME).password()
            portal.clock.advance(DAY)
        assert assessed(portal)["risk"] == "high"

    def test_one_strong_proof_lowers_the_risk_again(self, portal: Portal) -> None:
        _, _, key = with_key(portal)
        traveller = at(portal, ABROAD, CHROME)
        traveller.password()
        traveller.prove(key)
        portal.mark_notices_shown()
        assert later(traveller, 8).status_code == 200

    def test_a_session_that_began_unusually_proves_itself_again_after_an_hour(self, portal: Portal) -> None:
        _, secret = usual(portal)
        stranger = at(portal, "90.200.9.9", CHROME)
        stranger.sign_in(secret)
        assert assessed(portal)["risk"] == "raised"
        portal.mark_notices_shown()
        assert later(stranger, 3).status_code == 200
        assert later(stranger, 1).headers["Location"].endswith("/mfa/challenge")

    def test_such_a_session_is_asked_for_no_less_than_others(self, portal: Portal) -> None:
        _, secret = usual(portal)
        stranger = at(portal, "90.200.9.9", CHROME)
        stranger.sign_in(secret)
        portal.mark_notices_shown()
        assert stranger.get("/safe", headers=JSON).json["code"] == "no_suitable_method"
        assert stranger.get("/bank").status_code == 200
        portal.clock.advance(600)
        assert stranger.get("/bank", headers=JSON).json["code"] == "step_up_required"

    def test_what_was_new_becomes_usual_by_being_proven(self, portal: Portal) -> None:
        _, secret, key = with_key(portal)
        away = at(portal, PHONE, CHROME)
        for _ in range(4):
            away.password()
            away.prove(key)
            away.step("sign-out")
            portal.clock.advance(DAY)
        assert away.sign_in(secret).status_code == 303
        assert assessed(portal)["risk"] == "usual"

    def test_a_recovery_code_is_a_way_back_from_a_new_device_at_home(self, portal: Portal) -> None:
        browser, key = at(portal), SoftwareKey(BASE_URL)
        browser.activate()
        codes = browser.add_key(key).json["recovery_codes"]
        browser.step("sign-out")
        stranger = at(portal, HOME, CHROME)
        stranger.password()
        assert assessed(portal)["risk"] == "raised"
        assert stranger.api("POST", "recovery/verify", {"code": codes[0]}).status_code == 200

    def test_where_little_is_known_nothing_is_usual_without_a_known_device(self, portal: Portal) -> None:
        secret = portal.enrolled("anne")
        stranger = at(portal)
        stranger.sign_in(secret)
        assert assessed(portal)["risk"] == "raised"
        assert "little_known" in assessed(portal)["reasons"]

    def test_no_network_data_are_no_refusal(self, portal: Portal, networks: Networks) -> None:
        browser, secret = usual(portal)
        networks.fails = True
        browser.address = "90.1.2.77"
        assert browser.sign_in(secret).status_code == 303

    @pytest.mark.parametrize("garbage", [None, Network(3215, b"FR", "castle", ["x"]), "AS3215"])  # type: ignore[arg-type]
    def test_a_source_that_says_something_else_is_no_refusal(
        self, portal: Portal, networks: Networks, garbage: Any
    ) -> None:
        browser, secret = usual(portal)
        networks.says = garbage
        browser.address = "90.1.2.78"
        assert browser.sign_in(secret).status_code == 303

    def test_network_data_of_long_ago_say_nothing(self, portal: Portal, networks: Networks) -> None:
        browser, _ = usual(portal, 1)
        networks.built_at, before = portal.clock() - 400 * DAY, networks.asked
        browser.address = "90.1.3.77"
        browser.password()
        assert networks.asked == before

    def test_private_addresses_are_not_looked_up(self, portal: Portal, networks: Networks) -> None:
        at(portal, "10.0.0.7").password()
        at(portal, "::ffff:192.168.0.7").password()
        assert networks.asked == 0

    def test_no_address_and_no_browser_stand_in_the_store_in_clear(self, portal: Portal) -> None:
        usual(portal)
        kept = json.dumps([list(map(str, row)) for row in portal.sql("SELECT habits FROM mfa_accounts")])
        kept += json.dumps([list(map(str, row)) for row in portal.sql("SELECT context, shown FROM mfa_sessions")])
        for secret in (HOME, "90.1", "Firefox", "Linux"):
            assert secret not in kept

    @pytest.mark.abuse("A19")
    @pytest.mark.parametrize("garbage", ["", "\x7f\x01", "é" * 400, "a" * 60_000, "{}", "Mozilla/5.0 (((((((((("])
    def test_garbage_in_a_header_never_errors_and_never_lowers_the_risk(self, portal: Portal, garbage: str) -> None:
        usual(portal)
        order = ("usual", "raised", "high")
        at(portal, "90.200.9.9", FIREFOX.format(140)).password()
        honest = assessed(portal)["risk"]
        stranger = at(portal, "90.200.9.9", garbage.encode().decode("latin-1"))
        assert stranger.password().status_code == 303
        assert order.index(assessed(portal)["risk"]) >= order.index(honest)


def test_the_page_of_sessions_names_the_network_that_the_data_knows(portal: Portal) -> None:
    browser, secret = usual(portal)
    browser.sign_in(secret)
    assert "Orange" in browser.get("/mfa/sessions").text


class TestReportOnly:
    def test_the_whole_engine_reports_and_refuses_nothing(self, make: MakePortal, networks: Networks) -> None:
        portal = make(netinfo=networks, risk=RiskPolicy(report_only=frozenset({"all"})))
        _, secret = usual(portal)
        thief = at(portal, ABROAD, CHROME)
        assert thief.sign_in(secret).status_code == 303
        assert (assessed(portal)["risk"], assessed(portal)["would_be"]) == ("usual", "high")
        assert "new_country" in assessed(portal)["reasons"]
        assert assessed(portal)["score"] == round(assessed(portal)["score"], 2) != int(assessed(portal)["score"])
        evidence = assessed(portal)["evidence"].values()
        assert any(value != int(value) for value in evidence)
        assert all(value == round(value, 2) for value in evidence)

    @pytest.mark.parametrize("reported", ["session", "all"])
    def test_moves_inside_a_session_report_and_refuse_nothing(
        self, make: MakePortal, networks: Networks, reported: str
    ) -> None:
        portal = make(netinfo=networks, risk=RiskPolicy(report_only=frozenset({reported})))
        browser, secret = usual(portal)
        browser.sign_in(secret)
        portal.mark_notices_shown()
        assert moved(browser, ABROAD).get("/").status_code == 200
        assert ("session_moved", "success", None) in portal.events()

    def test_a_session_is_held_against_where_it_was_proven_and_not_where_it_went(
        self, make: MakePortal, networks: Networks
    ) -> None:
        portal = make(netinfo=networks, risk=RiskPolicy(report_only=frozenset({"session"})))
        browser, secret = usual(portal)
        browser.sign_in(secret)
        for agent in (FIREFOX.format(140), FIREFOX.format(141)):  # the second is near the first, and far from home
            assert moved(browser, ABROAD, agent).get("/").status_code == 200
            for _ in range(4):  # it is told once an hour
                portal.clock.advance(900)
                moved(browser, ABROAD, agent).get("/")
        assert [kind for kind, *_ in portal.events()].count("session_moved") == 2


class TestInsideTheSession:
    @pytest.fixture
    def owner(self, portal: Portal) -> tuple[Browser, str]:
        """Signed in at home."""
        browser, secret = usual(portal)
        browser.sign_in(secret)
        portal.mark_notices_shown()
        assert browser.get("/").status_code == 200
        return browser, secret

    @pytest.mark.parametrize("path", ["/", "/bank", "/mfa/authenticators", "/mfa/sessions"])
    def test_a_stolen_cookie_opens_nothing_from_elsewhere(
        self, portal: Portal, owner: tuple[Browser, str], path: str
    ) -> None:
        thief = moved(owner[0], ABROAD)
        assert thief.get(path).status_code in (303, 401)
        assert thief.state == "pending"

    @pytest.mark.abuse("A67")
    def test_a_stolen_cookie_lists_nothing_for_programs(self, owner: tuple[Browser, str]) -> None:
        thief = moved(owner[0], ABROAD)
        assert thief.api("GET", "sessions").status_code == 401
        assert thief.api("GET", "authenticators").status_code == 401

    @pytest.mark.abuse("A67")
    def test_a_stolen_cookie_opens_nothing_in_another_browser(self, owner: tuple[Browser, str]) -> None:
        assert moved(owner[0], agent=CHROME).get("/").status_code in (303, 401)
        assert moved(owner[0], agent="").get("/").status_code in (303, 401)

    @pytest.mark.abuse("A67")
    def test_the_portal_sees_nobody_where_a_stolen_cookie_shows_up(self, owner: tuple[Browser, str]) -> None:
        thief = moved(owner[0], ABROAD)
        thief.get("/")
        assert "open to None None" in thief.get("/open").text

    def test_its_owner_goes_on_by_the_other_version_of_ip(self, make: MakePortal) -> None:
        """As browsers do within one page, where the network gives addresses of both (RFC 8305)."""
        both = Networks(says=Network("AS3215", "FR", "access", "Orange"))
        portal = make(netinfo=both, risk=RiskPolicy())
        browser, secret = usual(portal)
        browser.sign_in(secret)
        for address in ("2a01:cb00:1::7", HOME, "2a01:cb00:1::8", HOME):
            assert moved(browser, address).get("/").status_code == 200
        assert "session_moved" not in [kind for kind, *_ in portal.events()]

    def test_both_versions_of_ip_that_were_proven_go_on_without_network_data(self, make: MakePortal) -> None:
        portal = make(risk=RiskPolicy())
        browser, secret = usual(portal)
        browser.sign_in(secret)
        browser.address = "2a01:cb00:1::7"
        assert browser.get("/").status_code in (303, 401)
        portal.clock.advance(30)
        browser.step("challenge", code=portal.code(secret))
        for address in (HOME, "2a01:cb00:1::8", HOME, "2a01:cb00:1::9"):
            browser.address = address
            assert browser.get("/").status_code == 200

    def test_its_owner_goes_on_at_home(self, portal: Portal, owner: tuple[Browser, str]) -> None:
        moved(owner[0], ABROAD).get("/")
        assert owner[0].get("/").status_code == 200

    def test_its_owner_is_told(self, portal: Portal, owner: tuple[Browser, str]) -> None:
        for _ in range(5):
            moved(owner[0], ABROAD).get("/")
        kinds = [row[0] for row in portal.sql("SELECT kind FROM mfa_outbox WHERE shown_at IS NULL")]
        assert kinds == ["session_moved"]

    def test_its_owner_is_told_which_browser_it_was(self, portal: Portal, owner: tuple[Browser, str]) -> None:
        moved(owner[0], ABROAD, CHROME).get("/")
        at(portal, ABROAD, CHROME).password()
        assert ("unusual_sign_in", "unknown", None) in portal.events()
        told = dict(tuple(row) for row in portal.sql("SELECT kind, data FROM mfa_outbox"))
        for kind in ("session_moved", "unusual_sign_in"):
            assert json.loads(told[kind])["browser"] == "Chrome · Windows"

    @pytest.mark.abuse("A67")
    @pytest.mark.parametrize("then", [HOME, ABROAD, PHONE])
    def test_a_sign_in_that_is_too_unusual_for_an_app_stays_so_wherever_it_shows_up(
        self, portal: Portal, owner: tuple[Browser, str], then: str
    ) -> None:
        thief = at(portal, ABROAD, CHROME)
        thief.password()
        portal.clock.advance(30)
        for agent in (CHROME, FIREFOX.format(140)):
            answer = moved(thief, then, agent).api("POST", "totp/verify", {"code": portal.code(owner[1])})
            assert answer.status_code == 403

    def test_each_session_that_shows_up_elsewhere_is_on_record(
        self, portal: Portal, owner: tuple[Browser, str]
    ) -> None:
        browser, secret = owner
        portal.clock.advance(30)
        second = at(portal, browser.address)
        second.sign_in(secret)
        portal.mark_notices_shown()
        moved(browser, ABROAD).get("/")
        moved(second, ABROAD).get("/")
        kinds = [event for event in portal.events() if event[0] == "session_moved"]
        assert kinds == [("session_moved", "refused", None)] * 2

    @pytest.mark.abuse("A67")
    def test_a_session_that_has_moved_takes_what_is_surest_as_a_sign_in_would(self, portal: Portal) -> None:
        browser, secret, key = with_key(portal)
        browser.password()
        browser.prove(key)
        thief = moved(browser, ABROAD)
        answer = thief.api("POST", "totp/verify", {"code": portal.code(secret)})
        assert (answer.status_code, answer.json["code"]) == (403, "surer_proof_required")
        assert thief.prove(key).status_code == 200

    @pytest.mark.abuse("A67")
    def test_an_observed_session_that_has_moved_sees_nothing(self, make: MakePortal, networks: Networks) -> None:
        observed = GroupPolicy(observe_until=datetime(2024, 1, 1, tzinfo=UTC))
        portal = make(netinfo=networks, risk=RiskPolicy(), policy=Policy({"doctor": observed}))
        browser = at(portal)
        browser.password("bob")
        assert browser.get("/").text == "home of bob"
        assert moved(browser, ABROAD, CHROME).get("/", headers=JSON).status_code == 401

    @pytest.mark.abuse("A67")
    def test_that_a_session_shows_up_elsewhere_is_on_record_once_an_hour(self, owner: tuple[Browser, str]) -> None:
        browser, _ = owner
        for _ in range(2):
            for _ in range(3):
                moved(browser, ABROAD).get("/")
                moved(browser, PHONE, CHROME).get("/")
            for _ in range(4):
                browser.portal.clock.advance(900)
                browser.get("/")
        kinds = [event for event in browser.portal.events() if event[0] == "session_moved"]
        assert kinds == [("session_moved", "refused", None)] * 2

    def test_an_owner_who_has_moved_proves_it_once(self, portal: Portal, owner: tuple[Browser, str]) -> None:
        browser, secret = owner
        portal.clock.advance(60)
        away = moved(browser, PHONE)
        assert away.get("/").status_code in (303, 401)
        assert away.step("challenge", code=portal.code(secret)).status_code == 303
        with statements(engine_of(portal)) as seen:
            assert away.get("/").status_code == 200
        assert seen == []  # the session is where its owner is, and nothing has to be worked out any more
        assert moved(away, ABROAD).get("/").status_code in (303, 401)

    @pytest.fixture
    def newcomer(self, portal: Portal) -> tuple[Browser, str]:
        """At home, with the activation code typed and nothing enrolled yet."""
        browser, code = at(portal), portal.activation_code()
        browser.password()
        assert browser.api("POST", "activation/verify", {"code": code}).status_code == 200
        return browser, code

    @pytest.mark.abuse("A67")
    @pytest.mark.parametrize(("address", "agent"), [(ABROAD, FIREFOX.format(140)), (HOME, CHROME)])
    def test_a_cookie_that_was_stolen_while_its_owner_enrols_enrols_nothing(
        self, newcomer: tuple[Browser, str], address: str, agent: str
    ) -> None:
        thief = moved(newcomer[0], address, agent)
        assert thief.state == "activation"
        assert thief.api("POST", "totp/enrol/begin").json["code"] == "activation_required"
        assert thief.api("POST", "webauthn/enrol/begin").json["code"] == "activation_required"

    @pytest.mark.abuse("A67")
    def test_what_was_begun_at_home_is_finished_nowhere_else(
        self, portal: Portal, newcomer: tuple[Browser, str]
    ) -> None:
        begun = newcomer[0].begin_enrolment()
        body = {"enrolment": begun["enrolment"], "code": portal.code(begun["secret"])}
        thief = moved(newcomer[0], ABROAD)
        assert thief.api("POST", "totp/enrol/complete", body).json["code"] == "activation_required"
        assert newcomer[0].api("POST", "totp/enrol/complete", body).status_code == 200

    def test_an_owner_who_moves_while_enrolling_types_the_code_again_and_goes_on(
        self, portal: Portal, newcomer: tuple[Browser, str]
    ) -> None:
        at_home, code = newcomer
        begun = at_home.begin_enrolment()
        away = moved(at_home, PHONE)
        assert "connexion a changé" in away.get("/mfa/activate").text
        assert away.step("activate", code=code).status_code == 303
        assert away.confirm(begun).status_code == 200
        assert at_home.state == "anonymous"  # what was left behind opens nothing

    def test_an_owner_who_moves_while_enrolling_is_told_once(
        self, portal: Portal, newcomer: tuple[Browser, str]
    ) -> None:
        for _ in range(3):
            moved(newcomer[0], PHONE).get("/")
        assert portal.events().count(("session_moved", "refused", None)) == 1

    def test_an_owner_who_has_typed_the_code_again_is_not_alarmed(
        self, portal: Portal, newcomer: tuple[Browser, str]
    ) -> None:
        away = moved(newcomer[0], PHONE)
        away.get("/")
        portal.clock.advance(1)
        away.step("activate", code=newcomer[1])
        secret = away.begin_enrolment()
        away.api(
            "POST", "totp/enrol/complete", {"enrolment": secret["enrolment"], "code": portal.code(secret["secret"])}
        )
        away.step("sign-out")
        portal.clock.advance(DAY)
        away.sign_in(secret["secret"])
        kinds = [told["kind"] for told in away.api("GET", "notices").json["notices"]]
        assert "authenticator_added" in kinds
        assert "session_moved" not in kinds

    def test_a_move_between_password_and_code_alarms_nobody(self, portal: Portal) -> None:
        browser, code = at(portal), portal.activation_code()
        browser.password()
        away = moved(browser, PHONE)
        assert "connexion a changé" not in away.get("/mfa/activate").text
        assert ("session_moved", "success", None) in portal.events()
        assert portal.sql("SELECT kind FROM mfa_outbox WHERE kind = 'session_moved'") == []
        assert away.step("activate", code=code).status_code == 303
        assert away.state == "enrolling"

    @pytest.mark.abuse("A67")
    def test_where_a_sign_in_only_began_is_a_strange_place_to_its_session(self, portal: Portal) -> None:
        browser, secret = usual(portal)
        begun = moved(browser, PHONE)
        begun.password()
        at_home = moved(begun, HOME)
        assert at_home.step("challenge", code=portal.code(secret)).status_code == 303
        assert at_home.get("/").status_code == 200
        assert moved(at_home, PHONE).get("/").status_code in (303, 401)

    def test_a_browser_update_asks_for_nothing(self, owner: tuple[Browser, str]) -> None:
        assert moved(owner[0], agent=FIREFOX.format(141)).get("/").status_code == 200

    def test_another_address_of_the_same_network_asks_for_nothing(self, owner: tuple[Browser, str]) -> None:
        assert moved(owner[0], "90.1.2.200").get("/").status_code == 200

    def test_a_phone_between_networks_that_it_has_proven_is_not_pestered(self, portal: Portal) -> None:
        browser, secret = usual(portal)
        browser.address = PHONE
        browser.sign_in(secret)
        portal.clock.advance(DAY)
        browser.address = HOME
        browser.sign_in(secret)
        portal.mark_notices_shown()
        for address in (PHONE, HOME, PHONE, HOME):
            browser.address = address
            assert browser.get("/").status_code == 200

    def test_what_was_not_moved_costs_no_statement(self, portal: Portal, owner: tuple[Browser, str]) -> None:
        with statements(engine_of(portal)) as seen:
            owner[0].get("/")
        assert seen == []  # the session itself is read beside all transactions

    def test_sessions_from_before_an_upgrade_go_on(self, portal: Portal, owner: tuple[Browser, str]) -> None:
        portal.sql("UPDATE mfa_sessions SET context = NULL, shown = NULL")
        assert owner[0].get("/").status_code == 200

    @pytest.mark.parametrize("written", ["", "{", "[]", '["test1", 5]', '["gone", {}]', '[1, {"asn": 5}]'])
    def test_what_was_written_there_by_hand_closes_it(
        self, portal: Portal, owner: tuple[Browser, str], written: str
    ) -> None:
        portal.sql("UPDATE mfa_sessions SET shown = :written", written=written)
        assert moved(owner[0], "90.1.77.1").get("/").status_code in (303, 401)


class TestKeys:
    def test_after_a_rotation_the_usual_is_usual_still(self, make: MakePortal, networks: Networks) -> None:
        old, new = "old:" + "A" * 43, "new:" + "B" * 43
        before = make(netinfo=networks, risk=RiskPolicy(), MFA_GATE_KEYS=old)
        browser, secret = usual(before)
        after = make(netinfo=networks, risk=RiskPolicy(), MFA_GATE_KEYS=f"{new},{old}", clock=before.clock)
        again = with_agent(browser.on(after))
        for _ in range(2):
            assert again.sign_in(secret).status_code == 303
            assert (assessed(after)["risk"], assessed(after)["reasons"]) == ("usual", [])
            again.step("sign-out")
            after.clock.advance(DAY)

    def test_a_session_stays_where_it_is_over_a_rotation(self, make: MakePortal, networks: Networks) -> None:
        old, new = "old:" + "A" * 43, "new:" + "B" * 43
        before = make(netinfo=networks, risk=RiskPolicy(), MFA_GATE_KEYS=old)
        browser, secret = usual(before)
        browser.sign_in(secret)
        before.mark_notices_shown()
        after = make(netinfo=networks, risk=RiskPolicy(), MFA_GATE_KEYS=f"{new},{old}", clock=before.clock)
        again = with_agent(browser.on(after))
        assert again.get("/").status_code == 200
        again.address = "90.1.2.9"
        assert again.get("/").status_code == 200
        assert with_agent(moved(again, ABROAD)).get("/").status_code in (303, 401)


def test_risk_never_adds_where_it_is_weighed_to_nothing(make: MakePortal, networks: Networks) -> None:
    policy = RiskPolicy()
    nothing = replace(policy, weights=dict.fromkeys(policy.weights, 0.0), bias=-20.0)
    portal = make(netinfo=networks, risk=nothing)
    _, secret = usual(portal)
    assert at(portal, ABROAD, CHROME).sign_in(secret).status_code == 303


class TestExplained:
    def explain(self, portal: Portal, event: object, *more: str) -> Any:
        return portal.app.test_cli_runner().invoke(args=["mfa", "risk", "explain", str(event), *more])

    def last(self, portal: Portal, kind: str) -> int:
        (row,) = portal.sql("SELECT max(id) FROM mfa_events WHERE kind = :kind", kind=kind)
        return int(row[0])

    def test_an_unusual_sign_in_is_explained_in_both_languages(self, portal: Portal) -> None:
        usual(portal)
        at(portal, ABROAD, CHROME).password()
        done = self.explain(portal, self.last(portal, "first_factor"))
        assert done.exit_code == 0
        assert "Risk: high" in done.output
        assert "new_country: The account has not signed in from this country before." in done.output
        assert "jamais connecté depuis ce pays" in done.output

    def test_programs_get_reasons_and_evidence(self, portal: Portal) -> None:
        usual(portal)
        at(portal, ABROAD, CHROME).password()
        found = json.loads(self.explain(portal, self.last(portal, "first_factor"), "--json").output)
        assert (found["risk"], found["evidence"]["place"] > 0) == ("high", True)

    def test_a_move_inside_a_session_is_explained(self, portal: Portal) -> None:
        browser, secret = usual(portal)
        browser.sign_in(secret)
        moved(browser, ABROAD, CHROME).get("/")
        done = self.explain(portal, self.last(portal, "session_moved"))
        assert "browser_changed" in done.output
        assert "new_country" in done.output

    @pytest.mark.parametrize("event", ["999999", "0", "-1", "x", str(2**70)])
    def test_what_is_no_such_event_is_said_in_a_sentence(self, portal: Portal, event: str) -> None:
        done = self.explain(portal, event)
        assert done.exit_code == 2
        assert "Traceback" not in done.output

    def test_an_event_of_another_kind_is_said_to_be_one(self, portal: Portal) -> None:
        portal.activation_code()
        done = self.explain(portal, self.last(portal, "activation_issued"))
        assert "is not one that risk was worked out for" in done.output

    def test_every_reason_that_the_engine_can_give_has_a_sentence(self) -> None:
        codes = {f"new_{level}" for level in LEVELS} | {f"unusual_{chain[-1]}" for chain in CHAINS.values()}
        assert codes | {"new_device", "little_known", "fan_in", "leaked_password"} | {
            "browser_changed",
            "place_unknown",
        } == set(REASONS)


class TestWithTheRestOfTheHouse:
    @pytest.mark.abuse("A44")
    def test_strangers_with_the_password_close_no_way_of_its_owner(self, portal: Portal) -> None:
        owner, secret, key = with_key(portal)
        for number in range(60):
            portal.clock.advance(DAY / 20)
            thief = at(portal, f"5.2.{number}.4", CHROME)
            thief.password()
            thief.api("POST", "totp/verify", {"code": "000000"})
            thief.api("POST", "recovery/verify", {"code": "0" * 16})
            thief.api("POST", "webauthn/verify/complete", {"id": "x"})
        assert owner.sign_in(secret).status_code == 303
        elsewhere = at(portal, ABROAD, CHROME)
        elsewhere.password()
        assert elsewhere.prove(key).status_code == 200

    @pytest.mark.abuse("A42")
    def test_a_copied_device_cookie_makes_a_thief_no_owner(self, portal: Portal) -> None:
        owner, secret = usual(portal)
        thief = moved(owner, ABROAD, CHROME)
        for _ in range(2):
            owner.sign_in(secret)
            owner.step("sign-out")
            portal.clock.advance(DAY)
        thief.password()
        assert assessed(portal)["risk"] == "high"
        assert ("device_replayed", "refused", None) in portal.events()
        ((told,),) = portal.sql("SELECT data FROM mfa_outbox WHERE kind = 'device_replayed'")
        assert json.loads(told)["browser"] == "Chrome · Windows"

    def test_whoever_holds_an_activation_code_enrols_however_little_is_known(self, portal: Portal) -> None:
        newcomer = at(portal, ABROAD, CHROME)
        newcomer.activate()
        assert newcomer.state == "enrolling"
        assert newcomer.add_key(SoftwareKey(BASE_URL)).status_code == 200

    def test_forgetting_an_account_forgets_what_was_usual(self, portal: Portal) -> None:
        usual(portal)
        with portal.app.app_context():
            portal.gate.forget("anne")
        at(portal).password()
        assert "little_known" in assessed(portal)["reasons"]

    def test_a_fingerprint_counts_from_the_portals_own_proxy_alone(self, make: MakePortal, networks: Networks) -> None:
        policy = RiskPolicy(ja4_header="X-JA4", proxies=frozenset({HOME}))
        portal = make(netinfo=networks, risk=policy)
        secret = portal.enrolled("anne")
        browser = at(portal)
        browser.client.environ_base["HTTP_X_JA4"] = "t13d1516h2_8daaf6152771_b186095e22b6"
        for _ in range(8):
            browser.sign_in(secret)
            browser.step("sign-out")
            portal.clock.advance(DAY)
        browser.client.environ_base["HTTP_X_JA4"] = "another"
        browser.password()
        assert "new_ja4" in assessed(portal)["reasons"]
        browser.address = "90.1.2.4"
        browser.password()
        assert "new_ja4" not in assessed(portal)["reasons"]

    def test_what_risk_adds_to_a_sign_in_is_two_statements_at_most(self, portal: Portal) -> None:
        browser, secret = usual(portal)
        with statements(engine_of(portal)) as seen:
            browser.sign_in(secret)
        ours = [one for one in seen if "habits=" in one.replace(" ", "") or "mfa_pressure" in one or "fan_in" in one]
        assert len(ours) == 1  # what is usual is read with the account's row, which every sign-in locks anyway
