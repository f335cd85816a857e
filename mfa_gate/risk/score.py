"""How usual a sign-in is at its account: log-odds of an attack, with the reasons.

Each level of a chain is as likely at this account as Dirichlet smoothing says, given the coarser level, and as likely
elsewhere as the policy says. What the account has never shown on the coarser level says nothing more on the finer one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import exp, log
from typing import Final, Literal

from .features import CHAINS, Features
from .profile import Profile
from .risk_policy import RiskPolicy

Risk = Literal["usual", "raised", "high"]
ORDER: Final[tuple[Risk, ...]] = ("usual", "raised", "high")
LITTLE: Final = "little_known"
_TOLD: Final = 0.5  # nats from which evidence is a reason


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a sign-in amounts to.

    Attributes:
        risk: what follows.
        would_be: what would, were the whole engine not in report-only mode.
        score: log-odds of an attack.
        reasons: stable codes of what speaks against it, the gravest first.
        evidence: of each feature, in nats; what is above nought speaks against it.
    """

    risk: Risk
    would_be: Risk
    score: float
    reasons: tuple[str, ...]
    evidence: Mapping[str, float]

    def at_least(self, risk: Risk, code: str, *, only_reported: bool) -> Assessment:
        """With a reason that by itself makes it as unusual as that."""
        would_be, reasons = max(self.would_be, risk, key=ORDER.index), (code, *self.reasons)
        follows = self.risk if only_reported else max(self.risk, risk, key=ORDER.index)
        return replace(self, risk=follows, would_be=would_be, reasons=reasons)

    @property
    def probability(self) -> float:
        """Of an attack, where these are as rare as the policy's bias says."""
        return 1.0 / (1.0 + exp(-max(-700.0, min(700.0, self.score))))


def assess(profile: Profile, features: Features, now: float, policy: RiskPolicy) -> Assessment:
    """How much a sign-in with the right password looks like somebody else's.

    Args:
        profile: of the account.
        features: what the sign-in shows.
        now: seconds since the epoch.
        policy: weights and thresholds.
    """
    faded = profile.fading(now)
    own = _device(profile, features.device, faded, policy)
    evidence, codes = {"device": own}, {"device": "new_device"}
    for name, chain in CHAINS.items():
        if name != "hour" or profile.sign_ins * faded >= policy.hours:
            evidence[name], codes[name] = _chain(profile, features, chain, faded, policy)
    counted = {name: value for name, value in evidence.items() if name not in policy.report_only}
    score = policy.bias + sum(policy.weights[name] * value for name, value in counted.items())
    little = _little_known(profile.sign_ins * faded, features, policy)
    against = sorted((name for name in counted if counted[name] > _TOLD), key=lambda name: -evidence[name])
    reasons = [codes[name] for name in against] + ([LITTLE] if little else [])
    found = _risk(score, little, policy)
    return Assessment("usual" if "all" in policy.report_only else found, found, score, tuple(reasons), evidence)


def _risk(score: float, little: bool, policy: RiskPolicy) -> Risk:
    if score >= policy.high:
        return "high"
    return "raised" if little or score >= policy.raised else "usual"


def _little_known(sign_ins: float, features: Features, policy: RiskPolicy) -> bool:
    """Whether too little is known of the account, or of this sign-in, to call it usual without a known device."""
    somewhere = features.address or features.network or features.asn or features.country
    return not features.device and (sign_ins < policy.known or not somewhere or not features.build)


def _device(profile: Profile, shown: bool, faded: float, policy: RiskPolicy) -> float:
    """Evidence of a known device, or of none: weak where the account's owner often shows none."""
    sign_ins, strange = profile.sign_ins * faded, profile.strange * faded
    mine = (sign_ins - strange if shown else strange) + policy.novelty
    elsewhere = policy.agrees["device"] if shown else 1.0
    return _within(log(elsewhere * (sign_ins + 2 * policy.novelty) / mine), policy)


def _chain(
    profile: Profile, features: Features, chain: tuple[str, ...], faded: float, policy: RiskPolicy
) -> tuple[float, str]:
    """Evidence of the values of one chain, from the coarsest to the first that is new; and the code that says so."""
    usual, within, ceiling, code = 0.0, None, policy.most, f"unusual_{chain[-1]}"
    for level in reversed(chain):
        value, seen = features.value(level), profile.seen(level)
        if value is None or not seen.total:
            continue
        count, whole = seen.counts.get(value, 0.0) * faded, seen.total * faded
        whole = whole if within is None else min(whole, within)
        unseen = policy.novelty + seen.news * faded
        # what is new on a finer level alone is never worse than what is new on the coarser one
        ceiling = min(ceiling, log((whole + unseen) / unseen) - usual)
        if not count:
            return _within(ceiling, policy), f"new_{level}"
        share = log((count / policy.agrees[level] + unseen) / (whole + unseen))
        usual += share if within is None else max(0.0, share)  # to know it more finely is never suspicious
        within = count
    return _within(-usual, policy), code


def _within(evidence: float, policy: RiskPolicy) -> float:
    return max(policy.least, min(policy.most, evidence))
