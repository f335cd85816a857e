"""The order of steps, once for pages, programs and the command line. Only flows, desk and reads open transactions.

In the order of a sign-in:

1. `Password.tried` counts the try before the portal's login view runs; `Password.succeeded` gives a right one back.
2. `SignIn.begin` opens a pending session and weighs the risk of the sign-in.
3. `Activation.redeem` lets a session without authenticators enrol; then `TOTP.begin_enrol` and `complete_enrol`, or
   those of `WebAuthn`, and `Recovery.first`.
4. `TOTP.verify`, `WebAuthn.complete_verify` or `Recovery.verify` prove a second factor: count, check, spend, elevate.
5. `AccountLifecycle.present` is asked in each guarded request; `Continuity.as_seen_from` in one from another place.
6. `SelfService`, `AccountLifecycle` and `desk` change what there is; `SignIn.sign_out` ends it.
"""

from __future__ import annotations

from typing import Final

from .account_lifecycle import AccountLifecycle
from .account_view import AccountView, AccountViews
from .activation import Activation, IssuedCode, UnknownAccount
from .continuity import Continuity
from .event_log import EventLog
from .factor_flow import FactorFlow
from .flow import ClientContext, Elevated, Progress, State
from .imports import TOTPImports
from .key_rotation import KeyRotation, check_keys
from .owner_notices import Notices
from .password import Password
from .recovery_codes import Recovery
from .rollout_status import RolloutStatus
from .self_service import Owned, Removed, SelfService
from .services import Services
from .sign_in import SignIn
from .totp import TOTP, BegunTOTP
from .webauthn import WebAuthn

__all__ = [
    "FACTOR_FLOWS",
    "TOTP",
    "AccountLifecycle",
    "AccountView",
    "AccountViews",
    "Activation",
    "BegunTOTP",
    "ClientContext",
    "Continuity",
    "Elevated",
    "EventLog",
    "FactorFlow",
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

# by the factor's name: what `wiring` makes of each entry in the registry
FACTOR_FLOWS: Final[dict[str, type[FactorFlow]]] = {flow.factor.name: flow for flow in (WebAuthn, TOTP, Recovery)}
