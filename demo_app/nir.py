"""The French social security number (NIR) and its key: plain functions, no state.

Thirteen characters: sex (1), year (2), month (2), place of birth (5) and an order number (3), as article 4
of decree no. 82-103 of 22 January 1982 lays down; then a key of two digits, 97 minus the remainder of the
number by 97. The place is the INSEE code: department (2) and commune (3), overseas department (3) and
commune (2), or 99 and the country (3). In Corsica the department is 2A or 2B; for the key the letter counts
as 0 and 1,000,000 (A) or 2,000,000 (B) is taken off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

LENGTH = 15
_SHAPE = re.compile(r"[12][0-9]{2}(?:0[1-9]|1[0-2])(?:[0-9]{2}|2[AB])[0-9]{6}")
_METROPOLITAN = {f"{number:02d}" for number in range(1, 96)} - {"20"} | {"2A", "2B"}
_CORSICA_BEFORE_1976 = "20"
_OVERSEAS = {"971", "972", "973", "974", "975", "976"}
_ABROAD = "99"


@dataclass(frozen=True)
class Parts:
    """A number taken apart; `department` is '01' to '95', '2A', '2B', '20', '971' to '976', '99' (abroad)."""

    sex: int
    year: int
    month: int
    department: str
    commune: str
    order: int
    key: int


def compact(text: str) -> str:
    """Return `text` as it is stored: without spaces, dots and dashes, letters as capitals."""
    return re.sub(r"[\s.\-]", "", text).upper()


def key(number: str) -> int:
    """Return the key, 1 to 97, of the thirteen characters of `number`; ValueError when they are no number."""
    if not _SHAPE.fullmatch(number):
        raise ValueError("a NIR has thirteen digits, with A or B allowed as the seventh")
    taken_off = {"A": 1_000_000, "B": 2_000_000}.get(number[6], 0)
    digits = number if not taken_off else number[:6] + "0" + number[7:]
    return 97 - (int(digits) - taken_off) % 97


def with_key(number: str) -> str:
    """Return the fifteen characters for the thirteen of `number`."""
    return f"{number}{key(number):02d}"


def parse(full: str) -> Parts:
    """Take the fifteen characters of `full` apart; ValueError says what is wrong with them."""
    number, given = full[:13], full[13:]
    expected = key(number)
    if not re.fullmatch(r"[0-9]{2}", given) or int(given) != expected:
        raise ValueError("the key does not belong to the number")
    department = number[5:8] if number[5:8] in _OVERSEAS else number[5:7]
    known = _METROPOLITAN | _OVERSEAS | {_CORSICA_BEFORE_1976, _ABROAD}
    if department not in known:
        raise ValueError(f"no department has the code {department}")
    commune = number[5 + len(department) : 10]
    if int(commune) == 0 or int(number[10:]) == 0:
        raise ValueError("commune and order number begin at 1")
    return Parts(int(number[0]), int(number[1:3]), int(number[3:5]), department, commune, int(number[10:]), expected)


def is_valid(full: str) -> bool:
    """True when `full` is a NIR with the right key."""
    try:
        parse(full)
    except ValueError:
        return False
    return True


def spaced(full: str) -> str:
    """Return the fifteen characters the way the health card shows them: 1 84 12 76 451 089 46."""
    cuts = (0, 1, 3, 5, 7, 10, 13, 15)
    return " ".join(full[start:end] for start, end in pairwise(cuts))
