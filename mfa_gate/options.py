"""The composite policies that a portal may give to the gate, together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .breached import Leaked
from .factors.attestation import AttestationPolicy
from .harvest import HarvestPolicy
from .limits.rules import LimitPolicy
from .netinfo import NetInfo
from .notices.delivery import Mail, Webhook
from .policy import Policy
from .risk import RiskPolicy
from .staff import DeskPolicy


@dataclass(frozen=True, slots=True)
class Options:
    """What `MFAGate(...)` was given besides callbacks.

    Attributes:
        limits: how many failures one subject may have.
        attestation: which makes of authenticators may be enrolled, and then count as hardware.
        policy: what is asked of groups of people.
        desk: who may work at the help desk, and how; None where there is none.
        mail, webhook: how notices leave; None where they do not.
        network_of: names the network of an address, for people; None where nobody does.
        risk: what makes a sign-in unusual.
        netinfo: what is known of networks; None for nothing.
        leaked: where leaked passwords are looked up; None for nowhere.
        harvest: how many records are too many.
    """

    limits: LimitPolicy = field(default_factory=LimitPolicy)
    attestation: AttestationPolicy | None = None
    policy: Policy = field(default_factory=Policy)
    desk: DeskPolicy | None = None
    mail: Mail | None = None
    webhook: Webhook | None = None
    network_of: Callable[[str], str | None] | None = None
    risk: RiskPolicy = field(default_factory=RiskPolicy)
    netinfo: NetInfo | None = None
    leaked: Leaked | None = None
    harvest: HarvestPolicy = field(default_factory=HarvestPolicy)
