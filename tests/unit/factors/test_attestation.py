"""Portals that ask who made a key: a trusted make counts as hardware, and nothing else does."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from mfa_gate import AttestationPolicy, Level
from mfa_gate.testing.software_key import SoftwareKey, Tampered
from mfa_gate.testing.software_maker import AAGUID, Maker
from tests.support.owners import by_key, credential_id, id_of_key, redeem, said
from tests.support.passkeys import (
    PLAIN,
    WAYS,
    Trial,
    begin,
    complete,
    credentials,
    key_of,
    refused,
    session_of,
    sign_in,
)
from tests.support.portal import JSON, Browser, MakePortal, Portal

MAKER = Maker()
MODEL = str(UUID(bytes=AAGUID))
OTHERS = frozenset({str(UUID(int=1))})


def trusting(make: MakePortal, maker: Maker = MAKER, models: frozenset[str] | None = None, **more: Any) -> Portal:
    """A portal that takes keys of this maker alone, and has a view for hardware."""
    return with_a_vault(make(**PLAIN, **more, attestation=AttestationPolicy({"packed": (maker.root,)}, models)))


def with_a_vault(portal: Portal) -> Portal:
    @portal.app.get("/vault")
    @portal.gate.require(Level.HARDWARE)
    def vault() -> str:
        return "vault"

    return portal


@pytest.mark.parametrize("way", WAYS)
def test_a_key_of_a_trusted_maker_is_hardware(make: MakePortal, way: str) -> None:
    portal = trusting(make)
    browser, key = portal.browser(), key_of(maker=MAKER)
    browser.activate()
    options = begin(browser, "enrol")
    assert options["attestation"] == "direct"
    assert complete(browser, "enrol", key, way=way).status_code < 400
    assert session_of(browser)["level"] == "HARDWARE"
    assert session_of(browser)["methods"] == ["pwd", "hwk"]
    assert browser.get("/vault").text == "vault"
    (row,) = credentials(portal)
    assert (bool(row.attested), row.method, row.aaguid) == (True, "hwk", MODEL)
    later = portal.browser()
    later.password()
    assert session_of(later)["allowed_methods"] == ["webauthn"]
    assert complete(later, "verify", key, way=way).status_code < 400
    assert (later.get("/vault").text, later.get("/safe").text) == ("vault", "safe form")
    (listed,) = later.api("GET", "authenticators").json["authenticators"]
    assert (listed["method"], listed["level"]) == ("webauthn", "HARDWARE")


@pytest.mark.parametrize("models", [frozenset({MODEL}), frozenset({MODEL.upper(), str(UUID(int=1))})])
def test_a_model_on_the_list_is_taken(make: MakePortal, models: frozenset[str]) -> None:
    portal = trusting(make, models=models)
    browser = portal.browser()
    browser.activate()
    assert complete(browser, "enrol", key_of(maker=MAKER)).status_code == 200


REFUSED: dict[str, tuple[dict[str, Any], Tampered, dict[str, Any]]] = {
    "nobody vouches": ({}, Tampered(format="none", statement={}), {}),
    "the key vouches for itself": ({}, Tampered(format="packed"), {}),
    "an unknown maker": ({"maker": Maker()}, Tampered(format="packed"), {}),
    "a model that is not on the list": ({"maker": MAKER}, Tampered(format="packed"), {"models": OTHERS}),
    "another model than the certificate names": ({"maker": MAKER, "aaguid": bytes(16)}, Tampered(format="packed"), {}),
    "a bad signature of the maker": ({"maker": MAKER}, Tampered(format="packed", bad_signature=True), {}),
    "another format": ({"maker": MAKER}, Tampered(format="fido-u2f"), {}),
    "an empty statement": ({"maker": MAKER}, Tampered(format="packed", statement={}), {}),
    "no certificate": ({"maker": MAKER}, Tampered(format="packed", statement={"alg": -7, "sig": b"x", "x5c": []}), {}),
}  # fmt: skip


@pytest.mark.abuse("A28")
@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("key", "tampered", "policy"), REFUSED.values(), ids=REFUSED)
def test_a_key_that_no_trusted_maker_vouches_for_is_not_enrolled(
    make: MakePortal, way: str, key: dict[str, Any], tampered: Tampered, policy: dict[str, Any]
) -> None:
    trial = Trial(trusting(make, **policy), "enrol", key_of(**key))
    assert trial.tampered(tampered, way) == "attestation"


@pytest.mark.abuse("A28")
@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize(
    "maker",
    [Maker(unit="Sales"), Maker(ca=True), Maker(extension=bytes(16)), Maker(critical=True), Maker(country=None)],
    ids=["unit", "may issue others", "another model", "critical model", "no country"],
)
def test_a_certificate_that_breaks_the_rules_is_not_trusted_though_its_root_is(make: MakePortal, maker: Maker) -> None:
    assert (
        Trial(trusting(make, maker), "enrol", key_of(maker=maker)).tampered(Tampered(format="packed")) == "attestation"
    )


@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize("key", [SoftwareKey, MAKER], ids=["a mere passkey", "a key whose maker nobody asked for"])
def test_without_a_policy_nobody_is_hardware(make: MakePortal, key: Any) -> None:
    portal = with_a_vault(make(**PLAIN))
    browser = portal.browser()
    browser.activate()
    used = key_of(maker=MAKER) if key is MAKER else key_of()
    assert begin(browser, "enrol")["attestation"] == "none"
    assert (
        complete(browser, "enrol", used, Tampered(format="packed") if key is MAKER else Tampered()).status_code == 200
    )
    assert session_of(browser)["level"] == "PHISHING_RESISTANT"
    assert not credentials(portal)[0].attested
    assert browser.get("/safe").text == "safe form"
    page = browser.get("/vault")
    assert page.status_code == 403
    answer = browser.get("/vault", headers=JSON)
    assert (answer.status_code, answer.json["code"]) == (403, "no_suitable_method")


def test_a_view_for_hardware_refuses_a_mere_passkey_of_somebody_who_has_both(make: MakePortal) -> None:
    """Enrolled before the policy came, it still opens what it opened, and no more."""
    before = make(**PLAIN)
    passkey = before.key()
    portal = trusting(make)
    browser = portal.browser()
    assert sign_in(browser, passkey).status_code == 200
    assert session_of(browser)["level"] == "PHISHING_RESISTANT"
    assert browser.get("/safe").text == "safe form"
    assert browser.get("/vault").status_code == 403
    # adding what would raise the highest level needs an activation code besides
    refusal = browser.api("POST", "webauthn/enrol/begin")
    assert (refusal.status_code, refusal.json["code"]) == (401, "activation_required")
    assert browser.api("POST", "activation/verify", {"code": portal.activation_code()}).status_code == 200
    hardware = key_of(maker=MAKER)
    assert complete(browser, "enrol", hardware).status_code == 200
    assert browser.get("/vault").text == "vault"
    later = portal.browser()
    sign_in(later, passkey)
    blocked = later.get("/vault", headers=JSON)
    assert (blocked.status_code, blocked.json["code"]) == (401, "step_up_required")
    assert 'acr_values="phrh"' in blocked.headers["WWW-Authenticate"]
    assert complete(later, "verify", hardware).status_code == 200
    assert later.get("/vault").text == "vault"


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_copy_of_attested_hardware_is_told_like_any_other(make: MakePortal) -> None:
    portal = trusting(make)
    browser, key = portal.browser(), key_of(maker=MAKER, count=5)
    browser.activate()
    complete(browser, "enrol", key)
    assert sign_in(portal.browser(), key, tampered=Tampered(count=3)).status_code == 200
    (told,) = portal.sql("SELECT method FROM mfa_events WHERE kind = 'sign_count_went_back'")
    assert told.method == "hwk"
    assert refused(sign_in(portal.browser(), key, tampered=Tampered(bad_signature=True)), portal, "signature")


# --- hardware ends with the policy that asked for it ---------------------------------------------------------------


def allowed(browser: Browser) -> set[str]:
    """The credentials that a browser is asked for."""
    return {one["id"] for one in begin(browser, "verify")["allowCredentials"]}


def test_hardware_ends_with_the_policy_that_asked_who_made_it(make: MakePortal) -> None:
    asking = trusting(make)
    key = asking.key(maker=MAKER)
    inside = asking.browser()
    sign_in(inside, key)
    assert (session_of(inside)["level"], inside.get("/vault").text) == ("HARDWARE", "vault")
    later = with_a_vault(make(**PLAIN))
    browser = later.browser()
    assert sign_in(browser, key).status_code == 200
    assert (session_of(browser)["level"], session_of(browser)["methods"]) == ("PHISHING_RESISTANT", ["pwd", "pop"])
    assert browser.get("/safe").text == "safe form"
    assert said(browser.get("/vault", headers=JSON)) == (403, "no_suitable_method")
    (listed,) = browser.api("GET", "authenticators").json["authenticators"]
    assert (listed["method"], listed["level"]) == ("webauthn", "PHISHING_RESISTANT")
    back = asking.browser()
    sign_in(back, key)
    assert session_of(back)["level"] == "HARDWARE"  # nothing was taken from the key itself


def test_the_owner_of_hardware_still_changes_things_by_it_once_its_policy_is_gone(make: MakePortal) -> None:
    key = trusting(make).key(maker=MAKER)
    later = with_a_vault(make(**PLAIN))
    browser = later.browser()
    sign_in(browser, key)
    path, added = f"authenticators/{id_of_key(later, key)}", key_of()
    assert browser.api("PATCH", path, {"label": "Old one"}).status_code == 200
    assert complete(browser, "enrol", added).status_code == 200
    assert sign_in(later.browser(), added).status_code == 200
    assert browser.api("DELETE", path).status_code == 200


def with_both(make: MakePortal) -> tuple[Portal, Any, Any]:
    """Anne has a mere passkey, from before the policy, and a key that its maker vouches for."""
    before = make(**PLAIN)
    passkey, hardware = before.key(), key_of(maker=MAKER)
    portal = trusting(make)
    browser = by_key(portal, passkey)
    assert redeem(browser).status_code == 200
    assert complete(browser, "enrol", hardware).status_code == 200
    return portal, passkey, hardware


@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize("first", [False, True], ids=["signed in already", "wanted before signing in"])
def test_in_a_step_up_for_a_view_that_asks_for_hardware_no_other_key_is_asked_for(
    make: MakePortal, first: bool
) -> None:
    """To sign in any of them will do: the view itself asks for more."""
    portal, passkey, hardware = with_both(make)
    browser = portal.browser()
    if first:
        browser.get("/vault")
    browser.password()
    assert allowed(browser) == {credential_id(passkey), credential_id(hardware)}
    assert complete(browser, "verify", passkey).status_code == 200
    assert browser.get("/vault").status_code == 303
    assert allowed(browser) == {credential_id(hardware)}
    assert complete(browser, "verify", hardware).json["next"].endswith("/vault")
    assert browser.get("/vault").text == "vault"


@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize("page", ["/", "/safe", None])
def test_for_every_other_view_all_keys_are_asked_for(make: MakePortal, page: str | None) -> None:
    portal, passkey, hardware = with_both(make)
    browser = portal.browser()
    if page is not None:
        browser.get(page)
    browser.password()
    assert allowed(browser) == {credential_id(passkey), credential_id(hardware)}
    assert complete(browser, "verify", passkey).status_code == 200


@pytest.mark.parametrize("backend", ["sqlite"])
def test_whoever_wanted_a_view_for_hardware_and_has_none_still_signs_in(make: MakePortal) -> None:
    """As the page does, which says afterwards what is missing."""
    passkey = make(**PLAIN).key()
    portal = trusting(make)
    browser = portal.browser()
    browser.get("/vault")
    browser.password()
    assert "data-mfa-webauthn" in browser.get("/mfa/challenge").text
    assert allowed(browser) == {credential_id(passkey)}
    assert complete(browser, "verify", passkey).status_code == 200
    assert browser.get("/vault").status_code == 403
    assert browser.get("/").text == "home of anne"
