"""The one piece that puts the parts of an app together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from .audit.record import Audit
from .desk import Desk
from .exc import ConfigurationError, Unavailable
from .factors.attestation import AttestationPolicy
from .factors.registry import FACTORS
from .factors.relying_party import RelyingParty
from .flows import (
    FACTOR_FLOWS,
    TOTP,
    AccountLifecycle,
    AccountViews,
    Activation,
    Continuity,
    EventLog,
    FactorFlow,
    KeyRotation,
    Notices,
    Password,
    Recovery,
    RolloutStatus,
    SelfService,
    Services,
    SignIn,
    TOTPImports,
    WebAuthn,
    check_keys,
)
from .keyring import Keyring
from .limits.limiter import Limiter
from .limits.pressure import Pressure
from .notices.delivery import Mail, Webhook
from .options import Options
from .portal import Portal
from .reads.charging import Reads
from .reads.ledger import Ledger
from .reads.reports import Reports
from .risk.habits import Habits
from .sessions.devices import Devices
from .sessions.sessions import Sessions
from .settings import Settings
from .store import Store

# set by the commands that mend a store or its keys: these alone may start on one that is not in order
maintenance: Final[ContextVar[bool]] = ContextVar("mfa_gate_maintenance", default=False)


@dataclass(slots=True)
class Parts:
    """All parts of one app, kept in `app.extensions["mfa_gate"]`.

    Attributes:
        login_path: path of the portal's login page, found at the start.
    """

    services: Services
    portal: Portal
    sign_in: SignIn
    activation: Activation
    life: AccountLifecycle
    password: Password
    keys: KeyRotation
    factors: Mapping[str, FactorFlow]
    own: SelfService
    notices: Notices
    log: EventLog
    status: RolloutStatus
    imports: TOTPImports
    cases: AccountViews
    desk: Desk
    continuity: Continuity
    reads: Reads
    ledger: Ledger
    reports: Reports
    mail: Mail | None = None
    webhook: Webhook | None = None
    login_path: str | None = None

    @property
    def totp(self) -> TOTP:
        return cast(TOTP, self.factors["totp"])

    @property
    def webauthn(self) -> WebAuthn:
        return cast(WebAuthn, self.factors["webauthn"])

    @property
    def recovery(self) -> Recovery:
        return cast(Recovery, self.factors["recovery"])

    @property
    def settings(self) -> Settings:
        return self.services.settings

    @property
    def keyring(self) -> Keyring:
        return self.services.keyring


class LoginView(Protocol):
    """A login view that the gate counts."""

    @property
    def endpoint(self) -> str: ...

    @property
    def path(self) -> str | None: ...

    @property
    def is_page(self) -> bool: ...


class Inspector(Protocol):
    """What the command line may ask of the guard, kept in `app.extensions["mfa_gate.start"]`."""

    def check(self) -> None:
        """Hold callbacks and marks against the app.

        Raises:
            ConfigurationError: a callback is missing, or a mark would not be enforced.
        """

    def login_views(self) -> Sequence[LoginView]:
        """The views under `first_factor`: endpoint, path, and whether it is a page for people."""

    def routes(self, group: str | None = None) -> list[dict[str, Any]]:
        """Every route: rule, methods, endpoint, kind (guarded, public, static, gate), level, max_age and proofs."""


def _relying_party(settings: Settings, attestation: AttestationPolicy | None) -> RelyingParty | None:
    if settings.rp_id is None:
        return None
    return RelyingParty(
        settings.rp_id,
        settings.name,
        (settings.origin,),
        user_verification=settings.user_verification,
        algorithms=settings.algorithms,
        attestation=attestation,
        hints=settings.hints,
    )


def build(
    settings: Settings,
    portal: Portal,
    clock: Callable[[], float],
    options: Options,
) -> Parts:
    """Build the parts of one app on a store that is in order.

    Raises:
        ConfigurationError: keys or store are not in order; the text says what to do.
    """
    keyring = Keyring(settings.keys)
    store = Store(settings.database_url)
    try:
        if settings.own_store:
            store.upgrade()
        if not maintenance.get():
            if (problem := store.outdated()) is not None:
                raise ConfigurationError(problem)
            check_keys(store, keyring)
    except Unavailable as error:
        raise ConfigurationError("the gate's store does not answer: see MFA_GATE_DATABASE_URL") from error
    habits = Habits(keyring, options.risk, options.netinfo)
    services = Services(
        settings,
        keyring,
        store,
        Sessions(store, keyring, settings, options.policy),
        Limiter(keyring, options.limits),
        Audit(keyring),
        Devices(store, keyring, settings),
        options.policy,
        clock,
        _relying_party(settings, options.attestation),
        portal.load,
        habits,
        Pressure(keyring, habits, options.risk.pressure),
        options.network_of,
    )
    factors = {name: FACTOR_FLOWS[name](services) for name in FACTORS}
    activation, life, cases = Activation(services), AccountLifecycle(services, factors.values()), AccountViews(services)
    reads, reports = Reads(services, options.harvest), Reports(services)
    return Parts(
        services,
        portal,
        SignIn(services),
        activation,
        life,
        Password(services),
        KeyRotation(services, factors.values()),
        factors,
        SelfService(services),
        Notices(services),
        EventLog(services),
        RolloutStatus(services),
        TOTPImports(services),
        cases,
        Desk(services, options.desk, life, activation, cases, reads, reports),
        Continuity(services),
        reads,
        Ledger(services),
        reports,
        options.mail,
        options.webhook,
    )
