"""Defences of what is taken over from earlier systems, and how each is taken out."""

from __future__ import annotations

from typing import Any

import pytest

from mfa_gate.flows import imports, keys, sign_in

Patch = pytest.MonkeyPatch


def an_old_list_stands_beside_what_is_there(patch: Patch) -> None:
    patch.setattr(imports.Imports, "_kept_out", lambda *_: None)


def codes_of_before_still_open(patch: Patch) -> None:
    row, mark = imports.TOTPRow, imports.step_mark
    patch.setattr(imports, "TOTPRow", lambda *values: row(*values)._replace(last_step=0))
    patch.setattr(imports, "step_mark", lambda flow, seed, _step, drift: mark(flow, seed, 0, drift))


def seeds_open_whatever_their_shape(patch: Patch) -> None:
    really = sign_in.seed_context

    def context(subject: str, authenticator_id: str, _shape: Any = None) -> str:
        return really(subject, authenticator_id)

    for module in (sign_in, imports, keys):
        patch.setattr(module, "seed_context", context)


DEFENCES = {
    "A2import": an_old_list_stands_beside_what_is_there,
    "A18import": codes_of_before_still_open,
    "A48shape": seeds_open_whatever_their_shape,
}
