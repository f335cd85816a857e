"""The report in Markdown, and its picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill
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
            _text(
                "*For security officers: how many records an attacker reads before the gate stops the account, and how",
                "often it stops or asks an owner.*",
            ),
            _text(
                "`python -m benchmarks.harvest` makes this page from synthetic data; do not edit it.",
                "[harvest.md](harvest.md) says how the data are made.",
                f"The study has {len(owners.accounts):,} accounts over {LENGTH} days, with seeds {SEEDS[0]} to",
                f"{SEEDS[-1]}, which were not used for tuning. Each stop is lifted by the next morning.",
                "The desk is told when an account nears the ceiling, and by the next morning makes an exception of 92",
                f"days. The check digits of a number are verified before it is looked up (`miss={POLICY.miss:g}`).",
                "Everything else has its default.",
            ),
            "## Owners\n",
            _owners(found),
            "## Records before the first stop, by account\n",
            _text(
                f"Patient thieves read while the owner works too, for at most {DAYS} days. 3 × means that the thief",
                "and the owner together read three times what the owner reads alone.",
            ),
            _thieves(found),
            "![Share of accounts that lose at most this many records](images/harvest-taken.svg)\n",
            f"## A campaign against {VICTIMS} accounts\n",
            _campaigns(found, rng),
            "## What is not caught\n",
            "A thief who holds the second factor and stays near the owner's habits: see the rows of 1.5 × and 2 ×.\n",
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
        _text(
            f"Goals: at most {STOPS:g} false stop in 10,000 days of established accounts ({_reached(rate <= STOPS)}),",
            f"and at most {PROMPTS:g} further proofs in 100 working days of all accounts ({both:.2f},",
            f"{_reached(both <= PROMPTS)}). Brackets hold 95 % intervals. Stops by reason: {reasons}. Distinct",
            f"records a day: median {quantiles[0]:.0f}, 99 % {quantiles[1]:.0f}, 99.9 % {quantiles[2]:.0f}. One proof",
            f"grants {np.mean(owners.quotas):.0f} on average, {np.median(owners.quotas):.0f} in the median, and",
            f"{max(owners.quotas)} at most ({POLICY.most} is the bound).",
        ),
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
        _text(
            "Goals: a stolen session reads 60 records in the median and never more than 250",
            f"({_reached(bool(fits))}). A thief who guesses numbers gets at most {GUESSES}: {worst:.0f} on average",
            f"({_reached(worst <= GUESSES)}), and at most {tenth:.0f} in nine of ten cases",
            f"({_reached(tenth <= GUESSES)}).",
        ),
    ]
    return "\n".join(rows)


def _campaigns(found: Study, rng: np.random.Generator) -> str:
    rows = ["| thief | records, mean | 95 % of campaigns below | goal | |", "|---|---:|---:|---:|---|"]
    for thief in THIEVES:
        taken = np.array(found.of(thief.name))
        sums = rng.choice(taken, (DRAWS, VICTIMS)).sum(axis=1)
        goal = GOALS.get(thief.name)
        verdict = "" if goal is None else _reached(sums.mean() <= goal)
        rows.append(
            f"| {thief.name} | {sums.mean():,.0f} | {np.percentile(sums, 95):,.0f} | {goal or ''} | {verdict} |"
        )
    return "\n".join([*rows, ""])


def _text(*parts: str) -> str:
    return fill(" ".join(parts), 118) + "\n"


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
