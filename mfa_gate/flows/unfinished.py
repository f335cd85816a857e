"""Right passwords that nothing followed: told to the owner once such a sign-in has ended, however it ends.

No scheduler is needed. A pending session ends by itself; who clears it away tells of it: the next sign-in of its
account, each pass of the mailer, and `flask mfa purge`. A sign-out, or another account in the same browser, tells at
once. It is not told where its owner has meanwhile signed in from the very same place: that was a closed window.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from functools import cache
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
                accounts.lock_row(tx, account_id)  # as a sign-in does, before its sessions
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
    of_accounts: dict[str, list[Unfinished]] = {}
    for one in sorted(ended, key=lambda one: one.created_at):
        of_accounts.setdefault(one.account_id, []).append(one)
    for account_id, those in of_accounts.items():
        row = accounts.find(tx, account_id)
        if row is not None:
            _tell_owner(services, tx, row.subject, those)


def _tell_owner(services: Services, tx: Transaction, subject: str, ended: list[Unfinished]) -> None:
    """Tell of the sign-ins of one account, the oldest first: there may be thousands, and few statements do."""
    known = outbox.password_known(tx, subject, ended[0].created_at - HOUR, ended[-1].created_at + HOUR)
    heard_of = {one.sign_in for one in known}
    told = sorted((one.at, json.loads(one.data).get("place") or "") for one in known if one.kind == TOLD_AS)
    proven_at = cache(lambda place: services.sessions.proven_at(tx, ended[0].account_id, place))
    for one in ended:
        place, at = one.context or "", one.created_at
        lately = told[bisect_left(told, (at - HOUR,)) : bisect_right(told, (at + HOUR, "~"))]
        if one.sign_in in heard_of or len(lately) >= TOLD_AN_HOUR or place in (where for _, where in lately):
            continue
        proven = proven_at(one.context)
        if proven is not None and proven >= at:
            continue
        who = Who(subject, one.sign_in, earlier=Earlier(at, one.context, shown_again(one.browser)))
        services.audit.record(tx, "sign_in_unfinished", services.clock(), who, outcome="unknown")
        insort(told, (at, place))
