"""The page of the architecture says what is: rooms, layers, and every name of the code on it."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import reduce
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import mfa_gate

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TESTS = ROOT / "tests"
PACKAGE = Path(mfa_gate.__file__).parent
ROOMS = {file.name.removesuffix(".py") for file in PACKAGE.iterdir() if not file.name.startswith(("_", "py.typed"))}
NAMED = sorted(set(re.findall(rf"(?<![\w./])((?:{'|'.join(sorted(ROOMS))})(?:\.\w+)+)", PAGE)))


def test_each_room_has_a_line_and_no_line_is_of_a_room_that_is_gone() -> None:
    lines = re.findall(r"^\| `(\w+)` \|", PAGE, re.M)
    assert sorted(lines) == sorted(ROOMS)


def test_the_layers_are_those_that_import_linter_checks() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert "```\n" + "\n".join(layers) + "\n```" in PAGE


def test_rooms_are_marked_as_flasks_where_import_linter_lets_them_import_it() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    allowed = next(contract["allowed_importers"] for contract in contracts if "flask" in str(contract))
    marked = re.findall(r"^\| `(\w+)` \|.*\| Flask \|$", PAGE, re.M)
    assert sorted(marked) == sorted(name.removeprefix("mfa_gate.") for name in allowed if name.startswith("mfa_gate."))


@pytest.mark.parametrize("name", NAMED)
def test_what_the_page_names_is_there(name: str) -> None:
    def member(where: Any, part: str) -> Any:
        if isinstance(where, ModuleType) and not hasattr(where, part):
            return import_module(f"{where.__name__}.{part}")
        if part in getattr(where, "__annotations__", {}):
            return where.__annotations__[part]
        return getattr(where, part)

    assert reduce(member, name.split("."), mfa_gate) is not None


def test_the_page_names_the_steps_by_their_functions() -> None:
    assert len(NAMED) > 30


def _imported(file: Path) -> set[str]:
    """All that a module imports, at its top or inside: modules, and what may be modules of a package."""
    found = set[str]()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_no_module_imports_a_module_of_tests() -> None:
    """Helpers of several test modules stand in tests/support: a test can then be changed without a look at others."""
    of_tests = re.compile(r"tests\.(unit|scenarios|world)\b|tests\.red\.test_")
    found = {
        (str(file.relative_to(ROOT)), name)
        for file in TESTS.rglob("*.py")
        for name in _imported(file)
        if of_tests.match(name)
    }
    assert sorted(found) == []
