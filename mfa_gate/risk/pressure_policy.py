"""How hard a source tries passwords: failures beyond those of honest people (Herley & Schechter, NDSS 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from ..durations import HOUR

# failures beyond the expected ones, from which a source of this kind is taken to be guessing
_BAD: Final = {"network": 120.0, "asn": 200.0, "all": 300.0}


@dataclass(frozen=True, slots=True)
class PressurePolicy:
    """When a source counts as guessing.

    Attributes:
        failing: share of honest tries that fail. People on a public service fail one in five.
        excess: how many times as often as that a source must fail.
        bad: failures beyond the expected ones that it takes, for a /24, an autonomous system, and everywhere.
        accounts: with the right passwords of so many within a day, all on unknown devices and in a place new to each, a
            source is taken to have bought a list of them.
    """

    failing: float = 0.22
    excess: float = 3.0
    bad: Mapping[str, float] = field(default_factory=lambda: MappingProxyType(_BAD))
    accounts: int = 3


@dataclass(frozen=True, slots=True)
class Tally:
    """Tries from one source, in this hour and the one before it."""

    failures: int = 0
    successes: int = 0
    failures_before: int = 0
    successes_before: int = 0

    def guesses(self, kind: str, policy: PressurePolicy, since: float) -> bool:
        """Whether the source guesses.

        Args:
            kind: `network`, `asn` or `all`.
            policy: when it does.
            since: seconds since the hour began; the hour before counts less and less.
        """
        left = max(0.0, 1.0 - since / HOUR)
        failures = self.failures + left * self.failures_before
        successes = self.successes + left * self.successes_before
        expected = successes * policy.failing / (1.0 - policy.failing)
        return failures - expected >= policy.bad[kind] and failures >= policy.excess * expected
