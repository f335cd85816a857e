"""The made-up world: networks, browsers, and the shares of both. Shapes after published figures (docs/risk.md)."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import Final, Generic, TypeVar

DAY: Final = 86400.0
T = TypeVar("T")


@dataclass(frozen=True)
class Network:
    """An autonomous system: its /16 blocks are numbers that nobody else has."""

    asn: str
    country: str
    kind: str
    blocks: range

    def address(self, rng: Random, block: int | None = None) -> Address:
        """A random address of it, or of one of its blocks."""
        block = rng.choice(self.blocks) if block is None else block
        return Address(self, block, rng.randrange(256), rng.randrange(1, 255))


@dataclass(frozen=True)
class Address:
    """One address, known by its network, /16, /24 and last byte."""

    network: Network
    block: int
    third: int
    last: int

    @property
    def districted(self) -> str:
        return f"b{self.block}."

    @property
    def networked(self) -> str:
        return f"{self.districted}{self.third}"

    def __str__(self) -> str:
        return f"{self.networked}.{self.last}"


@dataclass(frozen=True)
class Agent:
    """What a browser says of itself."""

    browser: str
    major: int
    system: str
    release: str
    device: str

    @property
    def family(self) -> str:
        return f"{self.browser} {self.system}"

    @property
    def build(self) -> str:
        return f"{self.browser} {self.major} {self.system} {self.release}"


@dataclass
class Shares(Generic[T]):
    """Values drawn by their weights."""

    values: Sequence[T]
    weights: Sequence[float]
    _sums: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self._sums = list(accumulate(self.weights))

    def draw(self, rng: Random) -> T:
        return self.values[bisect(self._sums, rng.random() * self._sums[-1])]


@dataclass(frozen=True)
class World:
    """Where people and attackers sign in from.

    Attributes:
        home: access networks of the portal's own people.
        mobile: their mobile networks.
        hosting: networks that servers and tunnels stand in, of the portal's country.
        abroad: access and hosting networks of the rest of the world.
    """

    home: Shares[Network]
    mobile: Shares[Network]
    hosting: Shares[Network]
    abroad: Shares[Network]


class _Blocks:
    """Hands out numbers of /16 blocks."""

    def __init__(self) -> None:
        self._next = 0

    def take(self, count: int) -> range:
        taken = range(self._next, self._next + count)
        self._next += count
        return taken


def french_portal() -> World:
    """Shares of the French market: four networks hold 80 % of access, sixty small ones the rest."""
    blocks = _Blocks()
    large = {"Orange": (0.40, 120), "Free": (0.22, 60), "SFR": (0.18, 60), "Bouygues": (0.15, 40)}
    home = [(0.8 * share, Network(name, "FR", "access", blocks.take(size))) for name, (share, size) in large.items()]
    home += [(0.2 / 60, Network(f"FR access {i}", "FR", "access", blocks.take(2))) for i in range(60)]
    mobile = [
        (share, Network(f"{name} mobile" if name == "Free" else name, "FR", "access", blocks.take(4)))
        for name, (share, _) in large.items()
    ]
    hosts = [Network(f"FR hosting {i}", "FR", "hosting" if i % 3 else "vpn", blocks.take(3)) for i in range(25)]
    return World(
        _shares(home),
        _shares(mobile),
        Shares(hosts, [1 / (i + 1) for i in range(25)]),
        _abroad(blocks, dict.fromkeys(("RO", "NL", "DE", "US", "GB", "RU", "BR", "ID", "VN", "IN"), 1.0)),
    )


def public_service() -> World:
    """The shape of the public data set: a Norwegian service with users all over the world."""
    blocks = _Blocks()
    home = [
        (0.42 / (i + 1), Network(f"NO access {i}", "NO", "access", blocks.take(30 // (i + 1) + 1))) for i in range(40)
    ]
    world = {"US": 0.28, "RU": 0.054, "BR": 0.038, "DE": 0.029, "GB": 0.02, "IN": 0.02, "RO": 0.01, "CA": 0.02}
    scale = sum(weight for weight, _ in home) / 0.65
    for country, share in world.items():
        home += [
            (0.35 * scale * share / 0.47 / 30, Network(f"{country} access {i}", country, "access", blocks.take(8)))
            for i in range(30)
        ]
    mobile = [(1 / (i + 1), Network(f"NO access {i}", "NO", "access", blocks.take(4))) for i in range(3)]
    hosts = [
        Network(f"{country} hosting {i}", country, "hosting", blocks.take(2))
        for country in ("NO", *world)
        for i in range(40)
    ]
    countries = {**world, **{f"C{i}": 0.004 for i in range(120)}}
    return World(_shares(home), _shares(mobile), Shares(hosts, [1.0] * len(hosts)), _abroad(blocks, countries))


def _abroad(blocks: _Blocks, countries: dict[str, float]) -> Shares[Network]:
    networks = [
        (weight / (i + 1), Network(f"{country} {kind} {i}", country, kind, blocks.take(10)))
        for country, weight in countries.items()
        for i in range(8)
        for kind in ("access", "hosting")
    ]
    return _shares(networks)


def _shares(networks: Sequence[tuple[float, Network]]) -> Shares[Network]:
    return Shares([network for _, network in networks], [weight for weight, _ in networks])


# browser, system, device, share, releases of the system: 56 % mobile, after a weighted list of real browsers
_FAMILIES: Final = (
    ("Mobile Safari", "iOS", "mobile", 0.27, 9),
    ("Chrome Mobile", "Android", "mobile", 0.22, 14),
    ("Samsung Internet", "Android", "mobile", 0.04, 6),
    ("Chrome Mobile iOS", "iOS", "mobile", 0.02, 6),
    ("Firefox Mobile", "Android", "mobile", 0.01, 4),
    ("Chrome", "Windows", "desktop", 0.22, 2),
    ("Edge", "Windows", "desktop", 0.08, 2),
    ("Firefox", "Windows", "desktop", 0.03, 2),
    ("Chrome", "Mac OS X", "desktop", 0.05, 3),
    ("Safari", "Mac OS X", "desktop", 0.04, 3),
    ("Firefox", "Linux", "desktop", 0.01, 1),
    ("Chrome", "Linux", "desktop", 0.01, 1),
)


def current_major(at: float) -> int:
    """Browsers come out every four weeks."""
    return 100 + int(at // (28 * DAY))


class Agents:
    """Browsers as people have them: the current version mostly, and a tail of older ones."""

    def __init__(self) -> None:
        self._families = Shares(_FAMILIES, [family[3] for family in _FAMILIES])

    def draw(self, rng: Random, at: float, like: Agent | None = None) -> Agent:
        """A browser of the population, or one of the same family as another."""
        while True:
            browser, system, device, _, releases = self._families.draw(rng)
            if like is None or (browser, system) == (like.browser, like.system):
                break
        lag = min(int(rng.expovariate(1.6)), 12)
        release = min(int(rng.expovariate(0.8)), releases - 1)
        return Agent(browser, current_major(at) - lag, system, str(release), device)
