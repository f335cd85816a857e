"""Signing in and stepping up: the first factor that the portal checked, then a second one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from ..account import Account
from ..audit.record import Who
from ..exc import AccountClosed
from ..limits.limiter import Scope, network, typed_name
from ..lines import visible
from ..netinfo.browsers import family
from ..risk import Assessment
from ..sessions.crowding import giving_way
from ..sessions.devices import Device
from ..sessions.session import Session
from ..store import Transaction, accounts, activations, authenticators, credentials, sessions
from ..store.accounts import AccountRow
from ..store.sessions import Origin
from . import unfinished
from .flow import ClientContext, Elevated, log
from .proving import ProofFlow

NETWORK: Final = 60  # characters of the name of a network
LOOKS_AGAIN: Final = 120.0  # seconds from the first factor


class SignIn(ProofFlow):
    """From the right password to a session of `Level.MFA`, and any further proof."""

    def begin(self, account: Account, client: ClientContext, *, leaked: bool = False, typed: bool = False) -> Elevated:
        """Open a pending session for an account whose first factor the portal has just checked.

        Args:
            account: whom the portal let through.
            client: its session, the one that this browser brought is ended, whosever it is.
            leaked: the password is in a list of leaked ones.
            typed: somebody has just typed the password, of which a source has so many an hour.

        Raises:
            AccountClosed: the account is locked.
            TooManyAttempts: from this source, and no known device, so many right passwords came within the hour.
            Unavailable: the store does not answer.
        """
        services, now = self.services, self.services.clock()
        name_hash = services.devices.typed(typed_name(client.name)) if client.name else None
        place, known = client.place, self.device_of(client, account.id)
        origin = Origin(
            self._source(client, known),
            known is not None,
            family(client.agent),
            self._network(client.address),
            name_hash,
            services.habits.fingerprint(place, now),
        )
        with services.store.begin() as tx:
            accounts.ensure(tx, account.id, now)
            row = accounts.lock_row(tx, account.id)
            locked = row is None or row.locked_at is not None
            if typed and row is not None and known is None:
                scope = Scope("signed_in", f"account {row.subject} {network(client.address)}")
                services.limiter.count(tx, [scope], now)  # it stays counted
            found = self._assessed(tx, row, client, known, now, leaked=leaked)
            subject = row.subject if row else None
            if client.session is not None:
                unfinished.left(services, tx, client)  # also of the same account: who renews it is told of meanwhile
                self.leave(tx, client.session)
            unfinished.tell(services, tx, sessions.remove_ended_of(tx, now, account.id))
            observed = None if locked else self._observed_until(tx, account, now)
            opened = None
            if not locked:
                self._make_room(tx, account.id, origin, now)
                opened = services.sessions.open(
                    tx,
                    account.id,
                    now,
                    group=account.group,
                    observed_until=observed,
                    origin=origin,
                    risk=found.risk,
                    place_hash=services.habits.place_hash(place),
                )
            services.audit.record(
                tx,
                "first_factor",
                now,
                Who(subject, opened[1].sign_in if opened else None, client.address),
                outcome="refused" if locked else "success",
                amr="pwd",
                reason="locked" if locked else None,
                **risk_data(found),
            )
            if opened is not None:
                who = Who(subject, opened[1].sign_in, client.address, client.agent)
                if found.risk == "high":
                    services.audit.record(
                        tx, "unusual_sign_in", now, who, outcome="unknown", reasons=list(found.reasons)
                    )
                if leaked:
                    services.audit.record(tx, "leaked_password", now, who, outcome="unknown")
        if opened is None:
            raise AccountClosed
        return Elevated(*opened, account, signs_in=observed is not None)

    def _source(self, client: ClientContext, known: Device | None) -> str:
        """The keyed hash of what a sign-in is counted at: its known device, else its network."""
        whence = f"device {known.series}" if known is not None else f"network {network(client.address)}"
        return self.services.keyring.hash("sign-in source", whence)

    def _make_room(self, tx: Transaction, account_id: str, origin: Origin, now: float) -> None:
        """End what gives way to one more session that a password opens, and tell of it as of any that ends so."""
        there = sessions.unproven(tx, account_id, now)
        gone = giving_way(there, origin.source)
        sessions.remove(tx, [one.id_hash for one in gone])
        unfinished.tell(self.services, tx, [one.as_unfinished() for one in gone if one.observed_until is None])

    def look_again(self, session: Session, client: ClientContext) -> Session:
        """What a sign-in counts for once its browser shows the device cookie that a cross-site POST did not bring.

        It is looked at for two minutes, before any other proof, and only ever found less unusual: to "raised" at least,
        as what else spoke against it is not known any more.

        Args:
            session: a pending one that began unusual.
            client: the request that its cookie came with.

        Raises:
            Unavailable: the store does not answer.
        """
        services, now = self.services, self.services.clock()
        if session.risk != "high" or len(session.proofs) != 1 or now - session.proofs[0].at > LOOKS_AGAIN:
            return session
        known = self.device_of(client, session.account_id)
        if known is None:
            return session
        with services.store.begin() as tx:
            row = accounts.lock_row(tx, session.account_id)
            found = self._assessed(tx, row, client, known, now, leaked=False)
            if found.risk == "high" or not services.sessions.lower_risk(tx, session, "raised"):
                return session
            who = Who(row.subject if row else None, session.sign_in, client.address)
            services.audit.record(tx, "device_shown_late", now, who, reasons=list(found.reasons))
        return replace(session, risk="raised")

    def _assessed(
        self,
        tx: Transaction,
        row: AccountRow | None,
        client: ClientContext,
        known: Device | None,
        now: float,
        *,
        leaked: bool,
    ) -> Assessment:
        """How unusual a right password is, by its account's habits, by its source's, and by itself."""
        habits, place, kept = self.services.habits, client.place, row.habits if row else None
        found, policy = habits.assess(kept, place, now, device=known is not None), habits.policy
        strange = known is None and habits.is_new_place(kept, place, now)
        if row is not None and strange and self.services.pressure.opens(tx, client.address, row.subject, now):
            found = found.at_least("high", "fan_in", only_reported=policy.reports("fan_in"))
        if leaked:
            found = found.at_least("raised", "leaked_password", only_reported=policy.reports("leaked"))
        return found

    def _network(self, address: str | None) -> str | None:
        """What the portal or the network data call a network, for people; not known where they do not say, or fail."""
        if self.services.network_of is None or address is None:
            name = self.services.habits.network(address, self.services.clock()).name
            return name and visible(name).strip()[:NETWORK]
        try:
            name = self.services.network_of(address)
        except Exception as error:
            log.warning("the portal's network_of failed: %s", type(error).__name__)
            return None
        return (visible(name).strip()[:NETWORK] or None) if isinstance(name, str) else None

    def _observed_until(self, tx: Transaction, account: Account, now: float) -> float | None:
        """Until when the password alone lets this account in: never where it has an authenticator."""
        until = self.services.policy.observed_until(account.group)
        if until is None or now >= until or self.stored_amr(tx, account.id):
            return None
        return until

    def sign_out(self, client: ClientContext) -> None:
        """End the session everywhere, and leave nothing of a half sign-in or a begun enrolment."""
        if client.session is None:
            return
        with self.services.store.begin() as tx:
            row = accounts.lock_row(tx, client.session.account_id)
            unfinished.left(self.services, tx, client)
            self.leave(tx, client.session)
            self.services.audit.record(
                tx,
                "session_ended",
                self.services.clock(),
                client.who(row.subject if row else None),
                reason="sign_out",
            )

    def leave(self, tx: Transaction, session: Session) -> None:
        # in the order in which an enrolment locks them
        authenticators.abandon_enrolments(tx, session.sign_in)
        credentials.abandon_challenges(tx, session.sign_in)
        activations.release(tx, session.sign_in)
        self.services.sessions.end(tx, session)


def risk_data(found: Assessment) -> dict[str, Any]:
    """An assessment, as it stands in an event."""
    evidence = {name: round(value, 2) for name, value in found.evidence.items() if value}
    return {
        "risk": found.risk,
        "would_be": found.would_be,
        "score": round(found.score, 2),
        "reasons": list(found.reasons),
        "evidence": evidence,
    }
