"""Defences against rows and memory that who has a password or a cookie could fill, and how each is taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from sqlalchemy import select

from mfa_gate.flows import session_list, sign_in, unfinished
from mfa_gate.levels import Level
from mfa_gate.sessions import crowding
from mfa_gate.sessions.sessions import Sessions
from mfa_gate.store import sessions
from mfa_gate.store.schema import sessions as table
from mfa_gate.store.sessions import Unproven
from mfa_gate.web import request_context

Patch = pytest.MonkeyPatch


def a_password_opens_sessions_without_end(patch: Patch) -> None:
    patch.setattr(sign_in, "giving_way", lambda *_: [])


def a_known_device_gives_way_as_any(patch: Patch) -> None:
    really = crowding._crowded
    patch.setattr(crowding, "_crowded", lambda there: really([one._replace(is_known=False) for one in there]))


def the_oldest_of_all_gives_way(patch: Patch) -> None:
    def oldest(there: list[Unproven]) -> list[Unproven]:
        return there[: max(len(there) - crowding.PER_ACCOUNT + 1, 0)]

    patch.setattr(crowding, "_crowded", oldest)


def one_source_has_as_many_as_all(patch: Patch) -> None:
    patch.setattr(crowding, "PER_SOURCE", crowding.PER_ACCOUNT)


def an_activation_code_keeps_no_place(patch: Patch) -> None:
    def unproven(tx: Any, account_id: str, now: float) -> list[Unproven]:
        wanted = select(*(table.c[name] for name in Unproven._fields)).order_by(table.c.created_at)
        low = (table.c.account_id == account_id, table.c.level == int(Level.PASSWORD), table.c.ends_at > now)
        return [Unproven(*row) for row in tx.execute(wanted.where(*low))]

    patch.setattr(sessions, "unproven", unproven)


def what_a_group_is_observed_by_has_no_bound(patch: Patch) -> None:
    really = crowding.giving_way

    def pending_only(there: Iterable[Unproven], source: str | None) -> list[Unproven]:
        return really([one for one in there if one.observed_until is None], source)

    patch.setattr(sign_in, "giving_way", pending_only)


def each_move_is_told(patch: Patch) -> None:
    patch.setattr(sessions, "moves", lambda *_: True)


def each_that_nobody_completed_is_told(patch: Patch) -> None:
    patch.setattr(unfinished, "HOUR", -1.0)


def any_number_of_places_is_told(patch: Patch) -> None:
    patch.setattr(unfinished, "TOLD_AN_HOUR", 10**6)


def sessions_are_listed_at_once(patch: Patch) -> None:
    patch.setattr(session_list, "PAGE", 10**6)


def each_session_is_ended_by_a_statement_of_its_own(patch: Patch) -> None:
    def end(self: Sessions, tx: Any, account_id: str, which: Any = None, *, but: str | None = None) -> int:
        gone = [row.sign_in for row in sessions.of_account(tx, account_id) if row.sign_in != but]
        return sum(sessions.remove_sign_in(tx, one) for one in gone)

    patch.setattr(Sessions, "end_account", end)


def headers_are_kept_whole(patch: Patch) -> None:
    for name in ("LONGEST", "LONGEST_ADDRESS"):
        patch.setattr(request_context, name, 10**9)


DEFENCES: dict[str, Callable[[Patch], None]] = {
    "A75": a_password_opens_sessions_without_end,
    "A75b": a_known_device_gives_way_as_any,
    "A75c": the_oldest_of_all_gives_way,
    "A75d": one_source_has_as_many_as_all,
    "A75e": an_activation_code_keeps_no_place,
    "A75f": what_a_group_is_observed_by_has_no_bound,
    "A75g": each_move_is_told,
    "A75h": each_that_nobody_completed_is_told,
    "A75i": any_number_of_places_is_told,
    "A75j": sessions_are_listed_at_once,
    "A75k": each_session_is_ended_by_a_statement_of_its_own,
    "A75l": headers_are_kept_whole,
}
