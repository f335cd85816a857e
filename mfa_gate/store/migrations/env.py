"""Alembic's entry: runs on the connection that `store.migrate` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from mfa_gate.store.migrate import VERSION_TABLE
from mfa_gate.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()
