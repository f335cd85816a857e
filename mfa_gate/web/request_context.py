"""The context of one request: the session its cookie names, read at most once, and the cookie its answer will set."""

from __future__ import annotations

from typing import Final, NamedTuple
from weakref import ref

from flask import Request, Response, after_this_request, current_app, request, session

from ..assurance import Requirement
from ..exc import Refusal
from ..flows import ClientContext, Elevated, Progress
from ..levels import Level
from ..portal import EXTENSION
from ..sessions.session import Session
from ..wiring import Parts
from .cookies import chosen

_SLOT: Final = "_mfa_gate"
CSRF: Final = "csrf"


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
        signed_in_by_view: the login view called `sign_in`.
        typed_name: the user name that was typed at the login.
        has_charged: records were charged.
        looked_up: kind and id of the one record that the view was called for.
        refused_read: why records must not be shown, even if the view answers.
        has_answered: the answer has begun.
        has_told: whether the view was told somebody whom it asked for; None: it did not ask.
        has_unseen_notices: this request signed in to an account with notices that its owner was not shown yet.
    """

    admitted: object = None
    signed_in_by_view = False
    typed_name: str | None = None
    has_unseen_notices = False
    has_charged = False
    has_answered = False
    has_told: bool | None = None
    looked_up: tuple[str, object] | None = None
    refused_read: Refusal | None = None
    _set_device: str | None = None
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

    @property
    def session(self) -> Session | None:
        """The living session, or None.

        Raises:
            Unavailable: the store does not answer.
        """
        if not self._has_read_session:
            services, http_request = self.parts.services, self.request
            sessions = services.sessions
            cookie = chosen(http_request.environ, services.settings.cookie_name, sessions.has_signed)
            found = sessions.read(cookie, services.clock())
            if found is not None and found.place_hash is not None:
                is_there = services.habits.is_at(found.place_hash, http_request.remote_addr, self._agent)
                found = found if is_there else self.parts.continuity.as_seen_from(found, self._client_of(found))
            self._session, self._has_read_session = found, True
        return self._session

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
        until = session.observed_until if session is not None and session.level < Level.MFA else None
        return until is not None and self.parts.services.clock() < until

    @property
    def client(self) -> ClientContext:
        return self._client_of(self.session)

    def _client_of(self, session: Session | None) -> ClientContext:
        http_request = self.request
        return ClientContext(
            session,
            http_request.remote_addr,
            self._device,
            self._agent,
            self.typed_name,
            self._ja4,
        )

    @property
    def _device(self) -> str | None:
        services = self.parts.services
        return chosen(self.request.environ, services.settings.device_cookie_name, services.devices.has_signed)

    @property
    def _agent(self) -> str:
        said: str = self.request.environ.get("HTTP_USER_AGENT", "")
        return said

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
        return self.request.headers.get(policy.ja4_header) if peer in policy.proxies else None

    @property
    def progress(self) -> Progress:
        """Where the session stands; worked out anew, unless a step of this very request has just done so."""
        return self._progress or self.parts.sign_in.progress(self.session)

    def apply(self, elevated: Elevated) -> None:
        self._session, self._has_read_session, self._progress = elevated.session, True, elevated.progress
        self.has_unseen_notices = elevated.has_unseen_notices
        self._set_device = elevated.device or self._set_device
        self._queue(_Cookie(elevated.cookie))

    def replace_session(self, changed: Session) -> None:
        """The same session by the same id, with a proof less."""
        self._session, self._has_read_session, self._progress = changed, True, None

    def drop_session(self) -> None:
        """Forget the session in this request and drop its cookie; the flows have ended it."""
        self._session, self._has_read_session, self._progress = None, True, None
        self._queue(_DROPPED)

    def close_portal_session(self) -> None:
        """Close the portal's own session; where its callback fails, at least Flask's."""
        if self.parts.portal.signed_out is None:
            session.clear()
            return
        try:
            self.parts.portal.signed_out()
        except Exception:
            session.clear()
            raise

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
        self._put(response, settings.cookie_name, cookie.value, cookie.max_age)
        if self._set_device is not None:
            self._put(response, settings.device_cookie_name, self._set_device, int(settings.device_ttl))
        return response

    def _put(self, response: Response, name: str, value: str, max_age: int | None) -> None:
        secure = self.parts.settings.secure
        response.set_cookie(name, value, max_age, secure=secure, httponly=True, samesite="Lax", path="/")


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
