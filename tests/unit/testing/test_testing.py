"""What a portal's own tests use: a clock, people who are signed in, authenticator apps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import session

from mfa_gate import Level
from mfa_gate.testing import (
    Clock,
    KeyRefused,
    SoftwareKey,
    enrol_key,
    enrol_totp,
    prove_by_key,
    signed_in,
    totp_code,
)
from tests.support.portal import BASE_URL, JSON, MakePortal, Portal, stored


def test_a_clock_stands_still_until_it_is_moved() -> None:
    clock = Clock(1000.0)
    assert (clock(), clock()) == (1000.0, 1000.0)
    clock.advance(30)
    clock.advance(timedelta(minutes=1))
    assert clock() == 1090.0
    clock.advance(-90)
    assert clock() == 1000.0
    assert Clock()() == Clock()()


def test_a_person_is_signed_in_on_a_test_client(portal: Portal) -> None:
    client = portal.app.test_client()
    assert client.get("/", base_url=BASE_URL).status_code == 401
    signed_in(client, portal.people["anne"])
    assert client.get("/", base_url=BASE_URL).text == "home of anne"
    assert client.get("/bank", base_url=BASE_URL).text == "bank form"
    assert portal.opened == ["anne"]
    document = client.get("/mfa/api/v1/session", base_url=BASE_URL, headers=JSON).json
    assert (document["state"], document["account"], document["level"]) == ("signed_in", "anne", "MFA")
    assert document["methods"] == ["pwd", "otp"]
    assert document["authenticated_at"] == portal.clock()


def test_who_is_signed_in_gets_older_with_the_clock(portal: Portal) -> None:
    portal.enrolled()
    client = portal.app.test_client()
    signed_in(client, portal.people["anne"])
    portal.clock.advance(timedelta(minutes=10))
    assert client.get("/", base_url=BASE_URL).status_code == 200
    answer = client.get("/bank", base_url=BASE_URL)
    assert (answer.status_code, answer.json["code"]) == (401, "step_up_required")
    portal.clock.advance(timedelta(hours=1))
    assert client.get("/", base_url=BASE_URL).json["code"] == "sign_in_required"


def test_several_people_and_clients_do_not_meet(portal: Portal) -> None:
    one, two = portal.app.test_client(), portal.app.test_client()
    signed_in(one, portal.people["anne"])
    signed_in(two, portal.people["bob"])
    assert one.get("/", base_url=BASE_URL).text == "home of anne"
    assert two.get("/", base_url=BASE_URL).text == "home of bob"
    signed_in(one, portal.people["bob"])
    assert one.get("/", base_url=BASE_URL).text == "home of bob"
    assert portal.app.test_client().get("/", base_url=BASE_URL).status_code == 401


def test_it_works_inside_a_request_or_application_context_too(portal: Portal) -> None:
    client = portal.app.test_client()
    with portal.app.app_context():
        signed_in(client, portal.people["anne"])
        assert client.get("/", base_url=BASE_URL).text == "home of anne"
        assert client.get("/", base_url=BASE_URL).text == "home of anne"
        assert portal.app.test_client().get("/", base_url=BASE_URL).status_code == 401


def test_nobody_is_signed_in_by_a_password_alone(portal: Portal) -> None:
    with pytest.raises(ValueError, match=r"write Level\.MFA"):
        signed_in(portal.app.test_client(), portal.people["anne"], Level.PASSWORD)
    assert stored(portal)["mfa_sessions"] == []


@pytest.mark.parametrize("level", [Level.MFA, Level.PHISHING_RESISTANT, Level.HARDWARE])
def test_somebody_is_signed_in_at_any_level_above(portal: Portal, level: Level) -> None:
    with portal.app.test_client() as client:
        signed_in(client, portal.people["anne"], level)
        assert client.get("/mfa/api/v1/session", base_url=BASE_URL).get_json()["level"] == level.name
        wanted = 200 if level >= Level.PHISHING_RESISTANT else 403
        assert client.get("/safe", base_url=BASE_URL).status_code == wanted


def test_a_step_up_is_tested_with_a_security_key(portal: Portal) -> None:
    key = enrol_key(portal.app, portal.people["anne"])
    with portal.app.test_client() as client:
        signed_in(client, portal.people["anne"])
        refused = client.get("/safe", base_url=BASE_URL)
        assert (refused.status_code, refused.get_json()["code"]) == (401, "step_up_required")
        assert prove_by_key(client, key).status_code == 200
        assert client.get("/safe", base_url=BASE_URL).text == "safe form"


def test_a_security_key_completes_a_sign_in(portal: Portal) -> None:
    key = enrol_key(portal.app, portal.people["anne"])
    with portal.app.test_client() as client:
        client.post("/login", base_url=BASE_URL, data={"email": "anne", "password": "pw-anne"})
        assert prove_by_key(client, key).get_json()["session"]["level"] == "PHISHING_RESISTANT"


def test_a_key_of_somebody_else_proves_nothing(portal: Portal) -> None:
    enrol_key(portal.app, portal.people["anne"])
    with portal.app.test_client() as client:
        client.post("/login", base_url=BASE_URL, data={"email": "anne", "password": "pw-anne"})
        with pytest.raises(KeyRefused, match="NotAllowedError"):
            prove_by_key(client, SoftwareKey(BASE_URL))


def test_whoever_is_not_there_proves_nothing(portal: Portal) -> None:
    key = enrol_key(portal.app, portal.people["anne"])
    answer = prove_by_key(portal.app.test_client(), key)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "sign_in_required")


@pytest.mark.parametrize("strict", [False, True])
def test_an_authenticator_app_is_enrolled_by_real_steps_and_signs_in(make: MakePortal, strict: bool) -> None:
    portal = make(MFA_GATE_STRICT=strict)
    secret = enrol_totp(portal.app, portal.people["anne"])
    assert stored(portal)["mfa_sessions"] == []
    assert stored(portal)["mfa_activations"] == []
    browser = portal.browser()
    if strict:
        portal.clock.advance(30)
    assert browser.sign_in(secret).status_code == 303
    assert browser.get("/").text == "home of anne"


def test_codes_are_those_of_any_authenticator_app() -> None:
    """RFC 6238, appendix B, in six digits."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert [totp_code(secret, at) for at in (59, 1111111109, 1234567890, 20000000000)] == [
        "287082",
        "081804",
        "005924",
        "353130",
    ]


def test_a_portal_that_leaves_identity_to_the_gate_needs_no_session_of_its_own(make: MakePortal) -> None:
    portal = make(MFA_GATE_IDENTITY="gate")
    portal.gate.portal.signed_in = portal.gate.portal.identity = None
    client = portal.app.test_client()
    signed_in(client, portal.people["anne"])
    assert client.get("/", base_url=BASE_URL).text == "home of anne"
    assert client.get_cookie("session", domain="portal.example") is None


def test_the_session_of_a_request_names_its_account_only_when_asked(portal: Portal) -> None:
    loaded: list[str] = []

    @portal.gate.account_loader
    def load(account_id: str) -> object:
        loaded.append(account_id)
        return portal.people.get(account_id)

    @portal.app.get("/id")
    def only_id() -> str:
        return str(portal.gate.session.account_id)

    @portal.app.get("/name")
    def name() -> str:
        there = portal.gate.session
        assert there.account is there.account
        assert session["user"] == there.account_id
        return str(there.account and there.account.name)

    client = portal.app.test_client()
    signed_in(client, portal.people["anne"])
    loaded.clear()
    assert client.get("/id", base_url=BASE_URL).text == "anne"
    assert loaded == []
    assert client.get("/name", base_url=BASE_URL).text == "Anne Martin"
    assert loaded == ["anne"]
