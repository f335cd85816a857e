"""The protocol of network data, and the prefixes that an address stands in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Literal, Protocol, get_args

Kind = Literal["access", "hosting", "vpn", "tor"]
KINDS: Final = frozenset(get_args(Kind))


@dataclass(frozen=True, slots=True)
class Network:
    """What is known of an address; None is not known.

    Attributes:
        asn: the autonomous system, as `AS3215`.
        country: where the address is used (ISO 3166-1 alpha-2).
        kind: what stands there.
        name: what its operator is called, for people.
    """

    asn: str | None = None
    country: str | None = None
    kind: Kind | None = None
    name: str | None = None


NOTHING: Final = Network()


class NetInfo(Protocol):
    """A source of network data. An exception counts as "not known"."""

    @property
    def built_at(self) -> float | None:
        """When the data were made, in seconds since the epoch; None if unknown."""

    def lookup(self, address: str) -> Network:
        """What is known of one public address, in its usual form."""


class Cached:
    """The latest answers of a source, since a guarded request may ask again for the same few addresses.

    Args:
        source: asked at most once for each of the last thousand addresses.
    """

    def __init__(self, source: NetInfo) -> None:
        self._source = source
        self.lookup = lru_cache(maxsize=1024)(source.lookup)

    @property
    def built_at(self) -> float | None:
        return self._source.built_at


@dataclass(frozen=True, slots=True)
class Prefixes:
    """An address and the blocks that it stands in, each as text.

    Attributes:
        network: its /24, or the /48 of an IPv6 subscriber (RFC 6177).
        district: its /16, or /32 of IPv6, out of which access networks assign.
    """

    address: str
    network: str
    district: str


@lru_cache(maxsize=1024)
def prefixes(address: str | None) -> Prefixes | None:
    """The blocks of an address, None where it is none; IPv4 within IPv6 counts as itself (RFC 4291 §2.5.5.2)."""
    ip = _parse(address)
    if ip is None:
        return None
    if isinstance(ip, IPv4Address):
        first, second, third, _ = str(ip).split(".")
        return Prefixes(str(ip), f"{first}.{second}.{third}", f"{first}.{second}")
    blocks = ip.exploded.split(":")
    return Prefixes(str(ip), ":".join(blocks[:3]), ":".join(blocks[:2]))


def is_public(address: str) -> bool:
    """Whether an address may be looked up: private, shared and documentation ones say nothing."""
    ip = _parse(address)
    return ip is not None and ip.is_global


def version(address: str | None) -> str | None:
    """The version of the Internet Protocol that an address is of; IPv4 within IPv6 counts as itself."""
    ip = _parse(address)
    return None if ip is None else str(ip.version)


def _parse(address: str | None) -> IPv4Address | IPv6Address | None:
    try:
        ip = ip_address(address or "")
    except ValueError:
        return None
    if isinstance(ip, IPv6Address):
        return ip.ipv4_mapped or IPv6Address(int(ip))  # without its zone
    return ip
