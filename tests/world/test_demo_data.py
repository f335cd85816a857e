"""The invented persons of the demo: numbers with right keys, the same on every machine, none of a real person."""

from __future__ import annotations

import random
import re
import sqlite3
import stat
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo_app import bank, data, nir, record
from demo_app.names import FEMALE_FIRST_NAMES, MALE_FIRST_NAMES
from demo_app.store import SearchError, Store, connect, fold

SOME = 12_000
TODAY = date(2026, 11, 24)


def key_by_hand(number: str) -> int:
    """The key another way: 2A and 2B are written 19 and 18, which is what taking the millions off amounts to."""
    return 97 - int(number.replace("2A", "19").replace("2B", "18")) % 97


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "portal.sqlite3"
    data.build(path, SOME)
    return path


@pytest.fixture
def store(database: Path) -> Iterator[Store]:
    store = Store(connect(database))
    yield store
    store.close()


def rows(path: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT * FROM person ORDER BY nir").fetchall()
    connection.close()
    return found


@pytest.mark.parametrize("full", ["295109912611193", "186022A21532523", "253072B07300470", "180127512345642"])
def test_number_with_right_key_is_valid(full: str) -> None:
    """Examples in public use, Corsica among them."""
    assert nir.is_valid(full)
    assert nir.key(full[:13]) == key_by_hand(full[:13]) == int(full[13:])


@pytest.mark.parametrize(
    "full",
    [
        "295109912611194",
        "295139912611182",
        "395109912611193",
        "29510991261119",
        "2951099126111931",
        "",
        "\N{FULLWIDTH DIGIT TWO}95109912611193",
        "29510991261119A",
        "286022C21532523",
    ],
)
def test_anything_else_is_not(full: str) -> None:
    assert not nir.is_valid(full)


def test_department_20_only_means_corsica_before_it_was_two() -> None:
    assert data.birthplace("2A", 1975, 5).startswith("20")
    assert data.birthplace("2A", 1976, 5).startswith("2A")
    assert nir.parse(nir.with_key("1751220925001")).department == "20"


def test_overseas_department_has_three_digits_and_commune_two() -> None:
    parts = nir.parse(nir.with_key("2900597481003"))
    assert (parts.department, parts.commune) == ("974", "81")


@pytest.mark.world
@pytest.mark.timeout(1800)  # minutes on a busy machine
def test_half_a_million_by_default(tmp_path: Path) -> None:
    """All 510,000, each with a different number whose key is right."""
    path = tmp_path / "portal.sqlite3"
    data.build(path)
    numbers = [str(row[0]) for row in rows(path)]
    assert len(numbers) == len(set(numbers)) == data.DEFAULT_RECORDS == 510_000
    assert all(int(number[13:]) == key_by_hand(number[:13]) for number in numbers)


def test_same_persons_at_every_build(database: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.sqlite3"
    data.build(again, SOME)
    assert rows(again) == rows(database)


def test_row_agrees_with_its_number(database: Path, store: Store) -> None:
    """Sex, year and month of the number are those of the first name and the day of birth."""
    women = {name for names in FEMALE_FIRST_NAMES.values() for name in names}
    men = {name for names in MALE_FIRST_NAMES.values() for name in names}
    for row in rows(database):
        person = store.person(str(row[0]))
        assert person is not None
        parts = nir.parse(person.nir)
        assert (person.birth_date.year % 100, person.birth_date.month) == (parts.year, parts.month)
        assert person.first_name in (women if parts.sex == 2 else men)
        assert person.usage_name is None or (parts.sex == 2 and person.birth_date.year < 1998)


def test_no_number_can_belong_to_a_real_person(database: Path) -> None:
    """Every commune code lies where INSEE has given none."""
    for row in rows(database):
        parts = nir.parse(str(row[0]))
        given_to_none = {2: range(70, 90), 3: range(900 if parts.department == "99" else 920, 990)}
        assert int(parts.commune) in given_to_none[len(parts.commune)]


def test_every_department_occurs(database: Path) -> None:
    departments = {nir.parse(str(row[0])).department for row in rows(database)}
    assert {"2A", "2B", "20", "971", "972", "973", "974", "976", "99", "01", "95"} <= departments


def test_interrupted_build_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "portal.sqlite3"

    def interrupt(done: int, wanted: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        data.build(path, SOME, interrupt)
    assert list(tmp_path.iterdir()) == []


def test_leftover_of_a_killed_build_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "portal.sqlite3"
    path.with_name("portal.sqlite3.part").write_bytes(b"half of it")
    data.build(path, 50)
    assert [entry.name for entry in tmp_path.iterdir()] == ["portal.sqlite3"]
    assert len(rows(path)) == 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("records", [0, -1, data.MOST_RECORDS + 1])
def test_number_of_persons_out_of_range(tmp_path: Path, records: int) -> None:
    with pytest.raises(ValueError, match="from 1 to"):
        data.build(tmp_path / "portal.sqlite3", records)


def test_progress_ends_with_all(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    data.build(tmp_path / "portal.sqlite3", SOME, lambda done, wanted: seen.append((done, wanted)))
    assert seen[-1] == (SOME, SOME)


def test_search_by_number_with_and_without_spaces_and_key(database: Path, store: Store) -> None:
    number = str(rows(database)[100][0])
    for text in (number, nir.spaced(number), number[:13], number.lower(), f" {number[:1]}-{number[1:]} "):
        assert [person.nir for person in store.search(text, 1).persons] == [number]


def test_search_by_name_ignores_case_and_accents(store: Store) -> None:
    page = store.search("LEFÈVRE", 1)
    assert page.total == store.search("lefevre", 1).total > 0
    assert all(fold("Lefèvre") in (fold(p.family_name), fold(p.shown_name)) for p in page.persons)


def test_search_puts_everyday_names_before_birth_names(store: Store) -> None:
    first = store.search("martin", 1)
    found = [person for number in range(1, first.pages + 1) for person in store.search("martin", number).persons]
    everyday = [fold(person.shown_name).startswith("martin") for person in found]
    assert len(found) == first.total
    assert everyday == sorted(everyday, reverse=True)
    assert not all(everyday)


def test_search_page_after_the_last_is_the_last(store: Store) -> None:
    page = store.search("ma", 999_999)
    assert page.number == page.pages > 1
    assert page.persons


@pytest.mark.parametrize("text", ["a", "1", "12", "1841275x", "1" * 15, "9" * 60, "b" * 81, "%", "\x00", "١٢٣٤٥"])
def test_what_cannot_be_searched_for_gets_a_sentence(store: Store, text: str) -> None:
    with pytest.raises(SearchError, match=r"\.$"):
        store.search(text, 1)


@given(st.text(max_size=90))
def test_search_never_fails_otherwise(database: Path, text: str) -> None:
    store = Store(connect(database))
    try:
        store.search(text, 1)
    except SearchError:
        pass
    finally:
        store.close()


def test_record_shows_the_same_whenever_it_is_opened(database: Path, store: Store) -> None:
    """A week later the old lines are still there, and none lies in the future."""
    for row in rows(database)[::400]:
        person = store.person(str(row[0]))
        assert person is not None
        now, later = record.details(person, TODAY), record.details(person, TODAY + timedelta(days=6))
        assert (now.doctor, now.phone, now.iban, now.insurer) == (later.doctor, later.phone, later.iban, later.insurer)
        assert later.reimbursements[len(later.reimbursements) - len(now.reimbursements) :] == now.reimbursements
        assert all(line.day <= TODAY for line in now.reimbursements)
        assert all(0 <= line.paid + line.complementary <= line.cents for line in now.reimbursements)
        assert re.fullmatch(r"06 39 98 \d\d \d\d", now.phone)


@pytest.mark.parametrize(
    "text", ["DE89 3704 0044 0532 0130 00", "fr76-3000-6000-0112-3456-7890-189", "BE68539007547034"]
)
def test_iban_that_is_right(text: str) -> None:
    assert bank.check_iban(text).isalnum()


@pytest.mark.parametrize(
    "text", ["", "FR76 3000 6000 0112 3456 7890 188", "FR76", "US64SVBKUS6S3300958879", "FR76" + "٣" * 23, "x" * 200]
)
def test_iban_that_is_wrong(text: str) -> None:
    with pytest.raises(bank.BankError):
        bank.check_iban(text)


def test_invented_iban_is_right_and_at_no_bank() -> None:
    for seed in range(200):
        iban = bank.invented_iban(random.Random(seed))
        assert bank.check_iban(iban) == iban
        assert iban[4:9] == "99999"
        assert "•" * 4 in bank.mask(iban)
