"""Defences of what a request has read against what has become of it, and how each is taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from mfa_gate.account import Account
from mfa_gate.factors import webauthn
from mfa_gate.flows import WebAuthn
from mfa_gate.flows import webauthn as flow
from mfa_gate.store import credentials, sessions

Patch = pytest.MonkeyPatch


def _proofs(tx: Any, id_hash: str) -> str:
    """Those that a session has by now."""
    found = text("SELECT proofs FROM mfa_sessions WHERE id_hash = :id")
    return str(tx.execute(found, {"id": id_hash}).scalar())


def rises_go_by_what_was_read(patch: Patch) -> None:
    real = sessions.rotate
    patch.setattr(sessions, "rotate", lambda tx, old, _read, *row: real(tx, old, _proofs(tx, old), *row))


def changes_go_by_what_was_read(patch: Patch) -> None:
    real = sessions.is_there
    patch.setattr(sessions, "is_there", lambda tx, id_hash, _read, now: real(tx, id_hash, _proofs(tx, id_hash), now))


def counts_are_held_against_what_was_read(patch: Patch) -> None:
    """Whether one went back is decided by the count that was stored when the answer was looked at."""
    real, used = webauthn.complete_authentication, credentials.used
    read: list[int] = []

    def complete(rp: Any, challenge: bytes, answer: Any, credential: Any, handle: bytes) -> Any:
        read.append(credential.sign_count)
        return real(rp, challenge, answer, credential, handle)

    def as_read(tx: Any, authenticator_id: str, sign_count: int, *more: Any) -> str:
        became: str = used(tx, authenticator_id, sign_count, *more)
        return "rose" if became == "stayed" and sign_count > read[-1] else became

    patch.setattr(webauthn, "complete_authentication", complete)
    patch.setattr(credentials, "used", as_read)


def nobody_asks_for_the_account_of_a_key(patch: Patch) -> None:
    patch.setattr(WebAuthn, "account_of", lambda self, session: Account(session.account_id, session.account_id))


def the_kind_of_a_key_is_not_bound(patch: Patch) -> None:
    real = flow._bound
    patch.setattr(flow, "_bound", lambda row, subject: real(row._replace(backup_eligible=False), subject))


def windows_outlive_their_codes(patch: Patch) -> None:
    patch.setattr(sessions, "remove_enrolling", lambda *_: 0)


DEFENCES: dict[str, Callable[[Patch], None]] = {
    "A41v": counts_are_held_against_what_was_read,
    "A48v": the_kind_of_a_key_is_not_bound,
    "A56v": windows_outlive_their_codes,
    "A61v": rises_go_by_what_was_read,
    "A61vb": changes_go_by_what_was_read,
    "A62v": nobody_asks_for_the_account_of_a_key,
}
