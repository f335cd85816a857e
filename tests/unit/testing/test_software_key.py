"""The software key, judged by parts that are not ours: python-fido2 as browser before it, and as server behind it."""

from __future__ import annotations

import dataclasses
from hashlib import sha256
from typing import Any

import fido2.cbor
import pytest
from fido2.attestation.base import InvalidData, InvalidSignature
from fido2.attestation.packed import PackedAttestation
from fido2.client import ClientError
from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestationObject,
    AuthenticatorData,
    PublicKeyCredentialCreationOptions,
    PublicKeyCredentialRequestOptions,
    PublicKeyCredentialRpEntity,
)

from mfa_gate.exc import WrongAssertion
from mfa_gate.factors.webauthn import (
    begin_authentication,
    begin_registration,
    complete_authentication,
    complete_registration,
)
from mfa_gate.testing.software_key import KeyRefused, SoftwareKey, Tampered, cbor, from_text, to_text
from mfa_gate.testing.software_maker import Maker
from tests.support.ceremonies import EVERY, HANDLE, ORIGIN, RP, assertion, register, registration
from tests.support.fido2_client import client_of, sent

JUDGE = Fido2Server(PublicKeyCredentialRpEntity(name="Portal", id="portal.example"))


# --- python-fido2 as the browser


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_what_another_client_gives_is_accepted(algorithm: int) -> None:
    client = client_of(SoftwareKey(ORIGIN, algorithm=algorithm))
    options, challenge = begin_registration(RP, HANDLE, "anne", "Anne", ())
    made = client.make_credential(PublicKeyCredentialCreationOptions.from_dict(options))
    credential = complete_registration(RP, challenge, sent(made)).credential
    assert credential.uv_initialised is True
    options, challenge = begin_authentication(RP, [credential])
    asserted = client.get_assertion(PublicKeyCredentialRequestOptions.from_dict(options)).get_response(0)
    told = complete_authentication(RP, challenge, sent(asserted), credential, HANDLE)
    assert told.user_verified is True
    assert (told.counted, told.sign_count > credential.sign_count) == (True, True)


def test_another_client_without_verification_is_accepted_unless_it_is_required() -> None:
    key = SoftwareKey(ORIGIN)
    client = client_of(key, verifies=False)
    options, challenge = begin_registration(
        dataclasses.replace(RP, user_verification="discouraged"), HANDLE, "anne", "Anne", ()
    )
    made = sent(client.make_credential(PublicKeyCredentialCreationOptions.from_dict(options)))
    assert complete_registration(RP, challenge, made).credential.uv_initialised is False
    with pytest.raises(WrongAssertion) as caught:
        complete_registration(dataclasses.replace(RP, user_verification="required"), challenge, made)
    assert caught.value.data == {"reason": "user_verification"}


def test_another_client_enrols_no_key_twice_and_asks_for_none_on_a_foreign_page() -> None:
    key = SoftwareKey(ORIGIN)
    options, challenge = begin_registration(RP, HANDLE, "anne", "Anne", ())
    made = client_of(key).make_credential(PublicKeyCredentialCreationOptions.from_dict(options))
    credential = complete_registration(RP, challenge, sent(made)).credential
    options, _ = begin_registration(RP, HANDLE, "anne", "Anne", [credential])
    with pytest.raises(ClientError) as caught:
        client_of(key).make_credential(PublicKeyCredentialCreationOptions.from_dict(options))
    assert caught.value.code == ClientError.ERR.DEVICE_INELIGIBLE
    options, _ = begin_authentication(RP, [credential])
    with pytest.raises(ClientError) as caught:
        client_of(key, "https://portal.example.evil.example").get_assertion(
            PublicKeyCredentialRequestOptions.from_dict(options)
        )
    assert caught.value.code == ClientError.ERR.BAD_REQUEST


# --- python-fido2 as the server


def state(challenge: bytes) -> dict[str, Any]:
    return {"challenge": to_text(challenge), "user_verification": None}


@pytest.mark.parametrize("algorithm", EVERY.algorithms)
def test_what_the_key_gives_another_server_accepts(algorithm: int) -> None:
    key = SoftwareKey(ORIGIN, algorithm=algorithm, backup_eligible=True, backed_up=True)
    challenge, answer = registration(key, EVERY)
    made = JUDGE.register_complete(state(challenge), answer)
    assert made.credential_data is not None
    assert made.credential_data.public_key[3] == algorithm
    assert made.counter == 0
    credential = complete_registration(EVERY, challenge, answer).credential
    challenge, answer = assertion(key, credential, EVERY)
    JUDGE.authenticate_complete(state(challenge), [made.credential_data], answer)
    signed = AuthenticatorData(from_text(answer["response"]["authenticatorData"]))
    assert (signed.is_user_present(), signed.is_user_verified(), signed.counter) == (True, True, 1)
    assert signed.flags & AuthenticatorData.FLAG.BE
    assert signed.flags & AuthenticatorData.FLAG.BS


@pytest.mark.parametrize(
    "tampered",
    [
        Tampered(challenge=bytes(32)),
        Tampered(type="webauthn.create"),
        Tampered(origin="https://evil.example"),
        Tampered(rp_id="evil.example"),
        Tampered(flags_off=0x01),
        Tampered(bad_signature=True),
        Tampered(outer_id=bytes(32)),
    ],
    ids=str,
)
def test_what_the_key_gives_when_bent_another_server_refuses_too(tampered: Tampered) -> None:
    key = SoftwareKey(ORIGIN)
    challenge, answer = registration(key)
    made = JUDGE.register_complete(state(challenge), answer)
    assert made.credential_data is not None
    credential = complete_registration(RP, challenge, answer).credential
    challenge, answer = assertion(key, credential, tampered=tampered)
    with pytest.raises(ValueError, match=r"\.$"):
        JUDGE.authenticate_complete(state(challenge), [made.credential_data], answer)


def vouched(maker: Maker | None, bad_signature: bool = False) -> None:
    """Let python-fido2 verify the attestation statement of a new credential."""
    _, answer = registration(
        SoftwareKey(ORIGIN, maker=maker), tampered=Tampered(format="packed", bad_signature=bad_signature)
    )
    made = AttestationObject(from_text(answer["response"]["attestationObject"]))
    hashed = sha256(from_text(answer["response"]["clientDataJSON"])).digest()
    PackedAttestation().verify(made.att_stmt, made.auth_data, hashed)


def test_another_verifier_accepts_what_a_maker_vouches_for() -> None:
    vouched(Maker())
    vouched(None)


@pytest.mark.parametrize(
    "maker",
    [Maker(unit="Sales"), Maker(ca=True), Maker(extension=bytes(16)), Maker(critical=True), Maker(country=None)],
    ids=["unit", "may issue others", "another model", "critical model", "no country"],
)
def test_another_verifier_refuses_certificates_that_break_the_rules(maker: Maker) -> None:
    with pytest.raises(InvalidData):
        vouched(maker)


def test_another_verifier_refuses_a_bad_signature_of_a_maker() -> None:
    for maker in (Maker(), None):
        with pytest.raises(InvalidSignature):
            vouched(maker, bad_signature=True)


# --- what a browser would not let a page do


def refused(name: str, do: Any, *args: Any) -> None:
    with pytest.raises(KeyRefused, match=name) as caught:
        do(*args)
    assert caught.value.name == name


@pytest.mark.parametrize(
    ("origin", "rp_id", "serves"),
    [
        ("https://portal.example", "portal.example", True),
        ("https://login.portal.example", "portal.example", True),
        ("https://login.portal.example:8443", "portal.example", True),
        ("http://localhost:5000", "localhost", True),
        ("http://app.localhost", "app.localhost", True),
        ("https://portal.example", "login.portal.example", False),
        ("https://evilportal.example", "portal.example", False),
        ("https://portal.example.evil.example", "portal.example", False),
        ("https://portal.example", "example", False),
        ("http://portal.example", "portal.example", False),
        ("http://app.localhost", "localhost", False),
    ],
)
def test_a_page_may_ask_for_its_own_host_and_those_above_it(origin: str, rp_id: str, serves: bool) -> None:
    rp = dataclasses.replace(RP, id=rp_id)
    options, _ = begin_registration(rp, HANDLE, "anne", "Anne", ())
    if serves:
        SoftwareKey(origin).register(options)
    else:
        refused("SecurityError", SoftwareKey(origin).register, options)


def test_a_relay_gets_nothing_from_the_key() -> None:
    key = SoftwareKey(ORIGIN)
    options, _ = begin_authentication(RP, [register(key)])
    key.origin = "https://portal-example.test"
    refused("SecurityError", key.assert_, options)


def test_a_key_is_enrolled_once_and_asserts_only_what_it_holds() -> None:
    key, other = SoftwareKey(ORIGIN), SoftwareKey(ORIGIN)
    credential = register(key)
    options, _ = begin_registration(RP, HANDLE, "anne", "Anne", [credential])
    refused("InvalidStateError", key.register, options)
    other.register(options)
    options, _ = begin_authentication(RP, [credential])
    refused("NotAllowedError", SoftwareKey(ORIGIN).assert_, options)
    refused("NotAllowedError", other.assert_, options)


def test_a_key_refuses_what_it_cannot_do() -> None:
    strict = dataclasses.replace(RP, user_verification="required")
    key = SoftwareKey(ORIGIN, user_verified=False)
    options, _ = begin_registration(strict, HANDLE, "anne", "Anne", ())
    refused("NotAllowedError", key.register, options)
    credential = register(key)
    options, _ = begin_authentication(strict, [credential])
    refused("NotAllowedError", key.assert_, options)
    options, _ = begin_registration(RP, HANDLE, "anne", "Anne", ())
    refused("NotSupportedError", SoftwareKey(ORIGIN, algorithm=-48).register, options)


def test_a_key_that_keeps_its_credentials_finds_them_unnamed() -> None:
    for discoverable in (True, False):
        key = SoftwareKey(ORIGIN, discoverable=discoverable)
        credential = register(key)
        options, _ = begin_authentication(RP, [credential])
        options["allowCredentials"] = []
        if discoverable:
            answer = key.assert_(options)
            assert from_text(answer["id"]) == credential.id
            assert from_text(answer["response"]["userHandle"]) == HANDLE
        else:
            refused("NotAllowedError", key.assert_, options)


def test_a_counter_counts_or_stays() -> None:
    for counting, counts in ((True, [6, 7]), (False, [5, 5])):
        key = SoftwareKey(ORIGIN, counting=counting, count=5)
        credential = register(key)
        assert credential.sign_count == 5
        told = []
        for _ in range(2):
            challenge, answer = assertion(key, credential)
            told.append(complete_authentication(RP, challenge, answer, credential, HANDLE).sign_count)
        assert told == counts


def test_the_cbor_of_the_key_is_canonical() -> None:
    samples: list[Any] = [0, 23, 24, 255, 256, 65535, 65536, 2**32, 2**64 - 1, -1, -24, -25, -257, True, False]
    samples += [
        "",
        "é" * 12,
        b"",
        b"x" * 256,
        [],
        [1, [b"x"]],
        {},
        {3: 1, -1: 2, 1: 3, "b": 4, "aa": 5, "a": 6, -300: 7},
    ]
    for sample in [*samples, samples]:
        assert cbor(sample) == fido2.cbor.encode(sample)
