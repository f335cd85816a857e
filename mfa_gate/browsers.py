"""What a browser says it is, in the two words that its owner knows it by."""

from __future__ import annotations

from typing import Final

from .lines import visible

LONGEST: Final = 512  # characters of a header that are looked at
_SHOWN: Final = 30  # characters of each word


def family(agent: str | None) -> str | None:
    """Family of browser and system, such as `Firefox · Linux`; None where the header says neither.

    Args:
        agent: the header `User-Agent` (RFC 9110 §10.1.5), which may be anything.
    """
    from ua_parser import parse  # its patterns take a moment to load, and only a sign-in needs them

    if not agent:
        return None
    found = parse(agent[:LONGEST])
    words = [_word(part.family) for part in (found.user_agent, found.os) if part is not None]
    return " · ".join(word for word in words if word) or None


def _word(text: str) -> str:
    # some families are taken from the header itself
    return visible(text)[:_SHOWN].strip()
