"""Where a request comes from, as the browser says it (W3C Fetch Metadata; RFC 6454 §7)."""

from __future__ import annotations

from typing import Final

from flask import Request

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def is_same_origin(request: Request, origin: str, *, known: bool = False) -> bool:
    """Whether the browser says that a page of this origin, or the person, sent the request.

    Args:
        request: the request.
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


def may_sign_in(request: Request, origin: str, others: tuple[str, ...]) -> bool:
    """Whether a request that signs somebody in comes from a page that may: else a site could sign people in as itself.

    Args:
        request: the request; one that says nothing of its origin comes from no browser.
        origin: the portal's own.
        others: origins of a single sign-on that answers by POST; `null` is what some of them have.
    """
    site, sent = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if sent is None:
        return site in (None, "same-origin", "none")
    if sent == "null" and site == "same-origin":  # a page under Referrer-Policy: no-referrer
        return True
    return sent == origin or sent in others


def has_all_cookies(request: Request, origin: str) -> bool:
    """Whether a browser has sent its SameSite=Lax cookies along (RFC 6265bis §5.2): all but what other sites send.

    The first request of a tab brings them wherever the link stood, as long as it is a safe one.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is None:
        return request.headers.get("Origin") in (None, origin)
    if site != "cross-site":
        return True
    headers = request.headers
    return (
        request.method in SAFE_METHODS
        and headers.get("Sec-Fetch-Mode") == "navigate"
        and headers.get("Sec-Fetch-Dest") == "document"
    )
