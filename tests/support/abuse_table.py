"""The abuse table of docs/security.md: row, attack, promise, and the tests that carry the row's mark.

python -m tests.support.abuse_table          # writes it anew
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from pathlib import Path

ROWS = {
    "A1": ("with the password alone, every call that lists, renames or removes an authenticator", "P1"),
    "A2": ("with the password alone, an enrolment beside an existing authenticator", "P1"),
    "A3": ("right password, no authenticator, no activation code", "P2"),
    "A4": ("a forged activation, another account's, one redeemed in another session", "P2"),
    "A5": ("activation code, begun enrolment, pending sign-in one second after their end", "P6"),
    "A6": ("twenty parallel uses of one code, challenge or recovery code", "P5"),
    "A7": ("steps out of order, back button, second tab, direct URL, restart in the middle", "P1"),
    "A8": ("a proof or state of one account or step in the flow of another", "P1"),
    "A9": ("an old session on a view that asks for a fresher or greater proof", "P1"),
    "A10": ("an authenticator that policy would not ask for", "P3"),
    "A11": ("enrol in one session, use another one at once", "P3"),
    "A12": ("two proofs of one category counted as two factors", "P4"),
    "A13": ("300 guesses of a code over 50 addresses and many sessions, the owner signing in between", "P1"),
    "A14": ("the request dies after a failed check", "P6"),
    "A15": ("50 parallel guesses at a small limit", "P5"),
    "A16": ("every route that verifies anything, hammered", "P1"),
    "A17": ("case, width and space variants of one user name", "P1"),
    "A18": ("the same code twice, an older step after a newer one, the code that confirmed the enrolment", "P5"),
    "A19": ("garbage in each header that is looked at", "P6"),
    "A20": ("empty, null, wrong, huge and deeply nested bodies", "P6"),
    "A21": ("fuzzed cookie bytes", "P6"),
    "A22": ("a wanted page that leads elsewhere, or that is no navigation", "P12"),
    "A23": ("spoofed Host and X-Forwarded headers on what makes a link", "P6"),
    "A24": ("a session cookie planted before a sign-in or a step-up", "P1"),
    "A25": ("a session ended on one worker, used on another at once", "P7"),
    "A26": ("known and unknown names, with and without authenticators, told apart", "P12"),
    "A27": ("canary secrets looked for in answers, logs, events and exceptions", "P10"),
    "A28": ("answers of a key with everything wrong that can be: origin, RP ID, flags, key, ids, encoding", "P6"),
    "A29": ("an authenticator of somebody else in a sign-in, step-up, removal or enrolment", "P1"),
    "A30": ("the age of a proof refreshed with something of somebody else's", "P1"),
    "A31": ("a registration or an assertion replayed, an old cookie with an old assertion", "P5"),
    "A32": ("the password looked for in the pending state", "P10"),
    "A33": ("a second login route, login_user(), a remember-me cookie, a password reset", "P1"),
    "A34": ("each part of the gate raising", "P6"),
    "A35": ("signing out half way through the second factor", "P7"),
    "A36": ("an own success from an address that guesses others", "P1"),
    "A37": ("X-Forwarded-For from a peer that is no proxy", "P6"),
    "A38": ("the last authenticator removed by its owner, all of them gone, the store stopped", "P6"),
    "A39": ("begin an enrolment twice, abandon it", "P3"),
    "A40": ("the URL of a method that is switched off", "P6"),
    "A41": ("an assertion with an equal or lower count", "P6"),
    "A42": ("an old device cookie replayed after its rotation", "P7"),
    "A43": ("failures by one authenticator that would lock the others", "P11"),
    "A44": ("with nothing or the leaked password, fail every method for days from many addresses", "P11"),
    "A45": ("at the desk: role by verb, oneself, one's own request, a higher rank", "P1"),
    "A46": ("making the first supervisor of the desk again", "P1"),
    "A47": ("every intermediate token in a second browser", "P1"),
    "A48": ("seeds, keys and counters changed in the store by hand", "P6"),
    "A49": ("lines of the record changed, deleted, reordered or cut off by hand", "P9"),
    "A50": ("cross-site requests to every route that changes something", "P1"),
    "A51": ("framing; names, labels, addresses and headers with markup, control characters and encoded words", "P6"),
    "A52": ("the same alert a thousand times, a dead relay", "P9"),
    "A53": ("a reverse proxy on another host between browser and portal", "P4"),
    "A54": ("records read in chain by a session that is in, at a machine's pace and at a person's", "P8"),
    "A55": ("the gate's session of one account and the portal's of another", "P1"),
    "A56": ("a relayed session that enrols, removes or renews", "P4"),
    "A57": ("whatever of the portal, or a cache, may show somebody to whom nobody has signed in", "P1"),
    "A58": ("views and marks that slip past the guard", "P1"),
    "A59": ("reading a right but early code off the answer about the clock", "P10"),
    "A60": ("lost, swapped, shortened and made-up keys; another store's; one key for several things", "P6"),
    "A61": ("completing a step while the account is locked or forgotten", "P7"),
    "A62": ("the id of a deleted account given to another person; a disabled account", "P7"),
    "A63": ("a scanner that opens the link of a mail; a thief with the mailbox who presses it", "P11"),
    "A64": ("a view that forgets to charge, swallows the refusal, streams, or tells what there is by an error", "P8"),
    "A65": ("cookies of another portal or a sibling host, that take our name or hide ours", "P1"),
    "A66": ("a bought list tried in breadth, own right passwords in between; names sent or spelled otherwise", "P1"),
    "A67": ("all cookies of somebody who is signed in, used from another network or browser", "P7"),
    "A68": ("a late or doubled request; sign-ins with one device cookie answered in the wrong order", "P15"),
    "A69": ("a sign-in that another site's page posts; a single sign-on that answers by a cross-site POST", "P15"),
    "A70": (
        "a mark below a decorator that answers by itself; a reads view called by another one; a protected blueprint "
        "that is not the one registered; a rematched URL; an opening mark inherited or put among guarded views",
        "P4",
    ),
    "A73": (
        "the owner kept in the dark: news marked seen, buried, timed as a slip, worded by strangers, stopped mutely",
        "P9",
    ),
    "A74": ('a link "it was not me" pressed every day; others\' sessions ended with one phished code', "P11"),
    "A75": ("rows and memory filled: sessions, headers of 60 KB", "P12"),
}
TESTS = Path(__file__).parent.parent
DOCUMENT = TESTS.parent / "docs" / "security.md"
HEAD = "| row | attack | promise | tests |\n|---|---|---|---|\n"


def marked() -> dict[str, list[str]]:
    """Row -> `file::test` of every test that carries its mark."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(TESTS.rglob("test_*.py"), key=lambda file: file.name):
        tree = ast.parse(file.read_text())
        whole_file = [row for node in tree.body if isinstance(node, ast.Assign) for row in _rows(node.value)]
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                own = [row for decorator in node.decorator_list for row in _rows(decorator)]
                for row in sorted({*own, *whole_file}):
                    found[row].append(f"{file.name}::{node.name}")
    return found


def _rows(node: ast.expr) -> list[str]:
    return [
        str(argument.value)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "abuse"
        for argument in call.args
        if isinstance(argument, ast.Constant)
    ]


def table() -> str:
    """The rows in their order, each with a few of its tests."""
    tests = marked()
    lines = []
    for row in sorted(ROWS, key=lambda name: int(name[1:])):
        attack, promise = ROWS[row]
        shown = tests[row][:3]
        more = f" and {len(tests[row]) - 3} more" if len(tests[row]) > 3 else ""
        lines.append(f"| {row} | {attack} | {promise} | {', '.join(f'`{name}`' for name in shown)}{more} |\n")
    return HEAD + "".join(lines)


def main() -> int:
    text = DOCUMENT.read_text()
    DOCUMENT.write_text(text[: text.index(HEAD)] + table())
    missing = [row for row in ROWS if not marked()[row]]
    print(f"{len(ROWS)} rows; without a test: {', '.join(missing) or 'none'}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
