"""Defences of the risk engine, and how each is taken out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mfa_gate.flows import ClientContext, flow
from mfa_gate.flows.continuity import Continuity
from mfa_gate.flows.sign_in import SignIn
from mfa_gate.limits.pressure import Pressure
from mfa_gate.sessions.session import Session
from mfa_gate.store import accounts, sessions

Patch = pytest.MonkeyPatch


def every_method_fits_every_risk(patch: Patch) -> None:
    patch.setattr(flow, "methods_allowed_at_risk", lambda _session, methods: methods)


def a_password_teaches_what_is_usual(patch: Patch) -> None:
    really = SignIn._assessed

    def assessed(self: SignIn, tx: Any, row: Any, client: Any, known: Any, now: float, *, leaked: bool) -> Any:
        found = really(self, tx, row, client, known, now, leaked=leaked)
        if row is not None:
            accounts.learn(tx, row.id, self.services.habits.learnt(row.habits, client.place, now, device=True))
        return found

    patch.setattr(SignIn, "_assessed", assessed)


def a_session_counts_wherever_it_shows_up(patch: Patch) -> None:
    patch.setattr(Continuity, "as_seen_from", lambda _self, session, _visit: session)


def a_session_that_moved_enrols_still(patch: Patch) -> None:
    really = Continuity.as_seen_from

    def as_seen_from(self: Continuity, session: Session, client: ClientContext) -> Session:
        return replace(really(self, session, client), moved=False)

    patch.setattr(Continuity, "as_seen_from", as_seen_from)


def a_move_makes_what_was_too_unusual_less_so(patch: Patch) -> None:
    really = Continuity.as_seen_from

    def as_seen_from(self: Continuity, session: Session, client: ClientContext) -> Session:
        found = really(self, session, client)
        return replace(found, risk="raised") if found.risk == "high" else found

    patch.setattr(Continuity, "as_seen_from", as_seen_from)


def breadth_is_not_looked_at(patch: Patch) -> None:
    patch.setattr(Pressure, "tried", lambda *_: False)
    patch.setattr(Pressure, "opens", lambda *_: False)


def a_session_counts_where_it_only_began(patch: Patch) -> None:
    really = sessions.goes_on
    patch.setattr(sessions, "goes_on", lambda tx, id_hash, context, _shown: really(tx, id_hash, context, None))


DEFENCES: dict[str, Callable[[Patch], None]] = {
    "A53e": every_method_fits_every_risk,
    "A53f": a_password_teaches_what_is_usual,
    "A66": breadth_is_not_looked_at,
    "A67": a_session_counts_wherever_it_shows_up,
    "A67b": a_session_counts_where_it_only_began,
    "A67c": a_move_makes_what_was_too_unusual_less_so,
    "A67e": a_session_that_moved_enrols_still,
}
