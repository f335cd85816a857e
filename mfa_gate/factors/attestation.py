"""Attestation: which makes of authenticators a portal trusts to be hardware (WebAuthn L3 §6.5 and §8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from ..exc import ConfigurationError

FORMATS: Final = ("packed", "fido-u2f", "tpm", "android-key", "apple")
_AAGUID_EXTENSION: Final = "1.3.6.1.4.1.45724.1.1.4"  # id-fido-gen-ce-aaguid, WebAuthn L3 §8.2.1
_UNIT: Final = "Authenticator Attestation"


@dataclass(frozen=True, slots=True)
class AttestationPolicy:
    """The makers that a portal trusts; other authenticators are refused.

    Attributes:
        roots: format -> its root certificates, one PEM text each. The built-in ones of "apple" and "android-key" stay.
        aaguids: models that may be enrolled, or None for every model of these roots.
    """

    roots: Mapping[str, tuple[bytes, ...]]
    aaguids: frozenset[str] | None = None

    def __post_init__(self) -> None:
        from cryptography.x509 import load_pem_x509_certificates

        if not self.roots or not all(self.roots.values()):
            raise ConfigurationError("attestation has no roots: give the root certificates of the makers you trust")
        for name, certificates in self.roots.items():
            if name not in FORMATS:
                raise ConfigurationError(f"attestation format {name!r}: write one of {', '.join(FORMATS)}")
            for pem in certificates:
                try:
                    (_,) = load_pem_x509_certificates(pem)
                except (TypeError, ValueError):
                    raise ConfigurationError(f"a root for {name!r} is not one certificate in PEM") from None
        if self.aaguids is not None:
            try:
                models = frozenset(str(UUID(model)) for model in self.aaguids)
            except (AttributeError, TypeError, ValueError):
                raise ConfigurationError("aaguids: write each as 00000000-0000-0000-0000-000000000000") from None
            object.__setattr__(self, "aaguids", models)


def check(policy: AttestationPolicy, name: str, statement: Mapping[str, Any], aaguid: str) -> None:
    """Check what the library leaves open in a statement whose signature and chain it has verified.

    Args:
        policy: whom the portal trusts.
        name: attestation format.
        statement: the attestation statement.
        aaguid: the model, as the authenticator says.

    Raises:
        ValueError: nobody that the policy trusts vouches for this authenticator.
    """
    if name not in policy.roots:
        raise ValueError("no roots for this format")
    if policy.aaguids is not None and aaguid not in policy.aaguids:
        raise ValueError("not a model that the policy names")
    chain = statement.get("x5c")
    # without certificates a key vouches for itself, and the library lets that pass
    if not isinstance(chain, list) or not chain:
        raise ValueError("no certificate vouches for this authenticator")
    _check_certificate(chain, name, aaguid)


def _check_certificate(chain: Sequence[bytes], name: str, aaguid: str) -> None:
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(chain[0])
    for extension in certificate.extensions:
        if extension.oid.dotted_string == _AAGUID_EXTENSION:
            # an OCTET STRING of 16 bytes inside the extension's own
            wanted = b"\x04\x10" + UUID(aaguid).bytes
            if extension.critical or extension.value.public_bytes() != wanted:
                raise ValueError("the certificate is of another model")
    if name == "packed":
        _check_packed(certificate)


def _check_packed(certificate: Any) -> None:
    """WebAuthn L3 §8.2.1."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    if certificate.version is not x509.Version.v3:
        raise ValueError("not a certificate of version 3")
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    if [unit.value for unit in units] != [_UNIT]:
        raise ValueError("not a certificate for attestation")
    for oid in (NameOID.COUNTRY_NAME, NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        if not certificate.subject.get_attributes_for_oid(oid):
            raise ValueError("the certificate does not name its maker")
    if certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        raise ValueError("a certificate that may issue others")
