"""What the flows of one app share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..account import Account
from ..audit.record import Audit
from ..factors.relying_party import RelyingParty
from ..keyring import Keyring
from ..limits.limiter import Limiter
from ..limits.pressure import Pressure
from ..policy import Policy
from ..risk.habits import Habits
from ..sessions.devices import Devices
from ..sessions.sessions import Sessions
from ..settings import Settings
from ..store import Store


@dataclass(frozen=True, slots=True)
class Services:
    """The store, the clock and the services of one app that its flows work with.

    Attributes:
        clock: seconds since the epoch.
        relying_party: what WebAuthn answers must be meant for; None where the portal has no host name.
        load_account: the portal's `account_loader`.
        habits: how usual a place and a browser are.
        pressure: who tries passwords in breadth.
        network_of: names the network of an address, for people.
    """

    settings: Settings
    keyring: Keyring
    store: Store
    sessions: Sessions
    limiter: Limiter
    audit: Audit
    devices: Devices
    policy: Policy
    clock: Callable[[], float]
    relying_party: RelyingParty | None
    load_account: Callable[[str], Account | None]
    habits: Habits
    pressure: Pressure
    network_of: Callable[[str], str | None] | None = None
