"""Races: what is single-use is used once, limits hold, and a lock wins, over two real worker processes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mfa_gate.factors import totp
from mfa_gate.keyring import Keyring
from mfa_gate.testing import totp_code
from tests.support.portal import KEYS, MakePortal, Portal
from tests.support.postgres import WAITS_FOR_A_LOCK
from tests.support.races import (
    CROWD,
    StartWorkers,
    client_at_login,
    crowd,
    end_sessions,
    forget,
    in_the_middle,
    issue_anew,
    lock,
    remove_authenticators,
    reset,
    unlock,
    won,
)
from tests.support.waiting import until
from tests.support.workers import Call, Workers, call

ROUNDS = 4


# --- single use --------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A6")
@pytest.mark.parametrize("policy", ["none", pytest.param("default", marks=pytest.mark.world)])
def test_of_twenty_parallel_uses_of_one_totp_code_exactly_one_succeeds(
    portal: Portal, start_workers: StartWorkers, policy: str
) -> None:
    """With the limiter in front, and without it, so that all twenty reach the step to be spent."""
    secret = portal.enrolled()
    workers = start_workers(policy)
    for _ in range(ROUNDS):
        portal.clock.advance(86_400)
        workers.set_clock()
        before = workers.evaluated
        code = portal.code(secret)
        answers = workers.race([call(browser, "totp/verify", code=code) for browser in crowd(portal)])
        assert len(won(answers)) == 1
        assert policy == "default" or workers.evaluated - before == CROWD
        assert len(portal.sql("SELECT id_hash FROM mfa_sessions WHERE level = 2")) == 1


@pytest.mark.abuse("A6")
@pytest.mark.abuse("A68")
def test_of_twenty_parallel_uses_of_one_totp_code_in_one_session_one_spends_it_and_all_lead_to_one_session(
    portal: Portal, start_workers: StartWorkers
) -> None:
    """A double click, twenty times over, in a step-up and in a sign-in."""
    secret = portal.enrolled()
    workers = start_workers("none")
    for signed_in in (False, True):
        portal.clock.advance(300)
        workers.set_clock()
        browser = client_at_login(portal, "anne", 1)
        if signed_in:
            browser.step("challenge", code=portal.code(secret))
            portal.clock.advance(300)
            workers.set_clock()
        before = len(portal.events())
        answers = workers.race([call(browser, "totp/verify", code=portal.code(secret))] * CROWD)
        (led_to,) = {answer.session for answer in won(answers)}
        assert led_to is not None
        assert {answer.status for answer in answers} <= {200, 429}, "at most braked, while one was on its way"
        proofs = [event for event in portal.events()[before:] if event[0] == "second_factor"]
        assert proofs == [("second_factor", "success", None)]


@pytest.mark.abuse("A6")
def test_of_twenty_parallel_uses_of_one_activation_code_exactly_one_succeeds(
    portal: Portal, start_workers: StartWorkers
) -> None:
    workers = start_workers()
    for _ in range(ROUNDS):
        code = portal.activation_code()
        browsers = crowd(portal)
        answers = workers.race([call(browser, "activation/verify", code=code) for browser in browsers])
        assert len(won(answers)) == 1
        (winner,) = won(answers)
        assert {answer.body["code"] for answer in answers if answer.status != 200} == {"wrong_activation_code"}
        (cookie,) = (value for name, value in winner.cookies.items() if name.startswith("__Host-mfa"))
        browsers[answers.index(winner)].gate_cookie = cookie
        assert [browser.state for browser in browsers].count("enrolling") == 1
        portal.clock.advance(3601)
        workers.set_clock()


@pytest.mark.abuse("A6")
def test_of_twenty_parallel_confirmations_of_one_enrolment_exactly_one_enrols(
    portal: Portal, start_workers: StartWorkers
) -> None:
    workers = start_workers("none")
    for _ in range(ROUNDS):
        browser = portal.browser()
        browser.activate()
        begun = browser.begin_enrolment()
        confirming = call(
            browser, "totp/enrol/complete", enrolment=begun["enrolment"], code=portal.code(begun["secret"])
        )
        answers = won(workers.race([confirming] * CROWD))
        assert len({answer.session for answer in answers}) == 1
        assert [("recovery_codes" in answer.body) for answer in answers].count(True) == 1
        assert portal.events().count(("authenticator_added", "success", None)) == 1
        assert len(portal.sql("SELECT id FROM mfa_authenticators")) == 1
        with portal.app.app_context():
            portal.gate.forget("anne")


def test_of_twenty_enrolments_begun_at_once_in_one_session_one_can_be_confirmed(
    portal: Portal, start_workers: StartWorkers
) -> None:
    workers = start_workers("none")
    browser = portal.browser()
    browser.activate()
    answers = workers.race([call(browser, "totp/enrol/begin")] * CROWD)
    assert len(won(answers)) == CROWD
    assert len(portal.sql("SELECT id FROM mfa_enrolments")) == 1
    confirmed = [
        workers.send(
            call(
                browser,
                "totp/enrol/complete",
                enrolment=answer.body["enrolment"],
                code=totp_code(answer.body["secret"], portal.clock()),
            )
        ).status
        for answer in answers
    ]
    assert confirmed.count(200) == 1


def test_twenty_codes_issued_at_once_leave_one_that_is_live(portal: Portal) -> None:
    codes: list[str] = []

    def issue() -> None:
        codes.append(portal.activation_code())

    threads = [threading.Thread(target=issue) for _ in range(CROWD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(portal.sql("SELECT id FROM mfa_activations")) == 1
    tried = [
        browser.api("POST", "activation/verify", json={"code": code}).status_code
        for browser, code in zip(crowd(portal), codes, strict=True)
    ]
    assert sorted(tried) == [200] + [422] * (CROWD - 1)


# --- limits ------------------------------------------------------------------------------------------------------


def wrong_code(portal: Portal, secret: str) -> str:
    near = {totp_code(secret, portal.clock() + 30 * step) for step in range(-2, 3)}
    return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555") if code not in near)


@pytest.mark.abuse("A15")
@pytest.mark.parametrize(("policy", "limit"), [("five", 5), pytest.param("default", 3, marks=pytest.mark.world)])
def test_fifty_parallel_guesses_never_evaluate_more_than_the_limit(
    portal: Portal, start_workers: StartWorkers, policy: str, limit: int
) -> None:
    """Five of a day under a rule of five; under the rules as they are, the three that cost no wait."""
    secret = portal.enrolled()
    workers = start_workers(policy)
    for round_ in range(1, ROUNDS):
        portal.clock.advance(86_400)
        workers.set_clock()
        guess = wrong_code(portal, secret)
        answers = workers.race([call(browser, "totp/verify", code=guess) for browser in crowd(portal, number=50)])
        assert sorted({answer.status for answer in answers}) == [422, 429]
        assert [answer.status for answer in answers].count(422) == limit if round_ == 1 else True
        assert workers.evaluated <= limit * round_
    assert workers.evaluated >= limit


@pytest.mark.abuse("A15")
def test_parallel_guesses_of_one_source_never_exceed_its_hour(portal: Portal, start_workers: StartWorkers) -> None:
    """Ninety wrong activation codes at one moment, each in a session of its own, all from one address."""
    browsers = [portal.browser(f"198.51.100.{number // 5}") for number in range(90)]
    for account, there in (("anne", browsers[::2]), ("bob", browsers[1::2])):
        portal.activation_code(account)
        for browser in there:
            browser.password(account)
    for browser in browsers:
        browser.address = "198.51.100.1"
    workers = start_workers()
    answers = workers.race([call(browser, "activation/verify", code="0000-0000-0000-0000") for browser in browsers])
    assert [answer.status for answer in answers].count(422) == 60
    assert [answer.status for answer in answers].count(429) == 30


@pytest.mark.abuse("A14")
def test_a_worker_that_is_killed_in_the_check_leaves_the_attempt_counted(
    portal: Portal, database_url: str, tmp_path: Path
) -> None:
    secret = portal.enrolled()
    browser = client_at_login(portal, "anne", 1)
    workers = Workers(database_url, tmp_path / "dying", portal.clock, number=4)
    try:
        workers.die_in_check(True)
        for number in range(3):
            with pytest.raises(OSError):  # noqa: PT011  (whichever way the connection breaks)
                workers.send(call(browser, "totp/verify", code=wrong_code(portal, secret)), worker=number)
        workers.die_in_check(False)
        answer = workers.send(call(browser, "totp/verify", code=portal.code(secret)), worker=3)
        assert (answer.status, answer.body["code"]) == (429, "too_many_attempts")
        assert workers.evaluated == 3
    finally:
        workers.close()


# --- the lock wins -----------------------------------------------------------------------------------------------


@pytest.mark.abuse("A61")
@pytest.mark.parametrize("happens", [lock, forget, end_sessions, reset, remove_authenticators])
def test_a_sign_in_does_not_complete_once_its_rights_are_gone(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Portal], None]
) -> None:
    secret = portal.enrolled()
    browser = client_at_login(portal, "anne", 1)
    in_the_middle(monkeypatch, totp, "complete", happens, portal)
    answer = browser.api("POST", "totp/verify", json={"code": portal.code(secret)})
    assert answer.status_code in (401, 403, 422)
    assert portal.opened == []
    assert portal.sql("SELECT id_hash FROM mfa_sessions WHERE level > 1") == []
    assert browser.get("/").status_code != 200


@pytest.mark.abuse("A61")
@pytest.mark.parametrize("happens", [lock, forget, end_sessions])
def test_a_step_up_does_not_complete_once_its_rights_are_gone(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Portal], None]
) -> None:
    secret = portal.enrolled()
    browser = portal.browser()
    browser.sign_in(secret)
    portal.clock.advance(900)
    assert browser.get("/bank").status_code == 303
    in_the_middle(monkeypatch, totp, "complete", happens, portal)
    answer = browser.api("POST", "totp/verify", json={"code": portal.code(secret)})
    assert answer.status_code in (401, 403)
    assert browser.get("/bank").status_code != 200
    assert browser.get("/").status_code != 200
    assert portal.sql("SELECT id_hash FROM mfa_sessions") == []


@pytest.mark.abuse("A61")
def test_a_step_up_does_not_complete_at_an_account_that_is_being_reset(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = portal.enrolled()
    browser = portal.browser()
    browser.sign_in(secret)
    portal.clock.advance(900)
    in_the_middle(monkeypatch, totp, "complete", reset, portal)
    assert browser.api("POST", "totp/verify", json={"code": portal.code(secret)}).json["code"] == "wrong_code"
    assert browser.get("/").status_code != 200
    assert portal.sql("SELECT id_hash FROM mfa_sessions") == []


@pytest.mark.abuse("A61")
@pytest.mark.parametrize("happens", [lock, forget, end_sessions, reset, issue_anew])
def test_an_enrolment_does_not_complete_once_its_rights_are_gone(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Portal], None]
) -> None:
    browser = portal.browser()
    browser.activate()
    begun = browser.begin_enrolment()
    in_the_middle(monkeypatch, totp, "confirm", happens, portal)
    assert browser.confirm(begun).status_code in (401, 403, 409)
    assert portal.opened == []
    assert portal.sql("SELECT id FROM mfa_authenticators") == []
    assert portal.sql("SELECT id_hash FROM mfa_sessions WHERE level > 1") == []


@pytest.mark.abuse("A61")
def test_a_locked_account_begins_and_proves_nothing(portal: Portal) -> None:
    secret = portal.enrolled()
    code = portal.activation_code("bob")
    waiting = client_at_login(portal, "anne", 1)
    lock(portal)
    assert waiting.api("POST", "totp/verify", json={"code": portal.code(secret)}).status_code == 401
    answer = portal.browser().password()
    assert answer.status_code == 403
    with portal.app.app_context():
        portal.gate.lock("bob", "not yet")
    bob = portal.browser()
    assert bob.password("bob").status_code == 403
    assert bob.api("POST", "activation/verify", json={"code": code}).status_code == 401
    unlock(portal)
    portal.clock.advance(60)
    assert portal.browser().sign_in(secret).status_code == 303


@pytest.mark.abuse("A61")
def test_a_lock_beside_twenty_sign_ins_leaves_no_session(portal: Portal, start_workers: StartWorkers) -> None:
    """Truly parallel: no matter who was first: once both are done nobody is inside."""
    secret = portal.enrolled()
    workers = start_workers("none")
    for _ in range(ROUNDS):
        portal.clock.advance(300)
        workers.set_clock()
        browsers = crowd(portal)
        code = portal.code(secret)
        calls = [call(browser, "totp/verify", code=code) for browser in browsers]
        answers = workers.race(calls, after=lambda: lock(portal))
        assert all(answer.status in (200, 401, 403, 422) for answer in answers)
        assert portal.sql("SELECT id_hash FROM mfa_sessions") == []
        unlock(portal)


@pytest.mark.abuse("A61")
def test_a_lock_beside_an_enrolment_leaves_no_session(portal: Portal, start_workers: StartWorkers) -> None:
    workers = start_workers("none")
    for _ in range(ROUNDS):
        browser = portal.browser()
        browser.activate()
        begun = browser.begin_enrolment()
        body = {"enrolment": begun["enrolment"], "code": portal.code(begun["secret"])}
        workers.race([Call(browser, "totp/enrol/complete", body, browser.token)] * 2, after=lambda: lock(portal))
        assert portal.sql("SELECT id_hash FROM mfa_sessions") == []
        forget(portal)


def test_keys_are_rotated_while_people_sign_in(
    make: MakePortal, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step spent between the reading and the sealing anew of a seed stays spent, and the seed stays whole."""
    secret = portal.enrolled()
    rotated, worker = (make(MFA_GATE_KEYS="new:" + "B" * 43 + f",{KEYS}") for _ in range(2))
    signed_in: list[int] = []

    def sign_in() -> None:
        signed_in.append(worker.browser().sign_in(secret).status_code)

    really, meanwhile = Keyring.seal, threading.Thread(target=sign_in)
    store, begun = worker.app.extensions["mfa_gate"].services.store, threading.Event()
    really_begin = store.begin

    def begin() -> Any:
        begun.set()
        return really_begin()

    def held_up() -> bool:
        # the rotation has SQLite's one lock, so whoever begins waits for it; PostgreSQL says who waits
        return begun.is_set() if "sqlite" in portal.gate_settings.database_url else bool(portal.sql(WAITS_FOR_A_LOCK))

    def seal(self: Keyring, purpose: str, plain: bytes, context: str, key_id: str | None = None) -> str:
        if context.startswith("totp") and not meanwhile.ident:
            meanwhile.start()
            until(lambda: not meanwhile.is_alive() or held_up())
        return really(self, purpose, plain, context, key_id)

    monkeypatch.setattr(store, "begin", begin)
    monkeypatch.setattr(Keyring, "seal", seal)
    done = rotated.app.test_cli_runner().invoke(args=["mfa", "keys", "rotate"])
    meanwhile.join()
    assert done.exit_code == 0
    assert signed_in == [303]
    portal.clock.advance(60)
    alone = make(MFA_GATE_KEYS="new:" + "B" * 43)
    assert alone.browser().sign_in(secret).status_code == 303


@pytest.mark.abuse("A44")
def test_right_passwords_beside_wrong_ones_at_once_are_all_answered(
    portal: Portal, start_workers: StartWorkers
) -> None:
    """A stranger who guesses meanwhile makes nobody wait for the other's rows."""
    workers = start_workers("none")
    for _ in range(3):
        calls = []
        for number in range(CROWD):
            name, right = ("anne", "bob")[number % 2], number % 3 > 0
            browser = portal.browser(f"198.51.100.{number % 4}")
            password = portal.passwords[name] if right else "wrong"
            calls.append(Call(browser, "/login", {"email": name, "password": password}, ""))
        answers = workers.race(calls)
        assert [answer.status for answer in answers if answer.status >= 500] == []
        portal.clock.advance(300)
        workers.set_clock()
