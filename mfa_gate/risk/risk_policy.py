"""The constants of the engine, each with its reason in docs/risk.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType
from typing import Final

from ..exc import ConfigurationError
from .features import CHAINS, LEVELS
from .pressure_policy import PressurePolicy

# how likely somebody else's sign-in agrees on a level, given that it agrees on the coarser one
_AGREES: Final = {
    "address": 0.01,
    "network": 0.02,
    "district": 0.05,
    "asn": 0.10,
    "country": 0.50,
    "build": 0.10,
    "family": 0.25,
    "system": 0.40,
    "kind": 0.50,
    "ja4": 0.10,
    "hour": 0.20,
    "shift": 0.30,
    "device": 0.001,
}
# fitted by `python -m benchmarks.risk --fit`; no data has the fingerprints of clients, which count as browsers do
_WEIGHTS: Final = {"device": 1.35, "place": 1.29, "browser": 0.22, "kind": 0.05, "client": 0.22, "hour": 0.17}


@dataclass(frozen=True, slots=True)
class RiskPolicy:
    """What the engine goes by. Give another one by `MFAGate(risk=...)`.

    Attributes:
        weights: of the evidence of each feature. Fitted by `python -m benchmarks.risk --fit`.
        bias: log-odds of an attack before anything is known of a sign-in.
        raised, high: log-odds from which a sign-in is no longer usual, and from which it must prove the strongest.
        agrees: how likely somebody else's sign-in agrees with the account on a level, given the coarser one.
        least, most: bounds of the evidence of one feature, in nats.
        novelty: sign-ins with something new that every account is taken to have had on each level.
        known: sign-ins that must have been learnt before one without a known device can be usual.
        moves: how surprising, in nats, a new /24 in a known part of an access network may be inside a session.
        hours: sign-ins that must have been learnt before the hour counts.
        age: greatest age, in seconds, of the proof of a session whose sign-in was unusual.
        ja4_header: name of the header in which a trusted proxy says the JA4 fingerprint of a client; None for nowhere.
        proxies: addresses of the proxies that are believed.
        pressure: when a source counts as guessing passwords.
        report_only: features whose evidence is told but not counted; `session` for moves inside a session; `all` for
            the whole engine. Also `fan_in` and `leaked`, which are no features.

    Raises:
        ConfigurationError: a value means nothing; the text says what to write instead.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType(_WEIGHTS))
    bias: float = -4.56
    raised: float = -6.6
    high: float = -3.5
    agrees: Mapping[str, float] = field(default_factory=lambda: MappingProxyType(_AGREES))
    least: float = -4.0
    most: float = 6.0
    novelty: float = 0.5
    known: float = 3.0
    moves: float = 1.0
    hours: float = 20.0
    age: float = 3600.0
    ja4_header: str | None = None
    proxies: frozenset[str] = frozenset()
    pressure: PressurePolicy = field(default_factory=PressurePolicy)
    report_only: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        features = {"device", *CHAINS}
        if set(self.weights) != features or not all(0 <= weight < inf for weight in self.weights.values()):
            raise ConfigurationError(
                f"RiskPolicy(weights=...) has a weight of 0 or more for each of {sorted(features)}"
            )
        if set(self.agrees) != {"device", *LEVELS} or not all(0 < share <= 1 for share in self.agrees.values()):
            raise ConfigurationError("RiskPolicy(agrees=...) has a share, above 0 and at most 1, for each level")
        if not -inf < self.raised <= self.high:
            raise ConfigurationError("RiskPolicy(raised=..., high=...): raised is the lesser one")
        unknown = set(self.report_only) - features - {"session", "fan_in", "leaked", "all"}
        if unknown:
            raise ConfigurationError(f"RiskPolicy(report_only=...) knows nothing of the name {sorted(unknown)}")
        if not (self.novelty > 0 and self.age > 0 and self.least < 0 < self.most):
            raise ConfigurationError("RiskPolicy: novelty and age are above 0, least is below it, and most above")

    def reports(self, name: str) -> bool:
        """Whether what goes by this name is only told."""
        return not self.report_only.isdisjoint((name, "all"))
