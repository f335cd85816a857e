"""What is kept of an account's reading, written in a fraction of the time: its numbers packed, no longer as JSON."""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from math import nan

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

PAGE = 1_000  # states in memory at once, however many accounts there are
_reading = sa.table("mfa_reading", sa.column("account_id", sa.String), sa.column("state", sa.Text))


def upgrade() -> None:
    connection, last = op.get_bind(), ""
    page = sa.select(_reading).order_by(_reading.c.account_id).limit(PAGE)
    while rows := connection.execute(page.where(_reading.c.account_id > last)).fetchall():
        for account_id, text in rows:
            state = _packed(text)
            if state is not None:
                connection.execute(_reading.update().where(_reading.c.account_id == account_id).values(state=state))
        last = rows[-1].account_id


def _packed(text: str) -> str | None:
    """A state as it is written from here on; None for what was no state: its account reads nothing then, as before."""
    try:
        (
            day, seen, at, total, weight, old_total, old_weight, days, ahead, far_ahead, miss, walk, drift,
            last, stopped, why, asked, lifted, allowed, allowed_until, spent, spent_before,
        ) = json.loads(text)  # fmt: skip
        sessions = [number for _, proven_at, records in spent for number in (proven_at, records)]
        numbers = struct.pack(
            "<q5dq5d2q4dq" + "dq" * len(spent),
            day, at, total, weight, old_total, old_weight, days, ahead, far_ahead, miss, walk, drift, lifted, allowed,
            allowed_until, spent_before, nan if stopped is None else stopped, nan if asked is None else asked,
            len(seen), *sessions,
        )  # fmt: skip
        return "\n".join([b64encode(numbers).decode(), last, why or "", *(name for name, _, _ in spent), seen])
    except (ValueError, TypeError, struct.error):
        return None
