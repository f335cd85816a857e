"""French and English: of the account first, then of the browser, and complete."""

from __future__ import annotations

import ast
import html
import re
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import demo_app
import mfa_gate
from mfa_gate import Account
from tests.support.html_page import Page
from tests.support.pages import PAGES, show
from tests.support.portal import BASE_URL, JSON, Browser, Portal

SOURCES = Path(mfa_gate.__file__).parent
DEMO = Path(demo_app.__file__).parent
FRENCH = SOURCES / "web" / "translations" / "fr" / "LC_MESSAGES" / "mfa_gate.po"
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
TEMPLATES = [
    file
    for folder in (SOURCES / "web" / "templates", DEMO / "templates")
    for file in sorted(folder.rglob("*"))
    if file.suffix in (".html", ".txt")
]
EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.S)
HIDDEN = re.compile(r"\{#.*?#\}|<style>.*?</style>|<!--.*?-->", re.S)
# no line begins with a double sign, and none ends with an opening quotation mark
BREAKS = re.compile(r"[^\u00a0\u202f»][!?;:»](?:\s|$)|«[^\u00a0\u202f]")


@pytest.fixture
def backend() -> str:
    """What stands on a page does not hang on the kind of the store."""
    return "sqlite"


def speaks(portal: Portal, browser: Browser, account_locale: str | None, wanted: str | None) -> str:
    portal.people["anne"] = Account("anne", "Anne Martin", None, locale=account_locale)
    browser.password()
    headers = {"Accept-Language": wanted} if wanted else {}
    return str(Page(browser.get("/mfa/activate", headers=headers).text).of("html")[0]["lang"])


@pytest.mark.parametrize(
    ("account_locale", "wanted", "spoken"),
    [
        ("fr", "en", "fr"),
        ("en", "fr", "en"),
        ("fr-CA", "en", "fr"),
        ("en_GB", "fr", "en"),
        ("FR", "en", "fr"),
        (None, "en", "en"),
        (None, "fr", "fr"),
        (None, "en-GB,en;q=0.9,fr;q=0.8", "en"),
        (None, "de,en;q=0.5,fr;q=0.3", "en"),
        (None, "de", "fr"),
        (None, None, "fr"),
        ("de", "en", "en"),
        ("de", None, "fr"),
        ("", "en", "en"),
        ("français", "en", "en"),
        (None, ";;;q=x,\x80", "fr"),
        (None, "*", "fr"),
    ],
)
def test_the_account_says_the_language_then_the_browser(
    portal: Portal, browser: Browser, account_locale: str | None, wanted: str | None, spoken: str
) -> None:
    assert speaks(portal, browser, account_locale, wanted) == spoken


def test_the_first_language_of_the_settings_is_the_default(make: Any) -> None:
    portal = make(MFA_GATE_LANGUAGES=["en", "fr"])
    assert speaks(portal, portal.browser(), None, None) == "en"
    assert speaks(portal, portal.browser(), None, "fr") == "fr"


def test_a_language_that_is_switched_off_is_not_spoken(make: Any) -> None:
    portal = make(MFA_GATE_LANGUAGES=["en"])
    assert speaks(portal, portal.browser(), "fr", "fr") == "en"


def test_a_program_is_answered_in_the_language_that_it_asks_for(portal: Portal, browser: Browser) -> None:
    said = [
        browser.get("/", headers={**JSON, "Accept-Language": language}).json["detail"]
        for language in ("fr", "en", "de")
    ]
    assert said == ["Veuillez vous connecter.", "Please sign in.", "Veuillez vous connecter."]


def test_codes_are_the_same_in_every_language(portal: Portal, browser: Browser) -> None:
    codes = {browser.get("/", headers={**JSON, "Accept-Language": language}).json["code"] for language in ("fr", "en")}
    assert codes == {"sign_in_required"}


@pytest.mark.parametrize("name", PAGES)
def test_no_page_mixes_its_languages(portal: Portal, browser: Browser, name: str) -> None:
    """The French page holds no sentence that is only English, and the other way round."""
    only_english = {message_id for message_id, french in sentences().items() if differs(message_id, french)}
    visible = Page(show(name, portal, browser).text).visible
    for sentence in only_english:
        assert not stands_in(sentence, visible), sentence


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_english_for_english_readers(portal: Portal, browser: Browser, name: str) -> None:
    portal.people["anne"] = Account("anne", "Anne Martin", None, locale="en")
    browser.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    page = Page(show(name, portal, browser).text)
    assert page.of("html") == [{"lang": "en"}]
    only_french = {french for message_id, french in sentences().items() if differs(message_id, french)}
    for sentence in only_french:
        assert not stands_in(sentence, page.visible), sentence


def sentences() -> dict[str, str]:
    with FRENCH.open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file) if message.id}


def differs(english: str, french: str) -> bool:
    return english.split() != french.split()


def stands_in(sentence: str, visible: str) -> bool:
    """Whether a sentence stands on a page, with any values."""
    pieces = [re.escape(piece) for piece in re.split(r"%\(\w+\)s", " ".join(sentence.split()))]
    # word by word, so that a short word is not found inside another one
    return len(sentence) > 3 and re.search(rf"(?<!\w){'.{1,40}?'.join(pieces)}(?!\w)", visible) is not None


# --- the catalogue ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def french() -> Catalog:
    with FRENCH.open("rb") as file:
        return read_po(file)


def used() -> dict[str, str]:
    """Every sentence of the sources, with the file that it stands in."""
    keywords = {"t": None, "N_": None, "_": None}
    found = extract_from_dir(SOURCES, METHODS, keywords=keywords)
    return {message: filename for filename, _, message, _, _ in found if isinstance(message, str)}


def test_every_sentence_of_the_sources_is_translated(french: Catalog) -> None:
    missing = [sentence for sentence in used() if sentence not in french or not french[sentence].string]
    assert missing == []


def test_no_translation_is_fuzzy_or_left_over(french: Catalog) -> None:
    assert [message.id for message in french if message.id and message.fuzzy] == []
    assert {message.id for message in french if message.id} - used().keys() == set()


def test_translations_keep_the_places_of_values(french: Catalog) -> None:
    for message in french:
        if message.id:
            places = [sorted(re.findall(r"%\(\w+\)s", str(text))) for text in (message.id, message.string)]
            assert places[0] == places[1], message.id


def test_french_has_its_spaces_before_signs(french: Catalog) -> None:
    """A no-break space before double signs, so that no line begins with one."""
    for message in french:
        if message.id:
            assert not BREAKS.search(str(message.string)), message.string
            assert "'" not in str(message.string), message.string


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_what_a_template_writes_itself_has_french_spaces_before_signs(file: Path) -> None:
    """The text that stands between expressions: it is French, or it stands in French pages too."""
    written = EXPRESSION.sub("0", HIDDEN.sub("", file.read_text(encoding="utf-8")))
    for line in html.unescape(re.sub(r"<[^>]*>", "\n", written)).splitlines():
        assert not BREAKS.search(line), line
        assert "'" not in line, line


def test_what_the_code_of_the_demo_says_has_french_spaces_before_signs() -> None:
    said = [
        node.value
        for file in sorted(DEMO.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search("[àâçéèêëîïôùûœ’]", node.value)
    ]
    assert len(said) > 30
    for text in said:
        assert not BREAKS.search(text), text


def test_every_refusal_has_a_sentence_in_both_languages(french: Catalog) -> None:
    from mfa_gate.exc import Refusal

    def below(kind: type[Refusal]) -> list[type[Refusal]]:
        return [kind, *(lower for child in kind.__subclasses__() for lower in below(child))]

    for kind in below(Refusal):
        assert kind.sentence.endswith(".")
        assert french[kind.sentence].string.endswith(".")
        assert re.fullmatch("[a-z_]+", kind.code)


def test_a_problem_document_and_a_page_say_the_same(portal: Portal, browser: Browser) -> None:
    portal.enrolled()
    browser.password()
    page = browser.step("challenge", code="000000")
    problem = browser.open(
        "POST",
        "/mfa/challenge",
        json={"code": "000000", "csrf_token": browser.token},
        headers={**JSON, "Origin": BASE_URL, "Accept-Language": "fr"},
    )
    assert problem.json["detail"] in page.text
