"""`python -m demo_app replay`: the incident on this machine, with a table and a picture at the end."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from ..data import DEFAULT_RECORDS
from .picture import picture, table
from .scenarios import Outcome, every
from .world import VICTIMS, prepare

HEAD = """# The incident, replayed

Made by `python -m demo_app replay --docs docs`; do not edit. {victims} accounts, {records:,} records, over HTTP on
loopback against the demo portal. The thief has the passwords and the mailboxes. "Elsewhere" is another network and
another browser. Where the gate is on, time is an injected clock, so that a pace is exact and two months take minutes;
without the gate it is the machine's own.

![Records read over time, without and with the gate](images/replay.svg)

"""
TAIL = """
What is not caught: who holds password and second factor, sits where the owner does, and reads no more than a little
over the owner's own habits. He is on record: `flask mfa report breach` names every person whose record he opened.
"""


def main(argv: list[str]) -> int:
    """Replay; the exit status is 0."""
    parser = argparse.ArgumentParser(prog="python -m demo_app replay", description=__doc__)
    parser.add_argument("--records", type=int, default=DEFAULT_RECORDS, help=f"in the portal ({DEFAULT_RECORDS:,})")
    parser.add_argument("--docs", type=Path, help="write replay.md and images/replay.svg into this folder")
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        world = prepare(Path(folder), asked.records, lambda done, wanted: _say(f"persons: {done:,} of {wanted:,}"))
        outcomes: list[Outcome] = []
        for outcome in every(world, lambda name, count: _say(f"{name}: {count:,}")):
            outcomes.append(outcome)
            _say(f"{outcome.records:>9,}  {'gate on ' if outcome.gate else 'gate off'}  {outcome.name}", end="\n")
    rows = table(outcomes, asked.records)
    print(f"\n{rows}\n")
    if asked.docs is not None:
        head = HEAD.format(victims=VICTIMS, records=asked.records)
        (asked.docs / "replay.md").write_text(f"{head}{rows}\n{TAIL}", encoding="utf-8")
        (asked.docs / "images" / "replay.svg").write_text(picture(outcomes), encoding="utf-8")
        print(asked.docs / "replay.md")
    return 0


def _say(text: str, end: str = "") -> None:
    """Progress on one line of a terminal; only what is finished elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text[:110]}", end=end, file=sys.stderr, flush=True)
    elif end:
        print(text, file=sys.stderr, flush=True)
