"""How far the clock of a code token is off."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("mfa_totp_seeds", sa.Column("drift", sa.Integer(), nullable=True))
