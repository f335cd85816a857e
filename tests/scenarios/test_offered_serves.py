"""What a refusal offers gets the person through, for every set of methods; where nothing does, the page says so."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import TestResponse

from mfa_gate import HarvestPolicy, Level
from mfa_gate.policy import GroupPolicy, Policy
from mfa_gate.risk import RiskPolicy
from tests.support.breaking import kept
from tests.support.owners import enrol, with_codes
from tests.support.portal import BASE_URL, JSON, Browser, MakePortal, Portal
from tests.support.readers import open_records, works

SETS = (("app",), ("key",), ("key", "app"))
HOWS = ("page", "fetch", "program", "form")
FETCH = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
CANARY = "canary"
REFUSALS = {
    "age": "/bank",
    "level": "/safe",
    "hardware": "/vault",
    "quota": "/records/5",
    "stop": "/records/5",
    "stop for the desk": "/records/5",
}


def person(make: MakePortal, enrolled: tuple[str, ...], **more: Any) -> tuple[Portal, dict[str, Any]]:
    """A portal, and what anne has to prove herself with: by name of the method."""
    policy = HarvestPolicy(canary=lambda _kind, one: one == CANARY)
    portal = open_records(make, harvest=policy, **more)

    @portal.app.route("/vault", methods=["GET", "POST"])
    @portal.gate.require(Level.HARDWARE)
    def vault() -> str:
        return "vault"

    made = enrol(portal, *enrolled)
    has = {"app": "totp", "key": "webauthn"}
    methods: dict[str, Any] = {has[kind]: one for kind, one in zip(enrolled, made, strict=True)}
    methods["recovery"] = list(with_codes(portal, count=4))
    portal.mark_notices_shown()
    return portal, methods


def prove(browser: Browser, methods: dict[str, Any], method: str) -> TestResponse:
    browser.portal.clock.advance(31)
    if method == "webauthn":
        return browser.prove(methods["webauthn"])
    code = browser.portal.code(methods["totp"]) if method == "totp" else methods["recovery"].pop()
    return browser.step("challenge", code=code, method=method)


def signs_in(browser: Browser, methods: dict[str, Any]) -> None:
    """By the weakest that there is."""
    browser.password()
    assert prove(browser, methods, "totp" if "totp" in methods else "webauthn").status_code in (200, 303)
    browser.portal.mark_notices_shown()


def brings_about(browser: Browser, methods: dict[str, Any], refusal: str) -> None:
    portal = browser.portal
    if refusal in ("age", "level"):
        portal.clock.advance(660)
    elif refusal == "quota":
        while works(browser, portal.sql("SELECT count(*) FROM mfa_reads")[0][0], 1, pace=90):
            assert portal.sql("SELECT count(*) FROM mfa_reads")[0][0] < 200
    elif refusal.startswith("stop"):
        if refusal == "stop":
            works(browser, 0, 60, pace=0.2)
        else:
            browser.get(f"/records/{CANARY}", headers=JSON)
        assert browser.state == "anonymous"
        portal.clock.advance(60)
        signs_in(browser, methods)


def asks(browser: Browser, path: str, how: str) -> TestResponse:
    if how == "form":
        return browser.post(path, {"note": "kept"})
    return browser.get(path, headers={"page": {}, "fetch": FETCH, "program": JSON}[how])


def challenge_of(browser: Browser, refused: TestResponse) -> TestResponse:
    """The page that a person reads then: the answer itself, where it leads to, or the challenge."""
    if refused.headers.get("Location"):
        return browser.get(refused.headers["Location"].removeprefix(BASE_URL))
    if refused.is_json and refused.status_code == 401:
        acr = re.search(r'acr_values="([^"]+)"', refused.headers["WWW-Authenticate"])
        assert acr is not None
        return browser.get("/mfa/challenge", query_string={"acr_values": acr[1]})
    return refused


def offered(page: TestResponse) -> list[str]:
    return re.findall(r'name="method" value="(\w+)"', page.text)


def said(page: TestResponse) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text)))


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("enrolled", SETS, ids="+".join)
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("refusal", REFUSALS)
def test_each_method_that_is_offered_gets_the_person_through(
    make: MakePortal, refusal: str, how: str, enrolled: tuple[str, ...]
) -> None:
    portal, methods = person(make, enrolled)
    browser, path = portal.browser(), REFUSALS[refusal]
    signs_in(browser, methods)
    brings_about(browser, methods, refusal)
    refused = asks(browser, path, how)
    if refusal == "stop" and "totp" not in methods:
        assert refused.status_code == 200  # the sign-in by a key has lifted it
        return
    assert refused.status_code != 200
    page = challenge_of(browser, refused)
    ways = offered(page)
    if not ways:
        # what is missing, or who can help, and nothing to try in vain
        words = refused.json["detail"] if refused.is_json else said(page)
        assert page.status_code == 403
        assert any(word in words for word in ("clé de sécurité", "security key", "assistance", "help desk"))
        return
    stood = portal.clock()
    with kept(portal) as put_back:
        for method in ("webauthn", "totp", "recovery"):
            put_back()
            portal.clock.now, there = stood, browser.copy()
            if method in ways:
                assert prove(there, methods, method).status_code in (200, 303), method
                assert asks(there, path, how).status_code == 200, method
            elif method in methods:
                assert method != "webauthn" or refusal == "hardware", method


@pytest.mark.abuse("A73")
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("enrolled", [one for one in SETS if "app" in one], ids="+".join)
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_after_a_stop_the_page_says_what_is_stopped_and_what_lifts_it(
    make: MakePortal, how: str, enrolled: tuple[str, ...]
) -> None:
    portal, methods = person(make, enrolled)
    browser = portal.browser()
    signs_in(browser, methods)
    brings_about(browser, methods, "stop")
    refused = asks(browser, "/records/5", how)
    page = challenge_of(browser, refused)
    words = refused.json["detail"] if refused.is_json and "key" not in enrolled else said(page)
    assert re.search("dossiers ont été ouverts|Records were opened", words)
    if "key" in enrolled:
        assert offered(page) == ["webauthn"]
        assert "un code, non" in words
    else:
        assert offered(page) == []
        assert re.search("assistance|help desk", words)
        assert not re.search("clé d’accès|passkey", words)


@pytest.mark.abuse("A73")
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_code_of_a_page_that_stood_open_is_not_taken_in_vain(make: MakePortal) -> None:
    portal, methods = person(make, ("app", "key"))
    browser = portal.browser()
    signs_in(browser, methods)
    brings_about(browser, methods, "stop")
    assert asks(browser, "/records/5", "page").status_code == 303
    answer = prove(browser, methods, "totp")
    assert answer.status_code == 403
    assert offered(answer) == ["webauthn"]
    assert "ne suffirait pas" in said(answer)
    assert prove(browser, methods, "webauthn").status_code == 200
    assert asks(browser, "/records/5", "page").status_code == 200


@pytest.mark.abuse("A73")
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("enrolled", SETS, ids="+".join)
def test_a_method_that_is_switched_off_is_neither_offered_nor_waited_for(
    make: MakePortal, enrolled: tuple[str, ...]
) -> None:
    """An unusual sign-in asks for the surest method that there is, not for one that nobody can use."""
    portal, methods = person(make, enrolled, risk=RiskPolicy())
    object.__setattr__(portal.gate_settings, "methods", ("totp", "recovery"))
    portal.sql("UPDATE mfa_sessions SET risk = 'raised'")
    browser = portal.browser()
    browser.password()
    portal.sql("UPDATE mfa_sessions SET risk = 'raised'")
    page = browser.get("/mfa/challenge")
    for method in offered(page):
        assert method != "webauthn"
    if "app" in enrolled:
        assert "totp" in offered(page)
        assert prove(browser, methods, "totp").status_code == 303


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_what_a_group_does_not_count_is_not_offered_to_lift_a_stop(make: MakePortal) -> None:
    portal, methods = person(make, ("app", "key"), policy=Policy({"clerk": GroupPolicy(methods=("totp",))}))
    portal.people["anne"] = replace(portal.people["anne"], group="clerk")
    browser = portal.browser()
    signs_in(browser, methods)
    brings_about(browser, methods, "stop")
    page = challenge_of(browser, asks(browser, "/records/5", "page"))
    assert offered(page) == []
    assert page.status_code == 403
