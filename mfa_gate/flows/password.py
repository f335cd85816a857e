"""Counters of the portal's own login view: brakes before it, and what did not sign in stays counted."""

from __future__ import annotations

from ..limits.limiter import Attempt, Scope, network, typed_name
from .flow import ClientContext
from .proving import ProofFlow


class Password(ProofFlow):
    """The first factor as the gate sees it: it never learns the password."""

    def tried(self, name: str | None, client: ClientContext) -> Attempt:
        """Count one try at the portal's login, and commit it, before the view runs.

        A known device under the name that it knows has counters of its own. For everybody else a name counts apart at
        each source, so that nobody can close somebody else's: a name that fails everywhere only makes them slower, and
        so does a source, or all sources together, that guess in breadth.

        Args:
            name: the user name as typed; None where the request has none that can be read.
            client: where the request comes from, and its session.

        Raises:
            TooManyAttempts: the view must not run.
            Unavailable: the store does not answer.
        """
        services, now = self.services, self.services.clock()
        typed = typed_name(name) if name else None
        known = typed is not None and services.devices.knows(self.shown(client), typed)
        with services.store.begin() as tx:
            pressed = not known and services.pressure.tried(tx, client.address, now)
            return services.limiter.count(tx, _scopes(typed, network(client.address), known), now, pressed=pressed)

    def succeeded(self, attempt: Attempt, client: ClientContext, account_id: str) -> None:
        """Give a try back that signed in to this account."""
        with self.services.store.begin() as tx:
            self.services.limiter.succeeded(tx, attempt)
            if all(counter.scope.lane == "stranger" for counter in attempt.counters):
                self.services.pressure.succeeded(tx, client.address, account_id, attempt.at)


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
