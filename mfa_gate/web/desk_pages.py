"""The pages of the help desk: guarded as any view of the portal's, by a key, and closed without a role."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Blueprint, Response, make_response, request

from ..account import Account
from ..audit.event_kinds import KINDS
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
from ..flows import Case, Issued, UnknownAccount
from ..harvest import REASONS as READING
from ..reads.reports import Breach
from ..risk.reasons import REASONS
from ..staff import LEAST, Role
from ..store.alerts import AlertRow
from ..store.desk_staff import RequestRow
from . import answers, inputs, steps
from .answers import page
from .chart import chart
from .language import ago, choose, date_of, long_date
from .letters import Letter, render, write_private
from .notice_texts import moment
from .report_summary import table_of
from .request_context import Visitor, visitor

DESK: Final = "mfa_gate_desk"
SAID_AGAIN = (InvalidRequest, NotFound, NotPermitted, ReasonMissing, RequestGone, UnknownToDesk)
# in the order in which they stand on the page
ACTS: Final = ("close", "lift", "letter", "ask", "end_sessions", "lock", "unlock", "allow", "report", "reset")


def blueprint(url_prefix: str) -> Blueprint:
    """The desk's pages; whoever registers them has the guard ask for a key first."""
    made = Blueprint(DESK, __name__, url_prefix=f"{url_prefix}/desk")
    made.add_url_rule("", "home", home, methods=["GET", "POST"])
    made.add_url_rule("/accounts/<subject>", "account", account, methods=["GET", "POST"])
    made.add_url_rule("/staff", "staff", staff, methods=["GET", "POST"])
    made.register_error_handler(Refusal, answers.refuse)
    made.register_error_handler(Exception, answers.closed)
    return made


def home() -> Response:
    """Find an account; what waits for a second person."""
    here = visitor()
    if request.method != "POST":
        return _home_page(here)
    fields = inputs.read(request, here, "action", "account", "request")
    desk = here.parts.desk
    try:
        match fields.get("action"):
            case "find":
                return _go(here, f"/accounts/{desk.find(here.visit, steps.needed(fields, 'account')).subject}")
            case "approve":
                desk.approve(here.visit, steps.needed(fields, "request"))
            case "decline":
                desk.decline(here.visit, steps.needed(fields, "request"))
            case _:
                raise InvalidRequest
    except SAID_AGAIN as refusal:
        return _home_page(here, refusal, typed=fields.get("account", ""))
    return _go(here)


def _home_page(here: Visitor, refusal: Refusal | None = None, **values: Any) -> Response:
    desk = here.parts.desk
    me = desk.staff(here.visit)
    rows = [_request(here, me.account, row) for row in desk.requests(here.visit)]
    locale = _locale(here, me.account)
    alerts = [{"whose": _name(here, whose), **_alert(row, locale)} for row, whose in desk.alerts(here.visit)]
    shown = {
        "role": me.role,
        "alerts": alerts,
        "requests": rows,
        "approves": me.role >= LEAST["approve"],
        "typed": "",
        **values,
    }
    return _desk_page("desk", here, me.account, refusal, **shown)


def account(subject: str) -> Response:
    """One account: its state and history, and what may be done."""
    here = visitor()
    desk = here.parts.desk
    account_id = desk.named(here.visit, subject)
    if request.method != "POST":
        return _account_page(here, account_id, done=_done(request.args.get("done")))
    fields = inputs.read(request, here, "action", "reason", "request", "seen", "records", "days")
    action, reason = fields.get("action", ""), fields.get("reason")
    acts: Mapping[str, Callable[[], Any]] = {
        "close": lambda: desk.close(here.visit, account_id, reason, _seen(fields.get("seen"))),
        "lift": lambda: desk.lift(here.visit, account_id, reason),
        "allow": lambda: desk.allow(
            here.visit, account_id, reason, _number(fields.get("records")), _number(fields.get("days"))
        ),
        "letter": lambda: desk.letter(here.visit, account_id, reason, lambda issued: _write_letter(here, issued)),
        "ask": lambda: desk.ask(here.visit, account_id, reason),
        "end_sessions": lambda: desk.end_sessions(here.visit, account_id, reason),
        "lock": lambda: desk.lock(here.visit, account_id, reason),
        "unlock": lambda: desk.unlock(here.visit, account_id, reason),
        "reset": lambda: desk.reset(here.visit, account_id, reason),
    }
    try:
        if action == "speak":
            issued = desk.speak(here.visit, steps.needed(fields, "request"))
            return _desk_page("desk_code", here, desk.staff(here.visit).account, issued=issued, subject=subject)
        if action == "report":
            return _list_of(desk.report(here.visit, account_id, reason), subject)
        if action not in acts:
            raise InvalidRequest
        acts[action]()
    except SAID_AGAIN as refusal:
        return _account_page(here, account_id, refusal, tried=action, reason=reason)
    return _go(here, f"/accounts/{subject}?done={action}")


def _account_page(here: Visitor, account_id: str, refusal: Refusal | None = None, **values: Any) -> Response:
    desk = here.parts.desk
    me, case = desk.staff(here.visit), _case(here, account_id)
    policy, now = desk.policy, here.parts.house.clock()
    on = {"letter": policy is not None and policy.letters is not None, "ask": policy is not None and policy.spoken}
    reading = desk.habits(here.visit, account_id)
    on |= {"close": bool(case.alerts), "lift": reading.stopped is not None}
    acts = [act for act in ACTS if me.role >= LEAST[act] and on.get(act, True) and act != _idle(case)]
    waiting = next((row for row in desk.requests(here.visit, account_id) if row.verb == "spoken"), None)
    locale = _locale(here, me.account)
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
        "waiting": _request(here, me.account, waiting) if waiting else None,
        "done": None,
        "tried": None,
        "reason": None,
        "history": [{"when": moment(one.at, locale), "row": one, "says": _says(one.kind)} for one in case.history],
        "methods": answers.METHOD_NAMES,
        **values,
    }
    return _desk_page("desk_account", here, me.account, refusal, ago=lambda at: ago(now - at, locale), **shown)


def _case(here: Visitor, account_id: str) -> Case:
    try:
        return here.parts.desk.case(here.visit, account_id)
    except UnknownAccount:
        raise UnknownToDesk from None


def _idle(case: Case) -> str:
    """The act that would change nothing."""
    return "lock" if case.locked else "unlock"


def _says(kind: str) -> str:
    return KINDS[kind].says if kind in KINDS else kind


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


def _list_of(found: Breach, subject: str) -> Response:
    """Whom an account has read, as a file of whoever asked for it."""
    made = answers.secured(make_response(table_of(found.persons), 200))
    made.mimetype = "text/csv"
    made.headers["Content-Disposition"] = f'attachment; filename="reads-{subject}.csv"'
    return made


def _number(text: str | None) -> int:
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 6:
        raise InvalidRequest
    return int(text)


def _seen(text: str | None) -> float:
    """When the latest alert that a page showed happened."""
    try:
        return float(text or "")
    except ValueError:
        raise InvalidRequest from None


def _done(action: str | None) -> str | None:
    return action if action in ACTS else None


def _write_letter(here: Visitor, issued: Issued) -> Callable[[], None]:
    """A letter in the folder of whoever prints them: its name says the day and nothing of the account.

    Returns:
        What removes it again.
    """
    policy = here.parts.desk.policy
    if policy is None or policy.letters is None:
        raise NotFound
    address = tuple(map(str, policy.address(issued.account))) if policy.address else ()
    text = render(here.parts, Letter(issued.account, address, issued.code, issued.ends_at))
    policy.letters.mkdir(mode=0o700, parents=True, exist_ok=True)
    day = date_of(here.parts.house.clock()).isoformat()
    file = policy.letters / f"{day}-{secrets.token_hex(8)}.html"
    write_private(file, text)
    return lambda: file.unlink(missing_ok=True)


def staff() -> Response:
    """Who works at the desk; roles given and taken away."""
    here = visitor()
    if request.method != "POST":
        return _staff_page(here)
    fields = inputs.read(request, here, "action", "account", "role", "reason")
    desk, reason = here.parts.desk, fields.get("reason")
    try:
        match fields.get("action"):
            case "grant":
                found = desk.find(here.visit, steps.needed(fields, "account"))
                desk.grant(here.visit, found.account.id, _role(fields.get("role")), reason)
            case "revoke":
                desk.revoke(here.visit, steps.needed(fields, "account"), reason)
            case _:
                raise InvalidRequest
    except SAID_AGAIN as refusal:
        return _staff_page(here, refusal, typed=fields.get("account", ""), tried=fields.get("action"))
    return _go(here, "/staff")


def _role(name: str | None) -> Role:
    role = Role.__members__.get(name or "")
    if role is None:
        raise InvalidRequest
    return role


def _staff_page(here: Visitor, refusal: Refusal | None = None, **values: Any) -> Response:
    me = here.parts.desk.staff(here.visit, "grant")
    rows = [
        {"id": row.account_id, "name": _name(here, row.account_id), "role": Role(row.role), "since": row.since}
        for row in here.parts.desk.everybody()
    ]
    locale = _locale(here, me.account)
    shown = {"staff": rows, "own_id": me.account.id, "roles": [role for role in Role if role <= me.role]}
    return _desk_page(
        "desk_staff",
        here,
        me.account,
        refusal,
        day=lambda at: long_date(date_of(at), locale),
        **{**shown, "typed": "", "tried": None, **values},
    )


def _request(here: Visitor, me: Account, row: RequestRow) -> dict[str, Any]:
    """A request with the names of its people."""
    return {
        "id": row.id,
        "wanted": json.loads(row.data) if row.data else None,
        "reason": row.reason,
        "whose": _name(here, row.account_id),
        "asker": _name(here, row.asked_by),
        "mine": row.asked_by == me.id,
        "about_me": row.account_id == me.id,
        "approved": row.approved_by is not None,
    }


def _name(here: Visitor, account_id: str) -> str:
    found = here.parts.portal.load(account_id)
    return found.name if found else account_id


def _locale(here: Visitor, me: Account) -> str:
    return choose(here.parts.settings, me.locale, request)


def _go(here: Visitor, path: str = "") -> Response:
    return answers.go(answers.gate_path(here.parts, f"desk{path}"))


def _desk_page(name: str, here: Visitor, me: Account, refusal: Refusal | None = None, **values: Any) -> Response:
    status = refusal.status if refusal else 200
    error = answers.said(refusal, me) if refusal else None
    return page(name, status, me, mfa_csrf=here.csrf_token, **{**values, "error": error})
