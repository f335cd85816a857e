"""What is usual at an account, and for each session its risk and where it was proven."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("mfa_accounts", sa.Column("habits", sa.Text(), nullable=True))
    op.add_column("mfa_sessions", sa.Column("risk", sa.String(length=8), nullable=False, server_default="usual"))
    op.add_column("mfa_sessions", sa.Column("context", sa.String(length=128), nullable=True))
    op.add_column("mfa_sessions", sa.Column("shown", sa.Text(), nullable=True))
