"""What a sign-in shows, as plain values: each feature is a chain of values from the finest to the coarsest."""

from __future__ import annotations

from typing import Final, NamedTuple

LONGEST: Final = 24  # characters of a value
CHAINS: Final = {
    "place": ("address", "network", "district", "asn", "country"),
    "browser": ("build", "family", "system"),
    "kind": ("kind",),
    "client": ("ja4",),
    "hour": ("hour", "shift"),
}
LEVELS: Final = tuple(level for chain in CHAINS.values() for level in chain)


class Features(NamedTuple):
    """What is known of one sign-in. Values are opaque and only compared; None is not known, and neutral.

    Addresses, builds and fingerprints ought to be keyed hashes already: profiles keep them as they are given.

    Attributes:
        device: whether the browser showed a device cookie of this account.
        address: the client's address.
        network: its /24, or /48 of IPv6.
        district: its /16, or /32 of IPv6, out of which access networks assign.
        asn, country: whose network it is, and where.
        kind: `access`, `hosting`, `vpn` or `tor`.
        build: the browser with its version, and its system.
        family: the browser's family and its system's, without versions.
        system: the system's family.
        ja4: the fingerprint of its TLS handshake, from a trusted proxy.
        hour: hour of the week, 0 to 167, always in one time zone.
        ip: version of the Internet Protocol, 4 or 6. A browser changes it as it likes (RFC 8305): it is in no chain.
    """

    device: bool = False
    address: str | None = None
    network: str | None = None
    district: str | None = None
    asn: str | None = None
    country: str | None = None
    kind: str | None = None
    build: str | None = None
    family: str | None = None
    system: str | None = None
    ja4: str | None = None
    hour: int | None = None
    ip: str | None = None

    def value(self, level: str) -> str | None:
        """The value on one level of a chain."""
        if level in CHAINS["hour"]:
            return None if self.hour is None else _hours(self.hour, level)
        value: str | None = getattr(self, level)
        return value and value[:LONGEST]


def _hours(hour: int, level: str) -> str:
    """Two hours of a working day, Saturday or Sunday; or a quarter of any day."""
    if level == "shift":
        return str(hour % 24 // 6)
    day = ("saturday", "sunday")[hour // 24 - 5] if hour // 24 in (5, 6) else "week"
    return f"{day} {hour % 24 // 2}"
