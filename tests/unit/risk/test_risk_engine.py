"""The risk engine by itself: plain values in, plain values out, and what must hold for all of them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfa_gate.exc import ConfigurationError
from mfa_gate.risk import Features, Profile, RiskPolicy, assess, moved
from mfa_gate.risk.features import CHAINS, LEVELS
from mfa_gate.risk.profile import HALF_LIFE

DAY = 86400.0
NOW = 20_000 * DAY
POLICY = RiskPolicy()
HOME = Features(
    device=True,
    address="a1",
    network="n1",
    district="d1",
    asn="Orange",
    country="FR",
    kind="access",
    build="Firefox 140 Linux",
    family="Firefox Linux",
    system="Linux",
    hour=33,
)
NEW_BROWSER = HOME._replace(device=False, build="Chrome 141 Windows", family="Chrome Windows", system="Windows")
ABROAD = Features(
    False, "a9", "n9", "d9", "Rented", "RO", "hosting", "Chrome 141 Windows", "Chrome Windows", "Windows", None, 33
)

values = st.sampled_from(["a", "b", "c"])
some = st.builds(
    Features,
    device=st.booleans(),
    hour=st.one_of(st.none(), st.integers(0, 167)),
    **{name: st.one_of(st.none(), values) for name in LEVELS if name not in ("hour", "shift")},
)
histories = st.lists(some, max_size=40)


def grown(*seen: Features, gap: float = DAY) -> Profile:
    """A profile that has learnt these, the last one a day ago."""
    profile = Profile()
    for number, features in enumerate(seen):
        profile = profile.learnt(features, NOW - (len(seen) - number) * gap)
    return profile


def usual_at(*seen: Features) -> Profile:
    return grown(*[HOME] * 30, *seen)


def test_a_usual_sign_in_is_usual_and_gives_no_reason() -> None:
    found = assess(usual_at(), HOME, NOW, POLICY)
    assert (found.risk, found.reasons) == ("usual", ())


def test_another_network_and_browser_abroad_is_high_and_says_why() -> None:
    found = assess(usual_at(), ABROAD, NOW, POLICY)
    assert found.risk == "high"
    assert set(found.reasons) == {"new_device", "new_country", "new_kind", "new_system"}


def test_a_new_browser_at_home_is_not_high() -> None:
    assert assess(usual_at(), NEW_BROWSER, NOW, POLICY).risk != "high"


def test_a_known_device_in_a_new_access_network_of_the_country_is_not_high() -> None:
    elsewhere = HOME._replace(address="a5", network="n5", district="d5", asn="Free")
    assert assess(usual_at(), elsewhere, NOW, POLICY).risk != "high"


def test_without_a_known_device_an_account_that_little_is_known_of_is_never_usual() -> None:
    for sign_ins in range(3):
        found = assess(grown(*[HOME] * sign_ins), HOME._replace(device=False), NOW, POLICY)
        assert found.risk != "usual"
        assert "little_known" in found.reasons


def test_an_account_that_has_slept_for_years_is_known_too_little_again() -> None:
    found = assess(usual_at(), HOME._replace(device=False), NOW + 12 * HALF_LIFE, POLICY)
    assert "little_known" in found.reasons


@pytest.mark.parametrize("hidden", [("address", "network", "district", "asn", "country"), ("build",)])
def test_who_hides_where_and_with_what_they_come_is_not_usual_without_a_known_device(hidden: tuple[str, ...]) -> None:
    found = assess(usual_at(), HOME._replace(device=False, **dict.fromkeys(hidden)), NOW, POLICY)
    assert found.risk != "usual"


def test_a_first_sign_in_says_nothing_by_its_values() -> None:
    found = assess(Profile(), HOME, NOW, POLICY)
    assert {name: value for name, value in found.evidence.items() if name != "device"} == {
        "place": 0.0,
        "browser": 0.0,
        "kind": 0.0,
        "client": 0.0,
    }


@settings(max_examples=500)
@given(histories, some, st.sampled_from(sorted(CHAINS)), st.data())
def test_an_unseen_value_never_scores_below_a_seen_one(
    seen: list[Features], attempt: Features, chain: str, data: st.DataObject
) -> None:
    profile = grown(*seen)
    level = data.draw(st.sampled_from([name for name in CHAINS[chain] if name != "shift"]))
    if attempt.value(level) is None or level == "hour":
        return
    # new on this level, and so on all finer ones that are known
    finer = CHAINS[chain][: CHAINS[chain].index(level) + 1]
    changed = {name: "never seen" for name in finer if attempt.value(name) is not None}
    if not all(profile.seen(name).total for name in changed):
        return
    unseen = assess(profile, attempt._replace(**changed), NOW, POLICY)
    assert unseen.evidence[chain] >= assess(profile, attempt, NOW, POLICY).evidence[chain] - 1e-9


@given(histories, some)
def test_to_lose_the_device_cookie_never_lowers_the_risk(seen: list[Features], attempt: Features) -> None:
    profile = grown(*seen)
    with_it = assess(profile, attempt._replace(device=True), NOW, POLICY)
    without = assess(profile, attempt._replace(device=False), NOW, POLICY)
    # an account that has never shown a known device says nothing by showing none
    if profile.sign_ins > profile.strange:
        assert without.score >= with_it.score


@given(histories, some)
def test_evidence_stays_within_its_bounds(seen: list[Features], attempt: Features) -> None:
    found = assess(grown(*seen), attempt, NOW, POLICY)
    assert all(POLICY.least <= value <= POLICY.most for value in found.evidence.values())
    assert 0.0 <= found.probability <= 1.0


@given(histories, some)
def test_what_is_not_known_of_one_feature_is_neutral_for_it(seen: list[Features], attempt: Features) -> None:
    profile = grown(*seen)
    for chain in ("place", "browser", "kind", "client"):
        hidden = attempt._replace(**dict.fromkeys(CHAINS[chain]))
        assert assess(profile, hidden, NOW, POLICY).evidence[chain] == 0.0


@given(histories, some)
def test_a_profile_kept_as_text_assesses_as_before(seen: list[Features], attempt: Features) -> None:
    profile = grown(*seen)
    again = Profile.load(profile.dump())
    assert assess(again, attempt, NOW, POLICY).score == pytest.approx(
        assess(profile, attempt, NOW, POLICY).score, abs=0.1
    )


def test_the_order_of_features_does_not_matter() -> None:
    found = assess(usual_at(), ABROAD, NOW, POLICY)
    names = list(POLICY.weights)
    for order in list(permutations(names))[:50]:
        shuffled = replace(POLICY, weights={name: POLICY.weights[name] for name in order})
        assert assess(usual_at(), ABROAD, NOW, shuffled).score == pytest.approx(found.score)


def test_a_profile_stays_within_six_kilobytes_however_much_changes() -> None:
    profile = Profile()
    for number in range(2000):
        new = {name: f"{number:064}" for name in LEVELS if name not in ("hour", "shift")}
        profile = profile.learnt(Features(False, hour=number % 168, **new), NOW + number)
    assert len(profile.dump().encode()) <= 6 * 1024


def test_what_was_seen_half_a_year_ago_counts_a_quarter() -> None:
    old = Profile().learnt(HOME, NOW)
    assert old.faded(NOW + 2 * HALF_LIFE).seen("asn").counts["Orange"] == pytest.approx(0.25)


def test_a_clock_that_went_back_changes_no_count() -> None:
    assert usual_at().faded(0.0) == usual_at()


@pytest.mark.parametrize(
    "text",
    [
        "[1,NaN,0,{}]",
        '[1,2,3,{"asn":[1,0,{"a":-5}]}]',
        '[1,2,3,{"asn":[1e999,0,{}]}]',
        '[1,2,3,{"asn":[true,0,{}]}]',
        None,
        "",
        "{}",
        "[]",
        "null",
        "[1,2,3]",
        '[1,2,3,{"asn":5}]',
        '[1,2,3,{"asn":[1,2,[]]}]',
        "\x00",
        "[" * 100_000,
    ],
)
def test_a_profile_that_cannot_be_read_is_an_empty_one(text: str | None) -> None:
    assert Profile.load(text) == Profile()


@given(st.recursive(st.one_of(st.none(), st.floats(), st.text(max_size=5)), lambda inner: st.lists(inner, max_size=4)))
def test_whatever_was_written_there_by_hand_a_profile_is_read(written: Any) -> None:
    assert isinstance(Profile.load(json.dumps(written)), Profile)


def test_a_feature_in_report_only_is_told_and_changes_nothing() -> None:
    quiet = replace(POLICY, report_only=frozenset({"place"}))
    found, loud = assess(usual_at(), ABROAD, NOW, quiet), assess(usual_at(), ABROAD, NOW, POLICY)
    assert found.score == pytest.approx(loud.score - POLICY.weights["place"] * loud.evidence["place"])
    assert found.evidence == loud.evidence


def test_the_engine_in_report_only_calls_everything_usual_and_says_what_it_would_be() -> None:
    found = assess(usual_at(), ABROAD, NOW, replace(POLICY, report_only=frozenset({"all"})))
    assert (found.risk, found.would_be) == ("usual", "high")
    assert "new_country" in found.reasons


def test_every_field_of_features_is_compared() -> None:
    compared = {level for chain in CHAINS.values() for level in chain} | {"device", "ip"}  # `moved` looks at that one
    assert set(Features._fields) <= compared


@pytest.mark.parametrize(
    "wrong",
    [
        {"weights": {}},
        {"weights": {**POLICY.weights, "place": -1.0}},
        {"weights": {**POLICY.weights, "colour": 1.0}},
        {"agrees": {**POLICY.agrees, "asn": 0.0}},
        {"raised": 1.0, "high": 0.0},
        {"report_only": frozenset({"plcae"})},
        {"novelty": 0.0},
    ],
)
def test_a_policy_that_means_nothing_is_refused_in_a_sentence(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="RiskPolicy"):
        RiskPolicy(**wrong)


class TestMoved:
    def test_a_session_that_stays_may_go_on(self) -> None:
        assert moved(usual_at(), HOME, HOME._replace(address="a2", hour=40), POLICY) == ()

    def test_a_browser_update_is_not_asked_about(self) -> None:
        assert moved(usual_at(), HOME, HOME._replace(build="Firefox 141 Linux"), POLICY) == ()

    def test_a_browser_that_turns_into_another_is(self) -> None:
        assert moved(usual_at(), HOME, NEW_BROWSER, POLICY) == ("browser_changed",)

    def test_one_that_says_nothing_any_more_is(self) -> None:
        silent = HOME._replace(build=None, family=None, system=None)
        assert moved(usual_at(), HOME, silent, POLICY) == ("browser_changed",)

    def test_a_new_country_and_a_new_network_are_named(self) -> None:
        there = HOME._replace(network="n9", district="d9", asn="Rented", country="RO")
        assert moved(usual_at(), HOME, there, POLICY) == ("new_country",)
        assert moved(usual_at(), HOME, there._replace(country="FR"), POLICY) == ("new_asn",)

    def test_a_mobile_network_that_was_proven_from_is_not(self) -> None:
        phone = HOME._replace(address="a7", network="n7", district="d7", asn="Free mobile")
        assert moved(usual_at(phone), HOME, phone, POLICY) == ()

    def test_a_new_address_where_each_is_new_is_not(self) -> None:
        calls = [HOME._replace(address=f"m{i}", network=f"m{i}", district="m", asn="Free mobile") for i in range(6)]
        assert moved(usual_at(*calls[:5]), HOME, calls[5], POLICY) == ()

    def test_a_new_server_in_a_known_rented_network_is(self) -> None:
        rented = [HOME._replace(network=f"r{i}", district="r", asn="Rented", kind="hosting") for i in range(6)]
        assert moved(usual_at(*rented[:5]), HOME, rented[5], POLICY) == ("new_network",)

    def test_without_network_data_a_new_part_of_the_internet_is(self) -> None:
        bare = HOME._replace(asn=None, country=None, kind=None)
        there = bare._replace(network="n9", district="d9")
        assert moved(grown(*[bare] * 30), bare, there, POLICY) == ("new_district",)

    def test_the_other_version_of_ip_in_the_same_access_network_is_not(self) -> None:
        """Browsers go from one to the other within a session (RFC 8305)."""
        four = HOME._replace(ip="4")
        six = HOME._replace(address="a6", network="n6", district="d6", ip="6")
        assert moved(usual_at(), four, six, POLICY) == ()
        assert moved(usual_at(), six, four, POLICY) == ()

    @pytest.mark.parametrize(
        "other",
        [
            {"asn": "Rented"},
            {"country": "RO"},
            {"asn": None},
            {"kind": "hosting"},
            {"kind": "vpn"},
            {"ip": "4"},
            {"ip": None},
        ],
        ids=str,
    )
    def test_the_other_version_of_ip_anywhere_else_is(self, other: dict[str, Any]) -> None:
        six = HOME._replace(address="a6", network="n6", district="d6", ip="6")._replace(**other)
        assert moved(usual_at(), HOME._replace(ip="4"), six, POLICY) != ()

    def test_another_browser_at_the_other_version_of_ip_is(self) -> None:
        six = NEW_BROWSER._replace(address="a6", network="n6", district="d6", ip="6")
        assert moved(usual_at(), HOME._replace(ip="4"), six, POLICY) == ("browser_changed",)
