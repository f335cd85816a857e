"""`python -m benchmarks.harvest`: the study of the detectors on reads, into docs/."""

from __future__ import annotations

import argparse
from pathlib import Path

import click

from .report import picture, report
from .study import SEEDS, parts, study


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.harvest", description=__doc__)
    parser.add_argument("--accounts", type=int, default=300, help="of each seed (300)")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="folder of the report (docs)")
    asked = parser.parse_args()
    with click.progressbar(length=parts(SEEDS), label="accounts that read") as bar:
        found = study(asked.accounts, SEEDS, lambda: bar.update(1))
    (asked.docs / "harvest-report.md").write_text(report(found))
    picture(found, asked.docs / "images")
    print(asked.docs / "harvest-report.md")


if __name__ == "__main__":
    main()
