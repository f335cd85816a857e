"""The order of steps, once for pages, programs and the command line. Only flows open transactions."""

from __future__ import annotations

from .activation import Activation, Issued, UnknownAccount
from .cases import Case, Cases
from .ceremony import House, Progress, Risen, State, Visit
from .continuity import Continuity
from .enrolment import BegunTOTP, Enrolment
from .imports import Imports
from .keys import Keys, check_keys
from .ledger import Ledger
from .life import Life
from .log import Log
from .notices import Notices
from .own import Own, Owned, Removed
from .password import Password
from .recovery import Recovery
from .sign_in import SignIn
from .status import Status
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
    "Ledger",
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
