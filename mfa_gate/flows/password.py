"""Counters of the portal's own login view: brakes before it, and what did not sign in stays counted."""

from __future__ import annotations

from ..limits.limiter import Attempt, Scope, network, typed_name
from .flow import Visit
from .proving import Proving


class Password(Proving):
    """The first factor as the gate sees it: it never learns the password."""

    def tried(self, name: str | None, visit: Visit) -> Attempt:
        """Count one try at the portal's login, and commit it, before the view runs.

        A known device under the name that it knows has counters of its own. For everybody else a name counts apart at
        each source, so that nobody can close somebody else's: a name that fails everywhere only makes them slower, and
        so does a source, or all sources together, that guess in breadth.

        Args:
            name: the user name as typed; None where the request has none that can be read.
            visit: who is there.

        Raises:
            TooManyAttempts: the view must not run.
            Unavailable: the store does not answer.
        """
        house, now = self.house, self.house.clock()
        typed = typed_name(name) if name else None
        known = typed is not None and house.devices.knows(self.shown(visit), typed)
        with house.store.begin() as tx:
            pressed = not known and house.pressure.tried(tx, visit.address, now)
            return house.limiter.count(tx, _scopes(typed, network(visit.address), known), now, pressed=pressed)

    def succeeded(self, attempt: Attempt, visit: Visit) -> None:
        """Give a try back that signed in."""
        with self.house.store.begin() as tx:
            self.house.limiter.succeeded(tx, attempt)
            if all(counter.scope.lane == "stranger" for counter in attempt.counters):
                self.house.pressure.succeeded(tx, visit.address, attempt.at)


def _scopes(typed: str | None, source: str, known: bool) -> list[Scope]:
    if typed is None:
        return [Scope("password_source", source, pressed="password_source_pressed")]
    if known:
        return [Scope("password", typed, "known")]
    return [
        Scope("password_source", source, pressed="password_source_pressed"),
        Scope("password_name", typed),
        Scope("password", f"{typed} {source}", pressed="password_pressed"),
    ]
