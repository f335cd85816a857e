"""A step that is sent twice, by a double click or on a bad line: the second answer leads on as the first one did.

Nothing is spent or raised again. What was accepted has made the session's new id of the old one (`Sessions.after`), so
that only who sends the same, with the id of before, is led to it. For a minute, where the session is at home.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..exc import EnrolmentGone, SignInRequired, TooManyAttempts, WrongActivationCode, WrongAssertion, WrongCode
from ..levels import Level
from ..limits.limiter import Attempt, Scope, network
from ..sessions.ids import HeldId
from ..sessions.session import Session
from ..sessions.sessions import After
from ..store import accounts, outbox, sessions
from .flow import ClientContext, Elevated, Flow

WINDOW: Final = 60.0  # seconds: as long as a code is shown, and a little longer
_GONE: Final = (WrongCode, WrongAssertion, WrongActivationCode, EnrolmentGone, SignInRequired)


class SentTwice(Flow):
    """What the flows that take a step share for the case that it is sent twice."""

    def settled(self, client: ClientContext, attempt: Attempt, settle: Callable[[], Elevated]) -> Elevated:
        """Settle a step. Where the same has just been settled beside it, the attempt is given back, and it leads on.

        Args:
            client: with what it sends.
            attempt: as it was counted.
            settle: checks, spends and raises.
        """
        try:
            return settle()
        except _GONE:
            session = client.require_session()
            again = self._again(client, HeldId(session.id_hash, session.sign_in))
            if again is None:
                raise
        with self.services.store.begin() as tx:
            self.services.limiter.succeeded(tx, attempt)
        return again

    def follow(self, client: ClientContext, cookie: str | None) -> Elevated | None:
        """Lead a request on whose cookie holds the id of before a step, and which sends what that step was taken by.

        Tries are counted for that id: who has copied it does not find a code of six digits by it.

        Args:
            client: with what it sends, and without a session.
            cookie: of its session, as it was sent.

        Raises:
            Unavailable: the store does not answer.
        """
        services, now, before = self.services, self.services.clock(), self.services.sessions.ids.held(cookie)
        if before is None:
            return None
        scopes = (Scope("confirm", f"late {before.id_hash}"), Scope("assertion_source", network(client.address)))
        try:
            with services.store.begin() as tx:
                if not sessions.is_sign_in(tx, before.sign_in):
                    return None
                attempt = services.limiter.count(tx, scopes, now)
        except TooManyAttempts:
            return None
        again = self._again(client, before)
        if again is not None:
            with services.store.begin() as tx:
                services.limiter.succeeded(tx, attempt)
        return again

    def repeats(self, client: ClientContext, cookie: str | None, asked_at: float | None) -> Elevated | None:
        """Lead a form on that comes with the newest cookie, and sends what has just made it.

        Args:
            client: with its session, and what it sends.
            cookie: of its session, as it was sent.
            asked_at: when a proof was asked for last, in seconds since the epoch; after the step it is another matter.
        """
        session, sent = client.session, client.sent
        if session is None or session.moved or sent is None:
            return None
        signs_in = self.services.sessions.ids.signs_in_by(cookie, sent)
        if signs_in is None or (asked_at is not None and asked_at > self._stepped_at(session)):
            return None
        return self._elevated(client, After(cookie or "", session, signs_in), None)

    def _again(self, client: ClientContext, before: HeldId) -> Elevated | None:
        """What the step has led to that was taken from an earlier id by what this client sends."""
        if client.sent is None:
            return None
        after = self.services.sessions.after(before, client.sent, self.services.clock())
        if after is None:
            return None
        habits, place_hash = self.services.habits, after.session.place_hash
        if place_hash is not None and not habits.is_at(place_hash, client.address, client.agent or ""):
            return None
        return self._elevated(client, after, before)

    def _elevated(self, client: ClientContext, after: After, before: HeldId | None) -> Elevated | None:
        services, session = self.services, after.session
        if services.clock() - self._stepped_at(session) >= WINDOW:
            return None
        account = self.account_of(session)
        with services.store.begin() as tx:
            row = accounts.find(tx, account.id)
            if row is None or row.locked_at is not None:
                return None
            unseen = (
                session.level >= Level.MFA
                and outbox.waits(tx, row.subject, session.sign_in, services.clock()).something
            )
        device = None
        if after.signs_in and before is not None:
            device = services.devices.admitted(client.device, account.id, before.id_hash)
        return Elevated(
            after.cookie,
            session,
            account,
            signs_in=after.signs_in,
            device=device,
            has_unseen_notices=unseen,
            is_again=True,
        )

    def _stepped_at(self, session: Session) -> float:
        """When a session was proven last, or let enrol, in seconds since the epoch."""
        return max(session.authenticated_at or 0.0, (session.enrol_until or 0.0) - self.services.settings.enrolling)
