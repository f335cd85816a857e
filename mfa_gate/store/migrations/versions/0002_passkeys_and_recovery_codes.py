"""Passkeys, their challenges, and recovery codes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # no batch: on SQLite that drops the table, and all that hangs on it goes with it
    op.add_column("mfa_accounts", sa.Column("user_handle", sa.String(length=64), nullable=True))
    op.create_index("mfa_accounts_user_handle", "mfa_accounts", ["user_handle"], unique=True)
    op.drop_index("ix_mfa_authenticators_account_id", "mfa_authenticators")
    op.create_index("mfa_authenticators_methods", "mfa_authenticators", ["account_id", "method"])
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
        sa.Column("discoverable", sa.Boolean(), nullable=True),
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
        sqlite_with_rowid=False,
    )
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
