"""What every step that proves something shares: the counted attempt, the known device, and what a proof leads to."""

from __future__ import annotations

from typing import Any

from ..account import Account
from ..assurance import Proof
from ..audit.record import Who
from ..levels import Level
from ..limits.limiter import Attempt, Scope, network
from ..sessions.devices import Device, PresentedDevices
from ..sessions.ids import HeldId
from ..sessions.session import ProvenPlace
from ..store import Transaction, accounts, devices, outbox, sessions
from ..store.accounts import AccountRow
from ..store.devices import DeviceRow
from .flow import ClientContext, Elevated
from .sent_twice import SentTwice


class ProofFlow(SentTwice):
    """Base of the flows that check a proof."""

    def count(self, tx: Transaction, client: ClientContext, rule: str) -> Attempt:
        """Count an attempt at what cannot be guessed, for the session and its source.

        The caller commits before the check. Both only slow: nobody who shares an address with the owner closes
        these ways for long.
        """
        scopes = (Scope(rule, client.require_session().sign_in), Scope("assertion_source", network(client.address)))
        return self.services.limiter.count(tx, scopes, self.services.clock())

    def presented(self, client: ClientContext) -> PresentedDevices:
        """The devices that a client's cookie stands for; a copied token ends its series, and what it signed in.

        Raises:
            Unavailable: the store does not answer.
        """
        services = self.services
        shown = services.devices.show(client.device, services.clock())
        if shown.unseen or shown.replayed:
            with services.store.begin() as tx:
                for series in shown.unseen:
                    devices.seen(tx, series, shown.presented[series])
                for row in shown.replayed:
                    self._replayed(tx, client, row, shown.presented[row.series])
        return shown

    def _replayed(self, tx: Transaction, client: ClientContext, row: DeviceRow, token_hash: str) -> None:
        account = accounts.lock_row(tx, row.account_id)
        if account is None or not devices.remove_replayed(tx, row.series, token_hash):
            return
        ended = sessions.remove_device(tx, row.series)
        self.services.audit.record(
            tx,
            "device_replayed",
            self.services.clock(),
            Who(account.subject, None, client.address, client.agent),
            outcome="refused",
            ended=ended,
        )

    def device_of(self, client: ClientContext, account_id: str) -> Device | None:
        """The known device that a client shows for an account."""
        return self.presented(client).of_account(account_id)

    def proven(
        self,
        tx: Transaction,
        client: ClientContext,
        account: Account,
        account_row: AccountRow,
        proof: Proof,
        device: Device | None,
    ) -> Elevated:
        """Add a proof to the session, which counts where it was made from then on.

        The last one of a sign-in makes the browser a known device, or rotates its token; and only then its place and
        browser are learnt, so that nobody with a password teaches what is usual.

        Args:
            tx, client, account, proof: whose, and what.
            held: the account's row, locked in this transaction.
            device: the known device that was shown.

        Raises:
            SignInRequired: the session has ended meanwhile, or lost a proof.
        """
        services, session, place, now = self.services, client.require_session(), client.place, proof.at
        signs_in, value, series = session.level < Level.MFA, None, None
        if signs_in:
            here = HeldId(session.id_hash, session.sign_in)
            value, series = services.devices.admit(tx, client.device, device, account.id, here, now)
            accounts.learn(
                tx, account.id, services.habits.learnt(account_row.habits, place, now, device=device is not None)
            )
        cookie, elevated = services.sessions.prove(
            tx, session, proof, now, series, self.newly_proven_place(client, now), client.sent
        )
        return Elevated(cookie, elevated, account, signs_in=signs_in, device=value)

    def newly_proven_place(self, client: ClientContext, now: float) -> ProvenPlace | None:
        """Where a session counts once it has proven itself; None where it does already."""
        habits, place_hash, place = self.services.habits, client.require_session().place_hash, client.place
        if place_hash is not None and habits.is_at(place_hash, place.address, place.agent):
            return None
        return ProvenPlace(habits.place_hash(place), habits.fingerprint(place, now))

    def proven_again(
        self,
        tx: Transaction,
        client: ClientContext,
        account: Account,
        account_row: AccountRow,
        proof: Proof,
        device: Device | None,
        attempt: Attempt,
        **data: Any,
    ) -> Elevated:
        """Add the proof of an authenticator that the account has: the attempt is given back, and it is an event."""
        elevated, subject = self.proven(tx, client, account, account_row, proof, device), account_row.subject
        self.services.limiter.succeeded(tx, attempt)
        if elevated.signs_in:
            data["device"] = "known" if device else "new"
            elevated.has_unseen_notices = self._waits(tx, client, subject, proof.at)
        self.services.audit.record(tx, "second_factor", proof.at, client.who(subject), amr=proof.amr, **data)
        return elevated

    def _waits(self, tx: Transaction, client: ClientContext, subject: str, now: float) -> bool:
        """Whether something is to be shown to who signs in now, its own slips taken back."""
        waiting = outbox.waits(tx, subject, client.require_session().sign_in, now)
        if waiting.slips and self.settle(tx, client, subject, now):
            return outbox.waits(tx, subject, client.require_session().sign_in, now).something
        return waiting.something

    def settle(self, tx: Transaction, client: ClientContext, subject: str, now: float) -> int:
        """Take back what this proof shows to be its owner's own slip, which it is in the very same place alone."""
        who = client.who(subject)
        return outbox.settle(tx, subject, client.require_session().sign_in, self.services.audit.place(who), now)
