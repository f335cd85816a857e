"""Somebody else's authenticators, and yesterday's answers: what is B's proves nothing of A, what was used is spent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mfa_gate.testing import enrol_key
from mfa_gate.testing.software_key import SoftwareKey, Tampered, from_text, to_text
from tests.support.passkeys import (
    LENIENT,
    PLAIN,
    STEPS,
    UNLIMITED,
    WAYS,
    Answer,
    Options,
    answer_to,
    begin,
    complete,
    credentials,
    key_of,
    ready,
    refused,
    send,
    session_of,
    sign_in,
)
from tests.support.portal import Browser, MakePortal, Portal, hidden


@pytest.fixture
def portal(make: MakePortal) -> Portal:
    return make(**PLAIN)


# --- A29: an authenticator of another person ---------------------------------------------------------------------


class Two:
    """Anne and bob, each with a key of their own.

    Where `shared`, both have enrolled the same device, which keeps one credential for each.
    """

    def __init__(self, portal: Portal, shared: bool) -> None:
        self.portal = portal
        self.anne = portal.key("anne", discoverable=False)
        self.bob = self.anne if shared else key_of(discoverable=False)
        enrol_key(portal.app, portal.people["bob"], self.bob)
        (self.anne_id,), (self.bob_id,) = (
            [from_text(row.credential_id) for row in credentials(portal, account)] for account in ("anne", "bob")
        )

    def dresses(self) -> dict[str, Tampered]:
        """The ways in which bob's credential may be dressed as an answer to anne's question."""
        anne, bob = (self._handle(account) for account in ("anne", "bob"))
        return {
            "as it is": LENIENT,
            "with his handle": Tampered(user_handle=bob),
            "with her handle": Tampered(user_handle=anne),
            "under her id": Tampered(outer_id=self.anne_id),
            "under her id with her handle": Tampered(outer_id=self.anne_id, user_handle=anne),
            "under her id with his handle": Tampered(outer_id=self.anne_id, user_handle=bob),
        }

    def by_bob(self, browser: Browser, tampered: Tampered) -> Answer:
        """Ask in this browser of anne's, and let bob's credential answer."""
        return self.bob.assert_(_naming(begin(browser, "verify"), self.bob_id), tampered)

    def by_anne(self, browser: Browser) -> Answer:
        return self.anne.assert_(_naming(begin(browser, "verify"), self.anne_id))

    def _handle(self, account: str) -> bytes:
        ((handle,),) = self.portal.sql("SELECT user_handle FROM mfa_accounts WHERE id = :id", id=account)
        return from_text(handle)


def _naming(options: Options, credential: bytes) -> Options:
    return {**options, "allowCredentials": [{"type": "public-key", "id": to_text(credential)}]}


def at_sign_in(two: Two) -> Browser:
    browser = two.portal.browser()
    browser.password("anne")
    return browser


def at_step_up(two: Two) -> Browser:
    browser = two.portal.browser()
    assert sign_in(browser, two.anne).status_code == 200
    two.portal.clock.advance(900)
    assert browser.get("/safe").status_code == 303
    return browser


FLOWS: dict[str, Callable[[Two], Browser]] = {"sign-in": at_sign_in, "step-up": at_step_up}


@pytest.mark.abuse("A29")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shared", [False, True], ids=["his own key", "one key for both"])
@pytest.mark.parametrize("flow", FLOWS)
def test_a_key_of_another_person_passes_no_step(portal: Portal, flow: str, shared: bool, way: str) -> None:
    two = Two(portal, shared)
    browser = FLOWS[flow](two)
    before, opened = session_of(browser), list(portal.opened)
    for name, tampered in two.dresses().items():
        assert send(browser, "verify", two.by_bob(browser, tampered), way).status_code == 422, name
        assert session_of(browser) == before, name
    assert portal.opened == opened
    assert browser.get("/safe").status_code == 303
    assert send(browser, "verify", two.by_anne(browser), way).status_code < 400


@pytest.mark.abuse("A29")
@pytest.mark.parametrize("shared", [False, True], ids=["his own key", "one key for both"])
def test_an_answer_to_another_persons_question_passes_no_step_either(portal: Portal, shared: bool) -> None:
    """Bob's answer to bob's question, right in itself, sent in anne's session."""
    two = Two(portal, shared)
    anne, bob = at_sign_in(two), portal.browser()
    bob.password("bob")
    answer = two.bob.assert_(begin(bob, "verify"))
    begin(anne, "verify")
    assert refused(send(anne, "verify", answer), portal, "challenge")
    assert anne.state == "pending"
    assert send(bob, "verify", answer).status_code == 200


@pytest.mark.abuse("A29")
@pytest.mark.parametrize("change", ["remove", "rename", "add"])
def test_a_key_of_another_person_lets_nobody_change_authenticators(portal: Portal, change: str) -> None:
    """Whoever took anne's session over steps up by a key of his own, then changes hers: he does not get that far."""
    two = Two(portal, False)
    browser = at_step_up(two)
    complete(browser, "verify", two.anne)
    complete(browser, "enrol", key_of())
    portal.clock.advance(300)
    first = credentials(portal)[0].authenticator_id
    for name, tampered in two.dresses().items():
        assert refused(send(browser, "verify", two.by_bob(browser, tampered)), portal)
        if change == "remove":
            done = browser.api("DELETE", f"authenticators/{first}")
        elif change == "rename":
            done = browser.api("PATCH", f"authenticators/{first}", {"label": "mine now"})
        else:
            done = browser.api("POST", "webauthn/enrol/begin")
        assert (done.status_code, done.json.get("code")) == (401, "step_up_required"), name
    assert [row.label for row in credentials(portal)] == ["test", "Key"]


@pytest.mark.abuse("A29")
def test_a_removal_that_waits_for_a_proof_is_not_sent_on_by_the_key_of_another_person(portal: Portal) -> None:
    """On a page the change is kept, sealed, until the proof; a failed one keeps it, and nothing is removed."""
    two = Two(portal, False)
    browser = at_step_up(two)
    complete(browser, "verify", two.anne)
    complete(browser, "enrol", key_of())
    portal.clock.advance(300)
    mine = next(row.authenticator_id for row in credentials(portal) if row.label == "test")
    asked = browser.step("authenticators", action="remove", id=mine)
    assert asked.status_code == 401
    sealed = hidden(asked, "sealed_form")
    for name, tampered in two.dresses().items():
        answer = json.dumps(two.by_bob(browser, tampered))
        sent = browser.step("challenge", method="webauthn", answer=answer, sealed_form=sealed)
        assert sent.status_code == 422, name
        assert hidden(sent, "sealed_form") == sealed
    assert len(credentials(portal)) == 2
    proven = browser.step("challenge", method="webauthn", answer=json.dumps(two.by_anne(browser)), sealed_form=sealed)
    assert proven.status_code == 200
    assert f'value="{mine}"' in proven.text


@pytest.mark.abuse("A29")
def test_an_authenticator_of_another_person_is_neither_renamed_nor_removed(portal: Portal) -> None:
    two = Two(portal, False)
    browser = portal.browser()
    sign_in(browser, two.anne)
    (his,) = credentials(portal, "bob")
    assert browser.api("DELETE", f"authenticators/{his.authenticator_id}").status_code == 404
    assert browser.api("PATCH", f"authenticators/{his.authenticator_id}", {"label": "x"}).status_code == 404
    assert credentials(portal, "bob") == [his]


@pytest.mark.abuse("A29")
def test_a_credential_of_another_person_is_not_enrolled_for_this_one(portal: Portal, browser: Browser) -> None:
    bob = portal.key("bob")
    browser.activate("anne")
    made = Tampered(credential_id=next(iter(bob.credentials)))
    assert refused(complete(browser, "enrol", key_of(), made), portal, "credential_id")
    assert browser.state == "enrolling"
    assert credentials(portal) == []
    assert sign_in(portal.browser(), bob, "bob").status_code == 200


@pytest.mark.abuse("A29")
def test_a_registration_for_another_person_is_not_taken_for_this_one(portal: Portal) -> None:
    """Bob's answer to bob's question, sent while anne enrols: the key would be hers and his."""
    anne, bob = portal.browser(), portal.browser()
    anne.activate("anne")
    bob.activate("bob")
    begin(anne, "enrol")
    answer = key_of().register(begin(bob, "enrol"))
    assert refused(send(anne, "enrol", answer), portal, "challenge")
    assert credentials(portal) == []
    assert anne.state == "enrolling"


# --- A30: the age of a proof -------------------------------------------------------------------------------------


def everything(portal: Portal, account: str) -> dict[str, Any]:
    """A key, an app and recovery codes for an account, enrolled in one activation session."""
    browser, key = portal.browser(), key_of(discoverable=False)  # one that names no account in its answers
    browser.activate(account)
    codes = complete(browser, "enrol", key).json["recovery_codes"]
    begun = browser.begin_enrolment()
    assert browser.confirm(begun).status_code == 200
    browser.api("POST", "sign-out")
    return {"key": key, "secret": begun["secret"], "codes": codes}


@pytest.mark.abuse("A30", "A29")
@pytest.mark.parametrize("signed_in", [True, False], ids=["the age of a session", "a sign-in"])
@pytest.mark.parametrize("what", ["key", "secret", "codes"])
def test_nothing_of_another_person_refreshes_a_proof(make: MakePortal, what: str, signed_in: bool) -> None:
    portal = make(limits=UNLIMITED)
    anne, bob = everything(portal, "anne"), everything(portal, "bob")
    portal.clock.advance(60)
    browser = portal.browser()
    browser.password("anne")
    if signed_in:
        assert complete(browser, "verify", anne["key"]).status_code == 200
        portal.clock.advance(900)
    before = session_of(browser)
    if what == "key":
        options = begin(browser, "verify")
        answers = [
            ("webauthn/verify/complete", bob["key"].assert_(_naming(options, next(iter(bob["key"].credentials)))))
        ]
    elif what == "secret":
        answers = [("totp/verify", {"code": portal.code(bob["secret"])})]
    else:
        answers = [("recovery/verify", {"code": code}) for code in bob["codes"]]
    for path, body in answers:
        done = browser.api("POST", path, body)
        assert (done.status_code, done.json.get("code") in ("wrong_code", "wrong_assertion")) == (422, True)
    assert session_of(browser) == before
    assert browser.get("/bank").status_code == 303
    assert browser.get("/safe").status_code == 303
    # and what is hers does
    assert complete(browser, "verify", anne["key"]).status_code == 200
    assert browser.get("/safe").status_code == 200


# --- A31: answers of yesterday -----------------------------------------------------------------------------------


@pytest.mark.abuse("A31")
@pytest.mark.parametrize("way", WAYS)
def test_an_assertion_that_opened_once_opens_no_other_session(portal: Portal, way: str) -> None:
    key = portal.key(counting=False)
    first = portal.browser()
    first.password()
    answer = key.assert_(begin(first, "verify"))
    assert send(first, "verify", answer, way).status_code < 400
    for again in (first, portal.browser(), portal.browser("192.0.2.9")):
        again.password()
        begin(again, "verify")
        assert refused(send(again, "verify", answer, way), portal, "challenge")
        assert again.state == "pending"


@pytest.mark.abuse("A31")
@pytest.mark.parametrize("out", [False, True], ids=["signed in", "signed out"])
@pytest.mark.parametrize(("later", "address"), [(0, "198.51.100.66"), (61, None)], ids=["elsewhere", "later"])
def test_an_old_cookie_with_an_old_assertion_opens_nothing(
    portal: Portal, out: bool, later: float, address: str | None
) -> None:
    """What is kept in a cookie can be brought again; the question is kept in the store, and is gone."""
    key = portal.key(counting=False)
    browser = portal.browser()
    browser.password()
    answer = key.assert_(begin(browser, "verify"))
    old, token = browser.copy(address), browser.token
    assert send(browser, "verify", answer).status_code == 200
    if out:
        browser.step("sign-out")
    portal.clock.advance(later)
    done = old.api("POST", "webauthn/verify/complete", answer, headers={"X-MFA-CSRF": token})
    assert (done.status_code, done.json.get("code")) == (401, "sign_in_required")
    assert old.get("/").status_code == 303
    assert portal.opened == ["anne"]


@pytest.mark.abuse("A31")
@pytest.mark.parametrize("account", ["anne", "bob"])
def test_a_registration_that_was_used_enrols_nothing_more(portal: Portal, account: str) -> None:
    browser = portal.browser()
    browser.activate("anne")
    answer = key_of().register(begin(browser, "enrol"))
    assert send(browser, "enrol", answer).status_code == 200
    with portal.app.app_context():
        portal.gate.forget("anne")
    again = portal.browser()
    again.activate(account)
    begin(again, "enrol")
    assert refused(send(again, "enrol", answer), portal, "challenge", account)
    assert credentials(portal, account) == []
    assert again.state == "enrolling"


@pytest.mark.abuse("A31")
@pytest.mark.parametrize("step", STEPS)
def test_an_answer_is_not_good_again_by_wrapping_it_anew(portal: Portal, step: str) -> None:
    """The same signature over the same bytes, in another cover."""
    key: SoftwareKey = key_of(counting=False)
    browser = ready(portal, step, key)
    answer = answer_to(step, key, begin(browser, step))
    assert send(browser, step, answer).status_code == 200
    begin(browser, step)
    for changed in (
        {**answer, "authenticatorAttachment": "platform"},
        {**answer, "clientExtensionResults": {"x": 1}},
        {**answer, "response": {**answer["response"], "transports": []}},
    ):
        assert refused(send(browser, step, changed), portal, "challenge")
    assert len(credentials(portal)) == 1
