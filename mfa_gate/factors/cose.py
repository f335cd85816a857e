"""CBOR and keys as authenticators write them (CTAP 2.2 §8, RFC 9052, RFC 9053), checked before a library reads them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

# flags of authenticator data
USER_PRESENT: Final = 0x01
USER_VERIFIED: Final = 0x04
BACKUP_ELIGIBLE: Final = 0x08
BACKED_UP: Final = 0x10
ATTESTED: Final = 0x40
EXTENSIONS: Final = 0x80

ES256: Final = -7
EDDSA: Final = -8
RS256: Final = -257
ML_DSA_44: Final = -48
ML_DSA_65: Final = -49
ML_DSA_87: Final = -50

_DEPTH: Final = 8  # CTAP 2.2 §8 allows four
_PLAIN: Final = (20, 21, 22)  # false, true, null
_WIDTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}

_KTY, _ALG = 1, 3
# algorithm -> the members that are fixed, and the lengths of those that are not, in bytes
_SHAPES: Final[dict[int, tuple[dict[int, int], dict[int, range]]]] = {
    ES256: ({_KTY: 2, -1: 1}, {-2: range(32, 33), -3: range(32, 33)}),
    EDDSA: ({_KTY: 1, -1: 6}, {-2: range(32, 33)}),
    RS256: ({_KTY: 3}, {-1: range(256, 1025), -2: range(3, 5)}),
    ML_DSA_44: ({_KTY: 7}, {-1: range(1312, 1313)}),
    ML_DSA_65: ({_KTY: 7}, {-1: range(1952, 1953)}),
    ML_DSA_87: ({_KTY: 7}, {-1: range(2592, 2593)}),
}
ALGORITHMS: Final = frozenset(_SHAPES)
RSA_BITS: Final = 2048  # NIST SP 800-131A; exponents above 2**16, FIPS 186-5 §A.1.1
_P: Final = 2**255 - 19  # RFC 8032 §5.1
_D: Final = -121665 * pow(121666, -1, _P) % _P


def item_end(data: bytes, at: int = 0, depth: int = 0) -> int:
    """Find where the CBOR item that begins at `at` ends.

    Tags and items without a length are not for authenticators, and a few bytes of them keep a decoder busy for years.

    Raises:
        ValueError: the item is not what CTAP allows, or is cut off.
    """
    if at >= len(data) or depth > _DEPTH:
        raise ValueError("no CBOR item here")
    kind, count = data[at] >> 5, data[at] & 31
    at += 1
    if kind == 6 or (kind == 7 and count not in _PLAIN):
        raise ValueError("a CBOR item that CTAP does not allow")
    if count > 23:
        width = _WIDTHS.get(count, 0)
        if not width:
            raise ValueError("a CBOR item without a length")
        count, at = int.from_bytes(data[at : at + width], "big"), at + width
    if kind in (2, 3):
        at += count
    elif kind in (4, 5):
        # each item takes a byte at least, so a great count meets the end of the data
        for _ in range(count * (kind - 3)):
            at = item_end(data, at, depth + 1)
    if at > len(data):
        raise ValueError("a CBOR item is cut off")
    return at


class AuthenticatorData(NamedTuple):
    """What an authenticator signs (WebAuthn L3 §6.1). The last three are empty but at a registration."""

    rp_id_hash: bytes
    flags: int
    sign_count: int
    aaguid: bytes
    credential_id: bytes
    key: bytes

    def has(self, flag: int) -> bool:
        return bool(self.flags & flag)


def parse_authenticator_data(data: bytes) -> AuthenticatorData:
    """Take authenticator data apart, to its very end.

    Raises:
        ValueError: it is not laid out as its flags say.
    """
    if len(data) < 37:
        raise ValueError("authenticator data is cut off")
    flags, at = data[32], 37
    aaguid = credential_id = key = b""
    if flags & ATTESTED:
        begins = 55 + int.from_bytes(data[53:55], "big")
        at = item_end(data, begins)
        aaguid, credential_id, key = data[37:53], data[55:begins], data[begins:at]
    if flags & EXTENSIONS:
        at = item_end(data, at)
    if at != len(data):
        raise ValueError("something follows the authenticator data")
    return AuthenticatorData(data[:32], flags, int.from_bytes(data[33:37], "big"), aaguid, credential_id, key)


def algorithm_of(key: bytes) -> int:
    """The algorithm that a COSE key names.

    Raises:
        ValueError, KeyError: it is not a COSE key.
    """
    algorithm: int = _members(key)[_ALG]
    return algorithm


def check_key(key: bytes) -> None:
    """Build a COSE key once, so that one which cannot verify, or which anyone can sign for, is never stored.

    Raises:
        ValueError: it is not exactly a key of an algorithm of `ALGORITHMS`, or a weak one.
    """
    from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography

    members = _members(key)
    fixed, lengths = _SHAPES[members[_ALG]]
    if members.keys() != {_ALG, *fixed, *lengths} or any(members[label] != value for label, value in fixed.items()):
        raise ValueError("not the members of such a key")
    for label, allowed in lengths.items():
        if type(members[label]) is not bytes or len(members[label]) not in allowed:
            raise ValueError("not the lengths of such a key")
    if members[_ALG] == RS256:
        _check_rsa(*(int.from_bytes(members[label], "big") for label in (-1, -2)))
    if members[_ALG] == EDDSA:
        _check_ed25519(members[-2])
    decoded_public_key_to_cryptography(decode_credential_public_key(key))


def _members(key: bytes) -> dict[int, Any]:
    from webauthn.helpers import parse_cbor

    members = parse_cbor(key)
    # by type, since True equals 1
    if type(members) is not dict or not all(type(label) is int for label in members):
        raise ValueError("not a COSE key")
    if not all(type(value) in (int, bytes) for value in members.values()):
        raise ValueError("not a COSE key")
    return members


def _check_rsa(modulus: int, exponent: int) -> None:
    if modulus.bit_length() < RSA_BITS or not modulus % 2 or exponent < 2**16:
        raise ValueError("a weak RSA key")


def _check_ed25519(point: bytes) -> None:
    """Decompress (RFC 8032 §5.1.3), which no library here does at loading, and refuse points of small order."""
    y = int.from_bytes(point, "little") & (2**255 - 1)
    square, divisor = (y * y - 1) % _P, (_D * y * y + 1) % _P
    if y >= _P or pow(square * divisor, (_P - 1) // 2, _P) != 1:
        raise ValueError("not a point of the curve, or one that is its own inverse")
    # order 4: y = 0; order 8: doubled it gives y = 0
    if y * (_D * y**4 + 2 * y * y - 1) % _P == 0:
        raise ValueError("a point of small order")
