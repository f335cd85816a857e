"""Whether a session that shows up somewhere else is still its owner's: asked on a change only."""

from __future__ import annotations

from math import log
from typing import Final

from .features import CHAINS, Features
from .profile import Profile
from .risk_policy import RiskPolicy

BROWSER: Final = "browser_changed"
_PLACE: Final = tuple(reversed(CHAINS["place"][CHAINS["place"].index("network") :]))


def moved(profile: Profile, before: Features, after: Features, policy: RiskPolicy) -> tuple[str, ...]:
    """Stable codes of what a session has to prove itself again for; empty where it may go on.

    A browser may be updated, and does not turn into another one. A place may be any that a proven sign-in has shown, or
    another /24 of the same part of an access network where those of this account change, as a phone's do. Device
    cookies say nothing here: a thief who copied the session's cookie has copied them as well. Another version of the
    Internet Protocol is no other place where the data name the same network for both: browsers go from one to the other
    within a session (RFC 8305).

    Args:
        profile: of the account.
        before: where the session has proven itself last.
        after: where it is now.
        policy: says how much new there may be.
    """
    reasons = []
    if (before.family, before.system) != (after.family, after.system):
        reasons.append(BROWSER)
    if before.network != after.network and not _only_ip(before, after) and (new := _new_place(profile, after, policy)):
        reasons.append(f"new_{new}")
    return tuple(reasons)


def _only_ip(before: Features, after: Features) -> bool:
    """Whether it is the other of two addresses that one access network gives: an autonomous system, one of each."""
    versions = before.ip is not None and after.ip is not None and before.ip != after.ip
    same = (before.asn, before.country) == (after.asn, after.country) and before.asn is not None
    return versions and same and after.kind in (None, "access")


def _new_place(profile: Profile, after: Features, policy: RiskPolicy) -> str | None:
    """The coarsest level that the account has not shown; a /24 may be new where many were."""
    within = 0.0
    for level in _PLACE:
        value, seen = after.value(level), profile.seen(level)
        if value is None:
            continue
        if value in seen.counts:
            within = seen.counts[value]
        elif level == "network" and after.kind in (None, "access"):
            surprise = log((within + 1.0 + seen.news) / (1.0 + seen.news))
            return level if surprise > policy.moves else None
        else:
            return level
    return None
