"""A maker of security keys, for tests of portals that ask who made a key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

AAGUID: Final = bytes.fromhex("6d66615f67617465736f667477617265")  # of the software key


class Maker:
    """A maker of security keys: a root certificate, and the batch certificate of a model that it issues.

    Args:
        unit: OU of the batch certificate.
        ca: the batch certificate may issue others.
        extension: model named in the certificate, or None to leave that out.
        critical: whether that extension is marked critical.
        country: C of the batch certificate, or None to leave it out.
    """

    def __init__(
        self,
        unit: str = "Authenticator Attestation",
        ca: bool = False,
        extension: bytes | None = AAGUID,
        critical: bool = False,
        country: str | None = "FR",
    ) -> None:
        root_key, self._key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        batch = {
            NameOID.COUNTRY_NAME: country,
            NameOID.ORGANIZATION_NAME: "Made-up Keys",
            NameOID.ORGANIZATIONAL_UNIT_NAME: unit,
            NameOID.COMMON_NAME: "Made-up Key Batch",
        }
        above: dict[x509.ObjectIdentifier, str | None] = {NameOID.COMMON_NAME: "Made-up Root"}
        root = _certificate(above, above, root_key.public_key(), True).sign(root_key, SHA256())
        builder = _certificate(batch, above, self._key.public_key(), ca)
        if extension is not None:
            oid = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
            builder = builder.add_extension(x509.UnrecognizedExtension(oid, b"\x04\x10" + extension), critical)
        self.root: bytes = root.public_bytes(Encoding.PEM)
        self.certificate: bytes = builder.sign(root_key, SHA256()).public_bytes(Encoding.DER)

    def statement(self, signed: bytes) -> dict[str, Any]:
        """A "packed" statement (WebAuthn L3 §8.2) over authenticator data and client data hash."""
        return {"alg": -7, "sig": self._key.sign(signed, ec.ECDSA(SHA256())), "x5c": [self.certificate]}


def _certificate(
    subject: Mapping[x509.ObjectIdentifier, str | None],
    issuer: Mapping[x509.ObjectIdentifier, str | None],
    key: ec.EllipticCurvePublicKey,
    ca: bool,
) -> x509.CertificateBuilder:
    """A certificate that lasts for ten years, to be signed; parts of a name that are None are left out."""
    of, by = (
        x509.Name([x509.NameAttribute(oid, text) for oid, text in part.items() if text]) for part in (subject, issuer)
    )
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(by, of, key, x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=3650))
    return builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
