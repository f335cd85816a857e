"""A small chart of an account's reading, as plain SVG: a bar for each day, its usual day, and its limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH, HEIGHT, GAP = 600, 120, 4
FOOT: Final = 2  # of a day without reads, so that it can be seen to be one


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: where its bar stands, and what it says."""

    x: float
    y: float
    width: float
    height: float
    day: int
    count: int


@dataclass(frozen=True, slots=True)
class Chart:
    """What a template draws.

    Attributes:
        usual, limit: heights of the two lines.
    """

    bars: tuple[Bar, ...]
    usual: float
    limit: float
    width: int = WIDTH
    height: int = HEIGHT


def chart(by_day: Sequence[tuple[int, int]], usual: float, limit: float) -> Chart:
    """Lay it out."""
    top = max([limit, usual, 1.0, *(count for _, count in by_day)])
    step = WIDTH / max(1, len(by_day))

    def height(value: float) -> float:
        return round((HEIGHT - FOOT) * value / top + FOOT, 1)

    bars = tuple(
        Bar(round(place * step, 1), HEIGHT - height(count), round(step - GAP, 1), height(count), day, count)
        for place, (day, count) in enumerate(by_day)
    )
    return Chart(bars, HEIGHT - height(usual), HEIGHT - height(limit))
