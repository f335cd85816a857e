"""Waiting for the thing itself: how long it takes says something about the machine, and nothing about the gate."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

# seconds; nothing is measured by it: it only keeps what will never happen from being waited for for ever
NET: Final = 120.0
_PAUSE: Final = 0.02

Answer = TypeVar("Answer")


def until(there: Callable[[], Answer], net: float = NET) -> Answer:
    """Ask until the answer is true, and return it.

    Raises:
        TimeoutError: it never became true.
    """
    end = time.monotonic() + net
    while not (answer := there()):
        if time.monotonic() > end:
            raise TimeoutError(f"{there} has not become true in {net:.0f} seconds")
        time.sleep(_PAUSE)
    return answer
