"""Fits the weights of the engine from made-up data of tuning seeds, which no report uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log
from typing import Final

import numpy as np
from scipy.optimize import minimize

from mfa_gate.risk import RiskPolicy

from .harness import HISTORY, LEARN, attacks_on
from .people import SignIn, population, portal
from .scorers import Engine

SEEDS: Final = (101, 102, 103)
ACCOUNTS: Final = 800
ODDS: Final = 1e-3  # of an attack among sign-ins with the right password, as the bias has it
ASKED: Final = 0.02  # share of the owners' sign-ins that `raised` may ask more of
HIGH: Final = 0.001  # and `high`
LEAST: Final = 0.05  # no feature counts for nothing: what made-up data lacks, real ones may have
NAMES: Final = ("device", "place", "browser", "kind", "hour")


@dataclass(frozen=True)
class Fitted:
    """What belongs in `RiskPolicy`."""

    weights: dict[str, float]
    bias: float
    raised: float
    high: float


def fit() -> Fitted:
    """Logistic regression on the evidence, no weight below nought, with and without device cookies."""
    rows = [row for seed in SEEDS for cookie in (True, False) for row in _rows(seed, cookie)]
    evidence = np.array([row[0] for row in rows])
    attack = np.array([row[1] for row in rows])
    with_cookie = np.array([row[2] for row in rows])
    each = np.where(attack, 1 / attack.sum(), 1 / (~attack).sum())

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        scores = evidence @ parameters[1:] + parameters[0]
        signed = np.where(attack, scores, -scores)
        slope = np.where(attack, -1.0, 1.0) * each / (1 + np.exp(np.clip(signed, -500, 500)))
        value = float((each * np.logaddexp(0, -signed)).sum())
        return value, np.concatenate([[slope.sum()], evidence.T @ slope])

    start = np.concatenate([[0.0], np.ones(len(NAMES))])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(None, None)] + [(LEAST, None)] * len(NAMES))
    weights = {name: round(float(w), 2) for name, w in zip(NAMES, found.x[1:], strict=True)}
    bias = round(float(found.x[0]) + log(ODDS), 2)
    owners = (evidence @ np.array(list(weights.values())) + bias)[~attack & with_cookie]
    raised, high = np.quantile(owners, [1 - ASKED, 1 - HIGH])
    return Fitted(weights, bias, round(float(raised), 1), round(float(high), 1))


def _rows(seed: int, cookie: bool) -> Iterator[tuple[list[float], bool, bool]]:
    """Evidence of each sign-in and attack of the later parts; is it an attack, and are there cookies?"""
    shape = portal()
    people, sign_ins = population(shape, seed, ACCOUNTS)
    engine = Engine(replace(RiskPolicy(), hours=0.0), cookie=cookie)
    events: list[tuple[float, bool, SignIn]] = [(one.at, False, one) for one in sign_ins]
    events += [(one.at, True, one) for _, one in attacks_on(people, shape, seed)]
    counts = [0] * ACCOUNTS
    for at, is_attack, one in sorted(events, key=lambda event: event[0]):
        if at >= LEARN and counts[one.account] >= HISTORY:
            found = engine.evidence(one)
            yield [found.get(name, 0.0) for name in NAMES], is_attack, cookie
        if not is_attack:
            engine.learn(one)
            counts[one.account] += 1
