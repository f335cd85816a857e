"""Network data for tests: three networks by the beginning of an address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mfa_gate.netinfo import NOTHING, Network

HOME, PHONE, ABROAD = "90.1.2.3", "37.1.2.3", "5.2.3.4"
NETWORKS = {
    "90.": Network("AS3215", "FR", "access", "Orange"),
    "37.": Network("AS51207", "FR", "access", "Free Mobile"),
    "5.": Network("AS9009", "RO", "hosting", "Rented Servers"),
}


@dataclass
class Networks:
    """A source of network data.

    Attributes:
        fails: it raises.
        says: what it says of every address instead, if anything.
        asked: how often it was asked.
    """

    built_at: float | None = None
    fails: bool = False
    says: Any = NOTHING
    asked: int = 0

    def lookup(self, address: str) -> Network:
        self.asked += 1
        if self.fails:
            raise OSError("no data")
        if self.says is not NOTHING:
            return self.says  # type: ignore[no-any-return]
        return next((network for start, network in NETWORKS.items() if address.startswith(start)), NOTHING)
