"""The pages: server-rendered, whole without script. Each sends whoever stands at another step on to it."""

from __future__ import annotations

from typing import Any

import segno
from flask import Response, request
from markupsafe import Markup

from ..account import Account
from ..assurance import RECOVERY, Level, Requirement
from ..exc import (
    EnrolmentGone,
    InvalidRequest,
    LastAuthenticator,
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
from . import answers, inputs, sealed_form, steps, targets
from .answers import go, page, said
from .language import ago, choose, date_of, long_date
from .request_context import Visitor, visitor

RETRY = (WrongCode, WrongAssertion, TooManyAttempts, InvalidRequest)


def challenge() -> Response:
    """The second factor: completes a sign-in, or proves again."""
    here = visitor()
    if request.method == "POST":
        return _prove(here)
    progress = _progress(here)
    if progress.state not in ("pending", "signed_in"):
        return _to_step(progress)
    return challenge_page(here, progress, _offered(here, progress))


def _prove(here: Visitor) -> Response:
    try:
        fields = steps.prove(here, "held")
    except WrongState:
        return _to_step(_progress(here))
    except RETRY as refusal:
        progress, tried = _progress(here), _sent("method") or "totp"
        methods = _offered(here, progress)
        return challenge_page(here, progress, methods, refusal=refusal, sealed=_sent("held"), tried=tried)
    assert here.session is not None  # noqa: S101  (it has just risen)
    form = sealed_form.release(here.parts, fields.get("held"), here.session)
    if form is None:
        return onward(here)
    action = targets.absolute(here.parts.settings, form.path)
    return page("resume", account=_account(here), action=action, fields=form.fields)


def _offered(here: Visitor, progress: Progress) -> tuple[str, ...]:
    """The methods that satisfy what the wanted page, or the held form, asks for."""
    target = targets.kept(here.parts, request)
    form = (
        sealed_form.release(here.parts, _sent("held"), here.session)
        if here.session and request.method == "POST"
        else None
    )
    wanted = [one for one in (target, form) if one]
    level = max((one.level for one in wanted), default=Level.MFA)
    required = Requirement(level) | here.asked_of_group
    offered = _methods(here, progress, required, [one.path for one in wanted])
    # who signs in without what that page asks for still signs in; the page will say what is missing
    return offered if offered or progress.state == "signed_in" else answers.allowed(progress, Requirement())


def _methods(here: Visitor, progress: Progress, required: Requirement, paths: list[str]) -> tuple[str, ...]:
    """The methods that satisfy a requirement; for who came by a recovery code to replace a lost key, that as well."""
    offered = answers.allowed(progress, required)
    own = any(path.startswith(answers.gate_path(here.parts, "")) for path in paths)
    if not own or here.session is None or RECOVERY not in here.session.methods:
        return offered
    anyway = answers.allowed(progress, Requirement())
    return tuple(dict.fromkeys([*offered, *(way for way in anyway if way == RECOVERY)]))


def challenge_page(
    here: Visitor,
    progress: Progress,
    methods: tuple[str, ...],
    *,
    refusal: Refusal | None = None,
    sealed: str | None = None,
    tried: str | None = None,
    status: int = 200,
) -> Response:
    """Ask for a proof; with `sealed`, the form that will be sent after it."""
    step_up = progress.state == "signed_in"
    unusual = not step_up and here.session is not None and here.session.risk != "usual"
    if not methods:
        return answers.refuse(TooUnusual() if unusual else NoMethod())
    target = targets.kept(here.parts, request) if step_up else None
    many = target is not None and target.why == ReadQuotaReached.code
    narrowed = not step_up and methods != answers.allowed(progress, Requirement())
    shown = {"methods": methods, "step_up": step_up, "narrowed": narrowed, "held": sealed, "tried": tried, "many": many}
    return _form_page("challenge", here, refusal, status, unusual=unusual, **shown)


def activate() -> Response:
    """The activation code: before the first authenticator, or beside a proof to add or replace one."""
    here = visitor()
    progress = _progress(here)
    if progress.state not in ("activation", "signed_in"):
        return _to_step(progress)
    beside = progress.state == "signed_in"
    again = here.session is not None and here.session.moved and here.session.enrol_until is not None
    if request.method != "POST":
        return _form_page("activate", here, beside=beside, again=again)
    try:
        steps.activate(here)
    except RETRY as refusal:
        return _form_page("activate", here, refusal, beside=beside, again=again)
    return go(answers.gate_path(here.parts, "authenticators" if beside else "enrol"))


def enrol() -> Response:
    """Set up an authenticator: choose, then an app (picture once, first code) or a passkey."""
    here = visitor()
    progress = _progress(here)
    if progress.state not in ("enrolling", "signed_in"):
        return _to_step(progress)
    more = progress.state == "signed_in"
    if request.method != "POST":
        here.parts.own.may_add(here.visit)
        return _form_page("enrol", here, stage="start", more=more)
    action = inputs.body(request).get("action")
    if action == "begin":
        return _scan(here, steps.begin_totp(here, "action"))
    try:
        if action == "complete":
            codes = steps.complete_totp(here, "action")
        elif action == "webauthn":
            fields = inputs.read(request, here, "action", "answer", "label")
            codes = steps.enrol_credential(here, steps.browser_answer(fields), fields.get("label"))
        else:
            raise InvalidRequest
    except RETRY as refusal:
        if action == "complete":
            enrolment, label = _sent("enrolment"), _sent("label")
            return _form_page("enrol", here, refusal, stage="retype", enrolment=enrolment, label=label)
        return _form_page("enrol", here, refusal, stage="start", more=more, label=_sent("label"), tried=action)
    except EnrolmentGone as refusal:
        return _form_page("enrol", here, refusal, stage="start", more=more)
    if codes is not None:
        return codes_page(here, codes, first=True)
    return onward(here) if progress.state == "enrolling" else go(answers.gate_path(here.parts, "authenticators"))


def codes_page(here: Visitor, codes: tuple[str, ...], *, first: bool) -> Response:
    """Recovery codes, shown once; on the way in, with the way on."""
    target = targets.kept(here.parts, request)
    onward_to = targets.absolute(here.parts.settings, target.path if target else here.parts.settings.home)
    response = _form_page("codes", here, codes=codes, first=first, onward=onward_to)
    targets.drop(here.parts.settings, response)
    return response


def authenticators() -> Response:
    """A person's own authenticators: listed, named, removed; recovery codes renewed."""
    here = visitor()
    if request.method != "POST":
        return _authenticators_page(here)
    fields = inputs.read(request, here, "action", "id", "label")
    try:
        match fields.get("action"):
            case "rename":
                steps.rename(here, steps.needed(fields, "id"), fields)
            case "remove":
                account = _account(here)
                removed = steps.remove(here, steps.needed(fields, "id"))
                if removed.signed_out:
                    return page("signed_out", account=account, removed=removed)
                return _authenticators_page(here, removed=removed)
            case "renew":
                return codes_page(here, here.parts.recovery.renew(here.visit), first=False)
            case _:
                raise InvalidRequest
    except (LastAuthenticator, NotFound, InvalidRequest, WrongState, TooManyAttempts) as refusal:
        return _authenticators_page(here, refusal)
    except StepUpRequired as refusal:
        return _confirm_first(here, refusal)
    return go(answers.gate_path(here.parts, "authenticators"))


def _confirm_first(here: Visitor, refusal: StepUpRequired) -> Response:
    """Ask for the proof that a change needs, and keep what was to be changed until then."""
    required: Requirement | None = refusal.data.get("requirement")
    if here.session is None or required is None:
        raise refusal
    progress = _progress(here)
    sealed = sealed_form.hold(here.parts, request, here.session, required.level)
    methods = _methods(here, progress, Requirement(required.level), [request.path])
    if sealed is None or not methods:
        raise refusal
    return challenge_page(here, progress, methods, sealed=sealed, status=401)


def _authenticators_page(here: Visitor, refusal: Refusal | None = None, **values: Any) -> Response:
    owned = here.parts.own.owned(here.visit)
    rows = [answers.authenticator_document(row) for row in owned.authenticators]
    return _form_page(
        "authenticators",
        here,
        refusal,
        authenticators=rows,
        recovery_codes=owned.recovery_codes,
        **{"removed": None, **values},
        day=lambda at: long_date(date_of(at), _locale(here)),
    )


def sessions() -> Response:
    """Where the account is signed in; one session ended, or all others."""
    here = visitor()
    if request.method != "POST":
        return _sessions_page(here)
    fields = inputs.read(request, here, "action", "id")
    try:
        match fields.get("action"):
            case "end":
                steps.end_session(here, steps.needed(fields, "id"))
            case "end-others":
                here.parts.own.end_others(here.visit)
            case _:
                raise InvalidRequest
    except (NotFound, InvalidRequest) as refusal:
        return _sessions_page(here, refusal)
    return go(answers.gate_path(here.parts, "sessions"))


def _sessions_page(here: Visitor, refusal: Refusal | None = None) -> Response:
    rows = here.parts.own.sessions(here.visit)
    this, locale, now = here.visit.there().sign_in, _locale(here), here.parts.house.clock()
    return _form_page(
        "sessions",
        here,
        refusal,
        sessions=[answers.session_row_document(row, this) for row in rows],
        day=lambda at: long_date(date_of(at), locale),
        ago=lambda at: ago(now - at, locale),
    )


def sign_out() -> Response:
    """Ask, then end the session everywhere."""
    here = visitor()
    if request.method != "POST":
        return _form_page("sign_out", here) if here.session else page("signed_out")
    account = _account(here) if here.session else None
    steps.sign_out(here)
    response = page("signed_out", account=account)
    targets.drop(here.parts.settings, response)
    return response


def onward(here: Visitor) -> Response:
    """On to the page that was wanted, or home; first to what happened in the account, where the owner does not know."""
    if here.has_news:
        return go(answers.gate_path(here.parts, "news"))
    target = targets.kept(here.parts, request)
    response = go(target.path if target else here.parts.settings.home)
    targets.drop(here.parts.settings, response)
    return response


def _scan(here: Visitor, begun: BegunTOTP) -> Response:
    return _form_page(
        "enrol",
        here,
        stage="scan",
        qr_svg=qr(begun.uri),
        key=begun.key,
        uri=begun.uri,
        enrolment=begun.enrolment,
    )


def qr(text: str) -> Markup:
    """A QR code as inline SVG, with its quiet zone, on white whatever the theme."""
    svg = segno.make(text, error="m", micro=False).svg_inline(omitsize=True, border=4, dark="#000", light="#fff")
    return Markup(svg)  # noqa: S704  (made here, of modules only)


def _progress(here: Visitor) -> Progress:
    if here.session is None:
        raise SignInRequired
    return here.parts.sign_in.progress(here.session)


def _to_step(progress: Progress) -> Response:
    return go(answers.step_path(visitor().parts, progress.state))


def _form_page(name: str, here: Visitor, refusal: Refusal | None = None, status: int = 200, **values: Any) -> Response:
    account = _account(here)
    if refusal is not None:
        status = refusal.status
        values |= {"error": said(refusal, account), "wait": refusal.data.get("retry_after")}
    return page(name, status, account, mfa_csrf=here.csrf_token, **values)


def _account(here: Visitor) -> Account | None:
    return here.parts.portal.load(here.session.account_id) if here.session else None


def _locale(here: Visitor) -> str:
    account = _account(here)
    return choose(here.parts.settings, account.locale if account else None, request)


def _sent(name: str) -> str | None:
    try:
        return inputs.body(request).get(name)
    except Refusal:  # what cannot be read cannot be shown again either
        return None
