"""The user names that a request to the login carries, wherever it does: the view may read any of these places."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, Final

from flask import Request

from ..exc import InvalidRequest
from ..limits.limiter import typed_name

MOST_NAMES: Final = 3  # nobody signs in as more; each is counted
LONGEST_BODY: Final = 1024 * 1024  # bytes; it is read whole, whatever its type says


def sent_names(request: Request, field: str | Callable[[], str | None]) -> list[str]:
    """Every user name that a request carries under a name: in the URL, the query, a form, JSON, or for HTTP to check.

    Args:
        request: a request to a login view; its body is still there for the view.
        field: what the name is sent as; or what returns it, where no request carries it in the open.

    Returns:
        One spelling of each, the body's last.

    Raises:
        InvalidRequest: there are more than anybody sends.
        RequestEntityTooLarge: the body is longer than any login's.
    """
    found: dict[str, str] = {}
    for value in _values(request, field) if isinstance(field, str) else [field()]:
        for name in _names(value):
            if typed := typed_name(name):
                found[typed] = name
        if len(found) > MOST_NAMES:
            raise InvalidRequest
    return list(found.values())


def _values(request: Request, field: str) -> Iterator[Any]:
    if request.authorization is not None:
        yield request.authorization.parameters.get("username")  # RFC 7617, RFC 7616
    yield (request.view_args or {}).get(field)
    yield from request.args.getlist(field)
    body = _body(request)
    yield from request.form.getlist(field)
    yield from _in_json(body, field)


def _names(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str | int | float) and not isinstance(one, bool):
            yield str(one)


def _body(request: Request) -> bytes:
    """The body as it came, kept for the view and for the parser of forms."""
    most = request.max_content_length
    request.max_content_length = LONGEST_BODY if most is None else min(most, LONGEST_BODY)
    body = request.get_data(cache=True)
    if body:
        request.stream = BytesIO(body)
    return body


def _in_json(body: bytes, field: str) -> list[Any]:
    """The values of a field in JSON, at whatever depth, and if it stands there twice."""
    values: list[Any] = []

    def members(pairs: list[tuple[str, Any]]) -> None:
        values.extend(value for name, value in pairs if name == field)

    try:
        json.loads(body, object_pairs_hook=members)
    except (ValueError, RecursionError):
        return values  # what was read before the mistake: another reader may not mind it
    return values
