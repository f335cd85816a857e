"""Who works at the help desk: which role may do what, and how a portal lets its desk in. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from pathlib import Path
from typing import Final, Literal

from .account import Account
from .exc import ConfigurationError
from .notices.addresses import mailable


class Role(IntEnum):
    """What somebody is at the desk; each may do what those before it may."""

    READER = 1
    AGENT = 2
    SUPERVISOR = 3


Verb = Literal[
    "look",
    "close",
    "letter",
    "lock",
    "end_sessions",
    "ask",
    "speak",
    "unlock",
    "lift",
    "allow",
    "report",
    "reset",
    "approve",
    "grant",
    "revoke",
]

LEAST_ROLE: Final[Mapping[Verb, Role]] = {
    "look": Role.READER,
    "close": Role.AGENT,
    "letter": Role.AGENT,
    "lock": Role.AGENT,
    "end_sessions": Role.AGENT,
    "ask": Role.AGENT,
    "speak": Role.AGENT,
    "unlock": Role.SUPERVISOR,
    "lift": Role.SUPERVISOR,
    "allow": Role.SUPERVISOR,
    "report": Role.SUPERVISOR,
    "reset": Role.SUPERVISOR,
    "approve": Role.SUPERVISOR,
    "grant": Role.SUPERVISOR,
    "revoke": Role.SUPERVISOR,
}


@dataclass(frozen=True, slots=True)
class DeskPolicy:
    """The desk area of a portal, given by `MFAGate(desk=...)`; without it there is none.

    Args:
        permission: whether the portal lets this account work at the desk at all; asked at each act, beside its role.
        find: account that somebody at the desk means by what was typed, or None; by default its exact id.
        letters: folder that letters with activation codes are written to, for printing; None: the desk
            causes none.
        address: the postal address of an account, line by line.
        spoken: whether a code may be told on the telephone, once a second person has approved it.
        four_eyes: whether an exception for an account that reads much needs a second supervisor.
        max_age: greatest age of the phishing-resistant proof at the desk.
        mail: address that is written to about alerts, naming nobody; None: they stand on its page alone.

    Raises:
        ConfigurationError: a value means nothing.
    """

    permission: Callable[[Account], bool]
    find: Callable[[str], Account | None] | None = None
    letters: Path | None = None
    address: Callable[[Account], Sequence[str]] | None = None
    spoken: bool = False
    max_age: timedelta = timedelta(hours=1)
    mail: str | None = None
    four_eyes: bool = False

    def __post_init__(self) -> None:
        for name in ("permission", "find", "address"):
            given: object = getattr(self, name)
            if not callable(given) and (name == "permission" or given is not None):
                raise ConfigurationError(f"DeskPolicy({name}=...) is a function of one argument")
        if not self.max_age > timedelta(0):
            raise ConfigurationError("DeskPolicy(max_age=...) is a datetime.timedelta greater than zero")
        if self.mail is not None:
            address = mailable(self.mail)
            if address is None:
                raise ConfigurationError("DeskPolicy(mail=...) is one address, such as 'security@example.org'")
            object.__setattr__(self, "mail", address)
