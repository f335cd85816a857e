"""Defences of passkeys, and how each is taken out."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from mfa_gate.exc import WrongAssertion
from mfa_gate.factors import attestation, cose, registry, webauthn, webauthn_answers
from mfa_gate.flows import webauthn as flow
from mfa_gate.flows.flow import Flow
from mfa_gate.store import authenticators, credentials, recovery_sets
from mfa_gate.store.credentials import CredentialRow
from mfa_gate.testing.software_key import from_text, to_text
from mfa_gate.web import answers as web_answers
from tests.red.codes import seeds_of_all_accounts

Patch = pytest.MonkeyPatch
EVERY = (-7, -8, -257, -48, -49, -50)


# --- challenges --------------------------------------------------------------------------------------------------


def take_where(*conditions: str, spend: bool = True) -> Callable[[Patch], None]:
    """Take a challenge under these conditions only, or just look at it."""
    verb = "DELETE" if spend else "SELECT challenge"
    statement = text(f"{verb} FROM mfa_challenges WHERE " + " AND ".join(("challenge = :challenge", *conditions)))

    def take_out(patch: Patch) -> None:
        def take(tx: Any, row: Any, now: float) -> bool:
            values = {**row._asdict(), "now": now}
            done = tx.execute(
                statement, {name: value for name, value in values.items() if f":{name}" in str(statement)}
            )
            return bool(done.rowcount) if spend else done.first() is not None

        patch.setattr(credentials, "take_challenge", take)

    return take_out


ITS = ("account_id = :account_id", "sign_in = :sign_in")
FOR_THIS = "purpose = :purpose"
IN_TIME = "ends_at > :now"


def challenges_are_believed(patch: Patch) -> None:
    """As if they travelled in a signed cookie: bringing one back is proof of having been asked."""
    patch.setattr(credentials, "take_challenge", lambda *_: True)


def challenges_stay_after_the_session(patch: Patch) -> None:
    patch.setattr(credentials, "abandon_challenges", lambda *_: None)


def recovery_codes_are_only_looked_at(patch: Patch) -> None:
    def spend(tx: Any, account_id: str, hashed: str) -> bool:
        found = text("SELECT hash FROM mfa_recovery_codes WHERE account_id = :account AND hash = :hash")
        return tx.execute(found, {"account": account_id, "hash": hashed}).first() is not None

    patch.setattr(recovery_sets, "spend", spend)


# --- what an answer says -----------------------------------------------------------------------------------------


def client_data_forgiven(*members: str) -> Callable[[Patch], None]:
    """Read each of these members of the client data as if it were right."""

    def take_out(patch: Patch) -> None:
        real = webauthn_answers.check_client_data

        def check(rp: Any, raw: bytes, kind: str, challenge: bytes) -> None:
            try:
                data = json.loads(raw)
                right = {"origin": rp.origins[0], "type": kind}
                for member in members:
                    data.pop(member, None)
                data |= {member: right[member] for member in members if member in right}
            except (ValueError, AttributeError, TypeError):
                return real(rp, raw, kind, challenge)
            return real(rp, json.dumps(data).encode(), kind, challenge)

        patch.setattr(webauthn, "check_client_data", check)

    return take_out


def authenticator_data_forgiven(change: Callable[[Any, Any], Any]) -> Callable[[Patch], None]:
    """Look at the authenticator data only after it was put right."""

    def take_out(patch: Patch) -> None:
        real = webauthn._check_authenticator
        patch.setattr(webauthn, "_check_authenticator", lambda rp, data: real(rp, change(rp, data)))

    return take_out


def flagged(flag: int) -> Callable[[Any, Any], Any]:
    return lambda rp, data: data._replace(flags=data.flags | flag)


def without_backup(rp: Any, data: Any) -> Any:
    return data._replace(flags=data.flags & ~cose.BACKED_UP)


def of_this_portal(rp: Any, data: Any) -> Any:
    return data._replace(rp_id_hash=webauthn.sha256(rp.id.encode()).digest())


def eligibility_may_change(patch: Patch) -> None:
    def forgiving(rp: Any, challenge: bytes, answer: Any, credential: Any, handle: bytes) -> Any:
        flags = from_text(answer["response"]["authenticatorData"])[32]
        return real(
            rp, challenge, answer, replace(credential, backup_eligible=bool(flags & cose.BACKUP_ELIGIBLE)), handle
        )

    real = _instead_of(patch, "complete_authentication", forgiving)


def any_user_handle(patch: Patch) -> None:
    def forgiving(rp: Any, challenge: bytes, answer: Any, credential: Any, handle: bytes) -> Any:
        said = answer["response"].get("userHandle")
        return real(rp, challenge, answer, credential, handle if said is None else from_text(said))

    real = _instead_of(patch, "complete_authentication", forgiving)


def any_outer_id(patch: Patch) -> None:
    """At a registration the id outside is not compared with the one that the key made."""

    def forgiving(rp: Any, challenge: bytes, answer: Any) -> Any:
        data = from_text(answer["response"]["authenticatorData"])
        made = to_text(data[55 : 55 + int.from_bytes(data[53:55], "big")])
        return real(rp, challenge, {**answer, "id": made, "rawId": made})

    real = _instead_of(patch, "complete_registration", forgiving)


def _instead_of(patch: Patch, name: str, forgiving: Callable[..., Any]) -> Callable[..., Any]:
    """Put a forgiving step in the place of one; what it cannot read goes to the real one as it is."""
    real: Callable[..., Any] = getattr(webauthn, name)

    def step(*args: Any) -> Any:
        try:
            return forgiving(*args)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            return real(*args)

    patch.setattr(webauthn, name, step)
    return real


def any_algorithm(patch: Patch) -> None:
    real = webauthn._verify_registration
    patch.setattr(cose, "algorithm_of", lambda key: -7)
    patch.setattr(webauthn, "_verify_registration", lambda rp, *args: real(replace(rp, algorithms=EVERY), *args))


def keys_are_not_built(patch: Patch) -> None:
    patch.setattr(cose, "check_key", lambda key: None)


def signatures_are_believed(patch: Patch) -> None:
    patch.setattr(webauthn, "_verify_signature", lambda *_: None)


def makers_are_believed(patch: Patch) -> None:
    patch.setattr(attestation, "check", lambda *_: None)


def long_ids(patch: Patch) -> None:
    patch.setattr(webauthn, "CREDENTIAL_ID", 10**5)


def lenient_base64(patch: Patch) -> None:
    def decoded(given: Any, limit: int, reason: str = "malformed") -> bytes:
        try:
            return urlsafe_b64decode(given + "==")
        except (TypeError, ValueError):
            raise WrongAssertion(reason=reason) from None

    for module in (webauthn_answers, webauthn):
        patch.setattr(module, "decoded", decoded)


def one_credential_for_several(patch: Patch) -> None:
    """A person who brings a credential that somebody has already learns that it is enrolled."""
    real = credentials.add
    patch.setattr(credentials, "add", lambda *args: real(*args) or True)


def errors_of_the_library_are_let_out(patch: Patch) -> None:
    patch.setattr(webauthn_answers.refused_as, "__exit__", lambda *_: None)


def the_cause_is_told(patch: Patch) -> None:
    real = web_answers.said

    def said(refusal: Any, account: Any = None) -> str:
        return f"{real(refusal, account)} {refusal.data.get('reason', '')}".strip()

    patch.setattr(web_answers, "said", said)


# --- whose it is -------------------------------------------------------------------------------------------------


def credentials_are_found_by_id_alone(patch: Patch) -> None:
    real = credentials.named

    def named(tx: Any, account_id: str, credential_id: str) -> Any:
        columns = ", ".join(CredentialRow._fields)
        found = text(f"SELECT {columns} FROM mfa_webauthn_credentials WHERE credential_id = :id")  # noqa: S608
        row = tx.execute(found, {"id": credential_id}).first()
        whose = real(tx, account_id, credential_id)
        return whose and whose._replace(credential=CredentialRow(*row) if row else None)

    patch.setattr(credentials, "named", named)
    bindings_are_not_checked(patch)


def bindings_are_not_checked(patch: Patch) -> None:
    patch.setattr(flow, "is_bound", lambda *_: True)


def check_overlooks_keys(patch: Patch) -> None:
    patch.setattr(flow.WebAuthn, "broken", lambda *_: [])


def the_last_one_may_go(patch: Patch) -> None:
    real = authenticators.of_account

    def twice(tx: Any, account_id: str) -> list[Any]:
        rows = real(tx, account_id)
        return rows + rows[:1]

    patch.setattr(authenticators, "of_account", twice)


def removed_keys_still_prove(patch: Patch) -> None:
    patch.setattr(credentials, "used", lambda *_: True)


# --- methods and counters ----------------------------------------------------------------------------------------


def switched_off_methods_answer(patch: Patch) -> None:
    patch.setattr(Flow, "require_offered", lambda *_: None)


def switched_off_methods_are_offered(patch: Patch) -> None:
    def allowed(progress: Any, required: Any) -> tuple[str, ...]:
        factors = registry.FACTORS.items()
        return tuple(name for name, one in factors if any(map(required.reached_by, one.amr & progress.amr)))

    patch.setattr(web_answers, "allowed", allowed)


def an_account_without_a_method_that_is_on_is_let_in(patch: Patch) -> None:
    """What is switched off is not asked for, so a person with nothing else enrols anew."""
    real = authenticators.amr

    def amr_of_what_is_on(tx: Any, account_id: str) -> frozenset[str]:
        from mfa_gate.web.request_context import current_parts

        on = current_parts().settings.methods
        return frozenset(amr for amr in real(tx, account_id) if registry.factor_of(amr).name in on)

    patch.setattr(authenticators, "amr", amr_of_what_is_on)


def counters_fall(patch: Patch) -> None:
    real = credentials.used

    def used(tx: Any, authenticator_id: str, sign_count: int, *more: Any) -> str:
        told = real(tx, authenticator_id, sign_count, *more)
        put = text("UPDATE mfa_webauthn_credentials SET sign_count = :count WHERE authenticator_id = :id")
        tx.execute(put, {"id": authenticator_id, "count": sign_count})
        return told

    patch.setattr(credentials, "used", used)


def counters_are_told(when: Callable[[Any, Any], bool]) -> Callable[[Patch], None]:
    def take_out(patch: Patch) -> None:
        real = webauthn.complete_authentication

        def complete(rp: Any, challenge: bytes, answer: Any, credential: Any, handle: bytes) -> Any:
            asserted = real(rp, challenge, answer, credential, handle)
            return replace(asserted, counted=when(asserted, credential))

        patch.setattr(webauthn, "complete_authentication", complete)

    return take_out


def counters_that_do_not_rise_are_refused(patch: Patch) -> None:
    real = webauthn.complete_authentication

    def complete(rp: Any, challenge: bytes, answer: Any, credential: Any, handle: bytes) -> Any:
        asserted = real(rp, challenge, answer, credential, handle)
        if asserted.counted and asserted.sign_count <= credential.sign_count:
            raise WrongAssertion(reason="sign_count")
        return asserted

    patch.setattr(webauthn, "complete_authentication", complete)


DEFENCES: dict[str, Callable[[Patch], None]] = {
    "A5p": take_where(*ITS, FOR_THIS),
    "A6p": take_where(*ITS, FOR_THIS, IN_TIME, spend=False),
    "A6pb": recovery_codes_are_only_looked_at,
    "A6pc": one_credential_for_several,
    "A8p": take_where(FOR_THIS, IN_TIME),
    "A8pb": take_where(*ITS, IN_TIME),
    "A28": client_data_forgiven("origin"),
    "A28b": client_data_forgiven("crossOrigin"),
    "A28c": client_data_forgiven("topOrigin"),
    "A28d": client_data_forgiven("type"),
    "A28e": authenticator_data_forgiven(flagged(cose.USER_PRESENT)),
    "A28f": authenticator_data_forgiven(flagged(cose.USER_VERIFIED)),
    "A28g": authenticator_data_forgiven(without_backup),
    "A28h": authenticator_data_forgiven(of_this_portal),
    "A28i": eligibility_may_change,
    "A28j": any_user_handle,
    "A28k": any_outer_id,
    "A28l": any_algorithm,
    "A28m": keys_are_not_built,
    "A28n": signatures_are_believed,
    "A28o": makers_are_believed,
    "A28p": long_ids,
    "A28q": lenient_base64,
    "A28r": one_credential_for_several,
    "A28s": errors_of_the_library_are_let_out,
    "A28t": the_cause_is_told,
    "A29": credentials_are_found_by_id_alone,
    "A29b": take_where(FOR_THIS, IN_TIME),
    "A30": credentials_are_found_by_id_alone,
    "A30b": seeds_of_all_accounts,
    "A31": take_where(*ITS, FOR_THIS, IN_TIME, spend=False),
    "A31b": challenges_are_believed,
    "A35p": challenges_stay_after_the_session,
    "A38p": the_last_one_may_go,
    "A40": switched_off_methods_answer,
    "A40b": switched_off_methods_are_offered,
    "A40c": an_account_without_a_method_that_is_on_is_let_in,
    "A41": counters_fall,
    "A41b": counters_are_told(lambda asserted, credential: False),
    "A41c": counters_are_told(lambda asserted, credential: asserted.sign_count <= credential.sign_count),
    "A41d": counters_that_do_not_rise_are_refused,
    "A48p": bindings_are_not_checked,
    "A48pb": check_overlooks_keys,
    "A61p": removed_keys_still_prove,
}
