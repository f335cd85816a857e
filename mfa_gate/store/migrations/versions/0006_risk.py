"""What is usual at an account, for each session its risk and where it was proven, and who tries passwords."""

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
    op.create_table(
        "mfa_pressure",
        sa.Column("key", sa.String(length=128), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("successes", sa.Integer(), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mfa_fan_in",
        sa.Column("source", sa.String(length=128), primary_key=True),
        sa.Column("account", sa.String(length=128), primary_key=True),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sqlite_with_rowid=False,
    )
