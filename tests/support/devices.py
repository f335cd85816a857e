"""For the tests of known devices: a browser that has signed in once, and what carries its device cookie."""

from __future__ import annotations

from tests.support.portal import Browser, Portal

OWNER = "203.0.113.9"


def only_device_of(browser: Browser, address: str = OWNER) -> Browser:
    """A browser that holds nothing of another one's but its device cookie."""
    other = browser.portal.browser(address)
    put(other, device_cookie(browser) or "")
    return other


def begun_elsewhere(browser: Browser, account: str, number: int) -> list[Browser]:
    """Browsers with its device cookie, that have begun without it at addresses of their own: there more may wait."""
    there = []
    for place in range(1, number + 1):
        other = browser.portal.browser(f"198.51.100.{place}")
        other.password(account)
        put(other, device_cookie(browser) or "")
        there.append(other)
    return there


def known(portal: Portal, account: str = "anne", address: str = OWNER) -> tuple[Browser, str]:
    """A browser that has signed in once, and the secret of its owner's app."""
    secret = portal.enrolled(account)
    browser = portal.browser(address)
    assert browser.sign_in(secret, account).status_code == 303
    portal.clock.advance(60)
    return browser, secret


def device_cookie(browser: Browser) -> str | None:
    name = browser.portal.app.extensions["mfa_gate"].settings.device_cookie_name
    cookie = browser.client.get_cookie(name, domain="portal.example")
    return cookie.value if cookie else None


def put(browser: Browser, value: str) -> None:
    name = browser.portal.app.extensions["mfa_gate"].settings.device_cookie_name
    browser.client.set_cookie(name, value, domain="portal.example", secure=True)
