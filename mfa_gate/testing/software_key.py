"""A security key made of software, with the browser in front of it: for a portal's tests of its step-ups.

It shares no code with the factor that judges it, so that each shows the other's mistakes.
"""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cache
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .software_maker import AAGUID, Maker

UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80  # WebAuthn L3 §6.1
_CURVES: Final[dict[str, tuple[int, ec.EllipticCurve]]] = {
    "P-256": (1, ec.SECP256R1()),
    "P-384": (2, ec.SECP384R1()),
}
_ML_DSA: Final[dict[int, Any]] = {
    -48: mldsa.MLDSA44PrivateKey,
    -49: mldsa.MLDSA65PrivateKey,
    -50: mldsa.MLDSA87PrivateKey,
}


class KeyRefused(Exception):
    """The browser or the key does not go along. `name` is that of the DOMException a page would see."""

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        super().__init__(f"{name}: {why}")


@dataclass(frozen=True, slots=True)
class Tampered:
    """What one answer does wrong; None and False are right. A bent browser also skips every check of its own.

    Attributes:
        origin, challenge, type, cross_origin, top_origin, client_data: of the client data; the last adds members.
        rp_id: what is signed for.
        flags_on, flags_off: bits of the authenticator data, set and cleared at the end.
        count: as signed.
        credential_id: made and signed at registration.
        outer_id: said outside of what is signed.
        user_handle: said at an assertion.
        bad_signature: it is over something else.
        cose: makes another COSE key of the right one.
        format, statement: of the attestation.
        trailing: bytes behind the attestation object or the authenticator data.
    """

    origin: str | None = None
    challenge: bytes | None = None
    type: str | None = None
    cross_origin: Any = None
    top_origin: Any = None
    client_data: Mapping[str, Any] = field(default_factory=dict)
    rp_id: str | None = None
    flags_on: int = 0
    flags_off: int = 0
    count: int | None = None
    credential_id: bytes | None = None
    outer_id: bytes | None = None
    user_handle: bytes | None = None
    bad_signature: bool = False
    cose: Callable[[dict[Any, Any]], Any] | None = None
    format: str | None = None
    statement: Mapping[str, Any] | None = None
    trailing: bytes = b""


UNTAMPERED: Final = Tampered()


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A credential inside the key."""

    private: Any = field(repr=False)
    algorithm: int
    rp_id: str
    user_handle: bytes


@dataclass
class SoftwareKey:
    """One key, with any number of credentials.

    Attributes:
        origin: of the page that it is used on.
        algorithm: the one that it makes keys of, where it is offered: -7, -8, -257, -48, -49 or -50.
        counting: the signature counter rises by one at each use; else it stays where it is.
        count: where it stands.
        user_verified: the key knows who uses it.
        backup_eligible, backed_up: it is a passkey that may be, or is, on other devices too.
        transports: how the browser reaches it.
        discoverable: it keeps the credential by itself.
        maker: who vouches for it, where a portal asks; None: it vouches for itself.
        aaguid: its model.
        curve, rsa_bits: of the keys it makes.
        extensions: what it says beside a credential that it makes, such as `{"credProtect": 2}` (L3 §6.1).
        held: its credentials, by id.
    """

    origin: str
    _: KW_ONLY
    algorithm: int = -7
    counting: bool = True
    count: int = 0
    user_verified: bool = True
    backup_eligible: bool = False
    backed_up: bool = False
    transports: tuple[str, ...] = ("usb",)
    discoverable: bool = True
    maker: Maker | None = None
    aaguid: bytes = AAGUID
    curve: str = "P-256"
    rsa_bits: int = 2048
    extensions: Mapping[str, Any] = field(default_factory=dict)
    credentials: dict[bytes, StoredCredential] = field(default_factory=dict, repr=False)

    def clone(self) -> SoftwareKey:
        """A copy of the key with all that is in it, which counts for itself from here on."""
        return replace(self, credentials=dict(self.credentials))

    # --- as a browser shows it to a page

    def register(self, options: Mapping[str, Any], tampered: Tampered = UNTAMPERED) -> dict[str, Any]:
        """`navigator.credentials.create()`, then `toJSON()`.

        Args:
            options: `PublicKeyCredentialCreationOptionsJSON`.
            bent: what to do wrong.

        Raises:
            KeyRefused: a browser, or the key, would not.
        """
        rp_id = tampered.rp_id or str(options["rp"].get("id") or urlsplit(self.origin).hostname)
        offered = [parameter["alg"] for parameter in options["pubKeyCredParams"]]
        if tampered == UNTAMPERED:
            self._check_page(rp_id, options.get("authenticatorSelection", {}).get("userVerification"))
            if any(from_text(excluded["id"]) in self.credentials for excluded in options.get("excludeCredentials", ())):
                raise KeyRefused("InvalidStateError", "the key is enrolled already")
            if self.algorithm not in offered:
                raise KeyRefused("NotSupportedError", "the key makes no keys of these algorithms")
        client_data = self._client_data("webauthn.create", options["challenge"], tampered)
        vouching = options.get("attestation", "none") != "none"
        handle = from_text(options["user"]["id"])
        id_, made = self.make(rp_id, handle, sha256(client_data).digest(), vouching, tampered)
        key = self.credentials[id_].private.public_key()
        inner = {
            "clientDataJSON": to_text(client_data),
            "attestationObject": to_text(cbor(made) + tampered.trailing),
            "authenticatorData": to_text(made["authData"]),
            "publicKey": to_text(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)),
            "publicKeyAlgorithm": self.algorithm,
            "transports": list(self.transports),
        }
        asked = options.get("extensions", {}).get("credProps")
        return self._outer(id_, tampered, inner, {"credProps": {"rk": self.discoverable}} if asked else {})

    def assert_(self, options: Mapping[str, Any], tampered: Tampered = UNTAMPERED) -> dict[str, Any]:
        """`navigator.credentials.get()`, then `toJSON()`.

        Args:
            options: `PublicKeyCredentialRequestOptionsJSON`.
            bent: what to do wrong.

        Raises:
            KeyRefused: a browser, or the key, would not.
        """
        rp_id = str(options.get("rpId") or urlsplit(self.origin).hostname)
        if tampered == UNTAMPERED:
            self._check_page(rp_id, options.get("userVerification"))
        id_ = self.find(rp_id, [from_text(allowed["id"]) for allowed in options.get("allowCredentials", ())])
        if id_ is None:
            raise KeyRefused("NotAllowedError", "the key has no such credential")
        client_data = self._client_data("webauthn.get", options["challenge"], tampered)
        data, signature = self.sign(id_, sha256(client_data).digest(), tampered)
        inner = {
            "clientDataJSON": to_text(client_data),
            "authenticatorData": to_text(data),
            "signature": to_text(signature),
        }
        if tampered.user_handle is not None or self.discoverable:
            handle = self.credentials[id_].user_handle if tampered.user_handle is None else tampered.user_handle
            inner["userHandle"] = to_text(handle)
        return self._outer(id_, tampered, inner, {})

    # --- the key itself, as any browser may reach it (CTAP)

    def make(
        self,
        rp_id: str,
        user_handle: bytes,
        client_data_hash: bytes,
        vouching: bool = True,
        tampered: Tampered = UNTAMPERED,
    ) -> tuple[bytes, dict[str, Any]]:
        """Make a credential: its id and the attestation object."""
        private = new_private(self.algorithm, self.curve, self.rsa_bits)
        id_ = secrets.token_bytes(32) if tampered.credential_id is None else tampered.credential_id
        self.credentials[id_] = credentials = StoredCredential(private, self.algorithm, rp_id, user_handle)
        key = cose_key(private.public_key(), self.algorithm)
        inner = cbor(tampered.cose(key) if tampered.cose else key)
        attested = self.aaguid + len(id_).to_bytes(2, "big") + id_ + inner
        said = cbor(self.extensions) if self.extensions else b""
        data = self._data(rp_id, tampered, AT | (ED if said else 0), attested + said)
        statement: dict[str, Any] = {}
        if vouching or tampered.format == "packed":
            signed = data + client_data_hash + b"\0" * tampered.bad_signature
            own = {"alg": self.algorithm, "sig": signature_of(credentials, signed)}
            statement = self.maker.statement(signed) if self.maker else own
        name = tampered.format or ("packed" if statement else "none")
        shown = statement if tampered.statement is None else tampered.statement
        return id_, {"fmt": name, "attStmt": shown, "authData": data}

    def find(self, rp_id: str, allowed: Iterable[bytes]) -> bytes | None:
        """The first of these credentials that the key holds for this RP ID; of any, if none are named."""
        named = list(allowed) or (list(self.credentials) if self.discoverable else [])
        return next((id_ for id_ in named if id_ in self.credentials and self.credentials[id_].rp_id == rp_id), None)

    def sign(self, id_: bytes, client_data_hash: bytes, tampered: Tampered = UNTAMPERED) -> tuple[bytes, bytes]:
        """Assert a credential: authenticator data and signature."""
        credentials = self.credentials[id_]
        if self.counting:
            self.count += 1
        data = self._data(tampered.rp_id or credentials.rp_id, tampered, 0, b"") + tampered.trailing
        return data, signature_of(credentials, data + client_data_hash + b"\0" * tampered.bad_signature)

    def _data(self, rp_id: str, tampered: Tampered, flags: int, attested: bytes) -> bytes:
        flags |= UP | (UV if self.user_verified else 0)
        flags |= (BE if self.backup_eligible else 0) | (BS if self.backed_up else 0)
        flags = (flags | tampered.flags_on) & ~tampered.flags_off
        count = self.count if tampered.count is None else tampered.count
        return sha256(rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big") + attested

    def _check_page(self, rp_id: str, user_verification: str | None) -> None:
        parts = urlsplit(self.origin)
        host = parts.hostname or ""
        if parts.scheme != "https" and host != "localhost" and not host.endswith(".localhost"):
            raise KeyRefused("SecurityError", "the page is not secure")
        above = host.endswith(f".{rp_id}") and "." in rp_id
        if host != rp_id and not above:
            raise KeyRefused("SecurityError", f"{self.origin} may not ask for {rp_id!r}")
        if user_verification == "required" and not self.user_verified:
            raise KeyRefused("NotAllowedError", "the key does not know who uses it")

    def _client_data(self, kind: str, challenge: str, tampered: Tampered) -> bytes:
        """L3 §5.8.1.1, in the order in which browsers write it."""
        data: dict[str, Any] = {
            "type": tampered.type or kind,
            "challenge": challenge if tampered.challenge is None else to_text(tampered.challenge),
            "origin": tampered.origin or self.origin,
            "crossOrigin": False if tampered.cross_origin is None else tampered.cross_origin,
        }
        if tampered.top_origin is not None:
            data["topOrigin"] = tampered.top_origin
        return json.dumps({**data, **tampered.client_data}, separators=(",", ":"), ensure_ascii=False).encode()

    def _outer(
        self, id_: bytes, tampered: Tampered, response: dict[str, Any], results: dict[str, Any]
    ) -> dict[str, Any]:
        said = to_text(id_ if tampered.outer_id is None else tampered.outer_id)
        return {
            "id": said,
            "rawId": said,
            "type": "public-key",
            "authenticatorAttachment": "platform" if "internal" in self.transports else "cross-platform",
            "response": response,
            "clientExtensionResults": results,
        }


def new_private(algorithm: int, curve: str = "P-256", rsa_bits: int = 2048) -> Any:
    """A private key of `cryptography` for a COSE algorithm. RSA keys, which take long to make, are made once."""
    if algorithm == -7:
        return ec.generate_private_key(_CURVES[curve][1])
    if algorithm == -8:
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == -257:
        return _new_rsa(rsa_bits)
    return _ML_DSA[algorithm].generate()


@cache
def _new_rsa(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def cose_key(public: Any, algorithm: int) -> dict[Any, Any]:
    """A public key as COSE writes it (RFC 9053 §7, RFC 8230 §4)."""
    if isinstance(public, ec.EllipticCurvePublicKey):
        point, size = public.public_numbers(), (public.key_size + 7) // 8
        number = next(number for number, curve in _CURVES.values() if curve.name == public.curve.name)
        return {1: 2, 3: algorithm, -1: number, -2: point.x.to_bytes(size, "big"), -3: point.y.to_bytes(size, "big")}
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {
            1: 3,
            3: algorithm,
            -1: numbers.n.to_bytes(public.key_size // 8, "big"),
            -2: numbers.e.to_bytes(3, "big"),
        }
    if isinstance(public, ed25519.Ed25519PublicKey):
        return {1: 1, 3: algorithm, -1: 6, -2: public.public_bytes_raw()}
    return {1: 7, 3: algorithm, -1: public.public_bytes_raw()}


def signature_of(credential: StoredCredential, data: bytes) -> bytes:
    """A signature by a held credential."""
    if isinstance(credential.private, ec.EllipticCurvePrivateKey):
        return credential.private.sign(data, ec.ECDSA(SHA256()))
    if isinstance(credential.private, rsa.RSAPrivateKey):
        return credential.private.sign(data, padding.PKCS1v15(), SHA256())
    signature: bytes = credential.private.sign(data)
    return signature


def cbor(value: Any) -> bytes:
    """The part of CBOR (RFC 8949) that authenticators write, in the canonical form of CTAP 2.2 §8."""
    if isinstance(value, bool) or value is None:
        return bytes([{False: 0xF4, True: 0xF5, None: 0xF6}[value]])
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, Mapping):
        items = sorted((cbor(key), cbor(item)) for key, item in value.items())
        items.sort(key=lambda pair: (pair[0][0] >> 5, len(pair[0]), pair[0]))
        return _head(5, len(items)) + b"".join(key + item for key, item in items)
    return _head(4, len(value)) + b"".join(map(cbor, value))


def _head(kind: int, count: int) -> bytes:
    if count < 24:
        return bytes([kind << 5 | count])
    width, code = next((width, code) for width, code in ((1, 24), (2, 25), (4, 26), (8, 27)) if count < 256**width)
    return bytes([kind << 5 | code]) + count.to_bytes(width, "big")


def to_text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def from_text(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
