"""One request's visitor: the session its cookie names, read at most once, and the cookie its answer will set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from flask import Response, current_app, request, session

from ..flows import Visit
from ..session import Session
from ..wiring import EXTENSION, Parts

_SLOT: Final = "_mfa_gate"
CSRF: Final = "csrf"


class Visitor:
    """What a request knows of its visitor.

    Attributes:
        parts: the gate's parts in this app.
        set_cookie: the cookie value that the answer hands over, "" to drop the cookie, None to leave it.
        decided: the guard has looked at this request.
        admitted: the requirement that the guard has already let this request pass, if any.
        signed_in_by_view: the login view called `sign_in`.
        headers: what the answer must carry whatever the portal's own `after_request` puts there.
    """

    __slots__ = ("_session", "admitted", "decided", "guarded", "headers", "parts", "set_cookie", "signed_in_by_view")

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.set_cookie: str | None = None
        self.admitted: object = None
        self.decided = False
        self.guarded = False
        self.headers: Mapping[str, str] = {}
        self.signed_in_by_view = False
        self._session: Session | Literal[False] | None = False  # False: not read yet

    @property
    def session(self) -> Session | None:
        """The living session, or None.

        Raises:
            Unavailable: the store does not answer.
        """
        if self._session is False:
            house = self.parts.house
            self._session = house.sessions.read(request.cookies.get(house.settings.cookie_name), house.clock())
        return self._session

    @property
    def visit(self) -> Visit:
        return Visit(self.session, request.remote_addr)

    def rises(self, cookie: str, risen: Session) -> None:
        self.set_cookie, self._session = cookie, risen

    def leaves(self) -> None:
        """Forget the session in this request and drop its cookie; the flows have ended it."""
        self.set_cookie, self._session = "", None

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

    def answer(self, response: Response) -> Response:
        """Give the answer its headers and its cookie, whose name and Secure follow from the base URL alone."""
        response.headers.update(self.headers)
        if self.set_cookie is not None:
            settings = self.parts.settings
            response.set_cookie(
                settings.cookie_name,
                self.set_cookie,
                max_age=None if self.set_cookie else 0,
                secure=settings.secure,
                httponly=True,
                samesite="Lax",
                path="/",
            )
        return response


def current_parts() -> Parts:
    parts: Parts = current_app.extensions[EXTENSION]
    return parts


def visitor() -> Visitor:
    """The visitor of this request.

    Kept on the request and not in `g`, which all requests made under one outer application context share.
    """
    asked = request._get_current_object()  # type: ignore[attr-defined]
    here: Visitor | None = getattr(asked, _SLOT, None)
    if here is None:
        here = Visitor(current_parts())
        setattr(asked, _SLOT, here)
    return here


def visitor_so_far() -> Visitor | None:
    """The visitor, where anything in this request has asked for one."""
    here: Visitor | None = getattr(request, _SLOT, None)
    return here
