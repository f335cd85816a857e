"""Defences of what is taken over from earlier systems, and how each is taken out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update

from mfa_gate.flows import imports, seeds
from mfa_gate.flows import totp as totp_flow
from mfa_gate.store.schema import totp_seeds

Patch = pytest.MonkeyPatch


def an_old_list_stands_beside_what_is_there(patch: Patch) -> None:
    patch.setattr(imports.TOTPImports, "_kept_out", lambda *_: None)


def codes_of_before_still_open(patch: Patch) -> None:
    row, mark = imports.TOTPRow, imports.step_mark
    patch.setattr(imports, "TOTPRow", lambda *values: row(*values)._replace(last_step=0))
    patch.setattr(imports, "step_mark", lambda flow, seed, _step, drift: mark(flow, seed, 0, drift))


def seeds_open_whatever_their_shape(patch: Patch) -> None:
    really = seeds.seed_context

    def context(subject: str, authenticator_id: str, _shape: Any = None) -> str:
        return really(subject, authenticator_id)

    for module in (seeds, imports, totp_flow):
        patch.setattr(module, "seed_context", context)


def two_codes_of_a_token_set_its_clock_again_and_again(patch: Patch) -> None:
    mine = {**vars(imports.authenticators), "spend_step": _kept_whatever_was_spent}
    patch.setattr(imports, "authenticators", SimpleNamespace(**mine))


def _kept_whatever_was_spent(tx: Any, authenticator_id: str, step: int, spent: str, drift: int | None) -> bool:
    values = {"last_step": step, "spent": spent, "drift": drift}
    tx.execute(update(totp_seeds).where(totp_seeds.c.authenticator_id == authenticator_id).values(values))
    return True


def nobody_vouches_for_the_clock_of_a_token(patch: Patch) -> None:
    really = seeds._marked
    patch.setattr(seeds, "_marked", lambda row, step, _drift: really(row, step, None))


DEFENCES = {
    "A2import": an_old_list_stands_beside_what_is_there,
    "A18import": codes_of_before_still_open,
    "A18resync": two_codes_of_a_token_set_its_clock_again_and_again,
    "A48drift": nobody_vouches_for_the_clock_of_a_token,
    "A48shape": seeds_open_whatever_their_shape,
}
