"""The store and its keys at start: what does not fit stops the app, and says why."""

from __future__ import annotations

from ..exc import ConfigurationError, SealBroken
from ..keyring import Keyring
from ..store import Store, Transaction, activations, authenticators, credentials, key_seals, read_ledger
from .flow import Flow
from .sign_in import open_seed, seed_context, shape_of, step_mark
from .webauthn import binding, is_bound


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
                keyring.open(seal, _context(key_id))
            except SealBroken:
                raise ConfigurationError(
                    f"key {key_id!r} of MFA_GATE_KEYS does not open this store: it is another store's key, "
                    "or it was altered; put the right one back"
                ) from None
        if keyring.current not in seals:
            key_seals.add(tx, keyring.current, keyring.seal(b"this key opens this store", _context(keyring.current)))


def _context(key_id: str) -> str:
    return f"key {key_id}"


class KeyRotation(Flow):
    """Rotation, and the search for authenticators that were changed by hand."""

    def broken(self) -> list[str]:
        """Ids of the authenticators whose seed does not open, or whose counter or key was changed or moved by hand."""
        broken = []
        with self.services.store.begin() as tx:
            for row in authenticators.all_totp(tx):
                try:
                    open_seed(self, row)
                except SealBroken:
                    broken.append(row.id)
            every = credentials.every(tx)
            broken += [key.authenticator_id for key, subject in every if not is_bound(self, key, subject)]
        return broken

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
            resealed = self._reseal_seeds(tx) + self._rebind_keys(tx)
            now = self.services.clock()
            needed = {keyring.current} | activations.key_ids(tx, now) | authenticators.enrolment_key_ids(tx, now)
            others = key_seals.seals(tx).keys() - needed
            needed |= {key_id for key_id in others if read_ledger.needs_key(tx, key_id)}
            for key_id in others - needed:
                key_seals.remove(tx, key_id)
        return resealed, tuple(sorted(needed - {keyring.current}))

    def _reseal_seeds(self, tx: Transaction) -> int:
        keyring, resealed = self.services.keyring, 0
        for row in authenticators.all_totp(tx, for_update=True):
            try:
                seed = open_seed(self, row)
            except SealBroken:
                raise ConfigurationError(
                    f"the seed of authenticator {row.id} does not open: run 'flask mfa check'"
                ) from None
            if keyring.is_current(row.seed) and keyring.is_current(row.spent):
                continue
            sealed = keyring.seal(seed, seed_context(row.subject, row.id, shape_of(row)))
            authenticators.reseal(tx, row.id, sealed, step_mark(self, row, row.last_step, row.drift))
            resealed += 1
        return resealed

    def _rebind_keys(self, tx: Transaction) -> int:
        rebound = 0
        for row, subject in credentials.every(tx, for_update=True):
            if not is_bound(self, row, subject):
                raise ConfigurationError(
                    f"the key of authenticator {row.authenticator_id} was changed or moved: run 'flask mfa check'"
                )
            if not self.services.keyring.is_current(row.binding):
                credentials.rebind(tx, row.authenticator_id, binding(self, row, subject))
                rebound += 1
        return rebound
