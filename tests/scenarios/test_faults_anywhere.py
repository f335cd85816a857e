"""Each thing that a step asks of the store fails once, and each part raises: said, closed, and nothing is half done."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pyotp
import pytest
from werkzeug.test import TestResponse

from mfa_gate import Unavailable
from mfa_gate.audit import record as audit
from mfa_gate.audit.chain import Head
from mfa_gate.desk import Desk as HelpDesk
from mfa_gate.factors import recovery, totp, webauthn
from mfa_gate.keyring import Keyring
from mfa_gate.policy import Policy
from mfa_gate.sessions.devices import Devices
from mfa_gate.sessions.session import Sessions
from mfa_gate.store import outbox
from mfa_gate.web import desk_pages as web_desk
from tests.scenarios import test_faults
from tests.scenarios.test_faults import Broken, says_so
from tests.support.breaking import Fault, State, breaking, kept, state_of
from tests.support.desks import WHY, Desk, open_desk
from tests.support.notices import link_of
from tests.support.portal import Browser, MakePortal, Portal
from tests.support.web import STEPS, Step

pytestmark = [pytest.mark.abuse("A34"), pytest.mark.parametrize("backend", ["sqlite"], indirect=True)]

Do = Callable[[Browser], TestResponse | None]


@dataclass
class Work:
    """Something that can be done at the gate, ready to be done again and again from the same start.

    Attributes:
        portal: where.
        browser: who does it; nobody's where the portal itself does.
        do: an answer, or, where the portal calls the gate, None or `Unavailable`.
    """

    portal: Portal
    browser: Browser
    do: Do

    def again(self) -> Browser:
        """The browser as it was."""
        browser = self.browser.copy()
        browser.one = self.browser.one
        return browser

    def passes(self, browser: Browser, fault: Fault | None = None) -> bool:
        """Do it; False where the answer is that something does not work, and it is said as it should be."""
        with breaking(self.portal, fault or Fault()):
            try:
                answer = self.do(browser)
            except (Unavailable, Broken):
                return False
        if answer is None or answer.status_code < 400:
            return True
        assert answer.status_code < 500 or says_so(answer), f"{answer.status_code} {answer.text[:300]}"
        return False


Ready = Callable[[MakePortal, Path], Work]


def _step(step: Step) -> Ready:
    def ready(make: MakePortal, folder: Path) -> Work:
        portal = make(PROPAGATE_EXCEPTIONS=False)
        browser = portal.browser()
        fields = step.fields(portal, browser)
        token = browser.token
        return Work(portal, browser, lambda browser: step.send(browser, token, **step.packed(fields)))

    return ready


def _password(make: MakePortal, folder: Path) -> Work:
    portal = make(PROPAGATE_EXCEPTIONS=False)
    portal.enrolled()
    return Work(portal, portal.browser(), lambda browser: browser.password())


def _not_me(make: MakePortal, folder: Path) -> Work:
    portal = make(PROPAGATE_EXCEPTIONS=False)
    portal.enrolled()
    link = link_of(portal)
    return Work(portal, portal.browser(), lambda browser: browser.post("/mfa/not-me", {"link": link}))


def _called(call: Callable[[Portal], Any]) -> Ready:
    """What the portal calls by itself."""

    def ready(make: MakePortal, folder: Path) -> Work:
        portal = make(PROPAGATE_EXCEPTIONS=False)
        portal.browser().sign_in(portal.enrolled())
        portal.activation_code()

        def do(_browser: Browser) -> None:
            with portal.app.app_context():
                call(portal)

        return Work(portal, portal.browser(), do)

    return ready


def _at_desk(who: str, prepare: Callable[[Desk], dict[str, str]]) -> Ready:
    """A button at the desk, about anne or about what was asked for her."""

    def ready(make: MakePortal, folder: Path) -> Work:
        desk = open_desk(lambda **config: make(PROPAGATE_EXCEPTIONS=False, **config), folder)
        fields = prepare(desk)
        browser = desk.at(who)
        path = "/mfa/desk" if fields["action"] == "approve" else f"/mfa/desk/accounts/{desk.subject('anne')}"
        sent = {"csrf_token": browser.token, **fields}
        return Work(desk.portal, browser, lambda browser: browser.post(path, sent))

    return ready


def _approved(desk: Desk) -> dict[str, str]:
    request = desk.asked()
    assert desk.at("sue").step("desk", action="approve", request=request).status_code == 303
    return {"action": "speak", "request": request, "reason": WHY}


WORK: dict[str, Ready] = {
    **{step.name: _step(step) for step in STEPS},
    "password": _password,
    "not me by mail": _not_me,
    "gate.end_sessions": _called(lambda portal: portal.gate.end_sessions("anne")),
    "gate.password_changed": _called(lambda portal: portal.gate.password_changed("anne")),
    "gate.lock": _called(lambda portal: portal.gate.lock("anne", "test")),
    "gate.unlock": _called(lambda portal: portal.gate.unlock("anne", "test")),
    "gate.forget": _called(lambda portal: portal.gate.forget("anne")),
    "gate.issue_activation": _called(lambda portal: portal.gate.issue_activation("anne", reason="test")),
    "desk letter": _at_desk("abe", lambda _: {"action": "letter", "reason": WHY}),
    "desk lock": _at_desk("abe", lambda _: {"action": "lock", "reason": WHY}),
    "desk end sessions": _at_desk("abe", lambda _: {"action": "end_sessions", "reason": WHY}),
    "desk reset": _at_desk("sue", lambda _: {"action": "reset", "reason": WHY}),
    "desk ask": _at_desk("abe", lambda _: {"action": "ask", "reason": WHY}),
    "desk approve": _at_desk("sue", lambda desk: {"action": "approve", "request": desk.asked()}),
    "desk speak": _at_desk("abe", _approved),
}
every_work = pytest.mark.parametrize("name", WORK)
# begun with an empty account: what is enrolled first gets recovery codes, which are drawn after it
DRAWS_CODES = {"confirmation page", "new key page", "api totp/enrol/complete", "api webauthn/enrol/complete"}
# the first of their transactions takes the challenge out of the store
ONE_ANSWER = {"key page", "new key page", "api webauthn/verify/complete", "api webauthn/enrol/complete"}
# what can be done once with what was sent
ONCE = {
    *DRAWS_CODES,
    *ONE_ANSWER,
    *("challenge page", "challenge", "api totp/verify", "recovery page", "api recovery/verify"),
    *("activation page", "activation", "api activation/verify", "desk approve", "desk speak"),
    *("remove page", "api remove", "sign-out page", "sign-out", "api sign-out"),
}


@every_work
def test_whatever_fails_is_said_and_nothing_is_half_done(make: MakePortal, tmp_path: Path, name: str) -> None:
    """And right after it, the same works: nothing was spent."""
    work = WORK[name](make, tmp_path)
    portal, before, stood = work.portal, state_of(work.portal), work.browser.state
    with kept(portal) as put_back:
        whole = Fault()
        assert work.passes(work.again(), whole)
        after = state_of(portal)
        for at in range(1, whole.asked + 1):
            put_back()
            portal.opened.clear()
            browser = work.again()
            assert work.passes(browser, Fault(at)) is (at in whole.reads), f"{at} of {whole.asked}"
            now = state_of(portal)
            assert now in (before, after, almost(name, before, after)), f"{at}: {differs(now, after)}"
            if now != before:
                continue
            assert portal.opened == []
            assert browser.state == stood
            if name not in ONE_ANSWER:
                assert work.passes(browser)
                assert state_of(portal) == after


@pytest.mark.parametrize("name", sorted(ONCE))
def test_what_was_done_and_not_heard_of_is_done_once(make: MakePortal, tmp_path: Path, name: str) -> None:
    work = WORK[name](make, tmp_path)
    portal = work.portal
    with kept(portal) as put_back:
        whole = Fault()
        assert work.passes(work.again(), whole)
        after = state_of(portal)
        reached = 0
        for at in whole.commits:
            put_back()
            browser = work.again()
            assert not work.passes(browser, Fault(at, done=True))
            if state_of(portal) == after:
                reached += 1
                for once_more in (browser, work.again()):
                    work.passes(once_more)
                    assert state_of(portal) == after
        assert reached


# what steps are made of: our own parts, and what they take from libraries
PARTS: dict[str, tuple[Any, str]] = {
    **test_faults.PARTS,
    "devices shown": (Devices, "show"),
    "devices admitted": (Devices, "admit"),
    "sessions opened": (Sessions, "open"),
    "sessions proven": (Sessions, "prove"),
    "sessions looked for": (Sessions, "is_there"),
    "policy": (Policy, "requirement"),
    "outbox": (outbox, "add"),
    "news": (outbox, "waits"),
    "chain": (Head, "extend"),
    "browser family": (audit, "family"),
    "codes": (totp, "complete"),
    "first codes": (totp, "confirm"),
    "recovery codes": (recovery, "complete"),
    "drawing": (recovery, "begin"),
    "assertions": (webauthn, "complete_authentication"),
    "registrations": (webauthn, "complete_registration"),
    "signatures": (webauthn, "_verify_signature"),
    "roles": (HelpDesk, "staff"),
    "letters": (web_desk, "render"),
    "pyotp": (pyotp.OTP, "generate_otp"),
    "scrypt": (hashlib, "scrypt"),
    "ciphers": (Keyring, "_cipher"),
    "keyed hashes": (Keyring, "_mac"),
    "tokens": (secrets, "token_urlsafe"),
    "names": (secrets, "token_hex"),
    "bytes": (secrets, "token_bytes"),
    "templates": (jinja2.Template, "render"),
}


@every_work
def test_a_part_that_raises_is_said_and_leaves_nothing_half_done(make: MakePortal, tmp_path: Path, name: str) -> None:
    work = WORK[name](make, tmp_path)
    portal, before = work.portal, state_of(work.portal)
    with kept(portal) as put_back:
        assert work.passes(work.again())
        after = state_of(portal)
        for part, where in PARTS.items():
            put_back()
            browser = work.again()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(*where, _raise)
                passed = work.passes(browser)
            now = state_of(portal)
            assert now in (before, after, almost(name, before, after)), f"{part}: {differs(now, after)}"
            assert now == after or not passed, part
            if now == before and name not in ONE_ANSWER:
                assert work.passes(browser), part
                assert state_of(portal) == after, part


def _raise(*args: Any, **kwargs: Any) -> Any:
    raise Broken("a part of the gate does not work")


def almost(name: str, before: State, after: State) -> State:
    """All but what can be done as well later, on a page of its own."""
    if name in DRAWS_CODES:
        heard = {name: [kind for kind in after[name] if kind != "recovery_codes_renewed"] for name in ("said", "told")}
        return {**after, "mfa_recovery_codes": 0, "mfa_recovery_sets": 0, **heard}
    if name == "not me on the news page":
        return {**after, "seen": before["seen"]}
    return after


def differs(one: State, other: State) -> dict[str, Any]:
    return {name: (one[name], other[name]) for name in one if one[name] != other[name]}
