"""The table and the picture of a replay: Markdown, and an SVG that stands alone."""

from __future__ import annotations

from html import escape
from itertools import pairwise
from math import log10
from statistics import median

from .scenarios import Outcome

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 1130, 520, 70, 50, 30
EDGE = 640  # of the plot; its labels stand right of it
SECONDS = ((1, "1 s"), (60, "1 min"), (3600, "1 h"), (86_400, "1 day"), (6_048_000, "70 days"))
_SHORTER = (
    ("password and second factor", "with second factor"),
    ("used in the owner's own network and browser", "same network and browser"),
    (" of them nobody's", " nobody's"),
)
RECORDS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)


def table(outcomes: list[Outcome], records: int) -> str:
    """One line for each scenario."""
    lines = [
        "| gate | what the thief has, and how it is used | records of 19 accounts | per account, median | most |",
        "|---|---|---:|---:|---:|",
    ]
    for one in outcomes:
        gate = "on" if one.gate else "**off**"
        middle, most = median(one.per_session), max(one.per_session)
        lines.append(f"| {gate} | {one.name} | {one.records:,} | {middle:,.0f} | {most:,} |")
    return "\n".join(lines)


def picture(outcomes: list[Outcome]) -> str:
    """Records read over time, both on logarithmic axes; a line ends where nothing more was got."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12">',
        "<title>Records read over time, without and with the gate</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *_axes(),
    ]
    shown = [one for one in outcomes if one.records]
    places = _spread([_y(one.records) for one in shown])
    for one, place in zip(shown, places, strict=True):
        colour, width = ("#1a5fb4", 1.5) if one.gate else ("#c01c28", 3)
        line = " ".join(f"{_x(at):.1f},{_y(count):.1f}" for at, count in _thinned(one.points) if count)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        end = _x(one.lasted)
        parts.append(f'<path d="M{end:.1f},{_y(one.records):.1f}L{EDGE + 8},{place:.1f}" stroke="#bbb" fill="none"/>')
        label = f"{one.records:,}  {'gate on' if one.gate else 'gate off'}: {_short(one.name)}"
        parts.append(f'<text x="{EDGE + 12}" y="{place + 4:.1f}" fill="{colour}">{escape(label)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _axes() -> list[str]:
    parts = []
    for value in RECORDS:
        y = _y(value)
        parts.append(f'<path d="M{LEFT},{y:.1f}H{EDGE}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#333">{value:,}</text>')
    for seconds, name in SECONDS:
        x = _x(seconds)
        parts.append(f'<path d="M{x:.1f},{TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#333">{name}</text>')
    parts.append(f'<text x="{LEFT}" y="18" fill="#333">records read by 19 accounts</text>')
    parts.append(f'<text x="{EDGE}" y="{HEIGHT - 12}" text-anchor="end" fill="#333">time since the first</text>')
    return parts


def _x(seconds: float) -> float:
    span = log10(SECONDS[-1][0])
    return LEFT + (EDGE - LEFT) * min(1.0, log10(max(1.0, seconds)) / span)


def _y(count: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * log10(max(1, count)) / log10(RECORDS[-1])


def _thinned(points: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """No two points on the same spot of the picture."""
    kept: dict[tuple[int, int], tuple[float, int]] = {}
    for at, count in points:
        kept[round(_x(at)), round(_y(count))] = (at, count)
    return list(kept.values())


def _spread(places: list[float], apart: float = 17.0) -> list[float]:
    """Places of labels, none on top of another one, in the order of the lines."""
    order = sorted(range(len(places)), key=lambda which: places[which])
    put = list(places)
    for before, after in pairwise(order):
        put[after] = max(put[after], put[before] + apart)
    over = max(0.0, max(put, default=0.0) - (HEIGHT - 8))
    return [place - over for place in put]


def _short(name: str) -> str:
    """A name that fits beside the plot."""
    for long, short in _SHORTER:
        name = name.replace(long, short)
    return name
