"""New passkeys and security keys: the keys that are not stored, and the makers that are not trusted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest

from mfa_gate.exc import ConfigurationError
from mfa_gate.factors.webauthn import (
    AttestationPolicy,
    RelyingParty,
    begin_registration,
    complete_authentication,
    complete_registration,
)
from mfa_gate.testing.software_key import SoftwareKey, Tampered, cbor, to_text
from mfa_gate.testing.software_maker import AAGUID, Maker
from tests.support.bad_keys import BAD_KEYS, member
from tests.support.ceremonies import (
    EVERY,
    HANDLE,
    ORIGIN,
    RP,
    assertion,
    reason,
    refused_registration,
    register,
    registration,
)

# --- what is refused at a registration


@pytest.mark.parametrize(("algorithm", "bend"), [bad[1:] for bad in BAD_KEYS], ids=[bad[0] for bad in BAD_KEYS])
def test_a_key_that_is_not_well_formed_or_weak_is_refused(algorithm: int, bend: Callable[[Any], Any]) -> None:
    word = refused_registration(SoftwareKey(ORIGIN, algorithm=algorithm), EVERY, Tampered(cose=bend))
    assert word in ("key", "algorithm")


@pytest.mark.parametrize(
    ("algorithm", "bend"),
    [
        (-7, member(-1, 2)),
        (-7, member(-1, 8)),
        (-7, member(1, 1)),
        (-8, member(-1, 4)),
        (-8, member(1, 2)),
        (-48, member(1, 1)),
    ],
)
def test_the_shape_of_a_key_is_not_left_to_the_library(
    algorithm: int, bend: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webauthn.helpers.decoded_public_key_to_cryptography", lambda key: key)
    assert refused_registration(SoftwareKey(ORIGIN, algorithm=algorithm), EVERY, Tampered(cose=bend)) == "key"


@pytest.mark.parametrize("number", [-8, -35, -36, -37, -47, -65535, 0, 7, 2**63])
def test_an_algorithm_that_was_not_offered_is_refused(number: int) -> None:
    narrow = dataclasses.replace(RP, algorithms=(-7,))
    assert refused_registration(SoftwareKey(ORIGIN), narrow, Tampered(cose=member(3, number))) == "algorithm"


def test_a_sound_key_of_an_algorithm_that_was_not_offered_is_refused() -> None:
    for algorithm in (-48, -49, -50):
        assert (
            refused_registration(SoftwareKey(ORIGIN, algorithm=algorithm), RP, Tampered(format="none")) == "algorithm"
        )


def test_an_id_of_1023_bytes_is_the_longest() -> None:
    key = SoftwareKey(ORIGIN)
    credential = register(key, tampered=Tampered(credential_id=bytes(1023)))
    challenge, answer = assertion(key, credential)
    complete_authentication(RP, challenge, answer, credential, HANDLE)
    for length in (0, 1024, 4000):
        assert refused_registration(key, tampered=Tampered(credential_id=bytes(length))) in (
            "credential_id",
            "malformed",
        )
        named = Tampered(credential_id=bytes(length), outer_id=bytes(32))
        assert refused_registration(key, tampered=named) in ("credential_id", "malformed")


def test_without_a_new_credential_there_is_no_registration() -> None:
    assert refused_registration(SoftwareKey(ORIGIN), tampered=Tampered(flags_off=0x40)) == "malformed"
    challenge, answer = registration(SoftwareKey(ORIGIN))
    bare = sha256(b"portal.example").digest() + b"\x05" + bytes(4)
    made = {"fmt": "none", "attStmt": {}, "authData": bare}
    answer["response"]["attestationObject"] = to_text(cbor(made))
    assert reason(complete_registration, RP, challenge, answer) == "malformed"


@pytest.mark.parametrize(
    "tampered",
    [
        Tampered(format="none", statement={"sig": b"x"}),
        Tampered(format="none", statement={"anything": 1}),
        Tampered(format="packed", statement={}),
        Tampered(format="packed", statement={"alg": -7}),
        Tampered(format="packed", statement={"alg": -7, "sig": b""}),
        Tampered(format="packed", statement={"alg": -7, "sig": "text"}),
        Tampered(format="packed", statement={"alg": -7, "sig": bytes(70), "x5c": [b"not a certificate"]}),
        Tampered(format="packed", statement={"alg": -7, "sig": bytes(70), "x5c": "text"}),
        Tampered(format="packed", statement={"alg": -7, "sig": bytes(70), "x5c": {"0": b""}}),
        Tampered(format="packed", bad_signature=True),
        Tampered(format="fido-u2f", statement={"sig": bytes(70), "x5c": [b"x"]}),
        Tampered(
            format="tpm",
            statement={"ver": "2.0", "alg": -7, "x5c": [b"x"], "sig": b"x", "certInfo": b"x", "pubArea": b"x"},
        ),
        Tampered(format="android-key", statement={"alg": -7, "sig": b"x", "x5c": [b"x"]}),
        Tampered(format="android-safetynet", statement={"ver": "1", "response": b"a.b.c"}),
        Tampered(format="apple", statement={"x5c": [b"x"]}),
        Tampered(format="compound", statement={}),
        Tampered(format="Packed", statement={}),
    ],
    ids=str,
)
def test_an_attestation_that_does_not_hold_is_refused_even_unasked(tampered: Tampered) -> None:
    assert refused_registration(SoftwareKey(ORIGIN), tampered=tampered) == "attestation"


# --- attestation, where it is asked for


def trusting(maker: Maker, aaguids: frozenset[str] | None = None) -> RelyingParty:
    return dataclasses.replace(RP, attestation=AttestationPolicy({"packed": (maker.root,)}, aaguids))


def test_a_key_of_a_trusted_maker_is_attested() -> None:
    maker = Maker()
    for models in (None, frozenset({str(UUID(bytes=AAGUID)).upper()})):
        rp = trusting(maker, models)
        options, _ = begin_registration(rp, HANDLE, "anne", "Anne", ())
        assert options["attestation"] == "direct"
        assert register(SoftwareKey(ORIGIN, maker=maker), rp).attested is True


def test_a_certificate_need_not_name_the_model() -> None:
    maker = Maker(extension=None)
    assert register(SoftwareKey(ORIGIN, maker=maker), trusting(maker)).attested is True


@pytest.mark.parametrize(
    "maker",
    [
        Maker(unit="Made-up Department"),
        Maker(ca=True),
        Maker(extension=bytes(16)),
        Maker(critical=True),
        Maker(country=None),
    ],
    ids=["unit", "may issue others", "another model", "critical model", "no country"],
)
def test_a_certificate_that_breaks_the_rules_of_the_format_is_refused(maker: Maker) -> None:
    key = SoftwareKey(ORIGIN, maker=maker)
    assert refused_registration(key, trusting(maker)) == "attestation"
    # the library by itself lets each of them pass
    assert register(key, tampered=Tampered(format="packed")).attested is False


@pytest.mark.parametrize(
    "tampered", [Tampered(format="none", statement={}), Tampered(format="packed")], ids=["none", "self"]
)
def test_a_key_that_nobody_vouches_for_is_refused(tampered: Tampered) -> None:
    assert refused_registration(SoftwareKey(ORIGIN), trusting(Maker()), tampered) == "attestation"


def test_an_unknown_maker_is_refused() -> None:
    assert refused_registration(SoftwareKey(ORIGIN, maker=Maker()), trusting(Maker())) == "attestation"


def test_a_model_that_is_not_listed_is_refused() -> None:
    maker = Maker()
    rp = trusting(maker, frozenset({"00000000-0000-0000-0000-000000000001"}))
    assert refused_registration(SoftwareKey(ORIGIN, maker=maker), rp) == "attestation"


def test_another_model_under_the_certificate_is_refused() -> None:
    maker = Maker()
    assert refused_registration(SoftwareKey(ORIGIN, maker=maker, aaguid=bytes(16)), trusting(maker)) == "attestation"


def test_a_format_without_roots_is_refused() -> None:
    maker = Maker()
    rp = dataclasses.replace(RP, attestation=AttestationPolicy({"tpm": (maker.root,)}))
    assert refused_registration(SoftwareKey(ORIGIN, maker=maker), rp) == "attestation"


def test_a_bad_signature_of_a_trusted_maker_is_refused() -> None:
    maker = Maker()
    assert (
        refused_registration(
            SoftwareKey(ORIGIN, maker=maker), trusting(maker), Tampered(bad_signature=True, format="packed")
        )
        == "attestation"
    )


@pytest.mark.parametrize(
    ("roots", "aaguids"),
    [
        ({}, None),
        ({"packed": ()}, None),
        ({"pakced": (Maker().root,)}, None),
        ({"packed": (b"not a certificate",)}, None),
        ({"packed": ("text",)}, None),
        ({"packed": (Maker().root * 2,)}, None),
        ({"packed": (Maker().root,)}, frozenset({"not-a-model"})),
        ({"packed": (Maker().root,)}, frozenset({5})),
    ],
)
def test_an_attestation_policy_that_cannot_work_stops_the_start(roots: Any, aaguids: Any) -> None:
    with pytest.raises(ConfigurationError):
        AttestationPolicy(roots, aaguids)
