"""Reading what was sent: a form or JSON, small, flat, with the fields that are known and no others."""

from __future__ import annotations

import json
from typing import Final

from flask import Request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from ..exc import Forged, InvalidRequest, SignInRequired, TooLarge
from .visitor import CSRF, Visitor

MAX_BYTES: Final = 65_536
HEADER: Final = "X-MFA-CSRF"
TOKEN: Final = "csrf_token"  # noqa: S105  (the name of a field)


def read(request: Request, visitor: Visitor, *names: str) -> dict[str, str]:
    """The fields of a state-changing request, whose CSRF token and origin are checked first.

    Args:
        names: the fields that may be there besides the token; each is a text.

    Raises:
        SignInRequired: there is no session that a change could belong to.
        Forged: the request does not come from a page of this sign-in.
        InvalidRequest, TooLarge: it cannot be read, or holds something else.
    """
    if visitor.session is None:
        raise SignInRequired
    fields = body(request)
    _check_origin(request, visitor)
    token = request.headers.get(HEADER) or fields.pop(TOKEN, "")
    fields.pop(TOKEN, None)
    if not visitor.parts.keyring.matches(CSRF, visitor.session.sign_in, token):
        raise Forged
    if fields.keys() - set(names):
        raise InvalidRequest
    return fields


def body(request: Request) -> dict[str, str]:
    """The fields of a form or of a flat JSON object.

    Raises:
        InvalidRequest, TooLarge: it is neither.
    """
    request.max_content_length = MAX_BYTES
    return _json(request) if request.mimetype.endswith("json") else _form(request)


def _check_origin(request: Request, visitor: Visitor) -> None:
    if not is_same_origin(request, visitor.parts.settings.origin):
        raise Forged


def is_same_origin(request: Request, origin: str, *, known: bool = False) -> bool:
    """Whether the browser says that a page of this origin sent the request.

    Args:
        origin: the portal's own.
        known: whether a request that says nothing of its origin is refused; every browser says it with a POST.
    """
    site = request.headers.get("Sec-Fetch-Site")
    sent = request.headers.get("Origin")
    if site not in (None, "same-origin", "none"):
        return False
    if sent == "null":  # a same-origin page under Referrer-Policy: no-referrer
        return site == "same-origin"
    return sent == origin if sent is not None or known else True


def _form(request: Request) -> dict[str, str]:
    try:
        if request.files:
            raise InvalidRequest
        form = request.form
    except RequestEntityTooLarge:
        raise TooLarge from None
    except (HTTPException, ValueError, LookupError):
        raise InvalidRequest from None
    # what cannot be decoded comes out of the parser as nothing
    if (not form and request.content_length) or any(len(form.getlist(name)) > 1 for name in form):
        raise InvalidRequest
    return form.to_dict()


def _json(request: Request) -> dict[str, str]:
    try:
        raw = request.get_data()
        sent = json.loads(raw.decode("utf-8")) if raw else {}
    except RequestEntityTooLarge:
        raise TooLarge from None
    except (HTTPException, ValueError, RecursionError):
        raise InvalidRequest from None
    if not isinstance(sent, dict) or not all(isinstance(value, str) for value in sent.values()):
        raise InvalidRequest
    return sent
