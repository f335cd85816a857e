"""Reads over two worker processes: a quota is never passed, and no answer leaves whose line is not kept."""

from __future__ import annotations

import random
import threading

import pytest

from mfa_gate.harvest import State
from tests.support.portal import Browser, Portal
from tests.support.races import StartWorkers
from tests.support.readers import morning
from tests.support.workers import Answer, Workers, call

QUOTA = 70
READERS, EACH = 4, 4  # at once, and records of each


def reader(portal: Portal, used: int = 0) -> Browser:
    """Anne, signed in by her app, whose session has read so many records of its quota."""
    browser, secret = portal.browser(), portal.enrolled()
    morning(portal)
    assert browser.sign_in(secret).status_code == 303
    ((sign_in,),) = portal.sql("SELECT sign_in FROM mfa_sessions")
    state = State()
    state.spend(sign_in[:12], portal.clock(), used)
    portal.sql("INSERT INTO mfa_reading (account_id, state) VALUES ('anne', :state)", state=state.dump())
    return browser


def shown(answers: list[Answer]) -> int:
    assert all(answer.status in (200, 401, 403) for answer in answers), answers
    return sum(answer.status == 200 for answer in answers)


@pytest.mark.abuse("A54")
@pytest.mark.parametrize("left", [1, 7, 19])
def test_of_fifty_parallel_reads_at_the_edge_of_a_quota_only_what_is_left_is_shown(
    portal: Portal, start_workers: StartWorkers, left: int
) -> None:
    browser = reader(portal, QUOTA - left)
    answers = start_workers().race([call(browser, f"/records/{number}") for number in range(50)])
    assert 0 < shown(answers) <= left
    assert portal.sql("SELECT count(*) FROM mfa_reads")[0][0] == shown(answers)


@pytest.mark.abuse("A54")
def test_one_record_read_fifty_times_at_once_is_charged_once(portal: Portal, start_workers: StartWorkers) -> None:
    browser = reader(portal)
    answers = start_workers().race([call(browser, "/records/4711")] * 50)
    assert shown(answers) == 50
    ((state,),) = portal.sql("SELECT state FROM mfa_reading")
    assert State.load(state).today == 1
    assert portal.sql("SELECT count(*) FROM mfa_reads WHERE outcome = 'first'")[0][0] == 1


def test_a_worker_that_is_killed_loses_no_line_of_an_answer_that_left(
    portal: Portal, start_workers: StartWorkers
) -> None:
    browser = reader(portal)
    seed = random.randrange(2**32)
    print("seed", seed)
    rng, seen, answered = random.Random(seed), set[str](), threading.Semaphore(0)
    for turn in range(3):
        workers = start_workers()
        reads = [(workers, browser, turn, one, seen, answered) for one in range(READERS)]
        threads = [threading.Thread(target=_read, args=read) for read in reads]
        for thread in threads:
            thread.start()
        # killed in the middle of the reads, after so many answers, however long these take
        for _ in range(rng.randint(1, READERS * EACH - READERS)):
            answered.acquire()
        workers.close()
        for thread in threads:
            thread.join()
        portal.clock.advance(600)
    done = portal.app.test_cli_runner().invoke(args=["mfa", "audit", "verify"])
    assert done.exit_code == 0, done.output
    assert seen
    for record in seen:
        found = portal.app.test_cli_runner().invoke(args=["mfa", "report", "seen", record])
        assert "1 accounts have read it" in found.output, record


def _read(
    workers: Workers, browser: Browser, turn: int, one: int, seen: set[str], answered: threading.Semaphore
) -> None:
    """Read record after record until the worker is gone."""
    gone = False
    for number in range(EACH):
        record = f"{turn}-{one}-{number}"
        try:
            if not gone and workers.send(call(browser, f"/records/{record}"), one % 2).status == 200:
                seen.add(record)
        except Exception:  # half an answer is none
            gone = True
        answered.release()
