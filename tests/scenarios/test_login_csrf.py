"""A sign-in that another site's page posts: refused, unless it is the portal's single sign-on (A69)."""

from __future__ import annotations

from typing import Any

import pytest

from mfa_gate.durations import DAY
from mfa_gate.risk import RiskPolicy
from tests.support.portal import JSON, Browser, MakePortal, Portal

OTHER = "https://other.example"
SSO = "https://login.example"
CROSS_SITE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
OF_OTHERS = [
    {"Origin": OTHER},
    {"Origin": OTHER, "Sec-Fetch-Site": "same-origin"},
    {"Origin": OTHER, **CROSS_SITE},
    {"Origin": "null"},
    {"Origin": "null", **CROSS_SITE},
    {"Origin": ""},
    {"Origin": "http://portal.example"},
    {"Origin": "https://portal.example.other.example"},
    {"Origin": "https://sub.portal.example", "Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "garbage"},
]
OF_OURS = [
    {},
    {"Origin": "https://portal.example"},
    {"Origin": "https://portal.example", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
]


def log_in(browser: Browser, headers: dict[str, str], **kind: Any) -> Any:
    sent = {"email": "bob", "password": "pw-bob"}
    return browser.open("POST", "/login", headers={**kind, **headers}, **({"json": sent} if kind else {"data": sent}))


@pytest.fixture
def anne(portal: Portal) -> Browser:
    portal.enrolled("bob")
    browser = portal.browser()
    browser.sign_in(portal.enrolled("anne"))
    portal.mark_notices_shown()
    return browser


@pytest.mark.abuse("A69")
@pytest.mark.parametrize("headers", OF_OTHERS, ids=str)
@pytest.mark.parametrize("kind", [{}, JSON], ids=["form", "JSON"])
def test_another_sites_page_signs_nobody_in(
    portal: Portal, anne: Browser, headers: dict[str, str], kind: dict[str, str]
) -> None:
    held, before = dict(anne.client._cookies), len(portal.events("bob"))
    answer = log_in(anne, headers, **kind)
    assert answer.status_code == 403
    assert answer.headers.getlist("Set-Cookie") == []
    assert dict(anne.client._cookies) == held
    assert anne.get("/").text == "home of anne"
    assert portal.events("bob")[before:] == []


@pytest.mark.abuse("A69")
@pytest.mark.parametrize("headers", OF_OURS, ids=str)
def test_a_page_of_the_portal_and_a_program_do(portal: Portal, headers: dict[str, str]) -> None:
    portal.enrolled("bob")
    browser = portal.browser()
    assert log_in(browser, headers).status_code == 303
    assert browser.state == "pending"


# --- a single sign-on that answers by POST ---------------------------------------------------------------------------


@pytest.fixture
def with_sso(make: MakePortal) -> Portal:
    portal = make(risk=RiskPolicy(), MFA_GATE_LOGIN_ORIGINS=[SSO, "null"])

    @portal.app.post("/acs")
    @portal.gate.public
    def acs() -> Any:
        return portal.gate.sign_in(portal.people["anne"], sso="login.example")

    return portal


def posts(browser: Browser, origin: str = SSO) -> Any:
    """The single sign-on's page posts its form: without cookies, whose successors the browser keeps."""
    held = dict(browser.client._cookies)
    browser.client._cookies.clear()
    answer = browser.open("POST", "/acs", headers={"Origin": origin, **CROSS_SITE})
    browser.client._cookies.update({**held, **browser.client._cookies})
    return answer


def usual(portal: Portal, secret: str, browser: Browser) -> None:
    for _ in range(8):
        posts(browser)
        assert browser.step("challenge", code=portal.code(secret)).status_code == 303
        browser.step("sign-out")
        portal.clock.advance(DAY)


@pytest.mark.abuse("A69")
@pytest.mark.parametrize("origin", [SSO, "null"])
def test_the_single_sign_on_that_is_listed_signs_in(with_sso: Portal, origin: str) -> None:
    secret, browser = with_sso.enrolled(), with_sso.browser()
    assert posts(browser, origin).status_code == 303
    assert browser.step("challenge", code=with_sso.code(secret)).status_code == 303


@pytest.mark.abuse("A69")
def test_one_that_is_not_listed_does_not(with_sso: Portal) -> None:
    with_sso.enrolled()
    browser = with_sso.browser()
    assert posts(browser, OTHER).status_code == 403
    assert browser.state == "anonymous"


@pytest.mark.abuse("A69")
def test_an_owner_on_a_known_device_is_not_too_unusual_elsewhere(with_sso: Portal) -> None:
    secret, browser = with_sso.enrolled(), with_sso.browser()
    usual(with_sso, secret, browser)
    browser.address = "198.51.100.9"
    posts(browser)
    assert browser.get("/mfa/challenge").status_code == 200
    assert browser.step("challenge", code=with_sso.code(secret)).status_code == 303
    assert browser.get("/").status_code == 200
    assert "device_shown_late" in [kind for kind, *_ in with_sso.events()]


@pytest.mark.abuse("A69")
@pytest.mark.parametrize("shown", ["no device", "another account's device", "after two minutes"])
def test_who_shows_no_known_device_in_time_stays_too_unusual(with_sso: Portal, shown: str) -> None:
    secret, browser = with_sso.enrolled(), with_sso.browser()
    usual(with_sso, secret, browser)
    thief = with_sso.browser("198.51.100.9")
    match shown:
        case "another account's device":
            other = with_sso.enrolled("bob")
            thief.sign_in(other, "bob")
            thief.step("sign-out")
        case "after two minutes":
            thief = browser.copy("198.51.100.9")
    posts(thief)
    if shown == "after two minutes":
        with_sso.clock.advance(121)
    assert thief.api("POST", "totp/verify", {"code": with_sso.code(secret)}).json["code"] == "too_unusual"


@pytest.mark.parametrize(
    "wrong", ["https://login.example", ["login.example"], ["https://login.example/path"], [7], [""]]
)
def test_a_setting_that_names_no_origins_is_a_sentence(make: MakePortal, wrong: Any) -> None:
    from mfa_gate import ConfigurationError

    with pytest.raises(ConfigurationError, match="MFA_GATE_LOGIN_ORIGINS"):
        make(MFA_GATE_LOGIN_ORIGINS=wrong)
