"""Ids and names of authenticators, as they are typed and sent."""

from __future__ import annotations

import re
from typing import Final

from ..exc import InvalidRequest
from ..lines import visible

LABEL_LENGTH: Final = 60
_ID: Final = re.compile("[0-9a-f]{32}")  # not every text can be asked of every store


def is_id(text: str) -> bool:
    """Whether an authenticator, or a begun enrolment, could have this id."""
    return _ID.fullmatch(text) is not None


def clean_label(label: str | None) -> str:
    """A name for an authenticator: one line, nothing invisible.

    Raises:
        InvalidRequest: longer than 60 characters.
    """
    text = visible(label or "").strip()
    if len(text) > LABEL_LENGTH:
        raise InvalidRequest
    return text
