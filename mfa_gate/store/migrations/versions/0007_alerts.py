"""What the help desk is told of and has not dealt with yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "mfa_alerts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column(
            "subject", sa.String(length=32), sa.ForeignKey("mfa_accounts.subject", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("kind", sa.String(length=48), nullable=False),
        sa.Column("first_at", sa.Double(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("told_at", sa.Double(), nullable=True),
    )
    op.create_index("mfa_alerts_once", "mfa_alerts", ["subject", "kind"], unique=True)
    op.create_index("mfa_alerts_last", "mfa_alerts", ["last_at"])
