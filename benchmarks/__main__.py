"""`python -m benchmarks`: measure, print a table, and with --json FILE write the figures."""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from . import crowded, guarded, imports, passkeys, peers, reads, risk_costs, sign_in
from .measure import Spread, Times, added, added_on_average, interleave
from .portal import ACCOUNTS

PACKAGES: Final = ("flask", "werkzeug", "sqlalchemy", "itsdangerous", "cryptography", "pyotp")
US: Final = 1e6
MS: Final = 1e3


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        cost: median over the rounds; microseconds added to the bare app, or milliseconds of an import.
        mean: the same by the means of the calls, where rare slow ones count; None for imports.
        ratio: to the floor, or to what the row before it is measured against, round by round.
        bound: what the ratio must not be above; None where only shown.
        most: what the cost must not be above; None where the ratio is bound.
    """

    what: str
    name: str
    unit: str
    cost: Spread
    mean: Spread | None
    ratio: Spread
    bound: float | None
    most: float | None = None

    @property
    def within(self) -> bool:
        kept = self.bound is None or self.ratio.median <= self.bound
        return kept and (self.most is None or self.cost.median <= self.most)


def rows_of_requests(what: str, times: Mapping[str, Times], bounds: Mapping[str, float]) -> list[Row]:
    """Lines for everything that was put in front of a bare app, against the floor."""
    floor = added(times, "floor", "bare")
    rows = []
    for name in times:
        if name == "bare":
            continue
        costs, means = added(times, name, "bare"), added_on_average(times, name, "bare")
        ratio = Spread.of(cost / least for cost, least in zip(costs, floor, strict=True))
        cost, mean = Spread.of(cost * US for cost in costs), Spread.of(cost * US for cost in means)
        rows.append(Row(what, name, "µs", cost, mean, ratio, bounds.get(name)))
    return rows


def rows_of_passkeys(signing_in: Mapping[str, Times], verifying: Mapping[str, Times]) -> list[Row]:
    """Lines for a sign-in by WebAuthn, and for the check of one assertion by itself."""
    least, factor = verifying.values()
    one, hundred = added(signing_in, "one key", "bare"), added(signing_in, "a hundred keys", "bare")
    known = added(signing_in, "a known browser", "bare")
    means = {name: added_on_average(signing_in, name, "bare") for name in signing_in if name != "bare"}
    floor = added(signing_in, "floor", "bare")
    what, check = "sign-in by WebAuthn adds", "verifying an assertion"
    return [
        _row(check, "ECDSA, key loading", least.typical, least.means, [1.0]),
        _row(
            "verifying an assertion",
            "the factor",
            factor.typical,
            factor.means,
            _over(factor.typical, least.typical),
            1.5,
        ),
        _row(what, "one key", one, means["one key"], _over(one, floor), 5.0),
        _row(what, "a known browser", known, means["a known browser"], _over(known, floor), 5.0),
        _row(what, "a hundred keys", hundred, means["a hundred keys"], _over(hundred, one), 1.05),
    ]


def _over(costs: Sequence[float], least: Sequence[float]) -> list[float]:
    return [cost / against for cost, against in zip(costs, least, strict=True)]


def _row(
    what: str,
    name: str,
    costs: Sequence[float],
    means: Sequence[float],
    ratios: Sequence[float],
    bound: float | None = None,
) -> Row:
    cost, mean = Spread.of(cost * US for cost in costs), Spread.of(cost * US for cost in means)
    return Row(what, name, "µs", cost, mean, Spread.of(ratios), bound)


def rows_of_risk(times: Mapping[str, Times]) -> list[Row]:
    """Lines for what risk does in a sign-in and in a guarded request."""
    (signing_in, _), what = times.values(), "risk adds to"
    return [
        _row(what, name, own.typical, own.means, _over(own.typical, signing_in.typical)) for name, own in times.items()
    ]


def rows_of_reads(times: Mapping[str, Times]) -> list[Row]:
    """Lines for a metered read over a guarded one, beside the floor's sign-in, and how that grows with the store."""
    added_by = {name: added(times, f"metered, {name}", f"guarded, {name}") for name in (reads.SMALL, reads.LARGE)}
    means = {name: added_on_average(times, f"metered, {name}", f"guarded, {name}") for name in added_by}
    small, large = added_by.values()
    what = "a metered read adds"
    return [
        _row(what, reads.SMALL, small, means[reads.SMALL], _over(small, added(times, "floor", "bare")), 0.85),
        _row(what, reads.LARGE, large, means[reads.LARGE], _over(large, small), 1.05),
    ]


def row_of_reports(taken: Sequence[float]) -> Row:
    """A line for a report on whom one account has read."""
    cost, ratio = Spread.of(seconds * MS for seconds in taken), Spread.of([1.0])
    return Row("a report of one account", f"{reads.HARVEST:,} records", "ms", cost, None, ratio, None, most=1000.0)


def rows_of_crowds(listed: Mapping[str, Times], begun: Mapping[str, Times]) -> list[Row]:
    """Lines for an account with many sessions, each against one with few."""
    rows = []
    for what, times in (("a page of sessions of", listed), ("a right password", begun)):
        few, many = times.items()
        for name, own in (few, many):
            cost, mean = (Spread.of(one * US for one in ones) for ones in (own.typical, own.means))
            rows.append(Row(what, name, "µs", cost, mean, Spread.of(_over(own.typical, few[1].typical)), None))
    return rows


def rows_of_imports(times: Mapping[str, Times]) -> list[Row]:
    """Lines for imports, against Flask and SQLAlchemy together."""
    base = times["flask + sqlalchemy"].typical
    return [
        Row(
            "import in a fresh process",
            name,
            "ms",
            Spread.of(taken * MS for taken in own.typical),
            None,
            Spread.of(taken / least for taken, least in zip(own.typical, base, strict=True)),
            1.0 if name == "mfa_gate" else None,
        )
        for name, own in times.items()
    ]


def measure(arguments: argparse.Namespace) -> list[Row]:
    """Run what was asked for."""
    rows: list[Row] = []
    rounds = arguments.rounds
    with tempfile.TemporaryDirectory(prefix="mfa-gate-bench-") as name:
        folder = Path(name)
        if "request" in arguments.only:
            times = interleave(guarded.variants(_new(folder / "request")), rounds, arguments.calls)
            rows += rows_of_requests("guarded request adds", times, {"gate": 1.3})
        if "sign-in" in arguments.only:
            times = interleave(sign_in.variants(_new(folder / "sign-in")), rounds, ACCOUNTS)
            rows += rows_of_requests("sign-in by TOTP adds", times, {"gate": 4.0})
        if "passkey" in arguments.only:
            times = interleave(passkeys.variants(_new(folder / "passkey")), rounds, ACCOUNTS)
            rows += rows_of_passkeys(times, interleave(passkeys.verifying(), rounds, arguments.calls))
        if "risk" in arguments.only:
            rows += rows_of_risk(interleave(risk_costs.variants(_new(folder / "risk")), rounds, arguments.calls))
        if "reads" in arguments.only:
            stores = reads.variants(_new(folder / "reads"), arguments.accounts, arguments.lines)
            beside = sign_in.least(_new(folder / "floor"))
            rows += rows_of_reads(interleave([*stores, *beside], rounds, ACCOUNTS))
            rows.append(row_of_reports(reads.reports(stores[-1].app, rounds)))
        if "crowded" in arguments.only:
            lists = interleave(crowded.lists(_new(folder / "lists")), rounds, 100)
            rows += rows_of_crowds(lists, interleave(crowded.sign_ins(_new(folder / "sign-ins")), rounds, 100))
    if "import" in arguments.only:
        rows += rows_of_imports(imports.interleave(2 * rounds + 1))
    return rows


def table(rows: list[Row]) -> str:
    """The figures for people: median, with the smallest and the greatest round."""
    lines = [
        f"{'':26}{'':20}{'median':>12} {'(rounds from to)':>18} {'mean':>8} {'× floor':>9} {'(from to)':>13} bound"
    ]
    for row in rows:
        spread = f"({row.cost.least:.0f} {row.cost.greatest:.0f})"
        ratios = f"({row.ratio.least:.2f} {row.ratio.greatest:.2f})"
        mean = f"{row.mean.median:.0f}" if row.mean else ""
        bound = "" if row.bound is None else f"{row.bound:g}"
        bound = f"{row.most:.0f} {row.unit}" if row.most is not None else bound
        bound += f" {'within' if row.within else 'OVER'}" if bound else ""
        cost = f"{row.cost.median:.0f} {row.unit}"
        lines.append(
            f"{row.what:26}{row.name:20}{cost:>12} {spread:>18} {mean:>8} {row.ratio.median:>9.2f} {ratios:>13} {bound}"
        )
    return "\n".join(line.rstrip() for line in lines)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in PACKAGES},
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="What the gate costs, in ratios of one run."
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--rounds", type=int, default=9, help="measured rounds, at least 7 (default: 9)")
    parser.add_argument("--calls", type=int, default=600, help="guarded requests of each app in a round (default: 600)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="measure only these")
    parser.add_argument("--accounts", type=int, default=100_000, help="of the large store of reads (default: 100000)")
    parser.add_argument("--lines", type=int, default=1_000_000, help="of its ledger (default: 1000000)")
    arguments = parser.parse_args()
    if arguments.rounds < 7 or arguments.calls < 100:
        parser.error("fewer than 7 rounds or 100 calls say nothing")
    rows = measure(arguments)
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    print(table(rows))
    for name in peers.missing() if "request" in arguments.only else ():
        print(f"{name} is not installed: skipped")
    if arguments.json:
        figures = [{**asdict(row), "within": row.within} for row in rows]
        arguments.json.write_text(
            json.dumps({"machine": machine(), "rows": figures}, indent=2, ensure_ascii=False) + "\n"
        )
    return 0 if all(row.within for row in rows) else 1


PARTS: Final = ("request", "sign-in", "passkey", "risk", "reads", "crowded", "import")


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main())
