"""The detectors by themselves: plain state, a read and a clock in, a verdict out."""

from __future__ import annotations

import math
import random
from base64 import b64encode
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.harvest import (
    Crowd,
    HarvestPolicy,
    Read,
    State,
    StateBroken,
    limit,
    may_lift,
    mean,
    missed,
    quota,
    read,
)
from mfa_gate.harvest.harvest_policy import CHARS, MAX_MARKS
from mfa_gate.harvest.state import SESSIONS

DAY = 86_400.0
MONDAY = 20_001 * DAY + 8 * 3600
POLICY = HarvestPolicy()


def mark(number: int) -> str:
    return b64encode(((number & 0x3FFFFFFF) << 2).to_bytes(4)).decode()[:CHARS]


def at(now: float, *numbers: int, **more: object) -> Read:
    return Read(tuple(map(mark, numbers)), now, **more)  # type: ignore[arg-type]


def worked(days: int, records: int, state: State | None = None) -> State:
    """An account that has read so many records on each of so many days."""
    state = state or State()
    for day in range(days):
        for number in range(records):
            state, verdict = read(state, at(MONDAY + day * DAY + 40 * number, day * 1000 + number), POLICY)
            assert verdict.action == "pass"
    return state


def reads_until_refused(state: State, begin: float, pace: float, most: int = 1000) -> tuple[int, State, str]:
    for number in range(most):
        state, verdict = read(state, at(begin + pace * number, 10**6 + number), POLICY)
        if verdict.action != "pass":
            return number, state, verdict.reasons[0]
    return most, state, ""


def works_on(state: State, first: int, days: int, records: int) -> tuple[State, tuple[str, ...]]:
    """So many days more, until one is stopped; and why it was."""
    for day in range(first, first + days):
        for number in range(records):
            state, verdict = read(state, at(MONDAY + day * DAY + 40 * number, 10**6 * day + number), POLICY)
            if verdict.action == "stop":
                return state, verdict.reasons
    return state, ()


class TestFormulas:
    def test_a_new_account_is_taken_for_one_of_its_group(self) -> None:
        policy = HarvestPolicy(usual={"": 35.0, "doctor": 20.0})
        assert mean(State(), policy, "doctor") == 20.0
        assert mean(State(), policy, "unheard of") == 35.0

    def test_what_an_account_has_shown_takes_the_place_of_its_group(self) -> None:
        assert mean(worked(60, 10), POLICY) == pytest.approx(10.0, rel=0.15)

    @pytest.mark.parametrize(("usual", "expected"), [(25.0, 144.7), (5.0, 60.0), (200.0, 500.0)])
    def test_the_limit_is_the_quantile_of_the_formula(self, usual: float, expected: float) -> None:
        square = math.log(1 + 1 / usual + 1 / 3)
        by_hand = min(500.0, max(60.0, usual * math.exp(3.4 * math.sqrt(square) - square / 2)))
        state = State(day=1, total=usual * 1e6, weight=1e6)
        assert limit(state, POLICY) == pytest.approx(by_hand, rel=1e-3)
        assert by_hand == pytest.approx(expected, rel=0.02)

    @pytest.mark.parametrize(("usual", "granted"), [(5.0, 60), (50.0, 100), (400.0, 250)])
    def test_a_proof_grants_twice_the_usual_day_within_bounds(self, usual: float, granted: int) -> None:
        assert quota(State(total=usual * 1e6, weight=1e6), POLICY) == granted

    def test_a_day_over_the_limit_teaches_no_more_than_the_limit(self) -> None:
        state = worked(30, 10)
        before = limit(state, POLICY)
        state.lifted = state.day + 1
        for number in range(400):
            state, _ = read(state, at(MONDAY + 30 * DAY + 40 * number, 10**6 + number), POLICY)
        state, _ = read(state, at(MONDAY + 31 * DAY, 1), POLICY)
        assert before < 75
        assert mean(state, POLICY) < 10 + before / 15


class TestVerdicts:
    @pytest.mark.parametrize(("pace", "most"), [(0.2, 21), (1.0, 25)])
    def test_a_machine_is_stopped(self, pace: float, most: int) -> None:
        shown, state, reason = reads_until_refused(worked(30, 10), MONDAY + 30 * DAY, pace)
        assert (shown <= most, reason, state.why) == (True, "pace", "pace")

    @pytest.mark.parametrize("pace", [13.0, 20.0, 60.0])
    def test_a_patient_machine_is_stopped_by_the_day(self, pace: float) -> None:
        shown, _, reason = reads_until_refused(worked(30, 10), MONDAY + 30 * DAY, pace)
        assert (shown <= 70, reason) == (True, "daily_limit")

    @pytest.mark.parametrize(("usual", "most"), [(40, 110), (150, 270)])
    def test_a_pace_that_nobody_keeps_up_for_an_hour_is_stopped(self, usual: int, most: int) -> None:
        state = State(day=1, total=usual * 1e6, weight=1e6, days=100)
        shown, _, reason = reads_until_refused(state, MONDAY, 13)
        assert (usual < shown < most, reason) == (True, "pace")

    def test_an_hour_of_many_customers_is_left_in_peace(self) -> None:
        assert reads_until_refused(State(day=1, total=4e7, weight=1e6, days=100), MONDAY, 20, 120)[0] == 120

    def test_bursts_of_a_person_are_left_in_peace(self) -> None:
        state = worked(30, 20)
        for burst in range(8):
            for number in range(5):
                when = MONDAY + 30 * DAY + 900 * burst + 5 * number
                state, verdict = read(state, at(when, burst * 10 + number), POLICY)
                assert verdict.action == "pass"

    @pytest.mark.parametrize(("share", "most"), [(0.3, 25), (0.5, 15), (0.7, 10), (0.9, 5)])
    def test_who_guesses_is_stopped_the_sooner_the_more_is_missed(self, share: float, most: int) -> None:
        shown_by_seed = []
        for seed in range(200):
            rng, state, shown = random.Random(seed), State(), 0
            for number in range(200):
                state, verdict = read(state, at(MONDAY + 40 * number, number), POLICY)
                if verdict.action != "pass":
                    break
                if rng.random() < share:
                    state, reason = missed(state, POLICY)
                    if reason:
                        break
                else:
                    shown += 1
            shown_by_seed.append(shown)
        assert sorted(shown_by_seed)[100] <= most

    def test_a_walk_in_the_order_of_numbers_is_stopped(self) -> None:
        state = State()
        for number in range(20):
            state, verdict = read(state, at(MONDAY + 40 * number, number, prefix=mark(number // 100)), POLICY)
            if verdict.action == "stop":
                break
        assert (number < 8, verdict.reasons[0]) == (True, "walk")

    def test_thrice_the_usual_for_days_is_stopped_while_no_day_is_too_much(self) -> None:
        assert works_on(worked(40, 30), 40, 20, 90)[1] == ("drift",)

    def test_twice_the_usual_is_stopped_before_it_is_usual_itself(self) -> None:
        assert works_on(worked(100, 30), 100, 30, 60)[1] == ("drift",)

    def test_a_month_is_enough_to_know_twice_the_usual_by(self) -> None:
        assert works_on(worked(30, 40), 30, 20, 80)[1] == ("drift",)

    def test_who_was_lifted_after_it_has_a_new_usual_day(self) -> None:
        state, _ = works_on(worked(100, 30), 100, 30, 60)
        state.lift()
        assert works_on(state, state.day - 20_001 + 1, 60, 60)[1] == ()

    def test_a_new_account_is_asked_once_and_then_has_the_ceiling(self) -> None:
        state, prompts, shown, proven = State(), 0, 0, 0.0
        for number in range(600):
            now = MONDAY + 40 * number
            state, verdict = read(state, at(now, number, proven_at=proven), POLICY)
            if verdict.action == "prompt":
                prompts, proven = prompts + 1, now + 1
                state, verdict = read(state, at(now + 2, number, proven_at=proven), POLICY)
            if verdict.action == "stop":
                break
            shown += 1
        assert (prompts, shown, verdict.reasons[0]) == (1, 500, "ceiling")

    def test_a_session_reads_its_quota_and_then_one_proof_more(self) -> None:
        state, shown = State(), 0
        for number in range(100):
            state, verdict = read(state, at(MONDAY + 40 * number, number, session="s", proven_at=MONDAY), POLICY)
            shown += verdict.action == "pass"
        assert (shown, verdict.reasons) == (70, ("quota",))
        again = at(MONDAY + 5000, 99, session="s", proven_at=MONDAY + 4500)
        assert read(state, again, POLICY)[1].action == "pass"

    def test_a_session_that_nobody_remembers_has_nothing_left(self) -> None:
        state, _ = read(State(), at(MONDAY, 0, session="first", proven_at=MONDAY), POLICY)
        for number in range(1, 12):
            now = MONDAY + 40 * number
            state, verdict = read(state, at(now, number, session=f"s{number}", proven_at=now), POLICY)
            assert verdict.action == "pass"
        late = at(MONDAY + 1000, 99, session="first", proven_at=MONDAY)
        assert read(state, late, POLICY)[1].reasons == ("quota",)

    def test_a_day_that_nears_the_ceiling_is_said_once(self) -> None:
        state, said = State(day=20_001, lifted=20_001), []
        for number in range(400):
            state, verdict = read(state, at(MONDAY + 60 * number, number), POLICY)
            said += [state.today] if verdict.nears else []
        assert said == [300]

    def test_a_canary_is_stopped_before_anything_else(self) -> None:
        state, verdict = read(State(), at(MONDAY, 1, canary=True), POLICY)
        assert (verdict.action, verdict.reasons, state.today) == ("stop", ("canary",), 0)

    def test_a_stop_lasts_until_a_sure_proof(self) -> None:
        _, state, _ = reads_until_refused(State(), MONDAY, 0.2)
        for days in (1, 30, 400):
            assert read(state, at(MONDAY + days * DAY, 1), POLICY)[1].action == "stop"
        since = state.stopped or 0.0
        assert read(state, at(since + 9, 1, surely_at=since), POLICY)[1].action == "stop"
        assert read(state, at(since + 9, 1, surely_at=since + 5), POLICY)[1].action == "pass"

    def test_three_accounts_are_a_crowd_and_the_third_makes_it_one(self) -> None:
        crowd = Crowd()
        for number in (1, 2, 1, 2):
            crowd = crowd.joined(mark(number), MONDAY + number, 20_001, POLICY)
            assert not crowd.asks(MONDAY)
        crowd = crowd.joined(mark(3), MONDAY + 3, 20_001, POLICY)
        assert crowd.asks(MONDAY + 3)
        assert not crowd.asks(MONDAY + 4)
        assert crowd.joined(mark(4), MONDAY + 9, 20_001, POLICY) == crowd
        assert crowd.joined(mark(4), MONDAY, 20_000, POLICY) == crowd, "a clock that went back"
        assert not crowd.joined(mark(4), MONDAY + DAY, 20_002, POLICY).asks(MONDAY)
        assert not crowd.asks(None), "who has no factor yet cannot prove it again"

    def test_a_crowd_has_so_many_records_a_day(self) -> None:
        crowd = Crowd(20_001, "".join(map(mark, (1, 2, 3))), POLICY.together - 1, MONDAY)
        asked = [at(MONDAY + 9, *range(count), proven_at=MONDAY + 5, crowd=crowd) for count in (1, 2)]
        assert [read(State(), one, POLICY)[1].reasons for one in asked] == [(), ("read_fan_in",)]

    def test_who_was_lifted_that_day_goes_on_whoever_reads_beside(self) -> None:
        crowd = Crowd(20_001, "".join(map(mark, (1, 2, 3))), 10_000, MONDAY)
        lifted = State(day=20_001, lifted=20_001)
        assert read(lifted, at(MONDAY + 9, 1, proven_at=MONDAY + 5, crowd=crowd), POLICY)[1].action == "pass"

    def test_a_new_account_that_proved_itself_at_its_limit_is_one_of_the_crowd_still(self) -> None:
        most, state, reason = reads_until_refused(State(), MONDAY, 40)
        assert reason == "daily_limit"
        now, crowd = MONDAY + 40 * most, Crowd(20_001, "".join(map(mark, (1, 2, 3))), 10_000, MONDAY)
        proven = {"proven_at": now + 1, "surely_at": now + 1}
        alone, verdict = read(state, at(now + 5, 7, **proven), POLICY)
        assert (verdict.action, alone.lifted) == ("pass", alone.day)
        assert read(alone, at(now + 9, 8, crowd=crowd, **proven), POLICY)[1].reasons == ("read_fan_in",)

    def test_the_ceiling_is_lifted_by_its_owner_from_the_next_day_on(self) -> None:
        state = State(day=20_001, lifted=20_001, allowed=500, allowed_until=MONDAY + DAY)
        _, state, reason = reads_until_refused(state, MONDAY, 40)
        assert (reason, may_lift(state)) == ("ceiling", False)
        since = state.stopped or 0.0
        assert read(state, at(since + 9, 1, surely_at=since + 5), POLICY)[1].action == "stop"
        tomorrow = since + DAY
        assert read(state, at(tomorrow + 9, 1, surely_at=tomorrow), POLICY)[1].action == "pass"

    def test_report_only_says_what_it_would_do(self) -> None:
        policy, state = HarvestPolicy(report_only=frozenset({"pace"})), State()
        for number in range(50):
            state, verdict = read(state, at(MONDAY + 0.2 * number, number), policy)
            assert verdict.action == "pass"
        assert verdict.reasons == ("pace",)


OPERATION = st.tuples(
    st.sampled_from(["read", "list", "miss", "day", "back", "prove", "wait"]), st.integers(0, 400), st.floats(0, 4e4)
)


@given(st.lists(OPERATION, max_size=60), st.booleans())
def test_no_order_of_days_and_proofs_lets_an_account_past_its_ceiling(
    steps: list[tuple[str, int, float]], surely: bool
) -> None:
    state, now, proven, shown, day = State(), MONDAY, 0.0, set[str](), 0
    for what, number, seconds in steps:
        if what == "day":
            now += DAY
        elif what == "back":
            now -= min(seconds, 7200)
        elif what == "prove":
            proven = now
        elif what == "wait":
            now += seconds
        elif what == "miss":
            state, _ = missed(state, POLICY)
        else:
            numbers = range(number, number + 40) if what == "list" else range(number, number + 1)
            asked = at(now, *numbers, proven_at=proven, surely_at=proven if surely else None)
            state, verdict = read(state, asked, POLICY)
            if state.day != day:
                day, shown = state.day, set()
            if verdict.action == "pass":
                shown.update(asked.marks)
        assert len(shown) <= POLICY.ceiling
        assert len(shown) == state.today
        assert State.load(state.dump()) == state
        assert len(state.dump()) <= 6000


@given(st.integers(1, 100), st.floats(0.01, 100), st.integers(1, 30))
def test_faster_is_never_let_further(days: int, pace: float, records: int) -> None:
    state = worked(days % 40, records)
    begin = MONDAY + 41 * DAY
    slow = reads_until_refused(state, begin, pace, 300)[0]
    assert reads_until_refused(state, begin, pace / 2, 300)[0] <= slow


NUMBERS = [one.name for one in fields(State) if one.type in ("float", "float | None")]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_a_state_with_a_number_that_is_none_is_broken(name: str, value: float) -> None:
    state = State(spent=(("s", 1.0, 1),))
    setattr(state, name, value)
    with pytest.raises(StateBroken):
        State.load(state.dump())


@pytest.mark.parametrize(
    "wrong", [{"weight": -1.0}, {"total": -1.0}, {"seen": "abcd"}, {"seen": "abcde" * (MAX_MARKS + 1)}]
)
def test_a_state_that_nobody_can_have_is_broken(wrong: dict[str, Any]) -> None:
    with pytest.raises(StateBroken):
        State.load(State(**wrong).dump())


@pytest.mark.parametrize(
    "state",
    [
        State(),
        State(
            20_001,
            MONDAY,
            3.5,
            2.5,
            last="é-€x",
            why="pace",
            stopped=MONDAY,
            proof_asked_at=MONDAY - 1,
            seen="abcdefghij",
        ),
        State(spent=tuple((f"session {number}", MONDAY + number, number) for number in range(SESSIONS))),
    ],
)
def test_a_state_is_what_it_was_and_cut_short_it_is_broken(state: State) -> None:
    text = state.dump()
    assert State.load(text) == state
    for end in range(len(text)):
        with pytest.raises(StateBroken):
            State.load(text[:end])
        with pytest.raises(StateBroken):
            State.load(text[end + 1 :])


@pytest.mark.parametrize("broken", [State(last="a\nb"), State(seen="ab\ncd"), State(spent=(("a\nb", 1.0, 1),))])
def test_a_name_with_a_line_break_is_not_written(broken: State) -> None:
    with pytest.raises(ValueError, match="line break"):
        broken.dump()


@given(st.text(max_size=200))
def test_what_no_state_can_be_is_told_from_one(text: str) -> None:
    with pytest.raises(StateBroken):
        State.load(text)


def test_a_state_holds_as_much_as_the_greatest_exception() -> None:
    state = State(allowed=10**6, allowed_until=MONDAY + DAY)
    state, verdict = read(state, at(MONDAY, *range(MAX_MARKS)), HarvestPolicy(burst=200, stretch=200))
    assert (verdict.action, state.today) == ("pass", MAX_MARKS)
    assert len(state.dump()) <= 6000
    assert read(state, at(MONDAY + 1, 10**6), POLICY)[1].action == "stop"


@given(st.integers(0, 400), st.characters(codec="utf-8"))
def test_a_state_with_one_letter_changed_is_broken_or_a_state(place: int, letter: str) -> None:
    text = State(20_001, MONDAY, 3.5, 2.5, last="abcde", seen="abcdefghij", spent=(("s", MONDAY, 2),)).dump()
    place %= len(text)
    try:
        loaded = State.load(text[:place] + letter + text[place + 1 :])
    except StateBroken:
        return
    assert read(loaded, at(MONDAY, 1), POLICY)[1].action in ("pass", "stop", "prompt")
