"""The page a person wanted: kept for a navigation only, sealed in a short-lived cookie, never in a URL or the store."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from flask import Request, Response, request

from ..exc import SealBroken
from ..levels import Level
from ..settings import Settings
from ..wiring import Parts
from .cookies import sent

MAX_LENGTH: Final = 1500
MAX_AGE: Final = 1800  # seconds
PURPOSE: Final = "target"
CONTEXT: Final = "target"
# C0, DEL, C1, and what browsers treat as a slash or drop silently
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\\\\\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Target:
    """A page on this portal, as path and query without script root, the level that it asked for, and why, if known.

    Attributes:
        at: when it was asked for, in whole seconds since the epoch.
    """

    path: str
    level: Level = Level.MFA
    why: str | None = None
    at: float = 0.0


def safe(path: str) -> bool:
    """Whether, decoded, it begins with exactly one slash and holds no backslash and no control character."""
    decoded = unquote(path)
    for text in (decoded, unquote(decoded)):  # a proxy in between may decode once more
        if not text.startswith("/") or text.startswith("//") or _UNSAFE.search(text):
            return False
    return len(path) <= MAX_LENGTH


def is_navigation(request: Request) -> bool:
    """Whether a person is going somewhere, as far as the browser says: no image, poll, frame or prefetch."""
    headers = request.headers
    return (
        "text/html" in headers.get("Accept", "")
        and headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
        and headers.get("Sec-Fetch-Dest", "document") == "document"
        and "X-Requested-With" not in headers
        and not any("prefetch" in headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz"))
    )


def wanted(request: Request) -> str | None:
    """Path and query of a page that a person navigates to; None for anything else."""
    if request.method != "GET" or not is_navigation(request):
        return None
    path = path_of(request)
    return path if safe(path) else None


def path_of(request: Request) -> str:
    """Path and query as they were asked for, without script root."""
    # Werkzeug's `path` has lost doubled slashes at its beginning, which are just what must be seen
    raw = request.environ.get("PATH_INFO", "").encode("latin-1", "replace")
    path = quote(raw, safe="/:@!$&'()*+,;=~-._")
    query = request.query_string.decode("latin-1")
    return f"{path}?{quote(query, safe='/:@!$&()*+,;=~-._?%')}" if query else path


def keep(parts: Parts, response: Response, path: str | None, level: Level = Level.MFA, why: str | None = None) -> None:
    """Keep the page in the browser, or drop an older one; `why` is the code of what came in between."""
    if path is None:
        drop(parts.settings, response)
        return
    sealed = parts.keyring.seal(
        PURPOSE, json.dumps([path, int(level), int(parts.services.clock()), why]).encode(), CONTEXT
    )
    _set(parts.settings, response, sealed, MAX_AGE)


def kept(parts: Parts, request: Request) -> Target | None:
    """The kept page, if there is exactly one that is ours and not too old."""
    found = [target for sealed in sent(request.environ, _name(parts.settings)) if (target := _opened(parts, sealed))]
    return found[0] if len(found) == 1 else None


def _opened(parts: Parts, sealed: str) -> Target | None:
    if len(sealed) > 4 * MAX_LENGTH:
        return None
    try:
        path, level, at, *more = json.loads(parts.keyring.open(PURPOSE, sealed, CONTEXT))
    except SealBroken:
        return None
    if parts.services.clock() - at >= MAX_AGE:
        return None
    return Target(path, Level(level), more[0] if more else None, at)


def drop(settings: Settings, response: Response) -> None:
    """Drop the kept page, where the browser has sent one."""
    if sent(request.environ, _name(settings)):
        _set(settings, response, "", 0)


def absolute(settings: Settings, path: str) -> str:
    """A path of this portal as a URL: the base URL comes from configuration, never from the request."""
    return settings.base_url + path


def _name(settings: Settings) -> str:
    return f"{settings.cookie_name}-to"


def _set(settings: Settings, response: Response, value: str, max_age: int) -> None:
    response.set_cookie(
        _name(settings),
        value,
        max_age=max_age,
        secure=settings.secure,
        httponly=True,
        samesite="Lax",
        path="/",
    )
