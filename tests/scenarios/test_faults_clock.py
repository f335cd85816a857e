"""A clock that jumps, as where two workers differ or one is set right: nothing breaks, and nothing is good twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.breaking import kept, state_of
from tests.support.portal import MakePortal, Portal
from tests.support.repeatable import ONCE, WORK

HOUR = 3600.0
# a code of an app is good for the half minute it is made for, and the one before and after it
OF_ITS_TIME = {"challenge page", "challenge", "api totp/verify", "confirmation page", "api totp/enrol/complete"}
sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@sqlite
@pytest.mark.parametrize("name", WORK)
def test_a_jump_in_the_middle_of_a_step_breaks_nothing(make: MakePortal, tmp_path: Path, name: str) -> None:
    work = WORK[name](make, tmp_path)
    portal, before = work.portal, state_of(work.portal)
    with kept(portal) as put_back:
        assert work.passes(work.again())
        after = state_of(portal)
        for jump in (90.0, -90.0, -HOUR, HOUR, -30 * 24 * HOUR):
            put_back()
            portal.clock.advance(jump)
            passed = work.passes(work.again())
            assert passed or abs(jump) > 90 or name in OF_ITS_TIME, jump
            assert state_of(portal) in (before, after), jump
            portal.clock.advance(-jump)
            put_back()
            assert work.passes(work.again()), f"after {jump} and back"


@sqlite
@pytest.mark.abuse("A6")
@pytest.mark.parametrize("name", sorted(ONCE))
def test_what_was_used_is_not_good_again_when_the_clock_is_set_back(
    make: MakePortal, tmp_path: Path, name: str
) -> None:
    work = WORK[name](make, tmp_path)
    portal = work.portal
    assert work.passes(work.again())
    after = state_of(portal)
    for jump in (-29.0, -61.0, -HOUR):
        portal.clock.advance(jump)
        work.passes(work.again())
        assert state_of(portal) == after, jump


@pytest.mark.abuse("A6")
@pytest.mark.parametrize("back", [30.0, 60.0, 90.0, HOUR])
def test_a_code_that_was_used_is_not_good_on_a_worker_whose_clock_is_behind(portal: Portal, back: float) -> None:
    secret = portal.enrolled()
    portal.clock.advance(90)
    portal.browser().sign_in(secret)
    used = portal.code(secret)
    portal.clock.advance(-back)
    thief = portal.browser("198.51.100.66")
    thief.password()
    for code in (used, portal.code(secret)):
        assert thief.step("challenge", code=code).status_code in (422, 429)
    assert thief.state == "pending"
