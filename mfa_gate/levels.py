"""The levels of a session, in their order."""

from __future__ import annotations

from enum import IntEnum


class Level(IntEnum):
    """How sure the gate is of who is there (after NIST SP 800-63B-4 §2 and OpenID EAP `phr`, `phrh`)."""

    PASSWORD = 1
    MFA = 2
    PHISHING_RESISTANT = 3
    HARDWARE = 4
