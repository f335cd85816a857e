"""Random sequences against a model: the help desk. `Sequences` has all the rules."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule
from werkzeug.test import TestResponse

from tests.support.desks import code_in
from tests.support.portal import Browser
from tests.support.sequences import ASKED, AT_DESK, LETTER, NAME, OF_SUPERVISORS, SPOKEN, WHICH, Request, reached
from tests.support.sequences_doubtful import Doubtful


class Sequences(Doubtful):
    """And there is a desk, at which one of the two is an agent."""

    def _at_desk(self, browser: Browser, path: str, action: str, **more: str) -> TestResponse:
        """Press a button at the desk as a program would, which gets refusals as JSON."""
        sent = {"csrf_token": browser.token, "action": action, **more}
        return browser.post(f"/mfa/desk{path}", sent, headers={"Accept": "application/json"})

    def _acts(self, browser: Browser, name: str, action: str, **more: str) -> TestResponse:
        return self._at_desk(browser, f"/accounts/{self.subjects[name]}", action, reason="As the model does", **more)

    @rule(which=WHICH, name=NAME, action=AT_DESK)
    def act_at_desk(self, which: int, name: str, action: str) -> None:
        """The person at this client presses a button at the desk."""
        client, lineage = self.clients[which], self.lives(self.clients[which])
        may = lineage is not None and self.model.may_work_at_desk(lineage, self.now) and lineage.account != name
        may = may and action not in OF_SUPERVISORS
        must = may and lineage is not None and self.sure(lineage)
        known = {row.id for row in self.portal.sql("SELECT id FROM mfa_desk_requests")}
        if self.pressed(self._acts(client.browser, name, action), f"desk: {action}", may, must=must):
            assert lineage is not None
            self._done_at_desk(name, action)
            for row in self.portal.sql("SELECT id FROM mfa_desk_requests"):
                if row.id not in known:
                    self.requests[row.id] = Request(name, lineage.account, self.now)

    @rule(which=WHICH, who=NAME, name=NAME, action=AT_DESK, approved=st.booleans())
    def work_at_desk(self, which: int, who: str, name: str, action: str, approved: bool) -> None:
        """All of it in one go, or few sequences would come as far as a code that is spoken."""
        self.sign_in(which, who, True)
        self.act_at_desk(which, name, action)
        self.approve(which, 0, approved)
        self.speak(which, 0)

    @rule(which=WHICH)
    def have_a_code_spoken(self, which: int) -> None:
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
        """What was asked for: by a supervisor, or by the person at this client."""
        open_ones = sorted(self.requests)
        if not open_ones:
            return
        one = open_ones[number % len(open_ones)]
        request, browser = self.requests[one], self._sue() if by_sue else self.clients[which].browser
        may = by_sue and self.now < request.at + ASKED
        if self.pressed(self._at_desk(browser, "", "approve", request=one), "desk: approved", may, must=False):
            request.approved = True

    @rule(which=WHICH, number=st.integers(0, 2))
    def speak(self, which: int, number: int) -> None:
        """Have the code spoken that was asked for, by whichever client."""
        open_ones = sorted(self.requests)
        if not open_ones:
            return
        one = open_ones[number % len(open_ones)]
        request, client, lineage = self.requests[one], self.clients[which], self.lives(self.clients[which])
        may = lineage is not None and self.model.may_work_at_desk(lineage, self.now)
        may = may and lineage is not None and lineage.account == request.by and request.approved
        may = may and self.now < request.at + ASKED
        sent = {"csrf_token": client.browser.token, "action": "speak", "request": one, "reason": "As the model does"}
        answer = client.browser.post(f"/mfa/desk/accounts/{self.subjects[request.name]}", sent)
        code = code_in(answer.text)
        assert may or not code, "a code was spoken"
        if code:
            reached["desk: a code spoken"] = reached.get("desk: a code spoken", 0) + 1
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
