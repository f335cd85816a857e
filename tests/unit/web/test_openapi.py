"""The OpenAPI document of the API: valid, complete, and kept to in every state that a session can be in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mfa_gate.durations import DAY
from mfa_gate.limits.rules import LimitPolicy, Rule
from mfa_gate.testing import SoftwareKey
from tests.support.owners import by_app, by_code, by_key, enrol, id_of, with_codes
from tests.support.portal import ADDRESS, BASE_URL, Browser, MakePortal, Portal

PREFIX = "/mfa/api/v1"
SEED = 20_221_203
EXAMPLES = 4  # of each kind, call and state
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
pytestmark = pytest.mark.parametrize("backend", ["sqlite"])


def operations(schema: Any) -> list[Any]:
    """Every call but that of the document itself, which schemathesis leaves out."""
    found = [each.ok() for each in schema.get_all_operations()]
    assert len(found) == sum(map(len, schema.raw_schema["paths"].values())) - 1
    return found


def loaded(portal: Portal) -> Any:
    """The document, as schemathesis reads it off the app."""
    schema = schemathesis.openapi.from_wsgi(f"{PREFIX}/openapi.json", portal.app, base_url=BASE_URL)
    schema.config.generation.update(with_security_parameters=False)  # the cookie is the test's to give
    return schema


# --- valid and complete ----------------------------------------------------------------------------------------------


def test_the_document_is_valid_openapi_3_1(portal: Portal) -> None:
    schema = loaded(portal)
    assert re.fullmatch(r"3\.1\.\d+", schema.raw_schema["openapi"])
    schema.validate()


def test_every_reference_leads_somewhere_and_every_schema_is_used(portal: Portal) -> None:
    document = loaded(portal).raw_schema
    used = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert used == set(document["components"]["schemas"])


def test_every_route_is_in_the_document_with_its_methods_and_no_other(portal: Portal) -> None:
    described = {
        (f"{PREFIX}{path}", method.upper())
        for path, calls in loaded(portal).raw_schema["paths"].items()
        for method in calls
    }
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in portal.app.url_map.iter_rules()
        if rule.rule.startswith(PREFIX)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == routes


def test_each_call_has_a_name_of_its_own_and_the_cookie_of_this_portal(make: MakePortal) -> None:
    portal = make(MFA_GATE_BASE_URL="https://other.example/app")
    document = portal.app.test_client().get(f"{PREFIX}/openapi.json", base_url="https://other.example/").json
    calls = [call for path in document["paths"].values() for call in path.values()]
    assert len({call["operationId"] for call in calls}) == len(calls)
    assert document["servers"] == [{"url": f"https://other.example/app{PREFIX}"}]
    cookie = portal.app.extensions["mfa_gate"].settings.cookie_name
    assert document["components"]["securitySchemes"]["session"]["name"] == cookie


@pytest.mark.parametrize("have", ["nobody", "password"])
def test_the_document_is_open_to_whoever_asks(portal: Portal, browser: Browser, have: str) -> None:
    if have == "password":
        browser.password()
    answer = browser.api("GET", "openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")


# --- kept to, for every input ----------------------------------------------------------------------------------------


class Person:
    """Somebody at one point of the way, who gets there anew whenever a call has led elsewhere."""

    def __init__(self, portal: Portal, stand: str) -> None:
        self.portal, self.stand = portal, stand
        self.key: SoftwareKey | None = None
        if stand not in ("anonymous", "activation", "enrolling"):
            self.secret, self.key = enrol(portal, "app", "key")
        self._browser: Browser | None = None
        self._moved = True

    @property
    def browser(self) -> Browser:
        if self._browser is None or self._moved:
            self._browser, self._moved = self._there(), False
        return self._browser

    def moved(self) -> None:
        self._moved = True

    def _there(self) -> Browser:
        portal = self.portal
        match self.stand:
            case "signed in by app":
                return by_app(portal, self.secret)
            case "signed in by key":
                assert self.key
                return by_key(portal, self.key)
            case "signed in by recovery code":
                return by_code(portal, with_codes(portal, count=1)[0])
        browser = portal.browser()
        if self.stand == "enrolling":
            browser.activate()
        elif self.stand != "anonymous":
            browser.password()
        assert browser.state == self.stand
        return browser


STANDS = [
    "anonymous",
    "pending",
    "activation",
    "enrolling",
    "signed in by app",
    "signed in by key",
    "signed in by recovery code",
]
FREE = Rule(((10**6, DAY),))  # what is slowed is looked at elsewhere


@pytest.mark.parametrize("stand", STANDS)
def test_whatever_is_sent_the_answer_is_a_documented_one(make: MakePortal, stand: str) -> None:
    """No server error, no undocumented status, type, header or shape: well-formed requests, and malformed ones."""
    print(f"seed {SEED}")
    portal = make(limits=LimitPolicy(**dict.fromkeys(LimitPolicy.__dataclass_fields__, FREE)))
    person, schema = Person(portal, stand), loaded(portal)
    statuses = {operation.label: fuzz(person, operation) for operation in operations(schema)}
    assert statuses["GET /session"] == {200}
    assert ({200} <= statuses["GET /sessions"]) == stand.startswith("signed in")
    assert (statuses["POST /totp/enrol/begin"] >= {200}) == (stand in ("enrolling", "signed in by key"))


def fuzz(person: Person, operation: Any) -> set[int]:
    """Call one operation with well-formed and with malformed requests; the statuses of the answers."""
    statuses: set[int] = set()

    def send(case: Any) -> None:
        statuses.add(send_as(person, case))

    runs: list[tuple[GenerationMode, dict[str, Any]]] = [(mode, {}) for mode in GenerationMode]
    if operation.body:
        # with everything else right, so that the body is looked at
        right: dict[str, Any] = {"headers": {"X-MFA-CSRF": "replaced by the right one"}}
        if operation.method == "patch" and person.key:
            right["path_parameters"] = {"authenticator_id": id_of(person.portal, "otp")}
        runs += [(mode, right) for mode in GenerationMode]
    for mode, given_for_all in runs:
        if mode.is_negative and not bendable(operation):
            continue
        chosen = settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        seed(SEED)(chosen(given(case=operation.as_strategy(mode, **given_for_all))(send)))()
    return statuses


def bendable(operation: Any) -> bool:
    """Whether anything of a request can be malformed."""
    return bool(operation.body or operation.path_parameters or operation.headers)


def send_as(person: Person, case: Any) -> int:
    """Send one request with the cookies, token and origin of a person, and check the answer; its status."""
    browser = person.browser
    answer = case.call_and_validate(
        base_url=f"{BASE_URL}{PREFIX}",
        session=browser.client,
        headers={"Origin": BASE_URL, "X-MFA-CSRF": browser.token},
        checks=CHECKS,
        environ_overrides={"REMOTE_ADDR": ADDRESS},
    )
    if case.method != "GET" and answer.status_code == 200:
        person.moved()
    return int(answer.status_code)


class Story:
    """Calls that go well, each checked against the document."""

    def __init__(self, portal: Portal) -> None:
        self.schema = loaded(portal)
        self.seen: set[str] = set()

    def call(self, browser: Browser, method: str, path: str, body: Any = None, **parameters: str) -> Any:
        operation = self.schema[f"/{path}"][method]
        self.seen.add(operation.label)
        case = operation.Case(path_parameters=parameters, **({"body": body} if body else {}))
        answer = browser.api(method, path.format(**parameters), body)
        assert answer.status_code == 200, answer.text
        case.validate_response(answer, checks=CHECKS)
        return answer.json


def test_what_goes_well_is_answered_as_documented(portal: Portal) -> None:
    """No generator guesses a right code: each success of a story, against the schema of its call."""
    story, browser, key = Story(portal), portal.browser(), SoftwareKey(BASE_URL)
    call = story.call
    secret = enrols_everything(portal, call, browser, key)
    portal.clock.advance(30)
    call(browser, "POST", "totp/verify", {"code": portal.code(secret)})
    call(browser, "GET", "session")
    (told, *_) = call(browser, "GET", "notices")["notices"]
    call(browser, "POST", "notices/seen", {"up_to": told["id"]})
    call(browser, "GET", "notices/earlier")
    call(browser, "GET", "openapi.json")
    ends_sessions(call, browser, [by_key(portal, key), by_key(portal, key)])
    call(browser, "DELETE", "authenticators/{authenticator_id}", authenticator_id=id_of(portal, "otp"))
    call(browser, "POST", "sign-out")
    (fresh,) = with_codes(portal, count=1)
    browser.password()
    call(browser, "POST", "recovery/verify", {"code": fresh})
    assert story.seen == {operation.label for operation in operations(story.schema)} | {"GET /openapi.json"}


def enrols_everything(portal: Portal, call: Callable[..., Any], browser: Browser, key: SoftwareKey) -> str:
    """From the letter to app, key and new recovery codes; the app's secret."""
    code = portal.activation_code()
    browser.password()
    call(browser, "POST", "activation/verify", {"code": code})
    begun = call(browser, "POST", "totp/enrol/begin")
    body = {"enrolment": begun["enrolment"], "code": portal.code(begun["secret"]), "label": "Phone"}
    assert len(call(browser, "POST", "totp/enrol/complete", body)["recovery_codes"]) == 10
    options = call(browser, "POST", "webauthn/enrol/begin")
    call(browser, "POST", "webauthn/enrol/complete", {**key.register(options), "label": "Key"})
    call(browser, "GET", "authenticators")
    app = id_of(portal, "otp")
    call(browser, "PATCH", "authenticators/{authenticator_id}", {"label": "New"}, authenticator_id=app)
    call(browser, "POST", "recovery/renew")
    options = call(browser, "POST", "webauthn/verify/begin")
    call(browser, "POST", "webauthn/verify/complete", key.assert_(options))
    return str(begun["secret"])


def ends_sessions(call: Callable[..., Any], browser: Browser, others: list[Browser]) -> None:
    rows = call(browser, "GET", "sessions")["sessions"]
    name = next(row["id"] for row in rows if not row["this"])
    call(browser, "DELETE", "sessions/{session_id}", session_id=name)
    call(browser, "DELETE", "sessions")
    assert {other.state for other in others} == {"anonymous"}
