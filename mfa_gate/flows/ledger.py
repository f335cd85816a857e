"""The ledger of records read, as operators see it: chained as the events are."""

from __future__ import annotations

from typing import ClassVar

from ..store import reads
from .log import Lines, Record

PURPOSE = "reads"  # of the keyed hash over a line


class Ledger(Record):
    """Who has read which record."""

    lines: ClassVar[Lines] = reads
    purpose: ClassVar[str] = PURPOSE
    name: ClassVar[str] = "reads"
