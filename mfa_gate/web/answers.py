"""Answers: a page where Accept names text/html, JSON for everything else; each refusal once, for both."""

from __future__ import annotations

import json
from typing import Any, Final, cast

import segno
from flask import Response, current_app, make_response, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from ..account import Account
from ..assurance import ACR, LEVELS, Requirement
from ..exc import (
    N_,
    ActivationRequired,
    EnrolmentRequired,
    InvalidRequest,
    NoMethod,
    Refusal,
    SignInRequired,
    StepUpRequired,
    TooLarge,
    Unavailable,
)
from ..factors.registry import FACTORS, METHODS, factor_of
from ..flows import Progress, State
from ..flows.flow import log
from ..levels import Level
from ..netinfo.browsers import shown_again
from ..notices.kinds import NOTICE_KINDS
from ..store.authenticators import AuthenticatorRow
from ..store.outbox import Shown
from ..store.sessions import ListedRow
from ..wiring import Parts
from . import targets
from .caching import is_for_shared_caches
from .language import Translate, catalogue, choose
from .request_context import RequestContext, request_context

BLUEPRINT: Final = "mfa_gate"
PROGRAMS: Final = "api_"  # how the names of endpoints begin that answer JSON alone
STATIC: Final = f"{BLUEPRINT}.static"
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Vary": "Accept, Accept-Language, Cookie",
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_written: Final = json.JSONEncoder(separators=(",", ":")).encode  # made once: Flask makes one for each answer
_NAMES: Final = frozenset(name.lower() for name in HEADERS)
STEPS: Final = ("challenge", "activate", "enrol", "authenticators", "sessions", "news", "sign-out")
_STEP_OF: Final = {"pending": "challenge", "activation": "activate", "enrolling": "enrol"}
HEADINGS: Final = {
    401: N_("Please sign in"),
    403: N_("Not open to you"),
    409: N_("This step does not fit here"),
    429: N_("Please wait a little"),
    503: N_("Closed for a moment"),
}


def wants_page() -> bool:
    """A page only for who asks for one by name, and never under the API."""
    for_programs = (request.endpoint or "").startswith(f"{BLUEPRINT}.{PROGRAMS}")
    return not for_programs and "text/html" in request.headers.get("Accept", "")


def page(name: str, status: int = 200, account: Account | None = None, **values: Any) -> Response:
    """Render one of the gate's pages, in the language of its reader, with the headers that all of them have."""
    text = render_template(f"mfa_gate/{name}.html", **_values(account, values))
    return secured(make_response(text, status), values.get("wait"))


def _values(account: Account | None, values: dict[str, Any]) -> dict[str, Any]:
    parts = request_context().parts
    settings = parts.settings
    locale = choose(settings, account.locale if account else None, request)
    return {
        "t": catalogue(locale),
        "locale": locale,
        "service": settings.name,
        "stylesheet": settings.stylesheet and settings.script_root + settings.stylesheet,
        "css": url_for(STATIC, filename="mfa_gate.css"),
        "support": settings.support,
        "account_name": account.name if account and _may_be_named(account) else None,
        "begun": account is not None,
        "urls": _urls(parts),
        "offers": settings.methods,
        "enrols": tuple(name for name in reversed(settings.methods) if FACTORS[name].stands_alone),
        "templates": {name: factor.template for name, factor in FACTORS.items()},
        **{"mfa_csrf": None, "error": None, "wait": None, **values},
    }


def _may_be_named(account: Account) -> bool:
    """Whether a page may say whose it is: to nobody who has shown no more than a password, as the API does not."""
    context = request_context()
    session = context.session
    if session is None or session.account_id != account.id:
        return False
    enrols = session.enrol_until is not None and not session.moved
    return session.level >= Level.MFA or enrols or context.is_observed


class OwnAnswer(Response):
    """An answer of the gate's own: its headers are put on last, over those of the portal's `after_request`."""

    def get_wsgi_headers(self, environ: Any) -> Headers:
        kept = [(name, value) for name, value in super().get_wsgi_headers(environ) if not _is_overridden(name.lower())]
        return Headers([*kept, *HEADERS.items()])


def _is_overridden(name: str) -> bool:
    return name in _NAMES or name == "expires" or is_for_shared_caches(name)


def secured(response: Response, wait: int | None = None) -> Response:
    """Make an answer one of the gate's own."""
    if wait:
        response.headers["Retry-After"] = str(wait)
    own: Any = OwnAnswer.force_type(response)
    return cast(Response, own)


def json_answer(body: Any, status: int = 200) -> Response:
    return OwnAnswer(_written(body) + "\n", status, mimetype="application/json")


def go(path: str) -> Response:
    """Redirect to a page of this portal, always by GET."""
    return secured(redirect(targets.absolute(request_context().parts.settings, path), 303))  # type: ignore[arg-type]


def gate_path(parts: Parts, step: str) -> str:
    return f"{parts.settings.url_prefix}/{step}"


def step_path(parts: Parts, state: State) -> str:
    """The page for a session in this state."""
    if state == "anonymous":
        return parts.login_path or parts.settings.home
    step = _STEP_OF.get(state)
    return gate_path(parts, step) if step else parts.settings.home


def translate(account: Account | None = None) -> Translate:
    return catalogue(choose(request_context().parts.settings, account.locale if account else None, request))


def said(refusal: Refusal, account: Account | None = None) -> str:
    """The sentence of a refusal, in its reader's language."""
    sentence = translate(account)(refusal.sentence)
    return sentence % refusal.data if refusal.data else sentence


def refuse(refusal: Refusal, required: Requirement | None = None) -> Response:
    """Answer a refusal: a redirect or a page for people, problem+json (RFC 9457) for programs."""
    required = refusal.data.get("requirement") or required
    if not wants_page():
        return problem(refusal, required)
    context = request_context()
    if isinstance(refusal, SignInRequired | StepUpRequired | ActivationRequired | EnrolmentRequired):
        return _onward(context, refusal, required)
    return _refusal_page(context, refusal, required)


def closed(error: Exception) -> Response:
    """Answer any other exception inside the gate: closed, with a page that says so."""
    if isinstance(error, HTTPException) and (error.code or 500) < 500:
        if request.endpoint == STATIC:  # a file that is not there is 404, a range beyond its end 416
            return secured(error.get_response())  # type: ignore[arg-type]
        return refuse(TooLarge() if error.code == 413 else InvalidRequest())
    log.error("a step of the gate failed", exc_info=error)
    return refuse(Unavailable())


def _refusal_page(context: RequestContext, refusal: Refusal, required: Requirement | None) -> Response:
    account, wait = _whom(context), refusal.data.get("retry_after")
    values = {
        "heading": translate(account)(HEADINGS.get(refusal.status, N_("This did not work"))),
        "sentence": said(refusal, account),
        "code": refusal.code,
        "wait": wait,
        "may_add": isinstance(refusal, NoMethod) and "webauthn" in context.parts.settings.methods,
    }
    try:
        return page("refusal", refusal.status, account, **values)
    except Exception:
        log.exception("the page of a refusal cannot be rendered in the portal's context")
    try:
        # without the portal's context processors, which may need just what does not work
        text = current_app.jinja_env.get_template("mfa_gate/refusal.html").render(_values(account, values))
    except Exception:
        return problem(refusal, required)
    return secured(make_response(text, refusal.status), wait)


def _whom(context: RequestContext) -> Account | None:
    """Whom a refusal is told, for the language; a refusal is answered even where nobody can say."""
    try:
        return context.parts.portal.load(context.session.account_id) if context.session else None
    except Exception:
        return None


def _onward(context: RequestContext, refusal: Refusal, required: Requirement | None) -> Response:
    parts = context.parts
    if isinstance(refusal, SignInRequired):
        login = parts.login_path
        if login is None:
            heading = translate()(HEADINGS[401])
            return page("refusal", 401, heading=heading, sentence=said(refusal), code=refusal.code)
        response = go(login)
    else:
        # the challenge redirects a session that is at another step
        activates = isinstance(refusal, ActivationRequired) and request.blueprint == BLUEPRINT
        response = go(gate_path(parts, "activate") if activates else _challenge_path(parts, required))
    # of the gate's own pages only those that a step-up leads back to
    if (request.blueprint != BLUEPRINT or "requirement" in refusal.data) and targets.is_navigation(request):
        wanted = targets.wanted(request) or (request.path if request.blueprint == BLUEPRINT else None)
        targets.keep(parts, response, wanted, required.level if required else Level.MFA, refusal.code)
    return response


def _challenge_path(parts: Parts, required: Requirement | None) -> str:
    """The challenge; what is no navigation leaves no wanted page behind, so the level stands in the URL."""
    path, level = gate_path(parts, "challenge"), required.level if required else Level.MFA
    return path if level <= Level.MFA or targets.is_navigation(request) else f"{path}?acr_values={ACR[level]}"


def level_asked(acr_values: str | None = None) -> Level:
    """The level that a URL, or these values of a form, asks for (RFC 9470 §3); it only ever narrows."""
    named = f"{request.args.get('acr_values', '')} {acr_values or ''}".split()
    return max((LEVELS[one] for one in named if one in LEVELS), default=Level.MFA)


def problem(refusal: Refusal, required: Requirement | None = None) -> Response:
    """A problem document; what a step-up would cure carries the challenge of RFC 9470."""
    data = {name: value for name, value in refusal.data.items() if name in ("retry_after", "minutes")}
    body = {
        "type": "about:blank",
        "title": refusal.code.replace("_", " ").capitalize(),
        "status": refusal.status,
        "detail": said(refusal),
        "code": refusal.code,
        **data,
    }
    response = json_answer(body, refusal.status)
    response.mimetype = "application/problem+json"
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = _challenge(refusal, required)
    if "retry_after" in data:
        response.headers["Retry-After"] = str(data["retry_after"])
    return response


def _challenge(refusal: Refusal, required: Requirement | None) -> str:
    # what a signed-in session lacks beside its proof is no level
    beside = isinstance(refusal, ActivationRequired) and request_context().session_level >= Level.MFA
    if isinstance(refusal, SignInRequired) or beside:
        return "Bearer"
    required = required or Requirement()
    values = [f'acr_values="{ACR[required.level]}"']
    if required.max_age is not None:
        values.append(f'max_age="{int(required.max_age)}"')
    return ", ".join(['Bearer error="insufficient_user_authentication"', *values])


def session_document(context: RequestContext, progress: Progress) -> dict[str, Any]:
    """What programs learn of a session; while it is pending, not whose it is."""
    session = context.session
    signed_in = session is not None and progress.state == "signed_in"
    return {
        "state": progress.state,
        "account": session.account_id if session and (signed_in or context.is_observed) else None,
        "level": session.level.name if session else None,
        "methods": list(session.amr) if session else [],
        "authenticated_at": session.authenticated_at if session else None,
        "allowed_methods": list(_offered(context, progress)),
        "csrf_token": context.csrf_token,
    }


def _offered(context: RequestContext, progress: Progress) -> tuple[str, ...]:
    """What serves; to who signs in, in any case what completes that."""
    found = allowed(progress, context.asked_of_group | Requirement(level_asked()))
    return found if found or progress.state == "signed_in" else allowed(progress, Requirement())


def half_way(context: RequestContext) -> Response:
    """The answer to a right password: for pages it does not depend on what the account has enrolled."""
    path = gate_path(context.parts, "challenge")
    if context.is_observed:
        target = targets.kept(context.parts, request)
        path = target.path if target else context.parts.settings.home
    if wants_page():
        return go(path)
    document = session_document(context, context.parts.sign_in.progress(context.session))
    return json_answer({"next": targets.absolute(context.parts.settings, path), "session": document})


def allowed(progress: Progress, required: Requirement) -> tuple[str, ...]:
    """The factors of an account that satisfy a requirement and are switched on, the strongest first."""
    on = request_context().parts.settings.methods
    return tuple(
        name
        for name, factor in FACTORS.items()
        if name in on and any(required.reached_by(amr) for amr in factor.amr & progress.amr)
    )


def authenticator_document(row: AuthenticatorRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "method": factor_of(row.method).name,
        "level": METHODS[row.method].level.name,
        "label": row.label,
        "created_at": row.created_at,
        "last_used_at": row.last_used_at,
        "renew": bool(row.renew),
    }


def session_row_document(row: ListedRow, this: str | None) -> dict[str, Any]:
    """A session by its sign-in, which opens nothing; its id is in no answer."""
    return {
        "id": row.sign_in,
        "level": Level(row.level).name,
        "browser": shown_again(row.browser),
        "network": row.network,
        "created_at": row.created_at,
        "last_seen": row.last_seen,
        "this": row.sign_in == this,
    }


def notice_document(one: Shown) -> dict[str, Any]:
    """A notice, with its sentence in the reader's language, and how many of its kind there are."""
    row = one.notice
    sentence = NOTICE_KINDS[row.kind].sentence if row.kind in NOTICE_KINDS else row.kind
    return {
        "id": row.id,
        "kind": row.kind,
        "at": row.at,
        "browser": shown_again(json.loads(row.data).get("browser")),
        "sentence": translate()(sentence),
        "count": one.times,
    }


def _urls(parts: Parts) -> dict[str, str | None]:
    settings, root = parts.settings, parts.settings.script_root
    steps = {step.replace("-", "_"): root + gate_path(parts, step) for step in STEPS}
    login = parts.login_path
    steps["not_me"] = root + gate_path(parts, "not-me")
    steps["desk"] = root + gate_path(parts, "desk")
    steps["api"] = root + gate_path(parts, "api/v1")
    return {**steps, "home": root + settings.home, "login": root + login if login else None}


def enrolled(context: RequestContext, codes: tuple[str, ...] | None) -> Response:
    """Like `passed`, with the account's first recovery codes where it had none."""
    return passed(context, **({"recovery_codes": list(codes)} if codes else {}))


def passed(context: RequestContext, **more: Any) -> Response:
    """`{next, session}`: where to go on, and where the session stands."""
    parts = context.parts
    progress = context.progress
    signed_in = progress.state == "signed_in"
    target = targets.kept(parts, request) if signed_in else None
    path = target.path if target else step_path(parts, progress.state)
    if context.has_unseen_notices:
        path = gate_path(parts, "news")  # which leads on to the page that was wanted
    body = {
        "next": targets.absolute(parts.settings, path),
        "session": session_document(context, progress),
        **more,
    }
    response = json_answer(body)
    if signed_in and not context.has_unseen_notices:
        targets.drop(parts.settings, response)
    return response


def qr(text: str) -> Markup:
    """A QR code as inline SVG, with its quiet zone, on white in every theme."""
    svg = segno.make(text, error="m", micro=False).svg_inline(omitsize=True, border=4, dark="#000", light="#fff")
    return Markup(svg)  # noqa: S704  (made here, of modules only)
