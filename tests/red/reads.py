"""Defences of reads, and how each is taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mfa_gate.harvest import Crowd, detectors
from mfa_gate.harvest.state import State
from mfa_gate.reads.charging import Reads
from mfa_gate.request.metering import Metering
from mfa_gate.store import reading_states
from mfa_gate.web.request_context import request_context

Patch = pytest.MonkeyPatch


def a_proof_grants_everything(patch: Patch) -> None:
    patch.setattr(detectors, "_lacks_quota", lambda *_: False)


def nothing_is_too_fast(patch: Patch) -> None:
    patch.setattr(detectors, "_paced", lambda *_: None)


def a_day_has_no_limit(patch: Patch) -> None:
    patch.setattr(detectors, "limit", lambda *_: 500.0)
    patch.setattr(detectors, "_drift", lambda *_: 0.0)


def misses_are_not_counted(patch: Patch) -> None:
    patch.setattr(Reads, "missed", lambda *_: None)


def a_walk_is_not_looked_for(patch: Patch) -> None:
    patch.setattr(detectors, "_walked", lambda *_: None)


def a_stop_lasts_no_longer_than_its_session(patch: Patch) -> None:
    load = State.load

    def forgotten(text: str | None) -> State:
        state = load(text)
        state.stopped = state.why = None
        state.ahead = 0.0
        return state

    patch.setattr(State, "load", staticmethod(forgotten))


def the_session_outlives_the_stop(patch: Patch) -> None:
    stopped = Reads._stopped

    def goes_on(self: Reads, *args: Any) -> Any:
        end = self.services.sessions.end
        self.services.sessions.end = lambda *_: True  # type: ignore[method-assign]
        try:
            refusal = stopped(self, *args)
        finally:
            self.services.sessions.end = end  # type: ignore[method-assign]
        refusal.data.clear()
        return refusal

    patch.setattr(Reads, "_stopped", goes_on)


def a_crowd_is_not_asked(patch: Patch) -> None:
    patch.setattr(Crowd, "asks", lambda *_: False)


def a_crowd_reads_what_it_likes(patch: Patch) -> None:
    patch.setattr(Crowd, "is_too_much", lambda *_: False)


def a_session_that_ended_meanwhile_reads_on(patch: Patch) -> None:
    lock_row = reading_states.lock_row

    def alive(*args: Any) -> Any:
        locked = lock_row(*args)
        return locked and locked._replace(is_there=True)

    patch.setattr(reading_states, "lock_row", alive)


def every_answer_is_sent(patch: Patch) -> None:
    patch.setattr(Metering, "_uncharged", lambda *_: None)


def a_refusal_may_be_swallowed(patch: Patch) -> None:
    after = Metering.after

    def as_it_is(self: Metering, response: Any) -> Any:
        request_context().refused_read = None
        return after(self, response)

    patch.setattr(Metering, "after", as_it_is)


def counting_may_come_late(patch: Patch) -> None:
    charge = Metering.charge

    def any_time(self: Metering, kind: str, records: Any) -> None:
        request_context().has_answered = False
        charge(self, kind, records)

    patch.setattr(Metering, "charge", any_time)


DEFENCES: dict[str, Callable[[Patch], None]] = {
    "A54": a_proof_grants_everything,
    "A54b": nothing_is_too_fast,
    "A54c": a_day_has_no_limit,
    "A54d": misses_are_not_counted,
    "A54e": a_walk_is_not_looked_for,
    "A54f": a_stop_lasts_no_longer_than_its_session,
    "A54g": the_session_outlives_the_stop,
    "A54h": a_crowd_is_not_asked,
    "A54i": a_crowd_reads_what_it_likes,
    "A64": every_answer_is_sent,
    "A64b": a_refusal_may_be_swallowed,
    "A64c": counting_may_come_late,
    "A64d": a_session_that_ended_meanwhile_reads_on,
}
