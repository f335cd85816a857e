"""Each row of the abuse table, with what takes its defence out of the running code.

`make red` takes the defences out one at a time; a test of the row must fail then. Worker processes that a test starts
call `take_out_from_environment` themselves.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module

import pytest

Defence = Callable[[pytest.MonkeyPatch], None]
VARIABLE = "MFA_GATE_WITHOUT"
PARTS = (
    "codes",
    "guard",
    "marks",
    "web",
    "own",
    "relay",
    "passkeys",
    "review",
    "devices",
    "notices",
    "owner_told",
    "audit",
    "policy",
    "imports",
    "desk",
    "risk",
    "reads",
    "doubtful",
    "sent_twice",
    "bounded",
)


def defences() -> dict[str, Defence]:
    """Name -> patch. The name is the row, and a letter where a row has several defences (A22, A22b)."""
    merged: dict[str, Defence] = {}
    for part in PARTS:
        own = import_module(f"tests.red.{part}").DEFENCES
        assert not own.keys() & merged.keys(), f"two defences of one name: {own.keys() & merged.keys()}"
        merged |= own
    return merged


def row_of(name: str) -> str:
    return name.rstrip("abcdefghijklmnopqrstuvwxyz")


def take_out_from_environment() -> pytest.MonkeyPatch | None:
    """Take out the defence that the environment names, if any; for good, unless the patch is undone."""
    name = os.environ.get(VARIABLE)
    if not name:
        return None
    patch = pytest.MonkeyPatch()
    defences()[name](patch)
    return patch
