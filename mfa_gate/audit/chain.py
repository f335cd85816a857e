"""Chains of events: each line carries a hash over itself and the line before, and a keyed hash over that.

There is no lock over all writers. Each transaction writes to a chain that nobody else writes to meanwhile; a process
has as many as it has had transactions at once. A chain's end lives in memory alone: a restart begins new ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..store.engine import Ending

_written: Final = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(slots=True)
class Head:
    """The end of a chain: the number of its last line, and that line's hash."""

    chain: str
    seq: int = 0
    link: str = ""

    def extend(self, content: Sequence[object]) -> None:
        """Go on by a line."""
        self.seq += 1
        self.link = link_of(self.link, self.chain, self.seq, content)


def link_of(before: str, chain: str, seq: int, content: Sequence[object]) -> str:
    """The hash of a line (SHA-256, hexadecimal).

    Args:
        before: the hash of the line before it; "" for the first one.
        chain, seq: which chain, and the number in it from 1.
        content: everything that the line says.
    """
    return hashlib.sha256(_written([before, chain, seq, *content]).encode()).hexdigest()


class Heads:
    """The chains of this process that nobody writes to at the moment."""

    def __init__(self) -> None:
        self._free: list[Head] = []
        alive = weakref.WeakMethod(self._leave_parent)
        os.register_at_fork(after_in_child=lambda: (leave := alive()) and leave())

    def take(self) -> Lent:
        """A chain for one transaction."""
        try:
            head = self._free.pop()
        except IndexError:
            head = Head(secrets.token_hex(16))
        return Lent(head, self._free, head.seq, head.link)

    def _leave_parent(self) -> None:
        self._free = []  # the parent goes on with its own


@dataclass(slots=True)
class Lent:
    """A chain while one transaction writes to it."""

    head: Head
    _home: list[Head]
    _seq: int
    _link: str

    def give_back(self, ending: Ending) -> None:
        """The transaction has ended; where nobody knows how, nobody may go on with this chain."""
        if ending is Ending.UNKNOWN:
            return
        if ending is Ending.ROLLED_BACK:
            self.head.seq, self.head.link = self._seq, self._link
        self._home.append(self.head)
