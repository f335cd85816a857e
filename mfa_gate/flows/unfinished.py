"""Right passwords that nothing followed: told to the owner once such a sign-in has ended, however it ends.

No scheduler is needed. A pending session ends by itself; who clears it away tells of it: the next sign-in of its
account, each pass of the mailer, and `flask mfa purge`. A sign-out, or another account in the same browser, tells at
once. It is not told where its owner has meanwhile signed in from the very same place: that was a closed window.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from ..audit.record import Earlier, Who
from ..durations import HOUR
from ..levels import Level
from ..netinfo.browsers import family, shown_again
from ..store import Transaction, accounts, outbox, sessions
from ..store.sessions import Unfinished
from .flow import ClientContext
from .services import Services

ACCOUNTS_AT_ONCE: Final = 200
TOLD_AS: Final = "failed_second_factor"
TOLD_AN_HOUR: Final = 20  # of that, to an account


def sweep(services: Services) -> int:
    """Clear away all sign-ins that have ended unfinished, and tell their owners; how many."""
    done = 0
    while True:
        with services.store.snapshot() as tx:
            found = sessions.unfinished(tx, services.clock(), ACCOUNTS_AT_ONCE)
        for account_id in found:
            with services.store.begin() as tx:
                ended = sessions.remove_ended_of(tx, services.clock(), account_id)
                tell(services, tx, ended)
            done += len(ended)
        if len(found) < ACCOUNTS_AT_ONCE:
            return done


def left(services: Services, tx: Transaction, client: ClientContext) -> None:
    """Tell of a client's own sign-in that is given up now, if nothing was proven in it."""
    session = client.require_session()
    if session.level >= Level.MFA or session.observed_until is not None or session.enrol_until is not None:
        return
    begun = min((proof.at for proof in session.proofs), default=services.clock())
    ended = Unfinished(session.sign_in, session.account_id, family(client.agent), session.place_hash, begun)
    tell(services, tx, [ended])


def tell(services: Services, tx: Transaction, ended: Iterable[Unfinished]) -> None:
    """Record sign-ins that ended unfinished, in the transaction that clears them away.

    Of those from one place one in an hour is told, and so many of all: who repeats a right password fills no table.
    """
    for one in ended:
        row = accounts.find(tx, one.account_id)
        if row is None or outbox.is_told(tx, row.subject, one.sign_in):
            continue
        proven_at = services.sessions.proven_at(tx, one.account_id, one.context)
        if proven_at is not None and proven_at >= one.created_at:
            continue
        lately = outbox.lately(tx, row.subject, TOLD_AS, one.created_at, HOUR, TOLD_AN_HOUR)
        if len(lately) >= TOLD_AN_HOUR or any(json.loads(data).get("place") == one.context for data in lately):
            continue
        earlier = Earlier(one.created_at, one.context, shown_again(one.browser))
        who = Who(row.subject, one.sign_in, earlier=earlier)
        services.audit.record(tx, "sign_in_unfinished", services.clock(), who, outcome="unknown")
