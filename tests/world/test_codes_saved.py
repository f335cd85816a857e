"""Recovery codes on the page that shows them once, in Chromium: saved as a file, printed, and nothing left behind."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Download, Page, Request

from mfa_gate.factors import recovery as factor
from tests.support.served import LANGUAGES, NAMES, SAID, Serve, Served, Window, window_in
from tests.support.virtual_key import VirtualKey, enrolling, with_key
from tests.support.waiting import NET

pytestmark = [pytest.mark.browser, pytest.mark.world]

SAVE, PRINT = "[data-mfa-save]", "[data-mfa-print]"
RENEW = "form:has([value=renew]) button"

# what stands in the file beside the codes, and how that is called
WORDS = {
    "fr": (
        "Codes de secours pour Portail",
        "Chaque code ouvre votre compte une fois, avec votre mot de passe, à la place de votre téléphone ou de votre "
        "clé. N’en donnez jamais un à personne.",
        "codes-de-secours-Portail.txt",
    ),
    "en": (
        "Recovery codes of Portail",
        "Each code opens your account once, with your password, in place of your phone or your key. Never give one to "
        "anyone.",
        "recovery-codes-Portail.txt",
    ),
}
# written down: what the page asks of the browser
WATCHED = """
window.asked = {made: [], let_go: [], printed: 0};
const {createObjectURL, revokeObjectURL} = URL;
URL.createObjectURL = (blob) => {
  const address = createObjectURL.call(URL, blob);
  window.asked.made.push(address);
  return address;
};
URL.revokeObjectURL = (address) => {
  window.asked.let_go.push(address);
  revokeObjectURL.call(URL, address);
};
window.print = () => { window.asked.printed += 1; };
"""
ADDRESSES = """() => [...document.querySelectorAll("*")].flatMap((each) => [...each.attributes])
  .map(({value}) => value.trim()).filter((value) => /^(data|blob|javascript):/i.test(value))"""


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def served(serve: Serve) -> Served:
    return serve(MFA_GATE_METHODS=("webauthn", "totp", "recovery"))


def first_codes(chromium: Chromium, served: Served, language: str) -> Window:
    """A window on the page that shows the first codes, as it comes after a key has been set up."""
    window = window_in(chromium, served)
    window.page.add_init_script(WATCHED)
    VirtualKey(window.page)
    enrolling(window, served, NAMES[language])
    window.use_key()
    assert (window.heading, window.lang) == (SAID[language]["codes"], language)
    return window


def renewed_codes(chromium: Chromium, served: Served, language: str) -> Window:
    """A window on the page that shows new codes in the place of others."""
    window = own_page(chromium, served, language)
    window.press(RENEW)
    assert (window.heading, window.lang) == (SAID[language]["codes"], language)
    return window


def own_page(chromium: Chromium, served: Served, language: str = "fr") -> Window:
    """A window on somebody's own page, a moment after their key, and unfolded where new codes are drawn."""
    window, _ = with_key(chromium, served, NAMES[language])
    window.page.add_init_script(WATCHED)
    window.sign_in(NAMES[language], "/mfa/authenticators")
    window.use_key()
    window.open("/mfa/authenticators")
    assert window.heading == SAID[language]["own"]
    window.page.click(f"details:has({RENEW}) summary")
    return window


SHOWN = {"the first codes": first_codes, "renewed codes": renewed_codes}
shown = pytest.mark.parametrize("kind", SHOWN)


def codes_on(page: Page) -> list[str]:
    codes = page.locator(".mfa-codes code").all_inner_texts()
    assert len(set(codes)) == len(codes) == factor.CODES
    return codes


def saved(window: Window) -> Download:
    with window.page.expect_download() as download:
        window.page.click(SAVE)
    return download.value


@LANGUAGES
@shown
def test_the_file_holds_the_ten_codes_with_their_heading_and_rule(
    chromium: Chromium, served: Served, kind: str, language: str
) -> None:
    window = SHOWN[kind](chromium, served, language)
    heading, rule, name = WORDS[language]
    download = saved(window)
    assert download.suggested_filename == name
    text = Path(download.path()).read_bytes().decode()
    assert text.rstrip("\r\n").split("\r\n") == [heading, *codes_on(window.page), rule]
    assert window.complaints == []


@shown
def test_the_file_is_made_in_memory_and_let_go(chromium: Chromium, served: Served, kind: str) -> None:
    """Browsers keep the address of a download in their list: it must be one that is worth nothing afterwards."""
    window = SHOWN[kind](chromium, served, "fr")
    address = saved(window).url
    assert address.startswith(f"blob:{served.url}/")
    window.page.wait_for_function("() => window.asked.let_go.length > 0")
    assert window.page.evaluate("window.asked.made") == window.page.evaluate("window.asked.let_go") == [address]


@shown
def test_the_codes_stand_on_the_page_once_and_in_no_address(chromium: Chromium, served: Served, kind: str) -> None:
    window, sent = SHOWN[kind](chromium, served, "fr"), list[str]()
    window.page.on("request", lambda request: sent.append(request.url))
    codes = codes_on(window.page)
    for _ in range(2):  # as it came, and after it was saved
        html = window.page.content()
        assert [html.count(code) for code in codes] == [1] * factor.CODES
        assert window.page.evaluate(ADDRESSES) == []
        assert saved(window)
    assert [address for address in sent if not address.startswith("blob:")] == []


def test_the_page_can_be_saved_more_than_once(chromium: Chromium, served: Served) -> None:
    window = first_codes(chromium, served, "fr")
    first, second = saved(window), saved(window)
    assert Path(first.path()).read_bytes() == Path(second.path()).read_bytes()
    assert window.heading == SAID["fr"]["codes"]


@LANGUAGES
def test_the_page_can_be_printed(chromium: Chromium, served: Served, language: str) -> None:
    window = first_codes(chromium, served, language)
    button = window.page.locator(PRINT)
    assert button.inner_text() == {"fr": "Imprimer", "en": "Print"}[language]
    button.click()
    assert window.page.evaluate("window.asked.printed") == 1


@LANGUAGES
def test_without_script_the_codes_are_there_and_no_button_that_does_nothing(
    chromium: Chromium, served: Served, language: str
) -> None:
    window = window_in(chromium, served, java_script_enabled=False)
    enrolling(window, served, NAMES[language])
    window.press("form:has([value=begin]) button")
    secret = "".join(window.text(".mfa-key").split())
    window.send("form:has([value=complete])", code=served.portal.code(secret))
    assert (window.heading, window.lang) == (SAID[language]["codes"], language)
    assert codes_on(window.page)
    for button in (SAVE, PRINT):
        assert window.page.locator(button).count() == 1
        assert not window.page.locator(button).is_visible()
    window.press(".mfa-onward a")
    assert window.heading == "Home"


# --- drawn once ------------------------------------------------------------------------------------------------------


def test_a_double_click_draws_new_codes_once(
    chromium: Chromium, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second request would make the codes worthless that the first one shows, or be refused in their place."""
    window, really = own_page(chromium, served), factor.begin
    begun, clicked = Event(), Event()

    def takes_until_clicked() -> factor.Codes:
        begun.set()
        clicked.wait(NET)
        return really()

    monkeypatch.setattr(factor, "begin", takes_until_clicked)
    sent: list[Request] = []
    window.page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    button = window.page.locator(RENEW).bounding_box()
    assert button
    middle = button["x"] + button["width"] / 2, button["y"] + button["height"] / 2
    try:
        window.page.mouse.click(*middle)
        assert begun.wait(NET)
        window.page.mouse.click(*middle)
    finally:
        clicked.set()
    window.page.wait_for_selector(".mfa-codes, .mfa-alert")
    assert window.heading == SAID["fr"]["codes"]
    assert codes_on(window.page)
    assert [request.url for request in sent] == [f"{served.url}/mfa/authenticators"]
    assert served.portal.events().count(("recovery_codes_renewed", "success", None)) == 1
