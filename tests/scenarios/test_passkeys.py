"""Passkeys and security keys over HTTP: enrolled, used to sign in and to step up, asked for and kept."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest

from mfa_gate.testing.software_key import BE, UV, Tampered, from_text
from mfa_gate.testing.software_maker import AAGUID
from tests.support.passkeys import (
    LENIENT,
    PLAIN,
    WAYS,
    answer_to,
    begin,
    complete,
    credentials,
    key_of,
    refused,
    send,
    session_of,
    sign_in,
)
from tests.support.portal import Browser, MakePortal, Portal

sqlite_alone = pytest.mark.parametrize("backend", ["sqlite"])


@pytest.fixture
def portal(make: MakePortal) -> Portal:
    return make(**PLAIN)


# --- the ways through --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_the_first_key_is_enrolled_with_an_activation_code_and_signs_in(
    portal: Portal, browser: Browser, way: str
) -> None:
    browser.activate()
    done = complete(browser, "enrol", key_of(), way=way)
    assert done.status_code == {"api": 200, "page": 303}[way]
    assert portal.opened == ["anne"]
    assert browser.get("/").text == "home of anne"
    document = session_of(browser)
    assert (document["state"], document["level"]) == ("signed_in", "PHISHING_RESISTANT")
    assert document["methods"] == ["pwd", "pop"]
    assert portal.events()[-1] == ("authenticator_added", "success", None)
    assert portal.sql("SELECT id FROM mfa_activations") == []


@pytest.mark.parametrize("way", WAYS)
def test_password_and_key_open_the_portal(portal: Portal, browser: Browser, way: str) -> None:
    key = portal.key()
    browser.password()
    assert session_of(browser)["allowed_methods"] == ["webauthn"]
    done = complete(browser, "verify", key, way=way)
    if way == "api":
        assert done.status_code == 200
        assert done.json["next"] == "https://portal.example/"
        assert done.json["session"] == session_of(browser)
    else:
        assert (done.status_code, done.location) == (303, "https://portal.example/")
    assert portal.opened == ["anne"]
    assert browser.get("/safe").text == "safe form"
    assert portal.events()[-1] == ("second_factor", "success", None)
    assert session_of(browser)["methods"] == ["pwd", "pop"]


@pytest.mark.parametrize("way", WAYS)
def test_a_key_steps_up_and_leads_back_to_the_page_that_was_wanted(portal: Portal, browser: Browser, way: str) -> None:
    key = portal.key()
    sign_in(browser, key)
    portal.clock.advance(600)
    blocked = browser.get("/safe")
    assert (blocked.status_code, blocked.location) == (303, "https://portal.example/mfa/challenge")
    done = complete(browser, "verify", key, way=way)
    assert (done.json["next"] if way == "api" else done.location) == "https://portal.example/safe"
    assert browser.get("/safe").text == "safe form"
    assert portal.opened == ["anne"]  # once, at the sign-in
    assert session_of(browser)["authenticated_at"] == portal.clock()


@pytest.mark.parametrize("way", WAYS)
def test_each_proof_gives_the_session_a_new_id(portal: Portal, browser: Browser, way: str) -> None:
    key = portal.key()
    browser.password()
    planted = browser.copy()
    cookies = [browser.gate_cookie]
    for _ in range(2):
        complete(browser, "verify", key, way=way)
        cookies.append(browser.gate_cookie)
    assert len(set(cookies)) == 3
    assert planted.state == "anonymous"


@pytest.mark.parametrize("way", WAYS)
def test_several_keys_each_have_their_name_and_each_opens(portal: Portal, browser: Browser, way: str) -> None:
    keys = {"Blue key": key_of(), "Laptop": key_of(transports=("internal",)), "Clé n°3": key_of(algorithm=-8)}
    browser.activate()
    for name, key in keys.items():
        complete(browser, "enrol", key, way=way, label=name)
        portal.clock.advance(1)
    listed = browser.api("GET", "authenticators").json["authenticators"]
    assert [(one["label"], one["method"], one["level"]) for one in listed] == [
        (name, "webauthn", "PHISHING_RESISTANT") for name in keys
    ]
    assert [row.label for row in credentials(portal)] == list(keys)
    page = browser.get("/mfa/authenticators").text
    assert all(name in page for name in keys)
    for key in keys.values():
        assert sign_in(portal.browser(), key).status_code == 200


@sqlite_alone
@pytest.mark.parametrize("way", WAYS)
def test_a_key_needs_no_name(portal: Portal, browser: Browser, way: str) -> None:
    browser.activate()
    answer = answer_to("enrol", key_of(), begin(browser, "enrol"))
    if way == "api":
        done = browser.api("POST", "webauthn/enrol/complete", answer)
    else:
        done = browser.step("enrol", action="webauthn", answer=json.dumps(answer))
    assert done.status_code < 400
    assert [row.label for row in credentials(portal)] == [""]


@sqlite_alone
def test_whoever_has_a_key_adds_another_with_its_proof_alone_while_that_is_fresh(
    portal: Portal, browser: Browser
) -> None:
    key = portal.key()
    sign_in(browser, key)
    portal.clock.advance(299)
    assert complete(browser, "enrol", key_of()).status_code == 200
    portal.clock.advance(300)
    late = browser.api("POST", "webauthn/enrol/begin")
    assert (late.status_code, late.json["code"]) == (401, "step_up_required")


# --- what is asked for -------------------------------------------------------------------------------------------


def test_the_keys_of_the_account_are_excluded_and_no_others(portal: Portal, browser: Browser) -> None:
    mine, second, other = portal.key("anne"), key_of(), portal.key("bob")
    sign_in(browser, mine)
    complete(browser, "enrol", second)
    options = begin(browser, "enrol")
    named = {from_text(one["id"]) for one in options["excludeCredentials"]}
    assert named == {*mine.credentials, *second.credentials}
    assert not named & set(other.credentials)
    assert all(one["transports"] == ["usb"] for one in options["excludeCredentials"])


def test_the_keys_of_the_account_are_asked_for_and_no_others(portal: Portal, browser: Browser) -> None:
    mine = portal.key("anne")
    portal.key("bob")
    browser.password()
    options = begin(browser, "verify")
    assert options["allowCredentials"] == [
        {"type": "public-key", "id": credentials(portal)[0].credential_id, "transports": ["usb"]}
    ]
    assert {from_text(one["id"]) for one in options["allowCredentials"]} == set(mine.credentials)


def test_the_user_handle_is_one_per_account_random_and_tells_nothing(portal: Portal) -> None:
    handles: dict[str, set[str]] = {}
    for account in ("anne", "bob"):
        browser = portal.browser()
        browser.activate(account)
        for _ in range(2):
            options = begin(browser, "enrol")
            handles.setdefault(account, set()).add(options["user"]["id"])
            send(browser, "enrol", answer_to("enrol", key_of(), options))
        again = portal.browser()
        again.password(account)
    assert {len(found) for found in handles.values()} == {1}
    (anne,), (bob,) = handles["anne"], handles["bob"]
    assert anne != bob
    for account, handle in (("anne", anne), ("bob", bob)):
        raw = from_text(handle)
        assert len(raw) == 32
        assert account.encode() not in raw
        assert raw != sha256(account.encode()).digest()
    with portal.app.app_context():
        portal.gate.forget("anne")
    browser = portal.browser()
    browser.activate()
    assert begin(browser, "enrol")["user"]["id"] != anne  # a new person with this id inherits nothing


def test_the_options_name_the_person_as_the_portal_knows_them(portal: Portal, browser: Browser) -> None:
    browser.activate()
    options = begin(browser, "enrol")
    assert options["user"]["name"] == "anne@portal.example"
    assert options["user"]["displayName"] == "Anne Martin"
    assert options["rp"] == {"id": "portal.example", "name": "Portail"}
    assert options["extensions"] == {"credProps": True}
    assert options["attestation"] == "none"
    assert options["timeout"] == 300_000
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [-7, -8, -257]
    assert options["authenticatorSelection"]["residentKey"] == "preferred"


def test_the_options_of_an_assertion_are_for_this_portal(portal: Portal, browser: Browser) -> None:
    portal.key()
    browser.password()
    options = begin(browser, "verify")
    assert (options["rpId"], options["timeout"]) == ("portal.example", 300_000)
    assert (options["userVerification"], options["hints"]) == ("preferred", [])


@sqlite_alone
def test_every_challenge_is_fresh(portal: Portal, browser: Browser) -> None:
    key = portal.key()
    sign_in(browser, key)
    drawn = [begin(browser, step)["challenge"] for _ in range(10) for step in ("enrol", "verify")]
    assert len(set(drawn)) == 20
    assert {len(from_text(challenge)) for challenge in drawn} == {32}


# --- what settings change ----------------------------------------------------------------------------------------


@sqlite_alone
@pytest.mark.parametrize("setting", ["required", "preferred", "discouraged"])
def test_user_verification_is_asked_for_and_checked_by_one_setting(make: MakePortal, setting: str) -> None:
    portal = make(**PLAIN, MFA_GATE_USER_VERIFICATION=setting)
    silent = Tampered(flags_off=UV)
    opens = setting != "required"
    browser, key = portal.browser(), key_of()
    browser.activate()
    options = begin(browser, "enrol")
    assert options["authenticatorSelection"]["userVerification"] == setting
    done = send(browser, "enrol", answer_to("enrol", key_of(), options, silent))
    assert done.status_code == 200 if opens else refused(done, portal, "user_verification")
    assert complete(browser, "enrol", key).status_code == 200
    assert begin(browser, "verify")["userVerification"] == setting
    done = sign_in(portal.browser(), key, tampered=silent)
    assert done.status_code == 200 if opens else refused(done, portal, "user_verification")


@sqlite_alone
@pytest.mark.parametrize("algorithm", [-48, -49, -50])
def test_ml_dsa_serves_only_where_it_is_switched_on(make: MakePortal, algorithm: int) -> None:
    off = make(**PLAIN)
    browser = off.browser()
    browser.activate()
    done = complete(browser, "enrol", key_of(algorithm=algorithm), LENIENT)
    assert refused(done, off, "algorithm")
    on = make(**PLAIN, MFA_GATE_ALGORITHMS=[algorithm, -7])
    browser, key = browser.on(on), key_of(algorithm=algorithm)
    options = begin(browser, "enrol")
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [algorithm, -7]
    assert send(browser, "enrol", key.register(options)).status_code == 200
    assert sign_in(on.browser(), key).status_code == 200


@sqlite_alone
@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_each_usual_algorithm_enrols_and_signs_in(portal: Portal, algorithm: int) -> None:
    key = portal.key(algorithm=algorithm)
    assert sign_in(portal.browser(), key).status_code == 200


@sqlite_alone
def test_a_key_that_says_how_it_protects_its_credential_enrols_and_signs_in(portal: Portal) -> None:
    key = portal.key(extensions={"credProtect": 2})
    assert sign_in(portal.browser(), key).status_code == 200


@sqlite_alone
@pytest.mark.parametrize("length", [16, 17, 18, 26, 255, 256, 1023])
def test_a_credential_id_may_have_any_length(portal: Portal, browser: Browser, length: int) -> None:
    key = key_of()
    browser.activate()
    assert browser.add_key(key, tampered=Tampered(credential_id=bytes(length))).status_code == 200
    assert sign_in(portal.browser(), key).status_code == 200


@sqlite_alone
def test_hints_stand_in_both_options(make: MakePortal) -> None:
    portal = make(**PLAIN, MFA_GATE_HINTS=["security-key", "hybrid"])
    browser = portal.browser()
    browser.activate()
    options = begin(browser, "enrol")
    assert options["hints"] == ["security-key", "hybrid"]
    send(browser, "enrol", key_of().register(options))
    assert begin(browser, "verify")["hints"] == ["security-key", "hybrid"]


# --- what is kept ------------------------------------------------------------------------------------------------


def test_what_the_key_told_is_kept(portal: Portal, browser: Browser) -> None:
    transports = ("internal", "smart-card", "x" * 32, "x" * 33, "a b", "é")
    key = key_of(backup_eligible=True, transports=transports, count=7)
    browser.activate()
    answer = answer_to("enrol", key, begin(browser, "enrol"))
    send(browser, "enrol", answer, label="Laptop")
    (row,) = credentials(portal)
    assert (row.credential_id, row.sign_count, row.rp_id) == (answer["id"], 7, "portal.example")
    assert UUID(row.aaguid).bytes == AAGUID
    assert json.loads(row.transports) == ["internal", "smart-card", "x" * 32]
    assert (bool(row.backup_eligible), bool(row.backed_up)) == (True, False)
    assert (bool(row.uv_initialised), bool(row.attested), bool(row.discoverable)) == (True, False, True)
    assert (row.label, row.method) == ("Laptop", "pop")
    assert "user_handle" not in row._fields


@pytest.mark.parametrize(
    ("results", "kept"), [({"credProps": {"rk": False}}, False), ({}, None), ({"credProps": {"rk": "yes"}}, None)]
)
def test_whether_the_key_keeps_the_passkey_by_itself_is_kept_as_far_as_it_is_told(
    portal: Portal, browser: Browser, results: dict[str, Any], kept: bool | None
) -> None:
    browser.activate()
    answer = answer_to("enrol", key_of(), begin(browser, "enrol"))
    send(browser, "enrol", {**answer, "clientExtensionResults": results})
    assert [row.discoverable for row in credentials(portal)] == [kept]


def test_the_state_of_the_backup_follows_each_use_and_the_ability_stays(portal: Portal) -> None:
    key = portal.key(backup_eligible=True)
    for backed_up in (True, False, True):
        key.backed_up = backed_up
        assert sign_in(portal.browser(), key).status_code == 200
        (row,) = credentials(portal)
        assert (bool(row.backup_eligible), bool(row.backed_up)) == (True, backed_up)
    key.backup_eligible = key.backed_up = False
    assert refused(sign_in(portal.browser(), key), portal, "backup_flags")
    assert refused(sign_in(portal.browser(), key, tampered=Tampered(flags_on=0x10)), portal, "backup_flags")
    (row,) = credentials(portal)
    assert (bool(row.backup_eligible), bool(row.backed_up)) == (True, True)
    assert sign_in(portal.browser(), key, tampered=Tampered(flags_on=BE)).status_code == 200


def test_the_time_of_the_last_use_is_kept(portal: Portal, browser: Browser) -> None:
    key = portal.key()
    assert credentials(portal)[0].last_used_at is None
    portal.clock.advance(1000)
    sign_in(browser, key)
    assert credentials(portal)[0].last_used_at == portal.clock()
    (listed,) = browser.api("GET", "authenticators").json["authenticators"]
    assert listed["last_used_at"] == portal.clock()
