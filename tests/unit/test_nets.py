"""Nets for what is easily forgotten: a table that outlives its account, a notice or a call that no page tells of."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, Table, insert, select

from mfa_gate import MFAGate
from mfa_gate.notices.kinds import NOTICE_KINDS
from mfa_gate.store.schema import metadata
from tests.support.abuse_table import ROWS, marked
from tests.support.portal import Portal

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.S | re.M)
# what hangs on no account by its id, and why it may stay
OUTLIVES = {
    "mfa_accounts": "is what is deleted",
    "mfa_events": "names the random subject, which nothing connects with the id any more",
    "mfa_reads": "likewise: who was read stays on record until it is purged",
    "mfa_counters": "holds keyed hashes, and ends with the longest window",
    "mfa_fan_in": "holds keyed hashes, and ends after a day",
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


def rows_of(account: str, subject: str) -> Iterator[tuple[Table, dict[str, Any]]]:
    """One row in each table that hangs on an account, after what it hangs on itself."""
    for table in metadata.sorted_tables:
        if hangs_on_an_account(table):
            yield table, {column.name: value_of(column, account, subject) for column in table.columns}


def value_of(column: Column[Any], account: str, subject: str) -> Any:
    """Anything that the column can hold; of the account where it leads to one."""
    for key in column.foreign_keys:
        if key.column.name != "id" or key.column.table.name == "mfa_accounts":
            return subject if key.column.name == "subject" else account
        return f"{account}-{key.column.table.name}"
    if isinstance(column.type, Boolean):
        return False
    if isinstance(column.type, BigInteger) and column.primary_key:
        return {"anne": 1, "bob": 2}[account]
    if isinstance(column.type, Integer | Double):
        return 1
    return f"{account}-{column.table.name}"[: column.type.length]  # type: ignore[attr-defined]


def test_forget_empties_every_table_of_the_account_and_of_no_other(portal: Portal) -> None:
    store = portal.app.extensions["mfa_gate"].services.store
    accounts = metadata.tables["mfa_accounts"]
    with store.begin() as tx:
        for account in ("anne", "bob"):
            tx.execute(insert(accounts).values(id=account, subject=f"subject-{account}", created_at=1))
            for table, values in rows_of(account, f"subject-{account}"):
                tx.execute(insert(table).values(**values))
    with portal.app.app_context():
        assert portal.gate.forget("anne")
    with store.begin() as tx:
        for table in (accounts, *(table for table, _ in rows_of("anne", ""))):
            (left,) = tx.execute(select(table))
            assert "anne" not in " ".join(map(str, left)), table.name


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def cells(text: str) -> list[list[str]]:
    """The cells of each line of the tables of a page."""
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:2] == "| "]


def test_every_row_of_the_abuse_table_stands_in_the_documentation_with_its_tests() -> None:
    shown = {row[0]: row for row in cells(page("security.md").partition("## The abuse table")[2])}
    tests = marked()
    for row, (attack, promise) in ROWS.items():
        assert row in shown, f"{row}: run `python -m tests.support.abuse_table`"
        assert shown[row][1:3] == [attack, promise], row
        named = set(re.findall(r"`(test_\w+\.py::test_\w+)`", shown[row][3]))
        assert named, f"{row} has no test"
        assert named <= set(tests[row]), f"{row}: run `python -m tests.support.abuse_table`"


def test_every_promise_that_an_attack_is_held_against_is_explained() -> None:
    explained = set(re.findall(r"^\| (P\d+) \|", page("security.md"), re.M))
    assert {promise for _, promise in ROWS.values()} <= explained


@pytest.mark.parametrize("name", [name for name in vars(MFAGate) if not name.startswith("_")])
def test_every_public_name_of_the_gate_is_in_the_guide(name: str) -> None:
    assert re.search(rf"`@?gate\.{name}\b", page("integrating.md")), f"gate.{name} in docs/integrating.md"


@pytest.mark.parametrize("name", inspect.signature(MFAGate).parameters)
def test_every_argument_of_the_gate_is_in_the_guide(name: str) -> None:
    assert f"`{name}=`" in page("integrating.md"), f"MFAGate({name}=...) in docs/integrating.md"


def test_every_kind_of_notice_is_documented_with_what_it_says() -> None:
    table = cells(page("notices.md").partition("## Kinds")[2].partition("\n## ")[0])[1:]
    told = [[f"`{name}`", kind.sentence, "yes" if kind.alarming else "no"] for name, kind in NOTICE_KINDS.items()]
    assert table == told


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_leads_somewhere(file: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", file.read_text(encoding="utf-8"))):
        if not link.startswith(("https://", "http://localhost")):
            path, _, part = link.partition("#")
            to = (file.parent / path).resolve() if path else file
            assert to.exists(), link
            assert not part or part in anchors(to), link


def test_every_page_of_decisions_and_every_example_is_linked_from_where_readers_begin() -> None:
    begins = (ROOT / "README.md").read_text(encoding="utf-8")
    for example in (DOCS / "examples").glob("*.py"):
        assert f"(docs/examples/{example.name})" in begins, example.name
    for decided in (DOCS / "decisions").glob("*.md"):
        assert f"(decisions/{decided.name}" in page("decisions.md"), decided.name


def anchors(file: Path) -> set[str]:
    """What the headings of a page are linked to by, as forges make it."""
    text = re.sub(r"^```.*?^```", "", file.read_text(encoding="utf-8"), flags=re.S | re.M)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.M)
    }


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_command_of_make_and_every_module_that_is_named_is_there(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    rules = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.M)) - rules == set()
    modules = set(re.findall(r"python -m ((?:tests|benchmarks|demo_app)[\w.]*)", text))
    assert [module for module in modules if find_spec(module) is None] == []


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_name_that_a_piece_of_code_imports_is_there(file: Path) -> None:
    for code in re.findall(r"^```python\n(.*?)^```", file.read_text(encoding="utf-8"), re.S | re.M):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mfa_gate"):
                module = import_module(node.module or "")
                assert [name.name for name in node.names if not hasattr(module, name.name)] == []
