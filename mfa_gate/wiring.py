"""The one piece that puts the parts of an app together."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Protocol

from .account import Account
from .audit import Audit
from .exc import ConfigurationError, Unavailable
from .flows import Activation, Enrolment, House, Keys, Life, Password, SignIn, check_keys
from .keyring import Keyring
from .limits import Limiter, LimitPolicy
from .session import Sessions
from .settings import Settings
from .store import Store

EXTENSION: Final = "mfa_gate"
START: Final = "mfa_gate.start"

# set by the commands that mend a store or its keys: these alone may start on one that is not in order
maintenance: Final[ContextVar[bool]] = ContextVar("mfa_gate_maintenance", default=False)


@dataclass(slots=True)
class Portal:
    """What the portal gave: its callbacks, and where people sign in.

    Attributes:
        account_loader: id -> Account, or None where it is unknown or disabled.
        signed_in: opens the portal's own session, once, after the last proof.
        identity: whom the portal takes its visitor for, or None.
        signed_out: closes the portal's own session; clears Flask's session where it is left out.
        adopts: a visitor whom the portal takes for somebody counts as having passed the first factor.
        login_view: names the endpoint of the portal's login page, which is public then, or its path.
    """

    account_loader: Callable[[str], Account | None] | None = None
    signed_in: Callable[[Account], Any] | None = None
    identity: Callable[[], str | None] | None = None
    signed_out: Callable[[], Any] | None = None
    adopts: bool = False
    login_view: Callable[[], str | None] | None = None

    def load(self, account_id: str) -> Account | None:
        if self.account_loader is None:
            raise ConfigurationError(MISSING_LOADER)
        return self.account_loader(account_id)

    def check(self, settings: Settings) -> None:
        """Raises:
        ConfigurationError: a callback that the gate cannot do without is missing.
        """
        if self.account_loader is None:
            raise ConfigurationError(MISSING_LOADER)
        if settings.identity is None and (self.identity is None or self.signed_in is None):
            raise ConfigurationError(
                "the gate needs both @gate.identity and @gate.signed_in, so that the portal's session and the gate's "
                "agree; for a portal that reads only gate.session.account_id write MFA_GATE_IDENTITY = 'gate'"
            )


MISSING_LOADER: Final = "the gate needs @gate.account_loader: a function from an account id to Account or None"


@dataclass(slots=True)
class Parts:
    """All parts of one app, kept in `app.extensions["mfa_gate"]`.

    Attributes:
        login_path: path of the portal's login page, found at the start.
    """

    house: House
    portal: Portal
    sign_in: SignIn
    activation: Activation
    enrolment: Enrolment
    life: Life
    password: Password
    keys: Keys
    login_path: str | None = None

    @property
    def settings(self) -> Settings:
        return self.house.settings

    @property
    def keyring(self) -> Keyring:
        return self.house.keyring


class Inspector(Protocol):
    """What the command line may ask of the guard, kept in `app.extensions["mfa_gate.start"]`."""

    def check(self) -> None:
        """Raises:
        ConfigurationError: a callback is missing, or a mark would not be enforced.
        """

    def routes(self) -> list[dict[str, Any]]:
        """Every route: rule, methods, endpoint, kind (guarded, public, static, gate), level and max_age."""


def build(settings: Settings, portal: Portal, clock: Callable[[], float], limits: LimitPolicy) -> Parts:
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
    house = House(
        settings,
        keyring,
        store,
        Sessions(store, keyring, settings),
        Limiter(keyring, limits),
        Audit(keyring),
        clock,
        portal.load,
    )
    return Parts(
        house,
        portal,
        SignIn(house),
        Activation(house),
        Enrolment(house),
        Life(house),
        Password(house),
        Keys(house),
    )
