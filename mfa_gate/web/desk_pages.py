"""The pages of the help desk: guarded as any view of the portal's, by a key, and closed without a role."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Blueprint, Response, make_response, request

from ..account import Account
from ..audit.event_kinds import EVENT_KINDS
from ..durations import DAY
from ..exc import (
    InvalidRequest,
    NotFound,
    NotPermitted,
    ReasonMissing,
    Refusal,
    RequestGone,
    UnknownToDesk,
)
from ..factors.registry import factor_of
from ..flows import AccountView, IssuedCode, UnknownAccount
from ..harvest import REASONS as READING
from ..reads.reports import BreachReport
from ..risk.reasons import REASONS
from ..staff import LEAST_ROLE, Role
from ..store.alerts import AlertRow
from ..store.desk_staff import RequestRow
from . import answers, inputs, steps
from .answers import page
from .chart import chart
from .language import ago, choose, date_of, long_date
from .letters import Letter, render, write_private
from .notice_texts import moment
from .report_summary import table_of
from .request_context import RequestContext, request_context

DESK: Final = "mfa_gate_desk"
SAID_AGAIN = (InvalidRequest, NotFound, NotPermitted, ReasonMissing, RequestGone, UnknownToDesk)
# in the order in which they stand on the page
ACTS: Final = ("close", "lift", "letter", "ask", "end_sessions", "lock", "unlock", "allow", "report", "reset")


def blueprint(url_prefix: str) -> Blueprint:
    """The desk's pages, which the guard protects by a key like views of the portal."""
    made = Blueprint(DESK, __name__, url_prefix=f"{url_prefix}/desk")
    made.add_url_rule("", "home", home, methods=["GET", "POST"])
    made.add_url_rule("/accounts/<subject>", "account", account, methods=["GET", "POST"])
    made.add_url_rule("/staff", "staff", staff, methods=["GET", "POST"])
    made.register_error_handler(Refusal, answers.refuse)
    made.register_error_handler(Exception, answers.closed)
    return made


def home() -> Response:
    """Find an account; what waits for a second person."""
    context = request_context()
    if request.method != "POST":
        return _home_page(context)
    fields = inputs.read(request, context, "action", "account", "request")
    desk = context.parts.desk
    try:
        match fields.get("action"):
            case "find":
                return _go(context, f"/accounts/{desk.find(context.client, steps.needed(fields, 'account')).subject}")
            case "approve":
                desk.approve(context.client, steps.needed(fields, "request"))
            case "decline":
                desk.decline(context.client, steps.needed(fields, "request"))
            case _:
                raise InvalidRequest
    except SAID_AGAIN as refusal:
        return _home_page(context, refusal, typed=fields.get("account", ""))
    return _go(context)


def _home_page(context: RequestContext, refusal: Refusal | None = None, **values: Any) -> Response:
    desk = context.parts.desk
    me = desk.staff(context.client)
    rows = [_request(context, me.account, row) for row in desk.requests(context.client)]
    locale = _locale(context, me.account)
    listed = desk.alerts(context.client, _page(request.args.get("page")))
    alerts = [{"name": _name(context, account_id), **_alert(row, locale)} for row, account_id in listed.rows]
    shown = {
        "role": me.role,
        "alerts": alerts,
        "page": listed.number,
        "pages": listed.pages,
        "requests": rows,
        "approves": me.role >= LEAST_ROLE["approve"],
        "typed": "",
        **values,
    }
    return _desk_page("desk", context, me.account, refusal, **shown)


def account(subject: str) -> Response:
    """One account: its state and history, and what may be done."""
    context = request_context()
    desk = context.parts.desk
    account_id = desk.named(context.client, subject)
    if request.method != "POST":
        return _account_page(context, account_id, done=_done(request.args.get("done")))
    fields = inputs.read(request, context, "action", "reason", "request", "seen", "records", "days")
    action, reason = fields.get("action", ""), fields.get("reason")
    acts: Mapping[str, Callable[[], Any]] = {
        "close": lambda: desk.close(context.client, account_id, reason, _seen(fields.get("seen"))),
        "lift": lambda: desk.lift(context.client, account_id, reason),
        "allow": lambda: desk.allow(
            context.client, account_id, reason, _number(fields.get("records")), _number(fields.get("days"))
        ),
        "letter": lambda: desk.letter(
            context.client, account_id, reason, lambda issued: _write_letter(context, issued)
        ),
        "ask": lambda: desk.ask(context.client, account_id, reason),
        "end_sessions": lambda: desk.end_sessions(context.client, account_id, reason),
        "lock": lambda: desk.lock(context.client, account_id, reason),
        "unlock": lambda: desk.unlock(context.client, account_id, reason),
        "reset": lambda: desk.reset(context.client, account_id, reason),
    }
    try:
        if action == "speak":
            issued = desk.speak(context.client, steps.needed(fields, "request"))
            return _desk_page("desk_code", context, desk.staff(context.client).account, issued=issued, subject=subject)
        if action == "report":
            return _list_of(desk.report(context.client, account_id, reason), subject)
        if action not in acts:
            raise InvalidRequest
        acts[action]()
    except SAID_AGAIN as refusal:
        return _account_page(context, account_id, refusal, tried=action, reason=reason)
    return _go(context, f"/accounts/{subject}?done={action}")


def _account_page(context: RequestContext, account_id: str, refusal: Refusal | None = None, **values: Any) -> Response:
    desk = context.parts.desk
    me, case = desk.staff(context.client), _case(context, account_id)
    policy, now = desk.policy, context.parts.services.clock()
    on = {"letter": policy is not None and policy.letters is not None, "ask": policy is not None and policy.spoken}
    reading = desk.habits(context.client, account_id)
    on |= {"close": bool(case.alerts), "lift": reading.stopped is not None}
    acts = [act for act in ACTS if me.role >= LEAST_ROLE[act] and on.get(act, True) and act != _idle(case)]
    waiting = next((row for row in desk.requests(context.client, account_id) if row.verb == "spoken"), None)
    locale = _locale(context, me.account)
    shown: dict[str, Any] = {
        "case": case,
        "own": account_id == me.account.id,
        "acts": acts,
        "reading": reading,
        "chart": chart(reading.by_day, reading.usual, reading.limit),
        "day": lambda number: long_date(date_of(number * DAY), locale),
        "why_stopped": READING.get(reading.stopped or ""),
        "alerts": [_alert(row, locale) for row in case.alerts],
        "seen": repr(max((row.last_at for row in case.alerts), default=0.0)),
        "waiting": _request(context, me.account, waiting) if waiting else None,
        "done": None,
        "tried": None,
        "reason": None,
        "history": [{"when": moment(one.at, locale), "row": one, "says": _says(one.kind)} for one in case.history],
        "factor_of": factor_of,
        **values,
    }
    return _desk_page("desk_account", context, me.account, refusal, ago=lambda at: ago(now - at, locale), **shown)


def _case(context: RequestContext, account_id: str) -> AccountView:
    try:
        return context.parts.desk.case(context.client, account_id)
    except UnknownAccount:
        raise UnknownToDesk from None


def _idle(case: AccountView) -> str:
    """The act that would change nothing."""
    return "lock" if case.locked else "unlock"


def _says(kind: str) -> str:
    return EVENT_KINDS[kind].says if kind in EVENT_KINDS else kind


def _alert(row: AlertRow, locale: str) -> dict[str, Any]:
    """An alert with its sentences, and those of its latest reasons."""
    data, known = json.loads(row.data), {**REASONS, **READING}
    reasons = [known[code] for code in data.get("reasons", ()) if code in known]
    return {
        "subject": row.subject,
        "says": _says(row.kind),
        "times": row.times,
        "first": moment(row.first_at, locale),
        "last": moment(row.last_at, locale),
        "reasons": reasons,
        "records": data.get("records"),
    }


def _list_of(found: BreachReport, subject: str) -> Response:
    """Whom an account has read, as a file for download."""
    made = answers.secured(make_response(table_of(found.persons), 200))
    made.mimetype = "text/csv"
    made.headers["Content-Disposition"] = f'attachment; filename="reads-{subject}.csv"'
    return made


def _number(text: str | None) -> int:
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 6:
        raise InvalidRequest
    return int(text)


def _page(text: str | None) -> int:
    """Which page of a list is asked for; the first for what is none."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 7 and int(text) else 1


def _seen(text: str | None) -> float:
    """When the latest alert that a page showed happened."""
    try:
        return float(text or "")
    except ValueError:
        raise InvalidRequest from None


def _done(action: str | None) -> str | None:
    return action if action in ACTS else None


def _write_letter(context: RequestContext, issued: IssuedCode) -> Callable[[], None]:
    """A letter in the folder for printing: its name says the day and nothing of the account.

    Returns:
        What removes it again.
    """
    policy = context.parts.desk.policy
    if policy is None or policy.letters is None:
        raise NotFound
    address = tuple(map(str, policy.address(issued.account))) if policy.address else ()
    text = render(context.parts, Letter(issued.account, address, issued.code, issued.ends_at))
    policy.letters.mkdir(mode=0o700, parents=True, exist_ok=True)
    day = date_of(context.parts.services.clock()).isoformat()
    file = policy.letters / f"{day}-{secrets.token_hex(8)}.html"
    write_private(file, text)
    return lambda: file.unlink(missing_ok=True)


def staff() -> Response:
    """Who works at the desk; roles given and taken away."""
    context = request_context()
    if request.method != "POST":
        return _staff_page(context)
    fields = inputs.read(request, context, "action", "account", "role", "reason")
    desk, reason = context.parts.desk, fields.get("reason")
    try:
        match fields.get("action"):
            case "grant":
                found = desk.find(context.client, steps.needed(fields, "account"))
                desk.grant(context.client, found.account.id, _role(fields.get("role")), reason)
            case "revoke":
                desk.revoke(context.client, steps.needed(fields, "account"), reason)
            case _:
                raise InvalidRequest
    except SAID_AGAIN as refusal:
        return _staff_page(context, refusal, typed=fields.get("account", ""), tried=fields.get("action"))
    return _go(context, "/staff")


def _role(name: str | None) -> Role:
    role = Role.__members__.get(name or "")
    if role is None:
        raise InvalidRequest
    return role


def _staff_page(context: RequestContext, refusal: Refusal | None = None, **values: Any) -> Response:
    me = context.parts.desk.staff(context.client, "grant")
    rows = [
        {"id": row.account_id, "name": _name(context, row.account_id), "role": Role(row.role), "since": row.since}
        for row in context.parts.desk.everybody()
    ]
    locale = _locale(context, me.account)
    shown = {"staff": rows, "own_id": me.account.id, "roles": [role for role in Role if role <= me.role]}
    return _desk_page(
        "desk_staff",
        context,
        me.account,
        refusal,
        day=lambda at: long_date(date_of(at), locale),
        **{**shown, "typed": "", "tried": None, **values},
    )


def _request(context: RequestContext, me: Account, row: RequestRow) -> dict[str, Any]:
    """A request with the names of its people."""
    return {
        "id": row.id,
        "wanted": json.loads(row.data) if row.data else None,
        "reason": row.reason,
        "name": _name(context, row.account_id),
        "asker": _name(context, row.asked_by),
        "mine": row.asked_by == me.id,
        "about_me": row.account_id == me.id,
        "approved": row.approved_by is not None,
    }


def _name(context: RequestContext, account_id: str) -> str:
    found = context.parts.portal.load(account_id)
    return found.name if found else account_id


def _locale(context: RequestContext, me: Account) -> str:
    return choose(context.parts.settings, me.locale, request)


def _go(context: RequestContext, path: str = "") -> Response:
    return answers.go(answers.gate_path(context.parts, f"desk{path}"))


def _desk_page(
    name: str, context: RequestContext, me: Account, refusal: Refusal | None = None, **values: Any
) -> Response:
    status = refusal.status if refusal else 200
    error = answers.said(refusal, me) if refusal else None
    return page(name, status, me, mfa_csrf=context.csrf_token, **{**values, "error": error})
