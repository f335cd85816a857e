"""What the portal calls the network that a session was opened from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("mfa_sessions", sa.Column("network", sa.String(length=64), nullable=True))
