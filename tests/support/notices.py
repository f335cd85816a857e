"""For the tests of notices: what an account has not been shown, the link of its mails, a sign-in that is notified."""

from __future__ import annotations

from tests.support.agents import FIREFOX
from tests.support.portal import Browser, Portal


def waiting(portal: Portal, account: str = "anne") -> list[str]:
    """The kinds that an account has not been shown, oldest first."""
    rows = portal.sql(
        "SELECT kind FROM mfa_outbox JOIN mfa_accounts USING (subject) "
        "WHERE mfa_accounts.id = :id AND shown_at IS NULL ORDER BY mfa_outbox.id",
        id=account,
    )
    return [row[0] for row in rows]


def link_of(portal: Portal, account: str = "anne") -> str:
    """The token that a mail of this moment would carry."""
    parts = portal.app.extensions["mfa_gate"]
    ((subject,),) = portal.sql("SELECT subject FROM mfa_accounts WHERE id = :id", id=account)
    return str(parts.notices._link(subject, portal.clock()))


def elsewhere(portal: Portal, secret: str) -> Browser:
    """Signed in from a browser that was not known."""
    portal.clock.advance(30)
    browser = portal.browser("198.51.100.66")
    browser.client.environ_base["HTTP_USER_AGENT"] = FIREFOX
    assert browser.sign_in(secret).status_code == 303
    return browser


def signed_in_before(portal: Portal, browser: Browser, secret: str) -> None:
    """Let a browser be one that its owner has signed in with before, and been shown what happened since."""
    portal.clock.advance(30)
    browser.sign_in(secret)
    browser.step("sign-out")
    portal.mark_notices_shown()
