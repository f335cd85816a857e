"""What is known of a network address: whose network it is in, where, and of what kind.

No data come with the package. What is missing, too old or cannot be read is not known, which is neutral.
"""

from __future__ import annotations

from .mmdb import MMDB
from .network import KINDS, NOTHING, Cached, Kind, NetInfo, Network, is_public, prefixes
from .whereip import WhereIP

__all__ = ["KINDS", "MMDB", "NOTHING", "Cached", "Kind", "NetInfo", "Network", "WhereIP", "is_public", "prefixes"]
