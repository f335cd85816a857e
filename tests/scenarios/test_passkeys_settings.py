"""What a portal switches on and off: methods, the RP ID, related origins, an address without a name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mfa_gate.exc import ConfigurationError
from mfa_gate.testing import enrol_key, enrol_totp
from tests.support.passkeys import LENIENT, PLAIN, UNLIMITED, complete, credentials, key_of, refused, sign_in
from tests.support.portal import JSON, Browser, MakePortal, Portal

pytestmark = pytest.mark.parametrize("backend", ["sqlite"])
ALL = ("webauthn", "totp", "recovery")


def without(make: MakePortal, method: str) -> Portal:
    """A portal that has switched a method off."""
    return make(MFA_GATE_METHODS=[name for name in ALL if name != method], limits=UNLIMITED)


def with_an_authenticator(make: MakePortal, method: str) -> Portal:
    """A worker with everything on, where anne has an authenticator of this method alone."""
    portal = make(limits=UNLIMITED)
    if method == "webauthn":
        portal.key()
    else:
        portal.enrolled()
    return portal


# --- A40: methods that are switched off --------------------------------------------------------------------------

API_CALLS = {
    "webauthn": [
        ("webauthn/verify/begin", None),
        ("webauthn/verify/complete", {"id": "x"}),
        ("webauthn/enrol/begin", None),
        ("webauthn/enrol/complete", {"id": "x", "label": "Key"}),
    ],
    "totp": [
        ("totp/verify", {"code": "123456"}),
        ("totp/enrol/begin", None),
        ("totp/enrol/complete", {"enrolment": "0" * 32, "code": "123456"}),
    ],
    "recovery": [("recovery/verify", {"code": "0000-0000-0000-0000"}), ("recovery/renew", None)],
}
FORMS = {
    "webauthn": [("challenge", {"method": "webauthn", "answer": "{}"}), ("enrol", {"action": "webauthn"})],
    "totp": [
        ("challenge", {"code": "123456"}),
        ("challenge", {"method": "totp", "code": "123456"}),
        ("enrol", {"action": "begin"}),
        ("enrol", {"action": "complete", "enrolment": "0" * 32, "code": "123456"}),
    ],
    "recovery": [
        ("challenge", {"method": "recovery", "code": "0000-0000-0000-0000"}),
        ("authenticators", {"action": "renew"}),
    ],
}


def standing(portal: Portal, state: str) -> Browser:
    """A browser in a state that has nothing to do with the method: each call is not there all the same."""
    browser = portal.browser()
    if state == "enrolling":
        browser.activate("bob")
    else:
        browser.password("anne")
        if state == "signed_in":
            other = "totp" if "webauthn" not in portal.app.config["MFA_GATE_METHODS"] else "webauthn"
            if other == "totp":
                browser.sign_in(enrol_totp(portal.app, portal.people["bob"]), "bob")
            else:
                key = enrol_key(portal.app, portal.people["bob"])
                sign_in(browser, key, "bob")
    assert browser.state == state
    return browser


@pytest.mark.abuse("A40")
@pytest.mark.parametrize("state", ["pending", "enrolling", "signed_in"])
@pytest.mark.parametrize("method", ALL)
def test_no_call_of_a_method_that_is_switched_off_is_there(make: MakePortal, method: str, state: str) -> None:
    with_an_authenticator(make, method)
    browser = standing(without(make, method), state)
    for path, body in API_CALLS[method]:
        answer = browser.api("POST", path, body)
        assert (answer.status_code, answer.json.get("code")) == (404, "not_found"), path


@pytest.mark.abuse("A40")
@pytest.mark.parametrize(
    ("method", "state", "step", "fields"),
    [
        (method, {"challenge": "pending", "enrol": "enrolling"}.get(step, "signed_in"), step, fields)
        for method, forms in FORMS.items()
        for step, fields in forms
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(f"{k}={v}" for k, v in value.items()),
)
def test_no_form_of_a_method_that_is_switched_off_is_taken(
    make: MakePortal, method: str, state: str, step: str, fields: dict[str, str]
) -> None:
    with_an_authenticator(make, method)
    browser = standing(without(make, method), state)
    if fields.get("action") == "webauthn":
        fields = {**fields, "answer": json.dumps({"id": "x"})}
    assert browser.step(step, **fields).status_code == 404


@pytest.mark.abuse("A40")
@pytest.mark.parametrize(("step", "body"), [("challenge", {"code": "123456"}), ("enrol", {})])
def test_the_urls_of_pages_do_not_take_codes_of_programs_either_once_apps_are_off(
    make: MakePortal, step: str, body: dict[str, str]
) -> None:
    with_an_authenticator(make, "totp")
    browser = standing(without(make, "totp"), "pending" if step == "challenge" else "enrolling")
    answer = browser.open("POST", f"/mfa/{step}", json=body, headers={**JSON, "X-MFA-CSRF": browser.token})
    assert answer.status_code == 404


@pytest.mark.abuse("A40")
@pytest.mark.parametrize("method", ["webauthn", "totp"])
def test_an_account_whose_only_method_is_switched_off_is_still_asked_and_not_let_in(
    make: MakePortal, method: str
) -> None:
    with_an_authenticator(make, method)
    off = without(make, method)
    browser = off.browser()
    browser.password()
    document = browser.api("GET", "session").json
    assert (document["state"], document["allowed_methods"]) == ("pending", [])
    assert browser.get("/").location == "https://portal.example/mfa/challenge"
    page = browser.get("/mfa/challenge")
    assert page.status_code == 403
    assert "<form" not in page.text
    answer = browser.api("POST", "activation/verify", {"code": off.activation_code()})
    assert answer.status_code == 409
    assert browser.state == "pending"
    assert off.opened == []


@pytest.mark.abuse("A40")
def test_of_several_methods_one_that_is_switched_off_is_not_offered(make: MakePortal) -> None:
    on = make(**PLAIN)
    key = on.key()
    browser = on.browser()
    sign_in(browser, key)
    begun = browser.begin_enrolment()
    browser.api("POST", "totp/enrol/complete", {"enrolment": begun["enrolment"], "code": on.code(begun["secret"])})
    for method, field, other in (("webauthn", "data-mfa-webauthn", "totp"), ("totp", 'id="code"', "webauthn")):
        off = without(make, method)
        browser = off.browser()
        browser.password()
        assert browser.api("GET", "session").json["allowed_methods"] == [other]
        page = browser.get("/mfa/challenge")
        assert page.status_code == 200
        assert field not in page.text


@pytest.mark.abuse("A40")
@pytest.mark.parametrize(
    ("method", "mark"), [("webauthn", "data-mfa-webauthn"), ("totp", 'name="action" value="begin"')]
)
def test_a_method_that_is_switched_off_is_not_offered_for_enrolment(make: MakePortal, method: str, mark: str) -> None:
    on, off = make(**PLAIN), without(make, method)
    for portal, offered in ((on, True), (off, False)):
        browser = portal.browser()
        browser.activate()
        assert (mark in browser.get("/mfa/enrol").text) is offered
        browser.api("POST", "sign-out")
        portal.clock.advance(3600)


@pytest.mark.abuse("A40")
def test_without_recovery_codes_none_are_drawn_told_or_offered(make: MakePortal) -> None:
    portal = without(make, "recovery")
    browser = portal.browser()
    browser.activate()
    done = complete(browser, "enrol", key_of())
    assert "recovery_codes" not in done.json
    assert portal.sql("SELECT * FROM mfa_recovery_sets") == []
    assert 'value="renew"' not in browser.get("/mfa/authenticators").text


# --- whose the passkeys are --------------------------------------------------------------------------------------


def test_the_rp_id_is_the_exact_host_of_the_base_url(make: MakePortal) -> None:
    portal = make(**PLAIN)
    portal.key()
    assert [row.rp_id for row in credentials(portal)] == ["portal.example"]


def test_an_rp_id_that_is_set_stands_in_the_options_and_is_what_is_checked(make: MakePortal) -> None:
    portal = make(**PLAIN, MFA_GATE_RP_ID="portail.example")
    browser, key = portal.browser(), key_of()
    browser.activate()
    options = browser.api("POST", "webauthn/enrol/begin").json
    assert options["rp"]["id"] == "portail.example"
    foreign = key_of().register({**options, "rp": {"id": "portal.example"}}, LENIENT)
    assert refused(browser.api("POST", "webauthn/enrol/complete", foreign), portal, "rp_id")
    assert complete(browser, "enrol", key, LENIENT).status_code == 200
    assert [row.rp_id for row in credentials(portal)] == ["portail.example"]
    assert sign_in(portal.browser(), key, tampered=LENIENT).status_code == 200


def test_passkeys_of_an_older_rp_id_are_neither_asked_for_nor_forgotten(make: MakePortal) -> None:
    old = make(**PLAIN)
    key = old.key()
    new = make(**PLAIN, MFA_GATE_RP_ID="portail.example")
    browser = new.browser()
    browser.password()
    answer = browser.api("POST", "webauthn/verify/begin")
    assert (answer.status_code, answer.json.get("code")) == (403, "no_suitable_method")
    assert browser.state == "pending"
    assert new.opened == []
    assert sign_in(old.browser(), key).status_code == 200


@pytest.mark.parametrize("rp_id", ["https://portal.example", "Portal.example", "portal.example:443", "192.0.2.7", ""])
def test_an_rp_id_that_is_no_host_name_stops_the_start(make: MakePortal, rp_id: str) -> None:
    with pytest.raises(ConfigurationError, match="MFA_GATE_RP_ID"):
        make(MFA_GATE_RP_ID=rp_id)


RELATED = ["https://portail.example.org", "https://portal.example.com:8443"]


@pytest.mark.parametrize("signed_in", [False, True])
def test_related_origins_are_told_to_anybody_and_exactly(make: MakePortal, signed_in: bool) -> None:
    portal = make(**PLAIN, MFA_GATE_RELATED_ORIGINS=RELATED)
    browser = portal.browser()
    if signed_in:
        sign_in(browser, portal.key())
    answer = browser.get("/.well-known/webauthn", headers={"Accept": "*/*"})
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert answer.json == {"origins": RELATED}
    assert browser.get("/.well-known/webauthn").mimetype == "application/json"  # for every Accept header


def test_without_related_origins_there_is_no_such_file(make: MakePortal) -> None:
    assert make(**PLAIN).browser().get("/.well-known/webauthn").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [["http://portail.example.org"], ["https://portail.example.org/x"], "https://a.example", ["https://a.example"] * 6],
    ids=["not secure", "with a path", "one text", "too many"],
)
def test_related_origins_that_no_browser_takes_stop_the_start(make: MakePortal, wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="MFA_GATE_RELATED_ORIGINS"):
        make(MFA_GATE_RELATED_ORIGINS=wrong)


# --- an address without a name -----------------------------------------------------------------------------------


@pytest.mark.parametrize("base_url", ["https://192.0.2.7", "https://[2001:db8::7]:8443"])
def test_a_portal_that_has_no_host_name_starts_without_passkeys(make: MakePortal, base_url: str) -> None:
    portal = make(MFA_GATE_BASE_URL=base_url)
    browser = portal.browser()
    secret = portal.enrolled()
    browser.password()
    assert browser.api("GET", "session").json["allowed_methods"] == ["totp"]
    for step in ("verify", "enrol"):
        assert browser.api("POST", f"webauthn/{step}/begin").status_code == 404
    assert browser.api("POST", "totp/verify", {"code": portal.code(secret)}).status_code == 200
    words = portal.app.test_cli_runner().invoke(args=["mfa", "check"]).output
    assert "methods: totp, recovery" in words


@pytest.mark.parametrize("more", [{"MFA_GATE_METHODS": ["webauthn", "totp"]}, {"MFA_GATE_RP_ID": "portal.example"}])
def test_a_portal_that_has_no_host_name_and_wants_passkeys_does_not_start(
    make: MakePortal, more: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="passkeys cannot belong to an address"):
        make(MFA_GATE_BASE_URL="https://192.0.2.7", **more)
