"""Races of known devices, notices and the help desk, over two worker processes on PostgreSQL."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mfa_gate import DeskPolicy
from mfa_gate.sessions.crowding import PER_SOURCE
from mfa_gate.testing import SoftwareKey
from tests.support.desks import WHY, Desk, code_in, open_desk
from tests.support.devices import begun_elsewhere, known, only_device_of
from tests.support.portal import Browser, MakePortal, Portal
from tests.support.postbox import Postbox
from tests.support.races import CROWD, StartWorkers, won
from tests.support.workers import Answer, Call, Workers, call

pytestmark = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)

ROUNDS = 3
VERBS = ("approve", "decline")


@pytest.fixture
def desk(make: MakePortal, tmp_path: Path) -> Desk:
    return open_desk(make, tmp_path)


@pytest.fixture
def at_desk(database_url: str, desk: Desk, tmp_path: Path) -> Iterator[Workers]:
    """Worker processes whose desk this is too."""
    workers = Workers(database_url, tmp_path / "workers", desk.portal.clock, "none")
    yield workers
    workers.close()


def press(browser: Browser, path: str, **fields: str) -> Call:
    """A button of a page."""
    token = browser.token
    return Call(browser, path, {"csrf_token": token, **fields}, token)


def statuses(answers: list[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


# --- known devices ---------------------------------------------------------------------------------------------------


def ready(browser: Browser, key: SoftwareKey, account: str = "bob") -> Call:
    """A sign-in that is ready to end, with an answer of a key."""
    browser.password(account)
    return touched(browser, key)


def touched(browser: Browser, key: SoftwareKey) -> Call:
    """The answer of a key to a sign-in that waits for it."""
    answer = key.assert_(browser.api("POST", "webauthn/verify/begin").json)
    return call(browser, "webauthn/verify/complete", **answer)


def replays(portal: Portal) -> int:
    return int(portal.sql("SELECT count(*) FROM mfa_events WHERE kind = 'device_replayed'")[0][0])


@pytest.mark.abuse("A42")
def test_twenty_sign_ins_at_once_in_one_browser_rotate_one_device_and_raise_no_alarm(
    portal: Portal, start_workers: StartWorkers
) -> None:
    key, first = portal.key("bob"), portal.browser()
    portal.sql("DELETE FROM mfa_devices")
    first.password("bob")
    assert first.prove(key).status_code == 200
    answers = start_workers("none").race([touched(one, key) for one in begun_elsewhere(first, "bob", CROWD)])
    assert len(won(answers)) == CROWD
    assert portal.sql("SELECT count(*) FROM mfa_devices") == [(1,)]
    assert replays(portal) == 0


@pytest.mark.abuse("A42")
def test_a_copied_token_that_comes_twenty_times_at_once_ends_its_series_once(
    portal: Portal, start_workers: StartWorkers
) -> None:
    """Each of them signs in all the same, as a stranger: the copy is no proof, and neither is it a barrier."""
    key, owner = portal.key("bob"), portal.browser()
    portal.sql("DELETE FROM mfa_devices")
    owner.password("bob")
    owner.prove(key)
    copies = begun_elsewhere(owner, "bob", CROWD)
    for _ in range(2):  # so that the token that was copied is neither the newest nor the one before
        owner.step("sign-out")
        owner.password("bob")
        owner.prove(key)
    answers = start_workers("none").race([touched(copy, key) for copy in copies])
    assert len(won(answers)) == CROWD
    assert replays(portal) == 1
    assert owner.state == "anonymous"


@pytest.mark.abuse("A15")
def test_fifty_parallel_guesses_from_a_known_device_never_evaluate_more_than_its_lane(
    portal: Portal, start_workers: StartWorkers
) -> None:
    owner, secret = known(portal)
    workers = start_workers("five")
    thieves = [only_device_of(owner) for _ in range(PER_SOURCE)]
    for thief in thieves:
        thief.password()
    wrong = f"{(int(portal.code(secret)) + 1) % 10**6:06d}"
    answers = workers.race([call(thief, "totp/verify", code=wrong) for thief in thieves * 10])
    assert statuses(answers) == {422: 5, 429: 45}
    assert workers.evaluated == 5


# --- notices ---------------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A52")
def test_senders_that_run_at_once_send_each_notice_once(
    portal: Portal, start_workers: StartWorkers, postbox: Postbox
) -> None:
    for name in ("anne", "bob"):
        secret = portal.enrolled(name)
        portal.browser().sign_in(secret, name)
    browser = portal.browser()
    workers = start_workers("none")
    answers = workers.race([Call(browser, "/pass", {"port": str(postbox.port)}, "")] * 8)
    assert statuses(answers) == {200: 8}
    assert sorted(mail["To"] for mail in postbox.mails) == ["anne@portal.example", "bob@portal.example"]
    assert portal.sql("SELECT count(*) FROM mfa_outbox WHERE mail_due IS NOT NULL") == [(0,)]


@pytest.mark.abuse("A49")
def test_what_workers_write_at_once_is_one_record_that_holds(portal: Portal, start_workers: StartWorkers) -> None:
    """Each process has chains of its own, and none of them forks."""
    key = portal.key("bob")
    workers = start_workers("none")
    for _ in range(ROUNDS):
        browsers = [portal.browser(f"198.51.100.{number}") for number in range(CROWD)]
        assert len(won(workers.race([ready(browser, key) for browser in browsers]))) == CROWD
    done = portal.app.test_cli_runner().invoke(args=["mfa", "audit", "verify"])
    assert done.exit_code == 0, done.output


# --- the desk --------------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A45")
def test_of_twenty_who_have_one_approved_code_told_one_hears_it(desk: Desk, at_desk: Workers) -> None:
    for _ in range(ROUNDS):
        request = desk.asked()
        assert desk.at("sue").step("desk", action="approve", request=request).status_code == 303
        path = f"/mfa/desk/accounts/{desk.subject('anne')}"
        told = press(desk.at("abe"), path, action="speak", request=request, reason=WHY)
        answers = at_desk.race([told] * CROWD)
        assert statuses(answers) == {200: 1, 409: CROWD - 1}
        (heard,) = (answer.body for answer in answers if answer.status == 200)
        assert len(code_in(heard)) == 19
        assert len(desk.portal.sql("SELECT 1 FROM mfa_activations")) == 1


@pytest.mark.abuse("A45")
def test_of_approvals_and_refusals_at_once_one_counts(desk: Desk, at_desk: Workers) -> None:
    sue, sam = desk.at("sue"), desk.at("sam")
    for _ in range(ROUNDS):
        request = desk.asked()
        calls = [press(one, "/mfa/desk", action=action, request=request) for one in (sue, sam) for action in VERBS]
        answers = at_desk.race(calls * 4)
        assert all(answer.status in (303, 409) for answer in answers)
        assert desk.portal.sql("SELECT 1 FROM mfa_desk_requests") == []
        kinds = "kind IN ('spoken_code_approved', 'spoken_code_declined')"
        decided = [row.kind for row in desk.portal.sql(f"SELECT kind FROM mfa_events WHERE {kinds} ORDER BY id")]  # noqa: S608
        assert decided.count("spoken_code_declined") == 1
        assert decided.count("spoken_code_approved") <= 1
        assert statuses(answers)[303] == len(decided)
        desk.portal.sql("DELETE FROM mfa_events")


@pytest.mark.abuse("A45")
def test_of_two_supervisors_who_revoke_each_other_at_once_one_is_left(desk: Desk, at_desk: Workers) -> None:
    for _ in range(ROUNDS):
        calls = [
            press(desk.at(one), "/mfa/desk/staff", action="revoke", account=other, reason=WHY)
            for one, other in (("sue", "sam"), ("sam", "sue"))
        ]
        answers = at_desk.race(calls * 4)
        assert all(answer.status in (303, 403, 404) for answer in answers), statuses(answers)
        left = [row.account_id for row in desk.portal.sql("SELECT account_id FROM mfa_desk_staff WHERE role = 3")]
        assert len(left) == 1
        (gone,) = {"sue", "sam"} - set(left)
        desk.portal.sql("INSERT INTO mfa_desk_staff (account_id, role, since) VALUES (:a, 3, 0)", a=gone)


@pytest.mark.abuse("A38")
def test_a_reset_beside_twenty_sign_ins_leaves_no_session(desk: Desk, at_desk: Workers) -> None:
    for _ in range(ROUNDS):
        key = desk.portal.key("bob")
        pending = [ready(desk.portal.browser(f"198.51.100.{number}"), key) for number in range(CROWD)]
        path = f"/mfa/desk/accounts/{desk.subject('bob')}"
        reset = press(desk.at("sue"), path, action="reset", reason=WHY)
        answers = at_desk.race([*pending[: CROWD // 2], reset, *pending[CROWD // 2 :]])
        assert all(answer.status in (200, 303, 401, 409, 422) for answer in answers), statuses(answers)
        tables = ("authenticators", "sessions", "devices", "recovery_codes", "activations")
        assert {table: desk.rows(f"mfa_{table}", "bob") for table in tables} == dict.fromkeys(tables, 0)


@pytest.mark.abuse("A46")
def test_of_many_first_supervisors_at_once_there_is_one(make: MakePortal, tmp_path: Path) -> None:
    portals = [make(desk=DeskPolicy(lambda _: True)) for _ in range(4)]
    begun: list[bool] = []

    def begin(portal: Portal, account: str) -> None:
        begun.append(portal.app.extensions["mfa_gate"].desk.begin(account))

    calls = [threading.Thread(target=begin, args=(portal, name)) for portal in portals for name in ("anne", "bob")]
    for thread in calls:
        thread.start()
    for thread in calls:
        thread.join()
    assert sorted(begun) == [False] * 7 + [True]
    assert len(portals[0].sql("SELECT 1 FROM mfa_desk_staff")) == 1
