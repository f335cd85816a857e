"""The life of an account and of its sessions at the gate: present, ended, locked, forgotten."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..assurance import CLOCK_SKEW
from ..audit.record import Who
from ..durations import DAY
from ..sessions.session import Session
from ..store import (
    accounts,
    activations,
    alerts,
    authenticators,
    counters,
    credentials,
    crowds,
    desk_staff,
    devices,
    outbox,
    pressure,
    recovery_sets,
    sessions,
)
from . import unfinished
from .factor_flow import FactorFlow
from .flow import Flow
from .services import Services

NOTICE_RETENTION = 90 * DAY  # seconds that what an owner was told is kept
PRESENT_FOR = 60.0  # seconds for which a session need not be written, nor its account asked for again


class AccountLifecycle(Flow):
    """What the portal and its staff may do to accounts and sessions, and what time does.

    Args:
        services: what the flows of one app share.
        factors: the flows of the factors, which name the counters that an unlock clears.
    """

    def __init__(self, services: Services, factors: Iterable[FactorFlow]) -> None:
        super().__init__(services)
        self._factors = tuple(factors)

    def present(self, session: Session, now: float) -> None:
        """Note that a session is in use, and ask the portal for its account: at most once a minute.

        Raises:
            SignInRequired: the account is gone or disabled; its session has ended.
            Unavailable: the store does not answer.
        """
        # a clock that was set back must not put the question off until it has caught up
        idle, _ = self.services.sessions.times(session.group)
        if -CLOCK_SKEW <= now - session.last_seen < min(PRESENT_FOR, idle / 4):
            return
        group = self.account_of(session).group
        with self.services.store.begin() as tx:
            self.services.sessions.touch(tx, session, group, now)

    def observed(self, session: Session, view: str, address: str | None) -> None:
        """Record that a view let somebody pass who would be refused if the group were not only observed."""
        with self.services.store.begin() as tx:
            row = accounts.find(tx, session.account_id)
            who = Who(row.subject if row else None, session.sign_in, address)
            self.services.audit.record(
                tx, "observed", self.services.clock(), who, outcome="unknown", reason="no_authenticator", view=view
            )

    def end_mismatch(self, session: Session, address: str | None) -> None:
        """End the gate's session where the portal takes its visitor for somebody else, or for nobody."""
        with self.services.store.begin() as tx:
            row = accounts.find(tx, session.account_id)
            self.services.sessions.end(tx, session)
            who = Who(row.subject if row else None, session.sign_in, address)
            self.services.audit.record(tx, "identity_mismatch", self.services.clock(), who, outcome="refused")

    def end_sessions(self, account_id: str, reason: str, **by: Any) -> int:
        """End every session of an account, on every worker, at once; how many there were.

        Args:
            account_id: whose.
            reason: why, for the record.
            by: `by=` the random name of who at the help desk does it, so that the owner is told.
        """
        with self.services.store.begin() as tx:
            row = accounts.lock_row(tx, account_id)
            ended = self.services.sessions.end_account(tx, account_id)
            if row is not None:
                who = Who(row.subject)
                self.services.audit.record(
                    tx, "sessions_ended", self.services.clock(), who, why=reason, ended=ended, **by
                )
        return ended

    def password_changed(self, account_id: str, kept: Session | None) -> int:
        """End the sessions that an old password opened, the thief's included; how many there were.

        Args:
            account_id: whose password was changed.
            kept: the session in which it was changed, which goes on.
        """
        with self.services.store.begin() as tx:
            row = accounts.lock_row(tx, account_id)
            if row is None:
                return 0
            this = kept.sign_in if kept is not None and kept.account_id == account_id else None
            ended = self.services.sessions.end_account(tx, account_id, but=this)
            who = Who(row.subject, this)
            self.services.audit.record(tx, "password_changed", self.services.clock(), who, ended=ended)
        return ended

    def lock(self, account_id: str, reason: str, **by: Any) -> None:
        """Lock an account: its sessions end and it proves nothing until it is unlocked."""
        now = self.services.clock()
        with self.services.store.begin() as tx:
            accounts.ensure(tx, account_id, now)
            row = accounts.lock_row(tx, account_id)
            accounts.lock(tx, account_id, now, reason)
            self.services.sessions.end_account(tx, account_id)
            self.services.audit.record(tx, "account_locked", now, Who(row.subject if row else None), why=reason, **by)

    def unlock(self, account_id: str, reason: str, **by: Any) -> bool:
        """Unlock an account and let its owner type codes again after strangers' failures; False if it was open."""
        with self.services.store.begin() as tx:
            row = accounts.lock_row(tx, account_id)
            if row is None:
                return False
            guesses = [scope for factor in self._factors for scope in factor.counters(tx, account_id, row.subject)]
            self.services.limiter.clear(tx, guesses)
            unlocked = accounts.unlock(tx, account_id)
            self.services.audit.record(
                tx, "account_unlocked", self.services.clock(), Who(row.subject), was_locked=unlocked, why=reason, **by
            )
        return unlocked

    def reset(self, account_id: str, reason: str, **by: Any) -> int:
        """Remove all that an account can prove itself with, and all that was opened by it; how many authenticators.

        Sessions, known devices, recovery codes and an open activation code go with them; a lock stays. What follows
        is a first enrolment, with a new activation code.

        Args:
            account_id, reason, by: as for `end_sessions`.
        """
        now = self.services.clock()
        with self.services.store.begin() as tx:
            row = accounts.lock_row(tx, account_id)
            if row is None:
                return 0
            self.services.sessions.end_account(tx, account_id)
            activations.revoke(tx, account_id)
            devices.remove_account(tx, account_id)
            recovery_sets.remove(tx, account_id)
            removed = authenticators.remove_account(tx, account_id)
            self.services.audit.record(tx, "account_reset", now, Who(row.subject), why=reason, removed=removed, **by)
        return removed

    def forget(self, account_id: str) -> bool:
        """Delete all that the gate holds about an account; False where it held nothing.

        Its events stay, under a random name that nothing connects with the id any more.
        """
        with self.services.store.begin() as tx:
            row = accounts.lock_row(tx, account_id)
            if row is not None:
                self.services.audit.record(tx, "account_forgotten", self.services.clock(), Who(row.subject))
            return accounts.remove(tx, account_id)

    def revoke_activation(self, account_id: str, reason: str) -> bool:
        """Make an account's activation code worthless, and end what it opened; False where there is neither."""
        with self.services.store.begin() as tx:
            row = accounts.lock_row(tx, account_id)
            revoked = activations.revoke(tx, account_id)
            ended = sessions.remove_enrolling(tx, account_id, self.services.clock())
            done = revoked or ended > 0
            if done and row is not None:
                who = Who(row.subject)
                self.services.audit.record(
                    tx, "activation_revoked", self.services.clock(), who, why=reason, ended=ended, was_open=revoked
                )
        return done

    def purge(self) -> dict[str, int]:
        """Clear away what has ended by itself; how much of each. Nothing depends on its being run."""
        now, ended = self.services.clock(), unfinished.sweep(self.services)
        with self.services.store.begin() as tx:
            return {
                "sessions": ended + sessions.remove_ended(tx, now),
                "enrolments": authenticators.remove_ended_enrolments(tx, now),
                "challenges": credentials.remove_ended_challenges(tx, now),
                "activations": activations.remove_ended(tx, now),
                "notices": outbox.remove_old(tx, now - NOTICE_RETENTION),
                "alerts": alerts.remove_old(tx, now - NOTICE_RETENTION),
                "devices": devices.remove_ended(tx, now),
                "desk": desk_staff.remove_ended(tx, now),
                "counters": counters.remove_ended(tx, now),
                "pressure": pressure.remove_ended(tx, now),
                "crowds": crowds.remove_before(tx, int(now // DAY)),
            }
