"""The study: owners over half a year, and every thief against every account, on seeds that nothing was tried on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from .owners import Tally, observe
from .thieves import THIEVES, steals
from .world import POLICY

SEEDS: Final = (2001, 2002, 2003, 2004, 2005)
LENGTH: Final = 150  # days
ESTABLISHED, NEW = "established", "new"


@dataclass(slots=True)
class Study:
    """What was found.

    Attributes:
        owners: over all seeds.
        taken: thief's name -> the accounts' group, and whether they are established -> records of each.
    """

    owners: Tally = field(default_factory=Tally)
    taken: dict[str, dict[tuple[str, str], list[int]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def of(self, thief: str, age: str = ESTABLISHED) -> list[int]:
        """What a thief took of the accounts of every group."""
        return [records for (_, how), taken in self.taken[thief].items() if how == age for records in taken]


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
                for age, state in ((ESTABLISHED, old), (NEW, young)):
                    found.taken[thief.name][account.group, age].append(
                        steals(rng, thief, account, state.copy(), policy)
                    )
            done()
        found.owners += tally
    return found


def parts(seeds: tuple[int, ...]) -> int:
    """How often `study` says that something is done."""
    return len(seeds) * (1 + len(THIEVES))
