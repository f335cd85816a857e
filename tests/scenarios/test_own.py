"""What an owner sees of the own authenticators, and their names: on the page and for programs."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.html_page import Page
from tests.support.owners import authenticators, by_app, by_key, enrol, everything, id_of, said, with_codes
from tests.support.portal import BASE_URL, Browser, Portal, hidden

AGE = 300  # seconds that a proof lets its session change authenticators
SQLITE = pytest.mark.parametrize("backend", ["sqlite"])


def listed(browser: Browser) -> dict[str, Any]:
    """What the API lists, by method."""
    answer = browser.api("GET", "authenticators")
    assert answer.status_code == 200
    return {one["method"]: one for one in answer.json["authenticators"]}


# --- listed ----------------------------------------------------------------------------------------------------------


def test_a_program_sees_each_authenticator_by_its_documented_fields(portal: Portal) -> None:
    began = portal.clock()
    secret, key = enrol(portal, "app", "key")
    with_codes(portal)
    portal.clock.advance(3600)
    by_app(portal, secret)
    browser = by_key(portal, key)
    answer = browser.api("GET", "authenticators")
    assert set(answer.json) == {"authenticators", "recovery_codes_left"}
    assert answer.json["recovery_codes_left"] == 2
    used = portal.clock() // 30 * 30
    assert listed(browser) == {
        "totp": {
            "id": id_of(portal, "otp"),
            "method": "totp",
            "level": "MFA",
            "label": "My app",
            "created_at": began,
            "last_used_at": used,
            "renew": False,
        },
        "webauthn": {
            "id": id_of(portal, "pop"),
            "method": "webauthn",
            "level": "PHISHING_RESISTANT",
            "label": "My key",
            "created_at": began,
            "last_used_at": portal.clock(),
            "renew": False,
        },
    }


def test_the_page_lists_each_authenticator_with_what_can_be_done_to_it(portal: Portal) -> None:
    _, key = enrol(portal, "app", "key")
    with_codes(portal)
    answer = by_key(portal, key).get("/mfa/authenticators")
    page = Page(answer.text)
    assert answer.status_code == 200
    assert [" ".join(heading.split()) for heading in page.texts["h2"][:2]] in (
        ["My app", "My key"],
        ["My key", "My app"],
    )
    sent = [(field["name"], field["value"]) for field in page.of("input") if field["type"] == "hidden"]
    for id_, _, _ in authenticators(portal):
        assert sent.count(("id", id_)) == 2
    assert sent.count(("action", "rename")) == sent.count(("action", "remove")) == 2
    assert sent.count(("action", "renew")) == 1
    assert "2 codes de secours" in page.visible


def test_nobody_sees_what_another_account_has_enrolled(portal: Portal) -> None:
    (secret,) = enrol(portal, "app")
    enrol(portal, "app", "key", account="bob")
    browser = by_app(portal, secret)
    assert [one["id"] for one in browser.api("GET", "authenticators").json["authenticators"]] == [id_of(portal, "otp")]
    page = browser.get("/mfa/authenticators").text
    assert not [id_ for id_, _, _ in authenticators(portal, "bob") if id_ in page]


def test_no_answer_about_an_authenticator_holds_its_secret(portal: Portal) -> None:
    secret, key = enrol(portal, "app", "key")
    (seed,) = portal.sql("SELECT seed FROM mfa_totp_seeds")
    (stored,) = portal.sql("SELECT public_key, binding FROM mfa_webauthn_credentials")
    browser = by_key(portal, key)
    answers = [
        browser.api("GET", "authenticators"),
        browser.get("/mfa/authenticators"),
        browser.api("PATCH", f"authenticators/{id_of(portal, 'otp')}", {"label": "Phone"}),
    ]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        for kept in (secret, seed.seed, stored.public_key, stored.binding):
            assert kept not in answer.text


# --- added -----------------------------------------------------------------------------------------------------------


def test_an_owner_with_a_key_adds_an_app_on_the_page(portal: Portal) -> None:
    (key,) = enrol(portal, "key")
    with_codes(portal)
    browser = by_key(portal, key)
    assert "/mfa/enrol" in browser.get("/mfa/authenticators").text
    scan = browser.step("enrol", action="begin")
    secret = re.search("secret=([A-Z2-7]{32})", scan.text).group(1)  # type: ignore[union-attr]
    fields = {"enrolment": hidden(scan, "enrolment"), "code": portal.code(secret), "label": "Phone"}
    done = browser.step("enrol", action="complete", **fields)
    assert (done.status_code, done.location) == (303, f"{BASE_URL}/mfa/authenticators")
    assert sorted(label for _, _, label in authenticators(portal)) == ["My key", "Phone"]
    assert "Phone" in browser.get("/mfa/authenticators").text
    assert browser.state == "signed_in"
    assert portal.opened == ["anne"]  # the portal's session was open already


# --- renamed ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", ["the page", "the API"])
def test_a_new_name_is_shown_from_then_on(portal: Portal, over: str) -> None:
    (key,) = enrol(portal, "key")
    browser, id_ = by_key(portal, key), id_of(portal, "pop")
    if over == "the page":
        answer = browser.step("authenticators", action="rename", id=id_, label="Clé bleue")
        assert (answer.status_code, answer.location) == (303, f"{BASE_URL}/mfa/authenticators")
    else:
        answer = browser.api("PATCH", f"authenticators/{id_}", {"label": "Clé bleue"})
        assert answer.status_code == 200
        assert answer.json == browser.api("GET", "authenticators").json
    assert listed(browser)["webauthn"]["label"] == "Clé bleue"
    assert "Clé bleue" in browser.get("/mfa/authenticators").text
    assert portal.events()[-1] == ("authenticator_renamed", "success", None)


LABELS = {
    "markup": ("<script>alert(1)</script>\"'&", "<script>alert(1)</script>\"'&"),
    "bidi": ("\u202eyek\u202c \u2066x\u2069\u200f", "yek x"),
    "control": ("a\r\nb\x00c\x1b[31m\x7f\x85", "abc[31m"),
    "zero width": ("a\u200bb\ufeffc\u2028d", "abcd"),
    "lone surrogate": ("key\ud800", "key"),
    "around": ("   key \t", "key"),
    "empty": ("", ""),
    "nothing visible": ("\u200b\u202e \n", ""),
    "other scripts": ("我的钥匙 ключ 🔑", "我的钥匙 ключ 🔑"),
    "sixty": ("k" * 60, "k" * 60),
}


@SQLITE
@pytest.mark.parametrize("given", ["renamed over the API", "renamed on the page", "enrolled"])
@pytest.mark.parametrize("case", LABELS)
@pytest.mark.abuse("A51")
def test_a_name_is_one_visible_line_and_inert(portal: Portal, case: str, given: str) -> None:
    typed, kept = LABELS[case]
    if case == "lone surrogate" and given == "renamed on the page":
        typed = typed.encode("utf-8", "surrogatepass").decode("utf-8", "replace")  # what a form can carry
        kept = typed
    (key,) = enrol(portal, "key")
    with_codes(portal)
    browser, id_ = by_key(portal, key), id_of(portal, "pop")
    if given == "enrolled":
        assert browser.add_key(label=typed).status_code == 200
        (id_,) = [other for other, _, _ in authenticators(portal) if other != id_]
    elif given == "renamed on the page":
        assert browser.step("authenticators", action="rename", id=id_, label=typed).status_code == 303
    else:
        assert browser.api("PATCH", f"authenticators/{id_}", {"label": typed}).status_code == 200
    assert (id_, "pop", kept) in authenticators(portal)
    page = browser.get("/mfa/authenticators").text
    assert "<script>alert" not in page
    Page(page)  # every element closed
    assert f"<bdi>{html.escape(kept).replace('&#x27;', '&#39;').replace('&quot;', '&#34;')}</bdi>" in page or not kept


def test_without_a_name_the_page_says_what_it_is(portal: Portal) -> None:
    (key,) = enrol(portal, "key")
    browser = by_key(portal, key)
    browser.step("authenticators", action="rename", id=id_of(portal, "pop"), label="")
    assert Page(browser.get("/mfa/authenticators").text).texts["h2"][0].strip() == "Clé de sécurité ou appareil"


@SQLITE
@pytest.mark.parametrize("given", ["renamed over the API", "renamed on the page", "key enrolled", "app enrolled"])
@pytest.mark.parametrize("length", [61, 10_000])
def test_a_name_that_is_too_long_is_refused_and_nothing_is_changed(portal: Portal, length: int, given: str) -> None:
    (key,) = enrol(portal, "key")
    browser, before = by_key(portal, key), everything(portal)
    if given == "key enrolled":
        answer = browser.add_key(label="k" * length)
    elif given == "app enrolled":
        begun = browser.begin_enrolment()
        body = {"enrolment": begun["enrolment"], "code": portal.code(begun["secret"]), "label": "k" * length}
        answer = browser.api("POST", "totp/enrol/complete", body)
    elif given == "renamed on the page":
        answer = browser.step("authenticators", action="rename", id=id_of(portal, "pop"), label="k" * length)
        assert 'role="alert"' in answer.text
    else:
        answer = browser.api("PATCH", f"authenticators/{id_of(portal, 'pop')}", {"label": "k" * length})
    assert answer.status_code == 400
    assert everything(portal) == before


@SQLITE
@pytest.mark.parametrize("label", [None, 1, ["x"], {"x": "y"}, True])
def test_a_name_is_a_text(portal: Portal, label: Any) -> None:
    (key,) = enrol(portal, "key")
    browser, before = by_key(portal, key), everything(portal)
    assert said(browser.api("PATCH", f"authenticators/{id_of(portal, 'pop')}", {"label": label}))[0] == 400
    assert everything(portal) == before


@SQLITE
@pytest.mark.parametrize("over", ["the page", "the API"])
def test_a_rename_that_brings_no_name_is_refused_and_the_old_one_stays(portal: Portal, over: str) -> None:
    """An empty name is one, and says that there shall be none; no name at all is a mistake."""
    (key,) = enrol(portal, "key")
    browser, id_ = by_key(portal, key), id_of(portal, "pop")
    if over == "the page":
        answer = browser.step("authenticators", action="rename", id=id_)
    else:
        answer = browser.api("PATCH", f"authenticators/{id_}", {})
    assert answer.status_code == 400
    assert authenticators(portal) == [(id_, "pop", "My key")]


# --- another's id, and what is none ----------------------------------------------------------------------------------


def by_api(path: str) -> Callable[[Browser, str], Any]:
    method = "PATCH" if path == "rename" else "DELETE"
    return lambda browser, id_: browser.api(
        method, f"authenticators/{id_}", {"label": "Mine now"} if path == "rename" else None
    )


@pytest.mark.abuse("A8")
@pytest.mark.parametrize("action", ["rename", "remove"])
def test_the_id_of_another_accounts_authenticator_is_unknown_here(portal: Portal, action: str) -> None:
    _, key = enrol(portal, "app", "key")
    enrol(portal, "app", "key", account="bob")
    browser = by_key(portal, key)
    before = everything(portal), everything(portal, "bob")
    for method in ("otp", "pop"):
        others = id_of(portal, method, "bob")
        assert said(by_api(action)(browser, others)) == (404, "not_found")
        page = browser.step("authenticators", action=action, id=others, label="Mine now")
        assert page.status_code == 404
        assert others not in page.text
    assert (everything(portal), everything(portal, "bob")) == before


NO_IDS = ["0" * 32, "x", "0", "' OR 1=1 --", "%", "*", "\ufeff", "钥匙", "a\x00b", "..", "f" * 120, "0" * 10_000]


@SQLITE
@pytest.mark.parametrize("action", ["rename", "remove"])
@pytest.mark.parametrize("id_", NO_IDS, ids=lambda id_: ascii(id_[:12]))
def test_an_unknown_or_malformed_id_changes_nothing(portal: Portal, id_: str, action: str) -> None:
    _, key = enrol(portal, "app", "key")
    browser, before = by_key(portal, key), everything(portal)
    assert by_api(action)(browser, quote(id_, safe="")).status_code == 404
    page = browser.step("authenticators", action=action, id=id_, label="Mine now")
    assert page.status_code in (400, 404)
    assert everything(portal) == before
    assert browser.state == "signed_in"


@SQLITE
@pytest.mark.parametrize("fields", [{}, {"action": ""}, {"action": "drop"}, {"action": "remove"}, {"action": "rename"}])
def test_a_form_that_says_nothing_clear_changes_nothing(portal: Portal, fields: dict[str, str]) -> None:
    _, key = enrol(portal, "app", "key")
    browser, before = by_key(portal, key), everything(portal)
    answer = browser.step("authenticators", **fields)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert everything(portal) == before
