"""Attackers with the right password, from the careless to who knows the owner's browser; none has the device cookie."""

from __future__ import annotations

from random import Random
from typing import Final

from .people import Person, Shape, SignIn
from .world import Agents

AT_HOME: Final = 0.06  # of naive attempts come from where the service's own people are
KINDS: Final = ("naive", "VPN", "targeted", "very targeted")


def attempt(kind: str, person: Person, shape: Shape, at: float, rng: Random) -> SignIn:
    """One attempt at an account.

    Args:
        kind: one of `KINDS`. `naive`: an address somewhere in the world and a browser of the population. `VPN`: an
            address in the owner's country, of access or hosting as the shape says. `targeted`: the same, with the
            owner's family of browser and system in a version of the population. `very targeted`: a new address in the
            owner's own network and the very same browser, as far as the shape says that they know it.
        person: whose account.
    """
    agents, world, network = Agents(), shape.world, person.home.network
    if kind == "naive":
        abroad = world.abroad if rng.random() >= AT_HOME else world.home
        return SignIn(at, person.number, abroad.draw(rng).address(rng), agents.draw(rng, at), False)
    if kind == "very targeted" and rng.random() < shape.knows_owner:
        return SignIn(at, person.number, network.address(rng), person.agent, False)
    like = None if kind == "VPN" else person.agent
    pool = world.home if rng.random() < shape.local_access else world.hosting
    country = network.country if rng.random() < shape.knows_country else shape.country
    chosen = pool.draw(rng)
    while chosen.country != country:
        chosen = pool.draw(rng)
    return SignIn(at, person.number, chosen.address(rng), agents.draw(rng, at, like), False)
