"""The study: owners over half a year, and every thief against every account, on seeds that nothing was tried on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from mfa_gate.harvest import State

from .owners import Tally, observe
from .thieves import THIEVES, steals
from .world import POLICY

SEEDS: Final = (2001, 2002, 2003, 2004, 2005)
LENGTH: Final = 150  # days
GROUPS: Final = ("established", "new")


@dataclass(slots=True)
class Study:
    """What was found.

    Attributes:
        owners: over all seeds.
        taken: thief's name -> established or new -> records of each account.
        by_group: false stops and working days of established accounts, by what they are.
    """

    owners: Tally = field(default_factory=Tally)
    by_seed: list[Tally] = field(default_factory=list)
    taken: dict[str, dict[str, list[int]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))


def study(accounts: int, seeds: tuple[int, ...], done: Callable[[], object]) -> Study:
    """Run it.

    Args:
        accounts: of each seed.
        seeds: of the made-up worlds.
        done: called once for each seed and thief, and once for each seed.
    """
    found, policy = Study(), POLICY
    for seed in seeds:
        tally = observe(seed, accounts, LENGTH, policy)
        done()
        rng = np.random.default_rng(seed + 10_000)
        for thief in THIEVES:
            for account, old, young in tally.accounts[: max(50, accounts // 4)]:
                for group, state in zip(GROUPS, (old, young), strict=True):
                    found.taken[thief.name][group].append(steals(rng, thief, account, _fresh(state), policy))
            done()
        found.by_seed.append(tally)
        found.owners += tally
    return found


def _fresh(state: State) -> State:
    return state.copy()


def parts(seeds: tuple[int, ...]) -> int:
    """How often `study` says that something is done."""
    return len(seeds) * (1 + len(THIEVES))
