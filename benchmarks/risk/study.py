"""The study: which populations, which scorers, and everything that the report is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Final

from mfa_gate.risk import RiskPolicy

from .harness import Scores, run
from .people import portal, public
from .scorers import Always, Engine, Published, Rule
from .sessions import Sessions, run_sessions
from .stuffing import WAYS, Stuffed, stuff

SEEDS: Final = (11, 12, 13, 14, 15)  # of the report alone: nothing was tried or fitted on them
CALIBRATION: Final = (201, 202)
ENGINE, COOKIELESS, PUBLISHED, RULE, ALWAYS = (
    "engine",
    "engine, no device cookie",
    "published score",
    "new device or network",
    "always",
)


@dataclass
class Study:
    """What was found.

    Attributes:
        portal: scores by scorer, all seeds pooled.
        public: of the published score on the public shape.
        sessions: of the portal, all seeds pooled.
        stuffed: what became of bought lists.
    """

    accounts: int
    portal: dict[str, Scores]
    public: Scores
    sessions: Sessions
    stuffed: list[Stuffed]


def study(accounts: int, seeds: Sequence[int], progress: Callable[[int], None]) -> Study:
    """Run everything, two processes at once.

    Args:
        accounts: of each population of the portal; the public ones have 25 times as many, who sign in less.
        seeds: of the portal's populations.
        progress: told how many parts are done.
    """
    with ProcessPoolExecutor(max_workers=2) as pool:
        portals = {pool.submit(_portal, seed, accounts): number for number, seed in enumerate(seeds)}
        publics = {pool.submit(_public, seed, 25 * accounts): number for number, seed in enumerate(CALIBRATION)}
        sessions = {pool.submit(_sessions, seed, accounts): number for number, seed in enumerate(seeds)}
        lists = [pool.submit(stuff, *way) for way in WAYS]
        for done, _ in enumerate(as_completed([*portals, *publics, *sessions, *lists]), 1):
            progress(done)
    pooled: dict[str, Scores] = {}
    for future, number in portals.items():
        for name, scores in future.result().items():
            pooled.setdefault(name, Scores()).add(scores, number * accounts)
    calibration = Scores()
    for one, number in publics.items():
        calibration.add(one.result(), number * 25 * accounts)
    moving = Sessions()
    for found, number in sessions.items():
        moving.add(found.result(), number * accounts)
    return Study(accounts, pooled, calibration, moving, [one.result() for one in lists])


def parts(seeds: Sequence[int]) -> int:
    return 2 * len(seeds) + len(CALIBRATION) + len(WAYS)


def _portal(seed: int, accounts: int) -> dict[str, Scores]:
    policy = RiskPolicy()
    scorers = {
        ENGINE: Engine(policy),
        COOKIELESS: Engine(policy, cookie=False),
        PUBLISHED: Published(),
        RULE: Rule(),
        ALWAYS: Always(),
    }
    return run(portal(), seed, accounts, scorers)


def _public(seed: int, accounts: int) -> Scores:
    return run(public(), seed, accounts, {PUBLISHED: Published()})[PUBLISHED]


def _sessions(seed: int, accounts: int) -> Sessions:
    return run_sessions(portal(), seed, accounts)
