"""Pages and API are two faces of the same flows: one course, taken over each, leaves the same in store and events."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from typing import Any

import pytest
from werkzeug.test import TestResponse

from mfa_gate.testing import SoftwareKey
from tests.support.owners import authenticators, enrol, id_of, id_of_key, recovery_hashes, with_codes
from tests.support.portal import BASE_URL, JSON, Portal, hidden


class Face(ABC):
    """A person who uses the gate in one of its two ways."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.browser = portal.browser()

    @abstractmethod
    def password(self) -> TestResponse: ...
    @abstractmethod
    def activate(self, code: str) -> TestResponse: ...
    @abstractmethod
    def code(self, method: str, code: str) -> TestResponse: ...
    @abstractmethod
    def key(self, answer: dict[str, Any]) -> TestResponse: ...
    @abstractmethod
    def begin_app(self) -> tuple[str, str]: ...
    @abstractmethod
    def complete_app(self, enrolment: str, code: str) -> TestResponse: ...
    @abstractmethod
    def complete_key(self, answer: dict[str, Any]) -> TestResponse: ...
    @abstractmethod
    def rename(self, id_: str, label: str) -> TestResponse: ...
    @abstractmethod
    def remove(self, id_: str) -> TestResponse: ...
    @abstractmethod
    def renew(self) -> TestResponse: ...
    @abstractmethod
    def sign_out(self) -> TestResponse: ...

    # what only the browser's own script asks, in both ways

    def options(self, purpose: str) -> dict[str, Any]:
        answer = self.browser.api("POST", f"webauthn/{purpose}/begin")
        assert answer.status_code == 200
        options: dict[str, Any] = answer.json
        return options

    def enrol_app(self) -> str:
        secret, enrolment = self.begin_app()
        assert self.complete_app(enrolment, self.portal.code(secret)).status_code in (200, 303)
        return secret

    def enrol_key(self, key: SoftwareKey) -> None:
        assert self.complete_key(key.register(self.options("enrol"))).status_code in (200, 303)


class OverPages(Face):
    def password(self) -> TestResponse:
        return self.browser.password()

    def activate(self, code: str) -> TestResponse:
        return self.browser.step("activate", code=code)

    def code(self, method: str, code: str) -> TestResponse:
        return self.browser.step("challenge", method=method, code=code)

    def key(self, answer: dict[str, Any]) -> TestResponse:
        return self.browser.step("challenge", method="webauthn", answer=json.dumps(answer))

    def begin_app(self) -> tuple[str, str]:
        scan = self.browser.step("enrol", action="begin")
        found = re.search("secret=([A-Z2-7]{32})", scan.text)
        assert found
        return found.group(1), hidden(scan, "enrolment")

    def complete_app(self, enrolment: str, code: str) -> TestResponse:
        return self.browser.step("enrol", action="complete", enrolment=enrolment, code=code, label="Phone")

    def complete_key(self, answer: dict[str, Any]) -> TestResponse:
        return self.browser.step("enrol", action="webauthn", answer=json.dumps(answer), label="Key")

    def rename(self, id_: str, label: str) -> TestResponse:
        return self.browser.step("authenticators", action="rename", id=id_, label=label)

    def remove(self, id_: str) -> TestResponse:
        return self.browser.step("authenticators", action="remove", id=id_)

    def renew(self) -> TestResponse:
        return self.browser.step("authenticators", action="renew")

    def sign_out(self) -> TestResponse:
        return self.browser.step("sign-out")


class OverTheAPI(Face):
    def password(self) -> TestResponse:
        sent = {"email": "anne", "password": "pw-anne"}
        return self.browser.open("POST", "/login", json=sent, headers={**JSON, "Origin": BASE_URL})

    def activate(self, code: str) -> TestResponse:
        return self.browser.api("POST", "activation/verify", {"code": code})

    def code(self, method: str, code: str) -> TestResponse:
        return self.browser.api("POST", f"{method}/verify", {"code": code})

    def key(self, answer: dict[str, Any]) -> TestResponse:
        return self.browser.api("POST", "webauthn/verify/complete", answer)

    def begin_app(self) -> tuple[str, str]:
        begun = self.browser.begin_enrolment()
        return begun["secret"], begun["enrolment"]

    def complete_app(self, enrolment: str, code: str) -> TestResponse:
        body = {"enrolment": enrolment, "code": code, "label": "Phone"}
        return self.browser.api("POST", "totp/enrol/complete", body)

    def complete_key(self, answer: dict[str, Any]) -> TestResponse:
        return self.browser.api("POST", "webauthn/enrol/complete", {**answer, "label": "Key"})

    def rename(self, id_: str, label: str) -> TestResponse:
        return self.browser.api("PATCH", f"authenticators/{id_}", {"label": label})

    def remove(self, id_: str) -> TestResponse:
        return self.browser.api("DELETE", f"authenticators/{id_}")

    def renew(self) -> TestResponse:
        return self.browser.api("POST", "recovery/renew")

    def sign_out(self) -> TestResponse:
        return self.browser.api("POST", "sign-out")


@pytest.fixture(params=[OverPages, OverTheAPI], ids=["over the pages", "over the API"])
def face(request: pytest.FixtureRequest, portal: Portal) -> Face:
    made: Face = request.param(portal)
    return made


def session(face: Face) -> tuple[str, str | None, list[str]]:
    document = face.browser.api("GET", "session").json
    return document["state"], document["level"], document["methods"]


def events(face: Face, since: int = 0) -> list[tuple[str, str, str | None, str | None]]:
    """(kind, outcome, method, reason) of what was stored, oldest first."""
    rows = face.portal.sql("SELECT kind, outcome, method, reason FROM mfa_events WHERE id > :id ORDER BY id", id=since)
    return [tuple(row) for row in rows]


def last_event(face: Face) -> int:
    return int(face.portal.sql("SELECT max(id) FROM mfa_events")[0][0] or 0)


def test_from_the_letter_to_the_sign_out(portal: Portal, face: Face) -> None:
    key = SoftwareKey(BASE_URL)
    code = portal.activation_code()
    face.password()
    assert session(face) == ("activation", "PASSWORD", ["pwd"])
    face.activate(code)
    assert session(face) == ("enrolling", "PASSWORD", ["pwd"])
    face.enrol_app()
    assert session(face) == ("signed_in", "MFA", ["pwd", "otp"])
    first = recovery_hashes(portal)
    face.enrol_key(key)
    assert session(face) == ("signed_in", "PHISHING_RESISTANT", ["pwd", "otp", "pop"])
    app = id_of(portal, "otp")
    face.rename(app, "Téléphone")
    assert sorted(row[1:] for row in authenticators(portal)) == [("otp", "Téléphone"), ("pop", "Key")]
    face.renew()
    assert len(first) == len(recovery_hashes(portal)) == 10
    assert not set(first) & set(recovery_hashes(portal))
    face.remove(app)
    assert [row[0] for row in authenticators(portal)] == [id_of_key(portal, key)]
    assert session(face) == ("signed_in", "PHISHING_RESISTANT", ["pwd", "pop"])
    face.sign_out()
    assert session(face) == ("anonymous", None, [])
    assert portal.opened == ["anne"]
    assert events(face) == [
        ("activation_issued", "success", None, None),
        ("first_factor", "success", "pwd", None),
        ("activation_redeemed", "success", None, None),
        ("authenticator_added", "success", "otp", None),
        ("recovery_codes_renewed", "success", "recovery", None),
        ("authenticator_added", "success", "pop", None),
        ("authenticator_renamed", "success", None, None),
        ("recovery_codes_renewed", "success", "recovery", None),
        ("authenticator_removed", "success", "otp", None),
        ("session_ended", "success", None, "sign_out"),
    ]
    for table in ("mfa_sessions", "mfa_activations", "mfa_enrolments", "mfa_challenges"):
        assert portal.sql(f"SELECT * FROM {table}") == []  # noqa: S608


LEVELS = {"totp": ("otp", "MFA"), "webauthn": ("pop", "PHISHING_RESISTANT"), "recovery": ("recovery", "MFA")}


@pytest.mark.parametrize("method", LEVELS)
def test_signing_in_and_stepping_up(portal: Portal, face: Face, method: str) -> None:
    secret, key = enrol(portal, "app", "key")
    codes = iter(with_codes(portal))

    def prove() -> TestResponse:
        if method == "webauthn":
            return face.key(key.assert_(face.options("verify")))
        return face.code(method, portal.code(secret) if method == "totp" else next(codes))

    since = last_event(face)
    amr, level = LEVELS[method]
    face.password()
    assert session(face) == ("pending", "PASSWORD", ["pwd"])
    prove()
    assert session(face) == ("signed_in", level, ["pwd", amr])
    portal.clock.advance(600)
    assert face.browser.get("/bank", headers=JSON).status_code == 401
    prove()
    assert face.browser.get("/bank", headers=JSON).status_code == 200
    assert portal.opened == ["anne"]
    assert events(face, since) == [
        ("first_factor", "success", "pwd", None),
        ("second_factor", "success", amr, None),
        ("second_factor", "success", amr, None),
    ]
    assert len(recovery_hashes(portal)) == (0 if method == "recovery" else 2)
    assert portal.sql("SELECT * FROM mfa_challenges") == []


@pytest.mark.parametrize("method", LEVELS)
def test_a_wrong_answer(portal: Portal, face: Face, method: str) -> None:
    enrol(portal, "app", "key")
    with_codes(portal)
    stranger = SoftwareKey(BASE_URL)
    since = last_event(face)
    face.password()
    if method == "webauthn":
        stranger.make("portal.example", b"x" * 32, b"\0" * 32)
        answer = face.key(stranger.assert_({**face.options("verify"), "allowCredentials": []}))
    else:
        answer = face.code(method, "000000")
    assert answer.status_code == 422
    assert session(face) == ("pending", "PASSWORD", ["pwd"])
    amr = LEVELS[method][0]
    reason = {"webauthn": "credential_id"}.get(method, "wrong_code")
    assert events(face, since) == [
        ("first_factor", "success", "pwd", None),
        ("second_factor", "failure", amr, reason),
    ]
    assert portal.opened == []


def test_a_key_first_and_an_app_confirmed_wrongly_beside_it(portal: Portal, face: Face) -> None:
    code = portal.activation_code()
    since = last_event(face)
    face.password()
    assert face.activate("0000-0000-0000-0000").status_code == 422
    face.activate(code)
    face.enrol_key(SoftwareKey(BASE_URL))
    secret, enrolment = face.begin_app()
    assert face.complete_app(enrolment, "000000").status_code == 422
    assert [method for _, method, _ in authenticators(portal)] == ["pop"]
    assert face.complete_app(enrolment, portal.code(secret)).status_code in (200, 303)
    assert len(recovery_hashes(portal)) == 10
    assert events(face, since) == [
        ("first_factor", "success", "pwd", None),
        ("activation_redeemed", "failure", None, "wrong_activation_code"),
        ("activation_redeemed", "success", None, None),
        ("authenticator_added", "success", "pop", None),
        ("recovery_codes_renewed", "success", "recovery", None),
        ("authenticator_added", "failure", "otp", "wrong_code"),
        ("authenticator_added", "success", "otp", None),
    ]


@pytest.mark.parametrize("change", ["rename", "remove", "renew"])
def test_a_change_that_is_refused_leaves_no_trace(portal: Portal, face: Face, change: str) -> None:
    secret, _ = enrol(portal, "app", "key")
    with_codes(portal)
    face.password()
    face.code("totp", portal.code(secret))
    before = authenticators(portal), recovery_hashes(portal), events(face)
    id_ = id_of(portal, "pop")
    answer = {
        "rename": lambda: face.rename(id_, "Mine"),
        "remove": lambda: face.remove(id_),
        "renew": lambda: face.renew(),
    }[change]()
    assert answer.status_code == 401
    assert (authenticators(portal), recovery_hashes(portal), events(face)) == before
