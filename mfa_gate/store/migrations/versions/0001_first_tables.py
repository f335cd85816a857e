"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "mfa_accounts",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("locked_at", sa.Double(), nullable=True),
        sa.Column("lock_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subject"),
    )
    op.create_table(
        "mfa_counters",
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("failures", sa.Text(), nullable=False),
        sa.Column("streak", sa.Integer(), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "mfa_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(length=48), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=True),
        sa.Column("sign_in", sa.String(length=32), nullable=True),
        sa.Column("source", sa.String(length=128), nullable=True),
        sa.Column("method", sa.String(length=16), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=48), nullable=True),
        sa.Column("data", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_mfa_events_subject"), "mfa_events", ["subject"], unique=False)
    op.create_table(
        "mfa_keys",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("seal", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "mfa_activations",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("code_hash", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.Double(), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.Column("bound_to", sa.String(length=32), nullable=True),
        sa.Column("bound_until", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["mfa_accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code_hash"),
    )
    op.create_index("mfa_activations_bound_to", "mfa_activations", ["bound_to"], unique=False)
    op.create_index("mfa_activations_one_per_account", "mfa_activations", ["account_id"], unique=True)
    op.create_table(
        "mfa_authenticators",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["mfa_accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_mfa_authenticators_account_id"), "mfa_authenticators", ["account_id"], unique=False)
    op.create_table(
        "mfa_enrolments",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("sign_in", sa.String(length=32), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["mfa_accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_mfa_enrolments_account_id"), "mfa_enrolments", ["account_id"], unique=False)
    op.create_index(op.f("ix_mfa_enrolments_sign_in"), "mfa_enrolments", ["sign_in"], unique=False)
    op.create_table(
        "mfa_sessions",
        sa.Column("id_hash", sa.String(length=64), nullable=False),
        sa.Column("sign_in", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("proofs", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("last_seen", sa.Double(), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["mfa_accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id_hash"),
        sa.UniqueConstraint("sign_in"),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_mfa_sessions_account_id"), "mfa_sessions", ["account_id"], unique=False)
    op.create_table(
        "mfa_totp_seeds",
        sa.Column("authenticator_id", sa.String(length=32), nullable=False),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["authenticator_id"], ["mfa_authenticators.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("authenticator_id"),
    )
