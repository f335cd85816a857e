"""Bad input to every state-changing route: 4xx, a stable code, a sentence, and nothing changed but counters (A20)."""

from __future__ import annotations

import io
import json
import os
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from tests.support.html_page import Page
from tests.support.portal import BASE_URL, JSON, PAGE, Browser, Portal
from tests.support.web import COUNTERS, STEPS, Step, everything_logged, posts_of_the_gate, rows

SEED = int(os.environ.get("MFA_GATE_SEED") or random.randrange(2**32))
FLAT = [step for step in STEPS if not step.nested]
every_step = pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
FORM = "application/x-www-form-urlencoded"
DEEP = 100_000


def test_every_state_changing_route_is_tried_here(portal: Portal) -> None:
    assert posts_of_the_gate(portal.app) == {(f"mfa_gate.{step.endpoint}", step.path) for step in STEPS}


# --- what an answer to bad input looks like --------------------------------------------------------------------------


def assert_refused(step: Step, answer: TestResponse, what: object) -> None:
    """A 4xx with a stable code and a sentence, in the shape that was asked for, and no trace of the inside."""
    assert 400 <= answer.status_code < 500, (what, answer.status_code, answer.text[:200])
    assert "Traceback" not in answer.text, what
    assert answer.headers["Cache-Control"] == "no-store", what
    if step.page:
        page = Page(answer.text)
        assert len(page.of("h1")) == 1, what
        assert re.search(r"[.!?]$|<code>[a-z_]+</code>", sentence_of(answer)), what
        return
    assert answer.mimetype == "application/problem+json", (what, answer.mimetype)
    body = answer.json
    assert body["status"] == answer.status_code, what
    assert re.fullmatch("[a-z_]+", body["code"]), what
    assert body["detail"].endswith("."), what


def sentence_of(answer: TestResponse) -> str:
    found = re.search(r'role="alert".*?<strong>(.*?)</strong>', answer.text, re.S)
    found = found or re.search(r'class="mfa-lead">(.*?)</p>', answer.text, re.S)
    assert found is not None, answer.text
    return re.sub("<[^>]+>", "", found.group(1)).strip()


def bad_json(step: Step, right: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """Bodies that no step takes, each with what is wrong about it."""
    whole = json.dumps(right).encode()
    yield "null", b"null"
    yield "a number", b"1"
    yield "a text", b'"code"'
    yield "a list", b"[]"
    yield "a list of pairs", b'[["code", "000000"]]'
    yield "cut short", (whole or b"{}")[:-1]
    yield "two documents", whole + whole
    yield "not a number", b'{"code": NaN}'
    yield "deeply nested lists", b"[" * DEEP + b"]" * DEEP
    yield "deeply nested objects", b'{"code":' * DEEP + b"1" + b"}" * DEEP
    yield "an endless number", b'{"code": ' + b"9" * 10_000 + b"}"
    yield "utf-16", whole.decode().encode("utf-16")
    yield "utf-32", whole.decode().encode("utf-32")
    yield "latin-1", b'{"code": "\xe9\xe8"}'
    yield "a null byte", b"\x00" + whole
    yield "only spaces", b"   "
    yield "an unknown field", json.dumps({**right, "admin": "1"}).encode()
    yield "another step's field", json.dumps({**right, "sealed_form": "x", "next": "//evil.example"}).encode()
    yield "a nested token", json.dumps({**right, "csrf_token": {"a": "b"}}).encode()
    yield "huge", json.dumps({**right, "code": "1" * 70_000}).encode()
    yield "many fields", json.dumps({**right, **{f"f{number}": "" for number in range(3000)}}).encode()
    for name in {"code", *step.needs}:
        for value in (None, True, 0, 123456, 1.5, [], ["123456"], {}, {"code": "123456"}):
            yield f"{name} is {value!r}", json.dumps({**right, name: value}).encode()


def bad_values(step: Step) -> Iterator[tuple[str, str, str]]:
    """Texts that are no right value of a needed field."""
    texts = ("", " ", "\t\n", "x" * 60, "1" * 129, "\x00", "1\x002345", "\U0001f512" * 6, "' OR 1=1; --")
    digits = ("١٢٣٤٥٦", "\uff11\uff12\uff13\uff14\uff15\uff16", "²³¹²³¹", "12345", "1234567", "+12345", "1e5", "0x1234")
    for name in step.needs:
        for value in texts + digits:
            yield f"{name} is {value[:12]!r}", name, value


@pytest.mark.abuse("A20")
@every_step
def test_bad_json_is_refused_and_changes_nothing(portal: Portal, browser: Browser, step: Step) -> None:
    right = step.fields(portal, browser)
    token, before = browser.token, rows(portal, COUNTERS)
    with everything_logged() as lines:
        for what, body in bad_json(step, right):
            for mimetype in ("application/json", "application/json; charset=utf-16", "application/vnd.api+json"):
                assert_refused(step, step.send(browser, token, data=body, content_type=mimetype), what)
    assert rows(portal, COUNTERS) == before
    assert not [line for line in lines if "Traceback" in line]
    assert step.send(browser, token, **step.packed(right)).status_code in (200, 303)


@pytest.mark.abuse("A20")
@pytest.mark.parametrize("step", FLAT, ids=lambda step: step.name)
def test_bad_forms_are_refused_and_change_nothing(portal: Portal, browser: Browser, step: Step) -> None:
    right = step.fields(portal, browser)
    token, before = browser.token, rows(portal, COUNTERS)
    doubled: Any = MultiDict([*right.items(), ("code", "000000"), ("code", "000000")])
    file = (io.BytesIO(b"123456"), "code.txt")
    bad: dict[str, dict[str, Any]] = {
        "a field twice": {"data": doubled},
        "an unknown field": {"data": {**right, "admin": "1"}},
        "a file beside the fields": {"data": {**right, "photo": file}},
        "a file for a field": {"data": {**right, "code": (io.BytesIO(b"123456"), "code.txt")}},
        "the token twice": {"data": MultiDict([*right.items(), ("csrf_token", token), ("csrf_token", token)])},
        "huge": {"data": {**right, "code": "1" * 70_000}},
        "huge and in parts": {"data": {**right, "code": "1" * 70_000}, "content_type": "multipart/form-data"},
        "too many fields": {"data": {**right, **{f"f{number}": "" for number in range(2000)}}},
        "bytes that are no text": {"data": b"code=%ff%fe&%c3%28=1", "content_type": FORM},
        "bytes that are nothing": {"data": bytes(range(256)), "content_type": FORM},
    }
    for what, request in bad.items():
        assert_refused(step, step.send(browser, token, **request), what)
    assert rows(portal, COUNTERS) == before
    assert step.send(browser, token, data=right).status_code in (200, 303)


@pytest.mark.abuse("A20")
@pytest.mark.parametrize("step", [step for step in STEPS if step.needs], ids=lambda step: step.name)
def test_missing_and_senseless_values_are_refused_and_change_nothing(
    portal: Portal, browser: Browser, step: Step
) -> None:
    right = step.fields(portal, browser)
    token, before = browser.token, rows(portal, COUNTERS)
    bad: dict[str, dict[str, str]] = {
        "nothing at all": dict(step.also),
        **{f"no {name}": {k: v for k, v in right.items() if k != name} for name in step.needs},
        **{what: {**right, name: value} for what, name, value in bad_values(step)},
    }
    for what, fields in bad.items():
        sent = [{"data": fields}] if step.page else [{"data": fields}, {"json": fields}]
        for request in sent:
            assert_refused(step, step.send(browser, token, **request), what)
    assert rows(portal, COUNTERS) == before


@pytest.mark.abuse("A20")
@pytest.mark.parametrize("step", [step for step in STEPS if step.needs and not step.page], ids=lambda step: step.name)
def test_a_text_that_a_store_cannot_hold_is_refused(portal: Portal, browser: Browser, step: Step) -> None:
    right = step.fields(portal, browser)
    token, before = browser.token, rows(portal, COUNTERS)
    for value in ("\ud800", "\x00", "a\x00b", "\udfff" * 6):
        for name in step.needs:
            assert_refused(step, step.send(browser, token, json={**right, name: value}), (name, ascii(value)))
        assert rows(portal, COUNTERS) == before, ascii(value)


ODD_TYPES = ("", "multipart/form-data", "multipart/form-data; boundary=", "text/xml", "x", "application/", ";;;")
ODD_LENGTHS = ("-1", "abc", "99999999999999999999", "1e3", "")


@pytest.mark.abuse("A20")
@pytest.mark.parametrize("step", [step for step in STEPS if step.needs], ids=lambda step: step.name)
def test_an_odd_content_type_or_length_passes_no_step(portal: Portal, browser: Browser, step: Step) -> None:
    right = step.fields(portal, browser)
    token, before = browser.token, rows(portal, COUNTERS)
    bodies = (json.dumps(right).encode(), b"", b"--x\r\n", b"code=000000")
    odd: list[dict[str, Any]] = [
        {"data": b, "environ_overrides": {"CONTENT_TYPE": t}} for b in bodies for t in ODD_TYPES
    ]
    for length in ODD_LENGTHS:
        environ = {"CONTENT_TYPE": FORM, "CONTENT_LENGTH": length}
        odd.append({"data": b"code=000000&x=y", "environ_overrides": environ})
    for request in odd:
        assert_refused(step, step.send(browser, token, **request), request)
    assert rows(portal, COUNTERS) == before


def test_a_label_is_one_line_of_at_most_sixty_characters(portal: Portal, browser: Browser) -> None:
    browser.activate()
    begun = browser.begin_enrolment()
    body = {"enrolment": begun["enrolment"], "code": portal.code(begun["secret"])}
    answer = browser.api("POST", "totp/enrol/complete", {**body, "label": "x" * 61})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert browser.api("POST", "totp/enrol/complete", {**body, "label": "x" * 60}).status_code == 200


# --- anything at all -------------------------------------------------------------------------------------------------


def as_json(body: Any) -> dict[str, Any]:
    return {"data": json.dumps(body), "content_type": "application/json"}


text = st.text(max_size=40)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=10,
)
names = (
    st.sampled_from(["code", "enrolment", "label", "action", "sealed_form", "csrf_token", "next", "", "__proto__"])
    | text
)
forms = st.dictionaries(names, st.text(st.characters(codec="utf-8"), max_size=40), max_size=5)
mimetypes = st.sampled_from(["application/json", FORM, "multipart/form-data; boundary=x"])
requests: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(as_json, st.dictionaries(names, values, max_size=5) | values),
    st.builds(lambda body, kind: {"data": body, "content_type": kind}, st.binary(max_size=200), mimetypes),
    forms.map(lambda form: {"data": form}),
)


@pytest.mark.abuse("A20")
@pytest.mark.parametrize("step", [step for step in STEPS if step.needs], ids=lambda step: step.name)
def test_no_body_at_all_passes_a_step(portal: Portal, browser: Browser, step: Step) -> None:
    print(f"MFA_GATE_SEED={SEED}")
    step.fields(portal, browser)
    token, before = browser.token, rows(portal, COUNTERS)

    @seed(SEED)
    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(requests, st.booleans())
    def send(request: dict[str, Any], with_token: bool) -> None:
        answer = step.send(browser, token if with_token else "", **request)
        assert_refused(step, answer, request)
        assert rows(portal, COUNTERS) == before

    send()


@pytest.mark.abuse("A20")
def test_nothing_in_the_body_of_a_login_breaks_the_brakes(portal: Portal) -> None:
    """The portal's view may fail on what it is sent; what stands before it may not, and lets nobody in."""
    print(f"MFA_GATE_SEED={SEED}")
    portal.app.view_functions["login"] = portal.gate.first_factor(username="email")(lambda: ("wrong", 401))

    @seed(SEED)
    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(requests, st.integers(1, 2**31))
    def send(request: dict[str, Any], number: int) -> None:
        browser = portal.browser(f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1")
        for accept in (PAGE, JSON):
            answer = browser.open("POST", "/login", headers={"Origin": BASE_URL, **accept}, **request)
            assert answer.status_code in (400, 401, 413, 429), answer.text
        assert browser.state == "anonymous"

    send()
