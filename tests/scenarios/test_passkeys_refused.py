"""Answers of passkeys that must not pass: each sent for real, each refused in the same words, none lets anybody in."""

from __future__ import annotations

from typing import Any

import pytest

from mfa_gate.testing.software_key import (
    AT,
    BE,
    BS,
    UP,
    UV,
    SoftwareKey,
    StoredCredential,
    Tampered,
    cbor,
    from_text,
    new_private,
    to_text,
)
from mfa_gate.testing.software_maker import Maker
from tests.support.bad_keys import BAD_KEYS
from tests.support.ceremonies import tampered_answer
from tests.support.malformed import JUNK, NEVER_READ, NEVER_WRITTEN, changed_at, spellings
from tests.support.passkeys import PLAIN, STEPS, WAYS, Trial, answer_to, begin, complete, key_of
from tests.support.portal import BASE_URL, MakePortal, Portal

pytestmark = [pytest.mark.abuse("A28"), pytest.mark.parametrize("backend", ["sqlite"])]
EVERY = [-7, -8, -257, -48, -49, -50]


@pytest.fixture
def portal(make: MakePortal) -> Portal:
    return make(**PLAIN)


# --- at either ceremony ------------------------------------------------------------------------------------------

COMMON: list[tuple[str, str, Tampered]] = [
    ("challenge", "of zeros", Tampered(challenge=bytes(32))),
    ("challenge", "empty", Tampered(challenge=b"")),
    ("challenge", "null", Tampered(client_data={"challenge": None})),
    ("challenge", "a list", Tampered(client_data={"challenge": ["x"]})),
    ("type", "unknown", Tampered(type="webauthn.other")),
    ("type", "of a payment", Tampered(type="payment.get")),
    ("type", "null", Tampered(client_data={"type": None})),
    ("origin", "of the evil", Tampered(origin="https://evil.example")),
    ("origin", "http", Tampered(origin="http://portal.example")),
    ("origin", "another port", Tampered(origin="https://portal.example:444")),
    ("origin", "the usual port written out", Tampered(origin="https://portal.example:443")),
    ("origin", "with a slash", Tampered(origin="https://portal.example/")),
    ("origin", "in capitals", Tampered(origin="https://PORTAL.example")),
    ("origin", "a sub-domain", Tampered(origin="https://login.portal.example")),
    ("origin", "the domain above", Tampered(origin="https://example")),
    ("origin", "as a prefix", Tampered(origin="https://portal.example.evil.example")),
    ("origin", "as a suffix", Tampered(origin="https://evilportal.example")),
    ("origin", "with a user", Tampered(origin="https://portal.example@evil.example")),
    ("origin", "of an app", Tampered(origin="android:apk-key-hash:AAAA")),
    ("origin", "opaque", Tampered(client_data={"origin": "null"})),
    ("origin", "null", Tampered(client_data={"origin": None})),
    ("origin", "a list with the right one", Tampered(client_data={"origin": [BASE_URL]})),
    ("cross_origin", "true", Tampered(cross_origin=True)),
    ("cross_origin", "a text", Tampered(cross_origin="false")),
    ("cross_origin", "a number", Tampered(cross_origin=0)),
    ("cross_origin", "null", Tampered(client_data={"crossOrigin": None})),
    ("cross_origin", "a list", Tampered(cross_origin=[])),
    ("cross_origin", "top origin of another", Tampered(top_origin="https://news.example")),
    ("cross_origin", "top origin of the portal", Tampered(top_origin=BASE_URL)),
    ("cross_origin", "both", Tampered(cross_origin=True, top_origin="https://news.example")),
    ("cross_origin", "top origin null", Tampered(client_data={"topOrigin": None})),
    ("rp_id", "of the evil", Tampered(rp_id="evil.example")),
    ("rp_id", "of a sub-domain", Tampered(rp_id="login.portal.example")),
    ("rp_id", "the origin", Tampered(rp_id=BASE_URL)),
    ("user_presence", "none", Tampered(flags_off=UP)),
    ("user_presence", "verified without", Tampered(flags_off=UP, flags_on=UV)),
    ("backup_flags", "backed up but not eligible", Tampered(flags_on=BS)),
    ("credential_id", "another one outside", Tampered(outer_id=bytes(32))),
    ("credential_id", "none outside", Tampered(outer_id=b"")),
    ("credential_id", "1024 bytes outside", Tampered(outer_id=bytes(1024))),
    ("credential_id", "4000 bytes outside", Tampered(outer_id=bytes(4000))),
    ("malformed", "trailing bytes", Tampered(trailing=b"\0")),
    ("malformed", "extensions that are not there", Tampered(flags_on=0x80)),
]
WORDS = dict.fromkeys(word for word, _, _ in COMMON)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("word", WORDS)
def test_an_answer_with_one_fault_is_refused_like_any_other(portal: Portal, step: str, word: str) -> None:
    trial = Trial(portal, step)
    for about, what, tampered in COMMON:
        if about == word:
            assert trial.tampered(tampered) == word, what
    assert trial.passes()


@pytest.mark.parametrize("step", STEPS)
def test_a_page_refuses_an_answer_with_one_fault_in_one_sentence(portal: Portal, step: str) -> None:
    trial = Trial(portal, step)
    for word, tampered in {word: tampered for word, _, tampered in COMMON}.items():
        assert trial.tampered(tampered, "page") == word
    assert trial.passes()


@pytest.mark.parametrize("step", STEPS)
def test_whoever_is_signed_in_already_is_refused_the_same(portal: Portal, step: str) -> None:
    trial = Trial(portal, step, signed_in=True)
    for tampered in (
        Tampered(origin="https://evil.example"),
        Tampered(cross_origin=True),
        Tampered(flags_off=UP),
        Tampered(rp_id="evil.example"),
        Tampered(outer_id=bytes(32)),
    ):
        trial.tampered(tampered)
    assert trial.passes()


@pytest.mark.parametrize(("step", "kind"), [("enrol", "webauthn.get"), ("verify", "webauthn.create")])
def test_an_answer_of_the_other_ceremony_is_refused(portal: Portal, step: str, kind: str) -> None:
    trial = Trial(portal, step)
    assert trial.tampered(Tampered(type=kind)) == "type"
    assert trial.passes()


@pytest.mark.parametrize("step", STEPS)
def test_where_it_is_required_a_key_that_does_not_know_who_uses_it_is_refused(make: MakePortal, step: str) -> None:
    trial = Trial(make(**PLAIN, MFA_GATE_USER_VERIFICATION="required"), step)
    assert trial.tampered(Tampered(flags_off=UV)) == "user_verification"
    assert trial.passes()


# --- at an assertion ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_an_assertion_with_one_fault_is_refused_like_any_other(portal: Portal, way: str) -> None:
    trial = Trial(portal, "verify")
    for word, tampered in (
        ("signature", Tampered(bad_signature=True)),
        ("user_handle", Tampered(user_handle=bytes(32))),
        ("user_handle", Tampered(user_handle=b"anne")),
        ("user_handle", Tampered(user_handle=b"")),
        ("user_handle", Tampered(user_handle=bytes(65))),
        ("backup_flags", Tampered(flags_on=BE)),
        ("backup_flags", Tampered(flags_on=BE | BS)),
    ):
        assert trial.tampered(tampered, way) == word, tampered
    assert trial.passes()


def test_a_passkey_that_is_no_longer_eligible_for_backup_is_refused(portal: Portal) -> None:
    trial = Trial(portal, "verify", key_of(backup_eligible=True))
    for flags in (BE | BS, BE):
        assert trial.tampered(Tampered(flags_off=flags)) == "backup_flags", flags
    assert trial.passes()


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_a_signature_by_another_key_under_this_credential_is_refused(portal: Portal, algorithm: int) -> None:
    trial = Trial(portal, "verify", key_of(algorithm=algorithm))
    ((id_, stored),) = trial.key.credentials.items()
    options = begin(trial.browser, "verify")
    thief = key_of(algorithm=algorithm)
    thief.credentials[id_] = StoredCredential(
        new_private(algorithm, rsa_bits=3072), algorithm, stored.rp_id, stored.user_handle
    )
    assert trial.refused(thief.assert_(options)) == "signature"
    assert trial.passes()


def test_a_signature_by_another_key_of_the_same_person_does_not_serve_for_this_one(portal: Portal) -> None:
    trial = Trial(portal, "verify", signed_in=True)
    other = key_of()
    complete(trial.browser, "enrol", other)
    trial.before = trial.state()
    options = begin(trial.browser, "verify")
    named = next(iter(trial.key.credentials))
    assert trial.refused(other.assert_(options, Tampered(outer_id=named))) == "signature"


# --- at a registration -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_registration_with_one_fault_is_refused_like_any_other(portal: Portal, way: str) -> None:
    trial = Trial(portal, "enrol")
    for words, tampered in (
        ({"credential_id", "malformed"}, Tampered(credential_id=bytes(4000))),
        ({"credential_id", "malformed"}, Tampered(credential_id=bytes(1024))),
        ({"credential_id", "malformed"}, Tampered(credential_id=b"")),
        ({"credential_id", "malformed"}, Tampered(credential_id=bytes(4000), outer_id=bytes(32))),
        ({"malformed"}, Tampered(flags_off=AT)),
        ({"malformed"}, Tampered(trailing=cbor({}))),
        ({"attestation"}, Tampered(format="none", statement={"sig": b"x"})),
        ({"attestation"}, Tampered(format="packed", bad_signature=True)),
        ({"attestation"}, Tampered(format="packed", statement={})),
        (
            {"attestation"},
            Tampered(format="packed", statement={"alg": -7, "sig": bytes(70), "x5c": [b"no certificate"]}),
        ),
        ({"attestation"}, Tampered(format="packed", statement={"alg": -7, "sig": bytes(70), "x5c": "text"})),
        ({"attestation"}, Tampered(format="fido-u2f", statement={"sig": bytes(70), "x5c": [b"x"]})),
        ({"attestation"}, Tampered(format="tpm", statement={"ver": "2.0", "alg": -7, "x5c": [b"x"], "sig": b"x"})),
        ({"attestation"}, Tampered(format="android-key", statement={"alg": -7, "sig": b"x", "x5c": [b"x"]})),
        ({"attestation"}, Tampered(format="android-safetynet", statement={"ver": "1", "response": b"a.b.c"})),
        ({"attestation"}, Tampered(format="apple", statement={"x5c": [b"x"]})),
        ({"attestation"}, Tampered(format="<script>", statement={})),
    ):
        assert trial.tampered(tampered, way) in words, tampered
    assert trial.passes()


@pytest.mark.parametrize("algorithm", dict.fromkeys(algorithm for _, algorithm, _ in BAD_KEYS))
def test_a_public_key_that_is_not_well_formed_or_weak_is_not_enrolled(make: MakePortal, algorithm: int) -> None:
    """Off its curve, of small order, RSA of 1024 bits, ES256 on P-384, and each other way to be no good key."""
    trial = Trial(make(**PLAIN, MFA_GATE_ALGORITHMS=EVERY), "enrol", key_of(algorithm=algorithm))
    for what, of, bend in BAD_KEYS:
        if of == algorithm:
            assert trial.tampered(Tampered(cose=bend)) in ("key", "algorithm"), what


@pytest.mark.parametrize("how", [{"rsa_bits": 1024, "algorithm": -257}, {"curve": "P-384"}], ids=str)
def test_a_key_that_signs_well_with_a_weak_or_misfit_pair_is_not_enrolled(portal: Portal, how: dict[str, Any]) -> None:
    assert Trial(portal, "enrol", key_of(**how)).tampered(Tampered(client_data={"n": 1})) == "key"


@pytest.mark.parametrize("algorithm", [-48, -49, -50])
def test_a_key_of_an_algorithm_that_was_not_offered_is_not_enrolled(portal: Portal, algorithm: int) -> None:
    assert Trial(portal, "enrol", key_of(algorithm=algorithm)).tampered(Tampered(client_data={"n": 1})) == "algorithm"


@pytest.mark.parametrize("algorithm", [-8, -257])
def test_a_usual_algorithm_that_the_portal_has_left_out_is_not_enrolled(make: MakePortal, algorithm: int) -> None:
    trial = Trial(make(**PLAIN, MFA_GATE_ALGORITHMS=[-7]), "enrol", key_of(algorithm=algorithm))
    assert trial.tampered(Tampered(client_data={"n": 1})) == "algorithm"


@pytest.mark.parametrize("owner", ["anne", "bob"])
def test_a_credential_that_somebody_has_already_is_not_enrolled_again(portal: Portal, owner: str) -> None:
    if owner == "bob":
        known = portal.key("bob")
        trial = Trial(portal, "enrol")
    else:
        trial = Trial(portal, "verify", signed_in=True)
        known, trial.step, trial.key = trial.key, "enrol", key_of()
    assert trial.tampered(Tampered(credential_id=next(iter(known.credentials)))) == "credential_id"
    assert trial.passes()


@pytest.mark.parametrize("junks", [NEVER_WRITTEN, NEVER_READ], ids=["never written", "never read"])
def test_an_attestation_object_of_bad_cbor_is_refused(portal: Portal, junks: dict[str, bytes]) -> None:
    trial = Trial(portal, "enrol")
    good = answer_to("enrol", trial.key, begin(trial.browser, "enrol"))
    data = from_text(good["response"]["authenticatorData"])
    made = {"fmt": "none", "attStmt": {}, "authData": data}
    for what, junk in junks.items():
        whole = [junk, *(cbor({**made, name: "?"}).replace(b"\x61?", junk) for name in made)]
        for raw in [*whole, cbor({**made, "authData": data[:-77] + junk})]:
            answer = answer_to("enrol", trial.key, begin(trial.browser, "enrol"))
            trial.refused(tampered_answer(answer, "response.attestationObject", to_text(raw)), what=(what, raw))
    assert trial.passes()


def test_authenticator_data_with_bad_cbor_is_refused(portal: Portal) -> None:
    trial = Trial(portal, "verify")
    for what, junk in NEVER_WRITTEN.items():
        assert trial.tampered(Tampered(flags_on=0x80, trailing=junk)) == "malformed", what
    assert trial.passes()


@pytest.mark.parametrize(
    "maker", [Maker(), Maker(unit="Sales"), Maker(ca=True), Maker(country=None)], ids=["good", "unit", "ca", "country"]
)
def test_a_certificate_over_another_answer_is_refused(portal: Portal, maker: Maker) -> None:
    trial = Trial(portal, "enrol", SoftwareKey(BASE_URL, maker=maker))
    assert trial.tampered(Tampered(format="packed", bad_signature=True)) == "attestation"


# --- the wrapping ------------------------------------------------------------------------------------------------

MEMBERS = {
    "enrol": ("id", "response.clientDataJSON", "response.attestationObject"),
    "verify": (
        "id",
        "response.clientDataJSON",
        "response.authenticatorData",
        "response.signature",
        "response.userHandle",
    ),
}


@pytest.mark.parametrize(("step", "path"), [(step, path) for step in STEPS for path in MEMBERS[step]])
def test_each_member_is_written_in_one_way(portal: Portal, step: str, path: str) -> None:
    """Padding, blanks, line ends, other alphabets, spare bits: base64url has one spelling for some bytes."""
    trial = Trial(portal, step)
    outer, _, inner = path.partition(".")
    number = len(spellings("AAAA"))
    for place in range(number):
        answer = answer_to(step, trial.key, begin(trial.browser, step))
        good = answer[outer][inner] if inner else answer[outer]
        trial.refused(changed_at(answer, path, spellings(good)[place]))
    assert trial.passes()


@pytest.mark.parametrize(("step", "path"), [(step, path) for step in STEPS for path in MEMBERS[step]])
def test_each_member_is_a_text_and_there(portal: Portal, step: str, path: str) -> None:
    trial = Trial(portal, step)
    outer, _, inner = path.partition(".")
    for junk in JUNK[:-2]:
        value = junk()
        if isinstance(value, bytes) or (path == "response.userHandle" and value is None):
            continue
        answer = answer_to(step, trial.key, begin(trial.browser, step))
        trial.refused(changed_at(answer, path, value))
    answer = answer_to(step, trial.key, begin(trial.browser, step))
    if path != "response.userHandle":
        del (answer["response"] if inner else answer)[inner or outer]
        trial.refused(answer)
    assert trial.passes()


@pytest.mark.parametrize("step", STEPS)
def test_what_is_around_the_members_is_as_browsers_write_it(portal: Portal, step: str) -> None:
    trial = Trial(portal, step)
    for member in ("type", "rawId", "response"):
        for value in (None, "", "public-Key", "x", 5, [], {}, [{}]):
            answer = answer_to(step, trial.key, begin(trial.browser, step))
            trial.refused({**answer, member: value}, what=(member, value))
    assert trial.passes()


@pytest.mark.parametrize("step", STEPS)
def test_nothing_that_is_refused_is_told_apart_by_its_answer(portal: Portal, step: str) -> None:
    """One body, one set of headers, for every cause."""
    trial = Trial(portal, step)
    told = set()
    for _, _, tampered in COMMON:
        sent = complete(trial.browser, step, trial.key, tampered)
        told.add((sent.status_code, sent.text, tuple(sorted(sent.headers.items()))))
    assert len(told) == 1
