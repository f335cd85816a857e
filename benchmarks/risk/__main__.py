"""`python -m benchmarks.risk`: the study of the risk engine into docs/; `--fit`: the weights, from tuning seeds."""

from __future__ import annotations

import argparse
from pathlib import Path

import click

from .fit import fit
from .plots import plots
from .public_data import evaluate
from .report import report
from .study import SEEDS, parts, study


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.risk", description=__doc__)
    parser.add_argument("--fit", action="store_true", help="fit the weights and print what belongs in RiskPolicy")
    parser.add_argument("--data", type=Path, metavar="CSV", help="run over the public data set of sign-ins instead")
    parser.add_argument("--accounts", type=int, default=1500, help="of each population (1500)")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="folder of the report (docs)")
    asked = parser.parse_args()
    if asked.fit:
        print(fit())
        return
    if asked.data:
        print(evaluate(asked.data))
        return
    with click.progressbar(length=parts(SEEDS), label="populations") as bar:
        found = study(asked.accounts, SEEDS, lambda done: bar.update(1))
    (asked.docs / "risk-report.md").write_text(report(found))
    plots(found, asked.docs / "images")
    print(asked.docs / "risk-report.md")


if __name__ == "__main__":
    main()
