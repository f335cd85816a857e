"""Answers of keys that no browser and no authenticator gives: junk, other spellings, bad CBOR, random changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from mfa_gate.testing.software_key import cbor, from_text, to_text
from tests.support.ceremonies import Answer, tampered_answer


def read_members(answer: Answer) -> list[str]:
    """The members that are read as bytes. Browsers repeat some of a registration for pages, unsigned."""
    signed = ["clientDataJSON", "attestationObject", "userHandle", "signature"]
    if "signature" in answer["response"]:
        signed.append("authenticatorData")
    return ["id", *(f"response.{name}" for name in signed if name in answer["response"])]


def text_of(answer: Answer, path: str) -> str:
    found: Any = answer
    for name in path.split("."):
        found = found[name]
    return str(found)


def changed_at(answer: Answer, path: str, value: Any) -> Answer:
    changed = tampered_answer(answer, path, value)
    return tampered_answer(changed, "rawId", value) if path == "id" else changed


def spellings(text: str) -> list[str]:
    """Other ways to write what a lenient reader takes for the same bytes, or nearly."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    inside = [text[:4] + junk + text[4:] for junk in ("*", "\r\n", "é", "\0", " ", "=")]
    around = [text + junk for junk in ("=", "==", "===", "\n", "\0", ".", "\ud800", "A" * 5)]
    twin = text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]
    return [*inside, *around, " " + text, twin, text.replace("-", "+").replace("_", "/") + "/"]


def nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


JUNK: list[Callable[[], Any]] = [
    *(lambda value=value: value for value in (None, True, 0, -1, 1.5, "", "x", "é", "\ud800", b"bytes", 10**400)),
    lambda: [],
    lambda: {},
    lambda: [[]],
    lambda: {"a": 1},
    lambda: float("nan"),
    lambda: nested(5000),
]


def shared(levels: int) -> bytes:
    """CBOR of a few hundred bytes that refers to itself: written out it would have 2**levels items."""
    items = [b"\xd8\x1c\x82\x01\x01"]
    items += [b"\xd8\x1c\x82" + (b"\xd8\x1d" + cbor(level)) * 2 for level in range(levels)]
    return b"\x98" + bytes([len(items)]) + b"".join(items)


NEVER_WRITTEN = {
    "self-referring list": shared(60),
    "cyclic": b"\xd8\x1c\x81\xd8\x1d\x00",
    "tag": b"\xc1\x00",
    "great tag": b"\xdb" + b"\xff" * 8 + b"\x00",
    "regular expression": b"\xd8\x23\x66(a+)+$",
    "great decimal": b"\xc5\x82\x1b" + b"\x7f" * 8 + b"\x03",
    "list without a length": b"\x9f\x01\xff",
    "bytes without a length": b"\x5f\x41x\xff",
    "map without a length": b"\xbf\xff",
    "float": b"\xfb" + bytes(8),
    "undefined": b"\xf7",
    "simple": b"\xf8\xff",
    "break": b"\xff",
    "reserved": b"\x1c",
    "great list": b"\x9b\x7f" + b"\xff" * 7,
    "great map": b"\xbb\x7f" + b"\xff" * 7,
    "great bytes": b"\x5b\x7f" + b"\xff" * 7,
    "great text": b"\x7b" + b"\xff" * 8,
    "deep": b"\x81" * 300 + b"\x00",
    "deeper": b"\x81" * 3000 + b"\x00",
    "cut off": b"\x82\x01",
    "cut off length": b"\x59\x01",
    "empty": b"",
}
NEVER_READ = {"doubled key": b"\xa2\x01\x01\x01\x02", "not utf-8": b"\x61\xff"}


def mutate(chance: random.Random, data: bytes) -> bytes:
    """One to three small changes."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        at = chance.randrange(len(changed) + 1)
        kind = chance.randrange(6)
        if kind == 0 and changed:
            changed[at % len(changed)] ^= 1 << chance.randrange(8)
        elif kind == 1 and changed:
            changed[at % len(changed)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif kind == 2:
            changed[at:at] = chance.randbytes(chance.choice((1, 1, 2, 8)))
        elif kind == 3:
            del changed[at : at + chance.choice((1, 1, 2, 8, 64))]
        elif kind == 4:
            other = chance.randrange(len(changed) + 1)
            changed[at:at] = changed[other : other + chance.randrange(1, 40)]
        else:
            del changed[at:]
    return bytes(changed)


def mutated(chance: random.Random, answer: Answer) -> Answer:
    """An answer of which something is changed that must not be: what was signed, what signs it, or its wrapping."""
    path = chance.choice(read_members(answer))
    text = text_of(answer, path)
    if chance.random() < 0.1:
        at = chance.randrange(len(text) + 1)
        return changed_at(answer, path, text[:at] + chance.choice("=* \né\0+A") + text[at:])
    if chance.random() < 0.05:
        return changed_at(answer, path, chance.choice(JUNK[1:-1])())
    return changed_at(answer, path, to_text(mutate(chance, from_text(text))))
