"""The store and its keys at start: what does not fit stops the app, and says why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..exc import ConfigurationError, SealBroken
from ..keyring import Keyring
from ..store import Store, activations, authenticators, key_seals, read_ledger
from .factor_flow import FactorFlow
from .flow import Flow
from .services import Services

_PURPOSE: Final = "key check"


def check_keys(store: Store, keyring: Keyring) -> None:
    """Hold the keys against the store's sealed rows, and enter the current key.

    Raises:
        ConfigurationError: a key that the store needs is missing or another one stands under its id.
    """
    with store.begin() as tx:
        seals = key_seals.seals(tx)
        for key_id, seal in seals.items():
            if key_id not in keyring.ids:
                raise ConfigurationError(
                    f"the store is sealed with key {key_id!r}, which is not in MFA_GATE_KEYS: put it back after the "
                    "current one; once 'flask mfa keys rotate' has run it may go"
                )
            try:
                keyring.open(_PURPOSE, seal, _context(key_id))
            except SealBroken:
                raise ConfigurationError(
                    f"key {key_id!r} of MFA_GATE_KEYS does not open this store: it is another store's key, "
                    "or it was altered; put the right one back"
                ) from None
        if keyring.current not in seals:
            sealed = keyring.seal(_PURPOSE, b"this key opens this store", _context(keyring.current))
            key_seals.add(tx, keyring.current, sealed)


def _context(key_id: str) -> str:
    return f"key {key_id}"


class KeyRotation(Flow):
    """Rotation, and the search for authenticators that were changed by hand.

    Args:
        services: what the flows of one app share.
        factors: the flows of the factors, which seal and bind rows of their own.
    """

    def __init__(self, services: Services, factors: Iterable[FactorFlow]) -> None:
        super().__init__(services)
        self._factors = tuple(factors)

    def broken(self) -> list[str]:
        """Ids of the authenticators whose seed does not open, or whose counter or key was changed or moved by hand."""
        with self.services.store.begin() as tx:
            return [row for factor in self._factors for row in factor.broken(tx)]

    def rotate(self) -> tuple[int, tuple[str, ...]]:
        """Seal every authenticator anew under the current key, after which the older ones may leave `MFA_GATE_KEYS`.

        Returns:
            How many authenticators were sealed anew, and the older keys that an open activation code or a begun
            enrolment still needs until it ends, or a line of the ledger of reads until it is purged.

        Raises:
            ConfigurationError: one was changed by hand; nothing was changed here.
        """
        keyring = self.services.keyring
        with self.services.store.begin() as tx:
            resealed = sum(factor.seal_anew(tx) for factor in self._factors)
            now = self.services.clock()
            needed = {keyring.current} | activations.key_ids(tx, now) | authenticators.enrolment_key_ids(tx, now)
            others = key_seals.seals(tx).keys() - needed
            needed |= {key_id for key_id in others if read_ledger.needs_key(tx, key_id)}
            for key_id in others - needed:
                key_seals.remove(tx, key_id)
        return resealed, tuple(sorted(needed - {keyring.current}))
