"""How many records an account reads, and when that is a harvest. Pure: a plain state, a read and a clock, a verdict.

    policy, state = HarvestPolicy(), State()
    state, verdict = read(state, Read(("c0ffee01",), now), policy)
    verdict.action, verdict.reasons     # "pass", ()

The state is O(1): `state.dump()` is at most 6 KB, however long the account lives.
"""

from __future__ import annotations

from .crowd import Crowd
from .detectors import may_lift, missed, read, weigh
from .harvest_policy import HarvestPolicy
from .norms import limit, mean, quota
from .state import Allowance, State, StateBroken
from .verdict import REASONS, Action, Read, Verdict

__all__ = [
    "REASONS",
    "Action",
    "Allowance",
    "Crowd",
    "HarvestPolicy",
    "Read",
    "State",
    "StateBroken",
    "Verdict",
    "limit",
    "may_lift",
    "mean",
    "missed",
    "quota",
    "read",
    "weigh",
]
