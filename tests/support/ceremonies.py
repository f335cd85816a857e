"""Registrations and assertions by a software key, for tests of the WebAuthn factor."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from mfa_gate.exc import WrongAssertion
from mfa_gate.factors.webauthn import (
    Credential,
    RelyingParty,
    begin_authentication,
    begin_registration,
    complete_authentication,
    complete_registration,
)
from mfa_gate.testing.software_key import UNTAMPERED, SoftwareKey, Tampered

ORIGIN = "https://login.portal.example"
HANDLE = bytes(range(32))
RP = RelyingParty("portal.example", "Portal", (ORIGIN, "https://portal.example:8443"))
EVERY = dataclasses.replace(RP, algorithms=(-7, -8, -257, -48, -49, -50))

Answer = dict[str, Any]


def register(key: SoftwareKey, rp: RelyingParty = RP, tampered: Tampered = UNTAMPERED) -> Credential:
    options, challenge = begin_registration(rp, HANDLE, "anne", "Anne", ())
    return complete_registration(
        rp,
        challenge,
        key.register(options, tampered),
    ).credential


def registration(key: SoftwareKey, rp: RelyingParty = RP, tampered: Tampered = UNTAMPERED) -> tuple[bytes, Answer]:
    options, challenge = begin_registration(rp, HANDLE, "anne", "Anne", ())
    return challenge, key.register(options, tampered)


def assertion(
    key: SoftwareKey, credential: Credential, rp: RelyingParty = RP, tampered: Tampered = UNTAMPERED
) -> tuple[bytes, Answer]:
    options, challenge = begin_authentication(rp, [credential])
    return challenge, key.assert_(options, tampered)


def reason(complete: Callable[..., object], *args: Any) -> str:
    """The word for the event of a refusal, which says nothing more to the one refused."""
    with pytest.raises(WrongAssertion) as caught:
        complete(*args)
    refusal = caught.value
    assert (refusal.status, refusal.code, refusal.sentence) == (422, "wrong_assertion", WrongAssertion.sentence)
    assert str(refusal) == WrongAssertion.sentence
    assert refusal.__cause__ is None
    assert set(refusal.data) == {"reason"}
    return str(refusal.data["reason"])


def refused_registration(key: SoftwareKey, rp: RelyingParty = RP, tampered: Tampered = UNTAMPERED) -> str:
    challenge, answer = registration(key, rp, tampered)
    return reason(complete_registration, rp, challenge, answer)


def refused_assertion(
    key: SoftwareKey, credential: Credential, rp: RelyingParty = RP, tampered: Tampered = UNTAMPERED
) -> str:
    challenge, answer = assertion(key, credential, rp, tampered)
    return reason(complete_authentication, rp, challenge, answer, credential, HANDLE)


def tampered_answer(answer: Answer, path: str, value: Any) -> Answer:
    """A copy with one member, named like `response.signature`, changed."""
    changed = copy.deepcopy(answer)
    *outer, last = path.split(".")
    inner = changed
    for name in outer:
        inner = inner[name]
    inner[last] = value
    return changed
