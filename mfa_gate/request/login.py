"""One run of the portal's login view: brakes before it, and a try that did not sign in stays counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, request
from werkzeug.exceptions import HTTPException

from ..exc import Forged, Refusal, Unavailable
from ..flows.flow import log
from ..limits.limiter import Attempt
from ..web import answers
from ..web.request_context import RequestContext, current_parts, request_context, this_request
from ..web.sites import SAFE_METHODS, may_sign_in
from .sent_names import sent_names


class LoginAttempt:
    """Counts the try when it is made: each request that sends a name, and each that changes something.

    Args:
        username: what the user name is sent as, or what returns it.

    Attributes:
        refused: the answer instead of the view's, where there were too many tries.
    """

    def __init__(self, username: str | Callable[[], str | None]) -> None:
        self.refused: Response | None = None
        self._counted: Attempt | None = None
        try:
            context, names = request_context(), sent_names(this_request(), username)
            if not names and request.method in SAFE_METHODS:
                return  # a look at the page
            if request.method not in SAFE_METHODS:  # a link may name somebody; whom it signs in is asked there
                require_own_site(context)
            context.typed_name = names[0] if len(names) == 1 else None
            self._counted = current_parts().password.tried(names, context.client_at_login)
            context.has_counted = bool(names)
        except Exception as error:
            self.refused = _closed(error)

    def done(self, answer: Any) -> Any:
        context = request_context()
        if self._counted is None or not context.signed_in_by_view:
            return answer
        try:
            account = context.signed_in_account or ""
            current_parts().password.succeeded(self._counted, context.client_at_login, account)
        except Exception as error:
            return _closed(error)
        return answer


def require_own_site(context: RequestContext) -> None:
    """Raise Forged if another site's page sent what would sign somebody in."""
    settings = context.parts.settings
    if not may_sign_in(context.request, settings.origin, settings.login_origins):
        raise Forged


def _closed(error: Exception) -> Response:
    """Anything unexpected means that nobody signs in."""
    if isinstance(error, HTTPException):
        raise error
    if isinstance(error, Refusal):
        return answers.refuse(error)
    log.error("counting a sign-in failed", exc_info=error)
    return answers.refuse(Unavailable())
