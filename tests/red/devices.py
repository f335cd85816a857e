"""Defences of known devices and lanes, and how each is taken out."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mfa_gate.flows import password, sign_in
from mfa_gate.flows.proving import ProofFlow
from mfa_gate.flows.self_service import SelfService
from mfa_gate.flows.totp import TOTP
from mfa_gate.limits.limiter import Limiter, Scope, network
from mfa_gate.limits.rules import Rule
from mfa_gate.sessions.devices import Devices, PresentedDevices
from mfa_gate.store import devices as rows
from mfa_gate.store import pressure
from mfa_gate.store import sessions as session_rows

Patch = pytest.MonkeyPatch


def a_replayed_token_is_let_be(patch: Patch) -> None:
    patch.setattr(ProofFlow, "_replayed", lambda *_: None)


def a_replayed_series_keeps_its_sessions(patch: Patch) -> None:
    patch.setattr(session_rows, "remove_device", lambda *_: 0)


def an_old_token_is_as_good_as_the_newest(patch: Patch) -> None:
    really = Devices.show

    def show(self: Devices, cookie: str | None, now: float) -> PresentedDevices:
        shown = really(self, cookie, now)
        return PresentedDevices((*shown.known, *shown.replayed), shown.presented)

    patch.setattr(Devices, "show", show)


def the_token_before_stays_good(patch: Patch) -> None:
    patch.setattr(rows, "seen", lambda *_: None)
    really = rows.rotate

    def rotate(tx: Any, series: str, *args: Any) -> bool:
        first = tx.execute(rows.select(rows.devices.c.previous_hash).where(rows.devices.c.series == series)).scalar()
        done = really(tx, series, *args)
        if first:
            tx.execute(rows.update(rows.devices).where(rows.devices.c.series == series).values(previous_hash=first))
        return done

    patch.setattr(rows, "rotate", rotate)


def each_presentation_gets_a_token_of_its_own(patch: Patch) -> None:
    """As if the token before were good, and its successor another each time."""
    really = rows.rotate

    def rotate(tx: Any, series: str, account: str, presented: str, *args: Any) -> bool:
        done = really(tx, series, account, presented, *args)
        table, new = rows.devices, args[0]
        again = rows.update(table).where(table.c.series == series, table.c.previous_hash == presented)
        return done or bool(tx.execute(again.values(token_hash=new)).rowcount)

    patch.setattr(rows, "rotate", rotate)
    patch.setattr(Devices, "_successors", lambda *_: [secrets.token_urlsafe(16)])


def a_token_is_derived_under_the_newest_key_alone(patch: Patch) -> None:
    really = Devices._successors
    patch.setattr(Devices, "_successors", lambda *args: list(really(*args))[:1])


def others_end_by_an_old_proof(patch: Patch) -> None:
    patch.setattr(SelfService, "_require_fresh_proof", lambda *_: None)


def a_code_makes_strangers_of_all_browsers(patch: Patch) -> None:
    patch.setattr(SelfService, "_may_forget", lambda *_: True)


def a_passkey_leaves_older_browsers_known(patch: Patch) -> None:
    patch.setattr(SelfService, "_may_forget", lambda *_: False)


def a_success_counts_each_time(patch: Patch) -> None:
    patch.setattr(pressure, "is_first", lambda *_: True)


def one_counter_for_all_methods(patch: Patch) -> None:
    def count(self: ProofFlow, tx: Any, client: Any, _rule: str) -> Any:
        row = self.subject_in(tx, client.require_session().account_id)
        return self.services.limiter.count(tx, [Scope("code", f"account {row}", "stranger")], self.services.clock())

    patch.setattr(ProofFlow, "count", count)


def a_header_that_cannot_be_read_fails_the_sign_in(patch: Patch) -> None:
    def family(agent: str | None) -> str:
        if agent and not (agent.isascii() and len(agent) < 200 and agent.isprintable()):
            raise ValueError(agent)
        return agent or ""

    patch.setattr(sign_in, "family", family)


def one_lane(patch: Patch) -> None:
    """Strangers and known devices share their counters."""

    def count(self: TOTP, tx: Any, client: Any, found: Any, subject: str, _lane: Any) -> Any:
        scopes = [Scope("code", f"authenticator {row.id}") for row in found]
        scopes += [Scope("code", f"account {subject}"), Scope("source", network(client.address))]
        return self.services.limiter.count(tx, scopes, self.services.clock())

    patch.setattr(TOTP, "_count", count)


def one_counter_per_name(patch: Patch) -> None:
    """A name counts over all sources, and a known device with it."""

    def scopes(typed: str | None, source: str, _known: bool) -> list[Scope]:
        return [Scope("password_source", source), *([Scope("password", typed)] if typed else [])]

    patch.setattr(password, "_scopes", scopes)


def everything_closes_its_source(patch: Patch) -> None:
    """Keys and recovery codes count where guesses do."""

    def count(self: ProofFlow, tx: Any, client: Any, rule: str) -> Any:
        scopes = (Scope(rule, client.require_session().sign_in), Scope("source", network(client.address)))
        return self.services.limiter.count(tx, scopes, self.services.clock())

    patch.setattr(ProofFlow, "count", count)


def rule(name: str, **changes: Any) -> Callable[[Patch], None]:
    def take_out(patch: Patch) -> None:
        really = Limiter.__init__

        def init(self: Limiter, keyring: Any, policy: Any) -> None:
            changed: Rule = replace(getattr(policy, name), **changes)
            really(self, keyring, replace(policy, **{name: changed}))

        patch.setattr(Limiter, "__init__", init)

    return take_out


def a_success_clears_every_lane(patch: Patch) -> None:
    really = Limiter.succeeded

    def succeeded(self: Limiter, tx: Any, attempt: Any) -> None:
        really(self, tx, attempt)
        self.clear(tx, [Scope(counter.scope.rule, counter.scope.subject) for counter in attempt.counters])

    patch.setattr(Limiter, "succeeded", succeeded)


def the_cookie_is_taken_at_its_word(patch: Patch) -> None:
    """The signature of a device cookie is not looked at."""
    really = Devices._tokens

    def tokens(self: Devices, cookie: str | None) -> dict[str, str]:
        text = (cookie or "").rpartition(".")[0] or (cookie or "")
        return really(self, cookie) or ({text[:22]: text[22:44]} if text else {})

    patch.setattr(Devices, "_tokens", tokens)


def the_store_keeps_the_token(patch: Patch) -> None:
    patch.setattr("mfa_gate.sessions.devices._hash", lambda token: token)


def sessions_for_whoever_has_the_password(patch: Patch) -> None:
    patch.setattr(SelfService, "signed_in", lambda *_: frozenset())


def the_header_is_kept_as_it_comes(patch: Patch) -> None:
    patch.setattr(sign_in, "family", lambda agent: agent)


DEFENCES: dict[str, Callable[[Patch], None]] = {
    "A43": one_counter_for_all_methods,
    "A19": a_header_that_cannot_be_read_fails_the_sign_in,
    "A13lane": rule("code_known", windows=((100_000, 90 * 86_400.0),), streak=None),
    "A13lanes": a_success_clears_every_lane,
    "A21dev": the_cookie_is_taken_at_its_word,
    "A27dev": the_store_keeps_the_token,
    "A42a": a_replayed_token_is_let_be,
    "A42b": a_replayed_series_keeps_its_sessions,
    "A42c": an_old_token_is_as_good_as_the_newest,
    "A42d": the_token_before_stays_good,
    "A42e": a_token_is_derived_under_the_newest_key_alone,
    "A66b": a_success_counts_each_time,
    "A66c": rule("signed_in", windows=((10**6, 3600.0),), free=10**6),
    "A68dev": each_presentation_gets_a_token_of_its_own,
    "A74e": others_end_by_an_old_proof,
    "A74f": a_code_makes_strangers_of_all_browsers,
    "A74g": a_passkey_leaves_older_browsers_known,
    "A44a": one_lane,
    "A44b": one_counter_per_name,
    "A44c": everything_closes_its_source,
    "A44d": rule("password_source", windows=((60, 86_400.0),)),
    "A1ses": sessions_for_whoever_has_the_password,
    "A51ua": the_header_is_kept_as_it_comes,
}
