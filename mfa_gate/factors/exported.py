"""Seeds as other systems hand them over: base32, hex, key URIs, and the JSON of passlib. Pure."""

from __future__ import annotations

import binascii
import json
import re
from base64 import b32decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from .totp import ALGORITHMS, SEED_BYTES, SHORTEST, Shape

LONGEST: Final = 128  # bytes: a block of SHA-512; a longer key is hashed down to that (RFC 2104 §2)
DIGITS: Final = (6, 8)
PERIODS: Final = (30, 60)
_SEPARATORS: Final = re.compile(r"[\s-]+")


class BadSeed(ValueError):
    """What was handed over is no seed that can be taken over; the text says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Exported:
    """One seed.

    Attributes:
        is_token: its codes are shown by a thing with a clock of its own, which nobody sets.
        renew: it is shorter than what is made today (RFC 4226 §4 R6), so its owner should set up the app anew.
    """

    seed: bytes = field(repr=False)
    shape: Shape
    is_token: bool = False

    @property
    def renew(self) -> bool:
        return len(self.seed) < SEED_BYTES


def read(secret: object, *, given: Mapping[str, object], secrets: Mapping[str, str]) -> Exported:
    """Read one seed.

    Args:
        secret: base32, `hex:...`, an `otpauth:` URI (the key URI format of authenticator apps), or what passlib made
            of a `TOTP`, as text or as the object it is.
        given: `algorithm`, `digits` and `period` beside it; for base32 and hex alone.
        secrets: passlib's application secrets by their tags, for seeds that it sealed.

    Raises:
        BadSeed: it is none of these, too short, or its codes cannot be made here.
    """
    text = secret.strip() if isinstance(secret, str) else secret
    if isinstance(text, str) and text.startswith("{"):
        try:
            text = json.loads(text)
        except (ValueError, RecursionError):
            raise BadSeed("the secret is not readable JSON") from None
    if isinstance(text, Mapping):
        return _passlib(text, secrets)
    if not isinstance(text, str) or not text:
        raise BadSeed("the secret is missing")
    if text.lower().startswith("otpauth:"):
        return _uri(text)
    seed = _hex(text[4:]) if text.lower().startswith("hex:") else _base32(text)
    return _checked(seed, given.get("algorithm"), given.get("digits"), given.get("period"))


def _base32(text: str) -> bytes:
    packed = _SEPARATORS.sub("", text).rstrip("=").upper()
    try:
        return b32decode(packed + "=" * (-len(packed) % 8))
    except (binascii.Error, ValueError):
        raise BadSeed("the secret is not base32") from None


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise BadSeed("the secret is not hexadecimal") from None


def _uri(text: str) -> Exported:
    # the library's own reader refuses the short seeds
    try:
        parsed = urlsplit(text)
        query = dict(parse_qsl(parsed.query, max_num_fields=20))
    except ValueError:
        raise BadSeed("the address of the key (otpauth:) is not readable") from None
    if parsed.netloc.lower() == "hotp":
        raise BadSeed("it counts (HOTP) instead of going by the time")
    if parsed.netloc.lower() != "totp" or "secret" not in query:
        raise BadSeed("the address of the key (otpauth:) is not readable")
    return _checked(_base32(query["secret"]), query.get("algorithm"), query.get("digits"), query.get("period"))


def _passlib(found: Mapping[str, Any], secrets: Mapping[str, str]) -> Exported:
    if found.get("type") != "totp":
        raise BadSeed("it is not the seed of an authenticator app")
    if "enckey" in found:
        return _sealed_by_passlib(found, secrets)
    if not isinstance(found.get("key"), str):
        raise BadSeed("the secret is missing")
    return _checked(_base32(found["key"]), found.get("alg"), found.get("digits"), found.get("period"))


def _sealed_by_passlib(found: Mapping[str, Any], secrets: Mapping[str, str]) -> Exported:
    if not secrets:
        raise BadSeed("the secret is sealed: name the file of passlib's secrets by --secrets")
    try:
        from passlib.totp import TOTP  # who has such seeds has passlib
    except ImportError:
        raise BadSeed("the secret is sealed by passlib, which is not installed here") from None
    try:
        opened = TOTP.using(secrets=dict(secrets)).from_source(dict(found))
    except (ValueError, TypeError, KeyError):
        raise BadSeed("the secret does not open with these secrets of passlib") from None
    return _checked(opened.key, opened.alg, opened.digits, opened.period)


def _checked(seed: bytes, algorithm: object, digits: object, period: object) -> Exported:
    if not SHORTEST <= len(seed) <= LONGEST:
        raise BadSeed(
            f"the secret has {len(seed) * 8} bits: between {SHORTEST * 8} and {LONGEST * 8} can be taken over"
        )
    name = str(algorithm or "sha1").strip().lower().replace("-", "").removeprefix("hmac")
    if name not in ALGORITHMS:
        raise BadSeed("its codes are made by another algorithm than SHA-1, SHA-256 and SHA-512")
    return Exported(seed, Shape(name, _one_of(digits, DIGITS, "digits"), _one_of(period, PERIODS, "seconds")))


def _one_of(value: object, allowed: tuple[int, ...], unit: str) -> int:
    text = str(allowed[0] if value is None else value).strip()
    if text not in map(str, allowed):
        raise BadSeed(f"its codes have not {' or '.join(map(str, allowed))} {unit}")
    return int(text)
