"""Nets for what is easily forgotten: a table that outlives its account, a notice or a call that no page tells of."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from sqlalchemy import Table

from mfa_gate import MFAGate
from mfa_gate.notices.kinds import NOTICE_KINDS
from mfa_gate.store.schema import metadata
from tests.support.abuse_table import ROWS

DOCS = Path(__file__).parent.parent.parent / "docs"
# what hangs on no account by its id, and why it may stay
OUTLIVES = {
    "mfa_accounts": "is what is deleted",
    "mfa_events": "names the random subject, which nothing connects with the id any more",
    "mfa_reads": "likewise: who was read stays on record until it is purged",
    "mfa_counters": "holds keyed hashes, and ends with the longest window",
    "mfa_fan_in": "holds keyed hashes, and ends within the hour",
    "mfa_pressure": "counts of sources",
    "mfa_crowds": "keyed hashes of a day's readers",
    "mfa_audit_anchors": "ends of chains",
    "mfa_milestones": "of the store as a whole",
    "mfa_keys": "of the store as a whole",
}


def hangs_on_an_account(table: Table, seen: frozenset[str] = frozenset()) -> bool:
    """Whether the rows of a table go with their account, by foreign keys that cascade."""
    return any(
        key.ondelete == "CASCADE"
        and (key.column.table.name == "mfa_accounts" or hangs_on_an_account(key.column.table, seen | {table.name}))
        for key in table.foreign_keys
        if key.column.table.name not in seen
    )


@pytest.mark.parametrize("name", sorted(metadata.tables))
def test_every_table_goes_with_its_account_or_says_why_it_stays(name: str) -> None:
    assert hangs_on_an_account(metadata.tables[name]) != (name in OUTLIVES)


@pytest.mark.parametrize("name", sorted(metadata.tables))
def test_a_column_that_names_an_account_is_a_foreign_key(name: str) -> None:
    bare = {column.name for column in metadata.tables[name].columns if not column.foreign_keys}
    assert "account_id" not in bare
    assert "subject" not in bare or name in OUTLIVES


def test_every_row_of_the_abuse_table_stands_in_the_documentation() -> None:
    page = (DOCS / "security.md").read_text(encoding="utf-8")
    assert [row for row in ROWS if f"\n| {row} |" not in page] == []


def test_every_argument_and_call_of_the_gate_is_documented() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in [*DOCS.glob("*.md"), DOCS.parent / "README.md"])
    arguments = set(inspect.signature(MFAGate.__init__).parameters) - {"self", "app"}
    calls = {name for name in vars(MFAGate) if not name.startswith("_")}
    assert sorted(name for name in arguments | calls if name not in pages) == []


def test_every_kind_of_notice_is_documented() -> None:
    page = (DOCS / "notices.md").read_text(encoding="utf-8")
    assert sorted(name for name in NOTICE_KINDS if f"`{name}`" not in page) == []
