"""Risk in a real browser: a usual sign-in, one from abroad, a session carried elsewhere, and a phishing relay."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser as Chromium
from werkzeug.middleware.proxy_fix import ProxyFix

from mfa_gate.durations import DAY
from mfa_gate.risk import RiskPolicy
from mfa_gate.testing import SoftwareKey
from tests.support.networks import ABROAD, HOME, Networks
from tests.support.relay import relaying
from tests.support.served import KEY_BUTTON, NAMES, SAID, Serve, Served, Window, window_in
from tests.support.virtual_key import VirtualKey

pytestmark = [pytest.mark.browser, pytest.mark.world]

OTHER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
NOTE = {"fr": "ne ressemble pas à celles que vous faites d’habitude", "en": "does not look like your usual ones"}
STOPPED = {"fr": "elle a donc été arrêtée", "en": "so it was stopped"}
APP = "[name=method][value=totp]"


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def served(serve: Serve) -> Served:
    """Behind a proxy of its own, which says where people come from."""
    served = serve(risk=RiskPolicy(), netinfo=Networks())
    served.portal.app.wsgi_app = ProxyFix(served.portal.app.wsgi_app, x_for=1)  # type: ignore[method-assign]
    return served


def window_at(chromium: Chromium, served: Served, address: str, agent: str | None = None) -> Window:
    return window_in(chromium, served, extra_http_headers={"X-Forwarded-For": address}, user_agent=agent)


def at_home_for_days(
    chromium: Chromium, served: Served, account: str, *, with_key: bool = True
) -> tuple[Window, str, SoftwareKey | None]:
    """A window at home whose owner has signed in for days, and is signed out; the app's secret, and the key."""
    portal, window = served.portal, window_at(chromium, served, HOME)
    key, secret = served.key_and_app(account) if with_key else (None, portal.enrolled(account))
    usual = portal.browser(HOME)
    usual.client.environ_base["HTTP_USER_AGENT"] = str(window.page.evaluate("navigator.userAgent"))
    portal.clock.advance(DAY)
    for _ in range(6):
        usual.password(account)
        if key is not None:
            usual.prove(key)
        else:
            usual.api("POST", "totp/verify", {"code": portal.code(secret)})
        assert usual.api("POST", "sign-out").status_code == 200
        portal.clock.advance(DAY)
    portal.mark_notices_shown()
    window.sign_in(account)
    if key is not None:
        VirtualKey(window.page).take_over(key)
        window.use_key()
    else:
        window.send("main form", code=portal.code(secret))
    assert window.heading == "Home"
    window.ask("sign-out")
    portal.clock.advance(DAY)
    portal.mark_notices_shown()
    return window, secret, key


def test_a_usual_sign_in_offers_the_app_as_ever(chromium: Chromium, served: Served) -> None:
    window, secret, _ = at_home_for_days(chromium, served, "anne")
    window.sign_in(path="/patients/17")
    assert NOTE["fr"] not in window.text("main")
    window.send(f"form:has({APP})", code=served.portal.code(secret))
    assert window.heading == "Record 17"


@pytest.mark.parametrize("language", ["fr", "en"])
def test_from_abroad_only_the_key_is_offered_and_the_page_says_why(
    chromium: Chromium, served: Served, language: str
) -> None:
    at_home_for_days(chromium, served, NAMES[language])
    away = window_at(chromium, served, ABROAD, OTHER)
    away.sign_in(NAMES[language], "/patients/17")
    assert away.heading == SAID[language]["challenge"]
    assert NOTE[language] in away.text("main")
    assert away.page.locator(KEY_BUTTON).is_visible()
    assert away.page.locator(APP).count() == 0


@pytest.mark.parametrize("language", ["fr", "en"])
def test_from_abroad_without_a_key_it_is_stopped_and_the_page_says_what_to_do(
    chromium: Chromium, served: Served, language: str
) -> None:
    at_home_for_days(chromium, served, NAMES[language], with_key=False)
    away = window_at(chromium, served, ABROAD, OTHER)
    away.sign_in(NAMES[language], "/patients/17")
    assert STOPPED[language] in away.text("main")


@pytest.mark.abuse("A67")
def test_a_session_carried_to_another_browser_abroad_opens_nothing_there(chromium: Chromium, served: Served) -> None:
    window, secret, _ = at_home_for_days(chromium, served, "anne")
    window.sign_in(path="/patients/17")
    window.send(f"form:has({APP})", code=served.portal.code(secret))
    assert window.heading == "Record 17"
    thief = window_at(chromium, served, ABROAD, OTHER)
    thief.page.context.add_cookies(window.page.context.cookies())  # type: ignore[arg-type]
    thief.open("/patients/18")
    assert "Record" not in thief.heading
    assert thief.state() == "pending"
    window.open("/patients/18")
    assert window.heading == "Record 18"


@pytest.mark.abuse("A53")
@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_relay_elsewhere_gets_nothing_by_a_code(chromium: Chromium, served: Served, language: str) -> None:
    account = NAMES[language]
    _, secret, _ = at_home_for_days(chromium, served, account)
    with relaying(served.url, address=ABROAD) as relay:
        lured = window_at(chromium, served, HOME)
        lured.url = relay.url
        lured.sign_in(account, "/patients/17")
        assert lured.heading == SAID[language]["challenge"]
        assert lured.page.locator(APP).count() == 0
        sent = lured.ask("totp/verify", {"code": served.portal.code(secret)})
        assert sent["code"] == "surer_proof_required"
        assert "Record" not in relay.steals("GET", "/patients/18")[1]
