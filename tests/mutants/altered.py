"""Where a mutant differs from what it was made of: the lines that a test has to run to notice it."""

from __future__ import annotations

import ast
import json
import textwrap
from functools import cache
from pathlib import Path


def lines_altered(root: Path, name: str) -> tuple[str, range]:
    """The file of a mutant, and the lines (from 1) of the statement in it, in its original, that the mutant alters.

    Args:
        root: the folder that mutmut has written.
        name: of the mutant.

    Returns:
        The whole function where its head is altered.
    """
    module, _, own = name.rpartition(".")
    path = root / (module.replace(".", "/") + ".py")
    source, spans = _file(path)
    original = own.rpartition("_")[0] + "_orig"
    begin, end = spans[original]
    was, altered = source[begin:end], "\n".join(source[slice(*spans[own])]).replace(own, original).split("\n")
    first = next((at for at, pair in enumerate(zip(was, altered, strict=False)) if pair[0] != pair[1]), 0)
    for statement in _statements("\n".join(was)):
        if first + 1 in statement:
            return str(path), range(begin + statement.start, begin + statement.stop)
    return str(path), range(begin + 1, end + 1)


@cache
def _file(path: Path) -> tuple[list[str], dict[str, list[int]]]:
    spans = json.loads(path.with_name(path.name + ".spans").read_text())["spans"]
    return path.read_text().split("\n"), spans


@cache
def _statements(function: str) -> list[range]:
    """Lines of the statements in a function, the shortest first: of one that holds others, its head."""
    found = []
    for node in ast.walk(ast.parse(textwrap.dedent(function)).body[0]):
        if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = getattr(node, "body", None)
            found.append(range(node.lineno, body[0].lineno if body else (node.end_lineno or node.lineno) + 1))
    return sorted(found, key=len)
