"""A factor that the package does not have: a badge with a number, off by default. It shows what a new factor needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from flask import request
from jinja2 import ChoiceLoader, DictLoader

from mfa_gate import Level
from mfa_gate.assurance import Proof
from mfa_gate.exc import WrongCode, WrongState
from mfa_gate.factors.registry import Factor, Method, Route, register, unregister
from mfa_gate.flows import FACTOR_FLOWS, ClientContext, Elevated, FactorFlow
from mfa_gate.limits.limiter import Scope
from mfa_gate.store import Transaction, authenticators
from mfa_gate.web import answers, inputs, steps
from mfa_gate.web.factors import FACES
from mfa_gate.web.factors.face import Face
from mfa_gate.web.request_context import RequestContext, request_context
from tests.support.portal import Portal

BADGE: Final = Factor(
    "badge",
    (Method("sc", "possession", Level.MFA),),
    "mfa_authenticators",
    (Route("/badge/verify", "verifyBadge", "Second factor by a badge", "Code", "Passed"),),
    "badge.html",
    on_by_default=False,
)
NUMBER: Final = "4711"
TEMPLATE: Final = """
{% import "mfa_gate/parts.html" as parts with context %}
{% macro title(step_up) %}Hold your badge{% endmacro %}
{% macro lead(step_up) %}Your badge shows that it is you.{% endmacro %}
{% macro form(first, failed, focus) %}
<form method="post" action="{{ urls.challenge }}">{{ parts.csrf() }}{{ parts.carried("badge") }}
<input id="badge" name="code"><button>Go</button></form>
{% endmacro %}
{% macro questions(first, failed) %}{% endmacro %}
{% macro enrol() %}<section>badge</section>{% endmacro %}
"""


class BadgeFlow(FactorFlow):
    factor: ClassVar[Factor] = BADGE
    sealed_anew: ClassVar[list[int]] = []

    def verify(self, client: ClientContext, code: str) -> Elevated:
        session, account = self.open_ceremony(client)
        with self.services.store.begin() as tx:
            own = [row for row in authenticators.of_account(tx, account.id) if row.method == "sc"]
            if not own:
                raise WrongState
            self.fits_risk(tx, session, "sc")
            subject = self.subject_in(tx, account.id)
            attempt = self.services.limiter.count(tx, self.counters(tx, account.id, subject), self.services.clock())
        with self.recording_failure("second_factor", client, subject, "sc"):
            if code != NUMBER:
                raise WrongCode
            with self.services.store.begin() as tx:
                row = self.lock_row(tx, session)
                proof = Proof("sc", self.services.clock(), own[0].id)
                return self.proven_again(tx, client, account, row, proof, None, attempt)

    def seal_anew(self, tx: Transaction) -> int:
        self.sealed_anew.append(1)
        return 1

    def broken(self, tx: Transaction) -> list[str]:
        return ["a badge"]

    def counters(self, tx: Transaction, account_id: str, subject: str) -> list[Scope]:
        return [Scope("code", f"badge {subject}")]


def _prove(context: RequestContext, fields: dict[str, str]) -> None:
    flow: Any = context.parts.factors["badge"]
    steps.elevate(context, flow.verify(context.client, steps.needed(fields, "code")))


def _verify() -> Any:
    context = request_context()
    _prove(context, inputs.read(request, context, "code"))
    return answers.passed(context)


@contextmanager
def badge() -> Iterator[None]:
    """The factor is registered meanwhile, before any app is made."""
    register(BADGE)
    FACTOR_FLOWS["badge"] = BadgeFlow
    FACES["badge"] = Face(BADGE, ("code",), _prove, (_verify,))
    try:
        yield
    finally:
        unregister("badge")
        del FACTOR_FLOWS["badge"], FACES["badge"]
        BadgeFlow.sealed_anew.clear()


def gives_badge(portal: Portal, account: str = "anne") -> None:
    """Give an account a badge, and the portal its template."""
    app: Any = portal.app
    app.jinja_loader = ChoiceLoader([DictLoader({"mfa_gate/factors/badge.html": TEMPLATE}), app.jinja_loader])
    browser = portal.browser()
    browser.password(account)  # the gate has met the account
    portal.sql(
        "INSERT INTO mfa_authenticators (id, account_id, method, label, created_at) "
        "VALUES (:id, :account, 'sc', '', 0)",
        id="b" * 32,
        account=account,
    )
