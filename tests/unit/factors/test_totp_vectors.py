"""The codes themselves: the vectors of RFC 4226 and RFC 6238, derived ones, and an independent implementation."""

from __future__ import annotations

import json
import random
import subprocess
from base64 import b32encode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from mfa_gate.exc import ClockDrift, WrongCode
from mfa_gate.factors import totp

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "otp-vectors.json").read_text())
SEED = bytes.fromhex(VECTORS["hotp"]["secret_hex"])


def is_ours(case: dict[str, Any]) -> bool:
    return bool(case["algorithm"] == "SHA1" and case["digits"] == 6 and case["period"] == 30)


@pytest.mark.parametrize("case", VECTORS["hotp"]["cases"], ids=lambda case: f"counter {case['counter']}")
def test_vectors_of_rfc_4226(case: dict[str, Any]) -> None:
    """A time step is the counter of RFC 4226."""
    assert totp.complete(SEED, case["code"], case["counter"] * 30, window=0) == case["counter"]


@pytest.mark.parametrize(
    "case",
    [case for case in VECTORS["totp"]["cases"] if case["algorithm"] == "SHA1"],
    ids=lambda case: f"time {case['time']}",
)
def test_vectors_of_rfc_6238_for_sha_1(case: dict[str, Any]) -> None:
    """The RFC prints eight digits; the last six of them are the six-digit code (RFC 4226 §5.3)."""
    assert totp.complete(SEED, case["code"][-6:], case["time"], window=0) == int(case["T_hex"], 16)


@pytest.mark.parametrize(
    "case",
    [case for case in VECTORS["totp"]["cases"] if case["algorithm"] != "SHA1"],
    ids=lambda case: f"{case['algorithm']} at {case['time']}",
)
def test_other_hashes_of_rfc_6238_are_not_offered(case: dict[str, Any]) -> None:
    seed = bytes.fromhex(VECTORS["totp"]["seeds"][case["algorithm"]]["hex"])
    for code in (case["code"], case["code"][-6:]):
        with pytest.raises(WrongCode):
            totp.complete(seed, code, case["time"], window=0)


@pytest.mark.parametrize("case", [case for case in VECTORS["derived"]["cases"] if is_ours(case)], ids=str)
def test_derived_vectors_of_the_offered_combination(case: dict[str, Any]) -> None:
    assert totp.complete(SEED, case["code"], case["time"], window=0) == case["time"] // 30


OURS = {(case["time"], case["code"]) for case in VECTORS["derived"]["cases"] if is_ours(case)}


# those aside that have, at that time, the same code as ours
@pytest.mark.parametrize(
    "case", [case for case in VECTORS["derived"]["cases"] if (case["time"], case["code"]) not in OURS], ids=str
)
def test_derived_vectors_of_other_combinations_are_refused(case: dict[str, Any]) -> None:
    """Seven and eight digits, sixty seconds, SHA-256 and SHA-512: none of them is offered."""
    with pytest.raises(WrongCode):
        totp.complete(SEED, case["code"], case["time"], window=0)


def test_oathtool_makes_the_codes_that_are_accepted() -> None:
    seed_of_the_test = random.randrange(2**32)
    print("seed", seed_of_the_test)
    rng = random.Random(seed_of_the_test)
    for _ in range(8):
        seed, start = rng.randbytes(20), rng.randrange(2**33)
        codes = oathtool(b32encode(seed).decode(), start, more=20)
        for number, code in enumerate(codes):
            at = start + 30 * number
            assert totp.complete(seed, code, at, window=0) == at // 30, (seed.hex(), at)


def test_a_seed_has_160_bits_and_is_never_the_same() -> None:
    made = {totp.begin("Portail", "anne").seed for _ in range(50)}
    assert len(made) == 50
    assert {len(seed) for seed in made} == {20}


def test_the_window_reaches_below_the_epoch_without_an_error() -> None:
    assert totp.complete(SEED, "755224", 0, window=1) == 0
    with pytest.raises(WrongCode):
        totp.complete(SEED, "000000", 29.9, window=1)


@pytest.mark.parametrize(
    "typed",
    [
        "287082",
        "287 082",
        "287-082",
        " 287082\n",
        "28 70 82",
        "287\u00a0082",
        "287\u202f082",
        "287\u2013082",
        "2-8-7-0-8-2",
    ],
)
def test_spaces_and_dashes_in_a_code_do_not_matter(typed: str) -> None:
    assert totp.normalise(typed) == "287082"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "28708",
        "2870820",
        "28708a",
        "+28708",
        "-28708",
        "28_7082",
        "0x2870",
        "28708.",
        "\uff12\uff18\uff17\uff10\uff18\uff12",  # full width
        "\u0662\u0668\u0667\u0660\u0668\u0662",  # Arabic-Indic
        "28708²",
        "28708\u0662",
        "28708\0",
        "\u200b287082",
        "287082" + " " * 60,
        "9" * 100_000,
    ],
    ids=ascii,
)
def test_anything_but_six_ascii_digits_is_a_wrong_code(typed: str) -> None:
    with pytest.raises(WrongCode):
        totp.normalise(typed)


@pytest.mark.parametrize(
    ("steps", "minutes"), [(2, 1), (-2, -1), (3, 2), (10, 5), (-10, -5), (120, 60), (-120, -60)], ids=str
)
@pytest.mark.parametrize("into_the_step", [0, 29.9])
def test_a_clock_that_is_off_is_told_while_confirming(steps: int, minutes: int, into_the_step: float) -> None:
    now = 1_700_000_010 + into_the_step
    code = oathtool(b32encode(SEED).decode(), now + 30 * steps)[0]
    with pytest.raises(ClockDrift) as told:
        totp.confirm(SEED, code, now, window=1)
    assert told.value.data["minutes"] == minutes


@pytest.mark.parametrize("steps", [1, -1])
def test_a_clock_that_is_off_by_half_a_minute_is_told_as_a_minute(steps: int) -> None:
    """Only without a window: with one such a code is right."""
    now = 1_700_000_010
    with pytest.raises(ClockDrift) as told:
        totp.confirm(SEED, oathtool(b32encode(SEED).decode(), now + 30 * steps)[0], now, window=0)
    assert told.value.data["minutes"] == steps


@pytest.mark.parametrize(("name", "shown"), [("anne@portal.example", "anne@portal.example"), (":/", "account")])
def test_the_address_of_a_key_names_portal_and_account_in_one_label(name: str, shown: str) -> None:
    """A colon or a slash in a name would divide the label elsewhere (Key URI Format)."""
    address = urlsplit(totp.begin("Portail: Nord/Sud", name).uri)
    assert unquote(address.path) == f"/Portail  Nord Sud:{shown}"
    assert parse_qs(address.query)["issuer"] == ["Portail  Nord Sud"]


def test_a_code_of_more_than_an_hour_away_is_just_wrong() -> None:
    now = 1_700_000_000
    for steps in (122, -122):
        code = oathtool(b32encode(SEED).decode(), now + 30 * steps)[0]
        with pytest.raises(WrongCode) as told:
            totp.confirm(SEED, code, now, window=1)
        assert not isinstance(told.value, ClockDrift)


def oathtool(secret: str, at: float, more: int = 0) -> list[str]:
    """What another implementation shows at a time, and at so many steps after it."""
    command = ["oathtool", "--totp", "--base32", f"--now=@{int(at)}", f"--window={more}", secret]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
