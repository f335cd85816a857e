"""What every event says, no matter what caused it: all that its kind promises."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from typing import Final, get_args

from mfa_gate.audit.event_kinds import EVENT_KINDS
from mfa_gate.audit.record import Outcome
from mfa_gate.exc import Refusal
from mfa_gate.factors.registry import METHODS

# who at the desk it was, and by which way, where it was the desk; and why it failed, where it did
SOMETIMES: Final = {"by", "via", "signing_in"}
OF_KIND: Final = {"second_factor": {"device", "left"}, "reads_lifted": {"why"}, "report_made": {"why"}}
OF_NOBODY: Final = {"report_made"}  # where it was of a source or a record
# what somebody does in a browser has a sign-in and a source; anybody may cause the others
IN_A_SESSION: Final = {
    *("second_factor", "activation_redeemed", "authenticator_added", "authenticator_removed", "authenticator_renamed"),
    *("recovery_codes_renewed", "sign_count_went_back", "identity_mismatch", "observed", "leaked_password"),
    *("session_moved", "unusual_sign_in", "reads_asked", "reads_stopped", "reads_near_ceiling", "reads_reported"),
    *("desk_looked", "desk_refused", "spoken_code_asked", "spoken_code_approved", "spoken_code_declined"),
}
OUTSIDE: Final = {"device_replayed", "not_me"}  # which have a source, and no sign-in that they are part of
OF_A_SESSION: Final = {"sign_out", "account_gone"}  # reasons why just one has ended
BY_A_METHOD: Final = {
    *("first_factor", "second_factor", "authenticator_added", "authenticator_removed", "authenticator_imported"),
    *("recovery_codes_renewed", "token_resynchronised"),
}
IN_PART: Final = {"first_factor", "authenticator_added"}  # which say less where they failed
_EVENTS: Final = "SELECT kind, outcome, subject, sign_in, source, method, data, reason FROM mfa_events"


def incomplete(file: str) -> list[tuple[str, list[str]]]:
    """The events in a store that lack something, each with what; a store or a line that a test has broken has none.

    Args:
        file: of the store.
    """
    found = []
    with suppress(sqlite3.Error), closing(sqlite3.connect(file)) as store:
        for kind, outcome, subject, sign_in, source, method, data, reason in store.execute(_EVENTS):
            with suppress(ValueError, AttributeError, KeyError):
                said = {name for name, value in json.loads(data).items() if value is not None}
                whole = kind not in IN_PART or outcome == "success"
                missing = EVENT_KINDS[kind].fields - SOMETIMES - OF_KIND.get(kind, set()) - said if whole else set()
                missing |= {"subject"} if subject is None and whole and kind not in OF_NOBODY else set()
                missing |= {"session"} if kind in IN_A_SESSION and None in (sign_in, source) else set()
                missing |= {"source alone"} if kind in OUTSIDE and (sign_in or source is None) else set()
                missing |= {"outcome"} if outcome not in get_args(Outcome) else set()
                missing |= {"sign-in"} if kind == "session_ended" and reason in OF_A_SESSION and not sign_in else set()
                missing |= {"method"} if kind in BY_A_METHOD and whole and method not in METHODS else set()
                missing |= {"reason"} if reason not in _reasons(kind, outcome) else set()
                if missing:
                    found.append((kind, sorted(missing)))
    return found


def _reasons(kind: str, outcome: str) -> set[str | None]:
    """The reasons that an event of this kind may have: what has succeeded needs none."""
    if outcome == "success" and kind != "session_ended":
        return {None}
    refused = {refusal.code for refusal in _kinds_of(Refusal)} if "signing_in" in EVENT_KINDS[kind].fields else set()
    return refused | EVENT_KINDS[kind].reasons or {None}


def _kinds_of(refusal: type[Refusal]) -> set[type[Refusal]]:
    return {refusal}.union(*map(_kinds_of, refusal.__subclasses__()))
