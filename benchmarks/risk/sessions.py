"""Sessions that go on elsewhere: their owners', who move about, and those whose cookies a thief has copied."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from mfa_gate.risk import Profile, RiskPolicy, moved

from .attackers import KINDS, attempt
from .harness import HISTORY, REPORT, Marks
from .people import Person, Shape, SignIn, population
from .scorers import features_of
from .world import Agents

_POLICY: Final = RiskPolicy()
OTHER_BROWSER: Final = "same address, other browser"
THIEVES: Final = (*KINDS, OTHER_BROWSER)


@dataclass
class Sessions:
    """Which sessions were asked to prove themselves again: 1 or 0 for each.

    Attributes:
        owners: of the owners, one for each sign-in.
        thieves: by kind; where the kind is one of attackers, from their address with the session's own browser.
    """

    owners: Marks = field(default_factory=Marks)
    thieves: dict[str, Marks] = field(default_factory=lambda: {kind: Marks() for kind in THIEVES})

    def add(self, other: Sessions, offset: int) -> None:
        """Pool another population, whose accounts are others."""
        self.owners.pool(other.owners, offset)
        for kind in THIEVES:
            self.thieves[kind].pool(other.thieves[kind], offset)


def run_sessions(shape: Shape, seed: int, accounts: int) -> Sessions:
    """Each sign-in opens a session; later its owner uses it again, and in the report's part so does each thief."""
    people, sign_ins = population(shape, seed, accounts, sessions=True)
    profiles: dict[int, Profile] = defaultdict(Profile)
    rng, found, counts = Random(f"sessions {seed}"), Sessions(), [0] * accounts
    for one in sign_ins:
        profile = profiles[one.account].learnt(features_of(one), one.at)
        counts[one.account] += 1
        later = one.later
        assert later is not None
        asked = _asked(profile, one, later)
        if one.at >= REPORT and counts[one.account] > HISTORY:
            found.owners.add(one.account, asked)
            for kind in THIEVES:
                thief = _thief(kind, one, people[one.account], shape, rng)
                found.thieves[kind].add(one.account, _asked(profile, one, thief))
        # who was asked has proven it, so the place is learnt
        profiles[one.account] = profile.learnt(features_of(later), later.at) if asked else profile
    return found


def _asked(profile: Profile, before: SignIn, after: SignIn) -> float:
    return float(bool(moved(profile, features_of(before), features_of(after), _POLICY)))


def _thief(kind: str, one: SignIn, person: Person, shape: Shape, rng: Random) -> SignIn:
    if kind != OTHER_BROWSER:
        return replace(attempt(kind, person, shape, one.at, rng), agent=one.agent)
    agent = one.agent
    while agent.family == one.agent.family:
        agent = Agents().draw(rng, one.at)
    return replace(one, agent=agent)
