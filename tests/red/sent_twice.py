"""Defences of steps that are sent twice, and how each is taken out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from mfa_gate.flows import sent_twice
from mfa_gate.flows.sent_twice import SentTwice
from mfa_gate.limits.limiter import Scope
from mfa_gate.sessions.devices import Devices
from mfa_gate.sessions.ids import SessionIds
from mfa_gate.sessions.sessions import Sessions
from mfa_gate.web import inputs

Patch = pytest.MonkeyPatch


def what_is_sent_twice_is_refused(patch: Patch) -> None:
    patch.setattr(SentTwice, "_again", lambda *_: None)
    patch.setattr(SentTwice, "repeats", lambda *_: None)


def a_repeated_form_is_a_failure(patch: Patch) -> None:
    patch.setattr(SentTwice, "repeats", lambda *_: None)


def a_repeated_form_serves_whatever_was_asked_since(patch: Patch) -> None:
    really = SentTwice.repeats
    patch.setattr(SentTwice, "repeats", lambda self, client, cookie, _asked_at: really(self, client, cookie, None))


def an_earlier_id_leads_on_without_what_was_sent(patch: Patch) -> None:
    really = SessionIds._made
    patch.setattr(SessionIds, "_made", lambda self, before, _sent, *args: really(self, before, "", *args))


def an_earlier_id_guesses_without_end(patch: Patch) -> None:
    numbers = count()
    patch.setattr(sent_twice, "Scope", lambda _rule, subject: Scope("confirm", f"{subject} {next(numbers)}"))


def what_was_sent_leads_on_for_ever(patch: Patch) -> None:
    patch.setattr(sent_twice, "WINDOW", 10.0**9)


def what_was_sent_leads_on_elsewhere(patch: Patch) -> None:
    really = Sessions.after

    def after(self: Sessions, *args: Any) -> Any:
        found = really(self, *args)
        return found and found._replace(session=replace(found.session, place_hash=None))

    patch.setattr(Sessions, "after", after)


def another_site_sends_it_twice(patch: Patch) -> None:
    patch.setattr(inputs, "_check_token_of", lambda *_: None)


def the_second_answer_leaves_the_portal_without_a_session(patch: Patch) -> None:
    really = SentTwice._elevated

    def elevated(self: SentTwice, *args: Any) -> Any:
        found = really(self, *args)
        return found and replace(found, signs_in=False)

    patch.setattr(SentTwice, "_elevated", elevated)


def the_second_answer_makes_no_device_known(patch: Patch) -> None:
    patch.setattr(Devices, "admitted", lambda *_: None)


DEFENCES: dict[str, Callable[[Patch], None]] = {
    "A18t": a_repeated_form_serves_whatever_was_asked_since,
    "A24t": an_earlier_id_leads_on_without_what_was_sent,
    "A24u": an_earlier_id_guesses_without_end,
    "A50t": another_site_sends_it_twice,
    "A68": what_is_sent_twice_is_refused,
    "A68b": a_repeated_form_is_a_failure,
    "A68c": what_was_sent_leads_on_for_ever,
    "A68d": what_was_sent_leads_on_elsewhere,
    "A68e": the_second_answer_leaves_the_portal_without_a_session,
    "A68f": the_second_answer_makes_no_device_known,
}
