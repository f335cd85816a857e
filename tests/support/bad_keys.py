"""Public keys that are not stored: each is a good one, changed in one way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mfa_gate.testing.software_key import cose_key, new_private


def other_key(algorithm: int, **how: Any) -> Callable[[dict[Any, Any]], dict[Any, Any]]:
    return lambda key: cose_key(new_private(algorithm, **how).public_key(), algorithm)


def member(label: Any, value: Any) -> Callable[[dict[Any, Any]], dict[Any, Any]]:
    return lambda key: {**key, label: value}


def without(label: int) -> Callable[[dict[Any, Any]], dict[Any, Any]]:
    return lambda key: {name: value for name, value in key.items() if name != label}


SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]
BAD_KEYS = [
    ("ES256 off the curve", -7, member(-3, bytes(31) + b"\1")),
    ("ES256 at infinity", -7, lambda key: {**key, -2: bytes(32), -3: bytes(32)}),
    ("ES256 beyond the field", -7, member(-2, b"\xff" * 32)),
    ("ES256 on P-384", -7, other_key(-7, curve="P-384")),
    ("ES256 said to be on P-384", -7, member(-1, 2)),
    ("ES256 compressed", -7, member(-3, True)),
    ("ES256 short", -7, member(-2, bytes(31))),
    ("ES256 long", -7, lambda key: {**key, -2: b"\0" + key[-2]}),
    ("ES256 without y", -7, without(-3)),
    ("ES256 without curve", -7, without(-1)),
    ("ES256 with more", -7, member(-4, b"d")),
    ("ES256 with a private key", -7, member(-4, bytes(32))),
    ("ES256 with a name", -7, member("x", 1)),
    ("ES256 as RSA", -7, member(1, 3)),
    ("ES256 with text", -7, member(-2, "x" * 32)),
    ("ES256 with a list", -7, member(-2, [0] * 32)),
    ("a truth for a number", -7, lambda key: {True if label == 1 else label: value for label, value in key.items()}),
    ("a truth beside a number", -7, member(True, 3)),
    ("a truth for the kind", -8, member(1, True)),
    ("a truth for the curve", -7, member(-1, True)),
    ("no kind", -7, without(1)),
    ("no algorithm", -7, without(3)),
    ("algorithm as text", -7, member(3, "-7")),
    ("algorithm as truth", -7, member(3, False)),
    ("no key at all", -7, lambda key: {}),
    ("a list", -7, lambda key: [1, 2, 3]),
    ("a number", -7, lambda key: 4),
    ("uncompressed point of old", -7, lambda key: b"\x04" + key[-2] + key[-3]),
    ("EdDSA off the curve", -8, member(-2, (2).to_bytes(32, "little"))),
    ("EdDSA beyond the field", -8, member(-2, b"\xff" * 31 + b"\x7f")),
    ("EdDSA short", -8, member(-2, bytes(31))),
    ("EdDSA on X25519", -8, member(-1, 4)),
    ("EdDSA on Ed448", -8, member(-1, 7)),
    *((f"EdDSA of small order {point[:4]}", -8, member(-2, bytes.fromhex(point))) for point in SMALL_ORDER),
    *(
        (
            f"EdDSA of small order {point[:4]}, other sign",
            -8,
            member(-2, bytes.fromhex(point[:-2]) + bytes([int(point[-2:], 16) | 0x80])),
        )
        for point in SMALL_ORDER
    ),
    ("RS256 of 1024 bits", -257, other_key(-257, rsa_bits=1024)),
    ("RS256 of 2047 bits", -257, lambda key: {**key, -1: bytes([key[-1][0] & 0x7F]) + key[-1][1:]}),
    ("RS256 padded to 2048 bits", -257, lambda key: {**key, -1: bytes(128) + key[-1][128:]}),
    ("RS256 of 16384 bits", -257, member(-1, b"\xff" * 2048)),
    ("RS256 even", -257, lambda key: {**key, -1: key[-1][:-1] + b"\0"}),
    ("RS256 with exponent 3", -257, member(-2, b"\0\0\3")),
    ("RS256 with exponent 257", -257, member(-2, b"\0\1\1")),
    ("RS256 with exponent 1", -257, member(-2, b"\1")),
    ("RS256 with an even exponent", -257, member(-2, b"\1\0\0")),
    ("RS256 with a great exponent", -257, lambda key: {**key, -2: key[-1]}),
    ("ML-DSA short", -48, member(-1, bytes(1311))),
    ("ML-DSA of another size", -48, lambda key: {**other_key(-49)(key), 3: -48}),
    ("ML-DSA as EC", -48, member(1, 2)),
]
