"""Second factors, risk-based re-authentication and a read-out guard for Flask portals."""

from .account import Account
from .breached import Leaked, LeakedFile, LeakedRange
from .exc import ConfigurationError, MFAGateError, Refusal, Unavailable
from .factors.attestation import AttestationPolicy
from .gate import MFAGate
from .harvest import HarvestPolicy
from .levels import Level
from .limits.rules import LimitPolicy, Rule
from .notices.delivery import Mail, Webhook
from .policy import GroupPolicy, Policy
from .risk import RiskPolicy
from .staff import DeskPolicy, Role

__all__ = [
    "Account",
    "AttestationPolicy",
    "ConfigurationError",
    "DeskPolicy",
    "GroupPolicy",
    "HarvestPolicy",
    "Leaked",
    "LeakedFile",
    "LeakedRange",
    "Level",
    "LimitPolicy",
    "MFAGate",
    "MFAGateError",
    "Mail",
    "Policy",
    "Refusal",
    "RiskPolicy",
    "Role",
    "Rule",
    "Unavailable",
    "Webhook",
]
__version__ = "0.1.0"
