"""Counters of the portal's own login view: brakes before it, and what did not sign in stays counted."""

from __future__ import annotations

from ..limits import Attempt, Scope, network, typed_name
from .ceremony import Ceremony


class Password(Ceremony):
    """The first factor as the gate sees it: it never learns the password."""

    def tried(self, name: str | None, address: str | None) -> Attempt:
        """Count one try at the portal's login, and commit it, before the view runs.

        Args:
            name: the user name as typed; None where the request has none that can be read.
            address: the client's address.

        Raises:
            TooManyAttempts: the view must not run.
            Unavailable: the store does not answer.
        """
        scopes = [Scope("password_source", network(address))]
        if name:
            scopes.append(Scope("password", typed_name(name)))
        with self.house.store.begin() as tx:
            return self.house.limiter.count(tx, scopes, self.house.clock())

    def succeeded(self, attempt: Attempt) -> None:
        """Give a try back that signed in."""
        with self.house.store.begin() as tx:
            self.house.limiter.succeeded(tx, attempt)
