"""The two pictures of the report, as SVG."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from .attackers import KINDS
from .harness import Scores
from .study import COOKIELESS, ENGINE, PUBLISHED, Study

_STYLES = {ENGINE: "-", COOKIELESS: "--", PUBLISHED: ":"}


def plots(found: Study, folder: Path) -> None:
    """Write `risk-roc.svg` and `risk-evidence.svg`."""
    mpl.rcParams["svg.hashsalt"] = "risk"  # the same figures make the same file
    _save(_roc(found), folder / "risk-roc.svg")
    _save(_spread(found), folder / "risk-scores.svg")


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})


def _roc(found: Study) -> Figure:
    """Share of owners asked against share of attacks caught, for each attacker."""
    figure = Figure(figsize=(10, 7.5), layout="constrained")
    for axes, kind in zip(figure.subplots(2, 2).flat, KINDS, strict=True):
        for name, style in _STYLES.items():
            asked, caught = _curve(found.portal[name], kind)
            axes.plot(asked, caught, style, color="black", label=name)
        axes.set(title=kind, xscale="log", xlim=(0.0003, 1), ylim=(0.8, 1.002), xlabel="owners asked", ylabel="caught")
        axes.grid(alpha=0.3)
    figure.axes[0].legend(loc="lower right")
    return figure


def _curve(scores: Scores, kind: str) -> tuple[np.ndarray, np.ndarray]:
    thresholds = np.quantile(scores.owners[1].scores, 1 - np.geomspace(1e-4, 1, 400), method="nearest")
    owners, attacks = np.sort(scores.owners[1].scores), np.sort(scores.attacks[kind][1].scores)
    asked = 1 - np.searchsorted(owners, thresholds) / len(owners)
    return asked, 1 - np.searchsorted(attacks, thresholds) / len(attacks)


def _spread(found: Study) -> Figure:
    """Where the scores of owners and attackers lie."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes, scores = figure.subplots(), found.portal[ENGINE]
    groups = {"owners": scores.owners[1], **{kind: scores.attacks[kind][1] for kind in KINDS}}
    axes.boxplot([marks.scores for marks in groups.values()], orientation="horizontal", whis=(1, 99), showfliers=False)
    axes.set_yticklabels(list(groups))
    axes.set(xlabel="log-odds of an attack; boxes hold half, whiskers 98 %")
    axes.grid(alpha=0.3)
    return figure
