"""For the tests of faults: everything that can be done at the gate, ready to be done again from the same start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

from mfa_gate import Unavailable
from tests.support.answers import says_so
from tests.support.breaking import Broken, Fault, State, breaking
from tests.support.desks import WHY, Desk, open_desk
from tests.support.notices import link_of
from tests.support.portal import Browser, MakePortal, Portal
from tests.support.web import STEPS, Step

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
# begun with an empty account: what is enrolled first gets recovery codes, which are drawn after it
DRAWS_CODES = {"confirmation page", "new key page", "api totp/enrol/complete", "api webauthn/enrol/complete"}
# the first of their transactions takes the challenge out of the store
ONE_ANSWER = {"key page", "new key page", "api webauthn/verify/complete", "api webauthn/enrol/complete"}
# the browser is out, whatever the store answers
LEAVES = {"sign-out page", "sign-out", "api sign-out"}
# what can be done once with what was sent
ONCE = {
    *DRAWS_CODES,
    *ONE_ANSWER,
    *("challenge page", "challenge", "api totp/verify", "recovery page", "api recovery/verify"),
    *("activation page", "activation", "api activation/verify", "desk approve", "desk speak"),
    *LEAVES,
    *("remove page", "api remove"),
}


def almost(name: str, before: State, after: State) -> State:
    """All but what can be done as well later, on a page of its own."""
    if name in DRAWS_CODES:
        heard = {name: [kind for kind in after[name] if kind != "recovery_codes_renewed"] for name in ("said", "told")}
        return {**after, "mfa_recovery_codes": 0, "mfa_recovery_sets": 0, **heard}
    if name == "not me on the news page":
        return {**after, "seen": before["seen"]}
    return after
