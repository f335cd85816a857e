"""A signal for each security event, after it is stored (blinker)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from blinker import signal

log: Final = logging.getLogger("mfa_gate")

security_event: Final = signal("mfa_gate.security_event")
"""Sent with `event=SecurityEvent(...)` once that is committed. What a receiver raises is logged and changes nothing."""


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """What happened. It holds no secret.

    Attributes:
        at: seconds since the epoch.
        kind: one of the kinds in docs/audit.md.
        subject: the account's random name in events, if an account is meant.
        sign_in: the sign-in it happened in.
        method: of a proof (RFC 8176 `amr`).
        outcome: success, failure, refused or unknown.
        reason: a stable word.
        data: further plain values.
    """

    at: float
    kind: str
    subject: str | None
    sign_in: str | None
    method: str | None
    outcome: str
    reason: str | None
    data: Mapping[str, Any]


def announce(event: SecurityEvent) -> None:
    """Tell every receiver."""
    for receiver in security_event.receivers_for("mfa_gate"):
        try:
            receiver("mfa_gate", event=event)
        except Exception:
            log.exception("a receiver of mfa_gate.security_event failed")
