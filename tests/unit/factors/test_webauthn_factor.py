"""Passkeys and security keys, the factor by itself: what it asks for, what it accepts, and what it must not."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from webauthn import verify_authentication_response
from webauthn.helpers import parse_authentication_options_json, parse_registration_options_json

from mfa_gate.exc import ConfigurationError, NoMethod
from mfa_gate.factors.webauthn import (
    Credential,
    RelyingParty,
    asserted_id,
    begin_authentication,
    begin_registration,
    complete_authentication,
    complete_registration,
)
from mfa_gate.testing.software_key import UNTAMPERED, SoftwareKey, Tampered, cbor, cose_key, from_text, to_text
from mfa_gate.testing.software_maker import AAGUID
from tests.support.ceremonies import (
    EVERY,
    HANDLE,
    ORIGIN,
    RP,
    assertion,
    reason,
    refused_assertion,
    refused_registration,
    register,
    registration,
    tampered_answer,
)

# --- what is asked for


def test_the_options_for_a_registration_are_those_of_the_standard() -> None:
    rp = dataclasses.replace(RP, hints=("security-key",), user_verification="required")
    credential = register(SoftwareKey(ORIGIN, transports=("usb", "nfc")))
    options, challenge = begin_registration(rp, HANDLE, "anne@portal.example", "Anne", [credential])
    assert len(challenge) == 32
    assert options == {
        "rp": {"id": "portal.example", "name": "Portal"},
        "user": {"id": to_text(HANDLE), "name": "anne@portal.example", "displayName": "Anne"},
        "challenge": to_text(challenge),
        "pubKeyCredParams": [{"type": "public-key", "alg": number} for number in (-7, -8, -257)],
        "timeout": 300_000,
        "excludeCredentials": [{"type": "public-key", "id": to_text(credential.id), "transports": ["usb", "nfc"]}],
        "authenticatorSelection": {
            "residentKey": "preferred",
            "requireResidentKey": False,
            "userVerification": "required",
        },
        "hints": ["security-key"],
        "attestation": "none",
        "extensions": {"credProps": True},
    }
    assert parse_registration_options_json(options).challenge == challenge


def test_the_options_for_an_assertion_are_those_of_the_standard() -> None:
    credentials = [register(SoftwareKey(ORIGIN)), register(SoftwareKey(ORIGIN, transports=()))]
    options, challenge = begin_authentication(RP, credentials)
    assert len(challenge) == 32
    assert options == {
        "challenge": to_text(challenge),
        "timeout": 300_000,
        "rpId": "portal.example",
        "allowCredentials": [
            {"type": "public-key", "id": to_text(credentials[0].id), "transports": ["usb"]},
            {"type": "public-key", "id": to_text(credentials[1].id)},
        ],
        "userVerification": "preferred",
        "hints": [],
        "extensions": {},
    }
    assert parse_authentication_options_json(options).challenge == challenge


def test_every_challenge_is_fresh() -> None:
    credential = register(SoftwareKey(ORIGIN))
    drawn = [begin_registration(RP, HANDLE, "anne", "Anne", ())[1] for _ in range(50)]
    drawn += [begin_authentication(RP, [credential])[1] for _ in range(50)]
    assert len(set(drawn)) == 100


def test_nothing_is_asked_where_no_credential_belongs_to_this_rp_id() -> None:
    elsewhere = dataclasses.replace(register(SoftwareKey(ORIGIN)), rp_id="old.example")
    for credentials in ([], [elsewhere]):
        with pytest.raises(NoMethod):
            begin_authentication(RP, credentials)


@pytest.mark.parametrize("handle", [b"\1", bytes(64)])
def test_the_shortest_and_the_longest_user_handle_are_taken(handle: bytes) -> None:
    assert begin_registration(RP, handle, "anne", "Anne", ())[0]["user"]["id"] == to_text(handle)


@pytest.mark.parametrize("handle", [b"", bytes(65)])
def test_a_user_handle_has_1_to_64_bytes(handle: bytes) -> None:
    with pytest.raises(ValueError, match="64"):
        begin_registration(RP, handle, "anne", "Anne", ())


def test_the_library_is_not_imported_with_the_factor() -> None:
    program = "import sys, mfa_gate.factors.webauthn; sys.exit('webauthn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


# --- what is accepted


@pytest.mark.parametrize("algorithm", EVERY.algorithms)
def test_a_key_of_every_algorithm_registers_and_asserts(algorithm: int) -> None:
    key = SoftwareKey(ORIGIN, algorithm=algorithm)
    challenge, answer = registration(key, EVERY)
    registered = complete_registration(EVERY, challenge, answer)
    credential = registered.credential
    assert registered.discoverable is True
    assert credential == Credential(
        id=from_text(answer["id"]),
        public_key=cbor(cose_key(key.credentials[from_text(answer["id"])].private.public_key(), algorithm)),
        sign_count=0,
        aaguid=str(UUID(bytes=AAGUID)),
        rp_id="portal.example",
        transports=("usb",),
        backup_eligible=False,
        backed_up=False,
        uv_initialised=True,
        attested=False,
    )
    challenge, answer = assertion(key, credential, EVERY)
    assert asserted_id(answer) == credential.id
    asserted = complete_authentication(EVERY, challenge, answer, credential, HANDLE)
    assert dataclasses.astuple(asserted) == (1, True, False, True)


@pytest.mark.parametrize("algorithm", EVERY.algorithms)
def test_what_is_accepted_the_whole_ceremony_of_the_library_accepts_too(algorithm: int) -> None:
    key = SoftwareKey(ORIGIN, algorithm=algorithm)
    credential = register(key, EVERY)
    challenge, answer = assertion(key, credential, EVERY)
    complete_authentication(EVERY, challenge, answer, credential, HANDLE)
    verified = verify_authentication_response(
        credential=answer,
        expected_challenge=challenge,
        expected_rp_id="portal.example",
        expected_origin=ORIGIN,
        credential_public_key=credential.public_key,
        credential_current_sign_count=0,
        require_user_verification=True,
    )
    assert (verified.credential_id, verified.new_sign_count) == (credential.id, 1)


@pytest.mark.parametrize("origin", RP.origins)
def test_each_listed_origin_serves(origin: str) -> None:
    key = SoftwareKey(origin)
    credential = register(key)
    challenge, answer = assertion(key, credential)
    complete_authentication(RP, challenge, answer, credential, HANDLE)


def test_a_key_that_vouches_for_itself_registers_unasked() -> None:
    assert register(SoftwareKey(ORIGIN), tampered=Tampered(format="packed")).attested is False


def test_an_answer_without_user_handle_serves() -> None:
    key = SoftwareKey(ORIGIN, discoverable=False)
    credential = register(key)
    challenge, answer = assertion(key, credential)
    assert "userHandle" not in answer["response"]
    complete_authentication(RP, challenge, answer, credential, HANDLE)
    complete_authentication(RP, challenge, tampered_answer(answer, "response.userHandle", None), credential, HANDLE)


def test_extra_members_of_the_client_data_do_no_harm() -> None:
    greased = Tampered(client_data={"other_keys_can_be_added_here": "do not compare clientDataJSON against a template"})
    key = SoftwareKey(ORIGIN)
    credential = register(key, tampered=greased)
    challenge, answer = assertion(key, credential, tampered=greased)
    complete_authentication(RP, challenge, answer, credential, HANDLE)


def test_a_browser_that_says_nothing_of_frames_is_in_none() -> None:
    """Older ones leave the member out; nothing is signed over it where nobody attests."""
    challenge, answer = registration(SoftwareKey(ORIGIN))
    said = json.loads(from_text(answer["response"]["clientDataJSON"]))
    del said["crossOrigin"]
    older = tampered_answer(answer, "response.clientDataJSON", to_text(json.dumps(said).encode()))
    assert complete_registration(RP, challenge, older).credential.id


def test_extensions_of_the_authenticator_data_do_no_harm() -> None:
    extended = Tampered(flags_on=0x80, trailing=cbor({"credProtect": 2, "hmac-secret": True}))
    key = SoftwareKey(ORIGIN)
    credential = register(key)
    challenge, answer = assertion(key, credential, tampered=extended)
    complete_authentication(RP, challenge, answer, credential, HANDLE)


@pytest.mark.parametrize("verified", [True, False])
def test_whether_the_authenticator_told_who_used_it_is_told(verified: bool) -> None:
    key = SoftwareKey(ORIGIN, user_verified=verified)
    credential = register(key)
    assert credential.uv_initialised is verified
    challenge, answer = assertion(key, credential)
    assert complete_authentication(RP, challenge, answer, credential, HANDLE).user_verified is verified


@pytest.mark.parametrize(("eligible", "backed_up"), [(False, False), (True, False), (True, True)])
def test_backup_flags_are_told(eligible: bool, backed_up: bool) -> None:
    key = SoftwareKey(ORIGIN, backup_eligible=eligible, backed_up=backed_up)
    credential = register(key)
    assert (credential.backup_eligible, credential.backed_up) == (eligible, backed_up)
    challenge, answer = assertion(key, credential)
    assert complete_authentication(RP, challenge, answer, credential, HANDLE).backed_up is backed_up


def test_the_state_of_the_backup_may_change() -> None:
    key = SoftwareKey(ORIGIN, backup_eligible=True)
    credential = register(key)
    key.backed_up = True
    challenge, answer = assertion(key, credential)
    assert complete_authentication(RP, challenge, answer, credential, HANDLE).backed_up is True


@pytest.mark.parametrize(
    ("stored", "given", "counted"),
    [
        (0, 0, False),
        (0, 1, True),
        (4, 5, True),
        (5, 5, True),
        (5, 4, True),
        (5, 0, True),
        (1, 0, True),
        (2**32 - 1, 1, True),
        (0, 0x01020304, True),
    ],
)
def test_a_count_is_told_and_never_refused(stored: int, given: int, counted: bool) -> None:
    key = SoftwareKey(ORIGIN)
    credential = dataclasses.replace(register(key), sign_count=stored)
    challenge, answer = assertion(key, credential, tampered=Tampered(count=given))
    asserted = complete_authentication(RP, challenge, answer, credential, HANDLE)
    assert (asserted.sign_count, asserted.counted) == (given, counted)


def test_a_copied_key_shows_by_its_count() -> None:
    key = SoftwareKey(ORIGIN)
    credential = register(key)
    other = key.clone()
    told = []
    for used in (key, key, other):
        challenge, answer = assertion(used, credential)
        asserted = complete_authentication(RP, challenge, answer, credential, HANDLE)
        told.append(asserted.counted and asserted.sign_count <= credential.sign_count)
        credential = dataclasses.replace(credential, sign_count=max(credential.sign_count, asserted.sign_count))
    assert told == [False, False, True]


@pytest.mark.parametrize(
    ("results", "told"),
    [
        ({"credProps": {"rk": True}}, True),
        ({"credProps": {"rk": False}}, False),
        ({"credProps": {}}, None),
        ({"credProps": {"rk": 1}}, None),
        ({"credProps": []}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_whether_the_key_keeps_the_credential_is_a_hint(results: Any, told: bool | None) -> None:
    challenge, answer = registration(SoftwareKey(ORIGIN))
    answer["clientExtensionResults"] = results
    assert complete_registration(RP, challenge, answer).discoverable is told


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["usb", "nfc", "usb"], ("usb", "nfc")),
        (["hybrid", "smart-card", "quantum"], ("hybrid", "smart-card", "quantum")),
        (["usb", 5, None, ["nfc"], "<b>", "é", "", "u" * 33], ("usb",)),
        ([f"t{number}" for number in range(100)], tuple(f"t{number}" for number in range(8))),
        ("usb", ()),
        (None, ()),
        ({"usb": 1}, ()),
    ],
)
def test_transports_are_hints(given: Any, kept: tuple[str, ...]) -> None:
    challenge, answer = registration(SoftwareKey(ORIGIN))
    answer["response"]["transports"] = given
    assert complete_registration(RP, challenge, answer).credential.transports == kept


# --- what is refused, at either ceremony

COMMON = [
    ("challenge", Tampered(challenge=bytes(32))),
    ("challenge", Tampered(challenge=b"")),
    ("challenge", Tampered(client_data={"challenge": None})),
    ("challenge", Tampered(client_data={"challenge": ["x"]})),
    ("type", Tampered(type="webauthn.other")),
    ("type", Tampered(type="payment.get")),
    ("type", Tampered(client_data={"type": None})),
    ("origin", Tampered(origin="https://portal.example")),
    ("origin", Tampered(origin="http://login.portal.example")),
    ("origin", Tampered(origin="https://login.portal.example:444")),
    ("origin", Tampered(origin="https://login.portal.example/")),
    ("origin", Tampered(origin="https://LOGIN.portal.example")),
    ("origin", Tampered(origin="https://evil.login.portal.example")),
    ("origin", Tampered(origin="https://login.portal.example.evil.example")),
    ("origin", Tampered(client_data={"origin": [ORIGIN]})),
    ("origin", Tampered(client_data={"origin": None})),
    ("cross_origin", Tampered(cross_origin=True)),
    ("cross_origin", Tampered(cross_origin="false")),
    ("cross_origin", Tampered(cross_origin=0)),
    ("cross_origin", Tampered(client_data={"crossOrigin": None})),
    ("cross_origin", Tampered(top_origin="https://news.example")),
    ("cross_origin", Tampered(top_origin=ORIGIN)),
    ("cross_origin", Tampered(cross_origin=True, top_origin="https://news.example")),
    ("cross_origin", Tampered(client_data={"topOrigin": None})),
    ("rp_id", Tampered(rp_id="login.portal.example")),
    ("rp_id", Tampered(rp_id="evil.example")),
    ("user_presence", Tampered(flags_off=0x01)),
    ("backup_flags", Tampered(flags_on=0x10)),
    ("credential_id", Tampered(outer_id=bytes(32))),
    ("credential_id", Tampered(outer_id=b"")),
    ("credential_id", Tampered(outer_id=bytes(1024))),
    ("malformed", Tampered(trailing=b"\0")),
    ("malformed", Tampered(flags_on=0x80)),
]
NAMES = [f"{word}-{number}" for number, (word, _) in enumerate(COMMON)]


@pytest.mark.parametrize(("word", "tampered"), COMMON, ids=NAMES)
def test_a_bent_registration_is_refused(word: str, tampered: Tampered) -> None:
    assert refused_registration(SoftwareKey(ORIGIN), tampered=tampered) == word


@pytest.mark.parametrize(("word", "tampered"), COMMON, ids=NAMES)
def test_a_bent_assertion_is_refused(word: str, tampered: Tampered) -> None:
    key = SoftwareKey(ORIGIN)
    assert refused_assertion(key, register(key), tampered=tampered) == word


def test_an_answer_to_one_ceremony_does_not_serve_the_other() -> None:
    key = SoftwareKey(ORIGIN)
    assert refused_registration(key, tampered=Tampered(type="webauthn.get")) == "type"
    assert refused_assertion(key, register(key), tampered=Tampered(type="webauthn.create")) == "type"


def test_without_a_challenge_nothing_is_accepted() -> None:
    key = SoftwareKey(ORIGIN)
    _, answer = registration(key, tampered=Tampered(challenge=b""))
    assert reason(complete_registration, RP, b"", answer) == "challenge"
    credential = register(key)
    _, answer = assertion(key, credential, tampered=Tampered(challenge=b""))
    assert reason(complete_authentication, RP, b"", answer, credential, HANDLE) == "challenge"


def test_where_it_is_required_the_authenticator_must_tell_who_uses_it() -> None:
    strict = dataclasses.replace(RP, user_verification="required")
    key = SoftwareKey(ORIGIN)
    credential = register(key, strict)
    silent = Tampered(flags_off=0x04)
    assert refused_registration(key, strict, silent) == "user_verification"
    assert refused_assertion(key, credential, strict, silent) == "user_verification"
    challenge, answer = assertion(key, credential, strict)
    assert complete_authentication(strict, challenge, answer, credential, HANDLE).user_verified


def test_frames_of_other_sites_serve_only_where_they_are_listed() -> None:
    framed = dataclasses.replace(RP, allow_cross_origin=True, top_origins=("https://Hub.example:443/",))
    key = SoftwareKey(ORIGIN)
    listed = Tampered(cross_origin=True, top_origin="https://hub.example")
    credential = register(key, framed, listed)
    for good in (listed, Tampered(cross_origin=True), UNTAMPERED):
        challenge, answer = assertion(key, credential, framed, good)
        complete_authentication(framed, challenge, answer, credential, HANDLE)
    for bad in (
        Tampered(cross_origin=True, top_origin="https://news.example"),
        Tampered(cross_origin=False, top_origin="https://hub.example"),
        Tampered(cross_origin=True, client_data={"topOrigin": ["https://hub.example"]}),
        Tampered(cross_origin=1, top_origin="https://hub.example"),
    ):
        assert refused_assertion(key, credential, framed, bad) == "cross_origin"
        assert refused_registration(key, framed, bad) == "cross_origin"


# --- what is refused at an assertion


def test_another_key_of_the_account_does_not_sign_for_this_one() -> None:
    key, other = SoftwareKey(ORIGIN), SoftwareKey(ORIGIN)
    credential, second = register(key), register(other)
    assert refused_assertion(other, second, tampered=Tampered(outer_id=credential.id)) == "credential_id"
    challenge, answer = assertion(other, second, tampered=Tampered(outer_id=credential.id))
    assert reason(complete_authentication, RP, challenge, answer, credential, HANDLE) == "signature"


@pytest.mark.parametrize("algorithm", EVERY.algorithms)
def test_a_bad_signature_is_refused(algorithm: int) -> None:
    key = SoftwareKey(ORIGIN, algorithm=algorithm)
    credential = register(key, EVERY)
    assert refused_assertion(key, credential, EVERY, Tampered(bad_signature=True)) == "signature"
    for signature in (b"", b"\0", bytes(64), b"\x30\x06\x02\x01\x00\x02\x01\x00", b"\xff" * 8192):
        challenge, answer = assertion(key, credential, EVERY)
        answer["response"]["signature"] = to_text(signature)
        assert reason(complete_authentication, EVERY, challenge, answer, credential, HANDLE) == "signature"


@pytest.mark.parametrize("handle", [b"", HANDLE[:-1], HANDLE + b"\0", bytes(32), bytes(65)])
def test_a_foreign_user_handle_is_refused(handle: bytes) -> None:
    key = SoftwareKey(ORIGIN)
    assert refused_assertion(key, register(key), tampered=Tampered(user_handle=handle)) == "user_handle"


def test_a_key_that_may_be_copied_all_at_once_is_refused() -> None:
    key = SoftwareKey(ORIGIN)
    credential = register(key)
    assert refused_assertion(key, credential, tampered=Tampered(flags_on=0x08)) == "backup_flags"
    assert refused_assertion(key, credential, tampered=Tampered(flags_on=0x18)) == "backup_flags"
    synced = SoftwareKey(ORIGIN, backup_eligible=True, backed_up=True)
    assert refused_assertion(synced, register(synced), tampered=Tampered(flags_off=0x18)) == "backup_flags"


def test_a_credential_of_another_rp_id_is_refused() -> None:
    key = SoftwareKey(ORIGIN)
    credential = register(key)
    challenge, answer = assertion(key, credential)
    moved = dataclasses.replace(credential, rp_id="login.portal.example")
    assert reason(complete_authentication, RP, challenge, answer, moved, HANDLE) == "rp_id"


@pytest.mark.parametrize("key", [b"", b"\0", b"\x04", cbor({1: 2, 3: -7}), b"\xff" * 77])
def test_a_broken_row_is_a_refusal(key: bytes) -> None:
    software = SoftwareKey(ORIGIN)
    credential = register(software)
    challenge, answer = assertion(software, credential)
    broken = dataclasses.replace(credential, public_key=key)
    assert reason(complete_authentication, RP, challenge, answer, broken, HANDLE) == "signature"


# --- the relying party


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://Portal.Example", "https://portal.example"),
        ("HTTPS://portal.example/", "https://portal.example"),
        ("https://portal.example:443", "https://portal.example"),
        ("https://portal.example:8443/", "https://portal.example:8443"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("http://localhost:80", "http://localhost"),
        ("http://app.localhost:5000", "http://app.localhost:5000"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_an_origin_is_kept_as_browsers_write_it(given: str, kept: str) -> None:
    assert RelyingParty("portal.example", "Portal", (given,)).origins == (kept,)
    assert RelyingParty("portal.example", "Portal", [given]).origins == (kept,)  # type: ignore[arg-type]
    assert RelyingParty("portal.example", "Portal", {given}).origins == (kept,)  # type: ignore[arg-type]


def test_every_hint_of_the_standard_may_be_given_and_all_at_once() -> None:
    hints = ("security-key", "client-device", "hybrid")
    assert dataclasses.replace(RP, hints=hints).hints == hints


@pytest.mark.parametrize(
    "wrong",
    [
        {"origins": ()},
        {"origins": "https://portal.example"},
        {"origins": ("portal.example",)},
        {"origins": ("https://",)},
        {"origins": ("https://portal.example/login",)},
        {"origins": ("https://portal.example?x",)},
        {"origins": ("https://portal.example#x",)},
        {"origins": ("https://a@portal.example",)},
        {"origins": ("https://portal.example:port",)},
        {"origins": ("https://[portal.example",)},
        {"origins": ("https://pörtal.example",)},
        {"origins": ("http://portal.example",)},
        {"origins": ("ftp://portal.example",)},
        {"origins": (None,)},
        {"origins": (5,)},
        {"id": ""},
        {"id": "https://portal.example"},
        {"id": "Portal.example"},
        {"id": "portal.example:8443"},
        {"id": "pörtal.example"},
        {"user_verification": "always"},
        {"algorithms": ()},
        {"algorithms": (-7, -65535)},
        {"hints": ("phone",)},
        {"top_origins": ("https://hub.example",)},
        {"top_origins": "https://hub.example", "allow_cross_origin": True},
    ],
    ids=str,
)
def test_a_relying_party_that_cannot_work_stops_the_start(wrong: Mapping[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        dataclasses.replace(RP, **wrong)
