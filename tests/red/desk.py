"""Defences of the help desk, and how each is taken out."""

from __future__ import annotations

import time
from typing import Any

import pytest

import mfa_gate.desk.acting
from mfa_gate.desk import Desk
from mfa_gate.exc import NotPermitted, OwnAccount
from mfa_gate.request.marks import Marks
from mfa_gate.staff import LEAST_ROLE, DeskPolicy, Role
from mfa_gate.store import desk_staff as rows

Patch = pytest.MonkeyPatch


def let_others_look() -> None:
    """Open a race wide, on a busy machine too: nothing tells how many more are on their way, or that nobody is."""
    time.sleep(0.5)


def any_role_may_do_anything(patch: Patch) -> None:
    for verb in LEAST_ROLE:
        patch.setitem(LEAST_ROLE, verb, Role.READER)  # type: ignore[arg-type]


def who_has_no_role_is_a_reader(patch: Patch) -> None:
    really = rows.role_of
    patch.setattr(rows, "role_of", lambda tx, account, **how: max(really(tx, account, **how), Role.READER))


def one_acts_on_oneself(patch: Patch) -> None:
    really = Desk._over

    def over(self: Desk, staff: Any, account_id: str) -> None:
        if account_id != staff.account.id:
            really(self, staff, account_id)

    patch.setattr(Desk, "_over", over)


def ranks_do_not_count(patch: Patch) -> None:
    def over(_self: Desk, staff: Any, account_id: str) -> None:
        if account_id == staff.account.id:
            raise OwnAccount

    patch.setattr(Desk, "_over", over)


def one_person_is_enough(patch: Patch) -> None:
    def decide(self: Desk, client: Any, request_id: str, *, approves: bool) -> None:
        asked = self._request(request_id)
        if self.staff(client).role < Role.SUPERVISOR:
            raise NotPermitted
        with self.services.store.begin() as tx:
            tx.execute(rows.update(rows.desk_requests).values(approved_by=asked.asked_by))

    patch.setattr(Desk, "_decide", decide)


def the_portal_is_not_asked(patch: Patch) -> None:
    permission = property(lambda _: lambda _account: True, lambda *_: None)
    patch.setattr(DeskPolicy, "permission", permission)


def the_desk_takes_any_second_factor(patch: Patch) -> None:
    patch.setattr(Marks, "protect", lambda *_: None)
    patch.setattr(mfa_gate.desk.acting, "satisfies", lambda *_: True)


def whoever_looks_may_be_told_the_code(patch: Patch) -> None:
    def take(tx: Any, request_id: str, _by: str, now: float) -> bool:
        found = next(row for row in rows.requests(tx, now) if row.id == request_id)
        return really(tx, request_id, found.asked_by, now)

    really = rows.take
    patch.setattr(rows, "take", take)


def requests_never_end(patch: Patch) -> None:
    approve, take, requests = rows.approve, rows.take, rows.requests
    patch.setattr(rows, "approve", lambda tx, one, by, _now: approve(tx, one, by, 0.0))
    patch.setattr(rows, "take", lambda tx, one, by, _now: take(tx, one, by, 0.0))
    patch.setattr(rows, "requests", lambda tx, _now, account=None: requests(tx, 0.0, account))


def requests_outlive_a_role(patch: Patch) -> None:
    patch.setattr(rows, "drop_of", lambda *_: None)


def the_desk_begins_again(patch: Patch) -> None:
    patch.setattr(rows, "begin", lambda *_: True)


def what_is_asked_for_is_only_looked_at(patch: Patch) -> None:
    """In two statements, between which others may look too."""

    def take(tx: Any, request_id: str, by: str, now: float) -> bool:
        found = [row for row in rows.requests(tx, now) if row.id == request_id and row.asked_by == by]
        let_others_look()
        rows.drop(tx, request_id)
        return any(row.approved_by is not None for row in found)

    patch.setattr(rows, "take", take)


def a_role_is_not_held(patch: Patch) -> None:
    def roles(tx: Any, accounts: Any) -> dict[str, int]:
        found = {account: rows.role_of(tx, account) for account in accounts}
        let_others_look()
        return found

    patch.setattr(rows, "lock_rows", roles)


DEFENCES = {
    "A45a": any_role_may_do_anything,
    "A45b": who_has_no_role_is_a_reader,
    "A45c": one_acts_on_oneself,
    "A45d": ranks_do_not_count,
    "A45e": one_person_is_enough,
    "A45f": the_portal_is_not_asked,
    "A45g": the_desk_takes_any_second_factor,
    "A45h": whoever_looks_may_be_told_the_code,
    "A45i": requests_outlive_a_role,
    "A5request": requests_never_end,
    "A45j": what_is_asked_for_is_only_looked_at,
    "A45k": a_role_is_not_held,
    "A46": the_desk_begins_again,
}
