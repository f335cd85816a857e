"""How many sign-ins of an account may stand at the password at once, and which of them give way to a new one.

A right password opens one, so who has stolen it could open any number. A source that opens many loses its own: the
owner's, from elsewhere or on a known device, stays (P11 of docs/security.md).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from heapq import heapify, heappop, heapreplace
from typing import Final, get_args

from ..risk import Risk
from ..store.sessions import Unproven

PER_SOURCE: Final = 5
PER_ACCOUNT: Final = 50
RISKS: Final = get_args(Risk)  # the most unusual one last


def giving_way(there: Iterable[Unproven], source: str | None) -> list[Unproven]:
    """Which sessions are ended before one more is opened from a source.

    Args:
        there: the living ones of the account, the oldest first.
        source: of the new one.
    """
    pending = [one for one in there if one.observed_until is None]
    observed = [one for one in there if one.observed_until is not None]
    own = [one for one in pending if one.source == source]
    first = own[: max(len(own) - PER_SOURCE + 1, 0)]
    gone = {one.id_hash for one in first}
    left = [one for one in pending if one.id_hash not in gone]
    return [*first, *_crowded(left), *_crowded(observed)]


def _crowded(there: list[Unproven]) -> list[Unproven]:
    """The oldest of the sources that hold most, until there is room; one on a known device gives way to no other's.

    Among sources that hold as many, the one whose oldest is the most unusual loses it.
    """
    held: dict[str | None, deque[Unproven]] = defaultdict(deque)
    for one in there:
        if not one.is_known:
            held[one.source].append(one)

    def rank(name: str | None) -> tuple[int, int, float, str]:
        oldest = held[name][0]
        return -len(held[name]), -RISKS.index(oldest.risk), oldest.created_at, name or ""

    ranked = [(rank(name), name) for name in held]
    heapify(ranked)
    gone: list[Unproven] = []
    while ranked and len(there) - len(gone) >= PER_ACCOUNT:
        _, name = ranked[0]
        gone.append(held[name].popleft())
        if held[name]:
            heapreplace(ranked, (rank(name), name))
        else:
            heappop(ranked)
    return gone
