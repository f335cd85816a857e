"""The order of steps, once for pages, programs and the command line. Only flows open transactions."""

from __future__ import annotations

from .account_lifecycle import Life
from .account_view import Case, Cases
from .activation import Activation, Issued, UnknownAccount
from .continuity import Continuity
from .enrolment import BegunTOTP, Enrolment
from .event_log import Log
from .flow import House, Progress, Risen, State, Visit
from .imports import Imports
from .key_rotation import Keys, check_keys
from .owner_notices import Notices
from .password import Password
from .recovery_codes import Recovery
from .rollout_status import Status
from .self_service import Own, Owned, Removed
from .sign_in import SignIn
from .webauthn import WebAuthn

__all__ = [
    "Activation",
    "BegunTOTP",
    "Case",
    "Cases",
    "Continuity",
    "Enrolment",
    "House",
    "Imports",
    "Issued",
    "Keys",
    "Life",
    "Log",
    "Notices",
    "Own",
    "Owned",
    "Password",
    "Progress",
    "Recovery",
    "Removed",
    "Risen",
    "SignIn",
    "State",
    "Status",
    "UnknownAccount",
    "Visit",
    "WebAuthn",
    "check_keys",
]
