"""`make red`: takes each defence out in turn and demands that a test of its row fails, by an assertion.

python -m tests.red [NAME ...]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.red.defences import VARIABLE, defences, row_of

AT_ONCE = 2


def main(names: list[str]) -> int:
    """Run every defence, or those that are named; 0 where each one was missed by a test."""
    wanted = names or sorted(defences(), key=lambda name: (int(row_of(name)[1:]), name))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        missed = [name for name, line, red in pool.map(run, wanted) if print(line, flush=True) or not red]  # type: ignore[func-returns-value]
    print(f"{len(wanted) - len(missed)} of {len(wanted)} defences are covered by a test.")
    if missed:
        print(f"Nothing goes red without: {', '.join(missed)}")
    return 1 if missed else 0


def run(name: str) -> tuple[str, str, bool]:
    """Run the tests of one row without its defence."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--abuse", row_of(name)]
        done = subprocess.run(
            [*command, f"--junitxml={report}", "tests"],
            env={**os.environ, VARIABLE: name},
            capture_output=True,
            text=True,
            check=False,
        )
        if not report.exists():
            return name, f"{name:<6} ERROR  {done.stdout[-300:]}{done.stderr[-300:]}", False
        cases = list(ET.parse(report).iter("testcase"))  # noqa: S314  (written by pytest a moment ago)
    failed = [case.get("name", "?") for case in cases if case.find("failure") is not None]
    broken = [case.get("name", "?") for case in cases if case.find("error") is not None]
    if broken:
        return name, f"{name:<6} ERROR  {broken[0]}", False
    if not failed:
        return name, f"{name:<6} GREEN  {len(cases)} tests did not notice", False
    return name, f"{name:<6} red    {len(failed)} of {len(cases)}: {failed[0]}", True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
