"""Letters that carry an activation code: one A4 page for one person, to be opened from a disk and printed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from flask import render_template

from ..account import Account
from ..wiring import Parts
from .answers import qr
from .language import catalogue, choose, date_of, long_date


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
        issued=long_date(date_of(parts.services.clock()), locale),
        expires=long_date(date_of(letter.ends_at), locale),
    )


def write_private(file: Path, text: str) -> None:
    """Write a new file that only its owner reads; half of it is not left behind."""
    descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
    except OSError:
        file.unlink(missing_ok=True)
        raise
