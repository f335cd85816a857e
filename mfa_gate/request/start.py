"""The gate in one app: put there, held against what was declared before the first request, asked in each one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flask import Flask, Response, has_request_context, request
from werkzeug.routing import Rule

from .. import cli, web
from ..account import Account
from ..assurance import Requirement, requirement
from ..exc import ConfigurationError, Refusal, TooManyAttempts, Unavailable
from ..flows.flow import log
from ..levels import Level
from ..options import Options
from ..portal import EXTENSION, START, Portal
from ..sessions.session import Session
from ..settings import read
from ..web import answers, cookies, desk_pages, steps
from ..web.request_context import request_context
from ..web.sites import SAFE_METHODS
from ..wiring import Parts, build
from .debug import is_for_a_developer, made_for_you
from .guard import Guard, localhost_in_debug
from .login import LoginAttempt, require_own_site
from .login_page import LoginView, login_views, page_for_people
from .marks import Marks, is_static
from .metering import Metering, depends_on_whom

UNCOUNTED: Final = (
    "gate.sign_in at {}: no user name was counted in this request, so passwords could be guessed there without a "
    "brake. Wrap the view in @gate.first_factor(username=...), where username is the field that the name is sent in, "
    "or a function that returns it; if no password was typed, say what stands for it: "
    "gate.sign_in(account, sso='the name of your identity provider')"
)


class GateSession:
    """The session of this request; of nobody while a sign-in is under way.

    Attributes:
        account_id: whose it is, or None.
        level: what its proofs amount to, or None; `Level.PASSWORD` for a group that is only observed.
        methods: how it was proven (RFC 8176 `amr`).
        authenticated_at: time of the latest second factor, in seconds since the epoch, or None.
    """

    __slots__ = ("_account", "_parts", "account_id", "authenticated_at", "level", "methods")

    def __init__(self, parts: Parts, session: Session | None, observed: bool = False) -> None:
        signed_in = session if session is not None and (session.level >= Level.MFA or observed) else None
        self._parts = parts
        self._account: Account | None = None
        self.account_id = signed_in.account_id if signed_in else None
        self.level = signed_in.level if signed_in else None
        self.methods: tuple[str, ...] = signed_in.amr if signed_in else ()
        self.authenticated_at = signed_in.authenticated_at if signed_in else None

    @property
    def account(self) -> Account | None:
        """The account, asked of the portal when it is first needed; None where nobody is signed in."""
        if self._account is None and self.account_id is not None:
            self._account = self._parts.portal.load(self.account_id)
        return self._account

    def __bool__(self) -> bool:
        return self.account_id is not None


class Start:
    """Stands before every hook of an app, kept in `app.extensions["mfa_gate.start"]`.

    Not a `before_request` function itself: another one could be put before it at any time, and answer.
    """

    def __init__(self, app: Flask, marks: Marks, guard: Guard, metering: Metering, *, for_a_developer: bool) -> None:
        self._app = app
        self._marks = marks
        self.guard = guard
        self.metering = metering
        self._ready = self._debug = False
        self._for_a_developer, self._has_said_so = for_a_developer, False
        self._contexts = app.request_context
        self._hooks = app.preprocess_request
        self._dispatch = app.dispatch_request
        self._after = app.process_response

    def request_context(self, environ: dict[str, Any]) -> Any:
        """In the place of Flask's own: before it opens the portal's session, no cookie may hide another."""
        if '"' in environ.get(cookies.HEADER, ""):
            cookies.let_no_quote_run_on(environ)
        return self._contexts(environ)

    def preprocess_request(self, *context: Any) -> Any:
        """In the place of Flask's own: the guard first, then what the portal's hooks say."""
        if self._for_a_developer and not is_for_a_developer():
            return self._not_for_others()
        if not self._ready:
            self.check()
            self._ready, self._debug = True, self._app.debug
        if self._debug and (sent := localhost_in_debug(self.parts.settings.base_url)) is not None:
            return sent
        refused = self.guard.look()
        return self._hooks(*context) if refused is None else refused

    def _not_for_others(self) -> Response:
        """What debug mode has made up serves nobody on the net."""
        if not self._has_said_so:
            log.error(
                "debug mode made up a part of the settings, and another server than Flask's development server runs "
                "this app: every request is answered 503. Switch FLASK_DEBUG off, and set what the start names"
            )
            self._has_said_so = True
        return answers.refuse(Unavailable())

    def dispatch_request(self, *context: Any) -> Any:
        """In the place of Flask's own: a hook, or an error handler, may have led the request to another view."""
        refused = self.guard.look_again()
        return self._dispatch(*context) if refused is None else refused

    def process_response(self, *given: Any) -> Response:
        """In the place of Flask's own: what the portal's hooks make of an answer, and then whether it may be sent."""
        try:
            made: Response = self._after(*given)
        except Exception:  # Flask sends what it has given, if that was the page of an error already
            depends_on_whom(request_context(), given[-1])
            raise
        context = request_context()
        context.portal_session.put(self._app, made)
        self.guard.end_where_signed_out(context, made)
        return self.metering.after(made)

    def check(self) -> None:
        """Hold callbacks and marks against the app, and find its login page.

        Raises:
            ConfigurationError: a callback is missing, or a mark would not be enforced.
        """
        parts = self.parts
        portal = parts.portal
        portal.check(parts.settings)
        login = portal.login_view() if portal.login_view else None
        if login is not None and login.startswith(parts.settings.base_url):
            login = login[len(parts.settings.base_url) :]
        if login is not None and "/" not in login:
            self._marks.open(login)
            login = self._path(login)
        self._marks.check(self._app)
        self.guard.forget_requirements()
        parts.login_path = parts.settings.login_url or login or page_for_people(self.login_views())

    def routes(self, group: str | None = None) -> list[dict[str, Any]]:
        """Every route with what it asks of a group, sorted by rule."""
        rules = sorted(self._app.url_map.iter_rules(), key=lambda rule: rule.rule)
        return [self._route(rule, group) for rule in rules]

    def _route(self, rule: Rule, group: str | None) -> dict[str, Any]:
        view = self._app.view_functions[rule.endpoint]
        required = self.guard.requirement_of(rule.endpoint)
        kind = "guarded"
        if required is None:
            kind = "gate" if web.is_own(rule.endpoint) else "public"
            kind = "static" if is_static(self._app, rule.endpoint, view) else kind
        else:
            required |= self.parts.services.policy.requirement(group, self.parts.services.clock())
        counted = sorted(required.amr) if required and required.amr is not None else None
        return {
            "rule": rule.rule,
            "endpoint": rule.endpoint,
            "methods": " ".join(sorted(rule.methods or ())),
            "kind": kind,
            "level": required.level.name if required else None,
            "max_age": required.max_age if required else None,
            "proofs": counted,
            "reads": self._marks.reads(self._app, rule.endpoint),
        }

    def login_views(self) -> list[LoginView]:
        """The views under `first_factor`."""
        return login_views(self._app, self._marks, self.guard.requirement_of)

    def _path(self, endpoint: str | None) -> str | None:
        rules = self._app.url_map.iter_rules(endpoint) if endpoint else ()
        return next((rule.rule for rule in rules if not rule.arguments), None)

    # --- what the gate asks inside a request -------------------------------------------------------------------

    @property
    def parts(self) -> Parts:
        parts: Parts = self._app.extensions[EXTENSION]
        return parts

    def enforce(self, required: Requirement) -> Response | None:
        """Let this request pass (None), or answer it: for the wrappers of marked views."""
        return self.guard.enforce(required, request_context())

    def before_read(self, kind: str, view: object, record: Callable[[], object]) -> Response | None:
        """Let a view show its record (None), or answer: for the wrappers of marked views.

        Raises:
            Refusal: it must not be shown.
        """
        context = request_context()
        refused = self.guard.enforce(Requirement(), context) if context.admitted is None else None
        if refused is None:
            self.metering.before(context, kind, view, record)
        return refused

    def try_login(self, username: str | Callable[[], str | None]) -> LoginAttempt:
        return LoginAttempt(username)

    def session(self) -> GateSession:
        context = request_context()
        told = GateSession(self.parts, context.session, context.is_observed)
        context.has_told = context.has_told or bool(told)
        return told

    def watch_session(self) -> Callable[[], bool]:
        return request_context().watch

    def sign_in(self, account: Account, *, leaked: bool = False, sso: str | None = None) -> Response:
        """Open a pending session and send the person to the second factor; closed where anything fails.

        Raises:
            ConfigurationError: nothing has counted this sign-in.
        """
        context = request_context()
        if sso is None and not context.has_counted:
            raise ConfigurationError(UNCOUNTED.format(request.endpoint))
        try:
            if sso is None or request.method not in SAFE_METHODS:  # single sign-ons lead back by links
                require_own_site(context)
            if sso is not None:
                self.parts.password.stood_for(account.id, context.client)
            elevated = self.parts.sign_in.begin(account, context.client, leaked=leaked, typed=sso is None)
            context.portal_session.renew(account.id)
            steps.elevate(context, elevated)
            answer = answers.half_way(context)
        except Refusal as refusal:
            if isinstance(refusal, TooManyAttempts):  # of right ones: no failure
                context.signed_in_by_view, context.signed_in_account = True, account.id
            return answers.refuse(refusal)
        except Exception:
            log.exception("the gate failed at a sign-in")
            return answers.refuse(Unavailable())
        # what was typed beside it, if anything, was not what signed in
        context.signed_in_by_view, context.signed_in_account = sso is None, account.id
        return answer

    def password_changed(self, account_id: str) -> int:
        this = request_context().session if has_request_context() else None
        kept = this if this is not None and this.level >= Level.MFA else None
        return self.parts.life.password_changed(account_id, kept)

    def sign_out(self) -> None:
        context = request_context()
        try:
            context.drop_session_after(self.parts.sign_in.sign_out)
        finally:
            context.portal_session.keep()


def install(
    app: Flask,
    portal: Portal,
    marks: Marks,
    default: Requirement,
    clock: Callable[[], float],
    options: Options,
) -> None:
    """Build the parts of an app and put the gate in front of it.

    Raises:
        ConfigurationError: settings, keys or store are not in order.
    """
    made = made_for_you(app)
    settings = read(app.config, instance=Path(app.instance_path), name=app.name, made_for_you=made)
    app.extensions[EXTENSION] = parts = build(settings, portal, clock, options)
    marks.in_app(app)
    app.register_blueprint(web.blueprint(settings.url_prefix))
    if options.desk is not None:
        pages = desk_pages.blueprint(settings.url_prefix)
        marks.protect(pages, requirement(Level.PHISHING_RESISTANT, options.desk.max_age))
        app.register_blueprint(pages)
    if settings.related_origins and "webauthn" in settings.methods:
        app.add_url_rule("/.well-known/webauthn", web.RELATED_ORIGINS, web.related_origins)
    app.register_error_handler(Refusal, answers.refuse)  # a view that asks gate.session while the store is down
    guard = Guard(app, parts, marks, default)
    metering = Metering(app, marks, guard, parts.reads)
    app.extensions[START] = start = Start(app, marks, guard, metering, for_a_developer=bool(made))
    app.request_context = start.request_context  # type: ignore[method-assign]
    app.preprocess_request = start.preprocess_request  # type: ignore[method-assign]
    app.dispatch_request = start.dispatch_request  # type: ignore[method-assign]
    app.process_response = start.process_response  # type: ignore[method-assign,assignment]
    app.cli.add_command(cli.mfa)
