"""The same sequences with risk at work, and browsers that move: risk only ever adds, and a session stays where it is.

MODEL_EXAMPLES=5000 python -m pytest --timeout 0 tests/scenarios/test_model_risk.py     # longer
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from mfa_gate.risk import RiskPolicy
from tests.support.agents import CHROME, FIREFOX
from tests.support.model import Lineage
from tests.support.networks import ABROAD, HOME, PHONE, Networks
from tests.support.sequences import CHOSEN, EXAMPLES, MORE, NAME, VIEWS, WHICH, Client
from tests.support.sequences_desk import Sequences
from tests.support.sequences_doubtful import Place, place_of

ADDRESS = st.sampled_from(["192.0.2.1", HOME, PHONE, ABROAD])
AGENT = st.sampled_from(["", FIREFOX, CHROME])
counted: dict[str, int] = defaultdict(int)


class Moving(Sequences):
    """Three browsers that move about, at a portal that asks more of what is unusual."""

    more: ClassVar[dict[str, Any]] = {"risk": RiskPolicy(), "netinfo": Networks()}

    def __init__(self) -> None:
        super().__init__()
        self.proven: dict[Lineage, Place] = {}  # where a sign-in has proven itself last
        self.shown: dict[str, set[str]] = defaultdict(set)  # the networks that an account has proven itself in

    def sure(self, lineage: Lineage) -> bool:
        """What is unusual may be refused at any time."""
        return False

    def password(self, which: int, name: str, right: bool) -> None:
        super().password(which, name, right)
        client = self.clients[which]
        if client.lineage is not None:
            self.proven.setdefault(client.lineage, place_of(client.browser))

    def elevate(self, client: Client, lineage: Lineage) -> None:
        super().elevate(client, lineage)
        self.proven[lineage] = place_of(client.browser)
        if self.model.is_in(lineage):
            self.shown[lineage.account].add(self.proven[lineage][0])

    def counts(self, client: Client, lineage: Lineage) -> bool:
        """Whether a session counts where it is: in its own browser, and where its owner has been."""
        (network, agent), here = self.proven[lineage], place_of(client.browser)
        return here[1] == agent and (here[0] == network or here[0] in self.shown[lineage.account])

    @rule(which=WHICH, address=ADDRESS, agent=AGENT)
    def move(self, which: int, address: str, agent: str) -> None:
        client = self.clients[which]
        client.browser.address = address
        client.browser.client.environ_base["HTTP_USER_AGENT"] = agent
        lineage = self.lives(client)
        if lineage is None or self.counts(client, lineage):
            return
        counted["while signed in" if self.model.is_in(lineage) else "before"] += 1
        counted["while enrolling"] += self.now < lineage.enrols_until and not self.model.of(lineage).authenticators
        for view in VIEWS:
            answer = client.browser.get(view, headers={"Accept": "application/json"})
            assert answer.status_code in (401, 403), f"a session opened {view} elsewhere"
        for step in ("totp/enrol/begin", "webauthn/enrol/begin", "recovery/renew"):
            assert client.browser.api("POST", step).status_code in (401, 403), f"a session came to {step} elsewhere"
        for listed in ("sessions", "authenticators", "notices"):
            assert client.browser.api("GET", listed).status_code == 401, f"a session lists {listed} elsewhere"

    @rule(which=WHICH, name=NAME, by_key=st.booleans(), address=ADDRESS, agent=AGENT)
    def sign_in_and_move(self, which: int, name: str, by_key: bool, address: str, agent: str) -> None:
        self.sign_in(which, name, by_key)
        self.move(which, address, agent)

    @rule(which=WHICH, name=NAME, address=ADDRESS, agent=AGENT, back=st.booleans())
    def move_while_enrolling(self, which: int, name: str, address: str, agent: str, back: bool) -> None:
        """A new start by the desk, and a move between the activation code and the first authenticator."""
        self.supervisor_acts(name, "reset")
        self.issue(name)
        self.password(which, name, True)
        self.redeem(which, name)
        before = self.clients[which].browser.address, place_of(self.clients[which].browser)[1]
        self.move(which, address, agent)
        if back:
            self.move(which, *before)
        else:
            self.redeem(which, name)
        self._sets_up(which, name == "bob")


@pytest.mark.parametrize("examples", [EXAMPLES, pytest.param(MORE, marks=pytest.mark.world)])
def test_no_sequence_gets_more_where_things_are_unusual(sqlite_template: Path, examples: int) -> None:
    Moving.template = sqlite_template
    run_state_machine_as_test(Moving, settings=settings(CHOSEN, max_examples=examples // 2))
    assert min(counted[what] for what in ("while signed in", "before", "while enrolling")) > 0
