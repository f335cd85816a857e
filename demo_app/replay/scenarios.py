"""The ways of the robots, one after the other. Each says how many records it got, and when."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mfa_gate.testing import Clock

from .. import DATABASE, nir
from .before import portal_before
from .thief import Thief, owners
from .world import DAY, MONDAY, USUAL, Victim, World, served

MACHINE, PERSON = 0.2, 13.0  # seconds between two look-ups of one session
DAYS = 60
Tick = Callable[[str, int], None]


@dataclass
class Outcome:
    """What a scenario got.

    Attributes:
        name: in the table.
        gate: whether the portal had it.
        points: seconds since the beginning, and records of all sessions so far.
        per_session: records of each account.
    """

    name: str
    gate: bool
    points: list[tuple[float, int]] = field(default_factory=lambda: [(1.0, 0)])
    per_session: list[int] = field(default_factory=list)

    @property
    def records(self) -> int:
        return sum(self.per_session)

    @property
    def lasted(self) -> float:
        return self.points[-1][0]


def every(world: World, tick: Tick) -> Iterator[Outcome]:
    """All scenarios, in the order of the table."""
    yield before(world, tick)
    yield password_only(world, tick)
    yield stolen(world, tick, "stolen cookies, used elsewhere", PERSON, moved=True)
    yield stolen(world, tick, "stolen cookies, used in the owner's own network and browser, 5 a second", MACHINE)
    yield stolen(world, tick, "stolen cookies, used in the owner's own network and browser, 1 per 13 s", PERSON)
    yield relayed(world, tick)
    yield factor(world, tick, "password and second factor, 5 a second", MACHINE)
    yield factor(world, tick, "password and second factor, 1 per 13 s", PERSON)
    yield habits(world, tick, 2.0)
    yield habits(world, tick, 1.5)
    for share in (0.3, 0.5, 0.7):
        yield guessing(world, tick, share)


def before(world: World, tick: Tick) -> Outcome:
    """March 2022: nothing but passwords, as fast as the portal answers. All records, shared among the sessions."""
    outcome = Outcome("passwords, as in 2022", gate=False)
    with served(portal_before(world.folder / DATABASE)) as port:
        thieves = [Thief(port, "127.99.0.1") for _ in world.victims]
        for thief, victim in zip(thieves, world.victims, strict=True):
            thief.password(victim)
        counts, began = [0] * len(thieves), time.monotonic()
        for place, number in enumerate(world.numbers):
            which = place % len(thieves)
            counts[which] += thieves[which].reads(number)
            if place % 1000 == 0:
                outcome.points.append((max(1.0, time.monotonic() - began), sum(counts)))
                tick(outcome.name, sum(counts))
        outcome.points.append((max(1.0, time.monotonic() - began), sum(counts)))
    outcome.per_session = counts
    return outcome


def password_only(world: World, tick: Tick) -> Outcome:
    """The same with the gate: the password opens nothing, and the mailbox holds nothing that would."""
    outcome = Outcome("passwords and mailboxes", gate=True)
    with world.portal("password") as (port, clock):
        for victim in world.victims:
            thief = Thief(port, f"127.99.{victim.number}.1")
            thief.password(victim)
            outcome.per_session.append(sum(thief.reads(number) for number in world.numbers[:20]))
            clock.advance(PERSON)
            tick(outcome.name, outcome.records)
            thief.close()
    outcome.points.append((len(world.victims) * PERSON, outcome.records))
    return outcome


def stolen(world: World, tick: Tick, name: str, pace: float, *, moved: bool = False) -> Outcome:
    """The cookies of owners who have just signed in; nothing that could prove a factor again."""
    with world.portal(f"stolen-{pace}-{moved}") as (port, clock):
        thieves = []
        for victim in world.victims:
            owner = owners(port, victim)
            _signs_in(owner, victim, clock)
            thief = Thief(port, f"127.99.{victim.number}.1") if moved else owners(port, victim)
            thief.cookies = dict(owner.cookies)
            owner.close()
            thieves.append(thief)
        return _race(world, tick, Outcome(name, gate=True), thieves, clock, pace)


def relayed(world: World, tick: Tick) -> Outcome:
    """A phishing relay: the owner types password and code into a page that hands them on at once, from elsewhere."""
    with world.portal("relayed") as (port, clock):
        thieves = []
        for victim in world.victims:
            thief = Thief(port, f"127.99.{victim.number}.1")
            _signs_in(thief, victim, clock)
            thieves.append(thief)
        return _race(world, tick, Outcome("a phishing relay: password and one code", gate=True), thieves, clock, PERSON)


def factor(world: World, tick: Tick, name: str, pace: float) -> Outcome:
    """Everything that the owner has, where the owner is: a further proof is given wherever it is asked for."""
    with world.portal(f"factor-{pace}") as (port, clock):
        thieves = [owners(port, victim) for victim in world.victims]
        for thief, victim in zip(thieves, world.victims, strict=True):
            _signs_in(thief, victim, clock)
        return _race(world, tick, Outcome(name, gate=True), thieves, clock, pace, proves=True)


def habits(world: World, tick: Tick, times: float) -> Outcome:
    """The same, by somebody who has patience: so many times what the owner reads, day after day."""
    name = f"password and second factor, {times:g} × the owner's habits for {DAYS} days"
    outcome = Outcome(name, gate=True, per_session=[0] * len(world.victims))
    with world.portal(f"habits-{times}") as (port, clock):
        numbers = iter(random.Random(2).sample(world.numbers, len(world.numbers)))
        going = list(world.victims)
        for day in range(DAYS):
            clock.now = MONDAY + day * DAY + 9 * 3600
            for victim in list(going):
                got, stopped = _one_day(port, clock, victim, numbers, round(USUAL * times))
                outcome.per_session[victim.number] += got
                if stopped:
                    going.remove(victim)
            outcome.points.append(((day + 1) * DAY, outcome.records))
            tick(name, outcome.records)
            if not going:
                break
    return outcome


def _one_day(port: int, clock: Clock, victim: Victim, numbers: Iterator[str], wanted: int) -> tuple[int, bool]:
    """Records of one day, and whether the account was stopped."""
    thief, begins, got = owners(port, victim), clock.now, 0
    _signs_in(thief, victim, clock)
    for _ in range(wanted):
        clock.advance(120)
        number = next(numbers, None)
        if number is None:
            break
        shown = thief.reads(number) or (_goes_on(thief, victim, clock) and thief.reads(number))
        got += shown
        if not shown:
            break
    stopped = thief.code == "reads_stopped"
    thief.close()
    clock.now = begins + 1
    return got, stopped


def guessing(world: World, tick: Tick, share: float) -> Outcome:
    """An enumerator with second factor: so many of the numbers that are tried are nobody's."""
    rng = random.Random(3)
    known = set(world.numbers)

    def guesses() -> Iterator[str]:
        while True:
            yield _nobody(rng, known) if rng.random() < share else rng.choice(world.numbers)

    with world.portal(f"guessing-{share}") as (port, clock):
        thieves = [owners(port, victim) for victim in world.victims]
        for thief, victim in zip(thieves, world.victims, strict=True):
            _signs_in(thief, victim, clock)
        name = f"password and second factor, guessing numbers, {share:.0%} of them nobody's"
        return _race(world, tick, Outcome(name, gate=True), thieves, clock, PERSON, proves=True, numbers=guesses())


def _nobody(rng: random.Random, known: set[str]) -> str:
    """A number with the right key that no record has."""
    while True:
        born = f"{rng.choice('12')}{rng.randrange(30, 99)}{rng.randrange(1, 13):02}"
        number = nir.with_key(f"{born}69{rng.randrange(920, 989)}{rng.randrange(1, 999):03}")
        if number not in known:
            return number


def _signs_in(thief: Thief, victim: Victim, clock: Clock) -> bool:
    clock.advance(30)
    thief.password(victim)
    return thief.proves(victim.code(clock()))


def _goes_on(thief: Thief, victim: Victim, clock: Clock, not_before: float | None = None) -> bool:
    """Prove the factor again, where that is what is asked for, by the next code that the app shows.

    Args:
        not_before: when that is; in 30 seconds by default.
    """
    if thief.code not in ("read_quota_reached", "step_up_required"):
        return False
    clock.now = max(clock.now, clock.now + 30 if not_before is None else not_before)
    return thief.proves(victim.code(clock()))


def _race(
    world: World,
    tick: Tick,
    outcome: Outcome,
    thieves: list[Thief],
    clock: Clock,
    pace: float,
    *,
    proves: bool = False,
    numbers: Iterator[str] | None = None,
) -> Outcome:
    """All sessions read at a pace, each until it gets nothing three times in a row."""
    numbers = numbers or iter(random.Random(4).sample(world.numbers, len(world.numbers)))
    began, counts, misses = clock(), [0] * len(thieves), [0] * len(thieves)
    while any(missed < 3 for missed in misses):
        clock.advance(pace)
        next_code = clock.now + 30  # for all of them: one who waits does not hold up the others
        for which, (thief, victim) in enumerate(zip(thieves, world.victims, strict=True)):
            if misses[which] >= 3:
                continue
            number = next(numbers)
            shown = thief.reads(number)
            if not shown and proves and thief.last != 404 and _goes_on(thief, victim, clock, next_code):
                shown = thief.reads(number)
            counts[which] += shown
            misses[which] = 0 if shown or thief.last == 404 else misses[which] + 1
        outcome.points.append((clock() - began, sum(counts)))
        tick(outcome.name, sum(counts))
    for thief in thieves:
        thief.close()
    outcome.per_session = counts
    return outcome
