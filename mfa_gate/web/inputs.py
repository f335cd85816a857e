"""Reading what was sent: a form or JSON, small, flat, with the fields that are known and no others."""

from __future__ import annotations

import json
from typing import Any, Final

from flask import Request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from ..exc import Forged, InvalidRequest, SignInRequired, TooLarge
from .request_context import CSRF, RequestContext
from .sites import is_same_origin

MAX_BYTES: Final = 65_536
HEADER: Final = "X-MFA-CSRF"
TOKEN: Final = "csrf_token"  # noqa: S105  (the name of a field)


def read(request: Request, request_context: RequestContext, *names: str) -> dict[str, str]:
    """The fields of a state-changing request, whose CSRF token and origin are checked first.

    Args:
        names: the fields that may be there besides the token; each is a text.

    Raises:
        SignInRequired: there is no session that a change could belong to.
        Forged: the request does not come from a page of this sign-in.
        InvalidRequest, TooLarge: it cannot be read, or holds something else.
    """
    if request_context.session is None:
        raise SignInRequired
    fields = body(request)
    in_form = fields.pop(TOKEN, "")
    _check_token(request, request_context, request.headers.get(HEADER) or in_form)
    if fields.keys() - set(names):
        raise InvalidRequest
    return fields


def read_object(request: Request, request_context: RequestContext, *names: str) -> dict[str, Any]:
    """Like `read`, for one JSON object whose members need not be texts.

    Raises:
        SignInRequired, Forged, InvalidRequest, TooLarge: as `read`.
    """
    if request_context.session is None:
        raise SignInRequired
    request.max_content_length = MAX_BYTES
    sent = _object(request)
    _check_token(request, request_context, request.headers.get(HEADER) or "")
    if sent.keys() - set(names):
        raise InvalidRequest
    return sent


def _check_token(request: Request, request_context: RequestContext, token: str) -> None:
    assert request_context.session is not None  # noqa: S101  (the callers looked)
    _check_token_of(request_context.session.sign_in, request, request_context, token)


def _check_token_of(sign_in: str, request: Request, request_context: RequestContext, token: str) -> None:
    _check_origin(request, request_context)
    if not request_context.parts.keyring.matches(CSRF, sign_in, token):
        raise Forged


def read_late(request: Request, request_context: RequestContext, sign_in: str) -> dict[str, Any]:
    """The fields of a request that may belong to a sign-in whose session has another id by now, once it is checked.

    Raises:
        Forged, InvalidRequest, TooLarge: as `read_object`.
    """
    request.max_content_length = MAX_BYTES
    sent: dict[str, Any] = {**(_object(request) if request.mimetype.endswith("json") else _form(request))}
    in_form = sent.pop(TOKEN, "")
    token = request.headers.get(HEADER) or (in_form if isinstance(in_form, str) else "")
    _check_token_of(sign_in, request, request_context, token)
    return sent


def body(request: Request) -> dict[str, str]:
    """The fields of a form or of a flat JSON object.

    Raises:
        InvalidRequest, TooLarge: it is neither.
    """
    request.max_content_length = MAX_BYTES
    return _json(request) if request.mimetype.endswith("json") else _form(request)


def _check_origin(request: Request, request_context: RequestContext) -> None:
    if not is_same_origin(request, request_context.parts.settings.origin):
        raise Forged


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
    sent = _object(request)
    if not all(isinstance(value, str) for value in sent.values()):
        raise InvalidRequest
    return sent


def _object(request: Request) -> dict[str, Any]:
    try:
        return parsed(request.get_data())
    except RequestEntityTooLarge:
        raise TooLarge from None
    except HTTPException:
        raise InvalidRequest from None


def parsed(raw: bytes | str) -> dict[str, Any]:
    """A JSON object; nothing at all is an empty one.

    Raises:
        InvalidRequest: it is something else.
    """
    try:
        text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
        sent = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        raise InvalidRequest from None
    if not isinstance(sent, dict):
        raise InvalidRequest
    return sent
