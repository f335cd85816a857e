"""The portal as the gate knows it: its callbacks, and where the gate hangs in its app."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .account import Account
from .exc import ConfigurationError

if TYPE_CHECKING:
    from .settings import Settings

EXTENSION: Final = "mfa_gate"
START: Final = "mfa_gate.start"
MISSING_LOADER: Final = "the gate needs @gate.account_loader: a function from an account id to Account or None"


@dataclass(slots=True)
class Portal:
    """What the portal gave: its callbacks, and where people sign in.

    Attributes:
        account_loader: id -> Account, or None where it is unknown or disabled.
        signed_in: opens the portal's own session, once, after the last proof.
        identity: whom the portal takes its visitor for, or None.
        signed_out: closes the portal's own session; clears Flask's session where it is left out.
        adopts: a visitor whom the portal takes for somebody counts as having passed the first factor.
        named_at_hand: the same as `identity`, as far as it can be said without a look at the portal's store; it is
            asked on public pages.
        login_view: names the endpoint of the portal's login page, which is public then, or its path.
    """

    account_loader: Callable[[str], Account | None] | None = None
    signed_in: Callable[[Account], Any] | None = None
    identity: Callable[[], str | None] | None = None
    signed_out: Callable[[], Any] | None = None
    adopts: bool = False
    named_at_hand: Callable[[], str | None] | None = None
    login_view: Callable[[], str | None] | None = None

    def load(self, account_id: str) -> Account | None:
        if self.account_loader is None:
            raise ConfigurationError(MISSING_LOADER)
        return self.account_loader(account_id)

    def check(self, settings: Settings) -> None:
        """Look for the callbacks that the gate cannot do without.

        Raises:
            ConfigurationError: one of them is missing.
        """
        if self.account_loader is None:
            raise ConfigurationError(MISSING_LOADER)
        if settings.identity is None and (self.identity is None or self.signed_in is None):
            raise ConfigurationError(
                "the gate needs both @gate.identity and @gate.signed_in, so that the portal's session and the gate's "
                "agree; for a portal that reads only gate.session.account_id write MFA_GATE_IDENTITY = 'gate'"
            )
