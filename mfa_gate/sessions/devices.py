"""Known devices: browsers that have signed in before. Knowing one skips nothing; it only counts apart from strangers.

A device is a series of tokens. The newest stands in a signed cookie and is replaced at each sign-in; the one before
stays good until the new one has come back, since an answer can be lost. Each token is a keyed hash of the one before
it: who presents one again gets the same successor, in whatever order the answers arrive. Any older token was copied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ..keyring import Keyring
from ..settings import Settings
from ..store import Store, Transaction
from ..store import devices as rows
from ..store.devices import DeviceRow
from .ids import HeldId

PURPOSE: Final = "device"
_NEXT: Final = "device token"
_SERIES: Final = "device series"
NAME_PURPOSE: Final = "typed name"
MAX_SERIES: Final = 6  # series in one cookie: people who share a browser
_LENGTH: Final = 22  # of a series and of a token: 132 bits in base64url


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
        self,
        tx: Transaction,
        cookie: str | None,
        device: Device | None,
        account_id: str,
        session: HeldId,
        now: float,
    ) -> tuple[str, str]:
        """Rotate the token of a known device, or begin to know this one.

        Of two sign-ins with one token both get the same new one; where that cannot be worked out any more (the key is
        gone, or the new one has come back meanwhile), the browser begins a series beside it, and nothing is forgotten.

        Args:
            tx, account_id, now: whose, and when.
            cookie: the cookie's value, with the devices of others.
            device: the known one.
            session: by the id that it has before the step, of which the first token of a series is made.

        Returns:
            The cookie's new value, and the series.
        """
        held = self._tokens(cookie)
        if device is not None:
            for token in self._successors(device.series, held[device.series]):
                if rows.rotate(tx, device.series, account_id, device.presented, _hash(token), session.sign_in, now):
                    return self._with(held, device.series, token), device.series
        series, token = next(self._begun(session.id_hash))
        rows.add(tx, series, account_id, _hash(token), session.sign_in, now, now + self._settings.device_ttl)
        return self._with(held, series, token), series

    def admitted(self, cookie: str | None, account_id: str, id_hash: str) -> str | None:
        """The cookie that `admit` gave a moment ago, for the same cookie and session; None where it gave none.

        Raises:
            Unavailable: the store does not answer.
        """
        held = self._tokens(cookie)
        given = [(series, token) for series, kept in held.items() for token in self._successors(series, kept)]
        given += self._begun(id_hash)
        rows = {row.series: row for row in self._store.reader.devices(list(dict(given)))}
        for series, token in given:
            row = rows.get(series)
            if row is not None and row.account_id == account_id and row.token_hash == _hash(token):
                return self._with(held, series, token)
        return None

    def _begun(self, id_hash: str) -> Iterator[tuple[str, str]]:
        """The series that a session begins, and its first token: under the current key, and under older ones."""
        for key_id in self._keyring.ids:
            series = self._keyring.derived(_SERIES, id_hash, key_id)[:_LENGTH]
            yield series, self._keyring.derived(_NEXT, f"{series} {id_hash}", key_id)[:_LENGTH]

    def _successors(self, series: str, token: str) -> Iterator[str]:
        """What may come after a token: under the current key, and what an older key has made of it."""
        for key_id in self._keyring.ids:
            yield self._keyring.derived(_NEXT, series + token, key_id)[:_LENGTH]

    def _with(self, held: Mapping[str, str], series: str, token: str) -> str:
        """The cookie with the newest token of a series, and the other series beside it."""
        others = [(other, kept) for other, kept in held.items() if other != series]
        return self._cookie([(series, token), *others[: MAX_SERIES - 1]])

    def _tokens(self, cookie: str | None) -> dict[str, str]:
        """Series and token of each device in a cookie; empty where it is not ours."""
        if not cookie or len(cookie) > 600 or (text := self._keyring.unsign(PURPOSE, cookie)) is None:
            return {}
        return {part[:_LENGTH]: part[_LENGTH:] for part in text.split("~")[:MAX_SERIES]}

    def _cookie(self, tokens: list[tuple[str, str]]) -> str:
        return self._keyring.sign(PURPOSE, "~".join(series + token for series, token in tokens))


def _hash(token: str) -> str:
    # so many random bits need neither salt nor key
    return hashlib.sha256(token.encode()).hexdigest()
