"""The ledger of records read, and how much each account reads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("mfa_desk_requests", sa.Column("data", sa.Text(), nullable=True))
    op.create_table(
        "mfa_reading",
        sa.Column(
            "account_id", sa.String(length=255), sa.ForeignKey("mfa_accounts.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("state", sa.Text(), nullable=False),
    )
    op.create_table(
        "mfa_crowds",
        sa.Column("source", sa.String(length=128), primary_key=True),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("readers", sa.Text(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("since", sa.Double(), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mfa_reads",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("sign_in", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=128), nullable=True),
        sa.Column("kind", sa.String(length=48), nullable=False),
        sa.Column("record", sa.String(length=80), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=8), nullable=False),
        sa.Column("chain", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("link", sa.String(length=64), nullable=False),
        sa.Column("mac", sa.String(length=128), nullable=False),
    )
    # by day first: what is written today stays together, however long the ledger is
    op.create_index("mfa_reads_subject", "mfa_reads", ["day", "subject"])
    op.create_index("mfa_reads_record", "mfa_reads", ["day", "record"])
