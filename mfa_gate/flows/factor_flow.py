"""What the flow of a factor does besides its ceremonies: for key rotation, `check` and the unlocking of an account."""

from __future__ import annotations

from typing import ClassVar

from ..account import Account
from ..factors.registry import Factor
from ..limits.limiter import Scope
from ..sessions.session import Session
from ..store import Transaction
from .flow import ClientContext
from .proving import ProofFlow


class FactorFlow(ProofFlow):
    """Base of the flows of factors. A factor without keyed rows, or without guesses, leaves the defaults.

    Each ceremony of a factor begins with `open_ceremony` and counts its attempt in a transaction of its own before it
    checks anything.

    Attributes:
        factor: its entry in the registry.
    """

    factor: ClassVar[Factor]

    def open_ceremony(self, client: ClientContext) -> tuple[Session, Account]:
        """The session and the account that a ceremony is for.

        Raises:
            NotFound: the portal has switched this factor off.
            SignInRequired: no session, or the portal knows no such account.
        """
        self.require_offered(self.factor.name)
        session = client.require_session()
        return session, self.account_of(session)

    def broken(self, tx: Transaction) -> list[str]:
        """Ids of the authenticators whose rows were changed or moved by hand."""
        return []

    def seal_anew(self, tx: Transaction) -> int:
        """Seal, or bind, what an older key has under the current one, in the transaction of the rotation.

        Returns:
            How many rows were written anew.

        Raises:
            ConfigurationError: one was changed by hand.
        """
        return 0

    def counters(self, tx: Transaction, account_id: str, subject: str) -> list[Scope]:
        """The counters of guesses that an unlock clears, so that the owner can type codes again."""
        return []
