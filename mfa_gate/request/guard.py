"""The decision on one request, and how a refusal is answered. Anything unexpected means: closed."""

from __future__ import annotations

from typing import Any, Final

from flask import Flask, Request, Response, redirect, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.exceptions import NotFound as NothingThere

from ..assurance import Requirement, satisfies
from ..exc import NoMethod, NotFound, Refusal, SignInRequired, StepUpRequired, Unavailable, WrongMethod
from ..flows.flow import log
from ..levels import Level
from ..sessions.session import Session
from ..web import API, answers, is_own, pages, sealed_form
from ..web.portal_session import is_modified
from ..web.request_context import RequestContext, request_context_of, this_request
from ..web.sites import is_same_origin
from ..wiring import Parts
from .marks import Marks, is_static

MAX_REMEMBERED: Final = 100_000  # views of observed sessions that were recorded already


class Guard:
    """Enforces the requirements of one app's views.

    Args:
        app: the app.
        parts: of the same app.
        marks: what the decorators said.
        default: what a view without a mark asks for.
    """

    def __init__(self, app: Flask, parts: Parts, marks: Marks, default: Requirement) -> None:
        self._app = app
        self._parts = parts
        self._marks = marks
        self._default = default
        self._unusual = Requirement(max_age=parts.services.habits.policy.age)
        self._has_policy = not parts.services.policy.asks_nothing
        self._observed: set[tuple[str, str]] = set()
        self._known: dict[str, tuple[Any, Requirement | None, dict[str, Requirement]]] = {}
        self._changes = 0

    def look(self) -> Response | None:
        """Enforce what the view asks for that is registered for this request's endpoint."""
        http_request = this_request()
        context = request_context_of(http_request, self._parts)
        rule, method = http_request.url_rule, http_request.method
        context.looked_at = (*context.looked_at, (rule, method))
        if rule is None:
            self._hide_others(http_request)
            return self._nowhere(http_request)
        required = self.requirement_of(rule.endpoint, method)
        if method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
            return None
        if required is None:
            if not is_static(self._app, rule.endpoint, self._app.view_functions[rule.endpoint]):
                self._hide_others(http_request)
            return None
        return self.enforce(required, context)

    def look_again(self) -> Response | None:
        """Enforce what the view asks for that the request is led to now, if a hook has led it elsewhere meanwhile."""
        http_request = this_request()
        return None if request_context_of(http_request, self._parts).has_looked_at(http_request) else self.look()

    def _nowhere(self, http_request: Request) -> Response | None:
        """An unknown URL is the portal's own to answer; under the API programs get a problem for that as well."""
        error, settings = http_request.routing_exception, self._parts.settings
        if not http_request.path.startswith(f"{settings.url_prefix}{API}/"):
            return None
        if isinstance(error, MethodNotAllowed):
            response = answers.problem(WrongMethod())
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
            return response
        return answers.problem(NotFound()) if isinstance(error, NothingThere) else None

    def requirement_of(self, endpoint: str, method: str = "") -> Requirement | None:
        """What an endpoint asks for now at an HTTP method; worked out anew where another view stands there."""
        view, marks = self._app.view_functions[endpoint], self._marks
        if self._changes != marks.changes:
            self._known, self._changes = {}, marks.changes
        remembered = self._known  # this one even if another thread begins anew
        known = remembered.get(endpoint)
        if known is None or known[0] is not view:
            told = (self._app, endpoint, view, self._default)
            own = is_own(endpoint)
            known = (view, None if own else marks.requirement(*told), {} if own else marks.by_method(*told))
            remembered[endpoint] = known
        return known[2].get(method, known[1]) if known[2] else known[1]

    def forget_requirements(self) -> None:
        """Views may stand elsewhere: work everything out anew."""
        self._known = {}

    def enforce(self, required: Requirement, context: RequestContext) -> Response | None:
        """Let the request pass (None), or answer it."""
        if context.admitted is required:
            return None
        try:
            refusal = self._decide(context, required)
            if refusal is not None:
                return self._answer(context, refusal, required)
        except Refusal as closed:
            return answers.refuse(closed, required)
        except HTTPException:
            raise
        except Exception:
            log.exception("the guard failed on %s", request.endpoint)
            return answers.refuse(Unavailable())
        context.admitted = required
        return None

    def _hide_others(self, http_request: Request) -> None:
        """Where nothing is asked for, the portal sees whom the gate has let in, or nobody."""
        portal = self._parts.portal
        if portal.identity is None or "HTTP_COOKIE" not in http_request.environ:
            return
        context, is_complete = request_context_of(http_request, self._parts), False
        try:
            named, origin = context.portal_session.named(), self._parts.settings.origin
            if named is None and (is_same_origin(http_request, origin) or context.let_in is None):
                return
            if named is not None and named == context.let_in:
                context.seen_by_portal = named
                return
            is_complete = named is not None and context.is_complete
        except HTTPException:
            raise
        except Exception as error:  # unknown means nobody
            log.error("whom the portal's session names could not be held against the gate's", exc_info=error)
        context.portal_session.hide(may_write=is_complete)

    def _decide(self, context: RequestContext, required: Requirement) -> Refusal | None:
        session, identity = context.session, context.parts.portal.identity
        taken_for = identity() if identity is not None else None
        observed = session is not None and session.level < Level.MFA and context.is_observed
        if session is None or (session.level < Level.MFA and not observed):
            return self._stranger(context, session, taken_for)
        if identity is not None and taken_for != session.account_id:
            return self._disagree(context, session, taken_for)
        context.seen_by_portal = taken_for
        parts = context.parts
        now = parts.services.clock()
        parts.life.present(session, now)
        if observed:
            self._observe(session)
            return None
        if self._has_policy:
            required |= parts.services.policy.requirement(session.group, now)
        if session.risk != "usual":
            required |= self._unusual
        looks_at_proofs = required.max_age is not None or required.amr is not None
        if satisfies(session.level, session.proofs if looks_at_proofs else (), required, now):
            return None
        return StepUpRequired(asked=required)

    def _observe(self, session: Session) -> None:
        """Record, once for each session and view, what will be refused when the group is no longer only observed."""
        seen = (session.sign_in, request.endpoint or "")
        if seen in self._observed:
            return
        if len(self._observed) >= MAX_REMEMBERED:
            self._observed.clear()
        self._parts.life.observed(session, request.endpoint or "", request.remote_addr)
        self._observed.add(seen)

    def _disagree(self, context: RequestContext, session: Session, taken_for: str | None) -> Refusal:
        """The portal takes somebody who is signed in for nobody, or for another person.

        Two sessions that both live are ended, if a page of this origin sent them. All else may be a request that brings
        one of the cookies and not the other, or one of a sibling host: it is refused, and ends nothing.
        """
        if taken_for is None or not is_same_origin(request, context.parts.settings.origin):
            context.portal_session.hide(may_write=False)
            context.forget_session()
            return SignInRequired()
        context.parts.life.end_mismatch(session, request.remote_addr)
        context.drop_session()
        if not context.parts.portal.adopts:
            context.portal_session.close()
            return SignInRequired()
        return self._stranger(context, None, taken_for)

    def end_where_signed_out(self, context: RequestContext, response: Response) -> None:
        """A portal that closed its own session in this request has signed its person out, whether it says so or not."""
        if context.seen_by_portal is None or not is_modified():
            return
        try:
            if context.let_in != context.seen_by_portal or context.portal_session.named() is not None:
                return
            context.drop_session_after(context.parts.sign_in.sign_out)
        except Exception as error:
            log.error("a session that the portal has closed could not be ended", exc_info=error)
        if context.has_cookies_to_come:
            context.put_cookies(response)

    def _stranger(self, context: RequestContext, session: Session | None, taken_for: str | None) -> Refusal:
        """Nobody, or somebody who is half way there: the portal must see nobody signed in."""
        if taken_for is not None:
            is_complete = context.is_complete
            if context.parts.portal.adopts and is_complete:
                return self._adopt(context, session, taken_for)
            context.portal_session.hide(may_write=is_complete)
        if session is None:
            return SignInRequired()
        sign_in = context.parts.sign_in
        return sign_in.refusal_for(sign_in.progress(session).state)

    def _adopt(self, context: RequestContext, session: Session | None, taken_for: str) -> Refusal:
        """A portal whose own sign-in stands for the first factor: a pending session for whom it names."""
        sign_in = context.parts.sign_in
        context.portal_session.hide(may_write=True)  # it stays for the request that comes after the last proof
        if session is None or session.account_id != taken_for:
            account = context.parts.portal.load(taken_for)
            if account is None or account.id != taken_for:
                return SignInRequired()
            context.parts.password.stood_for(account.id, context.client)
            elevated = sign_in.begin(account, context.client)
            context.apply(elevated, adopted=True)
            session = elevated.session
        return sign_in.refusal_for(sign_in.progress(session).state)

    def answer(self, context: RequestContext, refusal: Refusal) -> Response:
        """Answer a refusal that came up inside a view."""
        return self._answer(context, refusal, Requirement())

    def _answer(self, context: RequestContext, refusal: Refusal, required: Requirement) -> Response:
        session = context.session
        required = refusal.data.get("asked", required)
        stepping_up = isinstance(refusal, StepUpRequired) and session is not None and session.level >= Level.MFA
        if stepping_up and session is not None:
            required |= context.asked_of_group
            progress = context.parts.sign_in.progress(session)
            methods = answers.allowed(progress, required)
            if not methods:
                return answers.refuse(NoMethod())
            sealed = sealed_form.seal(context.parts, request, session, required.level) if answers.wants_page() else None
            if sealed is not None:
                return pages.challenge_page(context, progress, methods, sealed=sealed, level=required.level, status=401)
        return answers.refuse(refusal, required)


def localhost_in_debug(base_url: str) -> Response | None:
    """In debug, 127.0.0.1 is sent to localhost, where WebAuthn works and the cookie is expected."""
    if request.method != "GET" or not request.host.startswith("127.0.0.1") or "//localhost" not in base_url:
        return None
    return redirect(base_url + request.full_path, 307)  # type: ignore[return-value]
