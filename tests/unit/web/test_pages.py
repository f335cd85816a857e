"""The pages: whole without script, under a strict policy, never framed or stored, and free of what people typed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from mfa_gate import Account
from tests.support.html_page import Page
from tests.support.pages import PAGES, retype, scan, show
from tests.support.portal import BASE_URL, JSON, Browser, Portal, hidden
from tests.support.web import dump, everything_logged


@pytest.fixture
def backend() -> str:
    """What stands on a page does not hang on the kind of the store."""
    return "sqlite"


every_page = pytest.mark.parametrize("name", PAGES)


@every_page
def test_a_page_is_whole(portal: Portal, browser: Browser, name: str) -> None:
    """Its language, one heading that its title begins with, a label for every field."""
    answer = show(name, portal, browser)
    page = Page(answer.text)
    assert page.of("html") == [{"lang": "fr"}]
    assert len(page.of("h1")) == len(page.of("main")) == 1
    title, heading = page.texts["title"][0], page.texts["h1"][0].strip()
    assert heading
    assert heading in title
    assert title.endswith(" – Portail")
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.of("meta")
    labelled = {label["for"] for label in page.of("label")}
    for field in page.of("input"):
        assert field.get("type") == "hidden" or field["id"] in labelled
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for reference in (attributes.get("aria-describedby") or "").split():
            assert reference in ids


@every_page
@pytest.mark.abuse("A51")
def test_a_page_is_neither_framed_nor_stored_nor_sniffed(portal: Portal, browser: Browser, name: str) -> None:
    headers = show(name, portal, browser).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    assert policy.get("frame-ancestors") == "'none'"
    assert headers.get("X-Frame-Options") == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


@every_page
@pytest.mark.abuse("A51")
def test_a_page_keeps_to_default_src_self_without_exceptions(portal: Portal, browser: Browser, name: str) -> None:
    answer = show(name, portal, browser)
    policy = answer.headers["Content-Security-Policy"]
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert directives.get("default-src") == "'self'"
    assert set(directives.values()) <= {"'self'", "'none'"}
    page = Page(answer.text)
    assert_only_our_script(page)
    assert not page.of("style")
    assert not page.of("base")
    for _, attributes in page.elements:
        assert "style" not in attributes
        assert not [attribute for attribute in attributes if attribute.startswith("on")]
    links = [
        value
        for _, attributes in page.elements
        for key, value in attributes.items()
        if key in ("href", "src", "action")
    ]
    for link in links:
        assert link is not None
        own = link.startswith(f"{BASE_URL}/") or (link.startswith(("/", "#")) and not link.startswith("//"))
        assert own or link.startswith("otpauth://")


def assert_only_our_script(page: Page) -> None:
    """The one module, from a file, and nothing between its tags."""
    assert len(page.of("script")) <= 1
    for script in page.of("script"):
        assert script == {"type": "module", "src": "/mfa/static/mfa_gate.js"}
    assert not "".join(page.texts.get("script", []))


@pytest.mark.abuse("A51")
def test_refusals_and_json_carry_the_same_headers(portal: Portal, browser: Browser) -> None:
    answers = [
        browser.get("/patients/1"),
        browser.get("/patients/1", headers=JSON),
        browser.get("/mfa/api/v1/session", headers=JSON),
        browser.open("POST", "/mfa/api/v1/totp/verify", json={}, headers=JSON),
        browser.password(),
        browser.post("/mfa/challenge", {}),
    ]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers.get("X-Frame-Options") == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert {"Accept", "Accept-Language", "Cookie"} <= set(answer.vary)


def test_the_stylesheet_is_there_and_may_be_cached(portal: Portal, browser: Browser) -> None:
    link = Page(browser.get("/mfa/sign-out").text).of("link")[0]
    answer = browser.get(str(link["href"]))
    assert answer.status_code == 200
    assert answer.mimetype == "text/css"
    assert not re.search(r"url\(|@import|https?:", answer.text)
    assert "Set-Cookie" not in answer.headers


# --- each stands where its reader stands -----------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["challenge", "activate", "enrol"])
def test_a_page_sends_whoever_stands_elsewhere_on(portal: Portal, browser: Browser, step: str) -> None:
    def goes_to(browser: Browser) -> str:
        return browser.get(f"/mfa/{step}").location or step

    assert goes_to(browser) == f"{BASE_URL}/login"
    portal.activation_code()
    browser.password()
    assert goes_to(browser) in ("activate", f"{BASE_URL}/mfa/activate")
    browser.activate()
    assert goes_to(browser) in ("enrol", f"{BASE_URL}/mfa/enrol")
    begun = browser.begin_enrolment()
    browser.step("enrol", action="complete", enrolment=begun["enrolment"], code=portal.code(begun["secret"]))
    assert goes_to(browser) == step  # signed in: each of them changes or proves something more
    browser.step("sign-out")
    browser.password()
    assert goes_to(browser) in ("challenge", f"{BASE_URL}/mfa/challenge")


@pytest.mark.parametrize("name", ["enrolment, wrong code", "enrolment, gone"])
def test_picture_and_key_are_shown_once(portal: Portal, browser: Browser, name: str) -> None:
    answer = show(name, portal, browser)
    assert "<svg" not in answer.text
    assert "otpauth:" not in answer.text
    assert "<svg" not in browser.get("/mfa/enrol").text


def test_the_label_that_was_typed_is_still_there_after_a_wrong_code(portal: Portal, browser: Browser) -> None:
    page = Page(retype(portal, browser).text)
    assert [field["value"] for field in page.of("input") if field.get("name") == "label"] == ["Phone"]


def test_a_wait_is_told_in_words(portal: Portal, browser: Browser) -> None:
    answer = show("challenge, too many", portal, browser)
    assert answer.headers["Retry-After"] == "5"
    assert "dans 5\N{NO-BREAK SPACE}secondes." in answer.text


# --- made one's own --------------------------------------------------------------------------------------------------


def test_a_template_of_the_portal_replaces_ours(portal: Portal, browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "mfa_gate"
    folder.mkdir(parents=True)
    (folder / "signed_out.html").write_text("bye from {{ service }} in {{ locale }}")
    portal.app.template_folder = str(tmp_path / "templates")
    assert browser.get("/mfa/sign-out").text == "bye from Portail in fr"
    assert browser.get("/mfa/sign-out").headers["X-Frame-Options"] == "DENY"
    browser.password()
    assert "<h1>" in browser.get("/mfa/activate").text


def test_a_base_template_of_the_portal_frames_every_page(portal: Portal, browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "mfa_gate"
    folder.mkdir(parents=True)
    (folder / "base.html").write_text("OUR FRAME {% block title %}{% endblock %} {% block content %}{% endblock %}")
    portal.app.template_folder = str(tmp_path / "templates")
    browser.password()
    answer = browser.get("/mfa/activate")
    assert answer.text.startswith("OUR FRAME")
    assert 'name="code"' in answer.text


def test_stylesheet_support_and_name_come_from_the_settings(make: Any) -> None:
    portal = make(
        MFA_GATE_STYLESHEET="/static/ours.css",
        MFA_GATE_SUPPORT="Call 01 99 00 12 34 <now>",
        MFA_GATE_NAME="Portail <Officine>",
    )
    page = Page(portal.browser().get("/mfa/sign-out").text)
    sheets = [link["href"] for link in page.of("link") if link.get("rel") == "stylesheet"]
    assert sheets[1:] == ["/static/ours.css"]
    assert sheets[0] is not None
    assert sheets[0].startswith("/mfa/static/")
    assert "Call 01 99 00 12 34 <now>" in page.visible
    assert page.texts["title"][0].endswith("Portail <Officine>")


def test_pages_live_under_another_prefix_and_script_root(make: Any) -> None:
    portal = make(MFA_GATE_BASE_URL="https://portal.example/pro", MFA_GATE_URL_PREFIX="/second-factor")
    portal.enrolled()
    client = portal.app.test_client()
    base = {"base_url": "https://portal.example/pro", "headers": {"Accept": "text/html"}}
    sent = client.post("/login", data={"email": "anne", "password": "pw-anne"}, **base)
    assert sent.location == "https://portal.example/pro/second-factor/challenge"
    page = Page(client.get("/second-factor/challenge", **base).text)
    assert page.of("form")[0]["action"] == "/pro/second-factor/challenge"
    assert str(page.of("link")[0]["href"]).startswith("/pro/second-factor/static/")


def test_a_portal_without_a_login_view_of_ours_is_told_from_the_settings(make: Any) -> None:
    portal = make(MFA_GATE_LOGIN_URL="/connexion")
    assert portal.browser().get("/patients/1").location == f"{BASE_URL}/connexion"


# --- what people typed -----------------------------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"' onfocus=alert(1) x='"
CRLF = "a\r\nSet-Cookie: evil=1\r\n\r\n<h1>evil"
BIDI = "\u202eelpmaxe\u2066\u200f\u2069abc"


@pytest.mark.abuse("A51")
@pytest.mark.parametrize("text", [HOSTILE, CRLF, BIDI], ids=["markup", "line ends", "bidi"])
@every_page
def test_a_name_is_inert_on_every_page(portal: Portal, browser: Browser, name: str, text: str) -> None:
    portal.people["anne"] = Account("anne", text, None, locale="fr")
    answer = show(name, portal, browser)
    assert_inert(answer)


def assert_inert(answer: TestResponse) -> None:
    page = Page(answer.text)
    assert_only_our_script(page)
    assert not page.of("img")
    assert "evil" not in page.texts["h1"][0]
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]
    assert "evil=1" not in str(answer.headers)
    for _, value in answer.headers:
        assert "\r" not in value
        assert "\n" not in value


@pytest.mark.abuse("A51")
@pytest.mark.parametrize("text", [HOSTILE[:60], CRLF, BIDI], ids=["markup", "line ends", "bidi"])
def test_a_label_is_inert_where_it_is_shown_stored_and_logged(portal: Portal, browser: Browser, text: str) -> None:
    enrolment = hidden(scan(portal, browser), "enrolment")
    with everything_logged() as lines:
        shown = browser.step("enrol", action="complete", enrolment=enrolment, code="000000", label=text)
        assert_inert(shown)
        begun = browser.begin_enrolment()
        sent = {"enrolment": begun["enrolment"], "code": portal.code(begun["secret"]), "label": text}
        assert browser.step("enrol", action="complete", **sent).status_code == 200
        assert_inert(browser.get("/mfa/authenticators"))
    dumped = dump(portal)
    for character in "\r\n\u202e\u2066\u2069\u200f":
        assert character not in dumped.replace("\\u202e", "\u202e")
        assert repr(character)[1:-1] not in dumped
        assert not [line for line in lines if character in line]


@pytest.mark.abuse("A51")
def test_user_agent_and_other_headers_are_shown_and_stored_nowhere(portal: Portal, browser: Browser) -> None:
    headers = {
        "User-Agent": f"UA-CANARY{HOSTILE}",
        "Accept-Language": f"x-LANG-CANARY{HOSTILE}",
        "Referer": "//REF-CANARY",
    }
    portal.enrolled()
    with everything_logged() as lines:
        fields = {"email": "anne", "password": "pw-anne"}
        answers = [
            browser.get("/patients/1", headers=headers),
            browser.post("/login", fields, headers=headers),
            browser.get("/mfa/challenge", headers=headers),
            browser.post("/mfa/challenge", {"csrf_token": browser.token, "code": "1"}, headers=headers),
            browser.post("/mfa/challenge", {}, headers=headers),
        ]
    for place in [*(answer.text + str(answer.headers) for answer in answers), *lines, dump(portal)]:
        assert "CANARY" not in place


@pytest.mark.abuse("A51")
@pytest.mark.parametrize("text", [HOSTILE, "a:b/c", "a%0d%0ab", BIDI], ids=["markup", "separators", "encoded", "bidi"])
def test_the_name_in_the_authenticator_app_is_one_label(portal: Portal, browser: Browser, text: str) -> None:
    portal.people["anne"] = Account("anne", text, None, locale="fr")
    browser.activate()
    uri = browser.begin_enrolment()["uri"]
    assert re.fullmatch(r"otpauth://totp/Portail:[^/:?#\s<>\"']*\?[A-Za-z0-9=&%+._-]*", uri), uri
