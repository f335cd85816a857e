"""A tour of every page of the gate, as a person reaches it, and what is measured on each of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, TimeoutError

from mfa_gate.audit.record import Who
from mfa_gate.durations import DAY
from mfa_gate.harvest import State
from mfa_gate.store import read_ledger, reading_states
from mfa_gate.store.read_ledger import ReadRow
from mfa_gate.testing import SoftwareKey
from mfa_gate.web.letters import Letter, render
from tests.support.served import KEY_BUTTON, NAMES, Served, Window
from tests.support.virtual_key import VirtualKey

WIDTHS = (320, 360, 1200)
USUAL = {"width": 1200, "height": 800}
LONGEST = "Ordinateurdelapharmacie" * 2 + "Ordinateurdela"  # 60 letters, and nowhere to break
IN_ORDER = ("challenge", "enrolment", "picture")  # where every stop of Tab is written down

# every rule but that of AAA, and the one that takes a large line for a heading; of the dark theme, what colours decide
RULES = {
    "light": {
        "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental"],
        "rules": {"p-as-heading": {"enabled": False}},
    },
    "dark": {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}},
}
RUN = """rules => axe.run({resultTypes: ["violations"], ...rules}).then(({violations}) =>
  violations.flatMap(({id, nodes}) => nodes.map(node => `${id} at ${node.target}`)))"""
OPEN = "open => document.querySelectorAll('details').forEach(each => each.open = open)"
MOVING = """() => [...document.querySelectorAll("*")].filter((each) => {
  const {transitionDuration, animationName} = getComputedStyle(each);
  return animationName !== "none" || transitionDuration.split(",").some(time => parseFloat(time) > 0);
}).map(each => each.outerHTML.slice(0, 80))"""
WIDER = "() => document.documentElement.scrollWidth - window.innerWidth"
# the sentence of an error has the focus, or what has it is described by that sentence
TOLD = """() => {
  const {activeElement: here} = document;
  const sentences = [...document.querySelectorAll("[role=alert]")].filter(each => each.checkVisibility());
  const ids = (here.getAttribute("aria-describedby") ?? "").split(" ");
  return sentences.includes(here) || sentences.some(each => each.id && ids.includes(each.id));
}"""
# Tab goes on from where something was that had the focus
START = """() => {
  const start = Object.assign(document.createElement("span"), {tabIndex: -1});
  document.body.prepend(start);
  start.focus();
  start.remove();
}"""
FOCUSABLE = """() => [...document.querySelectorAll("a[href], button, input, summary")].filter(
  (each) => !each.disabled && each.type !== "hidden" && each.checkVisibility()).length"""
STOP = """() => {
  const {activeElement: here} = document;
  if (here === document.body) return null;
  const {x, y, height} = here.getBoundingClientRect();
  return [here.textContent.trim() || here.name || here.id, x, y + scrollY, height];
}"""


@dataclass
class Seen:
    """What was found on one page.

    Attributes:
        violations: of axe's rules, each with the theme and whether the folded answers were open.
        wider: width of a window -> by how much the page is wider.
        moving: what would move although its reader asked for less motion.
        told: an error has the focus, or describes what has it; None where there is no error.
        stops: by width of the window, what Tab comes to: name, x, y and height.
        focusable: by width, how much there is for it to come to.
    """

    title: str
    lang: str
    headings: int
    violations: list[str]
    wider: dict[int, int] = field(default_factory=dict)
    moving: list[str] = field(default_factory=list)
    told: bool | None = None
    stops: dict[int, list[tuple[str, float, float, float]]] = field(default_factory=dict)
    focusable: dict[int, int] = field(default_factory=dict)


def violations(page: Page) -> list[str]:
    """What axe finds, in both themes, with the folded answers closed and again open."""
    page.evaluate(AXE_SCRIPT)
    found = []
    for opened in (False, True) if page.locator("details").count() else (False,):
        page.evaluate(OPEN, opened)
        for scheme, rules in RULES.items():
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            found += [f"{scheme}, {'open' if opened else 'closed'}: {each}" for each in page.evaluate(RUN, rules)]
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    return found


def is_told(page: Page) -> bool:
    """The focus comes with the first picture that the browser draws, a moment after the page is there."""
    try:
        page.wait_for_function(TOLD)
    except TimeoutError:
        return False
    return True


def stops_of(page: Page) -> list[tuple[str, float, float, float]]:
    page.evaluate(START)
    stops: list[tuple[str, float, float, float]] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop is None:
            return stops
        stops.append(tuple(stop))
    raise AssertionError("Tab goes round and round")


class Tour:
    """Goes from page to page in one language and keeps what it sees, by the name of the page."""

    def __init__(self, window: Window, served: Served, language: str) -> None:
        self.window, self.served = window, served
        self.portal, self.page = served.portal, window.page
        self.account = NAMES[language]
        self.key = VirtualKey(window.page)
        self.seen: dict[str, Seen] = {}
        self.secret = ""

    def look(self, name: str, *, error: bool = False, page: Page | None = None, paper: bool = False) -> None:
        page = page or self.page
        told = is_told(page) if error else None
        lang = str(page.locator("html").get_attribute("lang"))
        seen = Seen(page.title(), lang, page.locator("h1").count(), violations(page), told=told)
        seen.moving = page.evaluate(MOVING)
        for width in () if paper else WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            seen.wider[width] = page.evaluate(WIDER)
            if name in IN_ORDER:
                page.evaluate(OPEN, False)
                seen.stops[width], seen.focusable[width] = stops_of(page), page.evaluate(FOCUSABLE)
        page.set_viewport_size(USUAL)  # type: ignore[arg-type]
        page.evaluate(OPEN, False)
        self.seen[name] = seen

    def first_day(self) -> dict[str, Seen]:
        """The pages that everybody sees before the first sign-in."""
        self.activation()
        self.first_app()
        return self.seen

    def whole(self, folder: Path) -> dict[str, Seen]:
        self.first_day()
        self.second_key()
        self.own()
        self.challenge()
        self.step_up()
        self.desk()
        self.removal()
        self.weaker()
        self.letter(folder)
        return self.seen

    def activation(self) -> None:
        code = self.portal.activation_code(self.account)
        self.window.sign_in(self.account)
        self.look("activation")
        self.window.send("main form", code="0000-0000-0000-0000")
        self.look("activation, refused", error=True)
        self.window.send("main form", code=code)

    def first_app(self) -> None:
        self.look("enrolment")
        self.key.override(isBadUP=True)
        self.window.use_key()
        self.key.override(isBadUP=False)
        self.look("enrolment, key refused", error=True)
        self.window.press("form:has(input[value=begin]) button")
        self.look("picture")
        self.secret = "".join(self.window.text(".mfa-key").split())
        self.window.send("form:has([value=complete])", code="000000")
        self.look("code asked again", error=True)
        self.window.send("form:has([value=complete])", code=self.portal.code(self.secret))
        self.look("recovery codes")

    def second_key(self) -> None:
        self.window.open("/mfa/activate")
        self.look("activation beside a proof")
        self.window.open("/mfa/enrol")
        self.look("further enrolment")
        self.key.touch(False)
        self.page.click(KEY_BUTTON)
        self.look("waiting for the key")
        self.key.touch(True)
        self.window.open("/mfa/enrol")
        self.page.fill("form.mfa-webauthn [name=label]", "Clé")
        self.window.use_key()
        self.window.open("/mfa/enrol")
        self.window.refused_key()
        self.look("key set up already", error=True)

    def own(self) -> None:
        self.window.open("/mfa/authenticators")
        self.look("two authenticators")
        self.page.evaluate("document.querySelectorAll('[name=id]').forEach(each => each.value = '0'.repeat(32))")
        self.page.click("details:has([value=rename]) summary")
        self.window.press("form:has([value=rename]) button")
        self.look("two authenticators, refused", error=True)
        self.page.click(".mfa-again summary")
        self.window.press(".mfa-again form button")
        self.look("renewed recovery codes")
        self.window.open("/mfa/sign-out")
        self.look("signing out")
        self.window.press("main form button")
        self.look("signed out")

    def challenge(self) -> None:
        self.window.sign_in(self.account)
        self.look("challenge")
        self.key_alone()
        self.without_keys()
        self.recovery_alone()
        self.page.context.set_offline(True)
        self.window.refused_key()
        self.look("challenge, no answer", error=True)
        self.page.context.set_offline(False)
        self.key.override(isBogusSignature=True)
        self.window.use_key()
        self.key.override(isBogusSignature=False)
        self.look("challenge, key refused", error=True)
        self.window.send("form:has(#code)", code="000000")
        self.look("challenge, code refused", error=True)
        self.page.click("details:has(#recovery) summary")
        self.window.send("form:has(#recovery)", code="0000-0000-0000-0000")
        self.look("challenge, recovery code refused", error=True)

    def key_alone(self) -> None:
        """On the way to a page that no code opens, with the way out in a folded answer."""
        self.window.open("/safe")
        self.look("challenge, the key alone")
        self.window.open("/")

    def without_keys(self) -> None:
        other = self.page.context.new_page()
        other.add_init_script("delete window.PublicKeyCredential")
        other.goto(f"{self.served.url}/mfa/challenge")
        self.look("challenge, browser without keys", page=other)
        other.close()

    def recovery_alone(self) -> None:
        """As where the portal has switched off what the account has."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mfa_gate.web.answers.allowed", lambda *_: ("recovery",))
            self.window.open("/mfa/challenge")
            self.look("challenge, recovery code alone")
        self.window.open("/mfa/challenge")

    def step_up(self) -> None:
        self.portal.clock.advance(120)
        self.window.open("/mfa/challenge")
        self.window.use_key()
        self.portal.clock.advance(601)
        self.window.open("/safe")
        self.look("step-up")
        self.window.use_key()
        self.portal.clock.advance(601)
        self.window.send(note="4711")
        self.look("step-up with a kept form")
        self.window.use_key()
        self.look("kept form")
        self.window.open("/mfa/sign-out")
        self.page.evaluate("document.querySelector('[name=csrf_token]').value = 'another'")
        self.window.press("main form button")
        self.look("refusal")

    def desk(self) -> None:
        """As a supervisor of the help desk, with an account that has nothing yet."""
        work = "INSERT INTO mfa_desk_staff (account_id, role, since) VALUES (:who, :role, 0)"
        self.portal.sql(work, who=self.account, role=3)
        self.window.open("/mfa/challenge")
        self.window.use_key()
        self.window.open("/mfa/desk")
        self.look("desk")
        self.window.send("main form", account="nobody")
        self.look("desk, unknown account", error=True)
        self.window.send("main form", account="zoe")
        self.look("desk, an account")
        self.reads_much("zoe")
        self.window.open("/mfa/desk")
        self.look("desk, alerts")
        self.window.send("main form", account="zoe")
        self.look("desk, an account that was stopped")
        self.page.click("details:has([value=ask]) summary")
        self.window.send("form:has([value=ask])", reason="x")
        self.look("desk, no reason", error=True)
        self.page.click("details:has([value=ask]) summary")
        self.window.send("form:has([value=ask])", reason="Telephone")
        self.look("desk, done")
        self.window.open("/mfa/desk")
        self.look("desk, a request of one's own")
        self.spoken()
        self.window.open("/mfa/desk/staff")
        self.look("desk, who works here")
        self.page.check("[value=AGENT]")
        self.window.send("form:has([value=grant])", account="nobody", reason="Telephone")
        self.look("desk, no role given", error=True)
        self.window.open("/")

    def reads_much(self, account: str) -> None:
        """Days of reading, and a stop that nobody has lifted."""
        services, now = self.portal.app.extensions["mfa_gate"].services, self.portal.clock()
        today = int(now // DAY)
        stopped = State(today, now, seen="c0ffe" * 40, total=900.0, weight=30.0, days=30, stopped=now, why="pace")
        with services.store.begin() as tx:
            state = reading_states.lock_row(tx, account)
            assert state is not None
            reading_states.keep(tx, account, stopped.dump())
            services.audit.record(tx, "reads_stopped", now, Who(state.subject), reasons=["pace"], records=40)
            for number in range(200):
                day = today - number % 20
                row = ReadRow(now, day, state.subject, "s", None, "patient", f"k.{number}", "", "first")
                read_ledger.add(tx, row, "tour", number, "", "")

    def spoken(self) -> None:
        """What a colleague asked for, and one's own request once a colleague has approved it."""
        (other,) = set(NAMES.values()) - {self.account}
        with self.portal.app.test_request_context():
            self.portal.app.extensions["mfa_gate"].cases.of(other)
        self.portal.sql("UPDATE mfa_desk_requests SET asked_by = :other", other=other)
        self.window.open("/mfa/desk")
        self.look("desk, a colleague's request")
        self.portal.sql(
            "UPDATE mfa_desk_requests SET asked_by = :who, approved_by = :other", who=self.account, other=other
        )
        self.window.open("/mfa/desk")
        self.window.send("main form", account="zoe")
        self.look("desk, approved")
        self.window.press("form:has([value=speak]) button")
        self.look("desk, the code")

    def removal(self) -> None:
        """A third one with the longest of names goes first, then the key by which this session was made."""
        self.portal.clock.advance(1)
        made = SoftwareKey(self.served.url).register(self.window.ask("webauthn/enrol/begin"))
        self.window.ask("webauthn/enrol/complete", {**made, "label": LONGEST})
        self.window.open("/mfa/challenge")
        self.window.use_key()
        self.window.open("/mfa/authenticators")
        self.look("three authenticators")
        self.remove(LONGEST)
        self.look("removed")
        self.remove("Clé")
        self.look("removed, and signed out by it")

    def remove(self, label: str) -> None:
        entry = f".mfa-way:has(bdi:text-is('{label}'))"
        self.page.click(f"{entry} details:has(.mfa-danger) summary")
        self.window.press(f"{entry} .mfa-danger")

    def weaker(self) -> None:
        self.window.sign_in(self.account)
        self.look("challenge of an app")
        self.window.send("form:has(#code)", code=self.portal.code(self.secret))
        self.window.open("/mfa/authenticators")
        self.look("one authenticator")
        self.window.open("/safe")
        self.look("no suitable method")
        self.portal.sql("DELETE FROM mfa_recovery_codes WHERE account_id = :who", who=self.account)
        self.window.open("/mfa/authenticators")
        self.look("no recovery code left")
        self.window.open("/mfa/sessions")
        self.look("sessions")
        self.window.open("/mfa/news")
        self.look("nothing new")
        self.portal.sql("UPDATE mfa_outbox SET shown_at = NULL, sign_in = NULL")
        self.window.open("/mfa/news")
        self.look("news")
        self.not_me()

    def not_me(self) -> None:
        """Behind the link of a mail."""
        parts = self.portal.app.extensions["mfa_gate"]
        ((subject,),) = self.portal.sql("SELECT subject FROM mfa_accounts WHERE id = :who", who=self.account)
        self.window.open(f"/mfa/not-me?link={parts.notices._link(subject, self.portal.clock())}")
        self.look("it was not me")
        self.window.press("main form button")
        self.look("everybody signed out")

    def letter(self, folder: Path) -> None:
        account = self.portal.people[self.account]
        address = ("Pharmacie du Port", "1 quai Sud", "29200 Brest")
        ends_at = self.portal.clock() + 86_400
        with self.portal.app.test_request_context():
            parts: Any = self.portal.app.extensions["mfa_gate"]
            text = render(parts, Letter(account, address, "0123-4567-89AB-CDEF", ends_at))
        file = folder / f"letter-{re.sub('[^a-z]', '', self.account)}.html"
        file.write_text(text, encoding="utf-8")
        self.page.goto(file.as_uri())
        self.look("letter", paper=True)
