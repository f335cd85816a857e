"""Policies: the strictest that applies wins, in any order, and what contradicts itself stops the start."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate import ConfigurationError, GroupPolicy, Level, Policy
from mfa_gate.assurance import CLOCK_SKEW, Proof, Requirement, level_of, satisfies
from mfa_gate.factors.registry import METHODS

NOW = 1_700_000_000.0
AMRS = sorted(METHODS.keys() - {"pwd"})

requirements = st.builds(
    Requirement,
    st.sampled_from([Level.MFA, Level.PHISHING_RESISTANT, Level.HARDWARE]),
    st.none() | st.floats(1, 10**6),
    st.none() | st.frozensets(st.sampled_from(AMRS)),
)
proofs = st.lists(
    st.builds(Proof, st.sampled_from(sorted(METHODS)), st.floats(NOW - 10**6, NOW), st.none() | st.just("a")),
    max_size=5,
)


@given(requirements, requirements, requirements)
def test_requirements_have_no_order_to_get_wrong(a: Requirement, b: Requirement, c: Requirement) -> None:
    assert a | b == b | a
    assert (a | b) | c == a | (b | c)
    assert a | a == a
    assert a | Requirement() == a


@given(requirements, requirements, proofs)
def test_adding_a_requirement_never_lets_more_through(a: Requirement, b: Requirement, made: list[Proof]) -> None:
    level = level_of(made)
    if satisfies(level, made, a | b, NOW):
        assert satisfies(level, made, a, NOW)
        assert satisfies(level, made, b, NOW)


@given(requirements, proofs)
def test_a_proof_that_does_not_count_is_as_good_as_none(required: Requirement, made: list[Proof]) -> None:
    counting = [proof for proof in made if required.counts(proof.amr)]
    if satisfies(level_of(made), made, required, NOW):
        assert satisfies(level_of(counting), counting, required, NOW)


@pytest.mark.parametrize(
    ("required", "passes"),
    [
        (Requirement(amr=frozenset({"pop"})), True),
        (Requirement(amr=frozenset({"otp"})), True),
        (Requirement(amr=frozenset({"hwk"})), False),
        (Requirement(Level.PHISHING_RESISTANT, amr=frozenset({"pop"})), True),
        (Requirement(Level.PHISHING_RESISTANT, amr=frozenset({"otp"})), False),
        (Requirement(max_age=100.0), True),
        (Requirement(max_age=100.0, amr=frozenset({"otp"})), True),
        (Requirement(max_age=100.0, amr=frozenset({"pop"})), False),
        (Requirement(max_age=500.0, amr=frozenset({"pop"})), False),
        (Requirement(max_age=500.1, amr=frozenset({"pop"})), True),
        (Requirement(Level.PHISHING_RESISTANT, max_age=100.0), False),
        (Requirement(Level.HARDWARE), False),
    ],
)
def test_what_satisfies_a_requirement_counts_is_great_enough_and_young_enough(
    required: Requirement, passes: bool
) -> None:
    made = [Proof("pwd", NOW - 900), Proof("pop", NOW - 500, "key"), Proof("otp", NOW - 50, "app")]
    assert satisfies(level_of(made), made, required, NOW) == passes


@pytest.mark.parametrize(("ahead", "passes"), [(CLOCK_SKEW, True), (CLOCK_SKEW + 0.1, False)])
def test_a_proof_from_the_future_is_fresh_within_what_two_clocks_may_differ_by(ahead: float, passes: bool) -> None:
    made = [Proof("pwd", NOW), Proof("otp", NOW + ahead, "app")]
    assert satisfies(level_of(made), made, Requirement(max_age=100.0), NOW) == passes


def test_a_method_counts_until_its_day() -> None:
    group = GroupPolicy(until={"totp": date(2027, 1, 1)})
    before, after = (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert group.requirement(before.timestamp()).counts("otp")
    assert not group.requirement(after.timestamp()).counts("otp")
    assert group.requirement(after.timestamp()).counts("pop")


def test_a_group_only_adds_to_what_is_asked_of_everybody() -> None:
    policy = Policy(
        {"doctors": GroupPolicy(max_age=timedelta(hours=8))},
        GroupPolicy(level=Level.PHISHING_RESISTANT, max_age=timedelta(hours=1)),
    )
    for group in ("doctors", "nurses", None):
        assert policy.requirement(group, NOW) == Requirement(Level.PHISHING_RESISTANT, 3600.0)


def test_times_are_the_shortest_of_all() -> None:
    policy = Policy({"desk": GroupPolicy(idle=timedelta(minutes=5), lifetime=timedelta(days=3))})
    assert policy.times("desk", 3600.0, 43_200.0) == (300.0, 43_200.0)
    assert policy.times("doctors", 3600.0, 43_200.0) == (3600.0, 43_200.0)
    assert policy.times(None, 3600.0, 43_200.0) == (3600.0, 43_200.0)


WRONG: list[Any] = [
    lambda: GroupPolicy(methods=()),
    lambda: GroupPolicy(methods=("passkey",)),
    lambda: GroupPolicy(until={"sms": date(2027, 1, 1)}),
    lambda: GroupPolicy(max_age=timedelta(0)),
    lambda: GroupPolicy(idle=5),  # type: ignore[arg-type]
    lambda: GroupPolicy(level=Level.PASSWORD),
    lambda: GroupPolicy(level=Level.PHISHING_RESISTANT, methods=("totp", "recovery")),
    lambda: GroupPolicy(methods=("totp",), until={"totp": date(2027, 1, 1)}),
    lambda: GroupPolicy(observe_until=datetime(2027, 1, 1)),
    lambda: Policy(default=GroupPolicy(observe_until=date(2027, 1, 1))),
    lambda: Policy({"x": GroupPolicy(methods=("totp",))}, GroupPolicy(methods=("webauthn",))),
    lambda: Policy({"x": GroupPolicy(methods=("totp", "recovery"))}, GroupPolicy(level=Level.PHISHING_RESISTANT)),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_nobody_could_satisfy_stops_the_start(wrong: Any) -> None:
    with pytest.raises(ConfigurationError):
        wrong()
