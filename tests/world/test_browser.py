"""Chromium against a real server: activation, enrolment, sign-in, a guarded page, step-up and sign-out."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import request
from markupsafe import escape
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page

from mfa_gate import Account, Level
from mfa_gate.testing import Clock
from tests.support.browser import page_in
from tests.support.portal import MakePortal, Portal
from tests.support.served import FORM, LOGIN, PLAIN, Served, html_app, listening, serving

pytestmark = pytest.mark.browser

BANK = FORM.format(title="Bank details", fields='<input name="iban"><input name="holder">')
FETCH = '<script>fetch("/patients/68", {headers: {Accept: "text/html"}})</script>'

WORDS = {
    "fr": {
        "activate": "Saisissez votre code d’activation",
        "start": "Protégez votre compte",
        "scan": "Reliez votre téléphone",
        "retype": "Saisissez le code encore une fois",
        "codes": "Conservez ces codes de secours",
        "challenge": "Saisissez le code affiché sur votre téléphone",
        "step_up": "Confirmez que c’est toujours vous",
        "resume": "Envoyez votre formulaire",
        "leave": "Voulez-vous vous déconnecter\N{NARROW NO-BREAK SPACE}?",
        "left": "Vous êtes déconnecté",
        "news": "Ce qui s’est passé dans votre compte",
    },
    "en": {
        "activate": "Enter your activation code",
        "start": "Protect your account",
        "scan": "Link your phone",
        "retype": "Enter the code once more",
        "codes": "Keep these recovery codes",
        "challenge": "Enter the code shown on your phone",
        "step_up": "Confirm that it is still you",
        "resume": "Send your form",
        "leave": "Do you want to sign out?",
        "left": "You are signed out",
        "news": "What happened in your account",
    },
}


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def served(make: MakePortal) -> Iterator[Served]:
    with serving(make, "localhost") as served:
        add_bank(served.portal)
        yield served


def add_bank(portal: Portal) -> None:
    """A form of two fields for people, where the tests' portal answers with a word."""

    @portal.gate.require(Level.MFA, max_age=timedelta(minutes=10))
    def bank() -> str:
        return PLAIN.format(title=escape(f"Saved {request.form['iban']}")) if request.method == "POST" else BANK

    portal.app.view_functions["bank"] = bank


@dataclass
class Tab:
    """A person's browser window; records what the browser complains about."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self.complain(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda failed: self.complaints.append(f"failed: {failed.url} {failed.failure}"))

    def complain(self, kind: str, text: str) -> None:
        # 401, 422 and the like are answers that people get; the browser calls them errors
        if kind in ("error", "warning") and "Failed to load resource" not in text:
            self.complaints.append(text)

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            self.page.fill(f"main [name={name}], body > form [name={name}]", value)

    def press(self, within: str = "main form, body > form") -> None:
        with self.page.expect_navigation():
            self.page.locator(within).locator("button[type=submit], button").first.click()
        assert self.overflow() <= 0, f"{self.page.url} is wider than its window"

    def overflow(self) -> int:
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    @property
    def heading(self) -> str:
        return (self.page.locator("h1").text_content() or "").strip()

    @property
    def lang(self) -> str:
        return str(self.page.locator("html").get_attribute("lang"))

    def sign_in(self, name: str = "anne") -> None:
        self.fill(email=name, password=f"pw-{name}")
        self.press()


def tab_in(chromium: Chromium, served: Served, **options: Any) -> Tab:
    usual = {"locale": "fr-FR", "viewport": {"width": 1200, "height": 800}}
    return Tab(page_in(chromium, **{**usual, **options}), served.url)


def tab_after_password(chromium: Chromium, served: Served, **options: Any) -> Tab:
    """A fresh tab, where anne has signed in as far as the password goes."""
    tab = tab_in(chromium, served, **options)
    tab.open("/")
    tab.sign_in()
    return tab


def read_qr(tab: Tab, folder: Path) -> str:
    """The text of the QR code on the page, as a phone's camera would see it."""
    picture = folder / "qr.png"
    tab.page.locator(".mfa-qr").screenshot(path=picture)
    read = subprocess.run(["zbarimg", "--quiet", "--raw", picture], capture_output=True, text=True, check=True)
    return read.stdout.strip()


def oathtool(uri: str, clock: Clock) -> str:
    """The code of this moment, by a program that has nothing of ours."""
    secret = re.search("secret=([A-Z2-7]+)", uri)
    assert secret is not None
    now = datetime.fromtimestamp(clock(), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    command = ["oathtool", "--totp", "--base32", "--now", now, secret.group(1)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


WALKS = [
    pytest.param("fr", 1200, True, "light", id="French, wide, with script", marks=pytest.mark.world),
    pytest.param("fr", 360, False, "dark", id="French, narrow, without script, dark", marks=pytest.mark.world),
    pytest.param("fr", 360, True, "light", id="French, narrow, with script"),
    pytest.param("en", 360, True, "light", id="English, narrow, with script"),
    pytest.param("en", 1200, False, "dark", id="English, wide, without script, dark"),
]


@pytest.mark.parametrize(("language", "width", "script", "scheme"), WALKS)
def test_the_whole_way_from_the_letter_to_signing_out(
    chromium: Chromium, served: Served, tmp_path: Path, language: str, width: int, script: bool, scheme: str
) -> None:
    portal = served.portal
    portal.people["anne"] = Account("anne", "Anne Martin", "anne@portal.example", locale=language)
    viewport = {"width": width, "height": 740}
    tab = tab_in(chromium, served, viewport=viewport, java_script_enabled=script, color_scheme=scheme)
    walk = Walk(tab, portal, language)
    walk.activates(portal.activation_code())
    uri = walk.enrols(tmp_path)
    walk.signs_out()
    portal.clock.advance(30)
    walk.signs_in(uri)
    walk.steps_up(uri)
    assert tab.complaints == []


@dataclass
class Walk:
    """What one person does, and sees, step by step."""

    tab: Tab
    portal: Portal
    language: str

    def sees(self, page: str) -> None:
        assert (self.tab.heading, self.tab.lang) == (WORDS[self.language][page], self.language)

    def activates(self, code: str) -> None:
        """The page that was wanted waits behind it."""
        self.tab.open("/patients/17?tab=rights")
        self.tab.sign_in()
        self.sees("activate")
        self.tab.fill(code="0000-0000-0000-0000")
        self.tab.press()
        assert self.tab.page.locator("[role=alert]").is_visible()
        self.tab.fill(code=code.lower().replace("-", " "))
        self.tab.press()

    def enrols(self, folder: Path) -> str:
        """The picture is read as a camera reads it, and the codes come from another program."""
        self.sees("start")
        self.tab.press()
        self.sees("scan")
        uri = read_qr(self.tab, folder)
        assert uri == self.tab.page.locator("a[href^='otpauth:']").get_attribute("href")
        key = "".join((self.tab.page.locator(".mfa-key").text_content() or "").split())
        assert f"secret={key}&" in uri
        complete = "form:has([name=action][value=complete])"
        self.tab.fill(code="000000")
        self.tab.press(complete)
        self.sees("retype")
        self.tab.fill(code=oathtool(uri, self.portal.clock), label="Téléphone")
        self.tab.press(complete)
        self.sees("codes")
        assert self.tab.page.locator(".mfa-codes code").count() == 10
        with self.tab.page.expect_navigation():
            self.tab.page.locator(".mfa-onward a").click()
        assert self.tab.heading == "Record 17"
        assert self.tab.page.url == f"{self.tab.url}/patients/17?tab=rights"
        return uri

    def signs_out(self) -> None:
        self.tab.open("/mfa/sign-out")
        self.sees("leave")
        self.tab.press()
        self.sees("left")
        self.tab.open("/patients/18")
        assert self.tab.heading == "Login"

    def signs_in(self, uri: str) -> None:
        self.tab.sign_in()
        self.sees("challenge")
        self.tab.fill(code="000000")
        self.tab.press()
        assert self.tab.page.locator("[role=alert]").is_visible()
        self.tab.fill(code=oathtool(uri, self.portal.clock))
        self.tab.press()
        self.sees("news")
        assert self.tab.page.locator("main li").count() >= 3
        self.tab.press()
        assert self.tab.heading == "Record 18"

    def steps_up(self, uri: str) -> None:
        """A form that was opened in time is not lost."""
        self.tab.open("/bank")
        self.tab.fill(iban="FR76 3000 & <co>", holder="Officine")
        self.portal.clock.advance(601)
        self.tab.press()
        self.sees("step_up")
        assert "FR76" not in self.tab.page.content()
        self.tab.fill(code=oathtool(uri, self.portal.clock))
        self.tab.press()
        self.sees("resume")
        self.tab.press()
        assert self.tab.heading == "Saved FR76 3000 & <co>"


def test_a_policy_that_is_broken_would_be_heard(chromium: Chromium, served: Served) -> None:
    """The walk above listens to the right thing: an inline script on a page of the gate is refused, and said so."""
    tab = tab_in(chromium, served)
    tab.open("/mfa/sign-out")
    with tab.page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        tab.page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))"
        )
    assert tab.page.evaluate("window.ran") is None
    assert [text for text in tab.complaints if "Content Security Policy" in text]


@pytest.mark.abuse("A51")
def test_a_page_of_the_gate_cannot_be_framed(chromium: Chromium, served: Served) -> None:
    tab = tab_in(chromium, served)
    served.portal.app.view_functions["public"] = served.portal.gate.public(
        lambda: '<!doctype html><title>x</title><iframe src="/mfa/sign-out"></iframe>'
    )
    tab.open("/open")
    frames = [frame for frame in tab.page.frames if frame.parent_frame is not None]
    assert len(frames) == 1
    assert "Anne" not in frames[0].content()
    assert frames[0].locator("form").count() == 0
    assert frames[0].url.startswith("chrome-error:")


@pytest.mark.abuse("A50")
def test_another_site_cannot_post_with_the_persons_cookie(chromium: Chromium, served: Served) -> None:
    """Another port of this machine is the same site to a browser, so the Lax cookie is sent; the origin is not ours."""
    secret = served.portal.enrolled()
    tab = tab_after_password(chromium, served)
    evil = FORM.format(title="Evil", fields=f'<input name="code" value="{served.portal.code(secret)}">')
    page = evil.replace("<form", f'<form action="{served.url}/mfa/challenge"')
    with listening(html_app(page)) as port:
        tab.page.goto(f"http://localhost:{port}/")
        tab.press()
        assert "csrf" in (tab.page.locator("code").text_content() or "")
    tab.open("/")
    assert tab.page.url == f"{served.url}/mfa/challenge"


@pytest.mark.abuse("A22")
def test_an_image_of_a_guarded_page_does_not_become_the_wanted_page(chromium: Chromium, served: Served) -> None:
    """What a browser really sends for images, scripts and fetches beside the page that the person goes to."""
    secret = served.portal.enrolled()
    served.portal.app.view_functions["login_page"] = served.portal.gate.public(
        lambda: f'{LOGIN}<img src="/patients/66"><link rel="prefetch" href="/patients/67">{FETCH}'
    )
    tab = tab_in(chromium, served)
    with ExitStack() as answered:
        for number in (66, 67, 68):
            end = f"/patients/{number}"
            answered.enter_context(tab.page.expect_response(lambda answer, end=end: answer.url.endswith(end)))
        tab.open("/patients/17")
    tab.sign_in()
    tab.fill(code=served.portal.code(secret))
    tab.press()
    assert tab.page.url == f"{served.url}/patients/17"


def test_the_back_button_after_signing_out_shows_nothing(chromium: Chromium, served: Served) -> None:
    secret = served.portal.enrolled()
    tab = tab_in(chromium, served)
    tab.open("/patients/17")
    tab.sign_in()
    tab.fill(code=served.portal.code(secret))
    tab.press()
    assert tab.heading == "Record 17"
    tab.open("/mfa/sign-out")
    tab.press()
    tab.page.go_back()
    tab.page.go_back()
    assert tab.heading == "Login"


def test_a_second_tab_of_the_same_sign_in_keeps_working(chromium: Chromium, served: Served) -> None:
    secret = served.portal.enrolled()
    tab = tab_after_password(chromium, served)
    second = Tab(tab.page.context.new_page(), served.url)
    second.open("/mfa/challenge")
    tab.fill(code=served.portal.code(secret))
    tab.press()
    served.portal.clock.advance(30)
    second.fill(code=served.portal.code(secret))
    second.press()
    assert second.heading == "Home"


def test_a_page_is_usable_by_keyboard_alone(chromium: Chromium, served: Served) -> None:
    """The code field has the focus; Enter sends it; each stop of Tab is seen."""
    secret = served.portal.enrolled()
    tab = tab_after_password(chromium, served)
    tab.page.wait_for_function("document.activeElement.name === 'code'")
    tab.page.keyboard.press("Tab")
    outline = tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    tab.page.keyboard.press("Shift+Tab")
    assert tab.page.evaluate("document.activeElement.name") == "code"
    tab.page.keyboard.type(served.portal.code(secret))
    with tab.page.expect_navigation():
        tab.page.keyboard.press("Enter")
    assert tab.heading == "Home"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_buttons_stand_out_in_both_themes(chromium: Chromium, served: Served, scheme: str) -> None:
    """WCAG 2.2 contrast: 4.5 for text against what is behind it, on a page with a lead, hints and an alert."""
    served.portal.enrolled()
    tab = tab_after_password(chromium, served, color_scheme=scheme)
    tab.fill(code="000000")
    tab.press()
    ratios = tab.page.evaluate(CONTRASTS)
    assert len(ratios) > 10
    assert {what: ratio for what, ratio in ratios.items() if ratio < 4.5} == {}


def test_nothing_is_asked_of_another_host(chromium: Chromium, served: Served) -> None:
    tab = tab_in(chromium, served)
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    served.portal.activation_code()
    tab.open("/")
    tab.sign_in()
    assert len(asked) > 2
    assert [url for url in asked if not url.startswith((served.url, "data:"))] == []


CONTRASTS = """() => {
  const light = ([r, g, b]) => { const f = c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
    return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  const found = {};
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    found[e.tagName + ': ' + e.textContent.trim().slice(0, 30)] = (a + .05) / (b + .05);
  }
  return found;
}"""
