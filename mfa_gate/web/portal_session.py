"""The portal's own session in one request: hidden where the gate does not vouch for whom it names.

A request may come late, twice, from another site or without a part of its cookies. So hiding writes nothing: the portal
finds a session that is nobody's, and what the browser holds stays as it is; what the portal writes meanwhile (the token
of its login form, say) is kept beside it, for the next request of this kind. Only a sign-in or a sign-out replaces it.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

from flask import Flask, Request, Response
from flask.globals import request_ctx
from flask.sessions import SessionMixin

from ..portal import Portal
from ..settings import Settings

BESIDE: Final = "_mfa_gate_beside"
_Writes = Literal["instead", "beside", "nowhere"]


class _Hidden(NamedTuple):
    """What the portal does not see: its session, whom that names, all cookies, and what was written beside it."""

    session: SessionMixin
    name: str | None
    cookies: str
    beside: dict[str, Any]


class PortalSession:
    """What the portal sees and writes as its session.

    Args:
        portal: its callbacks.
        settings: say which cookies are the gate's.
        request: the one that it is about.
    """

    def __init__(self, portal: Portal, settings: Settings, request: Request) -> None:
        self._portal = portal
        self._settings = settings
        self._request = request
        self._hidden: _Hidden | None = None
        self._writes: _Writes = "instead"

    def named(self) -> str | None:
        """Whom it names, as far as that is at hand; looking does not make an answer vary by its cookies."""
        identity = self._portal.named_at_hand or self._portal.identity
        if identity is None:
            return None
        before = _current()
        accessed = before.accessed
        try:
            return identity()
        finally:
            before.accessed = accessed

    def hide(self, *, may_write: bool) -> None:
        """Let the portal see nobody in this request.

        Args:
            may_write: whether what the portal writes is kept, beside what is hidden. Else it is dropped: the request
                may be late, or of another site, and its answer must not undo what was written since.
        """
        if self._hidden is None:
            self._begin_anew()
        self._writes = "beside" if may_write else "nowhere"

    def renew(self, account_id: str) -> None:
        """Somebody signs in: on the session that is there if it is their own already, else on one that is nobody's."""
        hidden = self._hidden
        if hidden is not None and hidden.name == account_id:
            hidden.session.pop(BESIDE, None)
            _put(hidden.session)
            self._set_cookies(hidden.cookies)
            self._hidden = None
            return
        if hidden is None and self.named() not in (None, account_id):
            self._begin_anew()
        self.keep()

    def keep(self) -> None:
        """The portal opens or closes its session by the gate's leave: what it writes replaces what the browser has."""
        self._writes = "instead"
        if self._hidden is not None:
            _current().modified = True

    def close(self) -> None:
        """Close it, as at a sign-out; where the portal's callback fails, at least Flask's."""
        self.keep()
        if self._portal.signed_out is None:
            _current().clear()
            return
        try:
            self._portal.signed_out()
        except Exception:
            _current().clear()
            raise

    def put(self, app: Flask, response: Response) -> None:
        """Take from an answer what the browser must not get."""
        if self._hidden is None or self._writes == "instead":
            return
        name = app.session_interface.get_cookie_name(app)
        cookies = response.headers.getlist("Set-Cookie")
        kept = [cookie for cookie in cookies if cookie.partition("=")[0].strip() != name]
        if len(kept) < len(cookies):
            response.headers.setlist("Set-Cookie", kept)
        written = dict(_current())
        if self._writes == "beside" and written != self._hidden.beside:
            self._hidden.session[BESIDE] = written
            app.session_interface.save_session(app, self._hidden.session, response)

    def _begin_anew(self) -> None:
        """A session as for a browser without cookies; where that does not do, the others are hidden as well."""
        cookies = self._request.environ.get("HTTP_COOKIE", "")
        found = _current()
        self._hidden = _Hidden(found, self.named(), cookies, dict(found.get(BESIDE) or {}))
        environ = {name: value for name, value in self._request.environ.items() if name != "HTTP_COOKIE"}
        app: Flask = request_ctx.app
        request = app.request_class(environ, populate_request=False)
        opened = app.session_interface.open_session(app, request)
        if opened is not None and self._hidden.beside:
            opened.update(self._hidden.beside)
            opened.modified = False
        _put(opened if opened is not None else app.session_interface.make_null_session(app))
        if self.named() is not None:
            own = (self._settings.cookie_name, self._settings.adopted_cookie_name, self._settings.device_cookie_name)
            self._set_cookies(";".join(pair for pair in cookies.split(";") if pair.partition("=")[0].strip() in own))

    def _set_cookies(self, cookies: str) -> None:
        self._request.environ["HTTP_COOKIE"] = cookies
        self._request.__dict__.pop("cookies", None)


def _attribute(context: Any) -> str:
    # Flask before 3.1.3 has no property that notes a look at the session
    return "_session" if "_session" in vars(context) else "session"


def _current() -> SessionMixin:
    context = request_ctx._get_current_object()  # type: ignore[attr-defined]
    found: SessionMixin = getattr(context, _attribute(context))
    return found


def is_modified() -> bool:
    """Whether the portal has written its session in this request."""
    return _current().modified


def _put(session: SessionMixin) -> None:
    context = request_ctx._get_current_object()  # type: ignore[attr-defined]
    setattr(context, _attribute(context), session)
