"""Up to which notice a session was displayed what happened: it marks no more than that as seen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("mfa_sessions", sa.Column("displayed", sa.BigInteger(), nullable=True))
