"""Policies and roll-outs as people meet them: at views, at enrolments, and in what an operator sees."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mfa_gate import Account, GroupPolicy, Level, Policy
from mfa_gate.durations import DAY
from mfa_gate.testing import SoftwareKey
from tests.support.imports import SECRET, take, written
from tests.support.portal import BASE_URL, JSON, Browser, MakePortal, Portal

START = datetime.fromtimestamp(1_700_000_000, UTC)
UNTIL = START + timedelta(days=30)


@pytest.fixture
def with_policy(make: MakePortal) -> Any:
    def made(policy: Policy, **groups: str | None) -> Portal:
        portal = make(policy=policy)
        for name, group in groups.items():
            person = portal.people[name]
            portal.people[name] = Account(person.id, person.name, person.email, group, person.locale)
        return portal

    return made


def join(portal: Portal, group: str) -> None:
    portal.people["anne"] = Account("anne", "Anne", "anne@portal.example", group, "fr")


def signed_in(portal: Portal, secret: str, account: str = "anne") -> Browser:
    portal.clock.advance(30)
    browser = portal.browser()
    assert browser.sign_in(secret, account).status_code == 303
    portal.mark_notices_shown()
    return browser


def code(browser: Browser, path: str = "/") -> tuple[int, str | None]:
    answer = browser.get(path, headers=JSON)
    return answer.status_code, (answer.json or {}).get("code") if answer.is_json else None


PASSKEY_ONLY = Policy({"doctor": GroupPolicy(methods=("webauthn",))})


# --- methods -----------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A9")
def test_passkey_only_takes_nothing_else(with_policy: Any) -> None:
    portal = with_policy(PASSKEY_ONLY, anne="nurse", bob="nurse")
    secret = portal.enrolled("anne")
    join(portal, "doctor")
    anne = signed_in(portal, secret)
    assert code(anne) == (403, "no_suitable_method")
    assert signed_in(portal, portal.enrolled("bob"), "bob").get("/").text == "home of bob"


def test_passkey_only_is_satisfied_by_a_passkey(with_policy: Any) -> None:
    portal = with_policy(PASSKEY_ONLY, anne="doctor")
    key = portal.key()
    browser = portal.browser()
    browser.password()
    assert browser.prove(key).status_code == 200
    assert browser.get("/").text == "home of anne"


def test_passkey_only_lets_nobody_set_up_an_app(with_policy: Any) -> None:
    portal = with_policy(PASSKEY_ONLY, anne="doctor")
    browser = portal.browser()
    browser.activate()
    assert browser.api("POST", "totp/enrol/begin").json["code"] == "not_found"
    assert browser.add_key().status_code == 200


def test_whoever_has_only_an_app_may_still_add_a_passkey(with_policy: Any) -> None:
    portal = with_policy(PASSKEY_ONLY, anne="nurse")
    secret = portal.enrolled()
    join(portal, "doctor")
    activation = portal.activation_code()
    browser = signed_in(portal, secret)
    assert browser.api("POST", "activation/verify", {"code": activation}).status_code == 200
    assert browser.add_key().status_code == 200
    assert browser.get("/").text == "home of anne"


def test_an_app_counts_until_its_day(with_policy: Any) -> None:
    day = (START + timedelta(days=10)).date()
    portal = with_policy(Policy({"doctor": GroupPolicy(until={"totp": day})}), anne="doctor")
    secret = portal.enrolled()
    assert signed_in(portal, secret).get("/").text == "home of anne"
    portal.clock.advance(10 * DAY)
    assert code(signed_in(portal, secret)) == (403, "no_suitable_method")


@pytest.mark.abuse("A9")
def test_a_session_of_before_the_day_does_not_outlive_it(with_policy: Any) -> None:
    day = (START + timedelta(days=1)).date()
    portal = with_policy(Policy({"doctor": GroupPolicy(until={"totp": day})}), anne="doctor")
    portal.clock.now = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() - 60
    browser = signed_in(portal, portal.enrolled())
    assert browser.get("/").text == "home of anne"
    portal.clock.advance(31)
    assert code(browser) == (403, "no_suitable_method")


@pytest.mark.abuse("A9")
def test_a_level_and_an_age_of_a_group_hold_at_every_view(with_policy: Any) -> None:
    policy = Policy({"doctor": GroupPolicy(max_age=timedelta(minutes=10))})
    portal = with_policy(policy, anne="doctor")
    browser = signed_in(portal, portal.enrolled())
    portal.clock.advance(599)
    assert browser.get("/").text == "home of anne"
    portal.clock.advance(1)
    answer = browser.get("/", headers=JSON)
    assert answer.status_code == 401
    assert 'max_age="600"' in answer.headers["WWW-Authenticate"]


@pytest.mark.abuse("A9")
@pytest.mark.parametrize("group", ["doctor", "nurse"])
def test_a_policy_takes_nothing_from_what_a_view_asks_for(with_policy: Any, group: str) -> None:
    portal = with_policy(Policy({"doctor": GroupPolicy(max_age=timedelta(hours=1))}), anne=group)
    browser = signed_in(portal, portal.enrolled())
    assert code(browser, "/safe") == (403, "no_suitable_method")
    assert code(browser, "/bank")[0] == 200
    portal.clock.advance(600)
    assert code(browser, "/bank") == (401, "step_up_required")
    assert code(browser)[0] == 200


@pytest.mark.parametrize("by_key", [False, True])
def test_what_stops_counting_while_it_is_set_up_is_not_enrolled(with_policy: Any, by_key: bool) -> None:
    other = "totp" if by_key else "webauthn"
    portal = with_policy(Policy({"doctor": GroupPolicy(methods=(other,))}), anne="nurse")
    browser = portal.browser()
    browser.activate()
    if by_key:
        begun = browser.api("POST", "webauthn/enrol/begin").json
        join(portal, "doctor")
        answer = browser.api("POST", "webauthn/enrol/complete", SoftwareKey(BASE_URL).register(begun))
    else:
        begun = browser.begin_enrolment()
        join(portal, "doctor")
        answer = browser.confirm(begun)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert portal.sql("SELECT * FROM mfa_authenticators") == []


def test_the_challenge_offers_what_counts(with_policy: Any) -> None:
    portal = with_policy(PASSKEY_ONLY, anne="doctor")
    browser = portal.browser()
    browser.activate()
    browser.add_key()
    browser.step("sign-out")
    portal.mark_notices_shown()
    browser.password()
    assert browser.api("GET", "session").json["allowed_methods"] == ["webauthn"]


# --- groups --------------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A10")
def test_a_change_of_group_counts_within_a_minute(with_policy: Any) -> None:
    portal = with_policy(PASSKEY_ONLY, anne="nurse")
    browser = signed_in(portal, portal.enrolled())
    assert browser.get("/").text == "home of anne"
    join(portal, "doctor")
    portal.clock.advance(60)
    browser.get("/")
    assert code(browser) == (403, "no_suitable_method")


@pytest.mark.abuse("A10")
def test_a_new_policy_counts_for_sessions_that_live(with_policy: Any, make: MakePortal) -> None:
    portal = with_policy(Policy(), anne="doctor")
    browser = signed_in(portal, portal.enrolled())
    restarted = make(policy=PASSKEY_ONLY)
    restarted.people = portal.people
    assert code(browser.on(restarted)) == (403, "no_suitable_method")


def test_session_times_of_a_group_are_the_shorter_ones(with_policy: Any) -> None:
    policy = Policy({"doctor": GroupPolicy(idle=timedelta(minutes=5), lifetime=timedelta(minutes=30))})
    portal = with_policy(policy, anne="doctor", bob="nurse")
    anne, bob = signed_in(portal, portal.enrolled()), signed_in(portal, portal.enrolled("bob"), "bob")
    for _ in range(6):
        portal.clock.advance(240)
        assert anne.get("/").text == "home of anne"
    portal.clock.advance(300)
    assert code(anne) == (401, "sign_in_required")
    assert bob.get("/").text == "home of bob"


def test_a_short_idle_time_of_a_group_counts_from_the_last_use(with_policy: Any) -> None:
    portal = with_policy(Policy({"doctor": GroupPolicy(idle=timedelta(seconds=100))}), anne="doctor")
    browser = signed_in(portal, portal.enrolled())
    for _ in range(4):
        portal.clock.advance(50)
        assert browser.get("/").text == "home of anne"
    portal.clock.advance(90)
    assert browser.get("/").text == "home of anne"


def test_a_session_of_a_group_ends_after_the_groups_time_however_much_it_is_used(with_policy: Any) -> None:
    policy = Policy({"doctor": GroupPolicy(lifetime=timedelta(minutes=30))})
    portal = with_policy(policy, anne="doctor", bob="nurse")
    anne, bob = signed_in(portal, portal.enrolled()), signed_in(portal, portal.enrolled("bob"), "bob")
    portal.clock.advance(29 * 60 - 30)
    assert anne.get("/").text == "home of anne"
    portal.clock.advance(60)
    assert code(anne) == (401, "sign_in_required")
    assert bob.get("/").text == "home of bob"


def test_what_has_ended_by_the_time_of_its_group_is_listed_nowhere(with_policy: Any) -> None:
    portal = with_policy(Policy({"doctor": GroupPolicy(idle=timedelta(minutes=5))}), anne="doctor")
    secret = portal.enrolled()
    signed_in(portal, secret)
    portal.clock.advance(300)
    browser = signed_in(portal, secret)
    assert [one["this"] for one in browser.api("GET", "sessions").json["sessions"]] == [True]
    assert len(run(portal, "account", "show", "anne", "--json")["sessions"]) == 1


# --- roll-out ------------------------------------------------------------------------------------------------------

OBSERVED = Policy({"doctor": GroupPolicy(observe_until=UNTIL)})


def test_an_observed_group_is_let_in_by_its_password_and_that_is_recorded(with_policy: Any) -> None:
    portal = with_policy(OBSERVED, anne="doctor")
    browser = portal.browser()
    browser.get("/patients/1")
    answer = browser.password()
    assert answer.headers["Location"] == f"{BASE_URL}/patients/1"
    for _ in range(3):
        assert browser.get("/").text == "home of anne"
    assert browser.get("/safe").status_code == 200
    kinds = [kind for kind, _, _ in portal.events()]
    assert kinds.count("observed") == 2  # once for each view
    views = portal.sql("SELECT data FROM mfa_events WHERE kind = 'observed' ORDER BY id")
    assert [json.loads(row[0])["view"] for row in views] == ["home", "safe"]
    sign_ins = portal.sql("SELECT DISTINCT sign_in FROM mfa_events WHERE kind IN ('observed', 'first_factor')")
    assert len(sign_ins) == 1  # of this very one


def test_programs_of_an_observed_group_are_let_in_too(with_policy: Any) -> None:
    portal = with_policy(OBSERVED, anne="doctor")
    browser = portal.browser()
    answer = browser.open("POST", "/login", json={"email": "anne", "password": "pw-anne"}, headers=JSON)
    assert answer.json["next"] == f"{BASE_URL}/"
    assert answer.json["session"]["account"] == "anne"
    assert answer.json["session"]["level"] == "PASSWORD"
    assert code(browser)[0] == 200


@pytest.mark.abuse("A3")
def test_observing_relaxes_neither_enrolments_nor_changes(with_policy: Any) -> None:
    portal = with_policy(OBSERVED, anne="doctor")
    browser = portal.browser()
    browser.password()
    assert browser.api("POST", "totp/enrol/begin").json["code"] == "activation_required"
    assert browser.api("POST", "webauthn/enrol/begin").json["code"] == "activation_required"
    assert browser.api("GET", "authenticators").json["code"] == "activation_required"
    assert browser.api("GET", "sessions").json["code"] == "activation_required"
    assert browser.api("POST", "recovery/renew").json["code"] == "activation_required"


@pytest.mark.abuse("A10")
def test_an_authenticator_of_an_observed_account_is_always_asked_for(with_policy: Any) -> None:
    portal = with_policy(OBSERVED, anne="doctor")
    secret = portal.enrolled()
    browser = portal.browser()
    browser.password()
    assert code(browser)[0] == 401
    assert browser.state == "pending"
    browser.step("challenge", code=portal.code(secret))
    assert browser.get("/").text == "home of anne"


@pytest.mark.abuse("A10")
@pytest.mark.abuse("A11")
@pytest.mark.parametrize("first", ["app", "key", "list"])
def test_the_first_enrolment_ends_what_passwords_alone_let_in(with_policy: Any, tmp_path: Path, first: str) -> None:
    portal = with_policy(OBSERVED, anne="doctor")
    thief = portal.browser("198.51.100.66")
    thief.password()
    assert thief.get("/").text == "home of anne"
    owner = portal.browser()
    if first == "list":
        take(portal, written(tmp_path, f"account,secret\nanne,{SECRET}\n"))
        portal.clock.advance(30)
        owner.sign_in(SECRET)
    else:
        owner.activate()
        enrolled = owner.add_key() if first == "key" else owner.confirm(owner.begin_enrolment())
        assert enrolled.status_code == 200
    assert code(thief)[0] == 401
    assert owner.get("/").text == "home of anne"


@pytest.mark.parametrize(("lifetime", "hours"), [(None, 12), (timedelta(hours=2), 2)])
def test_an_observed_session_lasts_as_long_as_any_other_of_its_group(
    with_policy: Any, lifetime: timedelta | None, hours: int
) -> None:
    observed = GroupPolicy(observe_until=UNTIL, lifetime=lifetime)
    portal = with_policy(Policy({"doctor": observed}), anne="doctor")
    browser = portal.browser()
    browser.password()
    for _ in range(2 * hours - 1):
        portal.clock.advance(1800)
        assert browser.get("/").text == "home of anne"
    portal.clock.advance(1800)
    assert code(browser) == (401, "sign_in_required")


@pytest.mark.parametrize("group", ["nurse", "Doctor", "doctor ", "", None])
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_group_that_is_not_known_is_enforced(with_policy: Any, group: str | None) -> None:
    portal = with_policy(OBSERVED, anne=group)
    browser = portal.browser()
    browser.password()
    assert code(browser)[0] == 401


def test_on_the_day_an_observed_session_is_refused_at_once(with_policy: Any) -> None:
    portal = with_policy(OBSERVED, anne="doctor")
    portal.clock.now = UNTIL.timestamp() - 10
    browser = portal.browser()
    browser.password()
    assert browser.get("/").text == "home of anne"
    portal.clock.advance(10)
    assert code(browser)[0] == 401
    fresh = portal.browser()
    fresh.password()
    assert code(fresh)[0] == 401


@pytest.mark.abuse("A55")
def test_an_observed_session_and_the_portals_must_agree(with_policy: Any) -> None:
    portal = with_policy(OBSERVED, anne="doctor", bob="doctor")
    browser = portal.browser()
    browser.password("anne")
    with browser.client.session_transaction(base_url=BASE_URL) as session:
        session["user"] = "bob"
    assert code(browser)[0] == 401


def test_an_observed_session_is_signed_out_like_any_other(with_policy: Any) -> None:
    portal = with_policy(OBSERVED, anne="doctor")
    browser = portal.browser()
    browser.password()
    browser.step("sign-out")
    assert code(browser)[0] == 401


def test_a_locked_account_is_not_let_in_by_observing(with_policy: Any) -> None:
    portal = with_policy(OBSERVED, anne="doctor")
    with portal.app.app_context():
        portal.gate.lock("anne", "x")
    browser = portal.browser()
    assert browser.password().status_code == 403
    assert code(browser)[0] == 401


# --- what an operator sees -------------------------------------------------------------------------------------------


def run(portal: Portal, *args: str) -> Any:
    done = portal.app.test_cli_runner().invoke(args=["mfa", *args])
    assert done.exit_code == 0, done.output
    return json.loads(done.output) if "--json" in args else done.output


def test_routes_say_what_is_asked_of_a_group(with_policy: Any) -> None:
    policy = Policy({"doctor": GroupPolicy(level=Level.PHISHING_RESISTANT, max_age=timedelta(hours=1))})
    portal = with_policy(policy)

    def home(*args: str) -> Any:
        return next(route for route in run(portal, "routes", *args, "--json")["routes"] if route["rule"] == "/")

    assert home()["level"] == "MFA"
    assert (home("--as", "doctor")["level"], home("--as", "doctor")["max_age"]) == ("PHISHING_RESISTANT", 3600.0)
    assert home("--as", "nurse")["level"] == "MFA"
    assert "No policy names the group 'nurse'" in run(portal, "routes", "--as", "nurse")
    only = with_policy(PASSKEY_ONLY)
    assert next(route for route in run(only, "routes", "--as", "doctor", "--json")["routes"] if route["rule"] == "/")[
        "proofs"
    ] == ["hwk", "pop"]


def test_routes_and_check_say_that_a_group_is_only_observed(with_policy: Any) -> None:
    portal = with_policy(OBSERVED)
    assert "Observed until 2023-12-14 22:13 UTC" in run(portal, "routes", "--as", "doctor")
    assert "is only observed" in run(portal, "check")
    portal.clock.advance(31 * DAY)
    assert "take observe_until out" in run(portal, "check")


def test_status_counts_who_is_enrolled_has_a_code_or_neither(with_policy: Any) -> None:
    portal = with_policy(OBSERVED, anne="doctor", bob="doctor")
    portal.people["carl"] = Account("carl", "Carl", None, "nurse")
    portal.people["dora"] = Account("dora", "Dora", None, None)
    portal.passwords["carl"] = "pw-carl"
    portal.enrolled("anne")
    portal.key("dora")
    portal.activation_code("bob")
    portal.browser().password("carl")
    with portal.app.app_context():
        portal.gate.lock("carl", "x")
    del portal.people["dora"]
    counted = run(portal, "status", "--json")
    doctors = counted["groups"]["doctor"]
    assert (doctors["accounts"], doctors["enrolled"], doctors["activated"], doctors["pending"]) == (2, 1, 1, 0)
    assert doctors["by_otp"] == 1
    nurses = counted["groups"]["nurse"]
    assert (nurses["accounts"], nurses["pending"], nurses["locked"]) == (1, 1, 1)
    assert counted["groups"]["(unknown)"]["enrolled"] == 1
    assert counted["together"]["accounts"] == 4
    assert "doctor" in run(portal, "status")


def test_status_adds_up_the_accounts_of_a_group(with_policy: Any, tmp_path: Path) -> None:
    portal = with_policy(OBSERVED)
    for name in ("app 1", "app 2", "code 1", "code 2", "new 1", "new 2"):
        portal.people[name] = Account(name, name, None, "nurse")
        portal.passwords[name] = f"pw-{name}"
    (tmp_path / "seeds.csv").write_text("account,secret\napp 1,GEZDGNBVGY3TQOJQ\napp 2,MFRGGZDFMZTWQ2LK\n")
    run(portal, "import", "totp", str(tmp_path / "seeds.csv"))
    for number in "12":
        portal.activation_code(f"code {number}")
        portal.browser().password(f"new {number}")
        with portal.app.app_context():
            portal.gate.lock(f"new {number}", "x")
    portal.people["alone"], portal.passwords["alone"] = Account("alone", "Alone"), "pw-alone"
    portal.browser().password("alone")
    groups = run(portal, "status", "--json")["groups"]
    assert groups["(none)"]["pending"] == 1
    each = {"enrolled": 2, "activated": 2, "pending": 2, "locked": 2, "renew": 2, "by_otp": 2}
    assert groups["nurse"] == {"accounts": 6, **each}
