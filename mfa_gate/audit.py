"""Security events: what happened to whom, in the transaction of the thing itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from .keyring import Keyring
from .store import Transaction, events

_written: Final = json.JSONEncoder(sort_keys=True).encode

Outcome = Literal["success", "failure", "refused", "unknown"]

KINDS: Final = frozenset(
    {
        "first_factor",
        "second_factor",
        "activation_issued",
        "activation_revoked",
        "activation_redeemed",
        "authenticator_added",
        "authenticator_removed",
        "authenticator_renamed",
        "recovery_codes_renewed",
        "sign_count_went_back",
        "account_locked",
        "account_unlocked",
        "account_forgotten",
        "session_ended",
        "sessions_ended",
        "identity_mismatch",
        "device_replayed",
        "password_changed",
    }
)


@dataclass(frozen=True, slots=True)
class Who:
    """Whom an event is about and from where it came.

    Attributes:
        subject: the account's random name in events, or None where no account is meant.
        sign_in: the sign-in it happened in.
        address: the client's address as the portal sees it; only its keyed hash is stored.
    """

    subject: str | None = None
    sign_in: str | None = None
    address: str | None = None


class Audit:
    """Writes events; the address of a client is kept as a keyed hash only."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def record(
        self,
        tx: Transaction,
        kind: str,
        now: float,
        who: Who,
        *,
        outcome: Outcome = "success",
        method: str | None = None,
        reason: str | None = None,
        **data: Any,
    ) -> None:
        """Store one event in the transaction of the thing it tells.

        Args:
            tx: the transaction that does the thing.
            kind: one of `KINDS`.
            now: seconds since the epoch.
            who: whom it is about.
            outcome: how it ended.
            method: the method (RFC 8176) of a proof.
            reason: a stable word.
            data: further plain values, never a secret.
        """
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is not a kind of event")
        source = self._keyring.hash("address", who.address) if who.address else None
        events.add(
            tx,
            events.EventRow(
                now,
                kind,
                who.subject,
                who.sign_in,
                source,
                method,
                outcome,
                reason,
                _written(data) if data else "{}",
            ),
        )
