"""A small portal behind the gate, and people who use it over HTTP, for the tests."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask, render_template_string, request, session
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import create_engine, inspect, text
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from mfa_gate import Account, AttestationPolicy, DeskPolicy, Leaked, Level, MFAGate
from mfa_gate.harvest import HarvestPolicy
from mfa_gate.limits.rules import LimitPolicy
from mfa_gate.netinfo import NetInfo
from mfa_gate.policy import Policy
from mfa_gate.risk import RiskPolicy
from mfa_gate.settings import Settings
from mfa_gate.testing import Clock, SoftwareKey, enrol_key, enrol_totp, totp_code
from mfa_gate.testing.software_key import UNTAMPERED, Tampered

KEYS = "test1:" + "A" * 43
BASE_URL = "https://portal.example"
PAGE = {"Accept": "text/html,application/xhtml+xml"}
JSON = {"Accept": "application/json"}
ADDRESS = "192.0.2.1"
# who signs in in a test is a stranger each time: what follows from that has tests of its own
REPORTED = RiskPolicy(report_only=frozenset({"all"}))


@dataclass
class Portal:
    """One portal: the Flask app, its gate, the clock that both go by, and its people."""

    app: Flask
    gate: MFAGate
    clock: Clock
    people: dict[str, Account]
    passwords: dict[str, str]
    opened: list[str] = field(default_factory=list)  # accounts whose portal session was opened, in order

    @property
    def gate_settings(self) -> Settings:
        settings: Settings = self.app.extensions["mfa_gate"].settings
        return settings

    def browser(self, address: str = ADDRESS) -> Browser:
        return Browser(self, self.app.test_client(), address)

    def activation_code(self, account: str = "anne", **kwargs: Any) -> str:
        with self.app.app_context():
            return self.gate.issue_activation(account, reason="test", **kwargs)

    def enrolled(self, account: str = "anne") -> str:
        """Enrol an authenticator app through every step; its secret."""
        return enrol_totp(self.app, self.people[account])

    def key(self, account: str = "anne", **made: Any) -> SoftwareKey:
        """Enrol a security key through every step, for an account that has no authenticator yet."""
        return enrol_key(self.app, self.people[account], SoftwareKey(BASE_URL, **made))

    def code(self, secret: str) -> str:
        return totp_code(secret, self.clock())

    def sql(self, statement: str, **values: Any) -> list[Any]:
        """Read or write the store by hand, as somebody who got at it would; the rows, if there are any."""
        with self.app.extensions["mfa_gate"].services.store.begin() as tx:
            done = tx.execute(text(statement), values)
            return list(done) if done.returns_rows else []

    def mark_notices_shown(self) -> None:
        """Every owner has been shown what happened, so that the next sign-in leads on to the wanted page."""
        self.sql("UPDATE mfa_outbox SET shown_at = 0 WHERE shown_at IS NULL")

    def events(self, account: str = "anne") -> list[tuple[str, str, str | None]]:
        """(kind, outcome, reason) of an account's events, oldest first."""
        from mfa_gate.store import accounts, events

        with self.app.extensions["mfa_gate"].services.store.begin() as tx:
            row = accounts.find(tx, account)
            return (
                [(event.kind, event.outcome, event.reason) for event in events.of_subject(tx, row.subject)]
                if row
                else []
            )


class Browser:
    """A person's browser: cookies, an address, and the hidden token of the page it is on.

    Attributes:
        one: id of what the next call changes, where its path names one.
    """

    one = ""

    def __init__(self, portal: Portal, client: FlaskClient, address: str) -> None:
        self.portal = portal
        self.client = client
        self.address = address

    def open(self, method: str, path: str, **kwargs: Any) -> TestResponse:
        kwargs["headers"] = {**PAGE, **kwargs.pop("headers", {})}
        kwargs.setdefault("environ_overrides", {}).setdefault("REMOTE_ADDR", self.address)
        return self.client.open(path, method=method, base_url=BASE_URL, **kwargs)

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.open("GET", path, **kwargs)

    def post(self, path: str, data: Any = None, **kwargs: Any) -> TestResponse:
        """Send a form as the page it stands on would: with its token and origin."""
        origin = self.portal.app.extensions["mfa_gate"].settings.origin
        headers = {"Origin": origin, **kwargs.pop("headers", {})}
        return self.open("POST", path, data=data, headers=headers, **kwargs)

    def step(self, step: str, **fields: str) -> TestResponse:
        """Send the form of one of the gate's pages."""
        return self.post(f"/mfa/{step}", {"csrf_token": self.token, **fields})

    def api(self, method: str, path: str, json: Any = None, **kwargs: Any) -> TestResponse:
        headers = {**JSON, **kwargs.pop("headers", {})}
        if method != "GET":
            headers.setdefault("X-MFA-CSRF", self.token)
        return self.open(method, f"/mfa/api/v1/{path}", json=json, headers=headers, **kwargs)

    @property
    def token(self) -> str:
        """The CSRF token of this sign-in, "" without one."""
        state = self.open("GET", "/mfa/api/v1/session", headers=JSON).json
        return (state or {}).get("csrf_token") or ""

    @property
    def state(self) -> str:
        return str(self.open("GET", "/mfa/api/v1/session", headers=JSON).json["state"])

    def password(self, account: str = "anne", password: str | None = None) -> TestResponse:
        """Type a user name and a password (by default the right one) at the portal's login."""
        return self.post("/login", {"email": account, "password": password or self.portal.passwords.get(account, "?")})

    def sign_in(self, secret: str, account: str = "anne") -> TestResponse:
        """Password and the code of this moment; the answer to the code."""
        self.password(account)
        return self.step("challenge", code=self.portal.code(secret))

    def activate(self, account: str = "anne") -> TestResponse:
        """Password and a fresh activation code; the answer to the latter."""
        code = self.portal.activation_code(account)
        self.password(account)
        return self.step("activate", code=code)

    def add_key(
        self, key: SoftwareKey | None = None, label: str = "Key", tampered: Tampered = UNTAMPERED
    ) -> TestResponse:
        """Enrol a security key where this browser stands, over the API; the answer to the credential."""
        begun = self.api("POST", "webauthn/enrol/begin")
        if begun.status_code != 200:
            return begun
        made = (key or SoftwareKey(BASE_URL)).register(begun.json, tampered)
        return self.api("POST", "webauthn/enrol/complete", {**made, "label": label})

    def prove(self, key: SoftwareKey, tampered: Tampered = UNTAMPERED) -> TestResponse:
        """Prove by a security key where this browser stands, over the API; the answer to the assertion."""
        begun = self.api("POST", "webauthn/verify/begin")
        if begun.status_code != 200:
            return begun
        return self.api("POST", "webauthn/verify/complete", key.assert_(begun.json, tampered))

    def begin_enrolment(self) -> dict[str, str]:
        """Begin to enrol an authenticator app; what is handed over."""
        answer: dict[str, str] = self.api("POST", "totp/enrol/begin").json
        return answer

    def confirm(self, begun: dict[str, str]) -> TestResponse:
        """Complete the enrolment of an authenticator app by its code of now, over the API; the answer to the code."""
        body = {"enrolment": begun["enrolment"], "code": self.portal.code(begun["secret"])}
        return self.api("POST", "totp/enrol/complete", body)

    @property
    def gate_cookie(self) -> str | None:
        name = self.portal.app.extensions["mfa_gate"].settings.cookie_name
        cookie = self.client.get_cookie(name, domain="portal.example")
        return cookie.value if cookie else None

    @gate_cookie.setter
    def gate_cookie(self, value: str) -> None:
        name = self.portal.app.extensions["mfa_gate"].settings.cookie_name
        self.client.set_cookie(name, value, domain="portal.example", secure=True)

    def on(self, portal: Portal) -> Browser:
        """The same browser, answered by another worker (or after a restart)."""
        other = portal.browser(self.address)
        other.client._cookies = dict(self.client._cookies)  # type: ignore[attr-defined]
        return other

    def copy(self, address: str | None = None) -> Browser:
        """A second browser with the same cookies: a thief's, or another tab's."""
        other = self.portal.browser(address or self.address)
        other.client._cookies = dict(self.client._cookies)  # type: ignore[attr-defined]
        return other


class Compiled(BytecodeCache):
    """Templates as the first portal of this process has compiled them: each test makes a portal."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compiled()
_BUILDERS: dict[tuple[object, ...], Any] = {}
_compile_builder = Rule._compile_builder


def _builder(rule: Rule, append_unknown: bool = True) -> Any:
    """What makes the URLs of a rule, compiled once for all portals of this process: it took most of making a portal."""
    key = (rule.rule, str(rule._trace), str(rule.defaults), str(sorted(rule.arguments)), append_unknown)
    if key not in _BUILDERS:
        _BUILDERS[key] = _compile_builder(rule, append_unknown)
    return _BUILDERS[key]


Rule._compile_builder = _builder  # type: ignore[method-assign]
_SQL: dict[str, tuple[Any, Any]] = {}


def keep_sql(engine: Any) -> None:
    """Have an engine that has connected take each statement as the first portal of this process has compiled it."""
    engine.dialect, engine._compiled_cache = _SQL.setdefault(
        engine.dialect.name, (engine.dialect, engine._compiled_cache)
    )


def make_portal(
    database_url: str,
    folder: Path,
    clock: Clock | None = None,
    *,
    limits: LimitPolicy | None = None,
    attestation: AttestationPolicy | None = None,
    policy: Policy | None = None,
    desk: DeskPolicy | None = None,
    network_of: Callable[[str], str | None] | None = None,
    risk: RiskPolicy | None = None,
    netinfo: NetInfo | None = None,
    leaked: Leaked | None = None,
    harvest: HarvestPolicy | None = None,
    **config: Any,
) -> Portal:
    """The portal, on a store whose tables are there already."""
    app = Flask("portal", instance_path=str(folder))
    app.jinja_options = {**app.jinja_options, "bytecode_cache": COMPILED}
    app.config.update(
        SECRET_KEY="portal",
        TESTING=True,
        MFA_GATE_BASE_URL=BASE_URL,
        MFA_GATE_KEYS=KEYS,
        MFA_GATE_DATABASE_URL=database_url,
        MFA_GATE_NAME="Portail",
    )
    app.config.update(config)
    people = {
        "anne": Account("anne", "Anne Martin", "anne@portal.example", group="pharmacist", locale="fr"),
        "bob": Account("bob", "Bob Stone", "bob@portal.example", group="doctor", locale="en"),
    }
    gate = MFAGate(
        app,
        clock=clock or Clock(),
        limits=limits,
        attestation=attestation,
        policy=policy,
        desk=desk,
        network_of=network_of,
        risk=risk or REPORTED,
        netinfo=netinfo,
        leaked=leaked,
        harvest=harvest,
    )
    keep_sql(app.extensions["mfa_gate"].services.store._engine)
    portal = Portal(app, gate, gate_clock(gate), people, {"anne": "pw-anne", "bob": "pw-bob"})
    add_callbacks(portal)
    add_views(portal)
    return portal


MakePortal = Callable[..., Portal]  # the fixture `make`: another portal on the store of this test


def gate_clock(gate: MFAGate) -> Clock:
    clock = gate.clock
    assert isinstance(clock, Clock)
    return clock


def add_callbacks(portal: Portal) -> None:
    gate = portal.gate

    @gate.account_loader
    def load(account_id: str) -> Account | None:
        return portal.people.get(account_id)

    @gate.signed_in
    def open_session(account: Account) -> None:
        session["user"] = account.id
        portal.opened.append(account.id)

    @gate.identity
    def signed_in_account() -> str | None:
        return session.get("user")


def add_views(portal: Portal) -> None:
    app, gate = portal.app, portal.gate

    @app.get("/login")
    @gate.public
    def login_page() -> str:
        return "login page"

    @app.post("/login")
    @gate.first_factor(username="email")
    def login() -> Any:
        sent = request.get_json() if request.is_json else request.form
        name, password = sent.get("email"), sent.get("password")
        if isinstance(name, str) and portal.passwords.get(name) == password:
            return gate.sign_in(portal.people[name])
        return "wrong", 401

    @app.get("/")
    def home() -> str:
        return f"home of {gate.session.account_id}"

    @app.get("/patients/<nir>")
    def patient(nir: str) -> str:
        return f"record {nir}"

    @app.route("/bank", methods=["GET", "POST"])
    @gate.require(Level.MFA, max_age=timedelta(minutes=10))
    def bank() -> str:
        return f"bank {request.form.to_dict(flat=False)}" if request.method == "POST" else "bank form"

    @app.route("/safe", methods=["GET", "POST"])
    @gate.require(Level.PHISHING_RESISTANT, max_age=timedelta(minutes=10))
    def safe() -> str:
        return f"safe {request.form.to_dict()}" if request.method == "POST" else "safe form"

    @app.get("/open")
    @gate.public
    def public() -> str:
        return render_template_string("open to {{ session.get('user') }} {{ who }}", who=gate.session.account_id)

    @app.post("/logout")
    def logout() -> str:
        session.clear()
        gate.sign_out()
        return "bye"


def hidden(answer: TestResponse, name: str) -> str:
    """The value of a hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found is not None, f"no field {name} on the page"
    return found.group(1)


def stored(portal: Portal) -> dict[str, list[tuple[Any, ...]]]:
    """All that the gate's store holds, table by table."""
    engine = create_engine(portal.app.config["MFA_GATE_DATABASE_URL"])
    try:
        with engine.connect() as connection:
            tables = [name for name in inspect(engine).get_table_names() if name.startswith("mfa_")]
            return {name: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}"))] for name in tables}  # noqa: S608
    finally:
        engine.dispose()
