"""A form that was opened in time and sent too late: it travels, sealed, through the challenge and is sent after it.

Nothing of it is stored. It is bound to the sign-in, and comes back to the very browser that filled it in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from flask import Request

from ..exc import SealBroken
from ..levels import Level
from ..sessions.session import Session
from ..wiring import Parts
from .sites import is_same_origin
from .targets import path_of, safe

PURPOSE: Final = "form"
MAX_BYTES: Final = 32_768
MAX_SEALED: Final = 49_152  # what the challenge's own form can carry besides its code
MAX_AGE: Final = 1800  # seconds


@dataclass(frozen=True, slots=True)
class SealedForm:
    """Where a form was going, the level that was asked for there, its fields in their order, and when it was sealed."""

    path: str
    level: Level
    fields: tuple[tuple[str, str], ...] = field(repr=False)
    at: float = 0.0


def seal(parts: Parts, request: Request, session: Session, level: Level) -> str | None:
    """Seal the form that this request sends; None for what is not a plain form of this site's own pages."""
    if request.method != "POST" or request.mimetype != "application/x-www-form-urlencoded":
        return None
    if not is_same_origin(request, parts.settings.origin, known=True):
        return None
    if (request.content_length or MAX_BYTES + 1) > MAX_BYTES:
        return None
    path = path_of(request)
    if not safe(path):
        return None
    fields = list(request.form.items(multi=True))
    body = json.dumps([path, int(level), int(parts.services.clock()), fields])
    sealed = parts.keyring.seal(PURPOSE, body.encode(), _context(session))
    return sealed if len(sealed) <= MAX_SEALED else None


def unseal(parts: Parts, sealed: str | None, session: Session) -> SealedForm | None:
    """Open a sealed form for the sign-in that sent it; None for anything else."""
    if not sealed:
        return None
    try:
        path, level, at, fields = json.loads(parts.keyring.open(PURPOSE, sealed, _context(session)))
    except SealBroken:
        return None
    if parts.services.clock() - at >= MAX_AGE:
        return None
    return SealedForm(path, Level(level), tuple((name, value) for name, value in fields), at)


def _context(session: Session) -> str:
    return f"held {session.sign_in}"
