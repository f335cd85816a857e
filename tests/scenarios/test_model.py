"""Random sequences over HTTP against a model of who may see what.

python -m pytest tests/test_model.py     # the same hundred sequences each time
MODEL_EXAMPLES=5000 python -m pytest --timeout 0 tests/scenarios/test_model.py     # as many others
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from werkzeug.test import TestResponse

from mfa_gate import Account, DeskPolicy, Role
from mfa_gate.store import desk_staff
from mfa_gate.testing import Clock, KeyRefused, SoftwareKey, totp_code
from tests.support.desks import code_in
from tests.support.model import CODE, REDEEMED, SURE, Authenticator, Lineage, Model, Person
from tests.support.passkeys import LENIENT, UNLIMITED
from tests.support.portal import BASE_URL, Browser, Portal, make_portal

LONG = os.environ.get("MODEL_EXAMPLES")
EXAMPLES = int(LONG) if LONG else 24
MORE = 120  # in `make world`
STEPS = 50
NAMES = ("anne", "bob")
VIEWS = ("/", "/bank", "/safe")
STAFF = ("sue",)
OF_SUPERVISORS = ("unlock", "reset")
AT_DESK = st.sampled_from(["ask", "letter", "lock", "end_sessions", *OF_SUPERVISORS])
LETTER = 30 * 86_400.0
ASKED = 1800.0
SPOKEN = 600.0
WHICH = st.integers(0, 2)
NAME = st.sampled_from(NAMES)
CHOSEN = settings(
    stateful_step_count=STEPS,
    deadline=None,
    derandomize=LONG is None,  # what CI says of a change must not depend on the day
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
reached: dict[str, int] = {}  # what the sequences came to, so that none of it passes for want of trying


@dataclass
class StoredCredential:
    """A browser, and what the model knows that it holds."""

    browser: Browser
    lineage: Lineage | None = None
    version: int = -1
    begun: dict[str, str] | None = None  # an app that was begun here
    options: tuple[Any, SoftwareKey] | None = None  # a key that was begun here


@dataclass
class Request:
    """That a code of somebody may be told, to who asked for it."""

    name: str
    by: str
    at: float
    approved: bool = False


class Sequences(RuleBasedStateMachine):
    """Three browsers, two people, a clock."""

    template: Path
    more: ClassVar[dict[str, Any]] = {}  # of the portal

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        file = shutil.copy(self.template, self.folder / "store.sqlite3")
        self.portal: Portal = make_portal(
            f"sqlite:///{file}",
            self.folder,
            Clock(),
            limits=UNLIMITED,
            desk=DeskPolicy(
                lambda account: account.id in (*STAFF, "bob"), letters=self.folder / "letters", spoken=True
            ),
            **self.more,
        )
        self.held = [StoredCredential(self.portal.browser(f"192.0.2.{number}")) for number in range(3)]
        self.model = Model({name: Person(name, is_staff=name == "bob") for name in NAMES})
        self.keys: dict[str, SoftwareKey] = {}
        self.requests: dict[str, Request] = {}
        self.used: dict[str, list[str]] = {name: [] for name in NAMES}
        self.opened = 0
        self.stolen = False

    def teardown(self) -> None:
        self.portal.app.extensions["mfa_gate"].services.store.close()
        shutil.rmtree(self.folder)

    @initialize(keys=st.tuples(st.booleans(), st.booleans()))
    def both_are_enrolled(self, keys: tuple[bool, bool]) -> None:
        """Most sequences would spend themselves on a first enrolment."""
        for which, (name, key) in enumerate(zip(NAMES, keys, strict=True)):
            self.issue(name)
            self.password(which, name, True)
            self.redeem(which, name)
            self._sets_up(which, key)
        self._opens_the_desk()

    def _opens_the_desk(self) -> None:
        """Bob is an agent; Sue, of whom the model knows nothing, is a supervisor who sits at a browser of her own."""
        self.portal.people["sue"] = Account("sue", "Sue")
        self.portal.passwords["sue"] = "pw-sue"
        self.sues = self.portal.key("sue")
        self.opened += 1
        with self.portal.app.extensions["mfa_gate"].services.store.begin() as tx:
            desk_staff.grant(tx, "sue", Role.SUPERVISOR, None, self.now)
            desk_staff.grant(tx, "bob", Role.AGENT, None, self.now)
        self.subjects = {row.id: row.subject for row in self.portal.sql("SELECT id, subject FROM mfa_accounts")}

    def _sets_up(self, which: int, key: bool) -> None:
        if key:
            self.begin_key(which)
            self.complete_key(which)
        else:
            self.begin_app(which)
            self.complete_app(which, True)

    # --- what the model says -----------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return self.portal.clock()

    def lives(self, held: StoredCredential) -> Lineage | None:
        lineage = held.lineage
        if lineage is None or not self.model.lives(lineage, held.version):
            return None
        return lineage

    def person(self, held: StoredCredential) -> Person | None:
        lineage = self.lives(held)
        return self.model.of(lineage) if lineage else None

    def sure(self, lineage: Lineage) -> bool:
        """Whether nothing can have ended by itself; after a theft the copy of a device may end what it signed in."""
        return not self.stolen and self.now - lineage.began < SURE

    def ok(self, answer: TestResponse, name: str, may: bool, must: bool = False) -> bool:
        """Whether a step passed, which it may only where the model lets it."""
        assert answer.status_code < 500, f"{name}: {answer.status_code} {answer.text[:200]}"
        passed = answer.status_code == 200
        assert may or not passed, f"{name} passed"
        assert passed or not (may and must), f"{name} was refused: {answer.text[:200]}"
        if passed:
            reached[name] = reached.get(name, 0) + 1
        return passed

    def rises(self, held: StoredCredential, lineage: Lineage) -> None:
        lineage.version += 1
        held.version = lineage.version

    # --- proving -----------------------------------------------------------------------------------------------

    @rule(which=WHICH, name=NAME, right=st.booleans())
    def password(self, which: int, name: str, right: bool) -> None:
        held, person = self.held[which], self.model.people[name]
        answer = held.browser.password(name, None if right else "guessed")
        if answer.status_code == 429:  # somebody guessed too often: nothing was checked
            return
        assert answer.status_code == (401 if not right else 403 if person.locked else 303)
        if not right:
            return
        if (before := self.lives(held)) is not None:
            before.ended = True
        held.lineage, held.version = None, -1
        if not person.locked:
            held.lineage, held.version = Lineage(name, self.now), 0
            self.model.lineages.append(held.lineage)

    @rule(which=WHICH, name=NAME, what=st.sampled_from(["right", "right", "wrong", "earlier"]))
    def code(self, which: int, name: str, what: str) -> None:
        """A code of an app of somebody, who may be somebody else."""
        held = self.held[which]
        app = next((one for one in self.model.people[name].authenticators.values() if one.secret), None)
        at = self.now - (30 if what == "earlier" else 0)
        code = "000000" if app is None or app.secret is None or what == "wrong" else totp_code(app.secret, at)
        lineage, step = self.lives(held), int(at) // 30
        own = lineage is not None and lineage.account == name and app is not None
        fits = app is not None and app.secret is not None and code == totp_code(app.secret, at)
        may = bool(own and fits and app is not None and step > app.last_step)
        sure = may and lineage is not None and self.sure(lineage)
        if self.ok(held.browser.api("POST", "totp/verify", {"code": code}), "a code", may, must=bool(sure)):
            assert lineage is not None
            assert app is not None
            app.last_step = step
            self._proves(held, lineage, app.id)

    @rule(which=WHICH, name=NAME)
    def key(self, which: int, name: str) -> None:
        held = self.held[which]
        one = next((one for one in self.model.people[name].authenticators.values() if one.is_key), None)
        key = self.keys[one.id] if one else SoftwareKey(BASE_URL)
        begun = held.browser.api("POST", "webauthn/verify/begin")
        lineage = self.lives(held)
        has_key = lineage is not None and self.model.of(lineage).strongest_is_key
        if not self.ok(begun, "options of a key", has_key):
            return
        try:
            answer = key.assert_(begun.json, LENIENT)
        except KeyRefused:
            return  # it has no credential here yet
        may = one is not None and lineage is not None and lineage.account == name
        sent = held.browser.api("POST", "webauthn/verify/complete", answer)
        if self.ok(sent, "a key", may, must=lineage is not None and self.sure(lineage)):
            assert lineage is not None
            assert one is not None
            self._proves(held, lineage, one.id)

    @rule(which=WHICH, name=NAME, number=st.integers(0, 9))
    def recovery_code(self, which: int, name: str, number: int) -> None:
        """A recovery code of somebody, who may be somebody else; or one that was used."""
        held, person = self.held[which], self.model.people[name]
        codes = (person.recovery or []) + self.used[name]
        code = codes[number % len(codes)] if codes else "0000-0000-0000-0000"
        lineage, left = self.lives(held), code in (person.recovery or []) and bool(person.authenticators)
        own = lineage is not None and lineage.account == name
        sent = held.browser.api("POST", "recovery/verify", {"code": code})
        must = own and left and lineage is not None and self.sure(lineage)
        if self.ok(sent, "a recovery code", own and left, must=must):
            assert lineage is not None
            assert person.recovery is not None
            person.recovery.remove(code)
            self.used[name].append(code)
            if not self.model.is_in(lineage):
                self.opened += 1
            lineage.recovered = self.now
            self.rises(held, lineage)

    @rule(which=WHICH)
    def renew(self, which: int) -> None:
        """A new set of recovery codes in the place of the old one."""
        held, lineage = self.held[which], self.lives(self.held[which])
        may = lineage is not None and bool(self.model.of(lineage).authenticators)
        may = may and lineage is not None and self.model.may_change(lineage, self.now)
        answer = held.browser.api("POST", "recovery/renew")
        if self.ok(answer, "new recovery codes", may):
            assert lineage is not None
            self._spends(lineage)
            self._drawn(self.model.of(lineage), answer.json["codes"])

    def _drawn(self, person: Person, codes: list[str]) -> None:
        self.used[person.name] += person.recovery or []
        person.recovery = list(codes)

    def _proves(self, held: StoredCredential, lineage: Lineage, authenticator: str) -> None:
        if not self.model.is_in(lineage):
            self.opened += 1
        lineage.proofs[authenticator] = self.now
        self.rises(held, lineage)

    @rule(which=WHICH, name=NAME, by_key=st.booleans())
    def sign_in(self, which: int, name: str, by_key: bool) -> None:
        """All of it in one go, or most sequences would not come as far as this."""
        self.portal.clock.advance(30)
        self.password(which, name, True)
        if by_key:
            self.key(which, name)
        else:
            self.code(which, name, "right")
        for view in VIEWS:
            self.visit(which, view)

    @rule(which=WHICH, name=NAME, by_key=st.booleans(), key=st.booleans())
    def set_up_another(self, which: int, name: str, by_key: bool, key: bool) -> None:
        """With a new activation code; then one of them is removed."""
        self.sign_in(which, name, by_key)
        self.issue(name)
        self.redeem(which, name)
        self._sets_up(which, key)
        self.remove(which, name, 0)

    # --- activation and enrolment ------------------------------------------------------------------------------

    @rule(name=NAME)
    def issue(self, name: str) -> None:
        code = self.portal.activation_code(name)
        self.model.issue(self.model.people[name], code, self.now + CODE, self.now)

    @rule(which=WHICH, name=NAME)
    def redeem(self, which: int, name: str) -> None:
        """The code of somebody, who may be somebody else."""
        held, person = self.held[which], self.model.people[name]
        lineage, live = self.lives(held), person.code is not None and self.now < person.code[1]
        may = lineage is not None and lineage.account == name and live and self.model.may_redeem(lineage, self.now)
        code = person.code[0] if person.code else "0000-0000-0000-0000"
        must = may and lineage is not None and self.sure(lineage) and person.bound is None
        if self.ok(held.browser.api("POST", "activation/verify", {"code": code}), "activation", may, must=bool(must)):
            assert lineage is not None
            person.bound, lineage.enrols_until = lineage, self.now + REDEEMED
            self.rises(held, lineage)

    @rule(which=WHICH)
    def begin_app(self, which: int) -> None:
        held, lineage = self.held[which], self.lives(self.held[which])
        may = lineage is not None and self.model.may_change(lineage, self.now, adds_key=False)
        answer = held.browser.api("POST", "totp/enrol/begin")
        assert may or "secret" not in answer.text
        if self.ok(answer, "the secret of an app", may, must=lineage is not None and self.sure(lineage)):
            held.begun, held.options = answer.json, None

    @rule(which=WHICH, right=st.booleans())
    def complete_app(self, which: int, right: bool) -> None:
        held, lineage = self.held[which], self.lives(self.held[which])
        begun = held.begun or {"enrolment": "0" * 32, "secret": "A" * 32}
        code = totp_code(begun["secret"], self.now) if right else "000000"
        may = lineage is not None and self.model.may_change(lineage, self.now, adds_key=False)
        may = may and held.begun is not None and code == totp_code(begun["secret"], self.now)
        sent = {"enrolment": begun["enrolment"], "code": code}
        answer = held.browser.api("POST", "totp/enrol/complete", sent)
        if self.ok(answer, "an app", may):
            assert lineage is not None
            app = Authenticator(begun["enrolment"], begun["secret"], int(self.now) // 30)
            self._enrols(held, lineage, app, answer)

    @rule(which=WHICH)
    def begin_key(self, which: int) -> None:
        held, lineage = self.held[which], self.lives(self.held[which])
        may = lineage is not None and self.model.may_change(lineage, self.now, adds_key=True)
        answer = held.browser.api("POST", "webauthn/enrol/begin")
        if self.ok(answer, "options for a new key", may, must=lineage is not None and self.sure(lineage)):
            held.options, held.begun = (answer.json, SoftwareKey(BASE_URL)), None

    @rule(which=WHICH)
    def complete_key(self, which: int) -> None:
        """Answer options that were handed out to this browser, or to another one."""
        held, lineage = self.held[which], self.lives(self.held[which])
        asked = held.options or next((other.options for other in self.held if other.options), None)
        if asked is None:
            return
        may = lineage is not None and self.model.may_change(lineage, self.now, adds_key=True)
        may = may and held.options is not None
        before = self._stored()
        answer = held.browser.api("POST", "webauthn/enrol/complete", asked[1].register(asked[0]))
        held.options = None
        if self.ok(answer, "a new key", may):
            assert lineage is not None
            (made,) = self._stored() - before
            self.keys[made] = asked[1]
            self._enrols(held, lineage, Authenticator(made), answer)

    def _enrols(self, held: StoredCredential, lineage: Lineage, made: Authenticator, answer: TestResponse) -> None:
        person = self.model.of(lineage)
        self._spends(lineage)
        person.authenticators[made.id] = made
        codes = answer.json.get("recovery_codes")
        assert (codes is not None) is (person.recovery is None)
        if codes is not None:
            self._drawn(person, codes)
        held.begun = held.options = None
        self._proves(held, lineage, made.id)

    def _stored(self) -> set[str]:
        return {str(row.id) for row in self.portal.sql("SELECT id FROM mfa_authenticators WHERE account_id != 'sue'")}

    # --- changes -----------------------------------------------------------------------------------------------

    @rule(which=WHICH, name=NAME, number=st.integers(0, 2))
    def remove(self, which: int, name: str, number: int) -> None:
        """An authenticator of somebody, who may be somebody else."""
        held, person = self.held[which], self.model.people[name]
        ids = sorted(person.authenticators)
        one = ids[number % len(ids)] if ids else "0" * 32
        lineage = self.lives(held)
        may = lineage is not None and lineage.account == name and len(ids) > 1
        may = may and lineage is not None and self.model.may_change(lineage, self.now)
        must = may and lineage is not None and self.sure(lineage)
        if self.ok(held.browser.api("DELETE", f"authenticators/{one}"), "a removal", may, must=bool(must)):
            assert lineage is not None
            self._spends(lineage)
            self.model.remove(person, one, lineage)

    @rule(which=WHICH)
    def end_others(self, which: int) -> None:
        held, lineage = self.held[which], self.lives(self.held[which])
        may = lineage is not None and self.model.is_in(lineage)
        if self.ok(held.browser.api("DELETE", "sessions"), "the end of others", may):
            assert lineage is not None
            self.model.end(lineage.account, lineage)

    @rule(which=WHICH)
    def sign_out(self, which: int) -> None:
        held = self.held[which]
        held.browser.api("POST", "sign-out")
        if (lineage := self.lives(held)) is not None:
            lineage.ended = True
            self._free(lineage)
        held.lineage = None

    @rule(name=NAME)
    def end_sessions(self, name: str) -> None:
        with self.portal.app.app_context():
            self.portal.gate.end_sessions(name)
        self.model.end(name)

    @rule(name=NAME, locks=st.booleans())
    def lock(self, name: str, locks: bool) -> None:
        person = self.model.people[name]
        with self.portal.app.app_context():
            if locks:
                self.portal.gate.lock(name, "model")
                self.model.end(name)
            else:
                self.portal.gate.unlock(name, "model")
        person.locked = locks

    def _spends(self, lineage: Lineage) -> None:
        person = self.model.of(lineage)
        if person.bound is lineage:
            person.code = person.bound = None

    def _free(self, lineage: Lineage) -> None:
        person = self.model.of(lineage)
        if person.bound is lineage:
            person.bound = None

    # --- the desk ----------------------------------------------------------------------------------------------

    def _at_desk(self, browser: Browser, path: str, action: str, **more: str) -> TestResponse:
        """Press a button at the desk as a program would, which is told what is refused."""
        sent = {"csrf_token": browser.token, "action": action, **more}
        return browser.post(f"/mfa/desk{path}", sent, headers={"Accept": "application/json"})

    def _acts(self, browser: Browser, name: str, action: str, **more: str) -> TestResponse:
        return self._at_desk(browser, f"/accounts/{self.subjects[name]}", action, reason="As the model does", **more)

    @rule(which=WHICH, name=NAME, action=AT_DESK)
    def act_at_desk(self, which: int, name: str, action: str) -> None:
        """Whoever sits here presses a button at the desk."""
        held, lineage = self.held[which], self.lives(self.held[which])
        may = lineage is not None and self.model.may_work_at_desk(lineage, self.now) and lineage.account != name
        may = may and action not in OF_SUPERVISORS
        must = may and lineage is not None and self.sure(lineage)
        known = {row.id for row in self.portal.sql("SELECT id FROM mfa_desk_requests")}
        if self.pressed(self._acts(held.browser, name, action), f"desk: {action}", may, must=must):
            assert lineage is not None
            self._done_at_desk(name, action)
            for row in self.portal.sql("SELECT id FROM mfa_desk_requests"):
                if row.id not in known:
                    self.requests[row.id] = Request(name, lineage.account, self.now)

    @rule(which=WHICH, who=NAME, name=NAME, action=AT_DESK, approved=st.booleans())
    def work_at_desk(self, which: int, who: str, name: str, action: str, approved: bool) -> None:
        """All of it in one go, or few sequences would come as far as a code that is told."""
        self.sign_in(which, who, True)
        self.act_at_desk(which, name, action)
        self.approve(which, 0, approved)
        self.speak(which, 0)

    @rule(which=WHICH)
    def have_a_code_told(self, which: int) -> None:
        """What takes two people, who rarely meet by chance."""
        self.sign_in(which, "bob", True)
        self.act_at_desk(which, "anne", "letter")
        self.act_at_desk(which, "anne", "ask")
        for number in range(len(self.requests)):
            self.approve(which, number, True)
        for number in range(len(self.requests)):
            self.speak(which, number)

    @rule(name=NAME, action=st.sampled_from(["letter", "lock", "end_sessions", *OF_SUPERVISORS]))
    def supervisor_acts(self, name: str, action: str) -> None:
        if action in OF_SUPERVISORS[:2] or name == "anne":
            assert self._acts(self._sue(), name, action).status_code == 303
            self._done_at_desk(name, action)

    @rule(which=WHICH, number=st.integers(0, 2), by_sue=st.booleans())
    def approve(self, which: int, number: int, by_sue: bool) -> None:
        """What was asked for: by a supervisor, or by whoever sits here."""
        open_ones = sorted(self.requests)
        if not open_ones:
            return
        one = open_ones[number % len(open_ones)]
        request, browser = self.requests[one], self._sue() if by_sue else self.held[which].browser
        may = by_sue and self.now < request.at + ASKED
        if self.pressed(self._at_desk(browser, "", "approve", request=one), "desk: approved", may, must=False):
            request.approved = True

    @rule(which=WHICH, number=st.integers(0, 2))
    def speak(self, which: int, number: int) -> None:
        """Have the code told that was asked for, by whoever it was."""
        open_ones = sorted(self.requests)
        if not open_ones:
            return
        one = open_ones[number % len(open_ones)]
        request, held, lineage = self.requests[one], self.held[which], self.lives(self.held[which])
        may = lineage is not None and self.model.may_work_at_desk(lineage, self.now)
        may = may and lineage is not None and lineage.account == request.by and request.approved
        may = may and self.now < request.at + ASKED
        sent = {"csrf_token": held.browser.token, "action": "speak", "request": one, "reason": "As the model does"}
        answer = held.browser.post(f"/mfa/desk/accounts/{self.subjects[request.name]}", sent)
        code = code_in(answer.text)
        assert may or not code, "a code was told"
        if code:
            reached["desk: a code told"] = reached.get("desk: a code told", 0) + 1
            del self.requests[one]
            self.model.issue(self.model.people[request.name], code, self.now + SPOKEN, self.now)

    def pressed(self, answer: TestResponse, name: str, may: bool, must: bool) -> bool:
        assert answer.status_code < 500, f"{name}: {answer.status_code} {answer.text[:200]}"
        done = answer.status_code == 303 and "/mfa/desk" in answer.location
        assert may or not done, f"{name} passed"
        assert done or not (may and must), f"{name} was refused: {answer.text[:200]}"
        if done:
            reached[name] = reached.get(name, 0) + 1
        return done

    def _sue(self) -> Browser:
        browser = self.portal.browser("192.0.2.9")
        browser.password("sue")
        assert browser.prove(self.sues).status_code == 200
        self.opened += 1
        return browser

    def _done_at_desk(self, name: str, action: str) -> None:
        person = self.model.people[name]
        if action == "reset":
            self.used[name] += person.recovery or []
            self.model.reset(person)
        elif action in ("lock", "end_sessions"):
            self.model.end(name)
        elif action == "letter":
            (letter,) = (self.folder / "letters").iterdir()
            self.model.issue(person, code_in(letter.read_text()), self.now + LETTER, self.now)
            letter.unlink()
        person.locked = {"lock": True, "unlock": False}.get(action, person.locked)

    # --- thieves and time --------------------------------------------------------------------------------------

    @rule(which=WHICH, thief=WHICH)
    def steal(self, which: int, thief: int) -> None:
        """Take over the cookies of another browser, as they are now."""
        held, self.stolen = self.held[which], True
        self.held[thief] = StoredCredential(
            held.browser.copy("198.51.100.7"), held.lineage, held.version, held.begun, held.options
        )

    @rule(seconds=st.sampled_from([30, 31, 120, 301, 601, 1801, 4000, 50_000, 90_000]))
    def wait(self, seconds: int) -> None:
        self.portal.clock.advance(seconds)

    # --- what must never happen --------------------------------------------------------------------------------

    @rule(which=WHICH, view=st.sampled_from(VIEWS))
    def visit(self, which: int, view: str) -> None:
        held, lineage = self.held[which], self.lives(self.held[which])
        may = lineage is not None and self.model.may_see(lineage, view, self.now)
        must = lineage is not None and self.sure(lineage)
        if self.ok(held.browser.get(view, headers={"Accept": "application/json"}), f"sees {view}", may, must=must):
            assert lineage is not None
            if view == "/":
                assert held.browser.get("/").text == f"home of {lineage.account}"

    @invariant()
    def authenticators_are_those_that_the_model_knows(self) -> None:
        known = {one for person in self.model.people.values() for one in person.authenticators}
        assert self._stored() == known

    @invariant()
    def recovery_codes_are_as_many_as_the_model_knows(self) -> None:
        rows = self.portal.sql("SELECT account_id, count(*) FROM mfa_recovery_codes GROUP BY account_id")
        assert dict(map(tuple, rows)) == {p.name: len(p.recovery) for p in self.model.people.values() if p.recovery}

    @invariant()
    def the_portals_session_opened_once_for_each_sign_in(self) -> None:
        assert len(self.portal.opened) <= self.opened


@pytest.fixture(scope="module")
def machine(sqlite_template: Path) -> type[Sequences]:
    Sequences.template = sqlite_template
    return Sequences


@pytest.mark.parametrize("examples", [EXAMPLES, pytest.param(MORE, marks=pytest.mark.world)])
def test_no_sequence_gets_what_the_model_does_not_let_it(machine: type[Sequences], examples: int) -> None:
    run_state_machine_as_test(machine, settings=settings(CHOSEN, max_examples=examples))
    wanted = {"a code", "a key", "activation", "an app", "a new key", "a removal", *(f"sees {view}" for view in VIEWS)}
    wanted |= {
        "a recovery code",
        "new recovery codes",
        "desk: letter",
        "desk: ask",
        "desk: approved",
        "desk: a code told",
    }
    assert wanted <= reached.keys(), f"the sequences never came to {wanted - reached.keys()}"
