"""What the gate knows of a breach: a page to print for the authority (GDPR article 33(3)), and whom to tell."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from flask import render_template

from ..audit.event_kinds import EVENT_KINDS
from ..reads.reports import BreachReport, PersonRead, ReportScope
from ..wiring import Parts
from .language import catalogue
from .notice_texts import moment

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
MAX_LINES: Final = 12  # measures and sessions, so that it stays one page


def render(parts: Parts, found: BreachReport, scope: ReportScope, locale: str) -> str:
    """The page, as HTML that stands alone. It names no person who was read."""
    t, now = catalogue(locale), parts.services.clock()
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
        "scope": scope,
        "kinds": kinds,
        "first": moment(found.first, locale) if found.first is not None else None,
        "last": moment(found.last, locale) if found.last is not None else None,
        "measures": [
            (moment(at, locale), t(EVENT_KINDS[kind].says))
            for kind, at in found.measures[-MAX_LINES:]
            if kind in EVENT_KINDS
        ],
    }
    return render_template("mfa_gate/summary.html", **values)


def table_of(persons: Iterable[PersonRead]) -> str:
    """Whom to tell, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("kind", "record", "first", "last", "times"))
    for one in persons:
        writer.writerow((_inert(one.kind), _inert(one.id or ""), _time(one.first), _time(one.last), one.times))
    return text.getvalue()


def _inert(value: str) -> str:
    """What a table would take for a formula is text."""
    return f"'{value}" if value.startswith(_FORMULA) else value


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
