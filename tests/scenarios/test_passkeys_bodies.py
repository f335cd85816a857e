"""What is sent in the place of a passkey's answer: bodies of every kind, names of every kind, mutations at random."""

from __future__ import annotations

import html
import json
import os
import random
from typing import Any

import pytest
from werkzeug.test import TestResponse

from mfa_gate.testing.software_key import Tampered
from tests.support.malformed import mutate, mutated
from tests.support.passkeys import PLAIN, STEPS, WAYS, Trial, answer_to, begin, credentials, key_of, send
from tests.support.portal import JSON, Browser, MakePortal, Portal

pytestmark = pytest.mark.parametrize("backend", ["sqlite"])
MUTATED = 200  # of each kind; tests/test_webauthn_malformed.py does many more on the factor alone
SEED = int(os.environ.get("MFA_GATE_SEED", random.randrange(2**32)))


@pytest.fixture
def portal(make: MakePortal) -> Portal:
    return make(**PLAIN)


def post(browser: Browser, path: str, body: bytes, kind: str = "application/json") -> TestResponse:
    headers = {**JSON, "X-MFA-CSRF": browser.token}
    return browser.open("POST", f"/mfa/api/v1/{path}", data=body, content_type=kind, headers=headers)


# --- bodies ------------------------------------------------------------------------------------------------------

BODIES: dict[str, tuple[bytes, int]] = {
    "empty": (b"", 422),
    "an empty object": (b"{}", 422),
    "null": (b"null", 400),
    "a list": (b"[]", 400),
    "a number": (b"5", 400),
    "a text": (b'"answer"', 400),
    "truth": (b"true", 400),
    "no JSON": (b"{", 400),
    "not UTF-8": (b'{"id":"\xff"}', 400),
    "UTF-16": ('{"id":"x"}'.encode("utf-16"), 400),
    "nested lists": (b"[" * 10_000, 400),
    "nested objects": (b'{"response":' * 1500 + b"{}" + b"}" * 1500, 400),
    "nested in a member": (b'{"response":' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400),
    "a great number": (b'{"id":' + b"9" * 10_000 + b"}", 400),
    "a megabyte": (b'{"id":"' + b"x" * 2**20 + b'"}', 413),
    "a megabyte of blanks": (b" " * 2**20, 413),
    "unknown members": (b'{"id":"x","admin":true}', 400),
    "the token inside": (b'{"csrf_token":"x"}', 400),
    "an account": (b'{"account":"bob"}', 400),
    "NaN": (b'{"id":NaN}', 422),
    "a lone surrogate": (b'{"id":"\\ud800"}', 422),
}


@pytest.mark.abuse("A20")
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("body", "status"), BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_answer_is_refused_and_passes_no_step(
    portal: Portal, step: str, body: bytes, status: int
) -> None:
    trial = Trial(portal, step)
    asked = begin(trial.browser, step)
    sent = post(trial.browser, f"webauthn/{step}/complete", body)
    assert sent.status_code == status, sent.text
    assert sent.mimetype == "application/problem+json"
    assert trial.state() == trial.before
    # what named no challenge spent none
    assert send(trial.browser, step, answer_to(step, trial.key, asked)).status_code == 200


@pytest.mark.abuse("A20")
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"id=x&type=public-key", "application/x-www-form-urlencoded"),
        (b"<answer/>", "text/xml"),
        (b"--x--", "multipart/form-data; boundary=x"),
        (b"[]", "application/problem+json"),
        (b"x", ""),
    ],
    ids=["form", "xml", "multipart", "list", "nothing"],
)
def test_a_body_of_another_kind_is_refused(portal: Portal, step: str, body: bytes, kind: str) -> None:
    trial = Trial(portal, step)
    assert post(trial.browser, f"webauthn/{step}/complete", body, kind).status_code in (400, 415, 422)
    assert trial.state() == trial.before
    assert trial.passes()


@pytest.mark.abuse("A20")
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("body", [b"[]", b"null", b'{"account":"bob"}', b"[" * 10_000, b" " * 2**20])
def test_a_beginning_takes_no_fields(portal: Portal, step: str, body: bytes) -> None:
    trial = Trial(portal, step)
    assert post(trial.browser, f"webauthn/{step}/begin", body).status_code in (400, 413)
    assert trial.state() == trial.before
    assert portal.sql("SELECT challenge FROM mfa_challenges") == []


@pytest.mark.abuse("A20")
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("body", "status"), BODIES.values(), ids=BODIES)
def test_a_form_whose_answer_is_none_is_refused(portal: Portal, step: str, body: bytes, status: int) -> None:
    trial = Trial(portal, step)
    fields = {"action": "webauthn"} if step == "enrol" else {"method": "webauthn"}
    answer = body.decode("utf-8", "replace")
    sent = trial.browser.step(step if step == "enrol" else "challenge", **fields, answer=answer)
    # a page takes no notice of members that it does not know; what is not there at all is not well formed
    wanted = {"empty": {400}, "unknown members": {422}}.get(_name(body), {status, 422})
    assert sent.status_code in wanted, sent.status_code
    assert sent.mimetype == "text/html"
    assert trial.state() == trial.before
    assert trial.passes()


def _name(body: bytes) -> str:
    return next(name for name, (known, _) in BODIES.items() if known == body)


@pytest.mark.abuse("A50")
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("half", ["begin", "complete"])
@pytest.mark.parametrize("token", ["", "x" * 43, "other"], ids=["none", "wrong", "of another sign-in"])
def test_each_call_needs_the_token_of_its_sign_in(portal: Portal, step: str, half: str, token: str) -> None:
    trial = Trial(portal, step)
    if token == "other":
        stranger = portal.browser()
        stranger.password("bob")
        token, trial.before = stranger.token, trial.state()
    body = answer_to(step, trial.key, begin(trial.browser, step)) if half == "complete" else None
    sent = trial.browser.api("POST", f"webauthn/{step}/{half}", body, headers={"X-MFA-CSRF": token})
    assert (sent.status_code, sent.json["code"]) == (403, "csrf")
    assert trial.state() == trial.before


@pytest.mark.abuse("A50")
@pytest.mark.parametrize("step", STEPS)
def test_an_answer_sent_by_a_page_of_another_site_is_refused(portal: Portal, step: str) -> None:
    trial = Trial(portal, step)
    answer = answer_to(step, trial.key, begin(trial.browser, step))
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        sent = trial.browser.api("POST", f"webauthn/{step}/complete", answer, headers=headers)
        assert (sent.status_code, sent.json["code"]) == (403, "csrf")
    assert send(trial.browser, step, answer).status_code == 200


# --- names -------------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A51")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("label", "kept"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("\u202eyek der\u202c", "yek der"),
        ("a\r\nSet-Cookie: x=1", "aSet-Cookie: x=1"),
        ("nul\0 and bell\a", "nul and bell"),
        ("  spaces  ", "spaces"),
        ("\ufeff\u200b\u2066", ""),
        ("é" * 60, "é" * 60),
        ("{{ 7*7 }}", "{{ 7*7 }}"),
    ],
    ids=["markup", "bidi", "line end", "control", "spaces", "invisible", "sixty", "template"],
)
def test_a_name_is_kept_as_plain_text_without_what_cannot_be_seen(
    portal: Portal, browser: Browser, way: str, label: str, kept: str
) -> None:
    browser.activate()
    answer = answer_to("enrol", key_of(), begin(browser, "enrol"))
    assert send(browser, "enrol", answer, way, label).status_code < 400
    assert [row.label for row in credentials(portal)] == [kept]
    page = browser.get("/mfa/authenticators").text
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert f"<bdi>{html.escape(kept)}</bdi>" in page or not kept


@pytest.mark.abuse("A51")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("length", [61, 10_000])
def test_a_name_that_is_too_long_is_refused_and_nothing_is_enrolled(
    portal: Portal, browser: Browser, way: str, length: int
) -> None:
    browser.activate()
    answer = answer_to("enrol", key_of(), begin(browser, "enrol"))
    assert send(browser, "enrol", answer, way, "x" * length).status_code == 400
    assert credentials(portal) == []
    assert browser.state == "enrolling"


@pytest.mark.parametrize("label", [5, True, ["x"], {"x": 1}])
def test_a_name_that_is_no_text_is_refused(portal: Portal, browser: Browser, label: Any) -> None:
    browser.activate()
    answer = answer_to("enrol", key_of(), begin(browser, "enrol"))
    sent = browser.api("POST", "webauthn/enrol/complete", {**answer, "label": label})
    assert (sent.status_code, sent.json["code"]) == (400, "invalid_request")
    assert credentials(portal) == []


# --- mutations ---------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A28")
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("algorithm", [-7, -8])
def test_no_mutated_answer_is_accepted_and_none_is_an_error(portal: Portal, step: str, algorithm: int) -> None:
    """A registration that signs for itself, so that nothing of it may change."""
    print(f"MFA_GATE_SEED={SEED}")
    chance = random.Random(f"{SEED} {step} {algorithm}")
    trial = Trial(portal, step, key_of(algorithm=algorithm))
    tampered = Tampered(format="packed") if step == "enrol" else Tampered()
    for _ in range(MUTATED // 2):
        answer = answer_to(step, trial.key, begin(trial.browser, step), tampered)
        changed = mutated(chance, answer)
        if changed == answer or not _can_be_sent(changed):
            continue
        sent = send(trial.browser, step, changed)
        assert sent.status_code in (400, 422), changed
    assert trial.state() == trial.before
    assert trial.passes(tampered)


@pytest.mark.abuse("A20")
@pytest.mark.parametrize("step", STEPS)
def test_no_mutated_body_is_an_error(portal: Portal, step: str) -> None:
    print(f"MFA_GATE_SEED={SEED}")
    chance = random.Random(f"{SEED} {step} bytes")
    trial = Trial(portal, step)
    for _ in range(MUTATED // 2):
        # one that passes all the same enrols a key, so each has its own
        used = trial.key if step == "verify" else key_of()
        answer = answer_to(step, used, begin(trial.browser, step))
        body = mutate(chance, json.dumps(answer).encode())
        sent = post(trial.browser, f"webauthn/{step}/complete", body)
        assert sent.status_code in (200, 400, 401, 422), body
        if sent.status_code == 200:  # what browsers say beside what is signed may change
            assert {"id", "response"} <= json.loads(body).keys()


def _can_be_sent(answer: Any) -> bool:
    try:
        json.dumps(answer).encode()
    except (TypeError, ValueError):
        return False
    return True
