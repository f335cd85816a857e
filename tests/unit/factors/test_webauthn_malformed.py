"""Answers of passkeys and security keys that no browser and no authenticator would give."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import cbor2
import pytest

from mfa_gate.exc import WrongAssertion
from mfa_gate.factors import cose
from mfa_gate.factors.webauthn import asserted_id, begin_authentication, complete_authentication, complete_registration
from mfa_gate.testing.software_key import SoftwareKey, Tampered, cbor, from_text, to_text
from tests.support.ceremonies import (
    EVERY,
    HANDLE,
    ORIGIN,
    RP,
    Answer,
    assertion,
    reason,
    refused_assertion,
    register,
    registration,
    tampered_answer,
)
from tests.support.malformed import (
    JUNK,
    NEVER_READ,
    NEVER_WRITTEN,
    changed_at,
    mutate,
    mutated,
    read_members,
    spellings,
    text_of,
)

MUTATED = int(os.environ.get("MFA_GATE_MUTATED", "34000"))  # of each kind
SEED = int(os.environ.get("MFA_GATE_SEED", "1"))
STEPS = 40_000  # ten times what such answers take, and nothing beside what it takes to follow them


def ceremonies(algorithm: int = -7) -> list[tuple[Answer, Callable[[Any], object]]]:
    """A good registration, signed by the key itself, and a good assertion, each with what completes it."""
    key = SoftwareKey(ORIGIN, algorithm=algorithm)
    first, registered = registration(key, EVERY, Tampered(format="packed"))
    credential = complete_registration(EVERY, first, registered).credential
    second, asserted = assertion(key, credential, EVERY)
    return [
        (registered, lambda answer: complete_registration(EVERY, first, answer)),
        (asserted, lambda answer: complete_authentication(EVERY, second, answer, credential, HANDLE)),
    ]


# --- malformed answers


def test_base64url_is_written_in_one_way() -> None:
    for answer, complete in ceremonies():
        complete(answer)
        for path in read_members(answer):
            for spelling in spellings(text_of(answer, path)):
                reason(complete, changed_at(answer, path, spelling))


CAPS = {
    "response.clientDataJSON": 4096,
    "response.attestationObject": 16_384,
    "response.authenticatorData": 4096,
    "response.signature": 8192,
    "response.userHandle": 64,
    "id": 1023,
}


def test_nothing_longer_than_its_cap_is_read() -> None:
    for answer, complete in ceremonies():
        for path in read_members(answer):
            for length in (CAPS[path] + 1, CAPS[path] * 100):
                word = reason(complete, changed_at(answer, path, to_text(bytes(length))))
                assert word in ("malformed", "user_handle", "credential_id")


def test_client_data_at_its_cap_is_read() -> None:
    key = SoftwareKey(ORIGIN)
    credential = register(key)
    options, challenge = begin_authentication(RP, [credential])
    length = len(from_text(key.assert_(options, Tampered(client_data={"x": ""}))["response"]["clientDataJSON"]))
    answer = key.assert_(options, Tampered(client_data={"x": "x" * (4096 - length)}))
    complete_authentication(RP, challenge, answer, credential, HANDLE)
    answer = key.assert_(options, Tampered(client_data={"x": "x" * (4097 - length)}))
    assert reason(complete_authentication, RP, challenge, answer, credential, HANDLE) == "malformed"


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: repr(junk())[:20] if junk is not JUNK[-1] else "deep")
def test_junk_in_any_place_is_a_refusal(junk: Callable[[], Any]) -> None:
    for answer, complete in ceremonies():
        reason(complete, junk())
        reason(asserted_id, junk())
        for path in ("id", "rawId", "type", "response"):
            reason(complete, {**answer, path: junk()})
        reason(complete, {**answer, "id": junk(), "rawId": junk()})
        for path in read_members(answer)[1:]:
            if path == "response.userHandle" and junk() is None:
                continue
            reason(complete, {**answer, "response": {**answer["response"], path.split(".")[1]: junk()}})


def test_a_missing_member_is_a_refusal() -> None:
    for answer, complete in ceremonies():
        for name in ("id", "rawId", "type", "response"):
            reason(complete, {key: value for key, value in answer.items() if key != name})
        for path in read_members(answer)[1:]:
            inner = {key: value for key, value in answer["response"].items() if f"response.{key}" != path}
            if path != "response.userHandle":
                reason(complete, {**answer, "response": inner})


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"5",
        b'"text"',
        b"{",
        b'{"type":"webauthn.get"',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"[" * 4000,
        b'{"a":' * 800,
        b"9" * 4096,
        b"-Infinity",
        b'{"type":"\\ud800"}',
    ],
    ids=lambda text: repr(text)[:24],
)
def test_client_data_that_is_no_object_is_a_refusal(text: bytes) -> None:
    for answer, complete in ceremonies():
        word = reason(complete, tampered_answer(answer, "response.clientDataJSON", to_text(text)))
        assert word in ("malformed", "type")


# --- CBOR


class Steps:
    """Counts the calls of functions: unlike seconds they are as many on any machine."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Steps:
        sys.setprofile(self._step)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _step(self, *_: object) -> None:
        self.count += 1


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the decoder, whose steps nobody sees, was given although it is no whole item; it is kept from it."""
    given, really, item_end = list[bytes](), cbor2.loads, cose.item_end

    def loads(raw: bytes, **how: Any) -> Any:
        try:
            whole = item_end(raw) == len(raw)
        except ValueError:
            whole = False
        if not whole:
            given.append(raw)
            raise ValueError("not a whole item")
        return really(raw, **how)

    monkeypatch.setattr(cbor2, "loads", loads)
    return given


@pytest.mark.parametrize("junk", [*NEVER_WRITTEN.values(), *NEVER_READ.values()], ids=[*NEVER_WRITTEN, *NEVER_READ])
def test_an_attestation_object_with_such_cbor_is_a_refusal_at_once(junk: bytes, followed: list[bytes]) -> None:
    challenge, answer = registration(SoftwareKey(ORIGIN))
    complete_registration(RP, challenge, answer)  # imports the library
    good = from_text(answer["response"]["attestationObject"])
    data = from_text(answer["response"]["authenticatorData"])
    made = {"fmt": "none", "attStmt": {}, "authData": data}
    assert cbor(made) == good
    whole = [junk, *(cbor({**made, name: "?"}).replace(b"\x61?", junk) for name in made)]
    whole += [cbor({**made, "authData": data[:-77] + junk}), b"\xa4" + good[1:] + b"\x61x" + junk]
    with Steps() as steps:
        for raw in whole:
            answer["response"]["attestationObject"] = to_text(raw)
            reason(complete_registration, RP, challenge, answer)
    assert steps.count < STEPS
    assert followed == []


@pytest.mark.parametrize("junk", NEVER_WRITTEN.values(), ids=NEVER_WRITTEN)
def test_authenticator_data_with_such_cbor_is_a_refusal_at_once(junk: bytes, followed: list[bytes]) -> None:
    key = SoftwareKey(ORIGIN)
    credential = register(key)
    with Steps() as steps:
        assert refused_assertion(key, credential, tampered=Tampered(flags_on=0x80, trailing=junk)) == "malformed"
    assert steps.count < STEPS
    assert followed == []


@pytest.mark.parametrize("junk", NEVER_WRITTEN.values(), ids=NEVER_WRITTEN)
def test_the_end_of_such_an_item_is_never_found(junk: bytes) -> None:
    with pytest.raises(ValueError, match="CBOR"):
        cose.item_end(junk)


@pytest.mark.parametrize("statement", ["", [], b"", 0, False, None, "text", ["sig"], b"sig"], ids=repr)
def test_an_attestation_statement_is_a_map(statement: Any) -> None:
    challenge, answer = registration(SoftwareKey(ORIGIN))
    made = {"fmt": "none", "attStmt": statement, "authData": from_text(answer["response"]["authenticatorData"])}
    answer["response"]["attestationObject"] = to_text(cbor(made))
    assert reason(complete_registration, RP, challenge, answer) == "malformed"


@pytest.mark.parametrize("length", [0, 1, 32, 33, 36])
def test_authenticator_data_is_never_shorter_than_its_fixed_part(length: int) -> None:
    with pytest.raises(ValueError, match="cut off"):
        cose.parse_authenticator_data(bytes(length))


def test_the_end_of_every_good_item_is_found() -> None:
    samples: list[Any] = [0, 23, 24, 255, 256, 65536, 2**32, 2**64 - 1, -1, -25, True, False, None]
    samples += [b"", b"x" * 300, "é" * 70, [], [1, [2]], {}, {"a": {"b": []}}]
    for sample in [*samples, samples]:
        raw = cbor(sample)
        assert cose.item_end(raw + b"rest") == len(raw)
        for cut in range(len(raw)):
            with pytest.raises(ValueError, match="CBOR"):
                cose.item_end(raw[:cut])


# --- mutations


def outcome(complete: Callable[[Any], object], answer: Answer) -> object:
    """What comes of it: the word of a refusal, or what was accepted."""
    try:
        return complete(answer)
    except WrongAssertion as refusal:
        return refusal.data["reason"]


WORDS = {
    "origin", "challenge", "type", "rp_id", "user_presence", "user_verification", "backup_flags", "cross_origin",
    "algorithm", "key", "attestation", "credential_id", "user_handle", "signature", "malformed",
}  # fmt: skip


@pytest.mark.parametrize("algorithm", [-7, -8, -257, -48])
def test_no_mutated_answer_is_accepted_and_none_raises_anything_else(algorithm: int) -> None:
    print(f"MFA_GATE_SEED={SEED} MFA_GATE_MUTATED={MUTATED}")
    chance = random.Random(f"{SEED} {algorithm}")
    for answer, complete in ceremonies(algorithm):
        assert not isinstance(outcome(complete, answer), str)
        for _ in range(MUTATED // 4):
            changed = mutated(chance, answer)
            if changed != answer:
                assert outcome(complete, changed) in WORDS, changed


def test_whatever_of_an_unsigned_registration_is_accepted_is_sound() -> None:
    """Without attestation nothing is signed, so a change may well pass; the credential must hold what is promised."""
    print(f"MFA_GATE_SEED={SEED} MFA_GATE_MUTATED={MUTATED}")
    chance = random.Random(f"{SEED} unsigned")
    for algorithm in (-7, -8, -257, -48):
        challenge, answer = registration(SoftwareKey(ORIGIN, algorithm=algorithm), EVERY)
        raw = from_text(answer["response"]["attestationObject"])
        for _ in range(MUTATED // 4):
            answer["response"]["attestationObject"] = to_text(mutate(chance, raw))
            found: Any = outcome(partial(complete_registration, EVERY, challenge), answer)
            if isinstance(found, str):
                assert found in WORDS, answer
                continue
            cose.check_key(found.credential.public_key)
            assert cose.algorithm_of(found.credential.public_key) in EVERY.algorithms
            assert to_text(found.credential.id) == answer["id"]
            assert found.credential.attested is False
