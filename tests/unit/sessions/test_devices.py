"""Known devices: what the cookie is worth, how it is rotated, and that knowing one skips nothing."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from mfa_gate.durations import DAY
from mfa_gate.testing import SoftwareKey, totp_code
from mfa_gate.testing.software_key import Tampered
from tests.support.devices import OWNER, device_cookie, known, only_device_of, put
from tests.support.portal import BASE_URL, JSON, KEYS, Browser, MakePortal, Portal

TTL = 90 * DAY


def try_code(browser: Browser, code: str, account: str = "anne") -> int:
    """Password, then a code; the status of the answer to it."""
    assert browser.password(account).status_code == 303
    return browser.api("POST", "totp/verify", json={"code": code}).status_code


def strangers_close(portal: Portal, secret: str) -> None:
    """Guess with the leaked password, from many addresses, until the strangers' day is used up."""
    for number in range(200):
        browser = portal.browser(f"198.51.100.{number % 100}")
        browser.password()
        answer = browser.api("POST", "totp/verify", json={"code": wrong(portal, secret, number)})
        if answer.status_code == 429:
            wait = int(answer.headers["Retry-After"])
            if wait > 3600:
                return
            portal.clock.advance(wait)
    raise AssertionError("no limit holds")


def wrong(portal: Portal, secret: str, number: int = 0) -> str:
    near = {totp_code(secret, portal.clock() + 30 * step) for step in (-1, 0, 1)}
    return next(code for code in (f"{number + more:06d}" for more in range(10)) if code not in near)


# --- the cookie ------------------------------------------------------------------------------------------------------


def test_the_last_proof_of_a_sign_in_makes_a_device_known(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    browser.password()
    assert device_cookie(browser) is None
    answer = browser.step("challenge", code=portal.code(secret))
    (line,) = [line for line in answer.headers.getlist("Set-Cookie") if "mfa-device" in line]
    for part in ("__Host-", "Secure", "HttpOnly", "SameSite=Lax", "Path=/", f"Max-Age={int(TTL)}"):
        assert part in line
    assert "Domain" not in line


def test_knowing_a_device_skips_no_factor(portal: Portal) -> None:
    browser, _ = known(portal)
    thief = only_device_of(browser)
    assert thief.get("/").status_code == 303
    thief.password()
    assert thief.state == "pending"
    assert thief.get("/safe").status_code == 303


def test_the_token_is_rotated_at_each_sign_in(portal: Portal) -> None:
    browser, secret = known(portal)
    first = device_cookie(browser)
    browser.sign_in(secret)
    assert device_cookie(browser) not in (None, first)
    assert len(portal.sql("SELECT * FROM mfa_devices")) == 1


def test_each_sign_in_is_on_record_with_whether_its_device_was_known(portal: Portal) -> None:
    browser, secret = known(portal)
    browser.sign_in(secret)
    rows = portal.sql("SELECT data FROM mfa_events WHERE kind = 'second_factor' ORDER BY id")
    assert [json.loads(row.data)["device"] for row in rows] == ["new", "known"]


def test_a_step_up_leaves_the_token_as_it_is(portal: Portal) -> None:
    browser, secret = known(portal)
    before = device_cookie(browser)
    assert browser.step("challenge", code=portal.code(secret)).status_code == 303
    assert device_cookie(browser) == before


def test_the_token_before_is_good_until_the_new_one_has_come_back(portal: Portal) -> None:
    """An answer can be lost on the way."""
    browser, secret = known(portal)
    lost = only_device_of(browser)
    browser.sign_in(secret)
    portal.clock.advance(60)
    assert lost.sign_in(secret).status_code == 303
    assert ("device_replayed", "refused", None) not in portal.events()
    assert len(portal.sql("SELECT * FROM mfa_devices")) == 1


def answers_of(portal: Portal, browser: Browser, secret: str, number: int) -> list[str]:
    """What each of several sign-ins with the same device cookie is given as the new one, in their order."""
    tabs = [only_device_of(browser) for _ in range(number)]
    for tab in tabs:
        assert tab.password().status_code == 303
    for tab in tabs:
        portal.clock.advance(30)
        assert tab.step("challenge", code=portal.code(secret)).status_code == 303
    return [device_cookie(tab) or "" for tab in tabs]


@pytest.mark.abuse("A42")
@pytest.mark.abuse("A68")
@pytest.mark.parametrize("last", range(5))
def test_whichever_of_five_restored_tabs_is_answered_last_the_browser_stays_known(portal: Portal, last: int) -> None:
    browser, secret = known(portal)
    given = answers_of(portal, browser, secret, 5)
    put(browser, given[last])
    for _ in range(2):
        portal.clock.advance(30)
        assert browser.sign_in(secret).status_code == 303
    assert ("device_replayed", "refused", None) not in portal.events()
    assert len(portal.sql("SELECT * FROM mfa_devices")) == 1


@pytest.mark.abuse("A42")
@pytest.mark.abuse("A68")
def test_a_key_that_is_rotated_between_two_sign_ins_changes_nothing_of_that(make: MakePortal) -> None:
    portal = make()
    browser, secret = known(portal)
    late = only_device_of(browser)
    browser.sign_in(secret)
    rotated = make(MFA_GATE_KEYS=f"later:{'B' * 43},{KEYS}")
    portal.clock.advance(30)
    late = late.on(rotated)
    assert late.sign_in(secret).status_code == 303
    assert len(portal.sql("SELECT * FROM mfa_devices")) == 1
    portal.clock.advance(30)
    assert browser.on(rotated).sign_in(secret).status_code == 303
    assert ("device_replayed", "refused", None) not in portal.events()


@pytest.mark.abuse("A42")
def test_what_was_before_the_one_before_is_a_copy_however_often_each_was_presented(portal: Portal) -> None:
    browser, secret = known(portal)
    thief = only_device_of(browser, "198.51.100.66")
    for _ in range(2):
        put(browser, answers_of(portal, browser, secret, 2)[0])
    thief.password("anne", "guessed")
    assert ("device_replayed", "refused", None) in portal.events()


@pytest.mark.abuse("A68")
def test_two_people_who_share_a_browser_stay_known_whoever_is_answered_last(portal: Portal) -> None:
    browser, of_anne = known(portal)
    of_bob = portal.enrolled("bob")
    browser.sign_in(of_bob, "bob")
    portal.clock.advance(60)
    for last in ("anne", "bob"):
        tabs = {name: only_device_of(browser) for name in ("anne", "bob")}
        tabs["anne"].sign_in(of_anne)
        tabs["bob"].sign_in(of_bob, "bob")
        put(browser, device_cookie(tabs[last]) or "")
        portal.clock.advance(60)
    assert browser.sign_in(of_anne).status_code == browser.sign_in(of_bob, "bob").status_code == 303
    assert len(portal.sql("SELECT * FROM mfa_devices")) == 2


@pytest.mark.abuse("A42")
def test_a_new_token_that_has_come_back_once_ends_the_one_before_it(portal: Portal) -> None:
    """The password alone shows it: nobody has to sign in with it."""
    browser, secret = known(portal)
    thief = only_device_of(browser, "198.51.100.66")
    browser.sign_in(secret)
    only_device_of(browser).password("anne", "mistyped")
    thief.password("anne", "guessed")
    assert ("device_replayed", "refused", None) in portal.events()


@pytest.mark.abuse("A42")
def test_a_token_replayed_after_its_rotation_ends_the_series_and_what_it_signed_in(portal: Portal) -> None:
    browser, secret = known(portal)
    thief = only_device_of(browser, "198.51.100.66")
    for _ in range(2):  # the second time the new token comes back, and the old one is worth nothing
        browser.sign_in(secret)
        portal.clock.advance(60)
    assert browser.get("/").text == "home of anne"
    thief.password("anne", "guessed")
    assert ("device_replayed", "refused", None) in portal.events()
    assert portal.sql("SELECT * FROM mfa_devices") == []
    assert browser.get("/", headers=JSON).status_code == 401
    assert browser.sign_in(secret).status_code == 303  # the owner's next sign-in is a stranger's, and works
    assert [kind for kind, _, _ in portal.events()].count("device_replayed") == 1


@pytest.mark.abuse("A42")
def test_a_replayed_token_counts_as_a_strangers(portal: Portal) -> None:
    browser, secret = known(portal)
    thief = only_device_of(browser, "198.51.100.66")
    for _ in range(2):
        browser.sign_in(secret)
        portal.clock.advance(60)
    for _ in range(5):
        thief.password("anne", "guessed")
    assert thief.password("anne", "guessed").status_code == 429  # a known device has ten tries without a wait


def test_a_device_is_known_for_ninety_days_however_often_it_is_used(portal: Portal) -> None:
    browser, secret = known(portal)
    for _ in range(9):
        portal.clock.advance(10 * DAY - 60)
        assert browser.sign_in(secret).status_code == 303
    (row,) = portal.sql("SELECT last_used_at - created_at, ends_at - created_at FROM mfa_devices")
    assert row[0] > 80 * DAY
    assert row[1] == TTL
    portal.clock.advance(10 * DAY)
    assert browser.sign_in(secret).status_code == 303
    assert len(portal.sql("SELECT * FROM mfa_devices")) == 2


def test_people_who_share_a_browser_are_each_known_by_it(portal: Portal) -> None:
    browser, of_anne = known(portal)
    of_bob = portal.enrolled("bob")
    for _ in range(2):
        assert browser.sign_in(of_bob, "bob").status_code == 303
        assert browser.sign_in(of_anne).status_code == 303
        portal.clock.advance(60)
    rows = portal.sql("SELECT account_id FROM mfa_devices ORDER BY account_id")
    assert [row[0] for row in rows] == ["anne", "bob"]


def test_an_account_has_at_most_twenty_devices(portal: Portal) -> None:
    secret = portal.enrolled()
    for number in range(23):
        portal.browser(f"192.0.2.{number}").sign_in(secret)
        portal.clock.advance(60)
    rows = portal.sql("SELECT last_used_at FROM mfa_devices")
    assert len(rows) == 20
    assert min(row[0] for row in rows) > portal.clock() - 21 * 60


@pytest.mark.abuse("A21")
@pytest.mark.parametrize("value", ["", "x", "~", "a" * 700, "é", "{signed}x", "x{signed}", "{unsigned}", "\x00"])
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_cookie_that_is_not_ours_is_a_strangers(portal: Portal, value: str) -> None:
    browser, secret = known(portal)
    ours = device_cookie(browser) or ""
    other = portal.browser()
    put(other, value.format(signed=ours, unsigned=ours.rpartition(".")[0]))
    assert other.sign_in(secret).status_code == 303
    assert len(portal.sql("SELECT * FROM mfa_devices")) == 2


@pytest.mark.abuse("A27")
def test_the_store_knows_neither_the_token_nor_the_typed_name(portal: Portal) -> None:
    browser, _ = known(portal)
    token = (device_cookie(browser) or "").rpartition(".")[0]
    rows = repr(portal.sql("SELECT * FROM mfa_devices") + portal.sql("SELECT name_hash FROM mfa_sessions"))
    assert token[:22] in rows
    assert token[22:44] not in rows
    assert "anne" not in rows.replace("'anne'", "", 1)  # the account's id is there, once


# --- lanes -----------------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A13")
@pytest.mark.abuse("A44")
def test_a_closed_strangers_lane_leaves_a_known_device_its_codes(portal: Portal) -> None:
    browser, secret = known(portal)
    strangers_close(portal, secret)
    assert try_code(portal.browser("192.0.2.1"), portal.code(secret)) == 429
    portal.clock.advance(30)
    assert try_code(browser, portal.code(secret)) == 200


@pytest.mark.abuse("A43")
def test_failures_of_a_key_leave_it_and_the_codes_of_an_app_to_others(portal: Portal) -> None:
    key = SoftwareKey(BASE_URL)
    browser = portal.browser(OWNER)
    browser.activate()
    begun = browser.begin_enrolment()
    assert browser.confirm(begun).status_code == 200
    assert browser.add_key(key).status_code == 200
    stranger = portal.browser("198.51.100.7")
    stranger.password()
    for _ in range(70):
        stranger.prove(key, Tampered(bad_signature=True))
        portal.clock.advance(1)
    assert stranger.prove(key).status_code == 429
    owner = portal.browser("192.0.2.2")
    owner.password()
    assert owner.prove(key).status_code == 200
    portal.clock.advance(30)
    assert try_code(portal.browser("192.0.2.1"), portal.code(begun["secret"])) == 200


@pytest.mark.abuse("A19")
@pytest.mark.parametrize(
    "agent",
    ["", "\x00", "(" * 5000, "Mozilla/5.0 (" + "\xff" * 300, "' OR 1=1 --", "<script>", "\xe2\x80\xae"],
    ids=lambda agent: ascii(agent[:20]),
)
def test_garbage_in_what_a_browser_says_it_is_changes_nothing(portal: Portal, agent: str) -> None:
    secret = portal.enrolled()
    portal.clock.advance(30)
    browser = portal.browser()
    said = {"User-Agent": agent}
    assert (
        browser.open("POST", "/login", data={"email": "anne", "password": "pw-anne"}, headers=said).status_code == 303
    )
    assert browser.get("/", headers=said).status_code == 303
    sent = {"csrf_token": browser.token, "code": portal.code(secret)}
    assert browser.post("/mfa/challenge", sent, headers=said).status_code == 303
    assert browser.get("/mfa/sessions", headers=said).status_code == 200
    assert browser.get("/mfa/news", headers=said).status_code == 200


@pytest.mark.abuse("A43")
@pytest.mark.abuse("A44")
def test_a_closed_strangers_lane_leaves_passkeys_and_recovery_codes_to_anybody(portal: Portal) -> None:
    browser, key = portal.browser(OWNER), SoftwareKey(BASE_URL)
    browser.activate()
    begun = browser.begin_enrolment()
    codes = browser.confirm(begun).json["recovery_codes"]
    assert browser.add_key(key).status_code == 200
    strangers_close(portal, begun["secret"])
    elsewhere = portal.browser("192.0.2.1")
    elsewhere.password()
    assert elsewhere.prove(key).status_code == 200
    by_code = portal.browser("192.0.2.2")
    by_code.password()
    assert by_code.api("POST", "recovery/verify", {"code": codes[0]}).status_code == 200


@pytest.mark.abuse("A13")
def test_a_known_device_may_fail_forty_times_in_a_row(portal: Portal) -> None:
    browser, secret = known(portal)
    failed = 0
    for number in range(200):
        browser.password()
        answer = browser.api("POST", "totp/verify", json={"code": wrong(portal, secret, number)})
        if answer.status_code == 422:
            failed += 1
        elif int(answer.headers["Retry-After"]) > 2 * DAY:
            break
        else:
            portal.clock.advance(int(answer.headers["Retry-After"]))
    assert failed == 40
    assert try_code(browser, portal.code(secret)) == 429


@pytest.mark.abuse("A13")
def test_a_success_on_a_known_device_clears_only_its_own_lane(portal: Portal) -> None:
    browser, secret = known(portal)
    stranger = portal.browser("198.51.100.7")
    for number in range(3):
        assert try_code(stranger, wrong(portal, secret, number)) == 422
    assert try_code(browser, portal.code(secret)) == 200
    assert try_code(stranger, wrong(portal, secret)) == 429


@pytest.mark.abuse("A44")
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_name_that_strangers_fail_for_days_opens_from_a_known_device(portal: Portal) -> None:
    browser, secret = known(portal)
    for number in range(150):
        portal.browser(f"198.51.100.{number % 250}").password("anne", "guessed")
        portal.clock.advance(10)
    for _ in range(10):
        assert browser.password("anne", "mistyped").status_code == 401
    portal.clock.advance(timedelta(minutes=1))
    assert try_code(browser, portal.code(secret)) == 200


@pytest.mark.abuse("A44")
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_neighbour_behind_the_same_address_does_not_brake_a_known_device(portal: Portal) -> None:
    browser, secret = known(portal)
    for number in range(80):
        portal.browser(OWNER).password(f"person{number}", "guessed")
    assert portal.browser(OWNER).password("somebody", "guessed").status_code == 429
    assert try_code(browser, portal.code(secret)) == 200


@pytest.mark.abuse("A44")
def test_failures_at_one_name_leave_a_known_device_the_others_that_it_knows(portal: Portal) -> None:
    browser, _ = known(portal)
    browser.sign_in(portal.enrolled("bob"), "bob")
    while browser.password("anne", "mistyped").status_code != 429:
        pass
    assert browser.password("bob").status_code == 303


@pytest.mark.abuse("A44")
@pytest.mark.parametrize("backend", ["sqlite"])
def test_failures_at_many_names_brake_no_other_name(portal: Portal) -> None:
    for number in range(110):
        portal.browser(f"198.51.{number}.1").password(f"person{number}", "guessed")
    assert portal.browser(OWNER).password("anne", "mistyped").status_code == 401
    assert portal.browser(OWNER).password().status_code == 303


@pytest.mark.abuse("A44")
@pytest.mark.parametrize("backend", ["sqlite"])
def test_garbage_from_one_address_slows_no_key_at_another(portal: Portal) -> None:
    key, garbage = portal.key(), {"id": "x", "rawId": "x", "type": "public-key", "response": {}}
    statuses = []
    for _ in range(40):
        thief = portal.browser("198.51.100.66")
        thief.password()
        statuses += [thief.api("POST", "webauthn/verify/complete", garbage).status_code for _ in range(2)]
    assert statuses[-1] == 429
    owner = portal.browser(OWNER)
    owner.password()
    assert owner.prove(key).status_code == 200


@pytest.mark.abuse("A44")
@pytest.mark.parametrize("backend", ["sqlite"])
def test_garbage_from_the_same_address_slows_a_key_and_never_closes_it(portal: Portal) -> None:
    """A stranger with the password, behind the owner's own address, sends garbage for hours."""
    key = portal.key()
    for _ in range(100):
        thief = portal.browser(OWNER)
        thief.password()
        for _ in range(4):
            thief.api(
                "POST", "webauthn/verify/complete", {"id": "x", "rawId": "x", "type": "public-key", "response": {}}
            )
        thief.api("POST", "recovery/verify", {"code": "0000-0000-0000-0000"})
        portal.clock.advance(30)
    owner = portal.browser(OWNER)
    waited = 0
    for _ in range(3):
        answer = owner.password()
        if answer.status_code == 303:
            answer = owner.prove(key)
        if answer.status_code != 429:
            break
        waited += int(answer.headers["Retry-After"])
        portal.clock.advance(int(answer.headers["Retry-After"]))
    assert owner.get("/").text == "home of anne"
    assert waited <= 60


@pytest.mark.abuse("A44")
@pytest.mark.parametrize("backend", ["sqlite"])
def test_an_address_that_guesses_passwords_keeps_a_try_every_four_minutes(portal: Portal) -> None:
    for number in range(300):
        answer = portal.browser(OWNER).password(f"person{number}", "guessed")
        if answer.status_code == 429:
            assert int(answer.headers["Retry-After"]) <= 240
            portal.clock.advance(int(answer.headers["Retry-After"]))
    owner = portal.browser(OWNER)
    if (answer := owner.password()).status_code == 429:
        assert int(answer.headers["Retry-After"]) <= 240
        portal.clock.advance(int(answer.headers["Retry-After"]))
        answer = owner.password()
    assert answer.status_code == 303


def test_a_device_is_known_only_under_the_name_that_was_typed_there(portal: Portal) -> None:
    """A device of Anne's is a stranger to Bob's name."""
    browser, _ = known(portal)
    for _ in range(5):
        assert browser.password("bob", "guessed").status_code == 401
    assert browser.password("bob", "guessed").status_code == 429
    assert browser.password(" ANNE ", "mistyped").status_code == 401


@pytest.mark.parametrize(("is_known", "most"), [(True, 5), (False, 3)])
def test_an_operator_opens_both_lanes(portal: Portal, is_known: bool, most: int) -> None:
    browser, secret = known(portal)
    if not is_known:
        browser = portal.browser("198.51.100.1")
    for number in range(most):
        assert try_code(browser, wrong(portal, secret, number)) == 422
    assert try_code(browser, portal.code(secret)) == 429
    with portal.app.app_context():
        portal.gate.unlock("anne", "mistyped")
    assert try_code(browser, portal.code(secret)) == 200


# --- the end of a device ---------------------------------------------------------------------------------------------


def test_a_sign_in_by_key_rotates_the_device_that_it_is_made_on(portal: Portal) -> None:
    key, browser = portal.key(), portal.browser()
    seen = []
    for _ in range(2):
        browser.password()
        assert browser.prove(key).status_code == 200
        seen.append((portal.sql("SELECT series FROM mfa_devices"), device_cookie(browser)))
        browser.step("sign-out")
        portal.clock.advance(60)
    (first, before), (second, after) = seen
    assert first == second
    assert before != after


def test_a_sign_in_by_recovery_code_rotates_the_device_that_it_is_made_on(portal: Portal) -> None:
    browser = portal.browser(OWNER)
    browser.activate()
    (code, *_) = browser.confirm(browser.begin_enrolment()).json["recovery_codes"]
    devices, before = portal.sql("SELECT series FROM mfa_devices"), device_cookie(browser)
    browser.step("sign-out")
    portal.clock.advance(60)
    browser.password()
    assert browser.api("POST", "recovery/verify", {"code": code}).status_code == 200
    assert portal.sql("SELECT series FROM mfa_devices") == devices
    assert device_cookie(browser) != before


@pytest.mark.parametrize("by_key", [False, True])
def test_an_enrolment_that_signs_in_keeps_its_browser_known(portal: Portal, by_key: bool) -> None:
    browser, _ = known(portal)
    devices, before = portal.sql("SELECT series FROM mfa_devices"), device_cookie(browser)
    browser.step("sign-out")
    portal.sql("DELETE FROM mfa_authenticators")  # as in a store that was brought back from before
    browser.activate()
    if by_key:
        assert browser.add_key().status_code == 200
    else:
        begun = browser.begin_enrolment()
        assert browser.confirm(begun).status_code == 200
    assert device_cookie(browser) != before
    assert portal.sql("SELECT series FROM mfa_devices") == devices


def test_forgetting_an_account_forgets_its_devices(portal: Portal) -> None:
    known(portal)
    with portal.app.app_context():
        portal.gate.forget("anne")
    assert portal.sql("SELECT * FROM mfa_devices") == []


def test_signing_out_everywhere_else_makes_strangers_of_the_other_browsers(portal: Portal) -> None:
    browser, secret = known(portal)
    other = portal.browser("192.0.2.1")
    assert other.sign_in(secret).status_code == 303
    assert len(portal.sql("SELECT * FROM mfa_devices")) == 2
    assert browser.post("/mfa/sessions", {"csrf_token": browser.token, "action": "end-others"}).status_code == 303
    assert len(portal.sql("SELECT * FROM mfa_devices")) == 1
    assert other.get("/", headers=JSON).status_code == 401
    assert browser.get("/").text == "home of anne"


def test_ending_one_session_makes_a_stranger_of_its_browser_alone(portal: Portal) -> None:
    browser, secret = known(portal)
    for address in ("192.0.2.1", "192.0.2.2"):
        portal.browser(address).sign_in(secret)
        portal.clock.advance(30)
    other = next(row["id"] for row in browser.api("GET", "sessions").json["sessions"] if not row["this"])
    assert browser.api("DELETE", f"sessions/{other}").status_code == 200
    assert len(portal.sql("SELECT * FROM mfa_devices")) == 2


def test_a_purge_takes_devices_that_have_ended(portal: Portal) -> None:
    known(portal)
    portal.clock.advance(TTL)
    assert portal.app.extensions["mfa_gate"].life.purge()["devices"] == 1
    assert portal.sql("SELECT * FROM mfa_devices") == []
