"""The limiter: how many guesses are ever evaluated, no matter what a stranger does and who signs in meanwhile."""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mfa_gate import web
from mfa_gate.durations import DAY
from mfa_gate.factors import totp
from mfa_gate.limits.rules import QUARTER, LimitPolicy, Rule
from mfa_gate.testing import SoftwareKey, totp_code
from mfa_gate.testing.software_key import Tampered
from tests.support.portal import BASE_URL, Browser, MakePortal, Portal

OWNER = "203.0.113.200"


@dataclass
class Tally:
    """Every code that was really checked: when, and whether it was right."""

    portal: Portal
    checked: list[tuple[float, bool]] = field(default_factory=list)

    @property
    def wrong(self) -> list[float]:
        return [at for at, right in self.checked if not right]

    def most_in(self, seconds: float) -> int:
        """The most wrong ones in any such span."""
        return max((sum(at - seconds < other <= at for other in self.wrong) for at in self.wrong), default=0)

    @property
    def most_in_a_row(self) -> int:
        longest = row = 0
        for _, right in self.checked:
            row = 0 if right else row + 1
            longest = max(longest, row)
        return longest


@pytest.fixture
def tally(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> Tally:
    kept = Tally(portal)
    really = totp.complete

    def complete(*args: Any, **kwargs: Any) -> int:
        right = False
        try:
            step = really(*args, **kwargs)
            right = True
            return step
        finally:
            kept.checked.append((portal.clock(), right))

    monkeypatch.setattr(totp, "complete", complete)
    return kept


class Guesser:
    """Somebody with the leaked password, many addresses and many sessions, on any of the workers."""

    def __init__(self, workers: list[Portal], secret: str, addresses: int = 50) -> None:
        self.workers, self.secret = workers, secret
        self.addresses = [f"198.51.100.{number}" for number in range(1, addresses + 1)]
        self.made = 0
        self._open: dict[str, tuple[Browser, str, float]] = {}

    def guess(self) -> Any:
        """Send one wrong code; the answer."""
        address = self.addresses[self.made % len(self.addresses)]
        worker = self.workers[self.made % len(self.workers)]
        self.made += 1
        browser, token, since = self._open.get(address, (None, "", 0.0))
        if browser is None or worker.clock() - since >= 600:
            browser = worker.browser(address)
            browser.password()
            token = browser.token
            self._open[address] = (browser, token, worker.clock())
        return browser.api("POST", "totp/verify", json={"code": self.wrong()}, headers={"X-MFA-CSRF": token})

    def wrong(self) -> str:
        now = self.workers[0].clock()
        near = {totp_code(self.secret, now + 30 * step) for step in (-1, 0, 1)}
        return next(code for code in (f"{self.made + number:06d}" for number in range(10)) if code not in near)

    def a_day_of_guesses(self) -> int:
        """Guess as often as the answers allow for a day; how many were let through. The day is over then."""
        clock = self.workers[0].clock
        end, through = clock() + DAY, 0
        while clock() < end:
            answer = self.guess()
            if answer.status_code == 429:
                clock.now = min(end, clock() + int(answer.headers["Retry-After"]))
            else:
                assert answer.status_code == 422
                through += 1
                assert through <= 50, "no limit holds"
        return through

    def until_refused(self) -> None:
        """Guess until an answer says to wait."""
        assert any(self.guess().status_code == 429 for _ in range(50)), "no limit holds"


def owner_signs_in(portal: Portal, secret: str) -> int:
    """The owner tries to sign in by the right code; the status of the answer to it."""
    browser = portal.browser(OWNER)
    browser.password()
    return browser.api("POST", "totp/verify", json={"code": portal.code(secret)}).status_code


# --- a stranger's guesses ----------------------------------------------------------------------------------------


@pytest.mark.abuse("A13")
def test_of_300_guesses_over_50_addresses_at_most_ten_are_evaluated(
    make: MakePortal, portal: Portal, tally: Tally
) -> None:
    secret = portal.enrolled()
    guesser = Guesser([portal, make()], secret)
    for number in range(300):
        guesser.guess()
        portal.clock.advance(20)
        if number % 60 == 59:
            owner_signs_in(portal, secret)
    assert guesser.made == 300
    assert 0 < len(tally.wrong) <= 10


@pytest.mark.abuse("A13")
def test_with_nobody_signing_in_60_guesses_in_a_row_are_the_last(
    make: MakePortal, portal: Portal, tally: Tally
) -> None:
    """The chance of a stranger ends there: none is evaluated until the first of the 60 is a quarter old."""
    guesser = Guesser([portal, make()], portal.enrolled())
    assert [guesser.a_day_of_guesses() for _ in range(6)] == [10] * 6
    for _ in range(3):
        assert guesser.guess().status_code == 429
        portal.clock.advance(25 * DAY)
    assert tally.most_in_a_row == 60
    assert tally.most_in(DAY) == 10


@pytest.mark.abuse("A13")
def test_whatever_the_owner_does_a_stranger_gets_100_guesses_a_quarter(
    make: MakePortal, portal: Portal, tally: Tally
) -> None:
    secret = portal.enrolled()
    guesser = Guesser([portal, make()], secret)
    first = portal.clock()
    for _ in range(13):
        owner_signs_in(portal, secret)
        guesser.a_day_of_guesses()
    assert len(tally.wrong) == 100
    while portal.clock() < first + QUARTER - 10 * DAY:
        portal.clock.advance(10 * DAY)
        assert guesser.guess().status_code == 429
    portal.clock.now = first + QUARTER + DAY
    guesser.a_day_of_guesses()
    assert tally.most_in(QUARTER) <= 100
    assert tally.most_in(DAY) <= 10


@pytest.mark.abuse("A13")
def test_waits_grow_long_before_the_day_is_used_up(portal: Portal, tally: Tally) -> None:
    guesser = Guesser([portal], portal.enrolled())
    waits = []
    while len(tally.wrong) < 10:
        answer = guesser.guess()
        assert guesser.made < 100
        if answer.status_code == 429:
            waits.append(int(answer.headers["Retry-After"]))
            assert answer.json["retry_after"] == waits[-1]
            portal.clock.advance(waits[-1] - 1)
            assert guesser.guess().status_code == 429
            portal.clock.advance(1)
    assert waits == [5, 10, 20, 40, 80, 160, 320]
    final = guesser.guess()
    assert DAY - 700 < int(final.headers["Retry-After"]) <= DAY


@pytest.mark.abuse("A13")
def test_a_success_gives_back_its_own_attempt_and_nothing_else(portal: Portal, tally: Tally) -> None:
    """Nine wrong ones and a right one, again and again in one day: the wrong ones never become more than ten."""
    secret = portal.enrolled()
    guesser = Guesser([portal], secret)
    for _ in range(40):
        guesser.guess()
        portal.clock.advance(600)
        owner_signs_in(portal, secret)
    assert len(tally.wrong) == 10


@pytest.mark.abuse("A13")
def test_a_right_code_is_not_evaluated_either_once_the_limit_is_reached(portal: Portal, tally: Tally) -> None:
    secret = portal.enrolled()
    guesser = Guesser([portal], secret)
    guesser.until_refused()
    checked = len(tally.checked)
    assert owner_signs_in(portal, secret) == 429
    assert len(tally.checked) == checked


@pytest.mark.abuse("A13")
def test_the_owners_own_slips_cost_little(portal: Portal, tally: Tally, browser: Browser) -> None:
    secret = portal.enrolled()
    for _ in range(20):
        browser.password()
        for _ in range(2):
            assert browser.api("POST", "totp/verify", json={"code": "000000"}).status_code == 422
        assert browser.api("POST", "totp/verify", json={"code": portal.code(secret)}).status_code == 200
        portal.clock.advance(DAY / 3)
    assert len(tally.checked) == 60


@pytest.mark.abuse("A13")
def test_a_new_first_key_does_not_empty_the_counters(make: MakePortal, portal: Portal, tally: Tally) -> None:
    secret = portal.enrolled()
    guesser = Guesser([portal], secret)
    guesser.a_day_of_guesses()
    portal.clock.advance(-1)  # the day is not over
    spent = len(tally.wrong)
    rotated = make(MFA_GATE_KEYS="new:" + "B" * 43 + ",test1:" + "A" * 43)
    assert Guesser([rotated], secret).guess().status_code == 429
    assert len(tally.wrong) == spent


def test_guesses_against_one_account_do_not_close_another(portal: Portal) -> None:
    guesser = Guesser([portal], portal.enrolled("anne"))
    secret = portal.enrolled("bob")
    guesser.until_refused()
    browser = portal.browser()
    browser.password("bob")
    assert browser.step("challenge", code=portal.code(secret)).status_code == 303


def test_the_page_tells_how_long_to_wait(portal: Portal, browser: Browser) -> None:
    portal.enrolled()
    browser.password()
    for _ in range(3):
        assert browser.step("challenge", code="000000").status_code == 422
    answer = browser.step("challenge", code="000000")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    assert re.search(r"5\s+secondes", answer.text)


# --- the attempt is counted first --------------------------------------------------------------------------------


@pytest.mark.abuse("A14")
@pytest.mark.parametrize("death", [RuntimeError, SystemExit, KeyboardInterrupt, MemoryError])
def test_a_request_that_dies_in_the_check_stays_counted(
    portal: Portal, browser: Browser, monkeypatch: pytest.MonkeyPatch, death: type[BaseException]
) -> None:
    secret = portal.enrolled()
    browser.password()

    def die(*_: Any) -> int:
        raise death

    with monkeypatch.context() as broken:
        broken.setattr(totp, "complete", die)
        for _ in range(3):
            with suppress(SystemExit, KeyboardInterrupt):  # the server's own death; nothing answers then
                assert browser.api("POST", "totp/verify", json={"code": "000000"}).status_code == 503
    assert browser.api("POST", "totp/verify", json={"code": portal.code(secret)}).status_code == 429


@pytest.mark.abuse("A14")
def test_an_attempt_whose_success_cannot_be_stored_stays_counted(
    portal: Portal, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = portal.enrolled()
    browser.password()
    with monkeypatch.context() as broken:
        broken.setattr("mfa_gate.store.authenticators.spend_step", lambda *_: 1 / 0)
        for _ in range(3):
            assert browser.api("POST", "totp/verify", json={"code": portal.code(secret)}).status_code == 503
    assert browser.state == "pending"
    assert browser.api("POST", "totp/verify", json={"code": portal.code(secret)}).status_code == 429


# --- every route that verifies -----------------------------------------------------------------------------------


def posts() -> list[str]:
    """Every endpoint of the gate that takes a POST, as the URL map has them."""
    app = Flask("bare")
    app.register_blueprint(web.blueprint("/mfa"))
    rules = (rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ()))
    return sorted({rule.endpoint.removeprefix("mfa_gate.") for rule in rules})


VERIFIES_NOTHING = {
    "sign-out",
    "api_sign-out",
    "api_totp_enrol_begin",
    "api_webauthn_verify_begin",
    "api_webauthn_enrol_begin",
    "api_recovery_renew",
    "authenticators",
    "sessions",
    "news",
    "api_notices_seen",
    "not-me",  # a signature of 256 bits, before the store is asked
}


def prove_totp(portal: Portal) -> Callable[[str], Any]:
    portal.enrolled()
    browser = portal.browser()
    browser.password()
    return lambda path: browser.post(path, {"csrf_token": browser.token, "code": "000000"})


def activate(portal: Portal) -> Callable[[str], Any]:
    portal.activation_code()
    browser = portal.browser()
    browser.password()
    return lambda path: browser.post(path, {"csrf_token": browser.token, "code": "0000-0000-0000-0000"})


def confirm(portal: Portal) -> Callable[[str], Any]:
    browser = portal.browser()
    browser.activate()
    enrolment = browser.begin_enrolment()["enrolment"]
    fields = {"csrf_token": browser.token, "enrolment": enrolment, "code": "000000"}

    def send(path: str) -> Any:
        # the page takes one field more, by which it tells its two forms apart
        return browser.post(path, fields | ({} if "/api/" in path else {"action": "complete"}))

    return send


def prove_recovery(portal: Portal) -> Callable[[str], Any]:
    browser = portal.browser()
    browser.activate()
    browser.add_key()
    browser.step("sign-out")
    browser.password()
    return lambda path: browser.post(path, {"csrf_token": browser.token, "code": "0000-0000-0000-0000"})


def by_key(begin: str) -> Callable[[Portal], Callable[[str], Any]]:
    """A right answer to a right question, with a signature of something else."""

    def prepare(portal: Portal) -> Callable[[str], Any]:
        browser = portal.browser()
        if begin.endswith("verify/begin"):
            key = portal.key()
            browser.password()
        else:
            key = SoftwareKey(BASE_URL)
            browser.activate()

        def send(path: str) -> Any:
            options = browser.api("POST", begin).json
            tampered = Tampered(bad_signature=True, origin="https://evil.example")
            answer = key.assert_(options, tampered) if "verify" in begin else key.register(options, tampered)
            return browser.api("POST", path.removeprefix("/mfa/api/v1/"), answer)

        return send

    return prepare


DRIVEN: dict[str, Callable[[Portal], Callable[[str], Any]]] = {
    "challenge": prove_totp,
    "api_totp_verify": prove_totp,
    "activate": activate,
    "api_activation_verify": activate,
    "enrol": confirm,
    "api_totp_enrol_complete": confirm,
    "api_recovery_verify": prove_recovery,
    "api_webauthn_verify_complete": by_key("webauthn/verify/begin"),
    "api_webauthn_enrol_complete": by_key("webauthn/enrol/begin"),
}


@pytest.mark.abuse("A16")
@pytest.mark.parametrize("endpoint", [endpoint for endpoint in posts() if endpoint not in VERIFIES_NOTHING])
def test_every_route_that_verifies_anything_counts_and_slows_down(portal: Portal, endpoint: str) -> None:
    assert endpoint in DRIVEN, "a new route: say here how it is driven, or that it verifies nothing"
    path = next(rule.rule for rule in portal.app.url_map.iter_rules(f"mfa_gate.{endpoint}"))
    send = DRIVEN[endpoint](portal)
    statuses = [send(path).status_code for _ in range(12)]
    assert statuses[0] == 422
    assert statuses[-1] == 429
    assert len(portal.sql("SELECT key FROM mfa_counters WHERE failures <> '[]'")) >= 2  # its own, and the source's


@pytest.mark.abuse("A16")
def test_what_verifies_nothing_is_known_by_name() -> None:
    assert set(posts()) == VERIFIES_NOTHING | set(DRIVEN)


@pytest.mark.abuse("A16")
@pytest.mark.parametrize("prepare", [prove_totp, confirm], ids=["challenge", "enrol"])
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_program_at_the_url_of_a_page_counts_too(
    portal: Portal, prepare: Callable[[Portal], Callable[[str], Any]]
) -> None:
    browser = portal.browser()
    if prepare is prove_totp:
        portal.enrolled()
        browser.password()
        path, body = "/mfa/challenge", {"code": "000000"}
    else:
        browser.activate()
        path, body = "/mfa/enrol", {"code": "000000", "enrolment": browser.begin_enrolment()["enrolment"]}
    headers = {"Accept": "application/json", "X-MFA-CSRF": browser.token}
    statuses = [browser.open("POST", path, json=body, headers=headers).status_code for _ in range(12)]
    assert (statuses[0], statuses[-1]) == (422, 429)


# --- the portal's own login --------------------------------------------------------------------------------------

VARIANTS = ["anne", "ANNE", "Anne", " anne", "anne ", "anne\u00a0", "\uff41\uff4e\uff4e\uff45", "\uff21NNE", "aNNe\t"]


@pytest.mark.abuse("A17")
def test_all_spellings_of_a_user_name_share_one_counter(portal: Portal) -> None:
    for name in VARIANTS[:5]:
        assert portal.browser().password(name, "wrong").status_code == 401
    for name in VARIANTS:
        assert portal.browser().password(name, "wrong").status_code == 429, ascii(name)


@pytest.mark.abuse("A17")
@pytest.mark.parametrize("backend", ["sqlite"])
def test_all_spellings_count_for_the_name_that_fails_everywhere(portal: Portal) -> None:
    """A hundred in a day, and each source has a try a minute left at any of them."""
    for number in range(100):
        portal.browser(f"192.0.2.{number}").password(VARIANTS[number % len(VARIANTS)], "wrong")
    for number, name in enumerate(VARIANTS):
        browser = portal.browser(f"198.51.100.{number}")
        assert browser.password(name, "wrong").status_code == 401
        assert browser.password("anne", "wrong").headers["Retry-After"] == "60"


@pytest.mark.abuse("A17")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("jos\u00e9", "jose\u0301"),
        ("stra\u00dfe", "STRASSE"),
        ("\ufb01ona", "fiona"),
        ("\u2167", "VIII"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ],
    ids=ascii,
)
@pytest.mark.parametrize("backend", ["sqlite"])
def test_spellings_that_unicode_calls_the_same_share_one_counter(portal: Portal, one: str, other: str) -> None:
    for _ in range(5):
        assert portal.browser().password(one, "wrong").status_code == 401
    assert portal.browser().password(other, "wrong").status_code == 429
    assert portal.browser().password("somebody else", "wrong").status_code == 401


@pytest.mark.abuse("A17")
def test_forms_and_json_share_one_counter(portal: Portal) -> None:
    for _ in range(5):
        portal.browser().password("anne", "wrong")
    answer = portal.browser().open(
        "POST", "/login", json={"email": "ANNE", "password": "wrong"}, headers={"Accept": "application/json"}
    )
    assert (answer.status_code, answer.json["code"]) == (429, "too_many_attempts")


def test_the_brakes_hold_before_the_view_and_a_right_password_waits_too(portal: Portal, browser: Browser) -> None:
    for _ in range(5):
        browser.password("anne", "wrong")
    assert browser.password("anne").status_code == 429
    assert portal.sql("SELECT * FROM mfa_sessions") == []
    portal.clock.advance(1)
    assert browser.password("anne").status_code == 303


def test_a_password_that_signs_in_gives_its_try_back(portal: Portal, browser: Browser) -> None:
    for _ in range(110):  # more than any rule lets fail
        assert browser.password("bob").status_code == 303
        portal.clock.advance(90)


def test_looking_at_the_login_page_is_no_try(portal: Portal, browser: Browser) -> None:
    for _ in range(100):
        assert browser.get("/login").status_code == 200


@pytest.mark.abuse("A36")
def test_an_own_success_leaves_what_a_source_did_to_others(portal: Portal) -> None:
    """59 names tried, one's own account signed in, one more name: the source has had its sixty."""
    sprayer = portal.browser("198.51.100.66")
    for number in range(59):
        assert sprayer.password(f"victim{number}", "wrong").status_code == 401
    for _ in range(3):
        assert sprayer.password("bob").status_code == 303
    assert sprayer.password("victim59", "wrong").status_code == 401
    assert sprayer.password("victim60", "wrong").status_code == 429
    assert sprayer.password("bob").status_code == 429
    assert portal.browser("198.51.100.67").password("victim61", "wrong").status_code == 401


@pytest.mark.abuse("A36")
def test_a_proof_of_ones_own_leaves_what_a_source_did_to_others(make: MakePortal) -> None:
    portal = make(limits=LimitPolicy(code=Rule(((1000, DAY),), free=1000)))
    portal.enrolled()
    secret = portal.enrolled("bob")
    address = "198.51.100.66"
    for _ in range(10):
        portal.clock.advance(30)
        browser = portal.browser(address)
        browser.password("anne")
        for _ in range(6):
            assert browser.api("POST", "totp/verify", json={"code": "000000"}).status_code == 422
        bob = portal.browser(address)
        bob.password("bob")
        bob.api("POST", "totp/verify", json={"code": portal.code(secret)})  # right, as long as it is let through
    for source, status in ((address, 429), ("203.0.113.5", 422)):
        last = portal.browser(source)
        last.password("anne")
        assert last.api("POST", "totp/verify", json={"code": "000000"}).status_code == status


@pytest.mark.parametrize(
    ("addresses", "shared"),
    [
        ([f"2001:db8:1:2::{number:x}" for number in range(1, 62)], True),
        ([f"2001:db8:1:{number:x}::1" for number in range(1, 62)], False),
        ([f"192.0.2.{number}" for number in range(1, 62)], False),
        (["192.0.2.7", "::ffff:192.0.2.7"] * 31, True),
        (["not an address", ""] * 31, True),
    ],
    ids=["one /64", "many /64", "many IPv4", "mapped IPv4", "unreadable"],
)
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_source_is_an_ipv4_address_or_an_ipv6_subscriber(portal: Portal, addresses: list[str], shared: bool) -> None:
    statuses = [
        portal.browser(address).password(f"victim{number}", "wrong").status_code
        for number, address in enumerate(addresses)
    ]
    assert statuses[:60] == [401] * 60
    assert statuses[60] == (429 if shared else 401)


# --- the rules by themselves -------------------------------------------------------------------------------------


def test_a_portal_may_give_rules_of_its_own(make: MakePortal) -> None:
    portal = make(limits=LimitPolicy(code=Rule(((1, 3600.0),))))
    portal.enrolled()
    browser = portal.browser()
    browser.password()
    statuses = [browser.api("POST", "totp/verify", json={"code": "000000"}).status_code for _ in range(2)]
    assert statuses == [422, 429]


@pytest.mark.parametrize("windows", [(), ((5, 60.0), (10, 60.0)), ((5, 60.0), (10, 30.0))])
def test_windows_that_do_not_grow_are_refused(windows: tuple[tuple[int, float], ...]) -> None:
    with pytest.raises(ValueError, match="windows"):
        Rule(windows)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    spans = sorted(draw(st.sets(st.integers(1, 5000), min_size=1, max_size=3)))
    windows = tuple((draw(st.integers(1, 12)), float(span)) for span in spans)
    streak = draw(st.none() | st.integers(1, 12))
    first = draw(st.sampled_from([0.0, 1.0, 7.0]))
    return Rule(windows, streak, draw(st.integers(0, 5)), first, draw(st.sampled_from([60.0, 5000.0])))


ACTS = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(["fail", "fail", "fail", "succeed", "wait"])), max_size=120
)


@settings(deadline=None, max_examples=300, print_blob=True)
@given(rule=rules(), acts=ACTS)
@example(Rule(((10, DAY), (100, QUARTER)), streak=60, first_wait=5.0, greatest_wait=900.0), [(4, "fail")] * 120)
def test_no_rule_ever_lets_more_failures_through_than_its_windows_say(rule: Rule, acts: list[tuple[int, str]]) -> None:
    """Whoever fails, succeeds and waits, in any order: kept as the limiter keeps them."""
    now, failures, streak = 0.0, deque[float](), 0
    let_through: list[tuple[float, int]] = []  # when, and how many successes had been before it
    successes = 0
    for gap, act in acts:
        now += gap
        while failures and failures[0] <= now - rule.span:
            failures.popleft()
        streak = min(streak, len(failures))
        wait = rule.retry_after(list(failures), streak, now)
        assert wait >= 0
        if wait > 0:
            if act == "wait":
                now += wait  # exactly as long as told, after which it must be open
                kept = [at for at in failures if at > now - rule.span]
                assert rule.retry_after(kept, min(streak, len(kept)), now) == 0
            continue
        if act == "succeed":
            streak, successes = 0, successes + 1
            continue
        failures.append(now)
        streak += 1
        let_through.append((now, successes))
    for allowed, seconds in rule.windows:
        for at, _ in let_through:
            assert sum(at - seconds < other <= at for other, _ in let_through) <= allowed
    if rule.streak is not None:
        for at, _ in let_through:
            in_span = [since for other, since in let_through if at - rule.span < other <= at]
            assert max(in_span.count(since) for since in in_span) <= rule.streak


@settings(deadline=None, max_examples=200, print_blob=True)
@given(rule=rules())
def test_waits_grow_and_end(rule: Rule) -> None:
    waits = [rule.wait(streak) for streak in range(200)]
    assert all(wait == 0 for wait in waits[: rule.free])
    assert all(one <= other for one, other in pairwise(waits))
    assert max(waits) <= rule.greatest_wait


def test_the_default_rules_bound_a_strangers_chance_at_three_in_ten_thousand_a_quarter() -> None:
    """At most 100 guesses, each right with three codes of a million, however luckily the owner signs in."""
    seed = random.randrange(2**32)
    print("seed", seed)
    rng, rule = random.Random(seed), LimitPolicy().code
    now, failures, streak = 0.0, list[float](), 0
    while True:
        now += rule.retry_after(failures, streak, now)
        if now >= QUARTER:
            break
        failures.append(now)
        streak = 0 if rng.random() < 0.3 else streak + 1
    assert len(failures) <= 100


def test_an_operator_lets_an_owner_type_codes_again(portal: Portal) -> None:
    secret = portal.enrolled()
    browser = portal.browser()
    browser.password()
    for _ in range(3):
        browser.step("challenge", code="000000")
    assert browser.step("challenge", code=portal.code(secret)).status_code == 429
    with portal.app.app_context():
        assert portal.gate.unlock("anne", "she called the desk") is False
    assert browser.step("challenge", code=portal.code(secret)).status_code == 303
