"""Keys: what the ring does by itself, and what happens to a portal whose keys are changed, lost or not its own."""

from __future__ import annotations

import ast
import base64
import json
import random
import re
from collections import Counter, defaultdict
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import mfa_gate
from mfa_gate.exc import ConfigurationError, SealBroken
from mfa_gate.keyring import Keyring, new_key
from tests.support.owners import enrol
from tests.support.portal import KEYS, Browser, MakePortal, Portal
from tests.support.readers import open_records

NEW = "new:" + "B" * 43
OTHER_KEY_SAME_ID = "test1:" + "C" * 43


@pytest.fixture
def ring() -> Keyring:
    return Keyring(f"{NEW},{KEYS}")


# --- the ring by itself ------------------------------------------------------------------------------------------


def test_a_new_key_has_256_random_bits_and_an_id() -> None:
    made = [new_key() for _ in range(20)]
    assert len(set(made)) == 20
    for text in made:
        key_id, _, key = text.partition(":")
        assert re.fullmatch(r"\d{8}[a-z]{2}", key_id)
        assert len(base64.urlsafe_b64decode(key + "=")) == 32
        assert Keyring(text).ids == (key_id,)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("", "empty"),
        (" , ,", "empty"),
        ("A" * 43, "no readable id"),
        (":" + "A" * 43, "no readable id"),
        ("a b:" + "A" * 43, "no readable id"),
        ("é:" + "A" * 43, "no readable id"),
        ("x" * 33 + ":" + "A" * 43, "no readable id"),
        ("a:", "not 32 bytes"),
        ("a:" + "A" * 42, "not 32 bytes|not base64url"),
        ("a:" + "A" * 22, "not 32 bytes"),
        ("a:" + "A" * 86, "not 32 bytes"),
        ("a:" + "A" * 42 + "!", "not base64url"),
        (f"{KEYS},{KEYS}", "stands twice"),
        (f"{KEYS},test1:" + "B" * 43, "stands twice"),
        (f"{KEYS},b:short", "not 32 bytes|not base64url"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_keys_that_cannot_be_used_are_refused_with_a_sentence_that_shows_none(text: str, about: str) -> None:
    with pytest.raises(ConfigurationError, match=about) as refused:
        Keyring(text)
    sentence = str(refused.value)
    assert "flask mfa keys new" in sentence
    for part in re.findall(r"[A-Za-z!/]{20,}", text):
        assert part not in sentence


def test_padding_and_spaces_around_keys_do_not_matter() -> None:
    assert Keyring(f"  {KEYS}=  ,\n {NEW} ").ids == ("test1", "new")


def test_what_is_sealed_opens_in_its_place_alone(ring: Keyring) -> None:
    sealed = ring.seal("seed", b"seed", "totp anne 1")
    assert ring.open("seed", sealed, "totp anne 1") == b"seed"
    for place in ("totp anne 2", "totp bob 1", "", "totp anne 1 "):
        with pytest.raises(SealBroken):
            ring.open("seed", sealed, place)


def test_the_same_thing_is_never_sealed_the_same_way_twice(ring: Keyring) -> None:
    assert len({ring.seal("seed", b"seed", "x") for _ in range(100)}) == 100


def test_altered_bytes_do_not_open_and_never_raise_anything_else(ring: Keyring) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    sealed = ring.seal("seed", b"a seed of twenty byte", "x")
    for _ in range(500):
        text = list(sealed)
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(text))
            text[place : place + rng.randint(0, 2)] = rng.choice(["", "A", "=", ".", "\0", "é", "\U0001f511", "-"])
        altered = "".join(text)
        try:
            opened = ring.open("seed", altered, "x")
        except SealBroken:
            continue
        # base64 has spare bits and padding that change nothing
        assert opened == b"a seed of twenty byte", altered


@pytest.mark.parametrize("sealed", ["", ".", "new", "new.", "new.AAAA", "gone." + "A" * 60, "test1.é", "new.A"])
def test_what_was_never_sealed_does_not_open(ring: Keyring, sealed: str) -> None:
    with pytest.raises(SealBroken):
        ring.open("seed", sealed, "x")


def test_sealed_and_hashed_values_name_their_key_and_an_older_key_still_reads_them(ring: Keyring) -> None:
    old = Keyring(KEYS)
    assert ring.open("seed", old.seal("seed", b"seed", "x"), "x") == b"seed"
    assert old.seal("seed", b"seed", "x").startswith("test1.")
    assert ring.seal("seed", b"seed", "x").startswith("new.")
    assert ring.hash("p", "v").startswith("new.")
    assert ring.hashes("p", "v") == [ring.hash("p", "v"), old.hash("p", "v")]
    assert ring.matches("p", "v", old.hash("p", "v"))
    assert not old.matches("p", "v", ring.hash("p", "v"))


def test_each_purpose_has_a_key_of_its_own(ring: Keyring) -> None:
    assert ring.hash("a", "v") != ring.hash("b", "v")
    assert not ring.matches("a", "v", ring.hash("b", "v"))
    assert ring.unsign("b", ring.sign("a", "v")) is None
    with pytest.raises(SealBroken):
        ring.open("b", ring.seal("a", b"v", "x"), "x")


@pytest.mark.abuse("A60")
@pytest.mark.parametrize("purpose", ["record", "key check", "target", "form", "anything"])
def test_nothing_opens_in_the_place_of_a_seed(ring: Keyring, purpose: str) -> None:
    with pytest.raises(SealBroken):
        ring.open("seed", ring.seal(purpose, b"v", "x"), "x")


@pytest.mark.parametrize(
    ("purpose", "opens"), [("record", True), ("key check", True), ("target", False), ("form", False)]
)
def test_what_a_store_holds_from_when_all_was_sealed_by_one_key_still_opens(
    ring: Keyring, purpose: str, opens: bool
) -> None:
    """A key once sealed everything; a page or a form that is on its way lives half an hour."""
    before = ring.seal("seed", b"v", "x")
    if opens:
        assert ring.open(purpose, before, "x") == b"v"
    else:
        with pytest.raises(SealBroken):
            ring.open(purpose, before, "x")


def test_what_is_signed_by_any_key_of_the_ring_is_read(ring: Keyring) -> None:
    old = Keyring(KEYS)
    assert ring.unsign("session", old.sign("session", "id")) == "id"
    assert ring.unsign("session", ring.sign("session", "id")) == "id"
    assert old.unsign("session", ring.sign("session", "id")) is None
    assert Keyring(OTHER_KEY_SAME_ID).unsign("session", old.sign("session", "id")) is None


@pytest.mark.parametrize("text", ["", ".", "id", "id.", ".sig", "id.sig", "é.é", "\0", "a" * 10_000, "id.\ud800"])
def test_anything_else_is_not_read_and_raises_nothing(ring: Keyring, text: str) -> None:
    assert ring.unsign("session", text) is None
    assert not ring.matches("p", "v", text)


def test_a_ring_shows_ids_and_no_key(ring: Keyring) -> None:
    assert repr(ring) == "<Keyring new, test1>"


# what is hidden or proven by one purpose in several rooms: the same thing, looked for again
IN_SEVERAL_ROOMS = {
    "hash address": {"audit", "reads"},
    "hash context": {"audit", "risk"},
}


def purposes() -> dict[str, set[str]]:
    """Each kind of key and its purpose -> the rooms that ask for it, as they stand in the source."""
    kinds = {"seal": "seal", "open": "seal", "sign": "sign", "unsign": "sign"}
    kinds |= dict.fromkeys(("hash", "hashes", "matches"), "hash")
    root = Path(mfa_gate.__file__).parent
    found: dict[str, set[str]] = defaultdict(set)
    for file in sorted(root.rglob("*.py")):
        where = file.relative_to(root).with_suffix("")
        if "keyring" not in file.read_text():
            continue
        module = import_module(".".join(["mfa_gate", *where.parts]).removesuffix(".__init__"))
        for call in (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)):
            function, *arguments = [call.func, *call.args]
            if ast.unparse(function) == "partial":
                function, *arguments = arguments
            asked = isinstance(function, ast.Attribute) and ast.unparse(function.value).endswith("keyring")
            if not asked or not isinstance(function, ast.Attribute) or function.attr not in kinds:
                continue
            (purpose, *_) = arguments
            named = getattr(module, purpose.id) if isinstance(purpose, ast.Name) else getattr(purpose, "value", None)
            if isinstance(named, str):  # else a class's own, which says what it adds to that of the chain
                found[f"{kinds[function.attr]} {named}"].add(where.parts[0])
    return found


def test_no_two_rooms_share_a_purpose() -> None:
    found = purposes()
    assert len(found) > 15
    assert {name: rooms for name, rooms in found.items() if len(rooms) > 1} == IN_SEVERAL_ROOMS


# --- a portal and its keys ---------------------------------------------------------------------------------------


@pytest.mark.abuse("A60")
def test_nothing_that_a_stranger_has_sealed_spends_of_the_key_of_the_seeds(
    portal: Portal, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = portal.enrolled()
    used: Counter[str] = Counter()
    seal = Keyring.seal

    def counted(self: Keyring, purpose: str, *values: Any) -> str:
        used[purpose] += 1
        return seal(self, purpose, *values)

    monkeypatch.setattr(Keyring, "seal", counted)
    for number in range(20):
        browser.get(f"/patients/{number}")
    browser.sign_in(secret)
    portal.clock.advance(660)
    assert 'name="sealed_form"' in browser.post("/bank", {"amount": "1"}).text
    assert used.keys() == {"target", "form"}


@pytest.mark.abuse("A60")
def test_a_store_from_when_all_was_sealed_by_one_key_goes_on(
    make: MakePortal, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_key = Keyring._cipher
    with monkeypatch.context() as before:
        before.setattr(Keyring, "_cipher", lambda self, key_id, purpose: one_key(self, key_id))
        portal.sql("DELETE FROM mfa_keys")  # it is entered anew
        old = open_records(make)
        browser, secret = old.browser(), old.enrolled()
        browser.sign_in(secret)
        assert browser.get("/records/42").text == "record 42"
    new = make(MFA_GATE_KEYS=f"{NEW},{KEYS}")
    report = new.app.test_cli_runner().invoke(args=["mfa", "report", "breach", "--account", "anne", "--json"])
    assert [one["record"] for one in json.loads(report.output)["notify"]] == ["42"]
    assert rotate(new) == '{"resealed": 1, "still_needed": ["test1"]}\n'
    old.clock.advance(30)
    assert new.browser().sign_in(secret).status_code == 303


@pytest.mark.abuse("A60")
def test_seeds_survive_a_new_secret_key_of_the_portal(make: MakePortal, portal: Portal) -> None:
    secret = portal.enrolled()
    rotated = make(SECRET_KEY="after the breach")
    assert rotated.browser().sign_in(secret).status_code == 303


@pytest.mark.abuse("A60")
@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (NEW, r"'test1'.*not in MFA_GATE_KEYS.*put it back"),
        (OTHER_KEY_SAME_ID, r"'test1' of MFA_GATE_KEYS does not open this store"),
        (f"{NEW},{OTHER_KEY_SAME_ID}", r"'test1' of MFA_GATE_KEYS does not open this store"),
        (KEYS[:-1], "32 bytes|base64url"),
        ("", "MFA_GATE_KEYS"),
        (None, "MFA_GATE_KEYS is not set.*flask mfa keys new"),
    ],
    ids=["lost", "another store's", "swapped", "shortened", "empty", "missing"],
)
def test_the_start_stops_on_keys_that_do_not_fit_and_says_why(
    make: MakePortal, portal: Portal, keys: str | None, says: str
) -> None:
    portal.enrolled()
    with pytest.raises(ConfigurationError, match=says) as stopped:
        make(MFA_GATE_KEYS=keys)
    assert not re.search("(A|B|C){20,}", str(stopped.value))
    assert make().browser().password().status_code == 303  # with its own keys it starts as before


@pytest.mark.abuse("A60")
def test_two_keys_whose_values_changed_places_stop_the_start(make: MakePortal, portal: Portal) -> None:
    make(MFA_GATE_KEYS=f"{NEW},{KEYS}")
    with pytest.raises(ConfigurationError, match="does not open this store"):
        make(MFA_GATE_KEYS="test1:" + "B" * 43 + ",new:" + "A" * 43)


def sessions(portal: Portal, secret: str) -> dict[str, Browser]:
    """One browser of each kind, as it is when the keys change."""
    made = {name: portal.browser() for name in ("signed in", "pending", "enrolling")}
    made["signed in"].sign_in(secret)
    made["pending"].password()
    made["enrolling"].activate("bob")
    return made


def moved(browser: Browser, portal: Portal) -> Browser:
    """The same browser, answered by another worker."""
    other = browser.copy()
    other.portal, other.client = portal, portal.app.test_client()
    other.client._cookies = dict(browser.client._cookies)  # type: ignore[attr-defined]
    return other


@pytest.mark.abuse("A60")
def test_after_a_new_first_key_cookies_seeds_and_open_codes_still_work(make: MakePortal, portal: Portal) -> None:
    secret = portal.enrolled()
    before = sessions(portal, secret)
    begun = before["enrolling"].begin_enrolment()
    portal.people["zoe"], portal.passwords["zoe"] = type(portal.people["anne"])("zoe", "Zoë"), "pw"
    open_code = portal.activation_code("zoe")
    token = before["pending"].token

    rotated = make(MFA_GATE_KEYS=f"{NEW},{KEYS}")
    rotated.people, rotated.passwords = portal.people, portal.passwords
    assert moved(before["signed in"], rotated).get("/").text == "home of anne"
    portal.clock.advance(30)
    pending = moved(before["pending"], rotated)
    answer = pending.api("POST", "totp/verify", json={"code": portal.code(secret)}, headers={"X-MFA-CSRF": token})
    assert answer.status_code == 200
    enrolling = moved(before["enrolling"], rotated)
    assert enrolling.confirm(begun).status_code == 200
    zoe = rotated.browser()
    zoe.password("zoe")
    assert zoe.api("POST", "activation/verify", json={"code": open_code}).status_code == 200
    assert rotated.sql("SELECT id FROM mfa_keys ORDER BY id") == [("new",), ("test1",)]


def rotate(portal: Portal) -> Any:
    done = portal.app.test_cli_runner().invoke(args=["mfa", "keys", "rotate", "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.output)
    assert document["log_broken"] is None
    return json.dumps({name: document[name] for name in ("resealed", "still_needed")}) + "\n"


@pytest.mark.abuse("A60")
def test_once_rotated_the_old_key_may_go_and_not_before(make: MakePortal, portal: Portal) -> None:
    secrets = {name: portal.enrolled(name) for name in ("anne", "bob")}
    both = make(MFA_GATE_KEYS=f"{NEW},{KEYS}")
    with pytest.raises(ConfigurationError, match="put it back"):
        make(MFA_GATE_KEYS=NEW)
    portal.clock.advance(30)
    assert (
        both.browser().sign_in(secrets["anne"]).status_code == 303
    )  # a step spent under the new key, its seed under the old
    assert rotate(both) == '{"resealed": 2, "still_needed": []}\n'
    assert rotate(both) == '{"resealed": 0, "still_needed": []}\n'
    alone = make(MFA_GATE_KEYS=NEW)
    for name, secret in secrets.items():
        portal.clock.advance(30)
        assert alone.browser().sign_in(secret, name).status_code == 303
    assert alone.app.test_cli_runner().invoke(args=["mfa", "check"]).exit_code == 0


def test_a_rotation_counts_apps_and_security_keys_together(make: MakePortal, portal: Portal) -> None:
    enrol(portal, "app", "key")
    portal.key("bob")
    both = make(MFA_GATE_KEYS=f"{NEW},{KEYS}")
    assert rotate(both) == '{"resealed": 3, "still_needed": []}\n'


@pytest.mark.abuse("A60")
def test_a_seed_that_comes_after_ones_that_are_sealed_anew_is_not_forgotten(make: MakePortal, portal: Portal) -> None:
    for name in ("anne", "bob"):
        portal.enrolled(name)
    *_, last = portal.sql("SELECT authenticator_id, seed, spent FROM mfa_totp_seeds ORDER BY authenticator_id")
    both = make(MFA_GATE_KEYS=f"{NEW},{KEYS}")
    assert rotate(both) == '{"resealed": 2, "still_needed": []}\n'
    again = "UPDATE mfa_totp_seeds SET seed = :seed, spent = :spent WHERE authenticator_id = :id"
    portal.sql(again, id=last.authenticator_id, seed=last.seed, spent=last.spent)
    assert rotate(both) == '{"resealed": 1, "still_needed": []}\n'


@pytest.mark.abuse("A60")
@pytest.mark.parametrize("open_thing", ["activation code", "begun enrolment"])
def test_the_old_key_stays_as_long_as_something_open_needs_it(
    make: MakePortal, portal: Portal, open_thing: str
) -> None:
    if open_thing == "activation code":
        portal.activation_code("bob")
    else:
        browser = portal.browser()
        browser.activate("bob")
        browser.begin_enrolment()
        portal.sql("DELETE FROM mfa_activations")
    both = make(MFA_GATE_KEYS=f"{NEW},{KEYS}")
    assert rotate(both) == '{"resealed": 0, "still_needed": ["test1"]}\n'
    with pytest.raises(ConfigurationError, match="put it back"):
        make(MFA_GATE_KEYS=NEW)


@pytest.mark.abuse("A60")
def test_what_has_ended_does_not_keep_the_old_key_for_ever(make: MakePortal, portal: Portal) -> None:
    """An activation code that nobody redeemed, an enrolment that was left: past their end they need no key."""
    portal.activation_code("anne")
    browser = portal.browser()
    browser.activate("bob")
    browser.begin_enrolment()
    portal.clock.advance(86_400 * 40)
    both = make(MFA_GATE_KEYS=f"{NEW},{KEYS}")
    assert rotate(both) == '{"resealed": 0, "still_needed": []}\n'
    make(MFA_GATE_KEYS=NEW)


@pytest.mark.abuse("A60")
def test_a_rotation_that_is_taken_back_leaves_every_seed_whole(make: MakePortal, portal: Portal) -> None:
    """A new key first, people sign in, the old one first again and the new one out: nobody is locked out."""
    secret = portal.enrolled()
    forward = make(MFA_GATE_KEYS=f"{NEW},{KEYS}")
    portal.clock.advance(30)
    assert forward.browser().sign_in(secret).status_code == 303
    back = make(MFA_GATE_KEYS=f"{KEYS},{NEW}")
    rotate(back)
    alone = make(MFA_GATE_KEYS=KEYS)
    portal.clock.advance(30)
    assert alone.browser().sign_in(secret).status_code == 303


def test_a_seed_that_does_not_open_stops_the_rotation_and_nothing_is_changed(make: MakePortal, portal: Portal) -> None:
    portal.enrolled("anne")
    portal.enrolled("bob")
    portal.sql(
        "UPDATE mfa_totp_seeds SET last_step = last_step - 1 WHERE authenticator_id = "
        "(SELECT MAX(id) FROM mfa_authenticators)"
    )
    both = make(MFA_GATE_KEYS=f"{NEW},{KEYS}")
    before = both.sql("SELECT * FROM mfa_totp_seeds ORDER BY authenticator_id")
    done = both.app.test_cli_runner().invoke(args=["mfa", "keys", "rotate"])
    assert done.exit_code == 2
    assert "flask mfa check" in done.output
    assert both.sql("SELECT * FROM mfa_totp_seeds ORDER BY authenticator_id") == before


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_wrong_database_url_shows_no_password(make: MakePortal) -> None:
    url = "postgresql+psycopg://gate:hunter2@db.example/gate?" + "&".join(f"option{n}=value" for n in range(50))
    for wrong in (url + "\n", "mysql://gate:hunter2@db.example/gate", "post gres://gate:hunter2@x/y"):
        with pytest.raises(ConfigurationError) as stopped:
            make(MFA_GATE_DATABASE_URL=wrong)
        assert "hunter2" not in str(stopped.value)
