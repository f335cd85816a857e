"""Half a million insured persons who do not exist, the same ones on every machine.

No number can be that of a real person: the commune part of each is one that INSEE has given to no commune or
country (920 to 989 in a department, 70 to 89 overseas, 900 to 989 abroad), while its form and key are right.
"""

from __future__ import annotations

import os
import random
import sqlite3
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

from . import nir
from .names import FAMILY_NAMES, FEMALE_FIRST_NAMES, MALE_FIRST_NAMES
from .places import DEPARTMENT_WEIGHTS, STREETS, TOWNS
from .store import INDEXES, SCHEMA, fold

DEFAULT_RECORDS = 510_000
MOST_RECORDS = 2_000_000
FIRST_YEAR, LAST_YEAR = 1928, 2025
SEED = 20_220_317
CHUNK = 10_000

Progress = Callable[[int, int], None]
Row = tuple[str, str, str | None, str, str, str, str, str, int, str, int, str, str | None]


def build(path: Path, records: int = DEFAULT_RECORDS, progress: Progress | None = None) -> None:
    """Make the portal's database at `path` with `records` persons and no user.

    It is written beside `path` and renamed when whole, so that an interruption leaves nothing half made.

    Args:
        path: where the database is to be; an existing one is replaced.
        records: how many persons, 1 to 2,000,000.
        progress: called now and then with the number done and the number wanted.

    Raises:
        ValueError: `records` out of range.
        OSError, sqlite3.Error: the folder cannot be written.
    """
    if not 1 <= records <= MOST_RECORDS:
        raise ValueError(f"the number of records goes from 1 to {MOST_RECORDS:,}")
    draft = path.with_name(path.name + ".part")
    draft.unlink(missing_ok=True)
    try:
        _write(draft, records, progress or (lambda done, wanted: None))
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _write(draft: Path, records: int, progress: Progress) -> None:
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        # Nobody reads the draft and a torn one is thrown away, so it needs no journal.
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -200000")
        connection.executescript(SCHEMA)
        connection.execute("BEGIN")
        for done, rows in _chunks(records):
            connection.executemany("INSERT INTO person VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", rows)
            progress(done, records)
        connection.execute("COMMIT")
        connection.executescript(INDEXES)
        connection.executescript("PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL; ANALYZE;")
    finally:
        connection.close()
    draft.chmod(0o600)


def _chunks(records: int) -> Iterator[tuple[int, list[Row]]]:
    rng = random.Random(SEED)
    # In order of the key, rows are appended to the table instead of being inserted all over it.
    ordered = sorted(numbers(rng, records))
    for start in range(0, records, CHUNK):
        chunk = ordered[start : start + CHUNK]
        yield start + len(chunk), _rows(rng, chunk)


def numbers(rng: random.Random, count: int) -> set[str]:
    """Draw `count` different numbers with their keys."""
    years = range(FIRST_YEAR, LAST_YEAR + 1)
    year_weights = list(accumulate(_year_weight(year) for year in years))
    departments = tuple(DEPARTMENT_WEIGHTS)
    department_weights = list(accumulate(DEPARTMENT_WEIGHTS.values()))
    drawn: set[str] = set()
    while len(drawn) < count:
        # What lacks after equal ones fell together is drawn in the next round.
        size = count - len(drawn)
        columns = zip(
            rng.choices("12", k=size),
            rng.choices(years, cum_weights=year_weights, k=size),
            rng.choices(range(1, 13), k=size),
            rng.choices(departments, cum_weights=department_weights, k=size),
            rng.choices(range(1_000_000), k=size),
            strict=True,
        )
        for sex, year, month, department, spot in columns:
            place = birthplace(department, year, spot // 1000)
            drawn.add(nir.with_key(f"{sex}{year % 100:02d}{month:02d}{place}{spot % 999 + 1:03d}"))
    return drawn


def birthplace(department: str, year: int, spot: int) -> str:
    """Return the five characters for a birth in `department` (of today) in `year`.

    Corsica was one department until 1976, and those round Paris were Seine (75) and Seine-et-Oise (78) until
    1968: numbers keep the code of the day of birth. `spot`, 0 to 999, picks the commune.
    """
    if department in ("2A", "2B") and year < 1976:
        department = "20"
    elif year < 1968 and department in ("91", "95"):
        department = "78"
    elif year < 1968 and department in ("92", "93", "94"):
        department = "75"
    if len(department) == 3:
        return f"{department}{70 + spot % 20:02d}"
    return f"99{900 + spot % 90}" if department == "99" else f"{department}{920 + spot % 70}"


def birth_year(number: str) -> int:
    """Return the year of birth of an invented person; the years drawn leave no doubt about the century."""
    two_digits = int(number[1:3])
    return 1900 + two_digits if two_digits >= FIRST_YEAR % 100 else 2000 + two_digits


def _year_weight(year: int) -> int:
    age = LAST_YEAR - year
    baby_boom = 4 if 1946 <= year <= 1973 else 0
    return 26 + baby_boom - max(0, age - 68) * 23 // 29


def _usual_first(names: tuple[str, ...], floor: float) -> list[float]:
    return list(accumulate(1 / (rank + 12) + floor for rank in range(len(names))))


_FAMILY_WEIGHTS = _usual_first(FAMILY_NAMES, 0.001)
_ERAS = sorted(FEMALE_FIRST_NAMES)
_FOLDED = {name: fold(name) for name in FAMILY_NAMES} | {
    name: fold(name) for eras in (FEMALE_FIRST_NAMES, MALE_FIRST_NAMES) for names in eras.values() for name in names
}
_TOWNS_OF: dict[str, list[tuple[str, str]]] = {}
for _town in TOWNS:
    _TOWNS_OF.setdefault(_town[0][:3] if _town[0].startswith("97") else _town[0][:2], []).append(_town)
for _code in ("2A", "2B"):
    _TOWNS_OF[_code] = _TOWNS_OF["20"]


def _rows(rng: random.Random, chunk: list[str]) -> list[Row]:
    size = len(chunk)
    family = rng.choices(FAMILY_NAMES, cum_weights=_FAMILY_WEIGHTS, k=size)
    spouse = rng.choices(FAMILY_NAMES, cum_weights=_FAMILY_WEIGHTS, k=size)
    elsewhere = rng.choices(TOWNS, k=size)
    street = rng.choices(STREETS, k=size)
    house = rng.choices(range(1, 120), k=size)
    draw = rng.random
    return [
        _row(drawn, (draw(), draw(), draw(), draw(), draw()))
        for drawn in zip(chunk, family, spouse, elsewhere, street, house, strict=True)
    ]


def _row(drawn: tuple[str, str, str, tuple[str, str], str, int], draw: tuple[float, float, float, float, float]) -> Row:
    number, family, spouse, elsewhere, street, house = drawn
    year, month, female = birth_year(number), int(number[3:5]), number[0] == "2"
    eras = FEMALE_FIRST_NAMES if female else MALE_FIRST_NAMES
    era = eras[_ERAS[bisect_left(_ERAS, year)]]
    first = era[int(draw[0] * len(era))]
    born = f"{year}-{month:02d}-{1 + int(draw[1] * _DAYS[year, month]):02d}"
    near = _TOWNS_OF.get(number[5:7]) or _TOWNS_OF.get(number[5:8])
    postcode, town = near[int(draw[2] / 0.65 * len(near))] if near and draw[2] < 0.65 else elsewhere
    married = female and spouse != family and draw[3] < _share_of_usage_names(year)
    folded_birth = f"{_FOLDED[family]} {_FOLDED[first]}"
    folded = f"{_FOLDED[spouse]} {_FOLDED[first]}" if married else folded_birth
    long_illness, cover, rights_open = _rights(year, draw[4])
    return (
        number,
        family,
        spouse if married else None,
        first,
        born,
        f"{house} {street}",
        postcode,
        town,
        long_illness,
        cover,
        rights_open,
        folded,
        folded_birth if married else None,
    )


_DAYS = {
    (year, month): monthrange(year, month)[1] for year in range(FIRST_YEAR, LAST_YEAR + 1) for month in range(1, 13)
}


def _share_of_usage_names(year: int) -> float:
    return 0.8 if year < 1960 else 0.6 if year < 1980 else 0.35 if year < 1998 else 0.0


def _rights(year: int, draw: float) -> tuple[int, str, int]:
    """Long illness (0 or 1), complementary cover and whether rights are open, from one draw in 0 to 1."""
    share = 0.45 if year < 1950 else 0.25 if year < 1970 else 0.08 if year < 1990 else 0.03
    within = (draw * 1000) % 1
    cover = "CSS" if within < 0.11 else "AMC" if within < 0.95 else ""
    return int(draw < share), cover, int(within < 0.985)
