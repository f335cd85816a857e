"""Whether a session is still where it was proven. On a change, and only then, it is worked out what that means."""

from __future__ import annotations

from dataclasses import replace

from ..audit.record import Outcome, Who
from ..durations import HOUR
from ..levels import Level
from ..risk import Risk
from ..sessions.session import Session
from ..store import accounts, sessions
from .flow import ClientContext, Flow


class Continuity(Flow):
    """What a session counts for where it shows up."""

    def as_seen_from(self, session: Session, client: ClientContext) -> Session:
        """The session as it counts at another place than its own: as it is, or only as far as a password does.

        Args:
            session: as it was read.
            client: where it shows up.

        Raises:
            Unavailable: the store does not answer.
        """
        services, place = self.services, client.place
        place_hash, now = services.habits.place_hash(place), services.clock()
        with services.store.begin() as tx:
            row = accounts.lock_row(tx, session.account_id)  # as each proof does, before its session
            shown = sessions.fingerprint(tx, session.id_hash)
            reasons = services.habits.moved(row.habits if row else None, shown, place, now)
            asked = reasons and not services.habits.policy.reports("session")
            if not asked:
                # one that has proven nothing yet is no longer held against where it began
                anew = None if _opens_something(session, now) else services.habits.fingerprint(place, now)
                sessions.goes_on(tx, session.id_hash, place_hash, anew)
            if reasons and sessions.moves(tx, session.id_hash, now, HOUR):
                who = Who(row.subject if row else None, session.sign_in, client.address, client.agent)
                outcome: Outcome = "refused" if asked and _opens_something(session, now) else "success"
                services.audit.record(tx, "session_moved", now, who, outcome=outcome, reasons=list(reasons))
        if not asked:
            return replace(session, place_hash=place_hash)
        risk: Risk = "high" if session.risk == "high" else "raised"
        return replace(session, level=Level.PASSWORD, risk=risk, observed_until=None, moved=True)


def _opens_something(session: Session, now: float) -> bool:
    """Whether a session is worth copying: it has proven more than a password, or may enrol or look around by one."""
    return session.level >= Level.MFA or now < max(session.enrol_until or 0.0, session.observed_until or 0.0)
