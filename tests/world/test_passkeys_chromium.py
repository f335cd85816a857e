"""Keys at the gate's own pages, by its own script, in Chromium: set up, used, and what is said when it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser as Chromium

from mfa_gate.testing import SoftwareKey
from tests.support.served import HOST, KEY_BUTTON, KEY_PROBLEM, LANGUAGES, NAMES, SAID, Serve, Served, Window, window_in
from tests.support.virtual_key import VirtualKey, enrolling, with_key

pytestmark = pytest.mark.browser

Later = Callable[[], None]


@pytest.fixture
def backend() -> str:
    return "sqlite"


# --- the whole way ---------------------------------------------------------------------------------------------------


@LANGUAGES
def test_the_whole_way_with_a_key(chromium: Chromium, serve: Serve, language: str) -> None:
    served = serve(MFA_GATE_METHODS=("webauthn", "totp", "recovery"))
    walk = Walk(window_in(chromium, served), served, language)
    key = VirtualKey(walk.window.page)
    walk.sets_up_a_key()
    assert len(key.credentials) == 1
    walk.signs_in()
    walk.steps_up()
    walk.sends_a_form_late()
    assert served.methods(NAMES[language]) == ["pop"]
    assert walk.window.complaints == []


class Walk:
    """What one person does with one key, and sees, step by step."""

    def __init__(self, window: Window, served: Served, language: str) -> None:
        self.window, self.served, self.language = window, served, language
        self.account = NAMES[language]

    def sees(self, page: str) -> None:
        assert (self.window.heading, self.window.lang) == (SAID[self.language][page], self.language)

    def sets_up_a_key(self) -> None:
        code = self.served.portal.activation_code(self.account)
        self.window.sign_in(self.account, "/patients/17")
        self.sees("activate")
        self.window.send("main form", code=code)
        self.sees("enrol")
        self.window.page.fill("form.mfa-webauthn [name=label]", "Clé bleue")
        self.window.use_key()
        self.sees("codes")
        assert len(set(self.window.page.locator(".mfa-codes code").all_inner_texts())) == 10
        self.window.press(".mfa-onward a")
        assert self.window.heading == "Record 17"

    def signs_in(self) -> None:
        self.window.sign_out()
        self.window.sign_in(self.account, "/patients/18")
        self.sees("challenge")
        self.window.use_key()
        assert self.window.heading == "Record 18"

    def steps_up(self) -> None:
        self.served.portal.clock.advance(601)
        self.window.open("/safe")
        self.sees("step_up")
        self.window.use_key()
        assert self.window.heading == "Safe"

    def sends_a_form_late(self) -> None:
        self.served.portal.clock.advance(601)
        self.window.send(note="n-4711")
        self.sees("step_up")
        assert "n-4711" not in self.window.page.content()
        self.window.use_key()
        self.sees("resume")
        self.window.press("main form button")
        assert self.window.heading == "Kept n-4711"


@pytest.mark.world
def test_a_second_key_is_set_up_beside_the_first_and_both_open(chromium: Chromium, served: Served) -> None:
    window, first = with_key(chromium, served)
    window.sign_in()
    window.use_key()
    first.touch(False)
    second = VirtualKey(window.page)
    served.portal.clock.advance(1)
    window.open("/mfa/authenticators")
    window.press("a[href='/mfa/enrol']")
    window.page.fill("form.mfa-webauthn [name=label]", "Second")
    window.use_key()
    assert window.heading == SAID["fr"]["own"]
    assert window.page.locator(".mfa-way h2").all_inner_texts() == ["test", "Second"]
    for used, unused in ((second, first), (first, second)):
        used.touch(True)
        unused.touch(False)
        window.sign_out()
        window.sign_in(path="/safe")
        window.use_key()
        assert window.heading == "Safe"


@pytest.mark.world
@pytest.mark.parametrize("residing", [True, False], ids=["keeps it by itself", "only seals it"])
def test_a_key_keeps_its_credential_by_itself_where_it_can(chromium: Chromium, served: Served, residing: bool) -> None:
    """The one that does names the account when it answers, and the name must be right; the other names nobody."""
    window = window_in(chromium, served)
    key = VirtualKey(window.page, hasResidentKey=residing)
    enrolling(window, served)
    window.use_key()
    assert [credential["isResidentCredential"] for credential in key.credentials] == [residing]
    window.sign_out()
    window.sign_in()
    with window.page.expect_request("**/mfa/challenge") as sent:
        window.use_key()
    answer = json.loads(parse_qs(sent.value.post_data or "")["answer"][0])
    assert ("userHandle" in answer["response"]) is residing
    assert window.heading == "Home"


# --- what is said when it does not work ------------------------------------------------------------------------------


Later = Callable[[], None]


def nobody_touches_it(window: Window, key: VirtualKey, served: Served) -> None:
    key.touch(False)


def its_user_is_not_recognised(window: Window, key: VirtualKey, served: Served) -> None:
    key.let_verify(False)


def it_is_somebody_elses(window: Window, key: VirtualKey, served: Served) -> None:
    key.unplug()
    other = SoftwareKey(served.url)
    other.make(HOST, b"somebody of this portal", b"")
    VirtualKey(window.page).take_over(other)


def the_line_is_cut(window: Window, key: VirtualKey, served: Served) -> None:
    window.page.context.set_offline(True)


Trouble = Callable[[Window, VirtualKey, Served], None]


@pytest.mark.parametrize(
    ("trouble", "said", "config"),
    [
        pytest.param(nobody_touches_it, "not confirmed", {}, id="nobody touches it"),
        pytest.param(it_is_somebody_elses, "not confirmed", {}, id="another person's key", marks=pytest.mark.world),
        pytest.param(
            its_user_is_not_recognised,
            "not confirmed",
            {"MFA_GATE_USER_VERIFICATION": "required"},
            id="finger not recognised",
            marks=pytest.mark.world,
        ),
        pytest.param(the_line_is_cut, "offline", {}, id="offline", marks=pytest.mark.world),
    ],
)
@pytest.mark.usefixtures("soon")
def test_a_sign_in_that_the_browser_gives_up_says_why_and_can_be_tried_again(
    chromium: Chromium, serve: Serve, trouble: Trouble, said: str, config: dict[str, Any]
) -> None:
    served = serve(**config)
    for language, account in NAMES.items():
        window, key = with_key(chromium, served, account)
        window.sign_in(account)
        trouble(window, key, served)
        assert window.refused_key() == SAID[language][said]
        assert window.page.evaluate("document.activeElement.matches('[role=alert][data-mfa-problem]')")
        assert window.page.locator(KEY_BUTTON).is_enabled()
        window.page.context.set_offline(False)
        assert window.state() == "pending"


@pytest.mark.parametrize(
    ("trouble", "said", "config"),
    [
        pytest.param(nobody_touches_it, "not set up", {}, id="nobody touches it"),
        pytest.param(
            its_user_is_not_recognised,
            "not set up",
            {"MFA_GATE_USER_VERIFICATION": "required"},
            id="finger not recognised",
            marks=pytest.mark.world,
        ),
        pytest.param(the_line_is_cut, "offline", {}, id="offline", marks=pytest.mark.world),
    ],
)
@pytest.mark.usefixtures("soon")
def test_a_set_up_that_the_browser_gives_up_says_why_and_adds_nothing(
    chromium: Chromium, serve: Serve, trouble: Trouble, said: str, config: dict[str, Any]
) -> None:
    served = serve(**config)
    for language, account in NAMES.items():
        window = window_in(chromium, served)
        key = VirtualKey(window.page)
        enrolling(window, served, account)
        trouble(window, key, served)
        assert window.refused_key() == SAID[language][said]
        assert window.page.locator(KEY_BUTTON).is_enabled()
        assert served.methods(account) == []


# whatever the form of the key says, with its button, each time that something of it changes
WATCHED = """() => {
  const form = document.querySelector("form.mfa-webauthn");
  const said = form.querySelector("[role=status]"), button = form.querySelector("button");
  window.seen = [];
  new MutationObserver(() => {
    window.seen.push([said.innerText.split(/\\s+/).join(" "), button.disabled, button.getAttribute("aria-busy")]);
  }).observe(form, {subtree: true, childList: true, characterData: true, attributes: true});
}"""


@pytest.mark.world
def test_while_the_key_is_waited_for_the_page_says_so_and_the_next_try_may_succeed(
    chromium: Chromium, served: Served, soon: Later
) -> None:
    window, key = with_key(chromium, served)
    window.sign_in()
    key.touch(False)
    window.page.evaluate(WATCHED)
    window.page.click(KEY_BUTTON)
    window.page.wait_for_selector(KEY_PROBLEM, state="visible")
    assert [SAID["fr"]["waiting"], True, "true"] in window.page.evaluate("window.seen")
    assert window.text("form.mfa-webauthn [role=status]") == ""
    assert window.page.locator(KEY_BUTTON).get_attribute("aria-busy") == "false"
    soon()  # a try that succeeds gets its time
    key.touch(True)
    window.use_key()
    assert window.heading == "Home"


@LANGUAGES
def test_a_key_is_not_set_up_twice(chromium: Chromium, served: Served, language: str) -> None:
    window, _ = with_key(chromium, served, NAMES[language])
    window.sign_in(NAMES[language])
    window.use_key()
    window.open("/mfa/enrol")
    assert window.refused_key() == SAID[language]["known"]
    assert served.methods(NAMES[language]) == ["pop"]


@LANGUAGES
@pytest.mark.parametrize("missing", ["window.PublicKeyCredential", "navigator.credentials"])
def test_a_browser_without_keys_says_so_and_the_app_still_opens(
    chromium: Chromium, served: Served, language: str, missing: str
) -> None:
    """Where `navigator.credentials` alone is missing it shows when the button is pressed."""
    _, secret = served.key_and_app(NAMES[language])
    window = window_in(chromium, served)
    owner, _, name = missing.rpartition(".")
    window.page.add_init_script(f"Object.defineProperty({owner}, '{name}', {{value: undefined}})")
    window.sign_in(NAMES[language])
    if window.page.locator(KEY_BUTTON).is_visible():
        window.page.click(KEY_BUTTON)
    window.page.wait_for_selector(KEY_PROBLEM, state="visible")
    assert window.text(KEY_PROBLEM) == SAID[language]["cannot"]
    window.send("form:has(#code)", code=served.portal.code(secret))
    assert window.heading == "Home"


@pytest.mark.parametrize(("spoken", "language"), [("fr-FR", "fr"), ("en-GB", "en")])
def test_who_has_no_language_at_the_portal_reads_that_of_the_browser(
    chromium: Chromium, served: Served, soon: Later, spoken: str, language: str
) -> None:
    """Of the page, of what the script says, and of what the server says to the script."""
    window = window_in(chromium, served, locale=spoken)
    key = VirtualKey(window.page)
    key.take_over(served.key("zoe"))
    window.sign_in("zoe")
    assert window.heading == SAID[language]["challenge"]
    key.touch(False)
    assert window.refused_key() == SAID[language]["not confirmed"]
    soon()  # a try that succeeds gets its time
    key.touch(True)
    key.override(isBogusSignature=True)
    window.use_key()
    assert window.text("#problem") == SAID[language]["refused"]
    served.portal.sql("DELETE FROM mfa_webauthn_credentials")
    assert window.refused_key() == SAID[language]["does not fit"]


def test_a_button_whose_session_is_over_leads_to_the_login(chromium: Chromium, served: Served) -> None:
    window, _ = with_key(chromium, served)
    window.sign_in()
    with served.portal.app.app_context():
        served.portal.gate.end_sessions("anne")
    window.use_key()
    assert window.heading == "Login"


@pytest.mark.world
def test_a_set_up_whose_proof_has_grown_old_leads_over_a_new_proof_back_to_it(
    chromium: Chromium, served: Served
) -> None:
    window, key = with_key(chromium, served)
    window.sign_in()
    window.use_key()
    window.open("/mfa/enrol")
    served.portal.clock.advance(301)
    window.use_key()
    assert window.heading == SAID["fr"]["step_up"]
    window.use_key()
    assert window.page.url.endswith("/mfa/enrol")
    assert len(key.credentials) == 1
