"""Recovery codes, the factor by itself: how they look, how they are typed, and what a try costs."""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
from collections.abc import Callable

import pytest

from mfa_gate import crockford
from mfa_gate.exc import WrongCode
from mfa_gate.factors import recovery

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
pytestmark = pytest.mark.full_cost


@pytest.fixture(scope="module")
def codes() -> recovery.Codes:
    return recovery.begin()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is hashed, and cheaply."""
    hashed: list[bytes] = []

    def scrypt(password: bytes, *, salt: bytes, dklen: int, **how: int) -> bytes:
        hashed.append(password)
        return hashlib.blake2b(password, salt=salt, digest_size=dklen).digest()

    monkeypatch.setattr(hashlib, "scrypt", scrypt)
    return hashed


def test_a_set_has_ten_codes_of_80_bits_in_groups_of_four(codes: recovery.Codes) -> None:
    assert len(codes.codes) == len(set(codes.codes)) == len(codes.hashes) == len(set(codes.hashes)) == 10
    for code in codes.codes:
        assert re.fullmatch(f"[{ALPHABET}]{{4}}(-[{ALPHABET}]{{4}}){{3}}", code)
        assert len(code.replace("-", "")) * math.log2(len(ALPHABET)) == 80


def test_each_symbol_is_drawn_by_itself() -> None:
    drawn = [crockford.new(16) for _ in range(200)]
    for place in range(16):
        assert len({code[place] for code in drawn}) > 24


def test_no_secret_shows_when_a_set_is_printed(codes: recovery.Codes) -> None:
    assert repr(codes) == "Codes()"


def test_every_code_leads_to_its_own_hash(codes: recovery.Codes) -> None:
    for number in (0, 4, 9):
        assert recovery.complete(codes.salt, codes.codes[number]) == codes.hashes[number]


@pytest.mark.parametrize(
    "typed",
    [
        lambda code: code.lower(),
        lambda code: code.replace("-", ""),
        lambda code: code.replace("-", " "),
        lambda code: f"  {code}\t\n",
        lambda code: code.replace("-", "\u2013"),
        lambda code: code.replace("-", "\u00a0-\u202f"),
        lambda code: code.replace("0", "O").replace("1", "I"),
        lambda code: code.replace("0", "o").replace("1", "l"),
    ],
)
@pytest.mark.usefixtures("counted")
def test_a_code_is_read_as_people_type_it(typed: Callable[[str], str]) -> None:
    code = "0123-ABCD-EFGH-JKM0"
    assert recovery.complete(bytes(16), typed(code)) == recovery.complete(bytes(16), code)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "0000",
        "0" * 15,
        "0" * 17,
        "U" * 16,
        "é" * 16,
        "\u0660" * 16,
        "\uff10" * 16,
        "\0" * 16,
        "\ud800" * 16,
        "0000-0000-0000-000!",
        "x" * 1_000_000,
    ],
    ids=lambda typed: repr(typed)[:16],
)
@pytest.mark.usefixtures("counted")
def test_what_does_not_look_like_a_code_is_wrong(typed: str) -> None:
    with pytest.raises(WrongCode):
        recovery.complete(bytes(16), typed)


def test_a_wrong_code_leads_to_no_hash_of_the_set(codes: recovery.Codes) -> None:
    code = codes.codes[0]
    other = ("1" if code[0] != "1" else "2") + code[1:]
    assert recovery.complete(codes.salt, other) not in codes.hashes
    assert recovery.complete(bytes(16), code) not in codes.hashes


@pytest.mark.usefixtures("counted")
def test_sets_share_nothing() -> None:
    sets = [recovery.begin() for _ in range(20)]
    assert len({drawn.salt for drawn in sets}) == 20
    assert len({code for drawn in sets for code in drawn.codes}) == 200
    assert len({hashed for drawn in sets for hashed in drawn.hashes}) == 200


def test_the_hash_is_scrypt_with_32_mebibytes_and_says_so(codes: recovery.Codes) -> None:
    code = codes.codes[0].replace("-", "")
    digest = hashlib.scrypt(code.encode(), salt=codes.salt, n=32_768, r=8, p=1, maxmem=2**27, dklen=32)
    assert codes.hashes[0] == f"scrypt-15-8-1.{digest.hex()}"
    assert len(codes.salt) == 16


def test_whatever_is_typed_costs_the_same_work(counted: list[bytes]) -> None:
    for typed in ("0" * 16, "1", "", "no code at all", "x" * 100_000, "0" * 17):
        counted.clear()
        with contextlib.suppress(WrongCode):
            recovery.complete(bytes(16), typed)
        assert len(counted) == 1
        assert len(counted[0]) <= 128


@pytest.mark.parametrize(
    ("code", "printed"), [("", ""), ("ABC", "ABC"), ("ABCDE", "ABCD-E"), ("A" * 16, "AAAA-AAAA-AAAA-AAAA")]
)
def test_codes_are_printed_in_groups_of_four(code: str, printed: str) -> None:
    assert crockford.grouped(code) == printed
    assert crockford.normalised(printed) == code
