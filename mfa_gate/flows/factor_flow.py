"""What the flow of a factor does besides its ceremonies: for key rotation, `check` and the unlocking of an account."""

from __future__ import annotations

from typing import ClassVar

from ..factors.registry import Factor
from ..limits.limiter import Scope
from ..store import Transaction
from .proving import ProofFlow


class FactorFlow(ProofFlow):
    """Base of the flows of factors. A factor without keyed rows, or without guesses, leaves the defaults.

    Each ceremony of a factor begins with `offered(self.factor.name)`, so that one that is switched off answers 404, and
    counts its attempt in a transaction of its own before it checks anything.

    Attributes:
        factor: its entry in the registry.
    """

    factor: ClassVar[Factor]

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
