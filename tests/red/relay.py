"""What takes the defences against a phishing relay out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from flask import has_request_context, request

from mfa_gate.assurance import Requirement, satisfies
from mfa_gate.flows import WebAuthn
from mfa_gate.levels import Level
from mfa_gate.request import guard
from mfa_gate.web import answers

Patch = pytest.MonkeyPatch


def rp_id_follows_the_request(patch: Patch) -> None:
    real = WebAuthn._relying_party

    def relying_party(self: WebAuthn) -> Any:
        if not has_request_context():
            return real(self)
        host = request.headers.get("X-Forwarded-Host") or request.host
        return dataclasses.replace(real(self), id=host.partition(":")[0], origins=(f"{request.scheme}://{host}",))

    patch.setattr(WebAuthn, "_relying_party", relying_party)


def any_address_will_do(patch: Patch) -> None:
    """What an authenticator signs for is read from its own answer, and so is the page that it was asked on."""
    patch.setattr("mfa_gate.factors.webauthn.check_client_data", lambda *_: None)
    patch.setattr("mfa_gate.factors.webauthn._check_authenticator", lambda *_: None)
    patch.setattr("mfa_gate.factors.webauthn._verify_registration", lambda *_: None)


def a_code_is_as_good_as_a_key(patch: Patch) -> None:
    def satisfies_by_less(level: Level, proofs: Any, required: Any, now: float) -> Any:
        return satisfies(level, proofs, dataclasses.replace(required, level=min(required.level, Level.MFA)), now)

    patch.setattr(guard, "satisfies", satisfies_by_less)


def a_code_is_offered_for_everything(patch: Patch) -> None:
    real = answers.allowed
    patch.setattr(answers, "allowed", lambda progress, _required: real(progress, Requirement()))


DEFENCES: dict[str, Callable[[Patch], None]] = {
    "A53": rp_id_follows_the_request,
    "A53b": any_address_will_do,
    "A53c": a_code_is_as_good_as_a_key,
    "A53d": a_code_is_offered_for_everything,
}
