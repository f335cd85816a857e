"""For a portal's own tests: a clock that one sets, people who are signed in, authenticator apps and security keys."""

from __future__ import annotations

from .helpers import Clock, enrol_key, enrol_totp, prove_by_key, signed_in, totp_code
from .software_key import KeyRefused, SoftwareKey

__all__ = [
    "Clock",
    "KeyRefused",
    "SoftwareKey",
    "enrol_key",
    "enrol_totp",
    "prove_by_key",
    "signed_in",
    "totp_code",
]
