"""Owners and their sign-ins: where from, with what, when. All from one seed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from .world import DAY, Address, Agent, Agents, World, current_major, french_portal, public_service

SPAN: Final = 182 * DAY
LATER: Final = 8 * 3600.0  # seconds into a session
_HOURS: Final = LATER / (SPAN / 45)  # of the time between two sign-ins
START: Final = 20_000 * DAY + 4 * DAY  # a Monday


@dataclass(frozen=True, slots=True)
class SignIn:
    """One sign-in with the right password.

    Attributes:
        cookie: whether the browser shows a device cookie of the account.
        later: where and with what its session goes on, if that was asked for.
    """

    at: float
    account: int
    address: Address
    agent: Agent
    cookie: bool
    later: SignIn | None = None


@dataclass(frozen=True)
class Shape:
    """What kind of service it is.

    Attributes:
        sign_ins: median, and sigma of the logarithm, of what an account signs in over half a year.
        office: whether people sign in while pharmacies are open, or all day.
        local_access: share of local attackers who come out of access networks; the others rent a server or a tunnel.
        knows_country: share of local attackers who come from the owner's own country, and not just from the service's.
        knows_owner: share of very targeted attackers who know the owner's network and browser; the others are targeted.
        country: of the service.
    """

    name: str
    world: World
    sign_ins: tuple[float, float]
    office: bool
    local_access: float
    knows_country: float
    knows_owner: float
    country: str


def portal() -> Shape:
    return Shape(
        "professional portal",
        french_portal(),
        (45.0, 0.6),
        office=True,
        local_access=0.5,
        knows_country=1.0,
        knows_owner=1.0,
        country="FR",
    )


def public() -> Shape:
    return Shape(
        "public service",
        public_service(),
        (2.2, 1.15),
        office=False,
        local_access=0.25,
        knows_country=0.08,
        knows_owner=0.3,
        country="NO",
    )


@dataclass
class _Device:
    agent: Agent
    cookie: bool = False


class Person:
    """One owner. State moves on with each sign-in."""

    def __init__(self, number: int, shape: Shape, rng: Random) -> None:
        self.number = number
        self._world, self._rng, self._agents = shape.world, rng, Agents()
        self.home = self._world.home.draw(rng).address(rng)
        self._stays = rng.betavariate(40, 1) if rng.random() < 0.92 else 0.35
        self._roams = rng.betavariate(1, 30) if rng.random() < 0.6 else 0.0
        self._carrier = self._world.mobile.draw(rng)
        count = rng.choices((1, 2, 3), (0.6, 0.3, 0.1))[0]
        self._devices = [_Device(self._agents.draw(rng, START)) for _ in range(count)]

    @property
    def agent(self) -> Agent:
        """Of the main device."""
        return self._devices[0].agent

    def sign_in(self, at: float) -> SignIn:
        """Sign in now."""
        device = self._device(at)
        shown, device.cookie = device.cookie and self._rng.random() >= 0.02, True
        return SignIn(at, self.number, self._address(), device.agent, shown)

    def goes_on(self, one: SignIn) -> SignIn:
        """The session of a sign-in, some hours later: phones leave the house as often as between two sign-ins; all
        else changes in proportion to the time.
        """
        agent = one.agent
        if self._rng.random() < 0.015 * _HOURS and agent.major < current_major(one.at):
            agent = replace(agent, major=agent.major + 1)
        return SignIn(one.at + LATER, one.account, self._address(_HOURS), agent, cookie=True)

    def _device(self, at: float) -> _Device:
        rng = self._rng
        other = len(self._devices) > 1 and rng.random() >= 0.75
        device = rng.choice(self._devices[1:]) if other else self._devices[0]
        if rng.random() < 0.004:
            device.agent, device.cookie = self._agents.draw(rng, at), False
        elif rng.random() < 0.015 and device.agent.major < current_major(at):
            device.agent = replace(device.agent, major=device.agent.major + 1)
        return device

    def _address(self, time: float = 1.0) -> Address:
        rng, world = self._rng, self._world
        elsewhere = rng.random() / time
        if elsewhere < 0.002:
            return world.abroad.draw(rng).address(rng)
        if elsewhere < 0.006:
            return world.hosting.draw(rng).address(rng)
        if elsewhere < 0.009:
            self.home = world.home.draw(rng).address(rng)
        elif rng.random() < self._roams:
            return self._carrier.address(rng)
        elif rng.random() >= self._stays**time:
            network = self.home.network
            self.home = network.address(rng, self.home.block if rng.random() < 0.7 else None)
        return self.home


def population(shape: Shape, seed: int, accounts: int, *, sessions: bool = False) -> tuple[list[Person], list[SignIn]]:
    """Owners and all their sign-ins over half a year, in order of time; on demand each with what comes later."""
    rng = Random(seed)
    people = [Person(number, shape, Random(rng.random())) for number in range(accounts)]
    median, sigma = shape.sign_ins
    times = []
    for person in people:
        count = max(1, round(rng.lognormvariate(math.log(median), sigma)))
        times += [(at, person.number) for at in _times(shape, rng, count)]
    signed_in = []
    for at, number in sorted(times):
        one = people[number].sign_in(at)
        signed_in.append(replace(one, later=people[number].goes_on(one)) if sessions else one)
    return people, signed_in


def _times(shape: Shape, rng: Random, count: int) -> Iterator[float]:
    for _ in range(count):
        yield a_time(shape, rng, START, SPAN)


def a_time(shape: Shape, rng: Random, begin: float, span: float) -> float:
    """A time within a span, when people sign in."""
    while True:
        at = begin + rng.random() * span
        weekday, hour = int(at // DAY - START // DAY) % 7, at % DAY / 3600
        if rng.random() < (_open(weekday, hour) if shape.office else _awake(weekday, hour)):
            return at


def _open(weekday: int, hour: float) -> float:
    """Relative load of a pharmacy's hours."""
    if not 8.5 <= hour < 19.5 or weekday == 6:
        return 0.004
    return (1.0, 0.8, 0.8, 0.8, 0.8, 0.48)[weekday]


def _awake(weekday: int, hour: float) -> float:
    load = 1.0 if 8 <= hour < 20 else 0.15 if hour < 3 else 0.5
    return load * (0.85 if weekday >= 5 else 1.0)
