"""What a browser says it is: in the two words that its owner knows it by, and for comparison."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ..lines import visible

LONGEST: Final = 512  # characters of a header that are looked at
_SHOWN: Final = 30  # characters of each word


@dataclass(frozen=True, slots=True)
class Browser:
    """What the header `User-Agent` (RFC 9110 §10.1.5) says, which may be anything.

    Attributes:
        name, system: families of browser and system.
        version, release: their major versions.
    """

    name: str | None = None
    version: str | None = None
    system: str | None = None
    release: str | None = None

    @property
    def family(self) -> str | None:
        """Family of browser and system, such as `Firefox · Linux`; None where the header says neither."""
        return " · ".join(word for word in (self.name, self.system) if word) or None

    @property
    def build(self) -> str | None:
        """The family with its major versions."""
        said = (self.name, self.version, self.system, self.release)
        return " ".join(word or "-" for word in said) if self.family else None


@lru_cache(maxsize=1024)
def described(agent: str | None) -> Browser:
    """What a header says of its browser.

    Args:
        agent: the header, of which the first 512 characters count.
    """
    from ua_parser import parse  # its patterns take a moment to load, and only a sign-in needs them

    if not agent:
        return Browser()
    found = parse(agent[:LONGEST])
    browser, system = found.user_agent, found.os
    name, version = (browser.family, browser.major) if browser else (None, None)
    family, release = (system.family, system.major) if system else (None, None)
    return Browser(_word(name), _word(version), _word(family), _word(release))


def family(agent: str | None) -> str | None:
    """Family of browser and system, such as `Firefox · Linux`; None where the header says neither."""
    return described(agent).family


def _word(text: str | None) -> str | None:
    # some families are taken from the header itself
    return visible(text or "")[:_SHOWN].strip() or None
