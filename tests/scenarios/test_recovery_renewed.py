"""How many recovery codes are left, and new ones in the place of the old."""

from __future__ import annotations

import pytest

from tests.support.html_page import Page
from tests.support.owners import (
    by_code,
    by_key,
    client_at_login,
    codes_of,
    enrol,
    recovery_hashes,
    try_code,
    with_codes,
)
from tests.support.portal import MakePortal, Portal

SQLITE = pytest.mark.parametrize("backend", ["sqlite"])
WRONG = (422, "wrong_code")


@pytest.mark.parametrize(("left", "sentence"), [(3, "3 codes"), (1, "un seul code"), (0, "aucun code")])
def test_the_owner_sees_how_many_are_left(portal: Portal, left: int, sentence: str) -> None:
    (key,) = enrol(portal, "key")
    codes = with_codes(portal, count=left + 1)
    by_code(portal, codes[0])
    browser = by_key(portal, key)
    assert browser.api("GET", "authenticators").json["recovery_codes_left"] == left
    assert sentence in Page(browser.get("/mfa/authenticators").text).visible
    assert ("recovery" in browser.api("GET", "session").json["allowed_methods"]) == (left > 0)


@pytest.mark.parametrize("over", ["the page", "the API"])
def test_new_codes_are_told_once_and_the_old_ones_are_dead_at_once(make: MakePortal, over: str) -> None:
    one, two = make(), make()
    (key,) = enrol(one, "key")
    old = with_codes(one)
    waiting = client_at_login(two)
    browser = by_key(one, key)
    if over == "the page":
        answer = browser.step("authenticators", action="renew")
        new = codes_of(answer)
    else:
        answer = browser.api("POST", "recovery/renew")
        new = answer.json["codes"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(new) == len(set(new)) == 10
    assert not set(new) & set(old)
    for code in old:
        assert try_code(waiting, code) == WRONG
    assert try_code(waiting, new[0]) == (200, None)
    for later in (browser.get("/mfa/authenticators"), browser.api("GET", "authenticators"), browser.get("/mfa/enrol")):
        assert not [code for code in new if code in later.text]
    assert one.events()[-5:].count(("recovery_codes_renewed", "success", None)) == 1


@SQLITE
def test_a_second_enrolment_draws_no_second_set(portal: Portal) -> None:
    (key,) = enrol(portal, "key")
    with_codes(portal)
    before = recovery_hashes(portal)
    answer = by_key(portal, key).add_key()
    assert "recovery_codes" not in answer.json
    assert recovery_hashes(portal) == before


@SQLITE
def test_an_account_whose_last_code_is_spent_gets_no_new_ones_unasked(portal: Portal) -> None:
    (key,) = enrol(portal, "key")
    (code,) = with_codes(portal, count=1)
    by_code(portal, code)
    assert "recovery_codes" not in by_key(portal, key).add_key().json
    assert recovery_hashes(portal) == []
