"""Languages: of the account first, then of the browser; catalogues are compiled by the build."""

from __future__ import annotations

import gettext
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Final

from flask import Request

from ..settings import Settings

Translate = Callable[[str], str]
MONTHS: Final = {
    "fr": [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
}


@cache
def catalogue(locale: str) -> Translate:
    """The translating function of a language; English is the language of the sources."""
    folder = str(Path(__file__).parent / "translations")
    return gettext.translation("mfa_gate", folder, [locale], fallback=True).gettext


def choose(settings: Settings, account_locale: str | None, request: Request | None = None) -> str:
    """The language to answer in.

    Args:
        settings: which languages there are, the default first.
        account_locale: what the portal says of the person, such as "fr" or "fr-FR".
        request: whose `Accept-Language` counts where the account says nothing.
    """
    if account_locale:
        tag = account_locale.replace("_", "-").split("-")[0].lower()
        if tag in settings.languages:
            return tag
    if request is not None:
        best = request.accept_languages.best_match(settings.languages)
        if best:
            return best
    return settings.languages[0]


def ago(seconds: float, locale: str) -> str:
    """How long ago something was, which needs no time zone: «il y a 5 min», «5 min ago»."""
    t, minutes = catalogue(locale), int(seconds // 60)
    if minutes < 1:
        return t("just now")
    if minutes < 60:
        return t("%(minutes)s min ago") % {"minutes": minutes}
    if minutes < 48 * 60:
        return t("%(hours)s h ago") % {"hours": minutes // 60}
    return t("%(days)s days ago") % {"days": minutes // (24 * 60)}


def long_date(day: date, locale: str) -> str:
    """A date as it is written in a letter: «1er mars 2027», "1 March 2027"."""
    number = "1er" if locale == "fr" and day.day == 1 else str(day.day)
    return f"{number} {MONTHS[locale][day.month - 1]} {day.year}"


def date_of(at: float) -> date:
    """The day, in UTC, of a time in seconds since the epoch."""
    return datetime.fromtimestamp(at, UTC).date()
