"""A page to print for the authority: what the gate knows of a breach (GDPR article 33(3)), with room for the rest."""

from __future__ import annotations

from typing import Any, Final

from flask import render_template

from ..event_kinds import KINDS
from ..reports import Breach, Whose
from ..wiring import Parts
from .language import catalogue
from .notices import moment

SHOWN: Final = 12  # measures and sessions, so that it stays one page


def render(parts: Parts, found: Breach, whose: Whose, locale: str) -> str:
    """The page, as HTML that stands alone. It names no person who was read."""
    t, now = catalogue(locale), parts.house.clock()
    kinds: dict[str, int] = {}
    for person in found.persons:
        kinds[person.kind] = kinds.get(person.kind, 0) + 1
    values: dict[str, Any] = {
        "t": t,
        "locale": locale,
        "service": parts.settings.name,
        "base_url": parts.settings.base_url,
        "made": moment(now, locale),
        "found": found,
        "whose": whose,
        "kinds": kinds,
        "first": moment(found.first, locale) if found.first is not None else None,
        "last": moment(found.last, locale) if found.last is not None else None,
        "measures": [
            (moment(at, locale), t(KINDS[kind].says)) for kind, at in found.measures[-SHOWN:] if kind in KINDS
        ],
    }
    return render_template("mfa_gate/summary.html", **values)
