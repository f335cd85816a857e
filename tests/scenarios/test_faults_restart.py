"""A PostgreSQL server that ends in the middle of a step: closed while it is down; done or not begun when it is back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mfa_gate.testing import Clock
from tests.support.answers import closed_and_says_so
from tests.support.breaking import Fault, kept, state_of, write_out
from tests.support.portal import MakePortal, Portal, make_portal
from tests.support.postgres import Postgres
from tests.support.repeatable import ONCE, ONE_ANSWER, WORK, Work, almost

STEPS = (
    "password",
    "api totp/verify",
    "api webauthn/verify/complete",
    "api totp/enrol/complete",
    "api recovery/verify",
    "api recovery/renew",
    "api remove",
    "not me by mail",
    "desk reset",
)


@pytest.fixture
def rehearsed(sqlite_template: Path, tmp_path: Path) -> Callable[[str], int]:
    """Which commit of a step it is that changes something, tried out on a store that can be put back."""

    def rehearse(name: str) -> int:
        folder = tmp_path / "rehearsal"
        folder.mkdir()
        file = shutil.copy(sqlite_template, folder / "store.sqlite3")
        made: list[Portal] = []

        def make(**config: object) -> Portal:
            made.append(make_portal(f"sqlite:///{file}", folder, Clock(), **config))  # type: ignore[arg-type]
            return made[-1]

        work, whole = WORK[name](make, folder), Fault()
        before = state_of(work.portal)
        with kept(work.portal) as put_back:
            assert work.passes(work.again(), whole)
            found = next(
                number for number in range(1, len(whole.commits) + 1) if _changes(work, put_back, number, before)
            )
        for portal in made:
            portal.app.extensions["mfa_gate"].services.store.close()
        return found

    return rehearse


def _changes(work: Work, put_back: Callable[[], None], commit: int, before: object) -> bool:
    put_back()
    work.passes(work.again(), Fault(commit_at=commit, done=True))
    return state_of(work.portal) != before


@pytest.mark.abuse("A34")
@pytest.mark.abuse("A38")
@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
@pytest.mark.parametrize("done", [False, True], ids=["before the commit", "after the commit"])
@pytest.mark.parametrize("name", STEPS)
def test_a_server_that_crashes_in_the_middle_of_a_step_leaves_it_done_or_not_begun(
    make: MakePortal,
    tmp_path: Path,
    postgres: Postgres,
    rehearsed: Callable[[str], int],
    name: str,
    done: bool,
) -> None:
    commit = rehearsed(name)
    work = WORK[name](make, tmp_path)
    portal, before, stood = work.portal, state_of(work.portal), work.browser.state
    browser = work.again()

    def crash() -> None:
        write_out(portal)
        postgres.stop(crash=True)

    try:
        passed = work.passes(browser, Fault(commit_at=commit, done=done, happen=crash))
        assert done or not passed
        assert closed_and_says_so(browser, "/") or not browser.gate_cookie
    finally:
        postgres.start()
    now = state_of(portal)
    assert (now != before) is done
    if not done:
        assert browser.state == stood
        assert work.passes(browser) or name in ONE_ANSWER
    elif name in ONCE:
        work.passes(work.again())
        twice = state_of(portal)
        assert almost(name, before, twice) == almost(name, before, now)
        work.passes(work.again())
        assert state_of(portal) == twice
