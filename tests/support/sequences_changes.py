"""Random sequences against a model: activation, enrolment, and what people change and the portal ends."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from werkzeug.test import TestResponse

from mfa_gate.testing import SoftwareKey, totp_code
from tests.support.model import CODE, REDEEMED, Authenticator, Lineage
from tests.support.portal import BASE_URL
from tests.support.sequences import NAME, NAMES, WHICH, Client, Proofs


class Changes(Proofs):
    """And they set up, remove and end what is theirs."""

    @initialize(keys=st.tuples(st.booleans(), st.booleans()))
    def both_are_enrolled(self, keys: tuple[bool, bool]) -> None:
        """Most sequences would spend themselves on a first enrolment."""
        for which, (name, key) in enumerate(zip(NAMES, keys, strict=True)):
            self.issue(name)
            self.password(which, name, True)
            self.redeem(which, name)
            self._sets_up(which, key)
        self._opens_the_desk()

    def _sets_up(self, which: int, key: bool) -> None:
        if key:
            self.begin_key(which)
            self.complete_key(which)
        else:
            self.begin_app(which)
            self.complete_app(which, True)

    @rule(which=WHICH, name=NAME, by_key=st.booleans(), key=st.booleans())
    def set_up_another(self, which: int, name: str, by_key: bool, key: bool) -> None:
        """With a new activation code; then one of them is removed."""
        self.sign_in(which, name, by_key)
        self.issue(name)
        self.redeem(which, name)
        self._sets_up(which, key)
        self.remove(which, name, 0)

    # --- activation and enrolment -------------------------------------------------------------------------------------

    @rule(name=NAME)
    def issue(self, name: str) -> None:
        code = self.portal.activation_code(name)
        self.model.issue(self.model.people[name], code, self.now + CODE, self.now)

    @rule(which=WHICH, name=NAME)
    def redeem(self, which: int, name: str) -> None:
        """The code of somebody, who may be somebody else."""
        client, person = self.clients[which], self.model.people[name]
        lineage, live = self.lives(client), person.code is not None and self.now < person.code[1]
        may = lineage is not None and lineage.account == name and live and self.model.may_redeem(lineage, self.now)
        code = person.code[0] if person.code else "0000-0000-0000-0000"
        must = may and lineage is not None and self.sure(lineage) and person.bound is None
        if self.ok(client.browser.api("POST", "activation/verify", {"code": code}), "activation", may, must=bool(must)):
            assert lineage is not None
            person.bound, lineage.enrols_until = lineage, self.now + REDEEMED
            self.elevate(client, lineage)

    @rule(which=WHICH)
    def begin_app(self, which: int) -> None:
        client, lineage = self.clients[which], self.lives(self.clients[which])
        may = lineage is not None and self.model.may_change(lineage, self.now, adds_key=False)
        answer = client.browser.api("POST", "totp/enrol/begin")
        assert may or "secret" not in answer.text
        if self.ok(answer, "the secret of an app", may, must=lineage is not None and self.sure(lineage)):
            client.begun, client.options = answer.json, None

    @rule(which=WHICH, right=st.booleans())
    def complete_app(self, which: int, right: bool) -> None:
        client, lineage = self.clients[which], self.lives(self.clients[which])
        begun = client.begun or {"enrolment": "0" * 32, "secret": "A" * 32}
        code = totp_code(begun["secret"], self.now) if right else "000000"
        may = lineage is not None and self.model.may_change(lineage, self.now, adds_key=False)
        may = may and client.begun is not None and code == totp_code(begun["secret"], self.now)
        sent = {"enrolment": begun["enrolment"], "code": code}
        answer = client.browser.api("POST", "totp/enrol/complete", sent)
        if self.ok(answer, "an app", may):
            assert lineage is not None
            app = Authenticator(begun["enrolment"], begun["secret"], int(self.now) // 30)
            self._enrols(client, lineage, app, answer)

    @rule(which=WHICH)
    def begin_key(self, which: int) -> None:
        client, lineage = self.clients[which], self.lives(self.clients[which])
        may = lineage is not None and self.model.may_change(lineage, self.now, adds_key=True)
        answer = client.browser.api("POST", "webauthn/enrol/begin")
        if self.ok(answer, "options for a new key", may, must=lineage is not None and self.sure(lineage)):
            client.options, client.begun = (answer.json, SoftwareKey(BASE_URL), lineage), None

    @rule(which=WHICH)
    def complete_key(self, which: int) -> None:
        """Answer options that were handed out to this browser, or to another one: a copy is of the same sign-in."""
        client, lineage = self.clients[which], self.lives(self.clients[which])
        asked = client.options or next((other.options for other in self.clients if other.options), None)
        if asked is None:
            return
        may = lineage is not None and self.model.may_change(lineage, self.now, adds_key=True)
        may = may and asked[2] is lineage
        before = self._stored()
        answer = client.browser.api("POST", "webauthn/enrol/complete", asked[1].register(asked[0]))
        client.options = None
        if self.ok(answer, "a new key", may):
            assert lineage is not None
            (made,) = self._stored() - before
            self.keys[made] = asked[1]
            self._enrols(client, lineage, Authenticator(made), answer)

    def _enrols(self, client: Client, lineage: Lineage, made: Authenticator, answer: TestResponse) -> None:
        person = self.model.of(lineage)
        self._spends(lineage)
        person.authenticators[made.id] = made
        codes = answer.json.get("recovery_codes")
        assert (codes is not None) is (person.recovery is None)
        if codes is not None:
            self._drawn(person, codes)
        client.begun = client.options = None
        self._proves(client, lineage, made.id)

    # --- changes ------------------------------------------------------------------------------------------------------

    @rule(which=WHICH, name=NAME, number=st.integers(0, 2))
    def remove(self, which: int, name: str, number: int) -> None:
        """An authenticator of somebody, who may be somebody else."""
        client, person = self.clients[which], self.model.people[name]
        ids = sorted(person.authenticators)
        one = ids[number % len(ids)] if ids else "0" * 32
        lineage = self.lives(client)
        may = lineage is not None and lineage.account == name and len(ids) > 1
        may = may and lineage is not None and self.model.may_change(lineage, self.now)
        must = may and lineage is not None and self.sure(lineage)
        if self.ok(client.browser.api("DELETE", f"authenticators/{one}"), "a removal", may, must=bool(must)):
            assert lineage is not None
            self._spends(lineage)
            self.model.remove(person, one, lineage)

    @rule(which=WHICH)
    def end_others(self, which: int) -> None:
        client, lineage = self.clients[which], self.lives(self.clients[which])
        may = lineage is not None and self.model.is_in(lineage)
        if self.ok(client.browser.api("DELETE", "sessions"), "the end of others", may):
            assert lineage is not None
            self.model.end(lineage.account, lineage)

    @rule(which=WHICH)
    def sign_out(self, which: int) -> None:
        client = self.clients[which]
        client.browser.api("POST", "sign-out")
        if (lineage := self.lives(client)) is not None:
            lineage.ended = True
            self._free(lineage)
        client.lineage = None

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

    def _free(self, lineage: Lineage) -> None:
        person = self.model.of(lineage)
        if person.bound is lineage:
            person.bound = None
