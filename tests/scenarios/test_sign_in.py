"""Signing in: a right password opens nothing; the second factor does."""

from __future__ import annotations

from tests.support.portal import Browser, Portal


def test_a_right_password_alone_opens_no_view(portal: Portal, browser: Browser) -> None:
    portal.enrolled()
    browser.password()
    answer = browser.get("/")
    assert answer.status_code == 303
    assert answer.location == "https://portal.example/mfa/challenge"


def test_password_and_code_open_the_portal(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    answer = browser.sign_in(secret)
    assert answer.status_code == 303
    assert browser.get("/").text == "home of anne"
    assert portal.opened == ["anne"]


def test_requests_under_one_application_context_do_not_share_a_visitor(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    with portal.app.app_context():
        browser.sign_in(secret)
        assert browser.get("/").status_code == 200
        stranger = portal.browser()
        assert stranger.get("/").status_code == 303
