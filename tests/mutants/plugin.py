"""A plugin of pytest's for `tests.mutants`: tries mutants, each in a fork of a process that has collected every test.

First each test runs once without a mutant, to see which lines it runs, and how long it takes. Tests that fail there are
not asked again; nor are the slowest. A mutant is tried with those that run the statement that it alters. Where these
are done in seconds, all of the likely files are asked: what a test does in another process is not seen here.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

import pytest

from tests.mutants.altered import lines_altered
from tests.support.waiting import until

AT_ONCE: Final = os.cpu_count() or 2
SLOW: Final = 8.0  # seconds of a test that is not asked
FEW: Final = 6.0  # seconds of tests that are not enough
WARM: Final = 60  # tests that are run before all forks
HANGS: Final = 600.0  # seconds after which a mutant has made something hang
UNDER: Final = "MUTANT_UNDER_TEST"
PASSKEYS: Final = (
    "passkeys passkeys_bodies passkeys_challenge passkeys_kept passkeys_others passkeys_races passkeys_refused "
    "passkeys_settings webauthn_factor webauthn_malformed webauthn_registration attestation no_downgrade "
    "related_origins"
)
OWN: Final = "own own_ended own_fresh own_removed own_rights own_sessions stale_sessions"
# words in the names of the files whose tests look at a module
HOME: Final = {
    "assurance": f"guard {OWN} policy policy_views no_downgrade testing",
    "sessions": f"sessions {OWN} guard policy_views sessions_page risk devices bounded_rows",
    "sessions/crowding": "bounded_rows",
    "sessions/devices": "devices sent_twice",
    "sessions/ids": "sent_twice sessions secrets",
    "request/guard": "guard identity policy_views flask_login targets sessions stale_sessions limits faults marks "
    "marks_below",
    "flows/activation": "activation letters enrolment cli desk recovery_lost audit_chain risk",
    "flows/continuity": "risk",
    "flows/account_view": "desk cli sessions_page notices",
    "flows/flow": f"enrolment {OWN} guard no_downgrade recovery_lost totp policy_views sessions passkeys risk",
    "flows/enrolment": "enrolment totp activation pages audit_chain policy_views inputs secrets",
    "flows/imports": "import tokens",
    "flows/key_rotation": "keyring passkeys_kept cli",
    "flows/account_lifecycle": "sessions own_sessions cli desk notices audit_chain limits activation policy_views "
    "races",
    "flows/event_log": "audit_chain cli",
    "flows/owner_notices": "notices notices_send policy",
    "flows/sent_twice": "sent_twice",
    "flows/session_list": "bounded_rows",
    "flows/unfinished": "owner_told bounded_rows",
    "flows/self_service": f"{OWN} recovery_renewed passkeys_kept audit_chain notices",
    "flows/password": "first_factor sent_names limits devices pressure reads_fan_in",
    "flows/proving": "devices totp sessions limits notices passkeys risk",
    "flows/recovery_codes": "recovery notices recovery_draws recovery_lost recovery_renewed limits codes_saved risk",
    "flows/sign_in": "totp sessions limits devices identity guard secrets policy_views keyring risk tokens breached "
    "first_factor pressure",
    "flows/rollout_status": "policy_views cli",
    "flows/webauthn": PASSKEYS,
    "factors/exported": "import",
    "factors/recovery": "recovery_factor recovery recovery_draws",
    "factors/totp": "totp_vectors totp import enrolment tokens api",
    "factors": PASSKEYS,
    "harvest": "harvest reads reads_fan_in desk_reads",
    "request/metering": "reads marks_below",
    "reads": "reads reads_fan_in reports desk_reads alerts reads_races",
}


@dataclass
class Learnt:
    """What the tests do without a mutant.

    Attributes:
        seconds: of each test, by its number.
        by_line: the tests that run a line, of a file.
        file: which file a test is in.
    """

    seconds: dict[int, float] = field(default_factory=dict)
    by_line: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    file: dict[int, str] = field(default_factory=dict)


class Mutating:
    """Runs in the place of pytest's own loop over the tests."""

    def __init__(self, names: Sequence[str], seconds: float, learnt: Path) -> None:
        self._names = names
        self._seconds = seconds
        self._kept = learnt
        self._out = os.dup(sys.stdout.fileno())
        self._noticed_by: dict[str, Counter[int]] = defaultdict(Counter)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        # what a process makes once (fixtures, templates, statements) is made before the first fork, and inherited
        first = range(0, len(session.items), -(-len(session.items) // WARM))
        for place in range(len(first)):
            self._run(session, first, place)
        if not self._kept.exists():
            self._kept.write_bytes(pickle.dumps(self._learn(session)))
        learnt: Learnt = pickle.loads(self._kept.read_bytes())  # noqa: S301  (our own)
        self._say(f"\nwithout a mutant: {len(learnt.seconds)} of {len(session.items)} tests are of use")
        waiting = list(reversed(self._names))
        running: dict[int, tuple[str, list[int], Any, float]] = {}
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                name = waiting.pop()
                chosen = self._chosen(learnt, name)
                if not chosen:
                    self._say(f"untested {name}")
                    continue
                pid, answer = _forked(lambda name=name, chosen=chosen: self._try(session, name, chosen))
                running[pid] = (name, chosen, answer, time.monotonic())
            self._reap(running)
        return True

    def _reap(self, running: dict[int, tuple[str, list[int], Any, float]]) -> None:
        """Wait for one of them to end; what hangs is ended, and noticed by that."""

        def ended() -> int:
            for hanging, (*_, begun) in running.items():
                if time.monotonic() - begun > HANGS:
                    os.kill(hanging, signal.SIGKILL)
            pid, _ = os.waitpid(-1, os.WNOHANG)
            return pid if pid in running else 0

        name, chosen, answer, _ = running.pop(until(ended, 2 * HANGS))
        answer.seek(0)
        told = answer.read()
        place = pickle.loads(told) if told else -1  # noqa: S301  (our own child's)
        if place is None:
            self._say(f"survives {name}")
            return
        if place >= 0:
            self._noticed_by[_function(name)][chosen[place]] += 1
            self._noticed_by[_module(name)][chosen[place]] += 1
        self._say(f"noticed {name}")

    def _chosen(self, learnt: Learnt, name: str) -> list[int]:
        """The tests of a mutant: those that have noticed its neighbours, then its module's, the quick first."""
        near, far, own = self._noticed_by[_function(name)], self._noticed_by[_module(name)], home_of(name)
        path, lines = lines_altered(Path.cwd(), name)
        tests = {one for line in lines for one in learnt.by_line.get((path, line), ())}
        if sum(map(learnt.seconds.__getitem__, tests)) < FEW:
            tests |= {one for one in learnt.seconds if learnt.file[one] in own}
        turn, turns = {}, Counter[str]()
        for one in sorted(tests, key=learnt.seconds.__getitem__):
            turn[one] = turns[learnt.file[one]]
            turns[learnt.file[one]] += 1
        spent, chosen = 0.0, []

        def last(one: int) -> tuple[float, ...]:
            # the files in turn, but of quick tests many before a slow one
            return -near[one], -far[one], learnt.file[one] not in own, turn[one] * learnt.seconds[one]

        for one in sorted(tests, key=last):
            if spent + learnt.seconds[one] <= self._seconds:
                spent += learnt.seconds[one]
                chosen.append(one)
        return chosen

    def _try(self, session: pytest.Session, name: str, chosen: Sequence[int]) -> int | None:
        """The place of the first test that fails."""
        os.environ[UNDER] = name
        session._setupstate.teardown_exact(session.items[chosen[0]])
        for place in range(len(chosen)):
            if not self._run(session, chosen, place):
                return place
        return None

    def _learn(self, session: pytest.Session) -> Learnt:
        numbers = range(len(session.items))
        share = -(-len(numbers) // AT_ONCE)
        children = [
            _forked(lambda part=numbers[begin : begin + share]: self._watched(session, part))
            for begin in range(0, len(numbers), share)
        ]
        learnt = Learnt()
        for pid, answer in children:
            os.waitpid(pid, 0)
            answer.seek(0)
            for number, (seconds, lines) in pickle.loads(answer.read()).items():  # noqa: S301  (our own child's)
                learnt.seconds[number] = seconds
                learnt.file[number] = session.items[number].location[0]
                for line in lines:
                    learnt.by_line.setdefault(line, []).append(number)
        return learnt

    def _watched(self, session: pytest.Session, part: Sequence[int]) -> dict[int, tuple[float, set[tuple[str, int]]]]:
        """Seconds and lines of the tests that are of use."""
        session._setupstate.teardown_exact(session.items[part[0]])
        known = {}
        for place, number in enumerate(part):
            lines = watched_lines()  # anew: a test that runs out of stack, or traces by itself, ends it
            begun = time.monotonic()
            passed = self._run(session, part, place)
            seconds = time.monotonic() - begun
            if passed and seconds < SLOW:
                known[number] = (seconds, lines)
        return known

    @staticmethod
    def _run(session: pytest.Session, numbers: Sequence[int], place: int) -> bool:
        """Run one of these tests; whether it passes."""
        failed = session.testsfailed
        after = session.items[numbers[place + 1]] if place + 1 < len(numbers) else None
        item = session.items[numbers[place]]
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        return session.testsfailed == failed

    def _say(self, line: str) -> None:
        os.write(self._out, f"{line}\n".encode())


def _forked(work: Callable[[], object]) -> tuple[int, Any]:
    """A child that does this, and the file that holds what came of it, once it has ended."""
    answer = tempfile.TemporaryFile()  # noqa: SIM115  (read by the parent)
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            answer.write(pickle.dumps(work()))
            answer.flush()
        finally:
            os._exit(0)
    return pid, answer


def watched_lines() -> set[tuple[str, int]]:
    """The lines that are run from now on, of functions that there are mutants of."""
    lines: set[tuple[str, int]] = set()
    ours: dict[CodeType, bool] = {}

    def line(frame: FrameType, event: str, _: object) -> Any:
        if event == "line":
            lines.add((frame.f_code.co_filename, frame.f_lineno))
        return line

    def call(frame: FrameType, _event: str, _: object) -> Any:
        code = frame.f_code
        if code not in ours:
            ours[code] = "__mutmut_orig" in code.co_qualname
        return line if ours[code] else None

    threading.settrace(call)
    sys.settrace(call)
    return lines


def _function(name: str) -> str:
    return name.rpartition("__mutmut_")[0]


def home_of(name: str) -> frozenset[str]:
    """The files of tests that are likely to notice a mutant of this module."""
    module = _module(name).removeprefix("mfa_gate.").replace(".", "/")
    words = HOME.get(module) or HOME.get(module.partition("/")[0], "")
    root = Path(__file__).parent.parent.parent
    wanted = {f"test_{word}.py" for word in words.split()}
    return frozenset(str(file.relative_to(root)) for file in root.glob("tests/**/test_*.py") if file.name in wanted)


def _module(name: str) -> str:
    return name.rpartition(".")[0]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mutants", metavar="FILE", help="names of mutants, a line each")
    parser.addoption("--seconds", type=float, help="of tests for each of them, at most")
    parser.addoption("--learnt", type=Path, help="what was learnt of the tests, or is to be kept there")


def pytest_configure(config: pytest.Config) -> None:
    names = Path(config.getoption("--mutants")).read_text().split()
    config.pluginmanager.register(Mutating(names, config.getoption("--seconds"), config.getoption("--learnt")))
