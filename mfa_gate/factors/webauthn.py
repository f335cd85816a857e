"""WebAuthn (W3C, Level 3): passkeys and security keys, the one factor that a phishing relay cannot pass on."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any, Final, cast
from uuid import UUID

from ..exc import NoMethod, WrongAssertion
from . import attestation, cose
from .attestation import AttestationPolicy
from .relying_party import RelyingParty
from .webauthn_answers import (
    ATTESTATION_OBJECT,
    AUTHENTICATOR_DATA,
    CLIENT_DATA,
    CREDENTIAL_ID,
    SIGNATURE,
    USER_HANDLE,
    check_client_data,
    decoded,
    encoded,
    refused_as,
    response_of,
)

__all__ = [
    "Asserted",
    "AttestationPolicy",
    "Credential",
    "Registered",
    "RelyingParty",
    "asserted_id",
    "begin_authentication",
    "begin_registration",
    "complete_authentication",
    "complete_registration",
]

CHALLENGE_BYTES: Final = 32  # L3 §13.4.3 asks for 16
TIMEOUT: Final = 300_000  # milliseconds, L3 §15.1
TRANSPORTS: Final = 8


@dataclass(frozen=True, slots=True)
class Credential:
    """What is kept of a registration.

    Attributes:
        id: given by the authenticator, at most 1023 bytes; one of its kind over all accounts.
        public_key: COSE key.
        sign_count: the highest that was seen; many authenticators stay at 0.
        aaguid: model of the authenticator, unproven unless `attested`.
        rp_id: whose it is.
        transports: how the browser reaches it.
        backup_eligible: may be copied to other devices; never changes.
        backed_up: is copied.
        uv_initialised: the authenticator has told who uses it.
        attested: its make was proven against the configured roots.
    """

    id: bytes
    public_key: bytes
    sign_count: int
    aaguid: str
    rp_id: str
    transports: tuple[str, ...]
    backup_eligible: bool
    backed_up: bool
    uv_initialised: bool
    attested: bool


@dataclass(frozen=True, slots=True)
class Registered:
    """A good registration. `discoverable`: whether the key keeps it by itself, where the browser says."""

    credential: Credential
    discoverable: bool | None


@dataclass(frozen=True, slots=True)
class Asserted:
    """A good assertion.

    Attributes:
        sign_count: as the authenticator counts; the greater of this and the stored one is to be kept.
        counted: this authenticator counts, so a count that does not rise is a sign of a copy, and no proof (L3 §6.1.1).
        backed_up: as it is now.
        user_verified: the authenticator told who used it.
    """

    sign_count: int
    counted: bool
    backed_up: bool
    user_verified: bool


def begin_registration(
    rp: RelyingParty, user_handle: bytes, user_name: str, display_name: str, existing: Iterable[Credential]
) -> tuple[dict[str, Any], bytes]:
    """Ask for a new credential.

    Args:
        rp: the portal.
        user_handle: random name of the account, 1 to 64 bytes, the same for all its credentials.
        user_name: shown by the authenticator.
        display_name: likewise.
        existing: the account's credentials, so that no authenticator is enrolled twice.

    Returns:
        `PublicKeyCredentialCreationOptionsJSON` (L3 §5.1.9), and the challenge to be kept, for one answer.
    """
    if not 1 <= len(user_handle) <= USER_HANDLE:
        raise ValueError("a user handle has 1 to 64 bytes")
    challenge = secrets.token_bytes(CHALLENGE_BYTES)
    options = {
        "rp": {"id": rp.id, "name": rp.name},
        "user": {"id": encoded(user_handle), "name": user_name, "displayName": display_name},
        "challenge": encoded(challenge),
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in rp.algorithms],
        "timeout": TIMEOUT,
        "excludeCredentials": [_descriptor(credential) for credential in existing],
        "authenticatorSelection": {
            "residentKey": "preferred",
            "requireResidentKey": False,
            "userVerification": rp.user_verification,
        },
        "hints": list(rp.hints),
        "attestation": "direct" if rp.attestation else "none",
        "extensions": {"credProps": True},
    }
    return options, challenge


def complete_registration(rp: RelyingParty, challenge: bytes, answer: Mapping[str, Any]) -> Registered:
    """Verify a registration (L3 §7.1).

    Args:
        rp: as in `begin_registration`.
        challenge: as it gave, spent by the caller before.
        answer: `toJSON()` of what `navigator.credentials.create()` gave, however malformed.

    Raises:
        WrongAssertion: it does not hold.
    """
    response = response_of(answer)
    client_data = decoded(response.get("clientDataJSON"), CLIENT_DATA)
    raw = decoded(response.get("attestationObject"), ATTESTATION_OBJECT)
    check_client_data(rp, client_data, "webauthn.create", challenge)
    with refused_as("malformed"):
        name, statement, data = _opened(raw)
        aaguid = str(UUID(bytes=data.aaguid))
    _check_authenticator(rp, data)
    if data.credential_id != asserted_id(answer):
        raise WrongAssertion(reason="credential_id")
    with refused_as("key"):
        if cose.algorithm_of(data.key) not in rp.algorithms:
            raise WrongAssertion(reason="algorithm")
        cose.check_key(data.key)
    with refused_as("attestation"):
        _verify_registration(rp, challenge, data, client_data, raw)
        if name == "none" and statement:
            raise ValueError("a statement where nobody vouches")
        if rp.attestation:
            attestation.check(rp.attestation, name, statement, aaguid)
    credential = Credential(
        id=data.credential_id,
        public_key=data.key,
        sign_count=data.sign_count,
        aaguid=aaguid,
        rp_id=rp.id,
        transports=_transports(response.get("transports")),
        backup_eligible=data.has(cose.BACKUP_ELIGIBLE),
        backed_up=data.has(cose.BACKED_UP),
        uv_initialised=data.has(cose.USER_VERIFIED),
        attested=rp.attestation is not None,
    )
    return Registered(credential, _discoverable(answer))


def begin_authentication(rp: RelyingParty, credentials: Iterable[Credential]) -> tuple[dict[str, Any], bytes]:
    """Ask for an assertion by one of these credentials.

    Returns:
        `PublicKeyCredentialRequestOptionsJSON` (L3 §5.1.10), and the challenge to be kept, for one answer.

    Raises:
        NoMethod: none of them belongs to this RP ID. An empty list would ask for any credential at all.
    """
    allowed = [_descriptor(credential) for credential in credentials if credential.rp_id == rp.id]
    if not allowed:
        raise NoMethod
    challenge = secrets.token_bytes(CHALLENGE_BYTES)
    options = {
        "challenge": encoded(challenge),
        "timeout": TIMEOUT,
        "rpId": rp.id,
        "allowCredentials": allowed,
        "userVerification": rp.user_verification,
        "hints": list(rp.hints),
        "extensions": {},
    }
    return options, challenge


def asserted_id(answer: Mapping[str, Any]) -> bytes:
    """The credential that an answer names. It is not signed: look it up by account *and* id.

    Raises:
        WrongAssertion: it names none.
    """
    response_of(answer)
    named = decoded(answer["id"], CREDENTIAL_ID, "credential_id")
    if not named:
        raise WrongAssertion(reason="credential_id")
    return named


def complete_authentication(
    rp: RelyingParty, challenge: bytes, answer: Mapping[str, Any], credential: Credential, user_handle: bytes
) -> Asserted:
    """Verify an assertion (L3 §7.2).

    Args:
        rp: as in `begin_authentication`.
        challenge: as it gave, spent by the caller before.
        answer: `toJSON()` of what `navigator.credentials.get()` gave, however malformed.
        credential: the account's credential of the id that `asserted_id` reads.
        user_handle: the account's.

    Raises:
        WrongAssertion: it does not hold.
    """
    response = response_of(answer)
    client_data = decoded(response.get("clientDataJSON"), CLIENT_DATA)
    authenticator_data = decoded(response.get("authenticatorData"), AUTHENTICATOR_DATA)
    signature = decoded(response.get("signature"), SIGNATURE)
    if answer["id"] != encoded(credential.id):
        raise WrongAssertion(reason="credential_id")
    if response.get("userHandle") not in (None, encoded(user_handle)):
        raise WrongAssertion(reason="user_handle")
    check_client_data(rp, client_data, "webauthn.get", challenge)
    with refused_as("malformed"):
        data = cose.parse_authenticator_data(authenticator_data)
    if credential.rp_id != rp.id:
        raise WrongAssertion(reason="rp_id")
    _check_authenticator(rp, data)
    if data.has(cose.BACKUP_ELIGIBLE) != credential.backup_eligible:
        raise WrongAssertion(reason="backup_flags")
    with refused_as("signature"):
        _verify_signature(credential.public_key, signature, authenticator_data + sha256(client_data).digest())
    return Asserted(
        sign_count=data.sign_count,
        counted=data.sign_count > 0 or credential.sign_count > 0,  # L3 §7.2
        backed_up=data.has(cose.BACKED_UP),
        user_verified=data.has(cose.USER_VERIFIED),
    )


def _descriptor(credential: Credential) -> dict[str, Any]:
    descriptor: dict[str, Any] = {"type": "public-key", "id": encoded(credential.id)}
    if credential.transports:
        descriptor["transports"] = list(credential.transports)
    return descriptor


def _opened(raw: bytes) -> tuple[str, dict[str, Any], cose.AuthenticatorData]:
    """Open an attestation object (L3 §6.5): format, statement and authenticator data."""
    from webauthn.helpers import parse_cbor

    if cose.item_end(raw) != len(raw):
        raise ValueError("something follows the attestation object")
    made = parse_cbor(raw)
    name, statement, data = made["fmt"], made["attStmt"], cose.parse_authenticator_data(made["authData"])
    if type(name) is not str or type(statement) is not dict or not data.key:
        raise ValueError("not an attestation object")
    return name, statement, data


def _check_authenticator(rp: RelyingParty, data: cose.AuthenticatorData) -> None:
    """What the authenticator says (L3 §6.1)."""
    if data.rp_id_hash != sha256(rp.id.encode()).digest():
        raise WrongAssertion(reason="rp_id")
    if not data.has(cose.USER_PRESENT):
        raise WrongAssertion(reason="user_presence")
    if rp.user_verification == "required" and not data.has(cose.USER_VERIFIED):
        raise WrongAssertion(reason="user_verification")
    if data.has(cose.BACKED_UP) and not data.has(cose.BACKUP_ELIGIBLE):
        raise WrongAssertion(reason="backup_flags")


def _verify_registration(
    rp: RelyingParty, challenge: bytes, data: cose.AuthenticatorData, client_data: bytes, raw: bytes
) -> None:
    from webauthn import verify_registration_response
    from webauthn.helpers.cose import COSEAlgorithmIdentifier
    from webauthn.helpers.structs import AuthenticatorAttestationResponse, RegistrationCredential

    roots = {name: list(texts) for name, texts in rp.attestation.roots.items()} if rp.attestation else {}
    response = AuthenticatorAttestationResponse(client_data, raw)
    verified = verify_registration_response(
        credential=RegistrationCredential(encoded(data.credential_id), data.credential_id, response),
        expected_challenge=challenge,
        expected_rp_id=rp.id,
        expected_origin=list(rp.origins),
        require_user_verification=rp.user_verification == "required",
        supported_pub_key_algs=[COSEAlgorithmIdentifier(algorithm) for algorithm in rp.algorithms],
        pem_root_certs_bytes_by_fmt=cast(Any, roots),
    )
    if verified.credential_id != data.credential_id or verified.credential_public_key != data.key:
        raise ValueError("the library read another credential")


def _verify_signature(key: bytes, signature: bytes, signed: bytes) -> None:
    """The library's ceremony would parse and check everything a second time, for a third of the whole."""
    library = _library()
    read = library.decode_credential_public_key(key)
    public = library.decoded_public_key_to_cryptography(read)
    library.verify_signature(public_key=public, signature_alg=read.alg, signature=signature, data=signed)


@cache
def _library() -> Any:
    """Loaded when first needed, so that starting a portal stays cheap; looked up once."""
    from webauthn import helpers

    return helpers


def _transports(given: Any) -> tuple[str, ...]:
    """What the browser says of the ways to the authenticator: a hint, also where a newer one is named."""
    names = [name for name in given if isinstance(name, str)] if isinstance(given, list) else []
    plain = [name for name in names if len(name) <= 32 and name.isascii() and name.replace("-", "").isalnum()]
    return tuple(dict.fromkeys(plain))[:TRANSPORTS]


def _discoverable(answer: Mapping[str, Any]) -> bool | None:
    found: Any = answer.get("clientExtensionResults")
    for name in ("credProps", "rk"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, bool) else None
