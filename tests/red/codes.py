"""Defences of codes, limits, keys and rights under way, and how each is taken out."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from itsdangerous import Signer
from sqlalchemy import text

from mfa_gate import crockford, wiring
from mfa_gate.audit.record import Audit
from mfa_gate.exc import SealBroken, TooManyAttempts, WrongCode
from mfa_gate.factors import totp
from mfa_gate.flows import password, seeds
from mfa_gate.flows import totp as totp_flow
from mfa_gate.flows.flow import Flow, Progress, log
from mfa_gate.keyring import Keyring
from mfa_gate.limits.limiter import Attempt, Limiter, Scope, _row, network
from mfa_gate.limits.rules import Rule
from mfa_gate.sessions.sessions import Sessions
from mfa_gate.settings import Settings
from mfa_gate.store import accounts, activations, authenticators, counters
from mfa_gate.store import sessions as session_rows
from mfa_gate.store.engine import Connections, Transaction
from mfa_gate.store.statement import Statement
from mfa_gate.web import sealed_form, targets
from tests.red.audit import takes_any_value

Patch = pytest.MonkeyPatch
BIND = "UPDATE mfa_activations SET bound_to = :sign_in, bound_until = :until WHERE "
OF_THE_CODE = "code_hash IN (SELECT code_hash FROM mfa_activations WHERE code_hash = :hash)"
IN_TIME = "ends_at > :now"
FREE = "(bound_to IS NULL OR bound_until <= :now)"
OF_THE_ACCOUNT = "account_id = :account"


# --- who may enrol -----------------------------------------------------------------------------------------------


def enrolment_in_any_state(patch: Patch) -> None:
    patch.setattr(Flow, "may_change", lambda *_, **__: None)


def enrolment_without_a_code(patch: Patch) -> None:
    def may(self: Flow, tx: Any, session: Any, **_: Any) -> None:
        state = self.progress_in(tx, session).state
        if state not in ("enrolling", "activation"):
            raise self.refusal_for(state)

    patch.setattr(Flow, "may_change", may)


def bind_where(*conditions: str) -> Callable[[Patch], None]:
    """Redeem under these conditions only."""

    def take_out(patch: Patch) -> None:
        def bind(tx: Any, account_id: str, hashes: Any, sign_in: str, now: float, until: float, *_: Any) -> bool:
            values = {"account": account_id, "hash": hashes[0], "sign_in": sign_in, "now": now, "until": until}
            statement = text(BIND + " AND ".join(conditions))
            return bool(tx.execute(statement, {k: v for k, v in values.items() if f":{k}" in statement.text}).rowcount)

        patch.setattr(activations, "bind", bind)

    return take_out


def code_of_any_account(patch: Patch) -> None:
    """Another account's code opens this one: it takes that code over."""

    def bind(tx: Any, account_id: str, hashes: Any, sign_in: str, now: float, until: float, *_: Any) -> bool:
        taken = text(f"{BIND} code_hash = :hash AND {FREE}")
        values = {"hash": hashes[0], "sign_in": sign_in, "now": now, "until": until}
        return bool(tx.execute(taken, values).rowcount)

    patch.setattr(activations, "bind", bind)


def sessions_without_an_end(patch: Patch) -> None:
    really = Sessions.read

    def read(self: Sessions, cookie: str | None, now: float) -> Any:
        return really(self, cookie, min(now, 0.0))

    patch.setattr(Sessions, "read", read)


def enrolling_without_an_end(patch: Patch) -> None:
    sessions_without_an_end(patch)
    for name in ("is_bound", "spend"):
        really = getattr(activations, name)
        patch.setattr(
            activations, name, lambda tx, account, sign_in, now, really=really: really(tx, account, sign_in, 0)
        )
    for name in ("find_enrolment", "take_enrolment"):
        really = getattr(authenticators, name)
        patch.setattr(authenticators, name, lambda tx, id_, sign_in, now, really=really: really(tx, id_, sign_in, 0))
    really_rotate = session_rows.rotate
    patch.setattr(
        session_rows,
        "rotate",
        lambda tx, old, was, row, *more: really_rotate(tx, old, was, row._replace(last_seen=0.0), *more),
    )


def seeds_of_all_accounts(patch: Patch) -> None:
    patch.setattr(authenticators, "totp_of_account", lambda tx, account: authenticators.all_totp(tx))


def enrolments_of_all_sign_ins(patch: Patch) -> None:
    """Whoever names an enrolment's id may complete it, and one code stands for the whole account."""

    def find(tx: Any, enrolment_id: str, sign_in: str, now: float) -> Any:
        rows = tx.execute(text("SELECT * FROM mfa_enrolments WHERE id = :id"), {"id": enrolment_id})
        return next((authenticators.EnrolmentRow(*row) for row in rows), None)

    def take(tx: Any, enrolment_id: str, sign_in: str, now: float) -> bool:
        return bool(tx.execute(text("DELETE FROM mfa_enrolments WHERE id = :id"), {"id": enrolment_id}).rowcount)

    def bound(tx: Any, account_id: str, sign_in: str, now: float) -> bool:
        found = text("SELECT id FROM mfa_activations WHERE account_id = :id AND bound_to IS NOT NULL")
        return tx.execute(found, {"id": account_id}).first() is not None

    def spend(tx: Any, account_id: str, sign_in: str, now: float) -> bool:
        return activations.revoke(tx, account_id)

    seeds_without_a_place(patch)
    patch.setattr(authenticators, "find_enrolment", find)
    patch.setattr(authenticators, "take_enrolment", take)
    patch.setattr(activations, "is_bound", bound)
    patch.setattr(activations, "spend", spend)


def state_kept_by_the_session(patch: Patch) -> None:
    """A session at the activation stays there, no matter what another one did."""
    really = Flow.progress_in

    def progress(self: Flow, tx: Any, session: Any) -> Progress:
        found = really(self, tx, session)
        return Progress("activation") if found.state == "pending" else found

    patch.setattr(Flow, "progress_in", progress)


def forgotten_sessions_go_on(patch: Patch) -> None:
    patch.setattr(accounts, "remove", lambda tx, account_id: True)


def begun_replaces_active(patch: Patch) -> None:
    really = authenticators.begin_enrolment

    def begin(tx: Any, row: Any) -> None:
        tx.execute(text("DELETE FROM mfa_authenticators WHERE account_id = :id"), {"id": row.account_id})
        really(tx, row)

    enrolment_in_any_state(patch)
    patch.setattr(authenticators, "begin_enrolment", begin)


def first_enrolment_stays_open(patch: Patch) -> None:
    patch.setattr(authenticators, "abandon_enrolments", lambda tx, sign_in: None)


def tokens_of_any_sign_in(patch: Patch) -> None:
    matches_anything(patch, "csrf")


def matches_anything(patch: Patch, purpose: str) -> None:
    really = Keyring.matches
    patch.setattr(
        Keyring, "matches", lambda self, what, value, hashed: what == purpose or really(self, what, value, hashed)
    )


# --- single use --------------------------------------------------------------------------------------------------


def steps_are_not_spent(patch: Patch) -> None:
    patch.setattr(authenticators, "spend_step", lambda *_: True)


def steps_are_spent_by_reading_first(patch: Patch) -> None:
    """Looked at in one transaction, written in another: what many gates do."""
    really = authenticators.totp_of_account
    seen = threading.local()

    def rows(tx: Any, account_id: str) -> Any:
        found = really(tx, account_id)
        seen.steps = {row.id: row.last_step for row in found}
        return found

    def spend(tx: Any, authenticator_id: str, step: int, spent: str, _drift: object) -> bool:
        if seen.steps[authenticator_id] >= step:
            return False
        statement = text("UPDATE mfa_totp_seeds SET last_step = :step, spent = :spent WHERE authenticator_id = :id")
        tx.execute(statement, {"step": step, "spent": spent, "id": authenticator_id})
        return True

    patch.setattr(authenticators, "totp_of_account", rows)
    patch.setattr(authenticators, "spend_step", spend)


def only_the_last_step_is_spent(patch: Patch) -> None:
    def spend(tx: Any, authenticator_id: str, step: int, spent: str, _drift: object) -> bool:
        statement = text(
            "UPDATE mfa_totp_seeds SET last_step = :step, spent = :spent "
            "WHERE authenticator_id = :id AND last_step <> :step"
        )
        return bool(tx.execute(statement, {"step": step, "spent": spent, "id": authenticator_id}).rowcount)

    patch.setattr(authenticators, "spend_step", spend)


def the_confirming_step_is_not_spent(patch: Patch) -> None:
    really = totp.confirm
    patch.setattr(totp, "confirm", lambda *args: really(*args) - 10)


def enrolments_are_not_taken(patch: Patch) -> None:
    """Completing neither takes the enrolment nor spends the code, and a second authenticator gets an id of its own."""
    patch.setattr(authenticators, "take_enrolment", lambda *_: True)
    patch.setattr(activations, "spend", lambda *_: True)
    patch.setattr(Flow, "may_change", lambda *_, **__: None)
    patch.setattr(authenticators, "add_totp", lambda *_: None)
    patch.setattr(session_rows, "rotate", lambda *_: True)


# --- limits ------------------------------------------------------------------------------------------------------


def no_limit(patch: Patch) -> None:
    patch.setattr(Rule, "retry_after", lambda *_: 0.0)


def a_success_empties(patch: Patch, *, sources: bool = False) -> None:
    """A success clears the windows, of the account or of the source."""

    def succeeded(self: Limiter, tx: Any, attempt: Attempt) -> None:
        self._lock_and_read(tx, attempt.counters, attempt.at)
        for counter in attempt.counters:
            if counter.scope.rule.endswith("source") == sources:
                counter.failures.clear()
                counter.streak = 0
            elif attempt.at in counter.failures:
                counter.failures.remove(attempt.at)
                counter.streak = 0
        counters.write(tx, [_row(counter) for counter in attempt.counters])

    patch.setattr(Limiter, "succeeded", succeeded)


def a_success_empties_its_source(patch: Patch) -> None:
    a_success_empties(patch, sources=True)


def rule_without(**changes: Any) -> Callable[[Patch], None]:
    def take_out(patch: Patch) -> None:
        really = Rule.retry_after
        patch.setattr(Rule, "retry_after", lambda self, *args: really(replace(self, **changes), *args))

    return take_out


def count_by_session(patch: Patch) -> None:
    """What AuthQuake lived on: each session has a counter of its own."""

    def count(self: totp_flow.TOTP, tx: Any, client: Any, rows: Any, subject: str, lane: Any) -> Attempt:
        scopes = (Scope("code", client.require_session().sign_in, lane), Scope("source", network(client.address)))
        return self.services.limiter.count(tx, scopes, self.services.clock())

    patch.setattr(totp_flow.TOTP, "_count", count)


def a_new_key_empties_the_counters(patch: Patch) -> None:
    patch.setattr(Keyring, "hashes", lambda self, purpose, value: [self.hash(purpose, value)])


def count_after_the_check(patch: Patch) -> None:
    """Only looks before the check; a failure is written down when it has been found."""
    under_way = threading.local()
    really = totp_flow.TOTP._match

    def count(self: Limiter, tx: Any, scopes: Any, now: float, **_: Any) -> Attempt:
        found = tuple(self._counter(scope) for scope in scopes)
        self._lock_and_read(tx, found, now)
        if max(counter.rule.retry_after(counter.failures, counter.streak, now) for counter in found) > 0:
            raise TooManyAttempts(retry_after=5)
        under_way.attempt = Attempt(found, now)
        return under_way.attempt

    def match(self: Any, *args: Any) -> Any:
        try:
            return really(self, *args)
        except WrongCode:
            attempt = under_way.attempt
            with self.services.store.begin() as tx:
                self.services.limiter._lock_and_read(tx, attempt.counters, attempt.at)
                for counter in attempt.counters:
                    counter.failures.append(attempt.at)
                    counter.streak += 1
                counters.write(tx, [_row(counter) for counter in attempt.counters])
            raise

    patch.setattr(Limiter, "count", count)
    patch.setattr(totp_flow.TOTP, "_match", match)


def counters_without_a_lock(patch: Patch) -> None:
    """Two workers read the same counter; on SQLite the whole transaction is the lock, so it goes as well."""

    @contextmanager
    def unlocked(self: Connections) -> Iterator[Transaction]:
        connection = self.engine.raw_connection()
        try:
            tx = Transaction(self.engine, connection)
            yield tx
            tx.driver.commit()
        finally:
            connection.close()

    hold = counters._HOLD._statement.with_for_update(read=True, key_share=True)
    patch.setattr(counters, "_HOLD", Statement(hold))
    patch.setattr(Connections, "begin", unlocked)
    patch.setattr("mfa_gate.store.engine._begin_immediate", lambda connection: None)


def uncounted(rule: str) -> Callable[[Patch], None]:
    def take_out(patch: Patch) -> None:
        really = Limiter.count

        def count(self: Limiter, tx: Any, scopes: Any, now: float, **how: Any) -> Attempt:
            scopes = tuple(scopes)
            spared = any(scope.rule == rule for scope in scopes)
            return Attempt((), now) if spared else really(self, tx, scopes, now, **how)

        def succeeded(self: Limiter, tx: Any, attempt: Attempt) -> None:
            if attempt.counters:
                really_succeeded(self, tx, attempt)

        really_succeeded = Limiter.succeeded
        patch.setattr(Limiter, "count", count)
        patch.setattr(Limiter, "succeeded", succeeded)

    return take_out


def names_as_typed(patch: Patch) -> None:
    patch.setattr(password, "typed_name", lambda name: name)


# --- secrets, seeds, keys ----------------------------------------------------------------------------------------


def codes_are_logged(patch: Patch) -> None:
    really = totp.complete

    def complete(seed: bytes, code: str, *args: Any) -> int:
        log.debug("checking %s", code)
        return really(seed, code, *args)

    patch.setattr(totp, "complete", complete)


def codes_are_told_in_events(patch: Patch) -> None:
    really, issued = Audit.record, threading.local()
    grouped = crockford.grouped

    def remember(code: str) -> str:
        issued.code = grouped(code)
        return issued.code

    def record(self: Audit, tx: Any, kind: str, *args: Any, **more: Any) -> None:
        really(self, tx, kind, *args, **more, typed=getattr(issued, "code", ""))

    takes_any_value(patch, "typed")
    patch.setattr(crockford, "grouped", remember)
    patch.setattr(Audit, "record", record)


def settings_show_their_keys(patch: Patch) -> None:
    patch.setattr(Settings, "__repr__", lambda self: f"Settings(keys={self.keys!r})")


def seeds_without_a_place(patch: Patch) -> None:
    for module in (seeds, totp_flow):
        patch.setattr(module, "seed_context", lambda *_: "a seed")
    matches_anything(patch, "totp step")


def counters_of_seeds_unwatched(patch: Patch) -> None:
    matches_anything(patch, "totp step")


def broken_seeds_are_wrong_codes(patch: Patch) -> None:
    """A row that does not open is passed over, and the check finds nothing."""
    really = seeds.open_seed

    def open_seed(flow: Any, row: Any) -> bytes:
        try:
            return really(flow, row)
        except SealBroken:
            return b"\0" * 20

    patch.setattr(totp_flow, "open_seed", open_seed)


def drift_told_to_anybody(patch: Patch) -> None:
    """Sign-in and step-up answer as the enrolment does."""
    really = totp_flow.TOTP._match

    def match(self: Any, rows: Any, code: str) -> Any:
        try:
            return really(self, rows, code)
        except WrongCode:
            for row in rows:
                totp.confirm(
                    seeds.open_seed(self, row), code, self.services.clock(), self.services.settings.totp_window
                )
            raise

    patch.setattr(totp_flow.TOTP, "_match", match)


def any_keys_will_do(patch: Patch) -> None:
    # the package's attribute of this name is the group of commands
    for module in (wiring, sys.modules["mfa_gate.cli.upkeep"]):
        patch.setattr(module, "check_keys", lambda *_: None)


def only_the_first_key_reads_cookies(patch: Patch) -> None:
    def unsign(self: Keyring, purpose: str, signed: str) -> str | None:
        value, _, _ = signed.rpartition(".")
        alone = Signer([self._key(f"sign {purpose}", self.current)], key_derivation="none", digest_method=sha256)
        return value if alone.validate(signed) else None

    patch.setattr(Keyring, "unsign", unsign)


def one_key_seals_everything(patch: Patch) -> None:
    cipher = Keyring._cipher
    patch.setattr(Keyring, "_cipher", lambda self, key_id, purpose: cipher(self, key_id))


def pages_are_sealed_as_seeds_are(patch: Patch) -> None:
    patch.setattr(targets, "PURPOSE", "seed")
    patch.setattr(sealed_form, "PURPOSE", "seed")


# --- rights under way --------------------------------------------------------------------------------------------


def a_lock_does_not_stop_what_is_under_way(patch: Patch) -> None:
    """Neither the account is looked at again, nor has its lock ended the session."""

    def hold(self: Flow, tx: Any, session: Any) -> Any:
        return accounts.find(tx, session.account_id)

    patch.setattr(Flow, "lock_row", hold)
    patch.setattr(Sessions, "end_account", lambda *_: 0)


def a_removed_authenticator_still_proves(patch: Patch) -> None:
    patch.setattr(authenticators, "spend_step", lambda *_: True)


def lock_does_not_end_sessions(patch: Patch) -> None:
    patch.setattr(Sessions, "end_account", lambda *_: 0)


DEFENCES: dict[str, Callable[[Patch], None]] = {
    "A2": enrolment_in_any_state,
    "A3": enrolment_without_a_code,
    "A4": bind_where(OF_THE_ACCOUNT, IN_TIME, FREE),
    "A4b": bind_where(OF_THE_ACCOUNT, OF_THE_CODE, IN_TIME),
    "A4c": code_of_any_account,
    "A5": bind_where(OF_THE_ACCOUNT, OF_THE_CODE, FREE),
    "A5b": sessions_without_an_end,
    "A5c": enrolling_without_an_end,
    "A6": steps_are_not_spent,
    "A6b": steps_are_spent_by_reading_first,
    "A6c": bind_where(OF_THE_ACCOUNT, OF_THE_CODE, IN_TIME),
    "A6d": enrolments_are_not_taken,
    "A8": seeds_of_all_accounts,
    "A8b": enrolments_of_all_sign_ins,
    "A11": state_kept_by_the_session,
    "A11b": forgotten_sessions_go_on,
    "A13": no_limit,
    "A13b": a_success_empties,
    "A13c": rule_without(streak=None),
    "A13d": rule_without(first_wait=0.0),
    "A13e": count_by_session,
    "A13f": a_new_key_empties_the_counters,
    "A14": count_after_the_check,
    "A15": count_after_the_check,
    "A15b": counters_without_a_lock,
    "A16": uncounted("code"),
    "A16b": uncounted("activation"),
    "A16c": uncounted("confirm"),
    "A17": names_as_typed,
    "A18": steps_are_not_spent,
    "A18b": only_the_last_step_is_spent,
    "A18c": the_confirming_step_is_not_spent,
    "A27": codes_are_logged,
    "A27b": codes_are_told_in_events,
    "A27c": settings_show_their_keys,
    "A36": a_success_empties_its_source,
    "A39": begun_replaces_active,
    "A39b": first_enrolment_stays_open,
    "A47": tokens_of_any_sign_in,
    "A47b": enrolments_of_all_sign_ins,
    "A48": seeds_without_a_place,
    "A48b": counters_of_seeds_unwatched,
    "A48c": broken_seeds_are_wrong_codes,
    "A59": drift_told_to_anybody,
    "A60": any_keys_will_do,
    "A60b": a_new_key_empties_the_counters,
    "A60c": only_the_first_key_reads_cookies,
    "A60d": one_key_seals_everything,
    "A60e": pages_are_sealed_as_seeds_are,
    "A61": a_lock_does_not_stop_what_is_under_way,
    "A61b": a_removed_authenticator_still_proves,
    "A61c": lock_does_not_end_sessions,
}
