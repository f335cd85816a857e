"""Passwords tried in breadth: a bought list gets slow from one address and from a hundred, and honest people do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mfa_gate import Account
from mfa_gate.durations import DAY
from mfa_gate.risk import PressurePolicy, RiskPolicy, Tally
from mfa_gate.testing import enrol_totp
from tests.support.portal import Browser, MakePortal, Portal

POLICY = PressurePolicy()
HOUR = 3600.0


@pytest.fixture
def portal(make: MakePortal) -> Portal:
    return make(risk=RiskPolicy())


def people(portal: Portal, number: int) -> list[str]:
    """More accounts at the portal, each with a password of its own."""
    names = [f"person{index}" for index in range(number)]
    for name in names:
        portal.people[name] = Account(name, name.title(), f"{name}@portal.example", group="pharmacist", locale="en")
        portal.passwords[name] = f"pw-{name}"
    return names


def tries(portal: Portal, addresses: list[str], count: int, seconds: float) -> int:
    """Try a bought list over an hour or so, each pair once, from these addresses in turn; how many were evaluated."""
    evaluated = 0
    for number in range(count):
        portal.clock.advance(seconds / count)
        answer = portal.browser(addresses[number % len(addresses)]).password(f"leaked{number}", "old password")
        evaluated += answer.status_code == 401
    return evaluated


class TestLists:
    @pytest.mark.world
    def test_a_list_from_one_address_is_slowed_to_a_trickle(self, portal: Portal) -> None:
        assert tries(portal, ["203.0.113.9"], 1500, HOUR) <= 90

    @pytest.mark.abuse("A66")
    def test_a_list_from_a_hundred_addresses_is_slowed_as_well(self, portal: Portal) -> None:
        addresses = [f"198.51.{number}.7" for number in range(100)]
        assert tries(portal, addresses, 2500, HOUR) <= 1000

    @pytest.mark.world
    def test_without_the_pressure_of_all_sources_such_a_list_runs_through(self, make: MakePortal) -> None:
        blind = RiskPolicy(pressure=PressurePolicy(bad={"network": 1e9, "asn": 1e9, "all": 1e9}))
        addresses = [f"198.51.{number}.7" for number in range(100)]
        assert tries(make(risk=blind), addresses, 2500, HOUR) == 2500

    def test_meanwhile_a_known_device_and_a_stranger_with_the_right_password_sign_in(self, portal: Portal) -> None:
        secret = portal.enrolled("anne")
        owner = portal.browser("192.0.2.77")
        owner.sign_in(secret)
        owner.step("sign-out")
        tries(portal, [f"198.51.{number}.7" for number in range(100)], 1000, HOUR)
        assert owner.sign_in(secret).status_code == 303
        portal.clock.advance(60)
        assert portal.browser("192.0.2.99").password().status_code == 303

    def test_whoever_shares_a_guessing_address_waits_and_is_never_shut_out(self, portal: Portal) -> None:
        tries(portal, [f"198.51.100.{number}" for number in range(1, 100)], 600, HOUR)
        waits = []
        for _ in range(3):
            answer = portal.browser("198.51.100.7").password()
            if answer.status_code == 429:
                waits.append(int(answer.headers["Retry-After"]))
                portal.clock.advance(waits[-1])
        assert portal.browser("198.51.100.7").password().status_code == 303
        assert max(waits, default=0) <= 900

    def test_pressure_passes_within_two_hours(self, portal: Portal) -> None:
        tries(portal, [f"198.51.{number}.7" for number in range(100)], 1000, HOUR)
        portal.clock.advance(2 * HOUR)
        fresh = portal.browser("192.0.2.50")
        assert [fresh.password("nobody", "x").status_code for _ in range(4)] == [401] * 4

    def test_whoever_types_no_name_is_slowed_as_well(self, portal: Portal) -> None:
        def nameless(address: str) -> int:
            """How many of fifty tries in five minutes are evaluated."""
            browser, evaluated = portal.browser(address), 0
            for _ in range(50):
                portal.clock.advance(6)
                answer = browser.post("/login", {"password": "x"})
                assert answer.status_code in (401, 429)
                evaluated += answer.status_code == 401
            return evaluated

        before = nameless("192.0.2.51")
        assert nameless("203.0.113.51") == before  # each source for itself
        tries(portal, [f"198.51.{number}.7" for number in range(100)], 1000, HOUR)
        assert nameless("192.0.2.52") < before / 2

    def test_strangers_who_sign_in_speak_for_their_source_and_known_devices_for_nobody(self, portal: Portal) -> None:
        def successes() -> int:
            return int(portal.sql("SELECT sum(successes) FROM mfa_pressure")[0][0])

        owner = portal.browser()
        owner.sign_in(portal.enrolled("anne"))
        owner.step("sign-out")
        before = successes()
        owner.password()
        assert successes() == before
        portal.browser("192.0.2.9").password()
        assert successes() == before, "the same account, network and hour"
        portal.browser("198.51.100.9").password()
        assert successes() == before + 1, "in a network that is new to it this hour"
        portal.clock.advance(HOUR)
        portal.browser().password()
        assert successes() > before + 1
        assert set(portal.sql("SELECT failures FROM mfa_pressure")) == {(0,)}, (
            "what was counted is given back, each to its own"
        )

    def test_no_address_stands_in_the_store_in_clear(self, portal: Portal) -> None:
        portal.browser("198.51.100.7").password()
        kept = json.dumps([list(map(str, row)) for row in portal.sql("SELECT * FROM mfa_pressure")])
        assert "198.51" not in kept


class TestOwnSuccesses:
    """Whoever guesses has an account as well, and types its right password as often as he likes."""

    def guesses(self, portal: Portal, addresses: list[str], count: int, own: int) -> int:
        """Guess each name once within an hour, from these addresses in turn; how many were evaluated.

        Args:
            own: right passwords of one's own account per guess.
        """
        evaluated = 0
        for number in range(count):
            portal.clock.advance(HOUR / count)
            address = addresses[number % len(addresses)]
            for _ in range(own):
                portal.browser(address).password("bob")
            evaluated += portal.browser(address).password(f"leaked{number}", "old").status_code == 401
        return evaluated

    @pytest.mark.abuse("A66")
    @pytest.mark.parametrize("backend", ["sqlite"])
    @pytest.mark.parametrize(
        ("addresses", "count"),
        [
            pytest.param(["203.0.113.9"], 400, marks=pytest.mark.world),
            pytest.param([f"203.0.113.{number}" for number in range(10)], 400, marks=pytest.mark.world),
            ([f"198.51.{number}.7" for number in range(100)], 800),
        ],
        ids=["1 address", "10 of a network", "100 networks"],
    )
    def test_right_passwords_of_ones_own_account_let_no_more_guesses_through(
        self, make: MakePortal, addresses: list[str], count: int
    ) -> None:
        braked = self.guesses(make(risk=RiskPolicy()), addresses, count, 0)
        assert braked < count
        portal = make(risk=RiskPolicy())
        portal.clock.advance(DAY)
        assert self.guesses(portal, addresses, count, 2) <= braked + 1

    @pytest.mark.abuse("A66")
    def test_a_right_password_that_is_typed_again_and_again_is_slowed(self, portal: Portal) -> None:
        statuses = [portal.browser().password("bob").status_code for _ in range(100)]
        assert statuses.count(303) == 40
        assert statuses[-1] == 429
        assert [kind for kind, *_ in portal.events("bob")].count("first_factor") == 40

    @pytest.mark.abuse("A44")
    @pytest.mark.abuse("A66")
    def test_and_never_closed_so_that_its_owner_waits_half_a_minute_at_most(self, portal: Portal) -> None:
        for _ in range(500):
            if (answer := portal.browser().password("bob")).status_code == 429:
                assert int(answer.headers["Retry-After"]) <= 30
                portal.clock.advance(int(answer.headers["Retry-After"]))
        portal.clock.advance(30)
        assert portal.browser().password("bob").status_code == 303

    @pytest.mark.abuse("A44")
    @pytest.mark.abuse("A66")
    def test_it_slows_neither_a_known_device_nor_another_account_nor_another_address(self, portal: Portal) -> None:
        secret = portal.enrolled("anne")
        owner = portal.browser()
        owner.sign_in(secret)
        while portal.browser().password("anne").status_code == 303:
            pass
        portal.clock.advance(30)
        assert [owner.password("anne").status_code for _ in range(60)] == [303] * 60
        assert portal.browser().password("bob").status_code == 303
        assert portal.browser("192.0.2.9").password("anne").status_code == 303

    @pytest.mark.abuse("A66")
    def test_a_right_password_that_must_wait_is_no_failure(self, portal: Portal) -> None:
        for _ in range(60):
            portal.browser().password("bob")
        assert set(portal.sql("SELECT failures FROM mfa_pressure")) == {(0,)}


class TestTally:
    def test_an_honest_crowd_that_fails_one_in_five_is_not_guessing(self) -> None:
        assert not Tally(failures=2200, successes=7800).guesses("all", POLICY, 0.0)

    def test_failures_beyond_three_times_the_expected_are(self) -> None:
        assert Tally(failures=7000, successes=7800).guesses("all", POLICY, 0.0)

    def test_the_hour_before_counts_less_and_less(self) -> None:
        past = Tally(failures_before=400)
        assert past.guesses("all", POLICY, 0.0)
        assert not past.guesses("all", POLICY, 2000.0)

    def test_a_few_failures_are_nothing_whatever_their_share(self) -> None:
        assert not Tally(failures=119).guesses("network", POLICY, 0.0)


class TestFanIn:
    def established(self, portal: Portal, number: int) -> dict[str, str]:
        """Accounts that have signed in for some days, each from a place of its own; the secrets of their apps."""
        secrets = {name: enrol_totp(portal.app, portal.people[name]) for name in people(portal, number)}
        for _ in range(3):
            portal.clock.advance(DAY)
            for index, (name, secret) in enumerate(secrets.items()):
                portal.browser(f"192.0.{index}.1").sign_in(secret, name)
        return secrets

    def last(self, portal: Portal) -> dict[str, Any]:
        (row,) = portal.sql("SELECT data FROM mfa_events WHERE kind = 'first_factor' ORDER BY id DESC LIMIT 1")
        found: dict[str, Any] = json.loads(row[0])
        return found

    @pytest.mark.abuse("A66")
    def test_the_third_account_from_a_source_that_is_new_to_all_is_stopped(self, portal: Portal) -> None:
        secrets = self.established(portal, 5)
        risks = []
        for name in secrets:
            portal.browser("203.0.113.66").password(name)
            risks.append("fan_in" in self.last(portal)["reasons"])
        assert risks == [False, False, True, True, True]
        assert self.last(portal)["risk"] == "high"

    def test_such_a_source_is_braked_before_passwords_are_checked(self, portal: Portal) -> None:
        for name in self.established(portal, 3):
            portal.browser("203.0.113.66").password(name)
        thief = portal.browser("203.0.113.66")
        answers = [thief.password(f"leaked{number}", "x").status_code for number in range(6)]
        assert answers == [401, 401, 401, 429, 429, 429]

    def test_known_devices_in_a_new_place_are_no_fan_in(self, portal: Portal) -> None:
        secrets = self.established(portal, 4)
        browsers: list[tuple[str, Browser]] = []
        portal.clock.advance(DAY)
        for number, (name, secret) in enumerate(secrets.items()):
            browser = portal.browser(f"192.0.{number}.1")
            browser.sign_in(secret, name)
            browser.step("sign-out")
            browsers.append((name, browser))
        portal.clock.advance(DAY)
        for name, browser in browsers:
            browser.address = "203.0.113.66"
            browser.password(name)
            assert "fan_in" not in self.last(portal)["reasons"]

    def test_a_room_where_many_sign_in_for_the_first_time_is_no_fan_in(self, portal: Portal) -> None:
        for name in people(portal, 6):
            secret = enrol_totp(portal.app, portal.people[name])
            assert portal.browser("203.0.113.66").sign_in(secret, name).status_code == 303
            assert "fan_in" not in self.last(portal)["reasons"]

    def test_it_is_forgotten_after_a_day(self, portal: Portal) -> None:
        names = list(self.established(portal, 3))
        for name in names[:2]:
            portal.browser("203.0.113.66").password(name)
        portal.clock.advance(DAY + 1)
        portal.browser("203.0.113.66").password(names[2])
        assert "fan_in" not in self.last(portal)["reasons"]

    @pytest.mark.parametrize("reported", ["fan_in", "all"])
    def test_in_report_only_it_is_told_and_changes_nothing(self, make: MakePortal, reported: str) -> None:
        portal = make(risk=RiskPolicy(report_only=frozenset({reported}), high=100.0))
        for name in self.established(portal, 3):
            portal.browser("203.0.113.66").password(name)
        found = self.last(portal)
        assert ("fan_in" in found["reasons"], found["would_be"]) == (True, "high")
        assert found["risk"] != "high"

    @pytest.mark.parametrize("accounts", [2, 4])
    def test_how_many_it_takes_is_the_portals_to_say(self, make: MakePortal, accounts: int) -> None:
        portal = make(risk=RiskPolicy(pressure=PressurePolicy(accounts=accounts)))
        found = []
        for name in self.established(portal, accounts):
            portal.browser("203.0.113.66").password(name)
            found.append("fan_in" in self.last(portal)["reasons"])
        assert found == [False] * (accounts - 1) + [True]
