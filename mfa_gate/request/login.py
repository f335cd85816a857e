"""One run of the portal's login view: brakes before it, and a POST that did not sign in stays counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, request
from werkzeug.exceptions import HTTPException

from ..exc import Forged, Refusal, Unavailable
from ..flows.flow import log
from ..limits.limiter import Attempt
from ..web import answers
from ..web.request_context import RequestContext, current_parts, request_context
from ..web.sites import SAFE_METHODS, may_sign_in


class LoginAttempt:
    """Counts the try when it is made.

    Args:
        username: name of the form or JSON field that the user name is typed in.

    Attributes:
        refused: the answer instead of the view's, where there were too many tries.
    """

    def __init__(self, username: str) -> None:
        self.refused: Response | None = None
        self._counted: Attempt | None = None
        if request.method in SAFE_METHODS:
            return
        try:
            context = request_context()
            require_own_site(context)
            context.typed_name = _typed(username)
            self._counted = current_parts().password.tried(context.typed_name, context.client_at_login)
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


def _typed(field: str) -> str | None:
    try:
        sent = request.get_json(silent=True) if request.is_json else request.form
        value = sent.get(field) if isinstance(sent, Mapping) else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, str) else None
