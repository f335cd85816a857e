"""Addresses that mail may be sent to: one person's, in a form that nothing on the way reads as somebody else's.

Of what RFC 5321 §4.1.2 and RFC 6531 §3.3 allow, it takes the plain part: a dot-atom and a host name. No quoted strings,
comments or address literals, which parsers read differently; no encoded words (RFC 2047), which header parsers decode
to commas and other addresses; none of the signs by which relays route on (`%`, `!`) or run something (`|`, `$`).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST: Final = 254  # octets (RFC 5321 §4.5.3.1.3, without the brackets)
_LONGEST_NAME: Final = 64  # octets (§4.5.3.1.1)
_LONGEST_HOST: Final = 253
_ATEXT: Final = re.compile(r"[A-Za-z0-9&'*+=?^_~#/-]")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def mailable(address: object) -> str | None:
    """An address as it stands in envelope and header, with its host in A-labels (RFC 5890 §2.3.2.1).

    Args:
        address: what the portal gave.

    Returns:
        The address; None where it is not one that mail may be sent to. A name that is not ASCII needs a relay that
        speaks SMTPUTF8 (RFC 6531).
    """
    if not isinstance(address, str) or len(address) > LONGEST or address.count("@") != 1:
        return None
    name, _, host = unicodedata.normalize("NFC", address).partition("@")
    ascii_host = _ascii_host(host)
    if ascii_host is None or not _is_name(name):
        return None
    made = f"{name}@{ascii_host}"
    return made if len(made.encode()) <= LONGEST else None


def _is_name(name: str) -> bool:
    """Whether it is a dot-atom, of letters of any script."""
    if name[:1] in ("-", "/") or "=?" in name or "?=" in name:
        return False
    try:
        if len(name.encode()) > _LONGEST_NAME:
            return False
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return all(atom and all(map(_is_atext, atom)) for atom in name.split("."))


def _is_atext(sign: str) -> bool:
    return bool(_ATEXT.match(sign)) if sign.isascii() else _is_letter(sign)


def _is_letter(sign: str) -> bool:
    """Whether it is a letter, mark or digit that stands for nothing else: a full-width `@` or comma does."""
    return unicodedata.category(sign)[0] in "LMN" and unicodedata.normalize("NFKC", sign) == sign


def _ascii_host(host: str) -> str | None:
    # sign by sign: at the end of a word Python makes another small letter of a sigma, and that is another host
    small = unicodedata.normalize("NFC", "".join(sign.lower() for sign in host))
    labels = [_ascii_label(label) for label in small.split(".")]
    if None in labels or (labels[-1] or "").isdigit():
        return None
    made = ".".join(label for label in labels if label)
    return made if len(made) <= _LONGEST_HOST else None


def _ascii_label(label: str) -> str | None:
    """A label of a host name in ASCII.

    As IDNA 2008 has it, which keeps "ß"; Python's own codec is of 2003 and would write to a host named with "ss".
    """
    if not label.isascii():
        if not all(sign == "-" or _is_letter(sign) or (sign.isascii() and sign.isalnum()) for sign in label):
            return None
        label = "xn--" + label.encode("punycode").decode()
    return label if _LABEL.fullmatch(label) else None
