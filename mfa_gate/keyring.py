"""Keys: encryption at rest, keyed hashes, signing, rotation. The only room that touches them.

`MFA_GATE_KEYS` is `id:key[,id:key...]`, the current one first; every key is 32 random bytes in base64url. From each
one HKDF (RFC 5869) derives a key per purpose, so that no two uses share one: a page that a stranger may have sealed as
often as they like (NIST SP 800-38D §8.3 bounds that) spends nothing of the key of the seeds. What is sealed or hashed
names its key.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from itsdangerous import BadSignature, Signer
from itsdangerous.signer import SigningAlgorithm

from .exc import ConfigurationError, SealBroken

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
SEED: Final = "seed"
# what stands in stores sealed under the key of the seeds, from before these purposes had keys of their own
SHARED_BEFORE: Final = frozenset({"record", "key check"})
INSTEAD: Final = "write what 'flask mfa keys new' prints"


def new_key() -> str:
    """Make one `id:key` text for `MFA_GATE_KEYS`; the id is the day and two random letters."""
    day = time.strftime("%Y%m%d", time.gmtime())
    return f"{day}{secrets.choice('abcdefghjkmnpqrstuvwxyz')}{secrets.choice('abcdefghjkmnpqrstuvwxyz')}:" + (
        base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode().rstrip("=")
    )


class Keyring:
    """The keys of one portal.

    Args:
        text: the value of `MFA_GATE_KEYS`.

    Raises:
        ConfigurationError: a key is missing, too short, doubled or not readable. The text never shows a key.
    """

    def __init__(self, text: str) -> None:
        self._keys = _parse(text)
        self.ids = tuple(self._keys)
        self.current = self.ids[0]
        self._ciphers: dict[tuple[str, str], AESGCM] = {}
        self._derived: dict[tuple[str, str], bytes] = {}
        self._macs: dict[tuple[str, str], hmac.HMAC] = {}
        self._signers: dict[str, Signer] = {}

    def __repr__(self) -> str:
        return f"<Keyring {', '.join(self.ids)}>"

    def seal(self, purpose: str, plain: bytes, context: str, key_id: str | None = None) -> str:
        """Encrypt with AES-256-GCM (NIST SP 800-38D) under the current key.

        Args:
            purpose: what for; each has a key of its own.
            plain: what is to be kept.
            context: identity of the row that will hold it; needed again to open it.
            key_id: another key of the ring.

        Returns:
            `id.base64url(nonce + ciphertext)`.
        """
        key_id = key_id or self.current
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._cipher(key_id, purpose).encrypt(nonce, plain, context.encode())
        return f"{key_id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, purpose: str, sealed: str, context: str) -> bytes:
        """Decrypt what `seal` made for the same purpose and context.

        Raises:
            SealBroken: another key, another purpose or row, or altered bytes.
        """
        key_id, _, body = sealed.partition(".")
        if key_id not in self._keys:
            raise SealBroken("a sealed value names a key that is not in MFA_GATE_KEYS")
        for tried in (purpose, SEED) if purpose in SHARED_BEFORE else (purpose,):
            plain = self._opened(self._cipher(key_id, tried), body, context)
            if plain is not None:
                return plain
        raise SealBroken("a sealed value does not open in its place")

    @staticmethod
    def _opened(cipher: AESGCM, body: str, context: str) -> bytes | None:
        from cryptography.exceptions import InvalidTag

        try:
            raw = base64.urlsafe_b64decode(body)
            return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError):
            return None

    def is_current(self, made: str) -> bool:
        """Whether something sealed or hashed was made under the current key."""
        return made.startswith(f"{self.current}.")

    def hash(self, purpose: str, value: str, key_id: str | None = None) -> str:
        """Keyed hash (HMAC-SHA-256) as `id.hex`, for looking up what need not be read."""
        key_id = key_id or self.current
        mac = self._mac(purpose, key_id).copy()
        mac.update(value.encode("utf-8", "surrogatepass"))
        return f"{key_id}.{mac.hexdigest()}"

    def hashes(self, purpose: str, value: str) -> list[str]:
        """The keyed hashes of a value under every key of the ring, the current one first."""
        return [self.hash(purpose, value, key_id) for key_id in self.ids]

    def derived(self, purpose: str, value: str, key_id: str | None = None) -> str:
        """A secret that only this keyring can work out of a value: 256 bits in base64url, 43 characters."""
        mac = self._mac(purpose, key_id or self.current).copy()
        mac.update(value.encode("utf-8", "surrogatepass"))
        return base64.urlsafe_b64encode(mac.digest()).decode().rstrip("=")

    def matches(self, purpose: str, value: str, hashed: str) -> bool:
        """Whether `hash` under the key that `hashed` names gives the same, compared in constant time."""
        key_id = hashed.partition(".")[0]
        if key_id not in self._keys:
            return False
        return hmac.compare_digest(self.hash(purpose, value, key_id).encode(), hashed.encode("utf-8", "replace"))

    def sign(self, purpose: str, value: str) -> str:
        """Sign a short text for a cookie (itsdangerous)."""
        return self._signer(purpose).sign(value).decode()

    def unsign(self, purpose: str, signed: str) -> str | None:
        """The text that `sign` signed under any key of the ring, or None."""
        try:
            return self._signer(purpose).unsign(signed).decode()
        except (BadSignature, UnicodeError):
            return None

    def _signer(self, purpose: str) -> Signer:
        if purpose not in self._signers:
            keys = [self._key(f"sign {purpose}", key_id) for key_id in reversed(self.ids)]
            # the key is already one of this purpose alone, so the signer need not derive one at each call
            self._signers[purpose] = Signer(keys, key_derivation="none", algorithm=_PreparedHMAC(keys))
        return self._signers[purpose]

    def _mac(self, purpose: str, key_id: str) -> hmac.HMAC:
        mac = self._macs.get((purpose, key_id))
        if mac is None:
            key = self._key(f"hash {purpose}", key_id)
            mac = self._macs[purpose, key_id] = hmac.new(key, digestmod="sha256")
        return mac

    def _cipher(self, key_id: str, purpose: str = SEED) -> AESGCM:
        cipher = self._ciphers.get((purpose, key_id))
        if cipher is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # heavy, and not needed to import a portal

            # the key of the seeds is the oldest, and has its name from when it was the only one
            key = self._key("seal" if purpose == SEED else f"seal {purpose}", key_id)
            cipher = self._ciphers[purpose, key_id] = AESGCM(key)
        return cipher

    def _key(self, purpose: str, key_id: str) -> bytes:
        derived = self._derived.get((purpose, key_id))
        if derived is None:
            derived = self._derived[purpose, key_id] = _hkdf(self._keys[key_id], f"mfa_gate {purpose}".encode())
        return derived


class _PreparedHMAC(SigningAlgorithm):
    """HMAC-SHA-256 whose key schedule is worked out once per key and copied for each signature."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._macs = {key: hmac.new(key, digestmod="sha256") for key in keys}

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        mac = self._macs[key].copy()
        mac.update(value)
        return mac.digest()


def _hkdf(key: bytes, info: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(key)


def _parse(text: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for number, item in enumerate(_items(text), start=1):
        key_id, colon, encoded = item.partition(":")
        if not colon or not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", key_id):
            raise ConfigurationError(f"MFA_GATE_KEYS: key {number} has no readable id: {INSTEAD}")
        if key_id in keys:
            raise ConfigurationError(f"MFA_GATE_KEYS: the id {key_id!r} stands twice: {INSTEAD}")
        try:
            key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise ConfigurationError(f"MFA_GATE_KEYS: key {key_id!r} is not base64url: {INSTEAD}") from None
        if len(key) != KEY_BYTES:
            raise ConfigurationError(f"MFA_GATE_KEYS: key {key_id!r} is not {KEY_BYTES} bytes long: {INSTEAD}")
        keys[key_id] = key
    if not keys:
        raise ConfigurationError(f"MFA_GATE_KEYS is empty: {INSTEAD}")
    return keys


def _items(text: str) -> Iterable[str]:
    return (item.strip() for item in text.split(",") if item.strip())


def message_signature(key: bytes, message: bytes) -> str:
    """HMAC-SHA-256 in base64, by a key that another party has too (Standard Webhooks 1.0)."""
    return base64.b64encode(hmac.digest(key, message, "sha256")).decode()
