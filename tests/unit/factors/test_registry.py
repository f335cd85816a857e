"""The registry of factors: what iterates over it knows a factor by its one entry, also one that is off by default."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mfa_gate import ConfigurationError, GroupPolicy, Level, Policy
from mfa_gate.factors.registry import FACTORS, RECOVERY, TOTP, default_factors, register
from mfa_gate.flows import FACTOR_FLOWS
from mfa_gate.store.schema import metadata
from mfa_gate.web.factors import FACES
from tests.support.example_factor import NUMBER, BadgeFlow, badge, gives_badge
from tests.support.portal import JSON, MakePortal, Portal

ON = ["webauthn", "totp", "recovery", "badge"]


@pytest.fixture
def backend() -> str:
    """What a factor is to the rest does not depend on the store."""
    return "sqlite"


@pytest.fixture
def with_badge() -> Iterator[None]:
    with badge():
        yield


@pytest.fixture
def badged(with_badge: None, make: MakePortal) -> Portal:
    portal = make(MFA_GATE_METHODS=ON)
    gives_badge(portal)
    return portal


@pytest.mark.parametrize("name", FACTORS)
def test_each_factor_has_a_flow_a_face_and_a_table(name: str) -> None:
    factor = FACTORS[name]
    assert FACTOR_FLOWS[name].factor is factor
    assert FACES[name].factor is factor
    assert factor.table in metadata.tables


@pytest.mark.parametrize("name", FACTORS)
def test_the_template_of_each_factor_has_all_its_pieces(portal: Portal, name: str) -> None:
    pieces = portal.app.jinja_env.get_template(f"mfa_gate/factors/{FACTORS[name].template}").module
    wanted = {"title", "lead", "form", "questions"} | ({"enrol"} if FACTORS[name].stands_alone else set())
    assert wanted <= set(dir(pieces))


def test_each_route_of_a_factor_is_served_and_described(portal: Portal) -> None:
    described = portal.browser().get("/mfa/api/v1/openapi.json", headers=JSON).json["paths"]
    served = {rule.rule for rule in portal.app.url_map.iter_rules()}
    for factor in FACTORS.values():
        for route in factor.routes:
            assert described[route.path]["post"]["operationId"] == route.operation
            assert f"/mfa/api/v1{route.path}" in served


def test_a_factor_is_registered_once() -> None:
    with pytest.raises(ValueError, match="registered already"):
        register(TOTP)


def test_one_that_is_off_by_default_is_offered_only_where_a_portal_says_so(with_badge: None, make: MakePortal) -> None:
    assert "badge" not in default_factors()
    assert "badge" not in make().gate_settings.methods
    assert "badge" in make(MFA_GATE_METHODS=ON).gate_settings.methods


def test_a_factor_that_is_switched_off_is_not_there(with_badge: None, make: MakePortal) -> None:
    portal = make()
    gives_badge(portal)
    browser = portal.browser()
    browser.password()
    assert browser.api("POST", "badge/verify", {"code": NUMBER}).status_code == 404


def test_a_new_factor_signs_in_over_the_api_and_on_the_page(badged: Portal) -> None:
    by_api, by_page = badged.browser(), badged.browser()
    by_api.password()
    passed = by_api.api("POST", "badge/verify", {"code": NUMBER})
    assert (passed.status_code, passed.json["session"]["level"]) == (200, "MFA")
    by_page.password()
    assert "Hold your badge" in by_page.get("/mfa/challenge").text
    assert by_page.step("challenge", method="badge", code=NUMBER).status_code == 303
    assert by_page.get("/").status_code == 200


def test_a_wrong_answer_to_a_new_factor_is_asked_again_and_counts(badged: Portal) -> None:
    browser = badged.browser()
    browser.password()
    wrong = browser.step("challenge", method="badge", code="1")
    assert wrong.status_code == 422
    assert ("second_factor", "failure", "wrong_code") in badged.events()


def test_an_unlock_clears_the_counters_of_every_factor(badged: Portal) -> None:
    browser = badged.browser()
    browser.password()
    while browser.api("POST", "badge/verify", {"code": "1"}).status_code != 429:
        pass
    with badged.app.app_context():
        badged.gate.unlock("anne", "called back")
    assert browser.api("POST", "badge/verify", {"code": NUMBER}).status_code == 200


def test_rotation_and_check_ask_every_factor(badged: Portal) -> None:
    parts = badged.app.extensions["mfa_gate"]
    parts.keys.rotate()
    assert BadgeFlow.sealed_anew
    assert "a badge" in parts.keys.broken()


def test_a_policy_counts_it_by_its_name(with_badge: None, make: MakePortal) -> None:
    only = Policy(groups={"pharmacist": GroupPolicy(methods=("badge",))})
    portal = make(MFA_GATE_METHODS=ON, policy=only)
    gives_badge(portal)
    browser = portal.browser()
    browser.password()
    browser.api("POST", "badge/verify", {"code": NUMBER})
    assert browser.get("/").status_code == 200
    with pytest.raises(ConfigurationError, match="no method that reaches it"):
        GroupPolicy(methods=("badge",), level=Level.PHISHING_RESISTANT)


def test_codes_of_a_list_are_no_factor_to_begin_with(make: MakePortal) -> None:
    with pytest.raises(ConfigurationError, match="'webauthn' or 'totp' among them"):
        make(MFA_GATE_METHODS=[RECOVERY.name])
