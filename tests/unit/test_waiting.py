"""A net for tests that go by how fast the machine is: they wait for the thing itself, with `tests.support.waiting`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.waiting import NET, until

TESTS = Path(__file__).parent.parent
LEAST = 60  # seconds of a net against hanging for ever
CLOCKS = frozenset({"monotonic", "monotonic_ns", "perf_counter", "process_time", "time"})
# take seconds without a name
BY_NUMBER = frozenset({"create_connection", "join", "result", "settimeout", "timeout", "until", "wait"})
OF_PAGES = ("click", "expect_", "fill", "goto", "launch", "set_default_", "wait_for_")  # count in milliseconds
# file and word of places that may do it all the same, how many they are, and why
MAY = {
    ("support/waiting.py", "sleep"): (1, "is what all others wait with"),
    ("support/waiting.py", "monotonic"): (2, "is what all others wait with"),
    ("support/demo.py", "time"): (1, "makes the code that a program with a real clock takes for a minute"),
    ("support/browser.py", "new_context"): (1, "gives its pages the time they need"),
    ("mutants/plugin.py", "monotonic"): (4, "chooses tests by what they take, and ends what hangs"),
    ("red/desk.py", "sleep"): (1, "opens a race for `make red` where a defence is taken out"),
    ("unit/notices/test_notices_send.py", "timeout"): (3, "the most that a mail or a call may take is what is tested"),
    ("unit/notices/test_notices_send.py", "wait"): (1, "the pace of a server that says little at a time"),
    ("unit/test_waiting.py", "until"): (1, "waits for what never comes"),
}


def words_in(source: str) -> Iterator[tuple[str, int]]:
    """What a file waits by, or measures: a word for each place, and its line."""
    tree = ast.parse(source)
    numbers = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }

    def is_short(node: ast.expr, least: float) -> bool:
        inner = [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]
        values = [numbers.get(one.id) if isinstance(one, ast.Name) else getattr(one, "value", None) for one in inner]
        return any(type(value) in (int, float) and value < least for value in values)

    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield "from time import", node.lineno  # where it would not be seen below
        elif isinstance(node, ast.arguments):
            named = [*node.posonlyargs, *node.args]
            given = [*zip(named[len(named) - len(node.defaults) :], node.defaults, strict=True)]
            given += [(name, value) for name, value in zip(node.kwonlyargs, node.kw_defaults, strict=True) if value]
            yield from (
                ("timeout", name.lineno) for name, value in given if "timeout" in name.arg and is_short(value, LEAST)
            )
        elif isinstance(node, ast.Call):
            yield from ((word, node.lineno) for word in words_of(node, is_short))


def words_of(call: ast.Call, is_short: Callable[[ast.expr, float], bool]) -> Iterator[str]:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    of = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    least = LEAST * 1000 if name.startswith(OF_PAGES) else LEAST
    if name == "sleep" and not (call.args and ast.unparse(call.args[0]) == "0"):  # which only lets others go on
        yield name
    if of == "time" and name in CLOCKS:
        yield name
    if name == "wait_for_timeout" or name == "new_context" or (name == "new_page" and not of.endswith("context")):
        yield name
    if (name in BY_NUMBER or name.startswith("set_default_")) and any(is_short(value, least) for value in call.args):
        yield name
    for keyword in call.keywords:
        if ("timeout" in (keyword.arg or "") or keyword.arg == "net") and is_short(keyword.value, least):
            yield "timeout"
        if keyword.arg == "deadline" and ast.unparse(keyword.value) != "None":
            yield "deadline"


def test_no_test_waits_for_so_long_or_measures_how_long_something_takes() -> None:
    found: dict[tuple[str, str], list[int]] = {}
    for file in sorted(TESTS.rglob("*.py")):
        for word, line in words_in(file.read_text(encoding="utf-8")):
            found.setdefault((file.relative_to(TESTS).as_posix(), word), []).append(line)
    for place in found.keys() | MAY.keys():
        lines, (may, _) = found.get(place, []), MAY.get(place, (0, ""))
        assert len(lines) == may, f"{place} in the lines {lines}"


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("time.sleep(0.1)", "sleep"),
        ("await asyncio.sleep(1)", "sleep"),
        ("from time import sleep", "from time import"),
        ("subprocess.run(command, timeout=30)", "timeout"),
        ("SOON = 0.6\nqueue.get(timeout=SOON)", "timeout"),
        ("by_mail(portal, timeout=SOON if hangs else NET)\nSOON: Final = 0.6", "timeout"),
        ("def by_mail(portal, timeout: float = 5.0): ...", "timeout"),
        ("def by_mail(*, timeout=5): ...", "timeout"),
        ("lambda timeout=5: timeout", "timeout"),
        ("connect(url, connect_timeout=1)", "timeout"),
        ("Barrier(2, timeout=10)", "timeout"),
        ("page.wait_for_function(TOLD, timeout=1000)", "timeout"),
        ("page.set_default_timeout(15_000)", "set_default_timeout"),
        ("page.wait_for_timeout(90_000)", "wait_for_timeout"),
        ("browser.new_page()", "new_page"),
        ("browser.new_context()", "new_context"),
        ("event.wait(10)", "wait"),
        ("thread.join(0.5)", "join"),
        ("future.result(30)", "result"),
        ("until(ready, 5)", "until"),
        ("until(ready, net=5)", "timeout"),
        ("pytest.mark.timeout(20)", "timeout"),
        ("socket.create_connection(place, 1.0)", "create_connection"),
        ("line.settimeout(2)", "settimeout"),
        ("begun = time.monotonic()", "monotonic"),
        ("code = totp_code(secret, time.time())", "time"),
        ("settings(deadline=200)", "deadline"),
    ],
)
def test_each_kind_is_seen(source: str, word: str) -> None:
    assert [found for found, _ in words_in(source)] == [word]


@pytest.mark.parametrize(
    "source",
    [
        "await asyncio.sleep(0)",
        "subprocess.run(command, timeout=60)",
        "subprocess.run(command, timeout=NET)",
        "page.set_default_timeout(NET * 1000)",
        "page.context.new_page()",
        "thread.join()",
        "', '.join(names)",
        "settings(deadline=None)",
        "portal.clock()",
    ],
)
def test_what_waits_for_the_thing_itself_is_let_be(source: str) -> None:
    assert list(words_in(source)) == []


def test_what_comes_is_waited_for_and_what_never_comes_not_for_ever() -> None:
    come = iter(["", "", "there"])
    assert until(lambda: next(come)) == "there"
    with pytest.raises(TimeoutError):
        until(lambda: False, 0.0)
    assert NET >= LEAST
