"""The ledger of records read, as operators see it: chained as the events are."""

from __future__ import annotations

from typing import ClassVar

from ..flows.event_log import ChainedLog, Lines
from ..store import read_ledger

PURPOSE = "reads"  # of the keyed hash over a line


class Ledger(ChainedLog):
    """Who has read which record."""

    lines: ClassVar[Lines] = read_ledger
    purpose: ClassVar[str] = PURPOSE
    name: ClassVar[str] = "reads"
