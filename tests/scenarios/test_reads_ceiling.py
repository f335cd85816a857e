"""With any days, sessions, proofs, clocks and purges in any order, no account gets past its ceiling."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field

import pytest

from mfa_gate.durations import DAY
from mfa_gate.harvest import HarvestPolicy
from mfa_gate.testing import SoftwareKey
from tests.support.portal import Browser, MakePortal, Portal
from tests.support.readers import open_records, opens

POLICY = HarvestPolicy(
    least=3, most=6, unusual=2, floor=5, ceiling=9, usual={"": 3.0}, warm=2, pace=0.01, rest=0.01, kept=1
)
STEPS = 250


@dataclass
class Walk:
    """Somebody who holds password and key, and does what the seed says.

    Attributes:
        day: the latest that was seen, as a clock that goes back begins none anew.
        shown: records of that day, as the answers say.
        days: how many such days had records.
    """

    portal: Portal
    key: SoftwareKey
    chance: random.Random
    day: int = 0
    shown: set[str] = field(default_factory=set)
    days: int = 0
    sessions: list[Browser] = field(default_factory=list)

    def step(self) -> None:
        getattr(self, self.chance.choice(WAYS))()

    def sees(self, records: list[str]) -> None:
        """Records in an answer of this moment."""
        today = int(self.portal.clock() // DAY)
        if records and today > self.day:
            self.day, self.shown, self.days = today, set(), self.days + 1
        self.shown.update(records)

    def signs_in(self) -> None:
        browser = self.portal.browser()
        browser.password()
        browser.prove(self.key)
        self.sessions = [browser, *self.sessions][:5]

    def proves(self) -> None:
        if self.sessions:
            self.chance.choice(self.sessions).prove(self.key)

    def reads(self) -> None:
        if not self.sessions:
            return
        browser, number = self.chance.choice(self.sessions), self.chance.randrange(40)
        answer = opens(browser, number, self.chance.choice((0.1, 5, 600)))
        self.sees(re.findall(r"^record (\d+)$", answer.text))

    def lists(self) -> None:
        if not self.sessions:
            return
        wanted = ",".join(str(self.chance.randrange(40)) for _ in range(self.chance.randrange(1, 5)))
        answer = self.chance.choice(self.sessions).get(f"/records/?ids={wanted}")
        self.sees(answer.json["records"] if answer.status_code == 200 else [])

    def waits_for_tomorrow(self) -> None:
        self.portal.clock.advance(DAY)

    def turns_the_clock_back(self) -> None:
        self.portal.clock.advance(-self.chance.choice((1, 3600, 12 * 3600)))

    def purges(self) -> None:
        assert self.portal.app.test_cli_runner().invoke(args=["mfa", "purge"]).exit_code == 0


WAYS = (*("signs_in", "proves", "lists") * 2, *("reads",) * 12, "waits_for_tomorrow", "turns_the_clock_back", "purges")


@pytest.mark.parametrize("seed", range(4))
def test_nobody_reads_more_than_the_ceiling_in_a_day_whatever_happens(make: MakePortal, seed: int) -> None:
    portal = open_records(make, harvest=POLICY)
    walk = Walk(portal, portal.key(), random.Random(seed))
    most = 0
    for _ in range(STEPS):
        walk.step()
        assert len(walk.shown) <= POLICY.ceiling
        most = max(most, len(walk.shown))
    assert walk.days > 3
    assert most > POLICY.most, "no walk came near the ceiling"
