"""The portal's own tables: users, insured persons, what a user did last. Plain rows in and out, no Flask."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path

from . import nir

PAGE_SIZE = 10
ACTIVITY_KEPT = 50

SCHEMA = """
CREATE TABLE user (
    id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL, password TEXT NOT NULL,
    role TEXT NOT NULL, place TEXT NOT NULL, locale TEXT NOT NULL, iban TEXT, holder TEXT,
    disabled INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE person (
    nir TEXT PRIMARY KEY, family_name TEXT NOT NULL, usage_name TEXT, first_name TEXT NOT NULL,
    birth_date TEXT NOT NULL, street TEXT NOT NULL, postcode TEXT NOT NULL, town TEXT NOT NULL,
    long_illness INTEGER NOT NULL, cover TEXT NOT NULL, rights_open INTEGER NOT NULL,
    folded TEXT NOT NULL, folded_birth TEXT
) WITHOUT ROWID;
CREATE TABLE activity (
    id INTEGER PRIMARY KEY, user_id TEXT NOT NULL REFERENCES user (id), at TEXT NOT NULL, kind TEXT NOT NULL,
    record TEXT
);
CREATE INDEX activity_of_user ON activity (user_id, id);
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

# Made after the rows: one sort is faster than half a million insertions.
INDEXES = """
CREATE INDEX person_by_name ON person (folded);
CREATE INDEX person_by_birth_name ON person (folded_birth) WHERE folded_birth IS NOT NULL;
"""


class SearchError(ValueError):
    """What was typed cannot be searched for; the message is shown to the user."""


@dataclass(frozen=True)
class User:
    """Someone who may sign in. `password` is the stored scrypt text."""

    id: str
    email: str
    name: str
    password: str
    role: str
    place: str
    locale: str
    iban: str | None
    holder: str | None


@dataclass(frozen=True)
class Person:
    """An insured person as stored."""

    nir: str
    family_name: str
    usage_name: str | None
    first_name: str
    birth_date: date
    street: str
    postcode: str
    town: str
    long_illness: bool
    cover: str
    rights_open: bool

    @property
    def shown_name(self) -> str:
        """The name used every day: the usage name where there is one."""
        return self.usage_name or self.family_name


@dataclass(frozen=True)
class Activity:
    """One thing a user did: `at` in ISO 8601 (UTC), `record` the NIR concerned, if any, with its names."""

    at: str
    kind: str
    record: str | None
    last_name: str | None
    first_name: str | None


@dataclass(frozen=True)
class Page:
    """One page of a search: pages are numbered from 1."""

    persons: list[Person]
    total: int
    number: int
    pages: int


@dataclass(frozen=True)
class _Search:
    """The two statements of one kind of search; both take `low` and `high`."""

    count: str
    rows: str


_BY_NUMBER = _Search(
    "SELECT count(*) FROM person WHERE nir >= :low AND nir < :high",
    "SELECT * FROM person WHERE nir >= :low AND nir < :high ORDER BY nir LIMIT :size OFFSET :start",
)
# Whose everyday name matches comes before whose birth name does.
_BY_NAME = _Search(
    "SELECT count(*) FROM person WHERE (folded >= :low AND folded < :high) "
    "OR (folded_birth >= :low AND folded_birth < :high)",
    "SELECT * FROM person WHERE (folded >= :low AND folded < :high) "
    "OR (folded_birth >= :low AND folded_birth < :high) "
    "ORDER BY (folded >= :low AND folded < :high) DESC, folded, nir LIMIT :size OFFSET :start",
)


def fold(text: str) -> str:
    """Return `text` as names are compared: small letters without accents, other signs as one space."""
    spread = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "oe"))
    bare = "".join(sign for sign in spread if not unicodedata.combining(sign)).casefold()
    return " ".join(re.findall(r"[a-z0-9]+", bare))


def connect(path: Path) -> sqlite3.Connection:
    """Open the database in autocommit; every statement stands for itself."""
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


class Store:
    """Reads and writes of one request, on one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing for what is executed inside."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()

    def fact(self, name: str) -> str | None:
        """Return what is noted about this database under `name`."""
        row = self._connection.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def note_fact(self, name: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def user(self, user_id: str) -> User | None:
        """Return the user with this id, unless unknown or disabled."""
        return self._user("SELECT * FROM user WHERE id = ? AND disabled = 0", user_id)

    def user_by_email(self, email: str) -> User | None:
        """Return the user with this address (already lower case), unless unknown or disabled."""
        return self._user("SELECT * FROM user WHERE email = ? AND disabled = 0", email)

    def _user(self, query: str, value: str) -> User | None:
        row = self._connection.execute(query, (value,)).fetchone()
        return None if row is None else User(*(row[field.name] for field in fields(User)))

    def save_users(self, users: list[User]) -> None:
        """Write all of `users`, replacing those of the same id."""
        query = (
            "INSERT INTO user (id, email, name, password, role, place, locale, iban, holder) "
            "VALUES (:id, :email, :name, :password, :role, :place, :locale, :iban, :holder) "
            "ON CONFLICT (id) DO UPDATE SET email = excluded.email, name = excluded.name, "
            "password = excluded.password, role = excluded.role, place = excluded.place, "
            "locale = excluded.locale, iban = excluded.iban, holder = excluded.holder"
        )
        with self.transaction() as connection:
            connection.executemany(query, [asdict(user) for user in users])

    def set_bank_details(self, user_id: str, iban: str, holder: str) -> None:
        self._connection.execute("UPDATE user SET iban = ?, holder = ? WHERE id = ?", (iban, holder, user_id))

    def person(self, number: str) -> Person | None:
        """Return the person with these fifteen characters, or None."""
        row = self._connection.execute("SELECT * FROM person WHERE nir = ?", (number,)).fetchone()
        return None if row is None else _person(row)

    def person_count(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM person").fetchone()[0])

    def search(self, text: str, page: int) -> Page:
        """Find persons by number (whole, or its beginning) or by the beginning of the name.

        Args:
            text: what was typed.
            page: number of the page, from 1; a later one than the last gives the last.

        Raises:
            SearchError: too short, too long, or a number whose key is wrong.
        """
        kind, bounds = _condition(text)
        total = int(self._connection.execute(kind.count, bounds).fetchone()[0])
        pages = max(1, -(-total // PAGE_SIZE))
        number = min(page, pages)
        window = {"size": PAGE_SIZE, "start": (number - 1) * PAGE_SIZE}
        rows = self._connection.execute(kind.rows, {**bounds, **window})
        return Page([_person(row) for row in rows], total, number, pages)

    def note_activity(self, user_id: str, at: str, kind: str, record: str | None = None) -> None:
        """Remember what a user did; only the latest are kept."""
        with self.transaction() as connection:
            query = "INSERT INTO activity (user_id, at, kind, record) VALUES (?, ?, ?, ?)"
            connection.execute(query, (user_id, at, kind, record))
            connection.execute(
                "DELETE FROM activity WHERE user_id = ? AND id NOT IN "
                "(SELECT id FROM activity WHERE user_id = ? ORDER BY id DESC LIMIT ?)",
                (user_id, user_id, ACTIVITY_KEPT),
            )

    def latest_activity(self, user_id: str, limit: int) -> list[Activity]:
        """Return the latest `limit` entries of a user, newest first."""
        rows = self._connection.execute(
            "SELECT at, kind, record, coalesce(usage_name, family_name), first_name FROM activity "
            "LEFT JOIN person ON nir = record WHERE user_id = ? ORDER BY id DESC LIMIT ?",
            (user_id, limit),
        )
        return [Activity(*row) for row in rows]


def _person(row: sqlite3.Row) -> Person:
    return Person(
        nir=row["nir"],
        family_name=row["family_name"],
        usage_name=row["usage_name"],
        first_name=row["first_name"],
        birth_date=date.fromisoformat(row["birth_date"]),
        street=row["street"],
        postcode=row["postcode"],
        town=row["town"],
        long_illness=bool(row["long_illness"]),
        cover=row["cover"],
        rights_open=bool(row["rights_open"]),
    )


def _condition(text: str) -> tuple[_Search, dict[str, str]]:
    if len(text) > 80:
        raise SearchError("La recherche est limitée à 80 caractères.")
    number = nir.compact(text)
    if number[:1].isdecimal():
        return _number_condition(number)
    name = fold(text)
    if len(name) < 2:
        raise SearchError("Saisissez au moins deux lettres du nom, ou un numéro de sécurité sociale.")
    # "{" follows every letter and digit in ASCII, so it closes the range of what begins with `name`.
    return _BY_NAME, {"low": name, "high": name + "{"}


def _number_condition(number: str) -> tuple[_Search, dict[str, str]]:
    if not re.fullmatch(r"[0-9]{1,6}|[0-9]{6}[0-9AB][0-9]*", number):
        raise SearchError("Un numéro de sécurité sociale ne comporte que des chiffres, sauf 2A ou 2B en Corse.")
    if len(number) < 5:
        raise SearchError("Saisissez au moins les cinq premiers chiffres du numéro.")
    if len(number) > nir.LENGTH:
        raise SearchError("Un numéro de sécurité sociale comporte 13 caractères et une clé de 2 chiffres.")
    if len(number) == nir.LENGTH and not nir.is_valid(number):
        raise SearchError("La clé ne correspond pas au numéro\N{NO-BREAK SPACE}: vérifiez la saisie.")
    return _BY_NUMBER, {"low": number, "high": number + "~"}
