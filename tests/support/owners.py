"""For the tests of own authenticators: people who have enrolled this and that, and each change they can make."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from mfa_gate.factors import recovery as factor
from mfa_gate.factors.totp import STEP
from mfa_gate.flows import ClientContext
from mfa_gate.store import recovery_sets
from mfa_gate.testing import SoftwareKey, totp_code
from mfa_gate.testing.software_key import to_text
from tests.support.html_page import Page
from tests.support.portal import ADDRESS, BASE_URL, Browser, Portal

LOOPBACK = "127.0.0.1"
NONE = "0" * 32
MFA_300 = 'Bearer error="insufficient_user_authentication", acr_values="urn:mfa-gate:acr:mfa", max_age="300"'
PHR_300 = 'Bearer error="insufficient_user_authentication", acr_values="phr", max_age="300"'


def said(answer: TestResponse) -> tuple[int, str | None]:
    """Status and stable code of an answer to a program."""
    return answer.status_code, (answer.json or {}).get("code")


# --- what people have ------------------------------------------------------------------------------------------------


def enrol(portal: Portal, *kinds: str, account: str = "anne") -> list[Any]:
    """Enrol "app" and "key" in this order, in one activation session, without recovery codes; secrets and keys."""
    made: list[Any] = []
    with portal.app.app_context():
        parts = portal.app.extensions["mfa_gate"]
        code = parts.activation.issue(account, "test").code
        client = ClientContext(
            parts.sign_in.begin(portal.people[account], ClientContext(None, LOOPBACK)).session, LOOPBACK
        )
        client = ClientContext(parts.activation.redeem(client, code).session, LOOPBACK)
        for kind in kinds:
            if kind == "app":
                begun = parts.totp.begin_enrol(client)
                # the code before this one, so that this one can still sign in
                earlier = totp_code(begun.secret, portal.clock() - STEP)
                elevated = parts.totp.complete_enrol(client, begun.enrolment, earlier, "My app")
                made.append(begun.secret)
            else:
                key = SoftwareKey(BASE_URL)
                answer = key.register(parts.webauthn.begin_enrol(client))
                elevated = parts.webauthn.complete_enrol(client, answer, "My key")
                made.append(key)
            client = ClientContext(elevated.session, LOOPBACK)
        parts.sign_in.sign_out(client)
    portal.mark_notices_shown()
    return made


def with_codes(portal: Portal, account: str = "anne", count: int = 2) -> tuple[str, ...]:
    """Give an account recovery codes, fewer than a real set has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factor, "CODES", count)
        drawn = factor.begin()
    services = portal.app.extensions["mfa_gate"].services
    with services.store.begin() as tx:
        recovery_sets.replace(tx, account, drawn.salt.hex(), drawn.hashes, services.clock())
    return drawn.codes


SYMBOL = "[0-9ABCDEFGHJKMNPQRSTVWXYZ]"  # Crockford's base 32: five bits each
GROUPED = re.compile(rf"\b(?:{SYMBOL}{{4}}-){{3,}}{SYMBOL}{{4}}\b")


def codes_of(page: TestResponse) -> list[str]:
    """The recovery codes that a page shows, in their order."""
    return [text for text in Page(page.text).texts.get("code", []) if GROUPED.fullmatch(text)]


def try_code(browser: Browser, code: str = "0000-0000-0000-0000") -> tuple[int, str | None]:
    """Type a recovery code, by default a wrong one."""
    return said(browser.api("POST", "recovery/verify", {"code": code}))


def authenticators(portal: Portal, account: str = "anne") -> list[tuple[str, str, str]]:
    """(id, method, label) of all that an account has, as the store holds it."""
    rows = portal.sql("SELECT id, method, label FROM mfa_authenticators WHERE account_id = :a ORDER BY id", a=account)
    return [tuple(row) for row in rows]


def recovery_hashes(portal: Portal, account: str = "anne") -> list[str]:
    rows = portal.sql("SELECT hash FROM mfa_recovery_codes WHERE account_id = :a ORDER BY hash", a=account)
    return [row.hash for row in rows]


def everything(portal: Portal, account: str = "anne") -> tuple[Any, ...]:
    """Whatever a change of an account's authenticators would change."""
    return authenticators(portal, account), recovery_hashes(portal, account)


def id_of(portal: Portal, method: str, account: str = "anne") -> str:
    """The id of an account's only authenticator of a method."""
    (found,) = [id_ for id_, is_a, _ in authenticators(portal, account) if is_a == method]
    return found


def credential_id(key: SoftwareKey) -> str:
    """The id of the newest credential on a key, as browsers write it."""
    return to_text(list(key.credentials)[-1])


def id_of_key(portal: Portal, key: SoftwareKey) -> str:
    statement = "SELECT authenticator_id FROM mfa_webauthn_credentials WHERE credential_id = :c"
    (row,) = portal.sql(statement, c=credential_id(key))
    return str(row.authenticator_id)


# --- who stands where ------------------------------------------------------------------------------------------------


def client_at_login(portal: Portal, account: str = "anne") -> Browser:
    """A browser with the right password typed, and nothing else."""
    browser = portal.browser()
    browser.password(account)
    return browser


def by_app(portal: Portal, secret: str, account: str = "anne", address: str = ADDRESS) -> Browser:
    """A browser that has just signed in by an app's code; time goes on, so that its next code is a new one."""
    portal.clock.advance(STEP)
    browser = portal.browser(address)
    browser.password(account)
    assert browser.api("POST", "totp/verify", {"code": portal.code(secret)}).status_code == 200
    return browser


def by_key(portal: Portal, key: SoftwareKey, account: str = "anne") -> Browser:
    """A browser that has just signed in by a security key."""
    browser = portal.browser()
    browser.password(account)
    assert browser.prove(key).status_code == 200
    return browser


def by_code(portal: Portal, code: str, account: str = "anne") -> Browser:
    """A browser that has just signed in by a recovery code."""
    browser = portal.browser()
    browser.password(account)
    assert browser.api("POST", "recovery/verify", {"code": code}).status_code == 200
    return browser


def redeem(browser: Browser, code: str | None = None) -> TestResponse:
    """Redeem an activation code, by default a fresh one of anne's, where this browser stands."""
    return browser.api("POST", "activation/verify", {"code": code or browser.portal.activation_code()})


def prove_on_page(browser: Browser, key: SoftwareKey, **fields: str) -> TestResponse:
    """Prove by a security key as the page's script does."""
    begun = browser.api("POST", "webauthn/verify/begin")
    assert begun.status_code == 200
    return browser.step("challenge", method="webauthn", answer=json.dumps(key.assert_(begun.json)), **fields)


def add_app(browser: Browser) -> TestResponse:
    """Enrol an authenticator app over the API; the first answer that refuses, or the last."""
    begun = browser.api("POST", "totp/enrol/begin")
    if begun.status_code != 200:
        return begun
    body = {"enrolment": begun.json["enrolment"], "code": browser.portal.code(begun.json["secret"])}
    return browser.api("POST", "totp/enrol/complete", body)


# --- each change -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """One call that changes an account's authenticators; `send` gets the id of one of them."""

    name: str
    send: Callable[[Browser, str], TestResponse]
    page: bool = False


# a registration that is well formed; without the right to enrol it is refused before anybody looks at it
SOME_CREDENTIAL = {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {}}

RENAME = Change("rename", lambda browser, id_: browser.api("PATCH", f"authenticators/{id_}", {"label": "Mine now"}))
REMOVE = Change("remove", lambda browser, id_: browser.api("DELETE", f"authenticators/{id_}"))
RENEW = Change("renew", lambda browser, _: browser.api("POST", "recovery/renew"))
PAGE_RENAME = Change(
    "rename page", lambda b, id_: b.step("authenticators", action="rename", id=id_, label="Mine now"), page=True
)
PAGE_REMOVE = Change("remove page", lambda b, id_: b.step("authenticators", action="remove", id=id_), page=True)
PAGE_RENEW = Change("renew page", lambda b, _: b.step("authenticators", action="renew"), page=True)
CHANGES = (RENAME, REMOVE, RENEW, PAGE_RENAME, PAGE_REMOVE, PAGE_RENEW)

BEGIN_APP = Change("begin app", lambda browser, _: browser.api("POST", "totp/enrol/begin"))
BEGIN_KEY = Change("begin key", lambda browser, _: browser.api("POST", "webauthn/enrol/begin"))
ENROLMENTS = (
    BEGIN_APP,
    BEGIN_KEY,
    Change(
        "complete app",
        lambda b, _: b.api("POST", "totp/enrol/complete", {"enrolment": NONE, "code": "123456"}),
    ),
    Change("complete key", lambda b, _: b.api("POST", "webauthn/enrol/complete", SOME_CREDENTIAL)),
    Change("begin app page", lambda b, _: b.step("enrol", action="begin"), page=True),
    Change(
        "complete app page",
        lambda b, _: b.step("enrol", action="complete", enrolment=NONE, code="123456"),
        page=True,
    ),
    Change(
        "complete key page",
        lambda b, _: b.step("enrol", action="webauthn", answer=json.dumps(SOME_CREDENTIAL)),
        page=True,
    ),
)


def named(change: Any) -> str | None:
    """The id of a case."""
    return change.name if isinstance(change, Change) else None
