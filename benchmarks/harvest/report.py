"""The report in Markdown, and its picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from .owners import Tally
from .study import LENGTH, SEEDS, Study
from .thieves import DAYS, THIEVES
from .world import POLICY

VICTIMS: Final = 19
DRAWS: Final = 2_000
# thief -> what 19 accounts may lose at most
GOALS: Final = {
    "no second factor, 5 a second": 500,
    "no second factor, 1 per 13 s": 1_800,
    "second factor, 5 a second": 3_000,
    "second factor, 1 per 13 s": 3_000,
}
GUESSES: Final = 25  # records of one account
STOPS, PROMPTS = 1.0, 3.0  # per 10,000 days of established accounts, per 100 working days


def report(found: Study) -> str:
    """All tables."""
    rng = np.random.default_rng(0)
    owners = found.owners
    return "\n".join(
        [
            "# How many records a harvest gets\n",
            "Made by `python -m benchmarks.harvest` from made-up data; do not edit. [harvest.md](harvest.md) says how",
            f"they are made. {len(owners.accounts):,} accounts over {LENGTH} days, seeds {SEEDS[0]} to {SEEDS[-1]},",
            "which nothing was tried on. A stop is lifted by the next morning. The desk makes an exception of 92 days",
            "by the morning after it was told that an account nears the ceiling. Numbers are checked by their key",
            f"before they are looked up (`miss={POLICY.miss:g}`); all else is as it comes.\n",
            "## Owners\n",
            _owners(found),
            "## Records before the first stop, by account\n",
            f"Patient thieves read beside the owner for at most {DAYS} days; 3 × means that both together read three",
            "times what the owner does.\n",
            _thieves(found),
            "![Share of accounts that lose at most so many records](images/harvest-taken.svg)\n",
            f"## A campaign against {VICTIMS} accounts\n",
            _campaigns(found, rng),
            "## What is not caught\n",
            "Who holds the second factor and stays near the owner's habits: see the rows of 1.5 × and 2 ×.\n",
        ]
    )


def _owners(found: Study) -> str:
    owners = found.owners
    rows = [
        "| | working days | false stops per 10,000 days | further proofs per 100 days |",
        "|---|---:|---:|---:|",
    ]
    for name, which in _kinds(owners):
        days, stops, prompts = (
            sum(counted[key] for key in which) for counted in (owners.days, owners.stops, owners.prompts)
        )
        low, high = _poisson(stops)
        rows.append(
            f"| {name} | {days:,} | {1e4 * stops / days:.2f} ({1e4 * low / days:.2f}–{1e4 * high / days:.2f}) "
            f"| {100 * prompts / days:.2f} |"
        )
    both = 100 * sum(owners.prompts.values()) / sum(owners.days.values())
    known = [key for key in owners.days if key[1]]
    rate = 1e4 * sum(owners.stops[key] for key in known) / sum(owners.days[key] for key in known)
    reasons = ", ".join(f"{reason} {times}" for reason, times in sorted(owners.reasons.items())) or "none"
    quantiles = np.percentile(owners.records, (50, 99, 99.9))
    rows += [
        "",
        f"To reach: at most {STOPS:g} false stop: {_reached(rate <= STOPS)}. At most {PROMPTS:g}",
        f"further proofs in 100 working days of all accounts: {both:.2f}, "
        f"{_reached(both <= PROMPTS)}. In brackets: 95 %",
        f"intervals. Stops by reason: {reasons}. Distinct records a day: median {quantiles[0]:.0f}, 99 %",
        f"{quantiles[1]:.0f}, 99.9 % {quantiles[2]:.0f}; one proof grants {np.mean(owners.quotas):.0f} on average,",
        f"{np.median(owners.quotas):.0f} in the median, {max(owners.quotas)} at",
        f"most ({POLICY.most} is the bound).\n",
    ]
    return "\n".join(rows)


def _kinds(owners: Tally) -> Iterator[tuple[str, list[tuple[str, bool]]]]:
    """Accounts that are known and new ones, all of them and by group."""
    for name, known in (("established accounts", True), ("new ones", False)):
        keys = sorted(key for key in owners.days if key[1] == known)
        yield name, keys
        yield from ((f"– {group}s", [(group, known)]) for group, _ in keys)


def _poisson(events: int) -> tuple[float, float]:
    """An exact enough 95 % interval of a count (Byar's)."""
    low = 0.0 if not events else events * (1 - 1 / (9 * events) - 1.96 / (3 * events**0.5)) ** 3
    more = events + 1
    return low, more * (1 - 1 / (9 * more) + 1.96 / (3 * more**0.5)) ** 3


def _thieves(found: Study) -> str:
    rows = ["| thief | account | median | mean | 90 % | most |", "|---|---|---:|---:|---:|---:|"]
    for thief in THIEVES:
        for (group, age), records in sorted(found.taken[thief.name].items(), key=lambda item: item[0][::-1]):
            taken = np.array(records)
            rows.append(
                f"| {thief.name} | {age}, {group} | {np.median(taken):.0f} | {taken.mean():.0f} | "
                f"{np.percentile(taken, 90):.0f} | {taken.max()} |"
            )
    guessed = [found.of(thief.name) for thief in THIEVES if thief.misses]
    worst, tenth = max(map(np.mean, guessed)), max(np.percentile(taken, 90) for taken in guessed)
    stolen = np.array(found.of("no second factor, 1 per 13 s"))
    fits = np.median(stolen) <= 60 and stolen.max() <= POLICY.most
    rows += [
        "",
        f"To reach: a stolen session reads 60 in the median and never more than 250: {_reached(bool(fits))}; who",
        f"guesses gets at most {GUESSES}: {worst:.0f} on average, {_reached(worst <= GUESSES)}, and {tenth:.0f}",
        f"in nine of ten cases, {_reached(tenth <= GUESSES)}.\n",
    ]
    return "\n".join(rows)


def _campaigns(found: Study, rng: np.random.Generator) -> str:
    rows = ["| thief | records, mean | 95 % of campaigns below | to reach | |", "|---|---:|---:|---:|---|"]
    for thief in THIEVES:
        taken = np.array(found.of(thief.name))
        sums = rng.choice(taken, (DRAWS, VICTIMS)).sum(axis=1)
        goal = GOALS.get(thief.name)
        verdict = "" if goal is None else _reached(sums.mean() <= goal)
        rows.append(
            f"| {thief.name} | {sums.mean():,.0f} | {np.percentile(sums, 95):,.0f} | {goal or ''} | {verdict} |"
        )
    return "\n".join([*rows, ""])


def _reached(holds: bool) -> str:
    return "reached" if holds else "**not reached**"


def picture(found: Study, folder: Path) -> None:
    """Write `harvest-taken.svg`."""
    mpl.rcParams["svg.hashsalt"] = "harvest"  # the same figures make the same file
    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.subplots()
    for number, thief in enumerate(THIEVES):
        axes.plot(*_share(found.of(thief.name)), "-" if number % 2 else "--", label=thief.name)
    axes.set(xscale="log", xlim=(1, 5000), ylim=(0, 1.01), xlabel="records of one account", ylabel="share of accounts")
    axes.legend(fontsize="small", loc="lower right")
    axes.grid(alpha=0.3)
    figure.savefig(folder / "harvest-taken.svg", metadata={"Date": None})


def _share(taken: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    ordered = np.sort(np.maximum(taken, 1))
    return ordered, np.arange(1, len(ordered) + 1) / len(ordered)
