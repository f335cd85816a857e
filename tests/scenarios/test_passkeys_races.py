"""Races of passkeys and recovery codes: what is asked once is answered once, and the removal of rights wins."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mfa_gate.factors import recovery, webauthn
from mfa_gate.testing import enrol_key
from mfa_gate.testing.software_key import Tampered
from tests.support.passkeys import PLAIN, UNLIMITED, begin, challenges, complete, credentials, key_of, send, sign_in
from tests.support.portal import Browser, MakePortal, Portal
from tests.support.races import (
    CROWD,
    StartWorkers,
    end_sessions,
    forget,
    in_the_middle,
    issue_anew,
    lock,
    remove_authenticators,
    unlock,
    won,
)
from tests.support.workers import call

ROUNDS = 2


@pytest.fixture
def portal(make: MakePortal) -> Portal:
    return make(**PLAIN)


def elsewhere(browser: Browser, number: int = CROWD) -> list[Browser]:
    """The same cookie in many browsers, each at an address of its own."""
    return [browser.copy(f"198.51.100.{place}") for place in range(1, number + 1)]


# --- single use --------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A6")
@pytest.mark.parametrize(
    ("policy", "signed_in"), [pytest.param("default", False, marks=pytest.mark.world), ("none", False), ("none", True)]
)
def test_of_twenty_parallel_uses_of_one_challenge_exactly_one_succeeds(
    portal: Portal, start_workers: StartWorkers, policy: str, signed_in: bool
) -> None:
    """And only one is so much as looked at: the challenge is spent before the answer is read."""
    key = portal.key(counting=False)
    workers = start_workers(policy)
    for round_ in range(1, ROUNDS + 1):
        portal.clock.advance(3600)
        workers.set_clock()
        browser = portal.browser()
        browser.password()
        if signed_in:
            assert complete(browser, "verify", key).status_code == 200
        answer = key.assert_(begin(browser, "verify"))
        answers = workers.race([call(one, "webauthn/verify/complete", **answer) for one in elsewhere(browser)])
        assert len({answer.session for answer in won(answers)}) == 1, "the others lead on to what one has opened"
        assert workers.evaluated == round_
        assert challenges(portal) == []
        assert portal.events().count(("second_factor", "success", None)) == round_ * (1 + signed_in)


@pytest.mark.abuse("A6")
def test_of_twenty_parallel_completions_of_one_registration_exactly_one_enrols(
    portal: Portal, start_workers: StartWorkers
) -> None:
    workers = start_workers("none")
    for round_ in range(1, ROUNDS + 1):
        browser = portal.browser()
        browser.activate()
        answer = key_of().register(begin(browser, "enrol"))
        calls = [call(one, "webauthn/enrol/complete", **answer, label="Key") for one in elsewhere(browser)]
        answers = won(workers.race(calls))
        assert len({answer.session for answer in answers}) == 1
        assert [("recovery_codes" in answer.body) for answer in answers].count(True) == 1
        assert workers.evaluated == round_
        assert len(credentials(portal)) == 1
        assert len(portal.sql("SELECT id FROM mfa_authenticators")) == 1
        with portal.app.app_context():
            portal.gate.forget("anne")


@pytest.mark.abuse("A6")
def test_of_twenty_new_keys_in_one_activation_session_exactly_one_is_the_first(
    portal: Portal, start_workers: StartWorkers
) -> None:
    """The others were asked in a session that was elevated since, under an id that they do not know."""
    workers = start_workers("none")
    browser = portal.browser()
    browser.activate()
    browsers = elsewhere(browser, 8)
    registered = [key_of().register(begin(one, "enrol")) for one in browsers]
    calls = [call(one, "webauthn/enrol/complete", **answer) for one, answer in zip(browsers, registered, strict=True)]
    assert len(won(workers.race(calls))) == 1
    assert len(credentials(portal)) == 1


@pytest.mark.abuse("A6")
def test_of_one_credential_enrolled_for_two_people_at_once_one_has_it(
    portal: Portal, start_workers: StartWorkers
) -> None:
    """No challenge is shared here: the store's unique index decides."""
    workers = start_workers("none")
    for round_ in range(1, ROUNDS + 1):
        id_ = bytes([round_]) * 32
        calls = []
        for account in ("anne", "bob"):
            browser = portal.browser(f"198.51.100.{round_}")
            browser.activate(account)
            made = key_of().register(begin(browser, "enrol"), Tampered(credential_id=id_))
            calls.append(call(browser, "webauthn/enrol/complete", **made))
        answers = workers.race(calls)
        assert sorted(answer.status for answer in answers) == [200, 422], answers
        assert len(portal.sql("SELECT * FROM mfa_webauthn_credentials")) == 1
        with portal.app.app_context():
            for account in ("anne", "bob"):
                portal.gate.forget(account)


@pytest.mark.abuse("A6")
def test_of_twenty_parallel_uses_of_one_recovery_code_exactly_one_succeeds(
    make: MakePortal, start_workers: StartWorkers
) -> None:
    portal = make(limits=UNLIMITED)
    browser = portal.browser()
    browser.activate()
    codes = complete(browser, "enrol", key_of()).json["recovery_codes"]
    workers = start_workers("none")
    for spent, code in enumerate(codes[:ROUNDS], start=1):
        crowd = [portal.browser(f"198.51.100.{place}") for place in range(1, CROWD + 1)]
        for one in crowd:
            one.password()
        answers = workers.race([call(one, "recovery/verify", code=code) for one in crowd])
        assert len(won(answers)) == 1
        assert {answer.body["code"] for answer in answers if answer.status != 200} == {"wrong_code"}
        assert len(portal.sql("SELECT hash FROM mfa_recovery_codes")) == 10 - spent
        assert len(portal.sql("SELECT id_hash FROM mfa_sessions WHERE level = 2")) == spent


def test_of_twenty_challenges_asked_at_once_by_one_sign_in_no_more_than_eight_stay_open(
    portal: Portal, start_workers: StartWorkers
) -> None:
    portal.key()
    workers = start_workers("none")
    for _ in range(ROUNDS):
        browser = portal.browser()
        browser.password()
        answers = workers.race([call(one, "webauthn/verify/begin") for one in elsewhere(browser)])
        assert len(won(answers)) == CROWD
        assert len(challenges(portal)) <= 8
        browser.step("sign-out")


def test_of_two_keys_that_count_in_parallel_the_highest_count_stays(
    portal: Portal, start_workers: StartWorkers
) -> None:
    """Answers may come in any order; what is stored never falls."""
    key = portal.key()
    workers = start_workers("none")
    calls = []
    for place in range(1, 9):
        browser = portal.browser(f"198.51.100.{place}")
        browser.password()
        calls.append(call(browser, "webauthn/verify/complete", **key.assert_(begin(browser, "verify"))))
    assert len(won(workers.race(calls))) == 8
    assert credentials(portal)[0].sign_count == 8


# --- rights that are taken away meanwhile ------------------------------------------------------------------------


def nobody_is_inside(portal: Portal, browser: Browser) -> bool:
    assert portal.sql("SELECT id_hash FROM mfa_sessions WHERE level > 1") == []
    return browser.get("/").status_code != 200


@pytest.mark.abuse("A61")
@pytest.mark.parametrize("happens", [lock, forget, end_sessions, remove_authenticators])
def test_a_sign_in_by_key_does_not_complete_once_its_rights_are_gone(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Portal], None]
) -> None:
    key = portal.key()
    browser = portal.browser()
    browser.password()
    in_the_middle(monkeypatch, webauthn, "complete_authentication", happens, portal)
    assert complete(browser, "verify", key).status_code in (401, 403, 422)
    assert portal.opened == []
    assert nobody_is_inside(portal, browser)


@pytest.mark.abuse("A61")
@pytest.mark.parametrize("happens", [lock, forget, end_sessions])
def test_a_step_up_by_key_does_not_complete_once_its_rights_are_gone(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Portal], None]
) -> None:
    key = portal.key()
    browser = portal.browser()
    sign_in(browser, key)
    portal.clock.advance(900)
    in_the_middle(monkeypatch, webauthn, "complete_authentication", happens, portal)
    assert complete(browser, "verify", key).status_code in (401, 403)
    assert browser.get("/safe").status_code != 200
    assert nobody_is_inside(portal, browser)


@pytest.mark.abuse("A61")
def test_a_key_that_is_removed_during_a_step_up_steps_nobody_up(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = portal.key()
    browser = portal.browser()
    sign_in(browser, key)
    portal.clock.advance(900)
    in_the_middle(monkeypatch, webauthn, "complete_authentication", remove_authenticators, portal)
    assert complete(browser, "verify", key).status_code == 422
    assert portal.events()[-1] == ("second_factor", "failure", "removed")
    assert browser.get("/safe").status_code != 200


@pytest.mark.abuse("A61")
@pytest.mark.parametrize("happens", [lock, forget, end_sessions, issue_anew])
def test_an_enrolment_of_a_key_does_not_complete_once_its_rights_are_gone(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Portal], None]
) -> None:
    browser = portal.browser()
    browser.activate()
    in_the_middle(monkeypatch, webauthn, "complete_registration", happens, portal)
    assert complete(browser, "enrol", key_of()).status_code in (401, 403, 409)
    assert portal.opened == []
    assert portal.sql("SELECT id FROM mfa_authenticators") == []
    assert nobody_is_inside(portal, browser)


@pytest.mark.abuse("A61")
@pytest.mark.parametrize("happens", [lock, forget, end_sessions])
def test_a_sign_in_by_recovery_code_does_not_complete_once_its_rights_are_gone(
    make: MakePortal, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Portal], None]
) -> None:
    portal = make(limits=UNLIMITED)
    browser = portal.browser()
    browser.activate()
    code = complete(browser, "enrol", key_of()).json["recovery_codes"][0]
    browser.api("POST", "sign-out")
    portal.opened.clear()
    browser.password()
    in_the_middle(monkeypatch, recovery, "complete", happens, portal)
    assert browser.api("POST", "recovery/verify", {"code": code}).status_code in (401, 403, 422)
    assert portal.opened == []
    assert nobody_is_inside(portal, browser)


@pytest.mark.abuse("A61")
@pytest.mark.parametrize("happens", [lock, forget, end_sessions, remove_authenticators])
def test_what_is_taken_away_between_the_question_and_the_answer_is_away(
    portal: Portal, happens: Callable[[Portal], None]
) -> None:
    key = portal.key()
    browser = portal.browser()
    browser.password()
    answer, token = key.assert_(begin(browser, "verify")), browser.token
    happens(portal)
    sent = browser.api("POST", "webauthn/verify/complete", answer, headers={"X-MFA-CSRF": token})
    assert sent.status_code in (401, 403, 422)
    assert portal.opened == []
    assert nobody_is_inside(portal, browser)


@pytest.mark.abuse("A61")
def test_a_key_that_its_owner_removes_elsewhere_signs_nobody_in_who_was_asked_for_it_before(portal: Portal) -> None:
    lost, kept = portal.key(), key_of()
    owner, thief = portal.browser(), portal.browser("192.0.2.66")
    sign_in(owner, lost)
    complete(owner, "enrol", kept)
    (removed,) = (row for row in credentials(portal) if row.label == "test")
    portal.clock.advance(60)
    sign_in(owner, kept)
    thief.password()
    answer = lost.assert_(begin(thief, "verify"))
    assert owner.api("DELETE", f"authenticators/{removed.authenticator_id}").status_code == 200
    assert send(thief, "verify", answer).status_code == 422
    assert thief.state == "pending"
    assert owner.get("/").status_code == 200


@pytest.mark.abuse("A61")
def test_a_lock_beside_twenty_sign_ins_by_key_leaves_no_session(portal: Portal, start_workers: StartWorkers) -> None:
    """Truly parallel: no matter who was first: once both are done nobody is inside."""
    key = portal.key(counting=False)
    workers = start_workers("none")
    for _ in range(ROUNDS):
        calls = []
        for place in range(1, CROWD + 1):
            browser = portal.browser(f"198.51.100.{place}")
            browser.password()
            calls.append(call(browser, "webauthn/verify/complete", **key.assert_(begin(browser, "verify"))))
        answers = workers.race(calls, after=lambda: lock(portal))
        assert all(answer.status in (200, 401, 403) for answer in answers), answers
        assert portal.sql("SELECT id_hash FROM mfa_sessions") == []
        unlock(portal)


@pytest.mark.abuse("A61")
def test_a_lock_beside_the_enrolment_of_a_key_leaves_no_session(portal: Portal, start_workers: StartWorkers) -> None:
    workers = start_workers("none")
    for _ in range(ROUNDS):
        browser = portal.browser()
        browser.activate()
        made = key_of().register(begin(browser, "enrol"))
        enrolling = call(browser, "webauthn/enrol/complete", **made)
        workers.race([enrolling] * 2, after=lambda: lock(portal))
        assert portal.sql("SELECT id_hash FROM mfa_sessions") == []
        forget(portal)


def test_a_removal_beside_a_sign_in_by_the_same_key_leaves_no_session_of_it(
    portal: Portal, start_workers: StartWorkers
) -> None:
    workers = start_workers("none")
    for _ in range(ROUNDS):
        removed, kept = key_of(counting=False), key_of(counting=False)
        enrol_key(portal.app, portal.people["anne"], removed)
        gone = credentials(portal)[0].authenticator_id
        owner = portal.browser()
        sign_in(owner, removed)
        complete(owner, "enrol", kept)
        sign_in(owner, kept)
        calls = []
        for place in range(1, 9):
            browser = portal.browser(f"198.51.100.{place}")
            browser.password()
            calls.append(call(browser, "webauthn/verify/complete", **removed.assert_(begin(browser, "verify"))))
        workers.race(calls, after=lambda owner=owner, gone=gone: owner.api("DELETE", f"authenticators/{gone}"))
        assert [row.label for row in credentials(portal)] == ["Key"]
        proofs = [row.proofs for row in portal.sql("SELECT proofs FROM mfa_sessions")]
        assert not any(gone in proof for proof in proofs)
        forget(portal)
