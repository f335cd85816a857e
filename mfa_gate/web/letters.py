"""Letters that carry an activation code: one A4 page for one person, to be opened from a disk and printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final

from flask import render_template

from ..account import Account
from ..wiring import Parts
from .language import catalogue, choose
from .pages import qr

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


@dataclass(frozen=True, slots=True)
class Letter:
    """Whom a letter goes to, and the code it carries until `ends_at` (seconds since the epoch)."""

    account: Account
    address: tuple[str, ...]
    code: str = field(repr=False)
    ends_at: float


def render(parts: Parts, letter: Letter) -> str:
    """The letter as a page of HTML that stands alone; its QR code is of the base URL only."""
    settings = parts.settings
    locale = choose(settings, letter.account.locale)
    return render_template(
        "mfa_gate/letter.html",
        t=catalogue(locale),
        locale=locale,
        service=settings.name,
        support=settings.support,
        account_name=letter.account.name,
        address=letter.address,
        code=letter.code.replace("-", " "),
        qr_svg=qr(settings.base_url),
        base_url=settings.base_url,
        issued=long_date(_day(parts.house.clock()), locale),
        expires=long_date(_day(letter.ends_at), locale),
    )


def long_date(day: date, locale: str) -> str:
    """A date as it is written in a letter: «1er mars 2027», "1 March 2027"."""
    number = "1er" if locale == "fr" and day.day == 1 else str(day.day)
    return f"{number} {MONTHS[locale][day.month - 1]} {day.year}"


def _day(at: float) -> date:
    return datetime.fromtimestamp(at, UTC).date()
