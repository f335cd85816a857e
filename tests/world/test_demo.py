"""The demo portal, as somebody who tries it out meets it: over HTTP, started as a program."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo_app import create_app, nir
from demo_app.accounts import provide
from mfa_gate.testing import SoftwareKey
from tests.support.answers import shape
from tests.support.demo import Demo, Http, lasting_code
from tests.support.statements import statements

GOOD_IBAN = "FR7630006000011234567890189"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo(tmp_path_factory.mktemp("demo"))
    yield running
    assert running.stop() == (0, "\nStopped.\n")


@pytest.fixture
def http(demo: Demo) -> Http:
    return Http(demo.url)


@pytest.fixture(scope="module")
def inside(demo: Demo) -> Http:
    """Somebody who is signed in: the account that is enrolled from the start, by the code of this moment."""
    http, account = Http(demo.url), demo.enrolled
    http.get("/patients?q=1")
    assert http.password(account).location == f"{demo.url}/mfa/challenge"
    answer = http.step("challenge", code=lasting_code(account["totp_secret"]))
    assert answer.status == 303, answer.text
    return http


@pytest.fixture(scope="module")
def with_key(demo: Demo) -> Http:
    """Somebody who has just set up a security key with the code of the letter."""
    http, account = Http(demo.url), demo.new[2]
    http.password(account)
    http.step("activate", code=account["activation_code"])
    token = http.get("/mfa/api/v1/session", Accept="application/json").json["csrf_token"]
    sent = {"Accept": "application/json", "Content_Type": "application/json", "X_MFA_CSRF": token, "Origin": demo.url}
    options = http.open("POST", "/mfa/api/v1/webauthn/enrol/begin", b"{}", **sent).json
    made = json.dumps(SoftwareKey(demo.url).register(options)).encode()
    assert http.open("POST", "/mfa/api/v1/webauthn/enrol/complete", made, **sent).json["session"]["account"]
    return http


def a_record(http: Http) -> str:
    found = re.search(r'href="/patients/(\w{15})"', http.get("/patients?q=martin").text)
    assert found is not None
    return found.group(1)


def test_accounts_are_written_for_scripts_and_for_nobody_else(demo: Demo) -> None:
    assert stat.S_IMODE(demo.accounts_file.stat().st_mode) == 0o600
    for account in demo.accounts:
        assert set(account) - {"totp_secret"} == {"email", "password", "account", "group", "activation_code"}
        assert account["email"].endswith(".example")
    assert len([account for account in demo.accounts if "totp_secret" in account]) == 1
    assert {"pharmacist", "doctor"} <= {account["group"] for account in demo.accounts}


def test_accounts_are_printed_for_people(demo: Demo) -> None:
    for account in demo.accounts:
        for value in account.values():
            assert value is None or value in demo.told


@pytest.mark.parametrize(
    "path", ["/", "/patients", "/patients?q=martin", "/patients/199010100100104", "/account/bank-details"]
)
def test_nothing_is_open_to_nobody(http: Http, path: str) -> None:
    answer = http.get(path)
    assert (answer.status, answer.location) == (303, f"{http.url}/login")
    assert http.get(path, Accept="application/json").json["code"] == "sign_in_required"


def test_a_leaked_password_opens_nothing(demo: Demo, http: Http) -> None:
    """The incident itself: the right password, and robots that try every way to a record."""
    assert http.password(demo.enrolled).location == f"{http.url}/mfa/challenge"
    for path in ("/", "/patients?q=martin", "/patients/199010100100104", "/account/bank-details"):
        answer = http.get(path)
        assert (answer.status, answer.location) == (303, f"{http.url}/mfa/challenge")
    assert http.post("/account/bank-details", {"iban": GOOD_IBAN, "holder": "Thief"}).status == 303
    assert http.get("/login").status == 200
    assert "Vous êtes connecté" not in http.get("/login").text


def test_a_leaked_password_enrols_nothing(demo: Demo, http: Http) -> None:
    assert http.password(demo.new[-1]).status == 303
    assert http.get("/mfa/challenge").location == f"{http.url}/mfa/activate"
    assert http.get("/mfa/enrol").location == f"{http.url}/mfa/activate"
    begun = http.step("enrol", action="begin")
    assert "otpauth:" not in begun.text
    assert begun.status in (303, 401, 403, 409)


def test_a_new_account_is_activated_enrolled_and_reads_a_record(demo: Demo, http: Http) -> None:
    account = demo.new[0]
    http.get("/patients?q=martin")
    http.password(account)
    assert http.step("activate", code=account["activation_code"]).location == f"{http.url}/mfa/enrol"
    scan = http.step("enrol", action="begin")
    secret = re.findall("secret=([A-Z2-7]{32})", scan.text)[0]
    fields = {"action": "complete", "enrolment": scan.hidden("enrolment"), "label": "Test"}
    done = http.step("enrol", code=lasting_code(secret), **fields)
    assert f'href="{http.url}/patients?q=martin"' in done.text
    number = a_record(http)
    assert nir.is_valid(number)
    page = http.get(f"/patients/{number}")
    assert page.status == 200
    assert nir.spaced(number) in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_bank_details_are_changed_by_who_has_just_used_a_key(with_key: Http) -> None:
    page = with_key.get("/account/bank-details")
    fields = {"csrf_token": page.hidden("csrf_token"), "iban": GOOD_IBAN, "holder": "Pharmacie"}
    assert with_key.post("/account/bank-details", fields).status == 302
    assert "••••" in with_key.get("/account/bank-details").text


def test_bank_details_are_not_open_to_a_code_of_the_phone(inside: Http) -> None:
    """A site that looks like the portal can pass such a code on."""
    answer = inside.get("/account/bank-details")
    assert answer.status == 403
    assert "<code>no_suitable_method</code>" in answer.text
    assert 'href="/mfa/authenticators"' in answer.text
    refused = inside.post("/account/bank-details", {"iban": GOOD_IBAN, "holder": "Thief"})
    assert refused.status == 403


def test_bank_details_that_are_wrong_get_a_sentence_beside_the_field(with_key: Http) -> None:
    token = with_key.get("/account/bank-details").hidden("csrf_token")
    answer = with_key.post("/account/bank-details", {"csrf_token": token, "iban": "FR76 1", "holder": ""})
    assert answer.status == 422
    assert answer.text.count('aria-invalid="true"') == 2


@pytest.mark.abuse("A50")
def test_bank_details_are_not_changed_from_another_site(with_key: Http) -> None:
    before = with_key.get("/account/bank-details").text
    for fields in ({}, {"csrf_token": ""}, {"csrf_token": "x"}, {"csrf_token": "é"}):
        answer = with_key.post("/account/bank-details", {**fields, "iban": GOOD_IBAN, "holder": "Evil"})
        assert answer.status == 400
        assert "rouvrez la page" in answer.text
    assert with_key.get("/account/bank-details").text == before


@pytest.mark.abuse("A50")
@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}]
)
def test_another_site_cannot_sign_a_person_in(demo: Demo, http: Http, headers: dict[str, str]) -> None:
    account = demo.enrolled
    fields = {"email": account["email"], "password": account["password"]}
    assert http.post("/login", fields, **headers).status in (400, 403)  # by the portal, or the gate before it
    assert not [cookie for cookie in http.jar if cookie.name.startswith("mfa-")]


@pytest.mark.abuse("A20")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/patients?q=%00", 400),
        ("GET", "/patients?q=" + "9" * 300, 400),
        ("GET", "/patients?q=martin&page=0", 400),
        ("GET", "/patients?q=martin&page=-1", 400),
        ("GET", "/patients?q=martin&page=1e9", 400),
        ("GET", "/patients?q=martin&page=%D9%A1", 400),
        ("GET", "/patients/0", 404),
        ("GET", "/patients/%00", 404),
        ("GET", "/patients/" + "1" * 5000, 404),
        ("GET", "/patients/..%2f..%2fsecret.key", 404),
        ("GET", "/static/../secret.key", 404),
        ("GET", "/nothing", 404),
        ("DELETE", "/patients", 405),
        ("PUT", "/account/bank-details", 405),
    ],
)
def test_senseless_requests_get_a_page_that_says_so(inside: Http, method: str, path: str, status: int) -> None:
    answer = inside.open(method, path)
    assert answer.status == status
    assert "<h1>" in answer.text
    assert "Traceback" not in answer.text


def test_a_form_that_is_too_large_is_refused(with_key: Http) -> None:
    answer = with_key.post("/account/bank-details", {"iban": "1" * 100_000})
    assert answer.status == 413


def test_signing_out_of_the_portal_ends_the_gates_session_too(demo: Demo) -> None:
    http, account = Http(demo.url), demo.new[1]
    http.password(account)
    http.step("activate", code=account["activation_code"])
    scan = http.step("enrol", action="begin")
    secret = re.findall("secret=([A-Z2-7]{32})", scan.text)[0]
    fields = {"action": "complete", "enrolment": scan.hidden("enrolment")}
    http.step("enrol", code=lasting_code(secret), **fields)
    thief = Http(demo.url)
    for cookie in http.jar:
        thief.jar.set_cookie(cookie)
    assert thief.get("/").status == 200
    token = http.get("/").hidden("csrf_token")
    assert http.post("/logout", {"csrf_token": token}).status == 302
    assert thief.get("/").status == 303
    assert http.get("/").status == 303


def test_every_page_says_that_its_persons_are_invented(http: Http, inside: Http) -> None:
    for answer in (http.get("/login"), inside.get("/"), inside.get("/patients?q=martin"), inside.get("/nothing")):
        assert "sont inventés" in answer.text


def test_its_own_pages_keep_to_the_same_policy(http: Http, inside: Http) -> None:
    for answer in (http.get("/login"), inside.get("/"), inside.get(f"/patients/{a_record(inside)}")):
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<script|<style| style=| on\w+=", answer.text)


def test_a_second_start_keeps_the_accounts_and_gives_nothing_out_again(tmp_path: Path) -> None:
    first = Demo(tmp_path, records=20)
    accounts = first.accounts
    first.stop()
    second = Demo(tmp_path, records=20)
    try:
        assert second.accounts == accounts
        for account in accounts:
            assert account["password"] not in second.told
        assert Http(second.url).password(accounts[0]).status in (303, 400)
    finally:
        second.stop()


# --- nothing tells whether a user is known ---------------------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path) -> Any:
    made = create_app(tmp_path / "instance", PORTAL_RECORDS=5, MFA_GATE_BASE_URL="http://localhost")
    made.config["ACCOUNTS"] = provide(made)
    return made


@pytest.mark.abuse("A26")
def test_known_and_unknown_addresses_cost_and_get_the_same(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enrolled, not enrolled and nobody: one key derivation, the same statements, the same page."""
    derived: list[Any] = []
    real = hashlib.scrypt
    monkeypatch.setattr(hashlib, "scrypt", lambda *a, **k: derived.append(k) or real(*a, **k))
    engine = app.extensions["mfa_gate"].services.store._engine
    accounts = app.config["ACCOUNTS"]
    told = []
    for email in (accounts[0]["email"], accounts[-1]["email"], "nobody@portail.example"):
        derived.clear()
        sent = {"email": email, "password": "wrong"}
        with statements(engine) as ran:
            answer = app.test_client().post("/login", data=sent, base_url="http://localhost")
        status, text, *rest = shape(answer)
        told.append((status, text.replace(email, "…"), rest, len(derived), list(ran)))
    assert told[0] == told[1] == told[2]
    assert told[0][0] == 401
    assert told[0][3] == 1
    assert told[0][4]


@pytest.mark.abuse("A26")
def test_an_empty_password_costs_the_same(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    derived: list[Any] = []
    real = hashlib.scrypt
    monkeypatch.setattr(hashlib, "scrypt", lambda *a, **k: derived.append(k) or real(*a, **k))
    for fields in ({}, {"email": "x"}, {"password": "x"}, {"email": "", "password": "y" * 5000}):
        derived.clear()
        assert app.test_client().post("/login", data=fields, base_url="http://localhost").status_code == 401
        assert len(derived) == 1
