"""Passkeys, their challenges, and recovery codes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("mfa_accounts") as accounts:
        accounts.add_column(sa.Column("user_handle", sa.String(length=64), nullable=True))
        accounts.create_unique_constraint("mfa_accounts_user_handle", ["user_handle"])
    op.add_column("mfa_sessions", sa.Column("enrol_until", sa.Double(), nullable=True))
    op.create_table(
        "mfa_webauthn_credentials",
        sa.Column("authenticator_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("binding", sa.String(length=128), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("aaguid", sa.String(length=36), nullable=False),
        sa.Column("rp_id", sa.String(length=255), nullable=False),
        sa.Column("transports", sa.Text(), nullable=False),
        sa.Column("backup_eligible", sa.Boolean(), nullable=False),
        sa.Column("backed_up", sa.Boolean(), nullable=False),
        sa.Column("uv_initialised", sa.Boolean(), nullable=False),
        sa.Column("attested", sa.Boolean(), nullable=False),
        sa.Column("last_used_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["mfa_accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["authenticator_id"], ["mfa_authenticators.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("authenticator_id"),
        sa.UniqueConstraint("credential_id"),
    )
    op.create_index("ix_mfa_webauthn_credentials_account_id", "mfa_webauthn_credentials", ["account_id"])
    op.create_table(
        "mfa_challenges",
        sa.Column("challenge", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("sign_in", sa.String(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["mfa_accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("challenge"),
    )
    op.create_index("ix_mfa_challenges_account_id", "mfa_challenges", ["account_id"])
    op.create_index("ix_mfa_challenges_sign_in", "mfa_challenges", ["sign_in"])
    op.create_table(
        "mfa_recovery_sets",
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["mfa_accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id"),
    )
    op.create_table(
        "mfa_recovery_codes",
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("hash", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["mfa_recovery_sets.account_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "hash"),
    )
