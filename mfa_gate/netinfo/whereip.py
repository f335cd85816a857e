"""Network data of the packages `whereip` and `whereip-network`: the announced networks of the world."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from ..exc import ConfigurationError
from .network import Kind, Network

# what their data call an operator
_KINDS: Final[dict[str, Kind]] = {"isp": "access", "hosting": "hosting", "content": "hosting"}


class WhereIP:
    """Autonomous systems, and the countries and kinds of their operators.

    Raises:
        ConfigurationError: the packages are not installed.
    """

    built_at: float | None = None  # the package does not say

    def __init__(self) -> None:
        if find_spec("whereip") is None or find_spec("whereip_network") is None:
            raise ConfigurationError(
                "WhereIP needs the packages whereip and whereip-network: install mfa-gate[whereip]"
            )
        import whereip

        self._network = whereip.network

    def lookup(self, address: str) -> Network:
        """What is announced for an address."""
        found = self._network(address)
        if found is None:
            return Network()
        operator = found.operator
        kind, name = _KINDS.get(operator.category), operator.brand or found.name or None
        return Network(f"AS{found.asn}", operator.country.code or None, kind, name)
