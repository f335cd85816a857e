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

*For security officers: how many records the incident of March 2022 gets from the demo portal, without and with the
gate.*

`python -m demo_app replay --docs docs` makes this page; do not edit it. It attacks {victims} accounts with {records:,}
records, over HTTP on loopback against the demo portal. The thief has the passwords and the mailboxes. "Elsewhere" means
another network and another browser. With the gate on, the time is an injected clock, so that a pace is exact and two
months take minutes. Without the gate, it is the machine's clock.

![Records read over time, without and with the gate](images/replay.svg)

"""
TAIL = """
The gate does not catch a thief who holds the password and the second factor, works from the owner's network and
browser, and reads only a little more than the owner does. Every such read is recorded: `flask mfa report breach` names
every person whose record the thief opened.
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
