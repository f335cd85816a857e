"""An account: a person as the portal knows them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """What the portal tells the gate about a person.

    Attributes:
        id: opaque, never reused while the gate knows it, at most 255 characters.
        name: shown on pages and in the authenticator app.
        email: where notices go.
        group: for policies.
        locale: language of pages and letters, such as "fr".

    Raises:
        TypeError, ValueError: the id or the name is not a text, or empty.
    """

    id: str
    name: str
    email: str | None = None
    group: str | None = None
    locale: str | None = None

    def __post_init__(self) -> None:
        for field in ("id", "name"):
            value = getattr(self, field)
            if not isinstance(value, str):
                raise TypeError(f"Account.{field} must be a str, not {type(value).__name__}")
            if not value.strip():
                raise ValueError(f"Account.{field} must not be empty")
        if len(self.id) > 255 or "\0" in self.id:
            raise ValueError("Account.id must have at most 255 characters and no NUL")
