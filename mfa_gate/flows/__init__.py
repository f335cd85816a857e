"""The order of steps, once for pages, programs and the command line. Only flows open transactions."""

from __future__ import annotations

from .account_lifecycle import AccountLifecycle
from .account_view import AccountView, AccountViews
from .activation import Activation, IssuedCode, UnknownAccount
from .continuity import Continuity
from .enrolment import BegunTOTP, Enrolment
from .event_log import EventLog
from .flow import ClientContext, Elevated, Progress, Services, State
from .imports import TOTPImports
from .key_rotation import KeyRotation, check_keys
from .owner_notices import Notices
from .password import Password
from .recovery_codes import Recovery
from .rollout_status import RolloutStatus
from .self_service import Owned, Removed, SelfService
from .sign_in import SignIn
from .webauthn import WebAuthn

__all__ = [
    "AccountLifecycle",
    "AccountView",
    "AccountViews",
    "Activation",
    "BegunTOTP",
    "ClientContext",
    "Continuity",
    "Elevated",
    "Enrolment",
    "EventLog",
    "IssuedCode",
    "KeyRotation",
    "Notices",
    "Owned",
    "Password",
    "Progress",
    "Recovery",
    "Removed",
    "RolloutStatus",
    "SelfService",
    "Services",
    "SignIn",
    "State",
    "TOTPImports",
    "UnknownAccount",
    "WebAuthn",
    "check_keys",
]
