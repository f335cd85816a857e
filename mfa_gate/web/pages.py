"""The pages: server-rendered, whole without script. Each redirects a session that is at another step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, request

from ..account import Account
from ..assurance import ACR, Requirement
from ..exc import (
    EnrolmentGone,
    InvalidRequest,
    LastAuthenticator,
    LiftRequired,
    MethodNotEnough,
    NoMethod,
    NotFound,
    ReadQuotaReached,
    Refusal,
    SignInRequired,
    StepUpRequired,
    TooManyAttempts,
    TooUnusual,
    WrongAssertion,
    WrongCode,
    WrongState,
)
from ..flows import BegunTOTP, Progress
from ..levels import Level
from . import answers, inputs, sealed_form, steps, targets
from .answers import go, page, said
from .factors import FACES
from .language import ago, choose, date_of, long_date
from .offered import asked_at, fitting_methods, offered, sent, stop_of
from .request_context import RequestContext, request_context

RETRY = (WrongCode, WrongAssertion, TooManyAttempts, InvalidRequest, MethodNotEnough)


def challenge() -> Response:
    """The second factor: completes a sign-in, or proves again."""
    context = request_context()
    if request.method == "POST":
        return _prove(context)
    progress = _progress(context)
    if progress.state not in ("pending", "signed_in"):
        return _to_step(progress)
    methods, level = offered(context, progress)
    return challenge_page(context, progress, methods, level=level)


def _prove(context: RequestContext) -> Response:
    try:
        fields = _read_proof(context)
    except (SignInRequired, WrongState) as late:
        if not steps.leads_on(context, _sent_proof):
            if isinstance(late, SignInRequired):
                raise
            return _to_step(_progress(context))
        fields = inputs.body(request)
    except RETRY as refusal:
        progress, tried = _progress(context), sent("method") or "totp"
        methods, level = offered(context, progress)
        sealed = sent("sealed_form")
        return challenge_page(context, progress, methods, refusal=refusal, sealed=sealed, level=level, tried=tried)
    assert context.session is not None  # noqa: S101  (it was just elevated)
    form = sealed_form.unseal(context.parts, fields.get("sealed_form"), context.session)
    if form is None:
        return onward(context)
    action = targets.absolute(context.parts.settings, form.path)
    return page("resume", account=_account(context), action=action, fields=form.fields)


def _read_proof(context: RequestContext) -> dict[str, str]:
    """Verify what the form of a factor carries; its fields."""
    own = {name for face in FACES.values() for name in face.fields}
    fields = inputs.read(request, context, "method", "sealed_form", "acr_values", *own)
    method = fields.get("method", "totp")
    face = FACES.get(method)
    if face is None:
        raise InvalidRequest
    if context.session_level >= Level.MFA and _is_in_vain(context, method):
        raise MethodNotEnough
    if face.sent is None or not steps.repeats(context, face.sent(fields), asked_at(context, fields)):
        face.prove(context, fields)
    return fields


def _sent_proof(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """What is sent by the form of a factor."""
    face = FACES.get(fields.get("method", "totp"))
    if face is None or face.sent is None:
        raise InvalidRequest
    return face.sent(fields)


def _is_in_vain(context: RequestContext, method: str) -> bool:
    """Whether a proof, of a page that stands open still, would leave stopped what it was asked for."""
    progress = _progress(context)
    if not isinstance(stop_of(context, progress), LiftRequired):
        return False
    methods, _ = offered(context, progress)
    return bool(methods) and method not in methods


def challenge_page(
    context: RequestContext,
    progress: Progress,
    methods: tuple[str, ...],
    *,
    refusal: Refusal | None = None,
    sealed: str | None = None,
    tried: str | None = None,
    level: Level = Level.MFA,
    status: int = 200,
) -> Response:
    """Ask for a proof of a level; with `sealed`, the form that will be sent after it."""
    step_up = progress.state == "signed_in"
    unusual = not step_up and context.session is not None and context.session.risk != "usual"
    if not methods:
        return answers.refuse(TooUnusual() if unusual else NoMethod())
    target = targets.kept(context.parts, request) if step_up else None
    stop = stop_of(context, progress)
    many = stop is None and target is not None and target.why == ReadQuotaReached.code
    methods_are_limited = not step_up and methods != answers.allowed(progress, Requirement())
    shown = {
        "methods": methods,
        "step_up": step_up,
        "methods_are_limited": methods_are_limited,
        "sealed_form": sealed,
        "tried": tried,
        "many": many,
        "stop": said(stop, _account(context)) if stop else None,
        "acr": ACR[level] if step_up and level > Level.MFA else None,
    }
    return _form_page("challenge", context, refusal, status, unusual=unusual, **shown)


def activate() -> Response:
    """The activation code: before the first authenticator, or beside a proof to add or replace one."""
    context = request_context()
    late = request.method == "POST" and context.session is None
    if late and steps.leads_on(context, steps.sent_activation):
        return _to_step(context.progress)
    progress = _progress(context)
    if progress.state not in ("activation", "signed_in"):
        return _to_step(progress)
    beside = progress.state == "signed_in"
    again = context.session is not None and context.session.moved and context.session.enrol_until is not None
    if request.method != "POST":
        return _form_page("activate", context, beside=beside, again=again)
    try:
        steps.activate(context)
    except RETRY as refusal:
        return _form_page("activate", context, refusal, beside=beside, again=again)
    return go(answers.gate_path(context.parts, "authenticators" if beside else "enrol"))


def enrol() -> Response:
    """Set up an authenticator: choose, then an app (picture once, first code) or a passkey."""
    context = request_context()
    if request.method == "POST" and context.session is None and steps.leads_on(context, _sent_enrolment):
        return _enrolled(context, context.parts.recovery.first(context.client), signs_in=True)
    progress = _progress(context)
    if progress.state not in ("enrolling", "signed_in"):
        return _to_step(progress)
    more = progress.state == "signed_in"
    if request.method != "POST":
        context.parts.own.may_add(context.client)
        return _form_page("enrol", context, stage="start", more=more)
    action = inputs.body(request).get("action")
    if action == "begin":
        return _scan(context, steps.begin_totp(context, "action"))
    try:
        if action == "complete":
            codes = steps.complete_totp(context, "action")
        elif action == "webauthn":
            codes = steps.enrol_by_form(context)
        else:
            raise InvalidRequest
    except RETRY as refusal:
        if action == "complete":
            enrolment, label = sent("enrolment"), sent("label")
            return _form_page("enrol", context, refusal, stage="retype", enrolment=enrolment, label=label)
        return _form_page("enrol", context, refusal, stage="start", more=more, label=sent("label"), tried=action)
    except EnrolmentGone as refusal:
        return _form_page("enrol", context, refusal, stage="start", more=more)
    return _enrolled(context, codes, signs_in=progress.state == "enrolling")


def _enrolled(context: RequestContext, codes: tuple[str, ...] | None, *, signs_in: bool) -> Response:
    if codes is not None:
        return codes_page(context, codes, first=True)
    return onward(context) if signs_in else go(answers.gate_path(context.parts, "authenticators"))


def _sent_enrolment(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """What is sent by the form that completes an enrolment."""
    return steps.sent_answer(fields) if fields.get("action") == "webauthn" else steps.sent_confirmation(fields)


def codes_page(context: RequestContext, codes: tuple[str, ...], *, first: bool) -> Response:
    """Recovery codes, shown once; on the way in, with the way on."""
    target = targets.kept(context.parts, request)
    onward_to = targets.absolute(context.parts.settings, target.path if target else context.parts.settings.home)
    response = _form_page("codes", context, codes=codes, first=first, onward=onward_to)
    targets.drop(context.parts.settings, response)
    return response


def authenticators() -> Response:
    """A person's own authenticators: listed, named, removed; recovery codes renewed."""
    context = request_context()
    if request.method != "POST":
        return _authenticators_page(context)
    fields = inputs.read(request, context, "action", "id", "label")
    try:
        match fields.get("action"):
            case "rename":
                steps.rename(context, steps.needed(fields, "id"), fields)
            case "remove":
                account = _account(context)
                removed = steps.remove(context, steps.needed(fields, "id"))
                if removed.signed_out:
                    return page("signed_out", account=account, removed=removed)
                return _authenticators_page(context, removed=removed)
            case "renew":
                return codes_page(context, context.parts.recovery.renew(context.client), first=False)
            case _:
                raise InvalidRequest
    except (LastAuthenticator, NotFound, InvalidRequest, WrongState, TooManyAttempts) as refusal:
        return _authenticators_page(context, refusal)
    except StepUpRequired as refusal:
        return confirm_first(context, refusal)
    return go(answers.gate_path(context.parts, "authenticators"))


def confirm_first(context: RequestContext, refusal: StepUpRequired) -> Response:
    """Ask for the proof that a change needs, and keep what was to be changed until then."""
    required: Requirement | None = refusal.data.get("requirement")
    if context.session is None or required is None:
        raise refusal
    progress = _progress(context)
    sealed = sealed_form.seal(context.parts, request, context.session, required.level)
    methods = fitting_methods(context, progress, Requirement(required.level), [request.path])
    if sealed is None or not methods:
        raise refusal
    return challenge_page(context, progress, methods, sealed=sealed, level=required.level, status=401)


def _authenticators_page(context: RequestContext, refusal: Refusal | None = None, **values: Any) -> Response:
    owned = context.parts.own.owned(context.client)
    rows = [answers.authenticator_document(row) for row in owned.authenticators]
    return _form_page(
        "authenticators",
        context,
        refusal,
        authenticators=rows,
        recovery_codes=owned.recovery_codes,
        **{"removed": None, **values},
        day=lambda at: long_date(date_of(at), _locale(context)),
    )


def sessions() -> Response:
    """Where the account is signed in; one session ended, or all others."""
    context = request_context()
    if request.method != "POST":
        return _sessions_page(context)
    fields = inputs.read(request, context, "action", "id")
    try:
        match fields.get("action"):
            case "end":
                steps.end_session(context, steps.needed(fields, "id"))
            case "end-others":
                context.parts.own.end_others(context.client)
            case _:
                raise InvalidRequest
    except (NotFound, InvalidRequest) as refusal:
        return _sessions_page(context, refusal)
    except StepUpRequired as refusal:
        return confirm_first(context, refusal)
    return go(answers.gate_path(context.parts, "sessions"))


def _sessions_page(context: RequestContext, refusal: Refusal | None = None) -> Response:
    after = request.args.get("after") if request.method != "POST" else None
    listed = context.parts.own.sessions(context.client, after)
    this, locale, now = context.client.require_session().sign_in, _locale(context), context.parts.services.clock()
    return _form_page(
        "sessions",
        context,
        refusal,
        sessions=[answers.session_row_document(row, this) for row in listed.rows],
        is_later=after is not None,
        later=listed.later,
        day=lambda at: long_date(date_of(at), locale),
        ago=lambda at: ago(now - at, locale),
    )


def sign_out() -> Response:
    """Ask, then end the session everywhere."""
    context = request_context()
    if request.method != "POST":
        return _form_page("sign_out", context) if context.session else page("signed_out")
    account = _account(context) if context.session else None
    steps.sign_out(context)
    response = page("signed_out", account=account)
    targets.drop(context.parts.settings, response)
    return response


def onward(context: RequestContext) -> Response:
    """On to the page that was wanted, or home; first to what happened in the account, where the owner does not know."""
    if context.has_unseen_notices:
        return go(answers.gate_path(context.parts, "news"))
    target = targets.kept(context.parts, request)
    response = go(target.path if target else context.parts.settings.home)
    targets.drop(context.parts.settings, response)
    return response


def _scan(context: RequestContext, begun: BegunTOTP) -> Response:
    return _form_page(
        "enrol",
        context,
        stage="scan",
        qr_svg=answers.qr(begun.uri),
        key=begun.key,
        uri=begun.uri,
        enrolment=begun.enrolment,
    )


def _progress(context: RequestContext) -> Progress:
    if context.session is None:
        raise SignInRequired
    return context.parts.sign_in.progress(context.session)


def _to_step(progress: Progress) -> Response:
    return go(answers.step_path(request_context().parts, progress.state))


def _form_page(
    name: str, context: RequestContext, refusal: Refusal | None = None, status: int = 200, **values: Any
) -> Response:
    account = _account(context)
    if refusal is not None:
        status = refusal.status
        values |= {"error": said(refusal, account), "wait": refusal.data.get("retry_after")}
    return page(name, status, account, mfa_csrf=context.csrf_token, **values)


def _account(context: RequestContext) -> Account | None:
    return context.parts.portal.load(context.session.account_id) if context.session else None


def _locale(context: RequestContext) -> str:
    account = _account(context)
    return choose(context.parts.settings, account.locale if account else None, request)
