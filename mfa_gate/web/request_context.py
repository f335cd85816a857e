"""One request's visitor: the session its cookie names, read at most once, and the cookie its answer will set."""

from __future__ import annotations

from typing import Final, Literal
from weakref import ref

from flask import Request, Response, after_this_request, current_app, request, session

from ..assurance import Level, Requirement
from ..exc import Refusal
from ..flows import Progress, Risen, Visit
from ..portal import EXTENSION
from ..sessions.session import Session
from ..wiring import Parts

_SLOT: Final = "_mfa_gate"
CSRF: Final = "csrf"


class Visitor:
    """What a request knows of its visitor.

    Attributes:
        parts: the gate's parts in this app.
        admitted: the requirement that the guard has already let this request pass, if any.
        signed_in_by_view: the login view called `sign_in`.
        typed_name: the user name that was typed at the login.
        has_charged: records were charged.
        looked_up: kind and id of the one record that the view was called for.
        refused_read: why records must not be shown, whatever the view answers.
        has_answered: the answer has begun.
        has_news: this request signed in, and something has happened in the account that its owner was not shown yet.
    """

    admitted: object = None
    signed_in_by_view = False
    typed_name: str | None = None
    has_news = False
    has_charged = False
    has_answered = False
    looked_up: tuple[str, object] | None = None
    refused_read: Refusal | None = None
    _set_device: str | None = None
    _set_cookie: str | None = None  # "" drops the cookie, None leaves it
    _has_put = False
    _risen_to: Progress | None = None
    _session: Session | Literal[False] | None = False  # False: not read yet

    def __init__(self, parts: Parts, request: Request) -> None:
        self.parts = parts
        self._request = ref(request)  # which holds this visitor: in a circle both would wait for the collector

    @property
    def request(self) -> Request:
        """Whose visitor it is."""
        return self._request()  # type: ignore[return-value]  # whose visitor is asked, is there

    @property
    def session(self) -> Session | None:
        """The living session, or None.

        Raises:
            Unavailable: the store does not answer.
        """
        if self._session is False:
            house, asked = self.parts.house, self.request
            found = house.sessions.read(asked.cookies.get(house.settings.cookie_name), house.clock())
            if found is not None and found.context is not None:
                is_there = house.habits.is_at(found.context, asked.remote_addr, self._agent)
                found = found if is_there else self.parts.continuity.here(found, self._visit_of(found))
            self._session = found
        return self._session

    @property
    def session_level(self) -> Level:
        return self.session.level if self.session else Level.PASSWORD

    @property
    def asked_of_group(self) -> Requirement:
        """What the policy asks of this session's group at every guarded view."""
        house = self.parts.house
        return house.policy.requirement(self.session.group if self.session else None, house.clock())

    @property
    def is_observed(self) -> bool:
        """Whether the password alone lets this session in: its group is only observed, and has nothing to ask for."""
        there = self.session
        until = there.observed_until if there is not None and there.level < Level.MFA else None
        return until is not None and self.parts.house.clock() < until

    @property
    def visit(self) -> Visit:
        return self._visit_of(self.session)

    def _visit_of(self, there: Session | None) -> Visit:
        asked = self.request
        return Visit(there, asked.remote_addr, self._device_of(asked), self._agent, self.typed_name, self._ja4)

    @property
    def _agent(self) -> str:
        said: str = self.request.environ.get("HTTP_USER_AGENT", "")
        return said

    def _device_of(self, asked: Request) -> str | None:
        name, cookies = self.parts.settings.device_cookie_name, asked.cookies
        return cookies[name] if name in cookies else None  # noqa: SIM401  (`get` makes an exception of what is missing)

    @property
    def at_the_door(self) -> Visit:
        """The visit of whoever signs in now: no session is asked for."""
        return self._visit_of(None)

    @property
    def _ja4(self) -> str | None:
        """The fingerprint of the client's TLS handshake, as the portal's own proxy says it, and nobody else."""
        policy, environ = self.parts.house.habits.policy, self.request.environ
        if policy.ja4_header is None:
            return None
        peer = environ.get("werkzeug.proxy_fix.orig", environ).get("REMOTE_ADDR")
        return self.request.headers.get(policy.ja4_header) if peer in policy.proxies else None

    @property
    def progress(self) -> Progress:
        """Where the session stands; worked out anew, unless a step of this very request has just done so."""
        return self._risen_to or self.parts.sign_in.progress(self.session)

    def rises(self, risen: Risen) -> None:
        self._session, self._risen_to = risen.session, risen.progress
        self.has_news = risen.news
        self._set_device = risen.device or self._set_device
        self._hand_over(risen.cookie)

    def stays(self, changed: Session) -> None:
        """The same session by the same id, with a proof less."""
        self._session, self._risen_to = changed, None

    def leaves(self) -> None:
        """Forget the session in this request and drop its cookie; the flows have ended it."""
        self._session = self._risen_to = None
        self._hand_over("")

    def close_portal(self) -> None:
        """Close the portal's own session."""
        if self.parts.portal.signed_out is not None:
            self.parts.portal.signed_out()
        else:
            session.clear()

    @property
    def csrf_token(self) -> str | None:
        """Bound to the sign-in, so a second tab's token stays good while the session's id changes."""
        there = self.session
        return self.parts.keyring.hash(CSRF, there.sign_in) if there else None

    @property
    def has_cookies_to_come(self) -> bool:
        """Whether a cookie was set or dropped after Flask has put the cookies of this request on their answer."""
        return self._set_cookie is not None and not self._has_put

    def _hand_over(self, cookie: str) -> None:
        if self._set_cookie is None:
            after_this_request(self.put_cookies)
        self._set_cookie, self._has_put = cookie, False

    def put_cookies(self, response: Response) -> Response:
        """Give the answer its cookie, whose name and Secure follow from the base URL alone."""
        self._has_put = True
        settings, cookie = self.parts.settings, self._set_cookie or ""
        self._put(response, settings.cookie_name, cookie, None if cookie else 0)
        if self._set_device is not None:
            self._put(response, settings.device_cookie_name, self._set_device, int(settings.device_ttl))
        return response

    def _put(self, response: Response, name: str, value: str, max_age: int | None) -> None:
        secure = self.parts.settings.secure
        response.set_cookie(name, value, max_age, secure=secure, httponly=True, samesite="Lax", path="/")


def current_parts() -> Parts:
    parts: Parts = current_app.extensions[EXTENSION]
    return parts


def visitor() -> Visitor:
    """The visitor of this request."""
    return visitor_of(this_request())


def visitor_of(asked: Request, parts: Parts | None = None) -> Visitor:
    """The visitor of a request. Kept on the request itself: requests under one app context share their `g`."""
    here: Visitor | None = asked.__dict__.get(_SLOT)
    if here is None:
        here = asked.__dict__[_SLOT] = Visitor(parts or current_parts(), asked)
    return here


def this_request() -> Request:
    """The request itself, not the proxy, which looks it up anew at each attribute."""
    asked: Request = request._get_current_object()  # type: ignore[attr-defined]
    return asked
