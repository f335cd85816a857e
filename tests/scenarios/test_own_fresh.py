"""How fresh and how strong a proof a change asks for, and that a change which came too late is kept."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.html_page import Page
from tests.support.owners import (
    MFA_300,
    PHR_300,
    REMOVE,
    RENAME,
    RENEW,
    Change,
    authenticators,
    by_app,
    by_key,
    enrol,
    everything,
    id_of,
    named,
    prove_on_page,
    redeem,
    said,
)
from tests.support.portal import BASE_URL, Browser, Portal, hidden

AGE = 300  # seconds that a proof lets its session change authenticators
pytestmark = pytest.mark.parametrize("backend", ["sqlite"])


# --- how fresh, and how strong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [RENAME, REMOVE, RENEW], ids=named)
@pytest.mark.parametrize(("age", "good"), [(AGE - 1, True), (AGE, False)])
def test_a_change_asks_for_a_proof_of_the_last_five_minutes(
    portal: Portal, change: Change, age: int, good: bool
) -> None:
    _, key = enrol(portal, "app", "key")
    browser, before = by_key(portal, key), everything(portal)
    portal.clock.advance(age)
    answer = change.send(browser, id_of(portal, "otp"))
    if good:
        assert answer.status_code == 200
        assert everything(portal) != before
    else:
        assert said(answer) == (401, "step_up_required")
        assert answer.headers["WWW-Authenticate"] == PHR_300
        assert everything(portal) == before


@pytest.mark.parametrize(("age", "good"), [(AGE - 1, True), (AGE, False)])
def test_with_an_app_alone_its_code_is_the_strongest_proof(portal: Portal, age: int, good: bool) -> None:
    (secret,) = enrol(portal, "app")
    browser = by_app(portal, secret)
    portal.clock.advance(age)
    answer = RENAME.send(browser, id_of(portal, "otp"))
    assert said(answer) == ((200, None) if good else (401, "step_up_required"))
    assert good or answer.headers["WWW-Authenticate"] == MFA_300


@pytest.mark.parametrize("change", [RENAME, REMOVE, RENEW], ids=named)
@pytest.mark.parametrize("redeemed", [False, True], ids=["no code", "activation code"])
def test_beside_a_key_no_code_of_an_app_is_proof_enough(portal: Portal, change: Change, redeemed: bool) -> None:
    secret, _ = enrol(portal, "app", "key")
    browser, before = by_app(portal, secret), everything(portal)
    if redeemed:
        assert said(redeem(browser)) == (401, "step_up_required")
    answer = change.send(browser, id_of(portal, "pop"))
    assert said(answer) == (401, "step_up_required")
    assert answer.headers["WWW-Authenticate"] == PHR_300
    assert everything(portal) == before


# --- a change that came too late is kept -----------------------------------------------------------------------------


def sent_again(browser: Browser, resume: Any) -> Any:
    """Press the one button of the page that holds the kept form."""
    page = Page(resume.text)
    (form,) = page.of("form")
    assert len(page.of("button")) == 1
    fields = {str(field["name"]): field["value"] for field in page.of("input")}
    return browser.post(str(form["action"]).removeprefix(BASE_URL), fields)


@pytest.mark.parametrize("action", ["rename", "remove", "renew"])
@pytest.mark.parametrize("why", ["too old", "too weak"])
def test_a_change_on_the_page_that_needs_a_proof_is_kept_and_sent_after_it_by_one_button(
    portal: Portal, action: str, why: str
) -> None:
    secret, key = enrol(portal, "app", "key")
    browser = by_key(portal, key) if why == "too old" else by_app(portal, secret)
    before, id_ = everything(portal), id_of(portal, "otp")
    portal.clock.advance(AGE)
    asked = browser.step("authenticators", action=action, id=id_, label="Téléphone “bleu” & <rouge>")
    assert asked.status_code == 401
    assert "data-mfa-webauthn" in asked.text
    assert 'name="code"' not in asked.text  # neither an app's code nor a recovery code would do
    assert everything(portal) == before
    resume = prove_on_page(browser, key, sealed_form=hidden(asked, "sealed_form"))
    assert resume.status_code == 200
    assert everything(portal) == before  # nothing is sent before the button
    done = sent_again(browser, resume)
    assert done.status_code == (303 if action == "rename" else 200)
    after = {
        "rename": (id_, "otp", "Téléphone “bleu” & <rouge>") in authenticators(portal),
        "remove": id_ not in str(authenticators(portal)),
        "renew": everything(portal)[1] != before[1],
    }
    assert after == {**dict.fromkeys(after, False), action: True}


def test_with_an_app_alone_a_kept_change_asks_for_its_code(portal: Portal) -> None:
    (secret,) = enrol(portal, "app")
    browser = by_app(portal, secret)
    portal.clock.advance(AGE)
    asked = browser.step("authenticators", action="rename", id=id_of(portal, "otp"), label="Phone")
    assert asked.status_code == 401
    wrong = browser.step("challenge", code="000000", sealed_form=hidden(asked, "sealed_form"))
    assert wrong.status_code == 422
    resume = browser.step("challenge", code=portal.code(secret), sealed_form=hidden(wrong, "sealed_form"))
    assert sent_again(browser, resume).status_code == 303
    assert [label for _, _, label in authenticators(portal)] == ["Phone"]


def test_a_kept_change_of_one_sign_in_is_worth_nothing_in_another(portal: Portal) -> None:
    """A form that was sealed for the owner's session does not come back out for a thief's."""
    (key,) = enrol(portal, "key")
    browser = by_key(portal, key)
    portal.clock.advance(AGE)
    asked = browser.step("authenticators", action="rename", id=id_of(portal, "pop"), label="canary")
    other = by_key(portal, key)
    answer = prove_on_page(other, key, sealed_form=hidden(asked, "sealed_form"))
    assert answer.status_code == 303
    assert "canary" not in answer.text


AGAIN = {
    "the page": ("enrol", lambda browser: browser.get("/mfa/enrol")),
    "the form": ("enrol", lambda browser: browser.step("enrol", action="begin")),
    "the activation code": (
        "activate",
        lambda browser: browser.step("activate", code=browser.portal.activation_code()),
    ),
}


@pytest.mark.parametrize("stage", AGAIN)
def test_setting_up_another_one_with_an_old_proof_asks_first_and_comes_back(portal: Portal, stage: str) -> None:
    (key,) = enrol(portal, "key")
    browser = by_key(portal, key)
    portal.clock.advance(AGE)
    step, begin = AGAIN[stage]
    answer = begin(browser)
    assert (answer.status_code, answer.location) == (303, f"{BASE_URL}/mfa/challenge")
    challenge = browser.get("/mfa/challenge").text
    assert "data-mfa-webauthn" in challenge
    assert 'name="code"' not in challenge
    proven = prove_on_page(browser, key)
    assert (proven.status_code, proven.location) == (303, f"{BASE_URL}/mfa/{step}")
    assert browser.get(f"/mfa/{step}").status_code == 200
