"""What is usual of an account, and what that lets it read: a day's records, and a proof's."""

from __future__ import annotations

from math import exp, log, sqrt

from .harvest_policy import MAX_MARKS, HarvestPolicy
from .state import State


def mean(state: State, policy: HarvestPolicy, group: str | None = None) -> float:
    """Records of a usual working day: the group's, and the more the longer the account's own.

    A gamma prior worth `worth` days, over days that fade: (worth·prior + total) / (worth + weight).
    """
    return _mean(state.total, state.weight, policy, group)


def _mean(total: float, weight: float, policy: HarvestPolicy, group: str | None) -> float:
    prior = policy.usual.get(group or "", policy.usual[""])
    return (policy.worth * prior + total) / (policy.worth + weight)


def settled(state: State, policy: HarvestPolicy, group: str | None) -> float:
    """The same over a year: what a slow harvest is measured by, which would soon be usual itself."""
    return _mean(state.old_total, state.old_weight, policy, group)


def limit(state: State, policy: HarvestPolicy, group: str | None = None) -> float:
    """Records that a day may have: an upper quantile of a negative binomial, by a log-normal of the same two moments.

    mean·exp(z·s - s²/2) with s² = ln(1 + 1/mean + 1/spread), at least `floor` and at most `ceiling`.
    """
    if state.allowed and state.at < state.allowed_until:
        return float(min(state.allowed, MAX_MARKS))
    if state.lifted == state.day:
        return float(policy.ceiling)
    return adaptive(state, policy, group)


def adaptive(state: State, policy: HarvestPolicy, group: str | None) -> float:
    """The limit that the account's own days make, exceptions left out: no more than that is learnt of a day."""
    usual = mean(state, policy, group)
    square = log(1.0 + 1.0 / usual + 1.0 / policy.spread)
    return min(float(policy.ceiling), max(policy.floor, usual * exp(policy.z * sqrt(square) - square / 2.0)))


def quota(state: State, policy: HarvestPolicy, group: str | None = None, *, unusual: bool = False) -> int:
    """Records that one second factor grants to its session."""
    if unusual:
        return policy.unusual
    return round(min(policy.most, max(policy.least, policy.share * mean(state, policy, group))))
