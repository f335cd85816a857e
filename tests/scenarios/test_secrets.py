"""Secrets leave once, in the one no-store answer that hands them over (A27)."""

from __future__ import annotations

import base64
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from tests.support.portal import JSON, PAGE, Browser, Portal, hidden
from tests.support.statements import passing_through
from tests.support.web import dump, engine_of, everything_logged

PASSWORD = "canary-password-7f3a"


@dataclass
class Heard:
    """Everything that left: answers in their order, and log lines."""

    answers: list[TestResponse] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def holding(self, secret: str) -> list[TestResponse]:
        """The answers that hold a secret, in any shape of it."""
        return [answer for answer in self.answers if found(secret, answer.text) or found(secret, headers_of(answer))]

    def only(self, secret: str) -> TestResponse:
        """The one answer that hands a secret over."""
        holding = self.holding(secret)
        assert len(holding) == 1, [answer.request.path for answer in holding]
        return holding[0]


def headers_of(answer: TestResponse) -> str:
    return "\n".join(f"{name}: {value}" for name, value in answer.headers)


def shapes(secret: str) -> set[str]:
    """A secret as it is, in groups, and as encodings write it."""
    raw = secret.encode()
    shown = {secret, quote(secret), raw.hex(), base64.b64encode(raw).decode().rstrip("="), secret.replace("-", "")}
    if re.fullmatch("[A-Z2-7]{32}", secret):
        seed = base64.b32decode(secret)
        shown |= {seed.hex(), base64.b64encode(seed).decode().rstrip("="), repr(seed)[2:-1]}
        shown |= {base64.urlsafe_b64encode(seed).decode().rstrip("=")}
    return shown


def found(secret: str, text: str) -> bool:
    bare = re.sub(r"<[^>]*>|[\s-]", "", text)
    return any(shape in text or re.sub(r"[\s-]", "", shape) in bare for shape in shapes(secret))


@contextmanager
def listening(portal: Portal, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Iterator[Heard]:
    heard = Heard()
    real = browser.client.open

    def heard_open(*args: Any, **kwargs: Any) -> TestResponse:
        answer = real(*args, **kwargs)
        heard.answers.append(answer)
        return answer

    monkeypatch.setattr(browser.client, "open", heard_open)
    portal.passwords["anne"] = PASSWORD
    with everything_logged() as lines:
        heard.lines = lines
        yield heard


def assert_kept(heard: Heard, portal: Portal, *secrets: str) -> None:
    """In no log line and nowhere in the store."""
    dumped = dump(portal)
    for secret in secrets:
        assert not found(secret, dumped), "in the store"
        assert not [line for line in heard.lines if found(secret, line)], "in a log line"


def through_every_page(portal: Portal, browser: Browser) -> dict[str, str]:
    """First enrolment by pages, with every mistake on the way, sign-out, sign-in, step-up; the secrets of it."""
    activation = portal.activation_code()
    browser.get("/patients/1")
    browser.post("/login", {"email": "anne", "password": "canary-wrong-91c2"})
    browser.password()
    browser.get("/mfa/challenge")
    browser.step("activate", code="0000-1111-2222-3333")
    browser.post("/mfa/activate", {"code": activation})  # forged: no token
    browser.step("activate", code=activation)
    scan = browser.step("enrol", action="begin")
    uri = re.search(r'href="(otpauth:[^"]+)"', scan.text)
    assert uri is not None
    secret = re.findall("secret=([A-Z2-7]{32})", uri.group(1))[0]
    enrolment = hidden(scan, "enrolment")
    browser.step("enrol", action="complete", enrolment=enrolment, code="000000")
    confirming = portal.code(secret)
    browser.step("enrol", action="complete", enrolment=enrolment, code=confirming)
    for path in ("/", "/mfa/challenge", "/mfa/enrol", "/mfa/activate", "/open", "/mfa/sign-out"):
        browser.get(path)
        browser.get(path, headers=JSON)
    browser.step("sign-out")
    portal.clock.advance(30)
    browser.password()
    browser.step("challenge", code=confirming)
    used = portal.code(secret)
    browser.step("challenge", code=used)
    portal.clock.advance(601)
    sealed = hidden(browser.post("/bank", {"iban": "canary-iban-55d0"}), "sealed_form")
    again = portal.code(secret)
    browser.step("challenge", code=again, sealed_form=sealed)
    return {"activation": activation, "secret": secret, "used": used, "again": again, "confirming": confirming}


@pytest.mark.abuse("A27")
def test_the_seed_is_handed_over_in_one_answer_that_is_not_stored(
    portal: Portal, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(portal, browser, monkeypatch) as heard:
        secrets = through_every_page(portal, browser)
    handed_over = heard.only(secrets["secret"])
    assert handed_over.headers["Cache-Control"] == "no-store"
    assert not found(secrets["secret"], headers_of(handed_over))
    assert_kept(heard, portal, secrets["secret"])


@pytest.mark.abuse("A27")
def test_a_program_gets_the_seed_in_one_answer_too(
    portal: Portal, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(portal, browser, monkeypatch) as heard:
        browser.activate()
        begun = browser.begin_enrolment()
        wrong = {"enrolment": begun["enrolment"], "code": "000000"}
        browser.api("POST", "totp/enrol/complete", wrong)
        browser.api("POST", "totp/enrol/complete", {**wrong, "code": portal.code(begun["secret"])})
        browser.api("GET", "session")
        browser.api("POST", "totp/enrol/begin")
    handed_over = heard.only(begun["secret"])
    assert handed_over.headers["Cache-Control"] == "no-store"
    assert_kept(heard, portal, begun["secret"])


@pytest.mark.abuse("A27")
def test_what_people_type_never_comes_back(portal: Portal, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(portal, browser, monkeypatch) as heard:
        secrets = through_every_page(portal, browser)
    typed = [PASSWORD, "canary-wrong-91c2", secrets["activation"], "0000-1111-2222-3333"]
    codes = [secrets["used"], secrets["again"], secrets["confirming"]]
    for secret in typed:
        assert heard.holding(secret) == []
    for code in codes:
        assert not [answer for answer in heard.answers if re.search(rf"(?<![0-9a-f.]){code}(?![0-9a-f.])", answer.text)]
        assert not [line for line in heard.lines if re.search(rf"(?<!\d){code}(?!\d)", line)]
    assert_kept(heard, portal, *typed)


@pytest.mark.abuse("A27")
def test_the_kept_form_is_nowhere_but_in_the_persons_browser(
    portal: Portal, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(portal, browser, monkeypatch) as heard:
        through_every_page(portal, browser)
    resume = heard.only("canary-iban-55d0")
    assert resume is heard.answers[-1]
    assert resume.headers["Cache-Control"] == "no-store"
    assert_kept(heard, portal, "canary-iban-55d0")


@pytest.mark.abuse("A27")
def test_the_session_is_told_in_its_cookie_alone(
    portal: Portal, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(portal, browser, monkeypatch) as heard:
        through_every_page(portal, browser)
        last = browser.gate_cookie
    assert last is not None
    cookies = {last}
    for answer in heard.answers:
        for header in answer.headers.getlist("Set-Cookie"):
            name, _, value = header.partition(";")[0].partition("=")
            if name.startswith("__Host-mfa") and not name.endswith("-to") and value:
                cookies.add(value)
    assert len(cookies) == 8  # password, activation, enrolment; password, code, step-up; a known device twice
    for cookie in cookies:
        token = cookie.rpartition(".")[0].rpartition(".")[2]  # without the signature, and the name of the sign-in
        assert not [answer for answer in heard.answers if token in answer.text or token in (answer.location or "")]
        assert_kept(heard, portal, token)


@pytest.mark.abuse("A27")
@pytest.mark.abuse("A32")
def test_the_pending_state_holds_no_password(portal: Portal, browser: Browser) -> None:
    """Neither the store nor a cookie, in any encoding."""
    portal.passwords["anne"] = PASSWORD
    portal.enrolled()
    browser.password()
    assert not found(PASSWORD, dump(portal))
    for cookie in browser.client._cookies.values():
        value = cookie.value
        assert not found(PASSWORD, value)
        for part in value.split("."):
            decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) if len(part) % 4 != 1 else b""
            assert PASSWORD.encode() not in decoded


@pytest.mark.abuse("A27")
@pytest.mark.parametrize("accept", [PAGE, JSON], ids=["page", "program"])
@pytest.mark.parametrize(
    "table", ["mfa_authenticators", "mfa_totp_seeds", "mfa_events", "mfa_sessions", "mfa_counters"]
)
def test_a_store_that_fails_in_the_middle_tells_no_secret(
    portal: Portal, browser: Browser, monkeypatch: pytest.MonkeyPatch, table: str, accept: dict[str, str]
) -> None:
    """The database's own error, which quotes what it was given, goes neither out nor into the log."""
    with listening(portal, browser, monkeypatch) as heard:
        activation = portal.activation_code()
        browser.password()
        browser.step("activate", code=activation)
        begun = browser.begin_enrolment()
        token, code = browser.token, portal.code(begun["secret"])
        said = len(heard.answers)
        with refusing_to_write(portal, table):
            fields = {"enrolment": begun["enrolment"], "code": code, "csrf_token": token}
            sent = {**fields, "action": "complete"} if accept is PAGE else fields
            answer = browser.post("/mfa/enrol", sent, headers=accept)
    assert answer.status_code == 503
    for secret in (activation, begun["secret"], PASSWORD):
        assert not [late for late in heard.answers[said:] if found(secret, late.text)]
    assert "INSERT" not in answer.text
    assert "mfa_" not in answer.text.replace("mfa_gate", "")
    assert_kept(heard, portal, activation, begun["secret"], PASSWORD)
    assert not [line for line in heard.lines if re.search(rf"(?<!\d){code}(?!\d)", line)]


@contextmanager
def refusing_to_write(portal: Portal, table: str) -> Iterator[None]:
    def spoil(statement: str) -> str:
        writes = re.match(rf"\s*(INSERT INTO|UPDATE|DELETE FROM) {table}\b", statement)
        return statement.replace(table, f"{table}_gone", 1) if writes else statement

    with passing_through(engine_of(portal), spoil):
        yield


@pytest.mark.abuse("A27")
def test_an_exception_in_the_portals_callback_shows_no_secret(
    portal: Portal, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_account: Any) -> None:
        raise RuntimeError("the portal's session could not be opened")

    with listening(portal, browser, monkeypatch) as heard:
        browser.activate()
        begun = browser.begin_enrolment()
        portal.gate.portal.signed_in = broken
        answer = browser.confirm(begun)
    assert answer.status_code == 503
    assert "could not be opened" not in answer.text
    assert [line for line in heard.lines if "could not be opened" in line]
    assert_kept(heard, portal, begun["secret"])
    assert len(heard.holding(begun["secret"])) == 1


def test_what_is_handed_over_hides_itself_where_it_is_printed(portal: Portal) -> None:
    """A debugger, or a traceback that shows locals, prints objects by their repr."""
    parts = portal.app.extensions["mfa_gate"]
    with portal.app.app_context():
        issued = parts.activation.issue("anne", "test")
    browser = portal.browser()
    browser.password()
    assert issued.code not in repr(issued)
    for thing in (parts.settings, parts.keyring, parts.services, parts):
        assert "A" * 43 not in repr(thing)


@pytest.mark.abuse("A27")
def test_a_wrong_key_is_never_quoted(make: Any) -> None:
    """Not in the sentence that stops the start, nor in its traceback."""
    for text in ("test1:" + "CANARY" * 6, "CANARY" * 8, "test1:CANARY!!"):
        with pytest.raises(Exception, match="MFA_GATE_KEYS") as stopped:
            make(MFA_GATE_KEYS=text)
        printed = "".join(traceback.format_exception(stopped.value))
        assert "CANARY" not in printed
