"""Known devices, the chain of events, notices, what sessions show of themselves, and seeds of other makes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # no batch: on SQLite that drops the table, and all that hangs on it goes with it
    shown: tuple[sa.Column[Any], ...] = (
        sa.Column("browser", sa.String(length=64), nullable=True),
        sa.Column("name_hash", sa.String(length=128), nullable=True),
        sa.Column("device", sa.String(length=32), nullable=True),
        sa.Column("group_name", sa.String(length=255), nullable=True),
        sa.Column("observed_until", sa.Double(), nullable=True),
    )
    for column in shown:
        op.add_column("mfa_sessions", column)
    op.create_table(
        "mfa_devices",
        sa.Column("series", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("name_hash", sa.String(length=128), nullable=True),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("last_used_at", sa.Double(), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["mfa_accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("series"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_mfa_devices_account_id", "mfa_devices", ["account_id"])
    chained: tuple[sa.Column[Any], ...] = (
        sa.Column("chain", sa.String(length=32), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("link", sa.String(length=64), nullable=True),
        sa.Column("mac", sa.String(length=128), nullable=True),
    )
    for column in chained:
        op.add_column("mfa_events", column)
    op.create_table(
        "mfa_audit_anchors",
        sa.Column("chain", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("link", sa.String(length=64), nullable=False),
        sa.Column("mac", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("chain"),
    )
    parameters: tuple[sa.Column[Any], ...] = (
        sa.Column("algorithm", sa.String(length=8), server_default="sha1", nullable=False),
        sa.Column("digits", sa.Integer(), server_default="6", nullable=False),
        sa.Column("period", sa.Integer(), server_default="30", nullable=False),
        sa.Column("renew", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    for column in parameters:
        op.add_column("mfa_totp_seeds", column)
    op.add_column("mfa_accounts", sa.Column("frozen_until", sa.Double(), nullable=True))
    op.create_table(
        "mfa_outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("sign_in", sa.String(length=32), nullable=True),
        sa.Column("kind", sa.String(length=48), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("shown_at", sa.Double(), nullable=True),
        sa.Column("mail_due", sa.Double(), nullable=True),
        sa.Column("mail_tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("mailed_at", sa.Double(), nullable=True),
        sa.Column("hook_due", sa.Double(), nullable=True),
        sa.Column("hook_tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("claim", sa.String(length=32), nullable=True),
        sa.Column("claimed_until", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["subject"], ["mfa_accounts.subject"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("mfa_outbox_unshown", "mfa_outbox", ["subject", "shown_at"])
    op.create_index("ix_mfa_outbox_mail_due", "mfa_outbox", ["mail_due"])
    op.create_index("ix_mfa_outbox_hook_due", "mfa_outbox", ["hook_due"])
    if op.get_bind().dialect.name == "sqlite":
        _counters_without_rowid()


def _counters_without_rowid() -> None:
    """One tree instead of two to change at each attempt; nothing hangs on this table."""
    op.rename_table("mfa_counters", "mfa_counters_old")
    op.create_table(
        "mfa_counters",
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("failures", sa.Text(), nullable=False),
        sa.Column("streak", sa.Integer(), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO mfa_counters SELECT key, failures, streak, ends_at FROM mfa_counters_old")
    op.drop_table("mfa_counters_old")
