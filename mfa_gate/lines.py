"""Texts of others that are shown on one line."""

from __future__ import annotations


def visible(text: str) -> str:
    """A text without line breaks, control characters and other invisible signs."""
    return "".join(character for character in text if character.isprintable())
