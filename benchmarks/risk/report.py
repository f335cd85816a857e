"""The report in Markdown: the figures to reach, and the published ones beside ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import Final

import numpy as np

from mfa_gate.risk import RiskPolicy

from .attackers import KINDS
from .harness import Scores, median_asked
from .published import AFTER, MEDIANS
from .study import COOKIELESS, ENGINE, PUBLISHED, RULE, SEEDS, Study
from .stuffing import PAIRS, RIGHT

# attacker, share caught, share of owners' sign-ins that is asked at most; without and with the device cookie
GOALS: Final = {
    ENGINE: (("naive", 0.999, 0.02), ("VPN", 0.995, 0.02), ("targeted", 0.99, 0.03), ("very targeted", 0.98, 0.08)),
    COOKIELESS: (("naive", 0.995, 0.02), ("VPN", 0.99, 0.06), ("targeted", 0.99, 0.13)),
}
ROC: Final = "![Share of owners asked against share of attacks caught, by attacker](images/risk-roc.svg)\n"
SCORES: Final = "![Where the scores of owners and of attackers lie](images/risk-scores.svg)\n"
SESSION: Final = (0.99, 0.01)
NEAR: Final = 0.10  # of a published median


def report(found: Study) -> str:
    """All tables."""
    rng = np.random.default_rng(0)
    blocks = [
        _intro(found),
        "## Goals\n",
        *_goals(found, rng),
        _session(found, rng),
        "## Share of attacks caught, by share of sign-ins asked\n",
        _rates(found),
        ROC,
        "## The default thresholds\n",
        _shipped(found, rng),
        SCORES,
        "## A bought list of passwords\n",
        _stuffing(found),
        "## In the form of the published study\n",
        "The median share of an account's first N sign-ins that is asked for more, on the professional portal.\n",
        _published_form(found),
        "## Are the synthetic data like real ones?\n",
        _calibration(found),
    ]
    return "\n".join(blocks)


def _intro(found: Study) -> str:
    owners = len(found.portal[ENGINE].owners[1].scores)
    attacks = len(found.portal[ENGINE].attacks["naive"][1].scores)
    whom = _text(
        "*For security officers: which share of attacks the risk engine catches, and which share of the owners'",
        "sign-ins it asks for more.*",
    )
    how = _text(
        "`python -m benchmarks.risk` makes this page from synthetic data; do not edit it. [risk.md](risk.md) says how",
        "the data are made, and what is compared.",
        f"The study has the seeds {', '.join(map(str, SEEDS))}, each with {found.accounts:,} accounts over half a",
        f"year. In the last 15 % of the time there are {owners:,} sign-ins of owners and {attacks:,} attempts of each",
        "kind of attacker. The thresholds come from the 15 % before it. Brackets hold 95 % intervals from a bootstrap",
        "over accounts.",
    )
    return f"# How well risk distinguishes owners from attackers\n\n{whom}{how}"


def _goals(found: Study, rng: np.random.Generator) -> Iterator[str]:
    for name, goals in GOALS.items():
        scores, baseline = found.portal[name], found.portal[PUBLISHED]
        rows = []
        for kind, catch, most in goals:
            threshold = scores.threshold(kind, catch)
            asked = scores.asked(threshold)
            theirs = baseline.asked(baseline.threshold(kind, catch))
            rows.append(
                (
                    kind,
                    f"{catch:.3f}",
                    _share(scores.caught(kind, threshold), scores.attacks[kind][1].interval(threshold, rng)),
                    _share(asked, scores.owners[1].interval(threshold, rng)),
                    _kept(scores, kind, catch, most),
                    f"{theirs:.1%}",
                    f"{theirs / asked:.0f} ×" if asked else "–",
                )
            )
        head = (
            "attacker",
            "aim",
            "caught",
            "owners asked",
            "at the bound",
            "published score asks",
            "fewer by",
        )
        yield f"**{name[0].upper()}{name[1:]}**\n\n{_table(head, rows)}"


def _kept(scores: Scores, kind: str, catch: float, most: float) -> str:
    """What is caught where as many owners are asked as the bound allows: that is what has to reach the aim."""
    caught = scores.caught(kind, scores.at_rate(most))
    return f"{most:.0%}: {caught:.2%} caught, {'reached' if caught >= catch else 'not reached'}"


def _session(found: Study, rng: np.random.Generator) -> str:
    sessions, (catch, most) = found.sessions, SESSION
    rows = [(kind, _share(marks.above(0.5), marks.interval(0.5, rng))) for kind, marks in sessions.thieves.items()]
    caught = float(np.mean([marks.above(0.5) for marks in sessions.thieves.values()]))
    asked = sessions.owners.above(0.5)
    interval = sessions.owners.interval(0.5, rng)
    return _text(
        f"**A stolen session cookie**, with the device cookie: the engine asks for a proof in {caught:.3f} of the uses",
        f"from another network or browser (aim {catch}), and in {_share(asked, interval)} of the owners' sessions",
        f"(aim: at most {most:.0%}).",
        "The first four thieves use the session's own browser, from the place of the attacker of that name.",
    ) + _table(("thief", "asked"), rows)


def _rates(found: Study) -> str:
    rates = (0.01, 0.02, 0.05, 0.10)
    rows, rule = [], found.portal[RULE]
    for name in (ENGINE, COOKIELESS, PUBLISHED):
        scores = found.portal[name]
        for kind in KINDS:
            thresholds = [scores.at_rate(rate) for rate in rates]
            cells = [f"{scores.caught(kind, at):.3f} ({scores.asked(at):.1%})" for at in thresholds]
            rows.append((name, kind, *cells))
    return _text(
        "Brackets hold the share of owners' sign-ins that was asked in the end. A rule that asks whenever the device",
        f"or the network is new asks {rule.asked(1):.1%} and catches",
        f"{min(rule.caught(kind, 1) for kind in KINDS):.3f} of each attacker. Asking at every sign-in catches all.",
    ) + _table(("scorer", "attacker", *(f"{rate:.0%}" for rate in rates)), rows)


def _shipped(found: Study, rng: np.random.Generator) -> str:
    policy, rows = RiskPolicy(), []
    for name in (ENGINE, COOKIELESS):
        scores = found.portal[name]
        for level, threshold in (("raised or high", policy.raised), ("high", policy.high)):
            caught = [f"{scores.caught(kind, threshold):.3f}" for kind in KINDS]
            rows.append(
                (name, level, *caught, _share(scores.asked(threshold), scores.owners[1].interval(threshold, rng)))
            )
    return _table(("scorer", "risk", *KINDS, "owners"), rows)


def _stuffing(found: Study) -> str:
    rows = [
        (
            f"{one.addresses}",
            f"{one.seconds / 3600:.0f} h",
            f"{one.evaluated:,} ({one.evaluated / PAIRS:.1%})",
            f"{one.found} of {RIGHT}",
            f"{one.refused} of {one.owners}",
        )
        for one in found.stuffed
    ]
    head = ("addresses", "the list takes", "pairs evaluated", "right passwords found", "owners made to wait")
    return _text(
        f"An attacker tries {PAIRS:,} pairs, {RIGHT} of them right, once each at a portal behind the gate, while",
        "owners sign in, one in ten of them in a new browser. A right password that is found opens no session: the",
        "sign-in still waits for a second factor.",
    ) + _table(head, rows)


def _published_form(found: Study) -> str:
    rows = []
    for kind, catch in ((kind, catch) for kind in KINDS[:3] for catch in (0.999, 0.995, 0.99, 0.98)):
        for name in (ENGINE, PUBLISHED):
            rows.append((kind, f"{catch}", name, *_medians(found.portal[name], kind, catch)))
    return _table(("attacker", "caught", "scorer", *(f"N = {n}" for n in AFTER)), rows)


def _medians(scores: Scores, kind: str, catch: float) -> list[str]:
    threshold = scores.threshold(kind, catch)
    return [f"{median_asked(scores.rank, threshold, number):.2f}" for number in AFTER]


def _calibration(found: Study) -> str:
    rows, near, cells = [], 0, 0
    for (kind, catch), wanted in MEDIANS.items():
        threshold = found.public.threshold(kind, catch)
        got = [median_asked(found.public.rank, threshold, number) for number in AFTER]
        hits = [abs(mine - theirs) <= NEAR + 1e-9 for mine, theirs in zip(got, wanted, strict=True)]
        near, cells = near + sum(hits), cells + len(hits)
        shown = [f"{m:.2f} ({w:.2f}){'' if hit else ' *'}" for m, w, hit in zip(got, wanted, hits, strict=True)]
        rows.append((kind, f"{catch}", *shown))
    return _text(
        "The table shows the published score on synthetic data in the shape of the public data set, with the published",
        "medians in brackets.",
        f"{near} of {cells} are within ±{NEAR:.2f}; a star marks those that are not.",
        "After five sign-ins a median moves in steps of .20.",
    ) + _table(("attacker", "caught", *(f"N = {n}" for n in AFTER)), rows)


def _share(value: float, interval: tuple[float, float]) -> str:
    places = 2 if value < 0.2 else 1
    return f"{value:.{places}%} ({interval[0]:.{places}%} to {interval[1]:.{places}%})"


def _text(*parts: str) -> str:
    return fill(" ".join(parts), 118) + "\n\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
