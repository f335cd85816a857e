"""Network data in MaxMind's DB file format, which several providers publish; the operator's choice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..exc import ConfigurationError
from .network import Kind, Network

if TYPE_CHECKING:
    from maxminddb import Reader

# flags of files that tell kinds, the one that says most first
_FLAGS: Final[tuple[tuple[str, Kind], ...]] = (
    ("is_tor_exit_node", "tor"),
    ("is_anonymous_vpn", "vpn"),
    ("is_public_proxy", "vpn"),
    ("is_hosting_provider", "hosting"),
)


class MMDB:
    """Reads any of up to three files into memory, once; they may be one and the same.

    Args:
        asn: file with autonomous systems.
        country: file with countries.
        kind: file that tells hosting, VPN and Tor; what it holds without such a flag is `access`.

    Raises:
        ConfigurationError: a file is not there, or is no such file; or `maxminddb` is not installed.
    """

    def __init__(
        self, asn: str | Path | None = None, country: str | Path | None = None, kind: str | Path | None = None
    ) -> None:
        self._asn, self._country, self._kind = _open(asn), _open(country), _open(kind)

    @property
    def built_at(self) -> float | None:
        """Of the oldest file."""
        readers = [reader for reader in (self._asn, self._country, self._kind) if reader is not None]
        return min((float(reader.metadata().build_epoch) for reader in readers), default=None)

    def lookup(self, address: str) -> Network:
        """What the files say of an address; nothing where a file is damaged there."""
        asn, country, kind = _record(self._asn, address), _record(self._country, address), _record(self._kind, address)
        number, name = asn.get("autonomous_system_number"), asn.get("autonomous_system_organization")
        return Network(
            f"AS{number}" if isinstance(number, int) else None,
            _country(country),
            next((kind_ for flag, kind_ in _FLAGS if kind.get(flag) is True), "access" if kind else None),
            name if isinstance(name, str) else None,
        )


def _open(file: str | Path | None) -> Reader | None:
    if file is None:
        return None
    try:
        import maxminddb
    except ImportError:
        raise ConfigurationError("MMDB needs the package maxminddb: install mfa-gate[mmdb]") from None
    try:
        # the compiled reader ends the process on some damaged files, and so does a mapped file that is cut short
        reader = maxminddb.open_database(file, maxminddb.MODE_MEMORY)
        float(reader.metadata().build_epoch)
    except Exception as error:  # a damaged one may say anything
        raise ConfigurationError(f"{file} cannot be read as an MMDB file: {type(error).__name__}") from None
    return reader


def _record(reader: Reader | None, address: str) -> Mapping[str, Any]:
    if reader is None:
        return {}
    try:
        found = reader.get(address)
    except Exception:  # of no address, or of a damaged place, which may say anything
        return {}
    return found if isinstance(found, dict) else {}


def _country(record: Mapping[str, Any]) -> str | None:
    """Of a nested record (`country.iso_code`), or of a flat one (`country_code`)."""
    nested = record.get("country")
    code = nested.get("iso_code") if isinstance(nested, dict) else record.get("country_code")
    return code if isinstance(code, str) else None
