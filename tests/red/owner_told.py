"""Defences of what owners and the desk are told, and how each is taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mfa_gate.audit import record
from mfa_gate.flows import sign_in, unfinished
from mfa_gate.flows.owner_notices import Notices
from mfa_gate.netinfo.browsers import described
from mfa_gate.store import alerts, events, outbox, sessions
from mfa_gate.store.outbox import Alarms
from mfa_gate.web import answers, notice_texts, offered, pages

Patch = pytest.MonkeyPatch


def a_session_marks_what_it_was_never_displayed(patch: Patch) -> None:
    patch.setattr(sessions, "displayed", lambda *_: 2**62)


def whoever_is_signed_in_marks_alarms(patch: Patch) -> None:
    patch.setattr(Notices, "_alarms", lambda *_: Alarms(True, 0.0, None))


def a_key_or_device_of_the_alarm_itself_will_do(patch: Patch) -> None:
    really = Notices._known_since

    def known(self: Notices, tx: Any, session: Any) -> float | None:
        return None if really(self, tx, session) is None else 0.0

    patch.setattr(Notices, "_known_since", known)


def a_session_marks_its_own(patch: Patch) -> None:
    really = outbox.see
    patch.setattr(outbox, "see", lambda tx, account, _this, *more: really(tx, account, "", *more))


def the_latest_fifty_are_shown(patch: Patch) -> None:
    really = outbox.opened
    patch.setattr(outbox, "opened", lambda *values: really(*values[:-1], 10**6)[:50])


def the_latest_alerts_stand_first(patch: Patch) -> None:
    patch.setattr(alerts, "FOREMOST", 0)


def the_latest_events_push_out_others(patch: Patch) -> None:
    really = events.latest
    patch.setattr(events, "latest", lambda tx, subject, _most: really(tx, subject, 10**6)[:200])


def a_proof_anywhere_makes_it_a_slip(patch: Patch) -> None:
    patch.setattr(outbox, "_is_slip", lambda _data, _place, own: own)


def what_nobody_finished_is_cleared_away(patch: Patch) -> None:
    patch.setattr(unfinished, "tell", lambda *_: None)


def a_browser_is_what_it_calls_itself(patch: Patch) -> None:
    for module in (record, sign_in, unfinished):
        patch.setattr(module, "family", lambda agent: described(agent).family)
    for other in (notice_texts, answers, unfinished):
        patch.setattr(other, "shown_again", lambda kept: kept)


def pages_say_whose_it_is(patch: Patch) -> None:
    patch.setattr(answers, "_may_be_named", lambda _account: True)


def a_stop_is_not_spoken_of(patch: Patch) -> None:
    for module in (pages, offered):
        patch.setattr(module, "stop_of", lambda *_: None)


DEFENCES: dict[str, Callable[[Patch], None]] = {
    "A73": a_session_marks_what_it_was_never_displayed,
    "A73b": whoever_is_signed_in_marks_alarms,
    "A73c": a_key_or_device_of_the_alarm_itself_will_do,
    "A73d": a_session_marks_its_own,
    "A73e": the_latest_fifty_are_shown,
    "A73f": the_latest_alerts_stand_first,
    "A73g": the_latest_events_push_out_others,
    "A73h": a_proof_anywhere_makes_it_a_slip,
    "A73i": what_nobody_finished_is_cleared_away,
    "A73j": a_browser_is_what_it_calls_itself,
    "A73k": pages_say_whose_it_is,
    "A73l": a_stop_is_not_spoken_of,
}
