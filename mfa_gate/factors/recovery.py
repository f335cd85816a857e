"""Recovery codes: ten, on paper, for the day the phone is gone. Each opens once."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Final

from .. import crockford
from ..exc import WrongCode

CODES: Final = 10
SYMBOLS: Final = 16  # of five bits each: 80 bits, NIST SP 800-63B-4 §3.1.2 asks for 64
SALT_BYTES: Final = 16
# scrypt (RFC 7914): 32 MiB a try. What is stored names these, so that later ones may stand beside them.
_COST, _BLOCK, _LANES = 2**15, 8, 1
_NAME: Final = "scrypt-15-8-1"
_ROOM: Final = 2 * 128 * _COST * _BLOCK  # bytes that OpenSSL may take


@dataclass(frozen=True, slots=True)
class Codes:
    """A set of codes.

    Attributes:
        codes: in groups of four, to be shown once.
        salt: of the whole set, to be kept.
        hashes: in the order of the codes, to be kept; each goes when its code is spent.
    """

    codes: tuple[str, ...] = field(repr=False)
    salt: bytes = field(repr=False)
    hashes: tuple[str, ...] = field(repr=False)


def begin() -> Codes:
    """Draw a new set, which replaces an earlier one."""
    salt = secrets.token_bytes(SALT_BYTES)
    codes = [crockford.new(SYMBOLS) for _ in range(CODES)]
    return Codes(tuple(map(crockford.grouped, codes)), salt, tuple(_hash(salt, code) for code in codes))


def complete(salt: bytes, code: str) -> str:
    """Hash what was typed: the same work, once, for every input and for any number of codes left.

    Args:
        salt: of the account's set; for an account without one, any 16 random bytes.
        code: as typed.

    Returns:
        The hash to be looked up in the set and deleted by one conditional statement: that it is there is the proof.

    Raises:
        WrongCode: no code looks like this.
    """
    plain = crockford.normalised(code)
    hashed = _hash(salt, plain)
    if len(plain) != SYMBOLS or not set(plain) <= set(crockford.ALPHABET):
        raise WrongCode
    return hashed


def _hash(salt: bytes, plain: str) -> str:
    digest = hashlib.scrypt(
        plain.encode("utf-8", "surrogatepass"), salt=salt, n=_COST, r=_BLOCK, p=_LANES, maxmem=_ROOM, dklen=32
    )
    return f"{_NAME}.{digest.hex()}"
