"""Random sequences over HTTP against a model: browsers and people, proofs, views, thieves and time."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from werkzeug.test import TestResponse

from mfa_gate import Account, DeskPolicy, Role
from mfa_gate.store import desk_staff
from mfa_gate.testing import Clock, KeyRefused, SoftwareKey, totp_code
from tests.support.model import SURE, Lineage, Model, Person
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
class Client:
    """A browser, and what the model knows of its session and of what was begun in it."""

    browser: Browser
    lineage: Lineage | None = None
    version: int = -1
    begun: dict[str, str] | None = None  # an app that was begun here
    options: tuple[Any, SoftwareKey, Lineage | None] | None = None  # a key that was begun here, and in which sign-in


@dataclass
class Request:
    """That a code of somebody may be spoken to the one who asked for it."""

    name: str
    by: str
    at: float
    approved: bool = False


class Proofs(RuleBasedStateMachine):
    """Three browsers, two people, a clock: what they prove, and what they may see."""

    template: Path
    more: ClassVar[dict[str, Any]] = {}  # of the portal
    browsers: ClassVar[type[Browser]] = Browser

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
        at = [f"192.0.2.{number}" for number in range(3)]
        self.clients = [Client(self.browsers(self.portal, self.portal.app.test_client(), one)) for one in at]
        self.model = Model({name: Person(name, is_staff=name == "bob") for name in NAMES})
        self.keys: dict[str, SoftwareKey] = {}
        self.requests: dict[str, Request] = {}
        self.used: dict[str, list[str]] = {name: [] for name in NAMES}
        self.opened = 0
        self.stolen = False

    def teardown(self) -> None:
        self.portal.app.extensions["mfa_gate"].services.store.close()
        shutil.rmtree(self.folder)

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

    # --- what the model says ------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return self.portal.clock()

    def lives(self, client: Client) -> Lineage | None:
        lineage = client.lineage
        if lineage is None or not self.model.lives(lineage, client.version):
            return None
        return lineage

    def person(self, client: Client) -> Person | None:
        lineage = self.lives(client)
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

    def elevate(self, client: Client, lineage: Lineage) -> None:
        lineage.version += 1
        client.version = lineage.version

    # --- proving ------------------------------------------------------------------------------------------------------

    @rule(which=WHICH, name=NAME, right=st.booleans())
    def password(self, which: int, name: str, right: bool) -> None:
        client, person = self.clients[which], self.model.people[name]
        answer = client.browser.password(name, None if right else "guessed")
        if answer.status_code == 429:  # somebody guessed too often: nothing was checked
            return
        assert answer.status_code == (401 if not right else 403 if person.locked else 303)
        if not right:
            return
        if (before := self.lives(client)) is not None:
            before.ended = True
        client.lineage, client.version = None, -1
        if not person.locked:
            client.lineage, client.version = Lineage(name, self.now), 0
            self.model.lineages.append(client.lineage)

    @rule(which=WHICH, name=NAME, what=st.sampled_from(["right", "right", "wrong", "earlier"]))
    def code(self, which: int, name: str, what: str) -> None:
        """A code of an app of somebody, who may be somebody else."""
        client = self.clients[which]
        app = next((one for one in self.model.people[name].authenticators.values() if one.secret), None)
        at = self.now - (30 if what == "earlier" else 0)
        code = "000000" if app is None or app.secret is None or what == "wrong" else totp_code(app.secret, at)
        lineage, step = self.lives(client), int(at) // 30
        own = lineage is not None and lineage.account == name and app is not None
        fits = app is not None and app.secret is not None and code == totp_code(app.secret, at)
        may = bool(own and fits and app is not None and step > app.last_step)
        sure = may and lineage is not None and self.sure(lineage)
        if self.ok(client.browser.api("POST", "totp/verify", {"code": code}), "a code", may, must=bool(sure)):
            assert lineage is not None
            assert app is not None
            app.last_step = step
            self._proves(client, lineage, app.id)

    @rule(which=WHICH, name=NAME)
    def key(self, which: int, name: str) -> None:
        client = self.clients[which]
        one = next((one for one in self.model.people[name].authenticators.values() if one.is_key), None)
        key = self.keys[one.id] if one else SoftwareKey(BASE_URL)
        begun = client.browser.api("POST", "webauthn/verify/begin")
        lineage = self.lives(client)
        has_key = lineage is not None and self.model.of(lineage).strongest_is_key
        if not self.ok(begun, "options of a key", has_key):
            return
        try:
            answer = key.assert_(begun.json, LENIENT)
        except KeyRefused:
            return  # it has no credential here yet
        may = one is not None and lineage is not None and lineage.account == name
        sent = client.browser.api("POST", "webauthn/verify/complete", answer)
        if self.ok(sent, "a key", may, must=lineage is not None and self.sure(lineage)):
            assert lineage is not None
            assert one is not None
            self._proves(client, lineage, one.id)

    @rule(which=WHICH, name=NAME, number=st.integers(0, 9))
    def recovery_code(self, which: int, name: str, number: int) -> None:
        """A recovery code of somebody, who may be somebody else; or one that was used."""
        client, person = self.clients[which], self.model.people[name]
        codes = (person.recovery or []) + self.used[name]
        code = codes[number % len(codes)] if codes else "0000-0000-0000-0000"
        lineage, left = self.lives(client), code in (person.recovery or []) and bool(person.authenticators)
        own = lineage is not None and lineage.account == name
        sent = client.browser.api("POST", "recovery/verify", {"code": code})
        must = own and left and lineage is not None and self.sure(lineage)
        if self.ok(sent, "a recovery code", own and left, must=must):
            assert lineage is not None
            assert person.recovery is not None
            person.recovery.remove(code)
            self.used[name].append(code)
            if not self.model.is_in(lineage):
                self.opened += 1
            lineage.recovered = self.now
            self.elevate(client, lineage)

    @rule(which=WHICH)
    def renew(self, which: int) -> None:
        """A new set of recovery codes in the place of the old one."""
        client, lineage = self.clients[which], self.lives(self.clients[which])
        may = lineage is not None and bool(self.model.of(lineage).authenticators)
        may = may and lineage is not None and self.model.may_change(lineage, self.now)
        answer = client.browser.api("POST", "recovery/renew")
        if self.ok(answer, "new recovery codes", may):
            assert lineage is not None
            self._spends(lineage)
            self._drawn(self.model.of(lineage), answer.json["codes"])

    def _drawn(self, person: Person, codes: list[str]) -> None:
        self.used[person.name] += person.recovery or []
        person.recovery = list(codes)

    def _spends(self, lineage: Lineage) -> None:
        person = self.model.of(lineage)
        if person.bound is lineage:
            person.code = person.bound = None

    def _proves(self, client: Client, lineage: Lineage, authenticator: str) -> None:
        if not self.model.is_in(lineage):
            self.opened += 1
        lineage.proofs[authenticator] = self.now
        self.elevate(client, lineage)

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
            self.open_view(which, view)

    # --- thieves and time ---------------------------------------------------------------------------------------------

    @rule(which=WHICH, thief=WHICH)
    def steal(self, which: int, thief: int) -> None:
        """Take over the cookies of another browser, as they are now."""
        client, self.stolen = self.clients[which], True
        self.clients[thief] = Client(
            client.browser.copy("198.51.100.7"), client.lineage, client.version, client.begun, client.options
        )

    @rule(seconds=st.sampled_from([30, 31, 120, 301, 601, 1801, 4000, 50_000, 90_000]))
    def wait(self, seconds: int) -> None:
        self.portal.clock.advance(seconds)

    # --- what must never happen ---------------------------------------------------------------------------------------

    @rule(which=WHICH, view=st.sampled_from(VIEWS))
    def open_view(self, which: int, view: str) -> None:
        client, lineage = self.clients[which], self.lives(self.clients[which])
        may = lineage is not None and self.model.may_see(lineage, view, self.now)
        must = lineage is not None and self.sure(lineage)
        if self.ok(client.browser.get(view, headers={"Accept": "application/json"}), f"sees {view}", may, must=must):
            assert lineage is not None
            if view == "/":
                assert client.browser.get("/").text == f"home of {lineage.account}"

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

    def _stored(self) -> set[str]:
        return {str(row.id) for row in self.portal.sql("SELECT id FROM mfa_authenticators WHERE account_id != 'sue'")}
