"""What every event says, whatever has caused it: all that its kind promises."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from typing import Final

from mfa_gate.event_kinds import KINDS

# who at the desk it was, and by which way, where it was the desk; and why it failed, where it did
SOMETIMES: Final = {"by", "via", "signing_in"}
OF_KIND: Final = {"second_factor": {"device", "left"}, "reads_lifted": {"why"}}
IN_PART: Final = {"first_factor", "authenticator_added"}  # what failed says less


def incomplete(file: str) -> list[tuple[str, list[str]]]:
    """The events in a store that lack something, each with what; those that a test has written by hand are left out.

    Args:
        file: of the store.
    """
    found = []
    with suppress(sqlite3.Error), closing(sqlite3.connect(file)) as store:
        for kind, outcome, subject, data in store.execute("SELECT kind, outcome, subject, data FROM mfa_events"):
            if kind not in KINDS or (kind in IN_PART and outcome != "success"):
                continue
            with suppress(ValueError, AttributeError):
                said = {name for name, value in json.loads(data).items() if value is not None}
                missing = KINDS[kind].fields - SOMETIMES - OF_KIND.get(kind, set()) - said
                if missing or subject is None:
                    found.append((kind, sorted(missing)))
    return found
