"""The scorers that are compared: each scores a sign-in against what it has learnt, and learns from it."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import log
from typing import Protocol

from mfa_gate.risk import Features, Profile, RiskPolicy, assess

from .people import SignIn


class Scorer(Protocol):
    """Greater scores are more like an attack."""

    def score(self, attempt: SignIn) -> float: ...

    def learn(self, sign_in: SignIn) -> None: ...


def features_of(sign_in: SignIn, *, cookie: bool = True) -> Features:
    """What the engine is shown; without the device cookie on demand."""
    address, agent = sign_in.address, sign_in.agent
    return Features(
        device=cookie and sign_in.cookie,
        address=str(address),
        network=address.networked,
        district=address.districted,
        asn=address.network.asn,
        country=address.network.country,
        kind=address.network.kind,
        build=agent.build,
        family=agent.family,
        system=agent.system,
        hour=int((sign_in.at // 3600 - 4 * 24) % 168),
    )


class Engine:
    """The product's own, with its constants as they are shipped."""

    def __init__(self, policy: RiskPolicy, *, cookie: bool = True) -> None:
        self._policy = policy
        self._cookie = cookie
        self._profiles: dict[int, Profile] = defaultdict(Profile)

    def evidence(self, attempt: SignIn) -> dict[str, float]:
        found = assess(self._profiles[attempt.account], self._shown(attempt), attempt.at, self._policy)
        return dict(found.evidence)

    def score(self, attempt: SignIn) -> float:
        found = assess(self._profiles[attempt.account], self._shown(attempt), attempt.at, self._policy)
        return max(found.score, self._policy.raised) if "little_known" in found.reasons else found.score

    def learn(self, sign_in: SignIn) -> None:
        self._profiles[sign_in.account] = self._profiles[sign_in.account].learnt(self._shown(sign_in), sign_in.at)

    def _shown(self, sign_in: SignIn) -> Features:
        return features_of(sign_in, cookie=self._cookie)


_ADDRESS = (0.6, 0.3, 0.1)
_AGENT = (0.5386653840551359, 0.2680451498625666, 0.18818295100109536, 0.0051065150812021525)


class Published:
    """The score of Freeman et al. (NDSS 2016) as Wiefling et al. made it open, with their weights.

    Without data on attacks, as they measured it. A first sign-in has no score there: here it is the greatest.
    """

    def __init__(self) -> None:
        self._all = [Counter[str]() for _ in range(7)]
        self._of: dict[int, list[Counter[str]]] = defaultdict(lambda: [Counter[str]() for _ in range(7)])
        self._sign_ins: Counter[int] = Counter()
        self._total = 0

    def score(self, attempt: SignIn) -> float:
        """The logarithm of their risk score."""
        own, count = self._of[attempt.account], self._sign_ins[attempt.account]
        if not count:
            return float("inf")
        values = _values(attempt)
        score = log(self._total / count / max(1, len(self._sign_ins)))
        for levels, weights in ((range(3), _ADDRESS), (range(3, 7), _AGENT)):
            at_all = sum(w * self._global(values, levels, level) for level, w in zip(levels, weights, strict=True))
            here = sum(w * own[level][values[level]] / count for level, w in zip(levels, weights, strict=True))
            score += log(at_all / (here or at_all / 4))
        return score

    def _global(self, values: list[str], levels: range, level: int) -> float:
        """Share of a value among all sign-ins; the finest level alone is smoothed."""
        count = self._all[level][values[level]]
        if level != levels[0]:
            return count / self._total
        unseen = sum(len(self._all[coarser]) for coarser in levels[1:]) + 1
        if not count:
            return 1 / (self._total + unseen)
        share = count / self._total * (1 - unseen / (self._total + unseen))
        return share * (1 - len(levels) / (count + len(levels)))

    def learn(self, sign_in: SignIn) -> None:
        own = self._of[sign_in.account]
        for level, value in enumerate(_values(sign_in)):
            self._all[level][value] += 1
            own[level][value] += 1
        self._sign_ins[sign_in.account] += 1
        self._total += 1


def _values(sign_in: SignIn) -> list[str]:
    address, agent = sign_in.address, sign_in.agent
    return [
        str(address),
        address.network.asn,
        address.network.country,
        agent.build,
        f"{agent.browser} {agent.major}",
        f"{agent.system} {agent.release}",
        agent.device,
    ]


class Rule:
    """Ask where the device or the autonomous system is new to the account."""

    def __init__(self) -> None:
        self._networks: dict[int, set[str]] = defaultdict(set)

    def score(self, attempt: SignIn) -> float:
        known = attempt.cookie and attempt.address.network.asn in self._networks[attempt.account]
        return 0.0 if known else 1.0

    def learn(self, sign_in: SignIn) -> None:
        self._networks[sign_in.account].add(sign_in.address.network.asn)


class Always:
    """Ask always."""

    def score(self, attempt: SignIn) -> float:
        return 1.0

    def learn(self, sign_in: SignIn) -> None:
        pass
