"""What a portal is to authenticators, checked at start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from ..exc import ConfigurationError
from . import cose
from .attestation import AttestationPolicy

UserVerification = Literal["required", "preferred", "discouraged"]
HINTS: Final = ("security-key", "client-device", "hybrid")
_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """One value for the options and for the check, so that they never diverge.

    Attributes:
        id: RP ID: the portal's host, or a domain above it. For ever: every credential belongs to it.
        name: the portal's name, shown by some authenticators.
        origins: where its pages are, scheme, host and port.
        user_verification: "required": the authenticator must tell who uses it, by PIN or finger.
        algorithms: COSE numbers, the best liked first.
        attestation: which makes may be enrolled, and then count as hardware; None: every make, as what it says it is.
        allow_cross_origin: the portal's pages may ask inside a frame of another site.
        top_origins: the sites that may frame it so.
        hints: what browsers offer first, of "security-key", "client-device" and "hybrid".

    Raises:
        ConfigurationError: one of them cannot be.
    """

    id: str
    name: str
    origins: tuple[str, ...]
    user_verification: UserVerification = "preferred"
    algorithms: tuple[int, ...] = (cose.ES256, cose.EDDSA, cose.RS256)
    attestation: AttestationPolicy | None = None
    allow_cross_origin: bool = False
    top_origins: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.id or not self.id.isascii() or self.id != self.id.lower() or set(self.id) & set(":/@[] "):
            raise ConfigurationError(f"RP ID {self.id!r}: write the portal's host alone, such as 'portal.example'")
        if not self.origins:
            raise ConfigurationError("origins: write at least one, such as 'https://portal.example'")
        if self.user_verification not in ("required", "preferred", "discouraged"):
            raise ConfigurationError("user_verification: write 'required', 'preferred' or 'discouraged'")
        if not self.algorithms or not cose.ALGORITHMS.issuperset(self.algorithms):
            raise ConfigurationError(f"algorithms: write some of {sorted(cose.ALGORITHMS, reverse=True)}")
        if not set(self.hints) <= set(HINTS):
            raise ConfigurationError(f"hints: write some of {', '.join(HINTS)}")
        if self.top_origins and not self.allow_cross_origin:
            raise ConfigurationError("top_origins: only with allow_cross_origin")
        object.__setattr__(self, "origins", _origins(self.origins))
        object.__setattr__(self, "top_origins", _origins(self.top_origins))


def _origins(given: Any) -> tuple[str, ...]:
    """A tuple: the library cannot look into a set. A text would fall apart into letters."""
    if isinstance(given, str):
        raise ConfigurationError("origins: write a list of them, such as ['https://portal.example']")
    return tuple(map(_origin, given))


def _origin(text: str) -> str:
    """An origin as browsers write it (RFC 6454 §6.2)."""
    wrong = ConfigurationError(f"origin {text!r}: write scheme, host and port alone, such as 'https://portal.example'")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except (AttributeError, ValueError):
        raise wrong from None
    if parts.scheme not in _PORTS or not host or not host.isascii() or "@" in parts.netloc:
        raise wrong
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise wrong
    if parts.scheme == "http" and host != "localhost" and not host.endswith(".localhost"):
        raise ConfigurationError(f"origin {text!r}: browsers let passkeys be used over https alone")
    named = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{named}" + ("" if port in (None, _PORTS[parts.scheme]) else f":{port}")
