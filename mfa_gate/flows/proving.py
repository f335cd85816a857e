"""What every step that proves something shares: the counted attempt, the known device, and what a proof leads to."""

from __future__ import annotations

from typing import Any

from ..account import Account
from ..assurance import Level, Proof
from ..audit.record import Who
from ..limits.limiter import Attempt, Scope, network
from ..sessions.devices import Device, Shown
from ..sessions.session import Here
from ..store import Transaction, accounts, devices, outbox, sessions
from ..store.accounts import AccountRow
from ..store.devices import DeviceRow
from .flow import Ceremony, Risen, Visit


class Proving(Ceremony):
    """Base of the flows that check a proof."""

    def count(self, tx: Transaction, visit: Visit, rule: str) -> Attempt:
        """Count an attempt at what cannot be guessed, for the session and its source.

        The caller commits before the check. Both only slow: nobody who shares an address with the owner closes
        these ways for long.
        """
        scopes = (Scope(rule, visit.there().sign_in), Scope("assertion_source", network(visit.address)))
        return self.house.limiter.count(tx, scopes, self.house.clock())

    def shown(self, visit: Visit) -> Shown:
        """The devices that a visitor's cookie stands for; a copied token ends its series, and what it signed in.

        Raises:
            Unavailable: the store does not answer.
        """
        house = self.house
        shown = house.devices.show(visit.device, house.clock())
        if shown.unseen or shown.replayed:
            with house.store.begin() as tx:
                for series in shown.unseen:
                    devices.seen(tx, series, shown.presented[series])
                for row in shown.replayed:
                    self._replayed(tx, visit, row, shown.presented[row.series])
        return shown

    def _replayed(self, tx: Transaction, visit: Visit, row: DeviceRow, token_hash: str) -> None:
        account = accounts.hold(tx, row.account_id)
        if account is None or not devices.remove_replayed(tx, row.series, token_hash):
            return
        ended = sessions.remove_device(tx, row.series)
        self.house.audit.record(
            tx,
            "device_replayed",
            self.house.clock(),
            Who(account.subject, None, visit.address, visit.agent),
            outcome="refused",
            ended=ended,
        )

    def device_of(self, visit: Visit, account_id: str) -> Device | None:
        """The known device that a visitor shows for an account."""
        return self.shown(visit).of_account(account_id)

    def proven(
        self,
        tx: Transaction,
        visit: Visit,
        account: Account,
        held: AccountRow,
        proof: Proof,
        device: Device | None,
    ) -> Risen:
        """Add a proof to the session, which counts where it was made from then on.

        The last one of a sign-in makes the browser a known device, or rotates its token; and only then its place and
        browser are learnt, so that nobody with a password teaches what is usual.

        Args:
            tx, visit, account, proof: whose, and what.
            held: the account's row, locked in this transaction.
            device: the known device that was shown.

        Raises:
            SignInRequired: the session has ended meanwhile, or lost a proof.
        """
        house, session, place, now = self.house, visit.there(), visit.place, proof.at
        signs_in, value, series = session.level < Level.MFA, None, None
        if signs_in:
            value, series = house.devices.admit(tx, visit.device, device, account.id, session.sign_in, now)
            accounts.learn(tx, account.id, house.habits.learnt(held.habits, place, now, device=device is not None))
        cookie, risen = house.sessions.prove(tx, session, proof, now, series, self.here(visit, now))
        return Risen(cookie, risen, account, signs_in=signs_in, device=value)

    def here(self, visit: Visit, now: float) -> Here | None:
        """Where a session counts once it has proven itself; None where it does already."""
        habits, context, place = self.house.habits, visit.there().context, visit.place
        if context is not None and habits.is_at(context, place.address, place.agent):
            return None
        return Here(habits.context(place), habits.shown(place, now))

    def proven_again(
        self,
        tx: Transaction,
        visit: Visit,
        account: Account,
        held: AccountRow,
        proof: Proof,
        device: Device | None,
        attempt: Attempt,
        **data: Any,
    ) -> Risen:
        """Add the proof of an authenticator that the account has: the attempt is given back, and it is an event."""
        risen, subject = self.proven(tx, visit, account, held, proof, device), held.subject
        self.house.limiter.succeeded(tx, attempt)
        if risen.signs_in:
            data["device"] = "known" if device else "new"
            risen.news = outbox.waits(tx, subject, risen.session.sign_in)
        self.house.audit.record(tx, "second_factor", proof.at, visit.who(subject), method=proof.method, **data)
        return risen
