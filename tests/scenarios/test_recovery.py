"""Recovery codes over HTTP: shown once, kept as hashes, each spent once, and never worth more than a code of an app."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest

from mfa_gate.factors import recovery as factor
from mfa_gate.testing import SoftwareKey
from tests.support.html_page import Page
from tests.support.owners import (
    GROUPED,
    by_code,
    by_key,
    client_at_login,
    codes_of,
    enrol,
    recovery_hashes,
    said,
    try_code,
    with_codes,
)
from tests.support.portal import BASE_URL, JSON, Browser, MakePortal, Portal, hidden
from tests.support.web import dump, everything_logged

SQLITE = pytest.mark.parametrize("backend", ["sqlite"])
WRONG = (422, "wrong_code")


# --- shown once ------------------------------------------------------------------------------------------------------


def enrol_first(portal: Portal, browser: Browser, over: str, kind: str) -> tuple[Any, list[str], Any]:
    """The account's first enrolment by every step; the last answer, the codes it tells, what was enrolled."""
    browser.activate()
    if over == "the API" and kind == "app":
        begun = browser.begin_enrolment()
        answer = browser.confirm(begun)
        return answer, answer.json["recovery_codes"], begun["secret"]
    if over == "the API":
        key = SoftwareKey(BASE_URL)
        answer = browser.add_key(key)
        return answer, answer.json["recovery_codes"], key
    if kind == "app":
        scan = browser.step("enrol", action="begin")
        secret = re.search("secret=([A-Z2-7]{32})", scan.text).group(1)  # type: ignore[union-attr]
        fields = {"enrolment": hidden(scan, "enrolment"), "code": portal.code(secret)}
        answer = browser.step("enrol", action="complete", **fields)
        return answer, codes_of(answer), secret
    key = SoftwareKey(BASE_URL)
    made = key.register(browser.api("POST", "webauthn/enrol/begin").json)
    answer = browser.step("enrol", action="webauthn", answer=json.dumps(made), label="Key")
    return answer, codes_of(answer), key


@pytest.mark.parametrize("kind", ["app", "key"])
@pytest.mark.parametrize("over", ["the page", "the API"])
def test_the_first_enrolment_tells_ten_codes_once(portal: Portal, browser: Browser, over: str, kind: str) -> None:
    answer, codes, _ = enrol_first(portal, browser, over, kind)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(codes) == len(set(codes)) == 10
    assert all(GROUPED.fullmatch(code) for code in codes)
    assert all(5 * len(code.replace("-", "")) >= 80 for code in codes)
    assert len(recovery_hashes(portal)) == 10
    assert browser.state == "signed_in"
    again = [
        *(browser.get(path) for path in ("/mfa/enrol", "/mfa/authenticators", "/mfa/challenge", "/", "/mfa/sign-out")),
        *(browser.api("GET", path) for path in ("session", "authenticators", "sessions")),
        browser.step("enrol", action="complete", enrolment="0" * 32, code="000000"),  # back, and sent again
        browser.add_key(),
    ]
    assert again[-1].status_code == 200  # the second one, in the same half hour
    for later in again:
        assert not [code for code in codes if code in later.text]
        assert not GROUPED.search(later.text)
        assert "recovery_codes" not in (later.json or {}) if later.is_json else True
    assert len(recovery_hashes(portal)) == 10


@SQLITE
def test_the_codes_are_in_no_store_log_or_event(portal: Portal, browser: Browser) -> None:
    with everything_logged() as lines:
        _, codes, _ = enrol_first(portal, browser, "the page", "app")
        renewed_by = browser  # the window of its activation code is open
        renewed = renewed_by.api("POST", "recovery/renew").json["codes"]
        other = client_at_login(portal)
        try_code(other, codes[0])
        try_code(other, renewed[0])
    dumped = dump(portal)
    for code in [*codes, *renewed]:
        for shape in (code, code.replace("-", ""), code.lower(), code.replace("-", "").lower()):
            assert shape not in dumped
            assert not [line for line in lines if shape in line]


@SQLITE
def test_the_page_lets_the_codes_be_saved_and_printed(portal: Portal, browser: Browser) -> None:
    """By buttons that the script switches on: a link would stay in the browser's list of downloads, codes and all."""
    answer, codes, _ = enrol_first(portal, browser, "the page", "app")
    page = Page(answer.text)
    buttons = [each for each in page.of("button") if {"data-mfa-save", "data-mfa-print"} & set(each)]
    assert [each.get("data-mfa-save") for each in buttons] == [None, "codes-de-secours-Portail.txt"]
    for button in buttons:
        assert button["type"] == "button"
        assert "hidden" in button
    assert page.of("script")
    assert [answer.text.count(code) for code in codes] == [1] * 10
    assert not [link for link in page.of("a") if "download" in link or not str(link["href"]).startswith(("/", "http"))]


@SQLITE
def test_the_page_of_the_first_codes_leads_on_to_what_was_wanted(portal: Portal, browser: Browser) -> None:
    code = portal.activation_code()
    browser.get("/patients/1?tab=2")
    browser.password()
    browser.step("activate", code=code)
    scan = browser.step("enrol", action="begin")
    secret = re.search("secret=([A-Z2-7]{32})", scan.text).group(1)  # type: ignore[union-attr]
    fields = {"enrolment": hidden(scan, "enrolment"), "code": portal.code(secret)}
    page = Page(browser.step("enrol", action="complete", **fields).text)
    links = [link["href"] for link in page.of("a")]
    assert f"{BASE_URL}/patients/1?tab=2" in links
    assert "/mfa/enrol" in links  # a second way, in the same half hour


def test_a_portal_without_recovery_codes_tells_none(make: MakePortal) -> None:
    portal = make(MFA_GATE_METHODS=["totp", "webauthn"])
    browser = portal.browser()
    browser.activate()
    begun = browser.begin_enrolment()
    assert "recovery_codes" not in browser.confirm(begun).json
    assert recovery_hashes(portal) == []
    for path in ("recovery/verify", "recovery/renew"):
        assert said(browser.api("POST", path, {"code": "x"} if path.endswith("verify") else None)) == (404, "not_found")
    assert browser.step("authenticators", action="renew").status_code == 404
    assert 'value="renew"' not in browser.get("/mfa/authenticators").text


@SQLITE
def test_codes_that_are_drawn_as_the_half_hour_ends_are_told_all_the_same(
    portal: Portal, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authenticator stands there by then, and drawing takes a second."""
    real = factor.begin

    def slow() -> factor.Codes:
        portal.clock.advance(1)
        return real()

    monkeypatch.setattr(factor, "begin", slow)
    browser.activate()
    begun = browser.begin_enrolment()
    portal.clock.advance(1799)
    answer = browser.confirm(begun)
    assert answer.status_code == 200
    assert len(answer.json["recovery_codes"]) == 10


# --- kept as hashes --------------------------------------------------------------------------------------------------


@pytest.mark.full_cost
@SQLITE
def test_a_set_is_kept_as_scrypt_hashes_under_one_salt_of_its_own(portal: Portal) -> None:
    """The hash worked out here once more, from the parameters that the row names."""
    enrol(portal, "app")
    enrol(portal, "app", account="bob")
    codes = {account: with_codes(portal, account) for account in ("anne", "bob")}
    salts = dict(portal.sql("SELECT account_id, salt FROM mfa_recovery_sets"))
    assert salts["anne"] != salts["bob"]
    for account, own in codes.items():
        salt = bytes.fromhex(salts[account])
        assert len(salt) >= 16
        made = []
        for code in own:
            plain = code.replace("-", "").encode()
            digest = hashlib.scrypt(plain, salt=salt, n=2**15, r=8, p=1, maxmem=2**26, dklen=32)
            made.append(f"scrypt-15-8-1.{digest.hex()}")
        assert recovery_hashes(portal, account) == sorted(made)


@pytest.fixture
def computations(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What scrypt was asked for, in its order."""
    asked: list[bytes] = []
    real = hashlib.scrypt

    def counted(password: bytes, **parameters: Any) -> bytes:
        asked.append(password)
        return real(password, **parameters)

    monkeypatch.setattr(factor.hashlib, "scrypt", counted)
    return asked


TYPED = ["0000-0000-0000-0000", "x", "0" * 128, "U" * 16, "ключ", "\ufeff", "000000", "%", "a b c d", "spent", "right"]


@SQLITE
@pytest.mark.parametrize("left", [10, 1])
@pytest.mark.parametrize("typed", TYPED)
def test_one_computation_per_try_whatever_is_typed_and_however_many_are_left(
    portal: Portal, computations: list[bytes], typed: str, left: int
) -> None:
    enrol(portal, "app")
    codes = with_codes(portal, count=left + 1)
    spent = codes[left]
    by_code(portal, spent)
    typed = {"spent": spent, "right": codes[0]}.get(typed, typed)
    browser = client_at_login(portal)
    computations.clear()
    assert try_code(browser, typed) == ((200, None) if typed == codes[0] else WRONG)
    assert len(computations) == 1


@pytest.mark.full_cost
@SQLITE
def test_the_cost_of_a_try_is_32_mebibytes(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    real = hashlib.scrypt

    def noted(plain: bytes, **how: Any) -> bytes:
        asked.append(how)
        return real(plain, **how)

    enrol(portal, "app")
    with_codes(portal)
    monkeypatch.setattr(factor.hashlib, "scrypt", noted)
    try_code(client_at_login(portal), "0000-0000-0000-0000")
    (how,) = asked
    assert 128 * how["n"] * how["r"] == 32 * 2**20


# --- typed -----------------------------------------------------------------------------------------------------------


READ = {
    "as printed": str,
    "small": str.lower,
    "no dashes": lambda code: code.replace("-", ""),
    "spaces": lambda code: code.replace("-", " "),
    "around": lambda code: f"  {code} \n",
    "en dash": lambda code: code.replace("-", "\u2013"),
    "no-break": lambda code: code.replace("-", "\u00a0"),
    "O and I": lambda code: code.replace("0", "O").replace("1", "I"),
    "o and l": lambda code: code.replace("0", "o").replace("1", "l"),
    "letter by letter": lambda code: "-".join(code.replace("-", "")),
}


@SQLITE
@pytest.mark.parametrize("over", ["the page", "the API"])
@pytest.mark.parametrize("read", READ)
def test_a_code_may_be_typed_in_any_readable_way(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, read: str, over: str
) -> None:
    monkeypatch.setattr("mfa_gate.crockford.new", lambda symbols: "01ABCDEFGHJKMNPQ"[:symbols])
    enrol(portal, "app")
    (code,) = with_codes(portal, count=1)
    browser, typed = client_at_login(portal), READ[read](code)
    if over == "the page":
        assert browser.step("challenge", method="recovery", code=typed).status_code == 303
    else:
        assert try_code(browser, typed) == (200, None)
    assert browser.state == "signed_in"


@pytest.mark.parametrize("over", ["the page", "the API"])
def test_each_code_is_good_once(portal: Portal, over: str) -> None:
    enrol(portal, "app")
    codes = with_codes(portal)
    for code in codes:
        by_code(portal, code)
        browser = client_at_login(portal)
        if over == "the page":
            again = browser.step("challenge", method="recovery", code=code)
            # with none left the page has no such way any more, and says what there is
            assert again.status_code == (303 if code == codes[-1] else 422)
        else:
            assert try_code(browser, code) == ((409, "wrong_state") if code == codes[-1] else WRONG)
        assert browser.state == "pending"
    assert recovery_hashes(portal) == []


@pytest.mark.abuse("A8")
def test_a_code_of_another_account_opens_nothing_and_stays_good_for_its_own(portal: Portal) -> None:
    enrol(portal, "app")
    enrol(portal, "app", account="bob")
    with_codes(portal)
    of_bob = with_codes(portal, "bob")
    assert try_code(client_at_login(portal), of_bob[0]) == WRONG
    assert by_code(portal, of_bob[0], "bob").state == "signed_in"


def test_a_wrong_code_says_so_in_its_own_place_on_the_page(portal: Portal) -> None:
    enrol(portal, "app")
    with_codes(portal)
    answer = client_at_login(portal).step("challenge", method="recovery", code="0000-0000-0000-0000")
    page = Page(answer.text)
    assert answer.status_code == 422
    (field,) = [each for each in page.of("input") if each.get("id") == "recovery"]
    assert field["aria-invalid"] == "true"
    assert [each for each in page.of("details") if "open" in each]
    assert "0000-0000" not in answer.text


# --- worth MFA, and never more ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("have", [("app",), ("key",), ("app", "key")], ids=["an app", "a key", "both"])
def test_a_code_gives_mfa_and_never_more(portal: Portal, have: tuple[str, ...]) -> None:
    enrol(portal, *have)
    (code, _) = with_codes(portal)
    browser = by_code(portal, code)
    session = browser.api("GET", "session").json
    assert (session["state"], session["level"], session["methods"]) == ("signed_in", "MFA", ["pwd", "recovery"])
    assert browser.get("/").text == "home of anne"
    assert browser.get("/bank").text == "bank form"
    assert browser.get("/safe", headers=JSON).status_code in (401, 403)
    assert browser.get("/safe").text != "safe form"
    assert portal.opened == ["anne"]


def test_a_code_refreshes_a_proof_for_a_view_at_mfa_and_for_no_surer_one(portal: Portal) -> None:
    (key,) = enrol(portal, "key")
    code, _ = with_codes(portal)
    browser = by_key(portal, key)
    portal.clock.advance(601)
    assert try_code(browser, code) == (200, None)
    assert browser.get("/bank").status_code == 200
    assert said(browser.get("/safe", headers=JSON)) == (401, "step_up_required")


# --- new ones, refused on the own page -------------------------------------------------------------------------------


def own_page_says(answer: Any) -> str:
    """What an answer says is wrong; it must be the own page, with what it lists and offers."""
    page = Page(answer.text)
    assert page.texts["h1"] == ["Vos téléphones, clés et appareils"]
    assert page.texts["title"][0].startswith("Erreur")
    assert page.texts["bdi"][-1] == "My key"
    assert [field for field in page.of("input") if field.get("value") == "renew"]
    (told,) = re.findall(r'<div [^>]*id="problem"[^>]*>(.*?)</div>', answer.text, re.DOTALL)
    return Page(f"<body>{told}</body>").visible


def test_the_eleventh_set_of_a_day_is_refused_on_the_own_page_with_its_wait(portal: Portal) -> None:
    (key,) = enrol(portal, "key")
    browser = by_key(portal, key)
    for _ in range(10):
        told = codes_of(browser.step("authenticators", action="renew"))
        assert len(told) == 10
    before = recovery_hashes(portal)
    refused = browser.step("authenticators", action="renew")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "86400"
    assert own_page_says(refused) == ("Trop d’essais. Vous pourrez réessayer dans 24 heures.")
    assert recovery_hashes(portal) == before  # the last ones that were shown still count
    assert codes_of(refused) == []


@SQLITE
def test_new_codes_that_another_tab_was_faster_with_are_refused_on_the_own_page(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = enrol(portal, "key")
    browser, other = by_key(portal, key), by_key(portal, key)
    told: list[str] = []
    really = factor.begin

    def overtaken() -> factor.Codes:
        monkeypatch.setattr(factor, "begin", really)
        told.extend(codes_of(other.step("authenticators", action="renew")))
        return really()

    monkeypatch.setattr(factor, "begin", overtaken)
    refused = browser.step("authenticators", action="renew")
    assert refused.status_code == 409
    assert "Retry-After" not in refused.headers
    sentence = "Cette étape n’est pas possible à ce stade. Veuillez continuer là où vous en êtes."
    assert own_page_says(refused) == sentence
    assert codes_of(refused) == []
    assert len(told) == 10
    assert try_code(client_at_login(portal), told[0]) == (200, None)
