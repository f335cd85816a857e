"""What may keep an answer that depends on who asks: nobody, or their own browser where the view says `private`."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from flask import Response

# what some caches heed before Cache-Control; besides every `...-Cache-Control` (RFC 9213)
_BEFORE: Final = frozenset({"surrogate-control", "edge-control", "x-accel-expires"})
_DULL: Final = frozenset({"content-type", "content-length"})  # what every answer has, looked at no further
_SHARED: Final = frozenset({"public", "s-maxage"})
_OWN: Final = frozenset({"private", "no-store"})


def is_for_shared_caches(name: str) -> bool:
    """Whether a header, in small letters, tells shared caches something that overrides Cache-Control."""
    return name.endswith("-cache-control") or name in _BEFORE


def keep_private(response: Response) -> None:
    """Let no shared cache keep an answer, and no browser but where the view has said `private` itself.

    What Flask says of a file by itself (`no-cache`, or `public` and a time) is no word of the view's: it is replaced.
    """
    headers, said, varies, others = response.headers, None, "", []
    for name, value in headers:
        low = name.lower()
        if low in _DULL:
            continue
        if low == "cache-control":
            said = value if said is None else f"{said},{value}"
        elif low == "vary":
            varies = f"{varies},{value}"
        elif low == "expires" or is_for_shared_caches(low):
            others.append(name)
    for name in others:
        headers.remove(name)
    if said is None:
        headers.add("Cache-Control", "no-store")
    elif not _is_own(said):
        headers["Cache-Control"] = "no-store"
    if not _names_cookie(varies):
        headers.add("Vary", "Cookie")


def vary_by_cookie(response: Response) -> None:
    """Say of an answer that another browser may get another one."""
    if not _names_cookie(",".join(response.headers.getlist("Vary"))):
        response.headers.add("Vary", "Cookie")


@lru_cache(maxsize=64)  # a portal says the same again and again
def _is_own(said: str) -> bool:
    """Whether a Cache-Control keeps shared caches out (RFC 9111 §5.2.2), in words that all caches read alike."""
    if '"' in said:  # `private="Set-Cookie"` is of one header alone, and a list may stand within quotes
        return False
    directives = {directive.partition("=")[0].strip(" \t").lower() for directive in said.split(",")}
    return not _OWN.isdisjoint(directives) and _SHARED.isdisjoint(directives)


@lru_cache(maxsize=64)
def _names_cookie(varies: str) -> bool:
    return bool(varies) and not {"cookie", "*"}.isdisjoint(name.strip(" \t").lower() for name in varies.split(","))
