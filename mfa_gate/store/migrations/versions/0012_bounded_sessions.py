"""Where a session was opened from, so that one source has so many at once; and when it was last told to have moved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("mfa_sessions", sa.Column("source", sa.String(128), nullable=True))
    op.add_column("mfa_sessions", sa.Column("is_known", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("mfa_sessions", sa.Column("moved_at", sa.Double(), nullable=True))
