"""Known devices: browsers that have signed in before. Knowing one skips nothing; it only counts apart from strangers.

A device is a series of tokens. The newest stands in a signed cookie and is replaced at each sign-in; the one before
stays good until the new one has come back, since an answer can be lost. Any other token of the series was copied.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ..keyring import Keyring
from ..settings import Settings
from ..store import Store, Transaction
from ..store import devices as rows
from ..store.devices import DeviceRow

PURPOSE: Final = "device"
NAME_PURPOSE: Final = "typed name"
MAX_SERIES: Final = 6  # series in one cookie: people who share a browser
_BYTES: Final = 16
_LENGTH: Final = 22  # of so many bytes in base64url


@dataclass(frozen=True, slots=True)
class Device:
    """A device that a request has shown.

    Attributes:
        account_id: whose sign-ins it has seen.
        presented: hash of the token that it showed.
    """

    series: str
    account_id: str
    presented: str


@dataclass(frozen=True, slots=True)
class PresentedDevices:
    """What a cookie stands for.

    Attributes:
        known: the devices that are good.
        presented: hash of the token that was shown of each series.
        unseen: of these, whose newest token has come back for the first time.
        replayed: whose token was replaced long ago: somebody has copied it.
    """

    known: tuple[DeviceRow, ...] = ()
    presented: Mapping[str, str] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    replayed: tuple[DeviceRow, ...] = ()

    def of_account(self, account_id: str) -> Device | None:
        """The device of an account, if the cookie holds one."""
        row = next((row for row in self.known if row.account_id == account_id), None)
        return Device(row.series, row.account_id, self.presented[row.series]) if row else None


class Devices:
    """Reads and writes device cookies."""

    def __init__(self, store: Store, keyring: Keyring, settings: Settings) -> None:
        self._store = store
        self._keyring = keyring
        self._settings = settings

    def show(self, cookie: str | None, now: float) -> PresentedDevices:
        """What a device cookie stands for now. The store is asked only where the signature is right.

        Raises:
            Unavailable: the store does not answer.
        """
        tokens = self._tokens(cookie)
        if not tokens:
            return PresentedDevices()
        presented = {series: _hash(token) for series, token in tokens.items()}
        found = [row for row in self._store.reader.devices(list(presented)) if now < row.ends_at]
        good = [row for row in found if presented[row.series] in (row.token_hash, row.previous_hash)]
        return PresentedDevices(
            tuple(good),
            presented,
            tuple(row.series for row in good if row.previous_hash and presented[row.series] == row.token_hash),
            tuple(row for row in found if row not in good),
        )

    def has_signed(self, cookie: str) -> bool:
        """Whether a cookie is one of ours, whether or not its devices are still known."""
        return bool(self._tokens(cookie))

    def typed(self, name: str) -> str:
        """The keyed hash that a typed user name is kept as."""
        return self._keyring.hash(NAME_PURPOSE, name)

    def knows(self, shown: PresentedDevices, name: str) -> bool:
        """Whether one of these devices has signed in under this typed name."""
        matches = self._keyring.matches
        return any(row.name_hash is not None and matches(NAME_PURPOSE, name, row.name_hash) for row in shown.known)

    def admit(
        self, tx: Transaction, cookie: str | None, device: Device | None, account_id: str, sign_in: str, now: float
    ) -> tuple[str, str]:
        """Rotate the token of a known device, or begin to know this one.

        Returns:
            The cookie's new value, and the series.
        """
        token = secrets.token_urlsafe(_BYTES)
        series = device.series if device else None
        if device is None or not rows.rotate(
            tx, device.series, account_id, device.presented, _hash(token), sign_in, now
        ):
            series = secrets.token_urlsafe(_BYTES)
            rows.add(tx, series, account_id, _hash(token), sign_in, now, now + self._settings.device_ttl)
        assert series is not None  # noqa: S101  (for the type checker)
        others = [(other, kept) for other, kept in self._tokens(cookie).items() if other != series]
        return self._cookie([(series, token), *others[: MAX_SERIES - 1]]), series

    def _tokens(self, cookie: str | None) -> dict[str, str]:
        """Series and token of each device in a cookie; empty where it is not ours."""
        if not cookie or len(cookie) > 600 or (text := self._keyring.unsign(PURPOSE, cookie)) is None:
            return {}
        return {part[:_LENGTH]: part[_LENGTH:] for part in text.split("~")[:MAX_SERIES]}

    def _cookie(self, tokens: list[tuple[str, str]]) -> str:
        return self._keyring.sign(PURPOSE, "~".join(series + token for series, token in tokens))


def _hash(token: str) -> str:
    # 128 random bits need neither salt nor key
    return hashlib.sha256(token.encode()).hexdigest()
