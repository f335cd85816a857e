"""Codes that people type from paper: Crockford's base 32, five bits a symbol, in groups of four."""

from __future__ import annotations

import re
import secrets
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no letter that looks like a digit
GROUP: Final = 4
TYPED: Final = 128  # characters of a code that are looked at, separators included
_ALIKE: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})
_SEPARATORS: Final = re.compile(r"[\s\-\u2010-\u2015]+")


def new(symbols: int) -> str:
    """Draw a code of so many symbols, without separators."""
    return "".join(secrets.choice(ALPHABET) for _ in range(symbols))


def grouped(code: str) -> str:
    """A code as it is printed."""
    return "-".join(code[at : at + GROUP] for at in range(0, len(code), GROUP))


def normalised(typed: str) -> str:
    """What was typed, as it was drawn: separators dropped, look-alike letters read as the digits they are."""
    return _SEPARATORS.sub("", typed[:TYPED]).upper().translate(_ALIKE)
