"""Defences of own authenticators and of the rights to change them, and how each is taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from sqlalchemy import text

from mfa_gate.assurance import Proof, Requirement, level_of, satisfies, strongest
from mfa_gate.exc import ActivationRequired, LastAuthenticator, NotFound, StepUpRequired
from mfa_gate.factors.registry import METHODS
from mfa_gate.flows import TOTP, Removed, SelfService, WebAuthn
from mfa_gate.flows.flow import CHANGE_AGE, Flow
from mfa_gate.levels import Level
from mfa_gate.sessions import sessions
from mfa_gate.sessions.session import Session
from mfa_gate.store import authenticators

Patch = pytest.MonkeyPatch


# --- the password alone ----------------------------------------------------------------------------------------------


def whoever_has_a_session_is_an_owner(patch: Patch) -> None:
    patch.setattr(Flow, "signed_in", lambda self, tx, session: authenticators.amr(tx, session.account_id))


def names_change_without_a_proof(patch: Patch) -> None:
    whoever_has_a_session_is_an_owner(patch)
    patch.setattr(SelfService, "lacks_strongest_proof", lambda *_: False)


def everybody_may_change(patch: Patch) -> None:
    patch.setattr(Flow, "may_change", lambda *_, **__: None)


def rights_are_looked_at_when_it_begins_only(patch: Patch) -> None:
    for flow, name in ((TOTP, "complete_enrol"), (WebAuthn, "complete_enrol")):
        really: Callable[..., Any] = getattr(flow, name)

        def complete(self: Any, *args: Any, really: Callable[..., Any] = really) -> Any:
            with pytest.MonkeyPatch.context() as inside:
                everybody_may_change(inside)
                inside.setattr(Flow, "use_activation", lambda *_: None)
                return really(self, *args)

        patch.setattr(flow, name, complete)


# --- categories ------------------------------------------------------------------------------------------------------


def two_proofs_are_two_factors(patch: Patch) -> None:
    """Counted by their number, of any kind."""
    levels_by(patch, lambda proofs: max(METHODS[proof.amr].level for proof in proofs))


def two_codes_lift_a_level(patch: Patch) -> None:
    """A second proof of possession counts as a surer one."""

    def lifted(proofs: list[Proof]) -> Level:
        level = level_of(proofs)
        more = level > Level.PASSWORD and sum(METHODS[proof.amr].category == "possession" for proof in proofs) > 1
        return Level(min(level + more, Level.HARDWARE))

    levels_by(patch, lifted)


def levels_by(patch: Patch, rule: Callable[[list[Proof]], Level]) -> None:
    def level(proofs: Iterable[Proof]) -> Level:
        given = list(proofs)
        return rule(given) if len(given) > 1 else level_of(given)

    patch.setattr(sessions, "level_of", level)
    patch.setattr("tests.scenarios.test_own_rights.level_of", level)


# --- the last one ----------------------------------------------------------------------------------------------------


def the_last_one_goes_too(patch: Patch) -> None:
    really = SelfService.remove

    def remove(self: SelfService, client: Any, authenticator: str) -> Removed:
        try:
            return really(self, client, authenticator)
        except LastAuthenticator:
            with self.services.store.begin() as tx:
                authenticators.remove(tx, client.session.account_id, authenticator)
            return Removed(None, None, client.session)

    patch.setattr(SelfService, "remove", remove)


# --- relayed codes ---------------------------------------------------------------------------------------------------


def rights(
    *,
    code_needed: Callable[[Flow, Any, Session, float], bool],
    recovery_is_proof: bool = False,
) -> Callable[[Patch], None]:
    """The rule of `may_change` once more, with one of its parts replaced."""

    def take_out(patch: Patch) -> None:
        def may_change(
            self: Flow, tx: Any, session: Session, *, level: Level = Level.PASSWORD, adds: bool = False
        ) -> None:
            now, progress = self.services.clock(), self.progress_in(tx, session)
            if progress.state == "enrolling":
                return
            if progress.state != "signed_in":
                raise self.refusal_for(progress.state)
            required = Requirement(strongest(progress.amr), CHANGE_AGE)
            lacking = not satisfies(session.level, session.proofs, required, now)
            if lacking and not self.proven_by_recovery_code(session, now):
                raise StepUpRequired(requirement=required)
            if recovery_is_proof and self.proven_by_recovery_code(session, now):
                return
            if (lacking or required.level < Level.PHISHING_RESISTANT or level > required.level) and code_needed(
                self, tx, session, now
            ):
                raise ActivationRequired

        patch.setattr(Flow, "may_change", may_change)

    return take_out


def in_its_window(session: Session, now: float) -> bool:
    return session.enrol_until is not None and now < session.enrol_until


a_fresh_proof_is_enough = rights(code_needed=lambda *_: False)
paper_is_enough = rights(
    code_needed=lambda _self, _tx, session, now: not in_its_window(session, now), recovery_is_proof=True
)
a_window_never_closes = rights(code_needed=lambda _self, _tx, session, _now: session.enrol_until is None)


def no_code_was_redeemed(_self: Flow, tx: Any, session: Session, _now: float) -> bool:
    found = text("SELECT id FROM mfa_activations WHERE account_id = :id AND bound_to IS NOT NULL")
    return tx.execute(found, {"id": session.account_id}).first() is None


a_code_opens_every_session_of_the_account = rights(code_needed=no_code_was_redeemed)


def a_code_lies_at_the_owners(_self: Flow, tx: Any, session: Session, now: float) -> bool:
    found = text("SELECT id FROM mfa_activations WHERE account_id = :id")
    return not in_its_window(session, now) and tx.execute(found, {"id": session.account_id}).first() is None


an_issued_code_is_enough = rights(code_needed=a_code_lies_at_the_owners)


def the_level_may_rise_by_the_old_proof(patch: Patch) -> None:
    """What is added is not looked at."""
    really = Flow.may_change
    patch.setattr(Flow, "may_change", lambda self, tx, session, **_: really(self, tx, session))


def ids_of_every_account(patch: Patch) -> None:
    """Whoever names an authenticator may rename it."""

    def owner_of(tx: Any, id_: str) -> str:
        row = tx.execute(text("SELECT account_id FROM mfa_authenticators WHERE id = :id"), {"id": id_}).first()
        if row is None:
            raise NotFound
        return str(row[0])

    really = authenticators.rename
    patch.setattr(authenticators, "rename", lambda tx, _account, id_, label: really(tx, owner_of(tx, id_), id_, label))


def removal_leaves_the_sessions(patch: Patch) -> None:
    patch.setattr(sessions.Sessions, "drop_authenticator", lambda *_: True)


def a_session_that_has_ended_still_changes(patch: Patch) -> None:
    """Only the account is looked at again, not the session."""
    patch.setattr(Flow, "_still_there", lambda *_: None)


DEFENCES: dict[str, Callable[[Patch], None]] = {
    "A1": whoever_has_a_session_is_an_owner,
    "A1b": names_change_without_a_proof,
    "A1c": everybody_may_change,
    "A2b": everybody_may_change,
    "A2c": rights_are_looked_at_when_it_begins_only,
    "A8o": ids_of_every_account,
    "A12": two_proofs_are_two_factors,
    "A12b": two_codes_lift_a_level,
    "A25o": removal_leaves_the_sessions,
    "A38o": the_last_one_goes_too,
    "A56": a_fresh_proof_is_enough,
    "A56b": paper_is_enough,
    "A56c": a_window_never_closes,
    "A56d": a_code_opens_every_session_of_the_account,
    "A56e": an_issued_code_is_enough,
    "A56f": the_level_may_rise_by_the_old_proof,
    "A61o": a_session_that_has_ended_still_changes,
}
