"""Counters of the portal's own login view: brakes before it, and what did not sign in stays counted."""

from __future__ import annotations

from collections.abc import Sequence

from ..limits.limiter import Attempt, Scope, network, typed_name
from ..store import Transaction
from .flow import ClientContext
from .proving import ProofFlow


class Password(ProofFlow):
    """The first factor as the gate sees it: it never learns the password."""

    def tried(self, names: Sequence[str], client: ClientContext) -> Attempt:
        """Count one try at the portal's login, and commit it, before the view runs.

        A known device under the name that it knows has counters of its own. For everybody else a name counts apart at
        each source, so that nobody can close somebody else's: a name that fails everywhere only makes them slower, and
        so does a source, or all sources together, that guess in breadth.

        Args:
            names: the user name as typed; several where the request carries more than one, and none where it carries
                none that can be read: such tries have counters in common, as if they were for one name.
            client: where the request comes from, and its session.

        Raises:
            TooManyAttempts: the view must not run.
            Unavailable: the store does not answer.
        """
        services, now = self.services, self.services.clock()
        typed = [typed_name(name) for name in names]
        known = len(typed) == 1 and services.devices.knows(self.presented(client), typed[0])
        with services.store.begin() as tx:
            pressed = not known and services.pressure.tried(tx, client.address, now)
            return services.limiter.count(tx, _scopes(typed, network(client.address), known), now, pressed=pressed)

    def succeeded(self, attempt: Attempt, client: ClientContext, account_id: str) -> None:
        """Give a try back that signed in to this account."""
        with self.services.store.begin() as tx:
            # in the order in which a try locks them
            if all(counter.scope.lane == "stranger" for counter in attempt.counters):
                self.services.pressure.succeeded(tx, client.address, account_id, attempt.at)
            self._give_back(tx, attempt)

    def _give_back(self, tx: Transaction, attempt: Attempt) -> None:
        if sum(counter.scope.rule == "password" for counter in attempt.counters) == 1:
            self.services.limiter.succeeded(tx, attempt)
        else:  # one of these names signed in, and nobody here knows which
            self.services.limiter.succeeded(tx, attempt, ends_streaks=False)

    def stood_for(self, account_id: str, client: ClientContext) -> None:
        """Count a sign-in that something else than a typed password stands for, and commit it, before it begins.

        A known device is not counted.

        Raises:
            TooManyAttempts: too many of this account from this source within the hour.
            Unavailable: the store does not answer.
        """
        if self.device_of(client, account_id) is not None:
            return
        scope = Scope("upstream", f"{account_id} {network(client.address)}")
        with self.services.store.begin() as tx:
            self.services.limiter.count(tx, [scope], self.services.clock())


def _scopes(typed: Sequence[str], source: str, known: bool) -> list[Scope]:
    if known:
        return [Scope("password", name, "known") for name in typed]
    scopes = [Scope("password_source", source, pressed="password_source_pressed")]
    for name in typed or [""]:
        scopes += [
            Scope("password_name", name),
            Scope("password", f"{name} {source}", pressed="password_pressed"),
        ]
    return scopes
