"""Defences of policies and roll-outs, and how each is taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mfa_gate.assurance import Requirement
from mfa_gate.flows.account_lifecycle import AccountLifecycle
from mfa_gate.flows.sign_in import SignIn
from mfa_gate.policy import Policy
from mfa_gate.request.guard import Guard
from mfa_gate.store import sessions as rows

Patch = pytest.MonkeyPatch


def a_group_asks_for_nothing(patch: Patch) -> None:
    patch.setattr(Policy, "requirement", lambda *_: Requirement())


def any_method_counts(patch: Patch) -> None:
    patch.setattr(Requirement, "counts", lambda *_: True)


def the_group_stays_as_it_was_at_the_sign_in(patch: Patch) -> None:
    really = AccountLifecycle.present

    def present(self: AccountLifecycle, session: Any, now: float) -> None:
        group = session.group
        really(self, session, now)
        with self.services.store.begin() as tx:
            rows.touch(tx, session.id_hash, group, now + 1e-3)
        session.group = group

    patch.setattr(AccountLifecycle, "present", present)


def observing_lets_in_whoever_is_enrolled(patch: Patch) -> None:
    patch.setattr(
        SignIn, "_observed_until", lambda self, _tx, account, _now: self.services.policy.observed_until(account.group)
    )


def enrolling_leaves_observed_sessions(patch: Patch) -> None:
    patch.setattr(rows, "stop_observing", lambda *_: None)


def observing_relaxes_the_gates_own_pages(patch: Patch) -> None:
    from mfa_gate.flows.flow import Flow

    really = Flow.may_change

    def may(self: Flow, tx: Any, session: Any, **how: Any) -> None:
        if session.observed_until is None:
            really(self, tx, session, **how)

    patch.setattr(Flow, "may_change", may)


def observed_sessions_need_not_agree_with_the_portals(patch: Patch) -> None:
    really = Guard._decide

    def decide(self: Guard, context: Any, required: Any) -> Any:
        return None if context.is_observed else really(self, context, required)

    patch.setattr(Guard, "_decide", decide)


DEFENCES: dict[str, Callable[[Patch], None]] = {
    "A9group": a_group_asks_for_nothing,
    "A9method": any_method_counts,
    "A10group": the_group_stays_as_it_was_at_the_sign_in,
    "A10observed": observing_lets_in_whoever_is_enrolled,
    "A11observed": enrolling_leaves_observed_sessions,
    "A3observed": observing_relaxes_the_gates_own_pages,
    "A55observed": observed_sessions_need_not_agree_with_the_portals,
}
