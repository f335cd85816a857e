"""The context of one request: the session its cookie names, read at most once, and the cookie its answer will set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple
from weakref import ref

from flask import Request, Response, after_this_request, current_app, request
from werkzeug.routing import Rule

from ..assurance import Requirement
from ..exc import Refusal
from ..flows import ClientContext, Elevated, Progress
from ..levels import Level
from ..netinfo.browsers import LONGEST
from ..portal import EXTENSION
from ..sessions.session import Session
from ..wiring import Parts
from .cookies import HEADER, chosen
from .portal_session import PortalSession
from .sites import has_all_cookies

_SLOT: Final = "_mfa_gate"
CSRF: Final = "csrf"
LONGEST_ADDRESS: Final = 64  # characters; an IPv6 address with its zone has fewer


class _Cookie(NamedTuple):
    """What becomes of the session's cookie: its value, and how long the browser keeps it (None: until it is closed)."""

    value: str
    max_age: int | None = None


_DROPPED: Final = _Cookie("", 0)


class RequestContext:
    """What is known in one request.

    Attributes:
        parts: the gate's parts in this app.
        admitted: the requirement that the guard has already let this request pass, if any.
        looked_at: URL rules and methods that the guard has looked at: more than one where a hook routes anew.
        signed_in_by_view: the login view called `sign_in`, for a right password.
        signed_in_account: the account that it was called for.
        has_counted: the user name of this sign-in was counted.
        seen_by_portal: the account that the gate has let in, whom the portal's session named as well.
        typed_name: the user name that was typed at the login.
        has_charged: records were charged.
        charged_by: the views whose mark `reads` has charged.
        looked_up: kind and id of the one record that the view was called for.
        refused_read: why records must not be shown, even if the view answers.
        has_answered: the answer has begun.
        has_told: whether the view was told somebody whom it asked for; None: it did not ask.
        has_unseen_notices: this request signed in to an account with notices that its owner was not shown yet.
    """

    admitted: object = None
    seen_by_portal: str | None = None
    looked_at: tuple[tuple[Rule | None, str], ...] = ()
    signed_in_by_view = False
    signed_in_account: str | None = None
    has_counted = False
    typed_name: str | None = None
    has_unseen_notices = False
    has_charged = False
    charged_by: tuple[object, ...] = ()
    has_answered = False
    has_told: bool | None = None
    looked_up: tuple[str, object] | None = None
    refused_read: Refusal | None = None
    _set_device: str | None = None
    _portal_session: PortalSession | None = None
    _is_adopted = False
    _cookie: _Cookie | None = None
    _has_put = False
    _progress: Progress | None = None
    _session: Session | None = None
    _has_read_session = False

    def __init__(self, parts: Parts, request: Request) -> None:
        self.parts = parts
        self._request = ref(request)  # which holds this context: in a circle both would wait for the collector

    @property
    def request(self) -> Request:
        """The request that this is the context of."""
        return self._request()  # type: ignore[return-value]  # it lives while it is asked

    def has_looked_at(self, http_request: Request) -> bool:
        """Whether the guard has looked at the URL rule and the method that a request has now."""
        # rules of one path are equal, whatever they lead to
        rule, method = http_request.url_rule, http_request.method
        return any(seen is rule and how == method for seen, how in self.looked_at)

    @property
    def session(self) -> Session | None:
        """The living session, or None.

        Raises:
            Unavailable: the store does not answer.
        """
        if not self._has_read_session:
            services, now = self.parts.services, self.parts.services.clock()
            found = services.sessions.read(self.cookie, now)
            if found is None and (adopted := self._signed(services.settings.adopted_cookie_name)) is not None:
                found = services.sessions.read(adopted, now)
            if found is not None and found.place_hash is not None:
                is_there = services.habits.is_at(found.place_hash, self._address, self._agent)
                found = found if is_there else self.parts.continuity.as_seen_from(found, self._client_of(found))
            if found is not None and found.risk == "high" and found.level < Level.MFA and not found.moved:
                found = self.parts.sign_in.look_again(found, self._client_of(found))
            self._session, self._has_read_session = found, True
        return self._session

    @property
    def portal_session(self) -> PortalSession:
        """The portal's own session in this request."""
        if self._portal_session is None:
            self._portal_session = PortalSession(self.parts.portal, self.parts.settings, self.request)
        return self._portal_session

    @property
    def is_complete(self) -> bool:
        """Whether this request shows what the browser holds now: it has all cookies, and none that was replaced.

        Raises:
            Unavailable: the store does not answer.
        """
        services = self.parts.services
        if not has_all_cookies(self.request, services.settings.origin):
            return False
        cookie = self.cookie if self.session is None else None
        return not services.sessions.has_moved_on(cookie, services.clock())

    @property
    def cookie(self) -> str | None:
        """What this request brought as the session's cookie, or None."""
        return self._signed(self.parts.settings.cookie_name)

    @property
    def session_level(self) -> Level:
        return self.session.level if self.session else Level.PASSWORD

    @property
    def asked_of_group(self) -> Requirement:
        """What the policy asks of this session's group at every guarded view."""
        services = self.parts.services
        return services.policy.requirement(self.session.group if self.session else None, services.clock())

    @property
    def is_observed(self) -> bool:
        """Whether the password alone lets this session in: its group is only observed, and has nothing to ask for."""
        session = self.session
        return session is not None and session.level < Level.MFA and _is_in(session, self.parts.services.clock())

    @property
    def let_in(self) -> str | None:
        """The account that the gate has let in, or None."""
        session = self.session
        return session.account_id if session is not None and _is_in(session, self.parts.services.clock()) else None

    @property
    def watch(self) -> Callable[[], bool]:
        """Whether the session that this request was let in by goes on: asked later, outside of the request as well."""
        session, services = self.session if self.let_in else None, self.parts.services

        def goes_on() -> bool:
            now = services.clock()
            now_there = services.sessions.of_sign_in(session.sign_in, now) if session is not None else None
            return now_there is not None and _is_in(now_there, now)

        return goes_on

    @property
    def client(self) -> ClientContext:
        return self._client_of(self.session)

    def _client_of(self, session: Session | None) -> ClientContext:
        return ClientContext(
            session,
            self._address,
            self._device,
            self._agent,
            self.typed_name,
            self._ja4,
        )

    def _signed(self, name: str) -> str | None:
        """The value of a cookie that names a session, or None."""
        return chosen(self.request.environ, name, self.parts.services.sessions.has_signed)

    @property
    def _device(self) -> str | None:
        services = self.parts.services
        return chosen(self.request.environ, services.settings.device_cookie_name, services.devices.has_signed)

    @property
    def _address(self) -> str | None:
        address = self.request.remote_addr
        return address and address[:LONGEST_ADDRESS]  # caches keep it, and a proxy may pass on anything

    @property
    def _agent(self) -> str:
        said: str = self.request.environ.get("HTTP_USER_AGENT", "")
        return said[:LONGEST]  # caches keep it

    @property
    def client_at_login(self) -> ClientContext:
        """The client of a sign-in that begins: no session is asked for."""
        return self._client_of(None)

    @property
    def _ja4(self) -> str | None:
        """The fingerprint of the client's TLS handshake, as the portal's own proxy says it, and nobody else."""
        policy, environ = self.parts.services.habits.policy, self.request.environ
        if policy.ja4_header is None:
            return None
        peer = environ.get("werkzeug.proxy_fix.orig", environ).get("REMOTE_ADDR")
        return self.request.headers.get(policy.ja4_header, "")[:LONGEST] or None if peer in policy.proxies else None

    @property
    def progress(self) -> Progress:
        """Where the session stands; worked out anew, unless a step of this very request has just done so."""
        return self._progress or self.parts.sign_in.progress(self.session)

    def apply(self, elevated: Elevated, *, adopted: bool = False) -> None:
        """Go on as the session that a step has opened or elevated.

        Args:
            elevated: what the step says.
            adopted: the portal's session has begun it: its cookie stands beside that of a session.
        """
        self._session, self._has_read_session, self._progress = elevated.session, True, elevated.progress
        self.has_unseen_notices = elevated.has_unseen_notices
        self._set_device = elevated.device or self._set_device
        self._is_adopted = adopted
        self._queue(_Cookie(elevated.cookie))

    def replace_session(self, changed: Session) -> None:
        """The same session by the same id, with a proof less."""
        self._session, self._has_read_session, self._progress = changed, True, None

    def drop_session(self) -> None:
        """Forget the session in this request and drop its cookie; the flows have ended it."""
        self.forget_session()
        self._is_adopted = False
        self._queue(_DROPPED)

    def drop_session_after(self, end: Callable[[ClientContext], None]) -> None:
        """End the session, and drop its cookie whether or not that succeeds."""
        try:
            end(self.client)
        finally:
            self.drop_session()

    def forget_session(self) -> None:
        """From here on nobody is signed in in this request; the browser may have a newer cookie, and keeps it."""
        self._session, self._has_read_session, self._progress = None, True, None

    @property
    def csrf_token(self) -> str | None:
        """Bound to the sign-in, so a second tab's token stays good while the session's id changes."""
        session = self.session
        return self.parts.keyring.hash(CSRF, session.sign_in) if session else None

    @property
    def has_cookies_to_come(self) -> bool:
        """Whether a cookie was set or dropped after Flask has put the cookies of this request on their answer."""
        return self._cookie is not None and not self._has_put

    @property
    def has_set_cookie(self) -> bool:
        """Whether the answer sets or drops a cookie of the gate's."""
        return self._cookie is not None

    def _queue(self, cookie: _Cookie) -> None:
        if self._cookie is None:
            after_this_request(self.put_cookies)
        self._cookie, self._has_put = cookie, False

    def put_cookies(self, response: Response) -> Response:
        """Give the answer its cookie, whose name and Secure follow from the base URL alone."""
        self._has_put = True
        settings, cookie = self.parts.settings, self._cookie or _DROPPED
        if self._is_adopted:
            self._put(response, settings.adopted_cookie_name, cookie.value, cookie.max_age)
        else:
            self._put(response, settings.cookie_name, cookie.value, cookie.max_age)
            if settings.adopted_cookie_name in self.request.environ.get(HEADER, ""):
                self._put(response, settings.adopted_cookie_name, "", 0)
        if self._set_device is not None:
            self._put(response, settings.device_cookie_name, self._set_device, int(settings.device_ttl))
        return response

    def _put(self, response: Response, name: str, value: str, max_age: int | None) -> None:
        secure = self.parts.settings.secure
        response.set_cookie(name, value, max_age, secure=secure, httponly=True, samesite="Lax", path="/")


def _is_in(session: Session, now: float) -> bool:
    """Whether the gate lets a session in: by what it has proven, or by the password alone where a group is observed."""
    return session.level >= Level.MFA or (session.observed_until is not None and now < session.observed_until)


def current_parts() -> Parts:
    parts: Parts = current_app.extensions[EXTENSION]
    return parts


def request_context() -> RequestContext:
    """The context of this request."""
    return request_context_of(this_request())


def request_context_of(http_request: Request, parts: Parts | None = None) -> RequestContext:
    """The context of a request. Kept on the request itself: requests under one app context share their `g`."""
    context: RequestContext | None = http_request.__dict__.get(_SLOT)
    if context is None:
        context = http_request.__dict__[_SLOT] = RequestContext(parts or current_parts(), http_request)
    return context


def this_request() -> Request:
    """The request itself, not the proxy, which looks it up anew at each attribute."""
    http_request: Request = request._get_current_object()  # type: ignore[attr-defined]
    return http_request
