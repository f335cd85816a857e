"""What a browser says it is: for comparison as it says it, for people in words of a list.

The header is whatever a stranger likes, and some families are taken from it as they stand: nothing of it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ..lines import visible

LONGEST: Final = 512  # characters of a header that are looked at
_SHOWN: Final = 30  # characters of each word
# what is said to people, as ua-parser calls it; whatever is not here is an unknown browser
NAMES: Final = frozenset(
    {
        *("Chrome", "Chrome Mobile", "Chrome Mobile WebView", "Chrome Mobile iOS", "Chromium", "HeadlessChrome"),
        *("Firefox", "Firefox Mobile", "Firefox iOS", "Safari", "Mobile Safari", "Mobile Safari UI/WKWebView"),
        *("Edge", "Edge Mobile", "IE", "IE Mobile", "Opera", "Opera Mobile", "Opera Mini", "Opera GX", "Opera Touch"),
        *("Samsung Internet", "Huawei Browser", "MiuiBrowser", "UC Browser", "QQ Browser", "Yandex Browser", "Whale"),
        *("Brave", "Vivaldi", "DuckDuckGo", "DuckDuckGo Mobile", "Ecosia Android", "Ecosia iOS", "Qwant Mobile"),
        *("Amazon Silk", "Avast Secure Browser", "AVG", "Norton", "Pale Moon", "SeaMonkey", "Konqueror", "Epiphany"),
    }
)
SYSTEMS: Final = frozenset(
    {
        *("Windows", "Windows Phone", "Mac OS X", "iOS", "Android", "Chrome OS", "KaiOS", "Tizen"),
        *("Linux", "Ubuntu", "Debian", "Fedora", "Red Hat", "SUSE", "Gentoo", "Arch Linux", "FreeBSD", "OpenBSD"),
    }
)
_BETWEEN: Final = " · "


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
        """Family of browser and system, in the words of the header; None where it says neither. Never shown."""
        return _BETWEEN.join(word for word in (self.name, self.system) if word) or None

    @property
    def shown(self) -> str | None:
        """The family in words of the lists, such as `Firefox · Linux`; None: an unknown browser."""
        if self.name not in NAMES:
            return None
        return f"{self.name}{_BETWEEN}{self.system}" if self.system in SYSTEMS else self.name

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
    """What people are told a browser is, such as `Firefox · Linux`; None: an unknown browser.

    Args:
        agent: the header.
    """
    return described(agent).shown


def shown_again(kept: str | None) -> str | None:
    """The same of what was kept earlier, by a version that took words from the header."""
    name, _, system = (kept or "").partition(_BETWEEN)
    return kept if name in NAMES and (not system or system in SYSTEMS) else None


def _word(text: str | None) -> str | None:
    # some families are taken from the header itself
    return visible(text or "")[:_SHOWN].strip() or None
