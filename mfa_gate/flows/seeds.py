"""How the seed of an authenticator app is sealed, and how its counter is bound to it."""

from __future__ import annotations

from ..exc import SealBroken
from ..factors.totp import USUAL, Shape
from ..keyring import SEED
from ..store.authenticators import TOTPRow
from .flow import Flow


def shape_of(row: TOTPRow) -> Shape:
    return Shape(row.algorithm, row.digits, row.period)


def seed_context(subject: str, authenticator_id: str, shape: Shape = USUAL) -> str:
    """What a seed is bound to: the account, by its random name, the row, and how codes are made of it."""
    unusual = "" if shape == USUAL else f" {shape.algorithm} {shape.digits} {shape.period}"
    return f"totp {subject} {authenticator_id}{unusual}"


def step_mark(flow: Flow, row: TOTPRow, step: int, drift: int | None = None) -> str:
    """The keyed hash that belongs to a last spent step, and to how far off the clock was."""
    return flow.services.keyring.hash("totp step", _marked(row, step, drift))


def _marked(row: TOTPRow, step: int, drift: int | None) -> str:
    return f"{row.subject} {row.id} {step}" + ("" if drift is None else f" {drift}")


def open_seed(flow: Flow, row: TOTPRow) -> bytes:
    """The seed of a row.

    Raises:
        SealBroken: it is another row's, altered, or its counter was changed by hand.
    """
    keyring = flow.services.keyring
    if not keyring.matches("totp step", _marked(row, row.last_step, row.drift), row.spent):
        raise SealBroken("the counter of a seed was changed")
    return keyring.open(SEED, row.seed, seed_context(row.subject, row.id, shape_of(row)))
