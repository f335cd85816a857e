"""The schema's version, kept by Alembic from the first table on, in a version table of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from ..exc import Unavailable

VERSION_TABLE: Final = "mfa_schema"
HEAD: Final = "0012"  # the newest file in migrations/versions; a test holds the two together
MIGRATIONS: Final = Path(__file__).parent / "migrations"
_ADVISORY_LOCK: Final = 0x6D66615F  # any fixed number of our own


def upgrade(engine: Engine) -> None:
    """Run the migrations that are missing, in one transaction; of several workers one does it and the others wait.

    Raises:
        Unavailable: the store does not answer.
    """
    from alembic import command  # heavy, and only needed where something is to be done
    from alembic.config import Config

    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
            if _version(connection) == HEAD:
                return
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except SQLAlchemyError as error:
        raise Unavailable from error


def outdated(engine: Engine) -> str | None:
    """What is wrong with the schema's version, as a sentence, or None.

    Raises:
        Unavailable: the store does not answer.
    """
    try:
        with engine.connect() as connection:
            version = _version(connection)
    except SQLAlchemyError as error:
        raise Unavailable from error
    if version == HEAD:
        return None
    if version is None:
        return "the store has no tables yet: run 'flask mfa db upgrade'"
    if version > HEAD:
        return f"the store is of a newer version ({version}) than this library ({HEAD}): install the newer library"
    return f"the store is of an older version ({version}, not {HEAD}): run 'flask mfa db upgrade'"


def _version(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, VERSION_TABLE):
        return None
    version: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    return version
