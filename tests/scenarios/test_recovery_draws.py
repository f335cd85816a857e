"""New recovery codes cost a second of a processor: who may not have them draws none, and nobody is shown dead ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from mfa_gate.durations import DAY
from mfa_gate.factors import recovery as factor
from mfa_gate.testing import SoftwareKey
from tests.support.owners import (
    by_app,
    by_code,
    by_key,
    client_at_login,
    codes_of,
    enrol,
    recovery_hashes,
    redeem,
    said,
    try_code,
    with_codes,
)
from tests.support.portal import Browser, MakePortal, Portal

SQLITE = pytest.mark.parametrize("backend", ["sqlite"])
PER_DAY = 10
RENEWED = ("recovery_codes_renewed", "success", None)


def over_api(browser: Browser) -> TestResponse:
    return browser.api("POST", "recovery/renew")


def over_page(browser: Browser) -> TestResponse:
    return browser.step("authenticators", action="renew")


Renew = Callable[[Browser], TestResponse]
WAYS = pytest.mark.parametrize("renew", [over_api, over_page])


def shown(answer: TestResponse) -> list[str]:
    """The codes that an answer shows."""
    if answer.is_json:
        codes: list[str] = (answer.json or {}).get("codes", [])
        return codes
    return [] if answer.status_code == 303 else codes_of(answer)


# --- two at once -----------------------------------------------------------------------------------------------------


def while_drawing(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen once, while codes are being drawn."""
    real, once = factor.begin, iter([happens])

    def begin() -> factor.Codes:
        for event in once:
            event()
        return real()

    monkeypatch.setattr(factor, "begin", begin)


@WAYS
@pytest.mark.parametrize("had", [True, False], ids=["in the place of others", "the first ones"])
def test_of_two_renewals_that_overlap_the_slower_is_told_no_codes_and_the_faster_ones_work(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, renew: Renew, had: bool
) -> None:
    (key,) = enrol(portal, "key")
    if had:
        with_codes(portal)
    slow, fast = by_key(portal, key), by_key(portal, key)
    answers: list[TestResponse] = []
    while_drawing(monkeypatch, lambda: answers.append(over_api(fast)))
    late = renew(slow)
    (early,) = answers
    assert (early.status_code, late.status_code) == (200, 409)
    assert shown(late) == []
    if renew is over_api:
        assert said(late) == (409, "wrong_state")
    assert portal.events().count(RENEWED) == 1
    assert len(recovery_hashes(portal)) == len(shown(early)) == 10
    for code in shown(early):
        assert try_code(client_at_login(portal), code) == (200, None)


@SQLITE
def test_a_double_click_tells_the_codes_of_the_one_that_was_faster(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one session, from two tabs; then a third try passes."""
    (key,) = enrol(portal, "key")
    browser = by_key(portal, key)
    answers: list[TestResponse] = []
    while_drawing(monkeypatch, lambda: answers.append(over_api(browser.copy())))
    assert said(over_api(browser)) == (409, "wrong_state")
    first = shown(answers[0])
    again = over_api(browser)
    assert again.status_code == 200
    assert try_code(client_at_login(portal), first[0]) == (422, "wrong_code")
    assert try_code(client_at_login(portal), shown(again)[0]) == (200, None)


@SQLITE
def test_a_renewal_beside_one_of_another_account_passes(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    annes, bobs = portal.key("anne"), portal.key("bob")
    anne, bob = by_key(portal, annes), by_key(portal, bobs, "bob")
    while_drawing(monkeypatch, lambda: over_api(bob))
    answer = over_api(anne)
    assert answer.status_code == 200
    assert try_code(client_at_login(portal), shown(answer)[0]) == (200, None)


# --- ten a day -------------------------------------------------------------------------------------------------------


@WAYS
def test_an_account_draws_ten_sets_a_day_and_no_eleventh(make: MakePortal, renew: Renew) -> None:
    """On two workers, in several sessions, from several addresses: the account is what counts."""
    workers = make(), make()
    (key,) = enrol(workers[0], "key")
    for number in range(PER_DAY):
        assert over_api(by_key(workers[number % 2], key)).status_code == 200
    kept = recovery_hashes(workers[0])
    browser = by_key(workers[1], key)
    eleventh = renew(browser)
    assert eleventh.status_code == 429
    assert shown(eleventh) == []
    assert eleventh.headers["Retry-After"] == str(int(DAY))
    assert recovery_hashes(workers[0]) == kept
    if renew is over_api:
        assert (eleventh.json["code"], eleventh.json["retry_after"]) == ("too_many_attempts", int(DAY))


@SQLITE
def test_the_next_day_there_are_new_ones_again_to_the_second(portal: Portal) -> None:
    (key,) = enrol(portal, "key")
    browser = by_key(portal, key)
    for _ in range(PER_DAY):
        assert over_api(browser).status_code == 200
    portal.clock.advance(DAY - 1)
    browser = by_key(portal, key)
    early = over_api(browser)
    assert (early.status_code, early.headers["Retry-After"]) == (429, "1")
    portal.clock.advance(1)
    assert over_api(browser).status_code == 200


@SQLITE
def test_the_ten_of_one_account_leave_every_other_its_own(portal: Portal) -> None:
    annes, bobs = portal.key("anne"), portal.key("bob")
    anne, bob = by_key(portal, annes), by_key(portal, bobs, "bob")
    answers = [over_api(anne).status_code for _ in range(PER_DAY + 1)]
    assert answers == [200] * PER_DAY + [429]
    assert over_api(bob).status_code == 200


# --- who may not have them draws none --------------------------------------------------------------------------------


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry per computation that is paid for."""
    paid: list[int] = []
    real = hashlib.scrypt

    def scrypt(*args: Any, **kwargs: Any) -> bytes:
        paid.append(1)
        return real(*args, **kwargs)

    monkeypatch.setattr(hashlib, "scrypt", scrypt)
    return paid


def with_an_old_proof(portal: Portal, secret: str, key: SoftwareKey, paper: str) -> Browser:
    browser = by_key(portal, key)
    portal.clock.advance(300)
    return browser


def with_a_weaker_proof(portal: Portal, secret: str, key: SoftwareKey, paper: str) -> Browser:
    return by_app(portal, secret)


def with_a_recovery_code(portal: Portal, secret: str, key: SoftwareKey, paper: str) -> Browser:
    return by_code(portal, paper)


def with_the_password_alone(portal: Portal, secret: str, key: SoftwareKey, paper: str) -> Browser:
    return client_at_login(portal)


def of_somebody_without_an_authenticator(portal: Portal, secret: str, key: SoftwareKey, paper: str) -> Browser:
    return client_at_login(portal, "bob")


def of_somebody_who_enrols(portal: Portal, secret: str, key: SoftwareKey, paper: str) -> Browser:
    browser = portal.browser()
    browser.activate("bob")
    return browser


def of_somebody_with_an_app_alone(portal: Portal, secret: str, key: SoftwareKey, paper: str) -> Browser:
    return by_app(portal, portal.enrolled("bob"), "bob")


def of_nobody(portal: Portal, secret: str, key: SoftwareKey, paper: str) -> Browser:
    return portal.browser()


REFUSED = pytest.mark.parametrize(
    ("standing", "code"),
    [
        (with_an_old_proof, "step_up_required"),
        (with_a_weaker_proof, "step_up_required"),
        (with_a_recovery_code, "activation_required"),
        (with_the_password_alone, "step_up_required"),
        (of_somebody_without_an_authenticator, "activation_required"),
        (of_somebody_who_enrols, "enrolment_required"),
        (of_somebody_with_an_app_alone, "activation_required"),
        (of_nobody, "sign_in_required"),
    ],
)


@SQLITE
@WAYS
@REFUSED
def test_a_renewal_that_is_refused_draws_nothing(
    portal: Portal, drawn: list[int], standing: Callable[..., Browser], code: str, renew: Renew
) -> None:
    secret, key = enrol(portal, "app", "key")
    browser = standing(portal, secret, key, with_codes(portal)[0])
    kept = recovery_hashes(portal)
    token = {"X-MFA-CSRF": browser.token or "x"}
    drawn.clear()
    if renew is over_api:
        assert said(browser.api("POST", "recovery/renew", headers=token)) == (401, code)
    else:
        answer = renew(browser)
        assert answer.status_code in (200, 303, 401)
        assert shown(answer) == []
    assert drawn == []
    assert recovery_hashes(portal) == kept


@SQLITE
def test_a_renewal_beyond_the_ten_of_a_day_draws_nothing(portal: Portal, drawn: list[int]) -> None:
    browser = by_key(portal, portal.key())
    for _ in range(PER_DAY):
        assert over_api(browser).status_code == 200
    assert len(drawn) == PER_DAY * 10
    assert over_api(browser).status_code == 429
    assert len(drawn) == PER_DAY * 10


@SQLITE
def test_renewals_that_were_refused_take_nothing_from_the_ten_of_a_day(portal: Portal) -> None:
    key, browser = portal.key(), portal.browser()
    browser.password()
    for _ in range(PER_DAY + 5):
        assert over_api(browser).status_code == 401
    assert browser.prove(key).status_code == 200
    assert over_api(browser).status_code == 200


@SQLITE
def test_with_an_app_and_an_activation_code_a_set_is_drawn(portal: Portal, drawn: list[int]) -> None:
    (secret,) = enrol(portal, "app")
    browser = by_app(portal, secret)
    assert said(over_api(browser)) == (401, "activation_required")
    assert drawn == []
    assert redeem(browser).status_code == 200
    assert over_api(browser).status_code == 200
    assert len(drawn) == 10
