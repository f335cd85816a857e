"""What importing costs, each time in a fresh process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from .measure import Times

# not `import mfa_gate` alone: a package that loaded its parts late would only hide what every portal pays
STATEMENTS: Final[Mapping[str, str]] = {
    "flask + sqlalchemy": "import flask, sqlalchemy",
    "mfa_gate": "import mfa_gate; mfa_gate.MFAGate, mfa_gate.Account, mfa_gate.Level",
}
PROGRAM: Final = "from time import perf_counter; start = perf_counter(); {}; print(perf_counter() - start)"


def interleave(rounds: int) -> dict[str, Times]:
    """Seconds of each import, in turns; a first round writes the bytecode and warms the file cache."""
    times = {name: Times() for name in STATEMENTS}
    for number in range(rounds + 1):
        for name, statement in STATEMENTS.items():
            taken = _import(statement)
            if number:
                times[name].rounds.append([taken])
    return times


def _import(statement: str) -> float:
    command = [sys.executable, "-c", PROGRAM.format(statement)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
