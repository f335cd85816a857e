"""The house itself: tables are what the migrations make, and every sentence is in the catalogues."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from sqlalchemy import create_engine

import mfa_gate
from mfa_gate.store import migrate
from mfa_gate.store.schema import metadata
from mfa_gate.web.language import catalogue

PACKAGE = Path(mfa_gate.__file__).parent
TRANSLATIONS = PACKAGE / "web" / "translations"
LONGEST_MODULE = 400
ROOT = Path(__file__).parent.parent.parent


def test_the_head_is_the_newest_migration_and_there_is_one_line_of_them() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [migrate.HEAD]
    newest = max(file.name for file in (migrate.MIGRATIONS / "versions").glob("[0-9]*.py"))
    assert newest.startswith(f"{migrate.HEAD}_")


def test_the_migrations_make_the_tables_of_the_schema(database_url: str) -> None:
    engine = create_engine(database_url)

    def is_ours(_object: object, name: str | None, kind: str, *_: object) -> bool:
        return not (kind == "table" and name == migrate.VERSION_TABLE)

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": False, "include_object": is_ours}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_every_table_can_stand_in_the_portals_own_database() -> None:
    assert all(name.startswith("mfa_") for name in metadata.tables)
    assert migrate.VERSION_TABLE.startswith("mfa_")


@pytest.fixture(scope="module")
def french() -> Catalog:
    with (TRANSLATIONS / "fr" / "LC_MESSAGES" / "mfa_gate.po").open("rb") as file:
        return read_po(file, locale="fr")


@pytest.fixture(scope="module")
def sentences() -> set[str]:
    """Every sentence that the code and the templates mark for translation."""
    with (TRANSLATIONS / "babel.cfg").open() as file:
        mapping, options = parse_mapping_cfg(file)
    keywords = {"_": None, "N_": None, "t": None, "gettext": None}
    found = extract_from_dir(PACKAGE.parent, mapping, options, keywords=keywords)
    return {message for _file, _line, message, _comments, _context in found if message}


def test_every_sentence_of_the_code_is_in_the_french_catalogue_and_no_other(
    french: Catalog, sentences: set[str]
) -> None:
    assert len(sentences) > 50
    ids = {message.id for message in french if message.id}
    assert sentences - ids == set()
    assert ids - sentences == set()
    assert not french.obsolete


def test_the_template_catalogue_is_up_to_date(sentences: set[str]) -> None:
    with (TRANSLATIONS / "mfa_gate.pot").open("rb") as file:
        assert {message.id for message in read_po(file) if message.id} == sentences


def test_the_french_catalogue_is_complete_and_sure(french: Catalog) -> None:
    assert [message.id for message in french if message.id and not message.string] == []
    assert [message.id for message in french if message.id and message.fuzzy] == []
    assert [fault for _message, faults in french.check() for fault in faults] == []


def test_the_placeholders_of_a_translation_are_those_of_its_sentence(french: Catalog) -> None:
    for message in french:
        if message.id:
            wanted = sorted(re.findall(r"%\(\w+\)s", str(message.id)))
            assert sorted(re.findall(r"%\(\w+\)s", str(message.string))) == wanted, message.id


def test_the_compiled_catalogue_speaks_french(french: Catalog) -> None:
    translate = catalogue("fr")
    assert translate("Please sign in.") != "Please sign in."
    assert {message.id for message in french if message.id and translate(str(message.id)) != message.string} == set()
    assert catalogue("en")("Please sign in.") == "Please sign in."


def test_every_sentence_of_a_refusal_is_translated(french: Catalog) -> None:
    from mfa_gate import exc

    refusals = [kind for kind in vars(exc).values() if isinstance(kind, type) and issubclass(kind, exc.Refusal)]
    assert len(refusals) > 10
    for kind in refusals:
        assert french.get(kind.sentence) is not None, kind
    codes = [kind.code for kind in refusals if "code" in vars(kind)]
    assert len(codes) == len(set(codes))


def test_modules_stay_short() -> None:
    long = {str(file): len(file.read_text().splitlines()) for file in PACKAGE.rglob("*.py")}
    assert {name: lines for name, lines in long.items() if lines > LONGEST_MODULE} == {}


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_each_test_that_the_documentation_names_is_there(page: Path) -> None:
    named = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", page.read_text()))
    texts = {file.name: file.read_text() for file in (ROOT / "tests").rglob("test_*.py")}
    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in texts.get(file, "")]
    assert not missing
