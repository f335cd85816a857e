"""What a request has read may be stale when it acts: its session, its key's count, its account, and who locks first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from mfa_gate.factors import webauthn
from mfa_gate.store import activations, authenticators
from mfa_gate.testing.software_key import SoftwareKey
from mfa_gate.web.request_context import RequestContext
from tests.support.owners import CHANGES, RENAME, Change, by_key, enrol, everything, id_of_key, named, said, with_codes
from tests.support.passkeys import PLAIN, begin, credentials, key_of, refused, send, sign_in
from tests.support.portal import Browser, MakePortal, Portal
from tests.support.postgres import WAITS_FOR_A_LOCK
from tests.support.waiting import NET, until

BACK = ("sign_count_went_back", "success", None)
POSTGRESQL = pytest.mark.parametrize("backend", ["postgresql"])


# --- a proof that was taken from the session meanwhile -----------------------------------------------------------


@dataclass
class Both:
    """Anne's browser, proven by a key and by her app, and another tab of it that removes that key.

    Attributes:
        kept: id of her other key.
    """

    portal: Portal
    tab: Browser
    other_tab: Browser
    secret: str
    keys: tuple[SoftwareKey, SoftwareKey]
    kept: str

    def remove(self) -> None:
        """Remove the key that the session was proven by; the session goes on, by the app's proof."""
        answer = self.other_tab.api("DELETE", f"authenticators/{id_of_key(self.portal, self.keys[0])}")
        assert (answer.status_code, answer.json["signed_out"]) == (200, False)

    @property
    def level(self) -> int:
        """Of her only session, as the store holds it."""
        (row,) = self.portal.sql("SELECT level FROM mfa_sessions WHERE account_id = 'anne'")
        return int(row.level)


@pytest.fixture
def both(portal: Portal) -> Both:
    secret, used, kept = enrol(portal, "app", "key", "key")
    with_codes(portal)
    browser = by_key(portal, used)
    portal.clock.advance(30)
    assert browser.api("POST", "totp/verify", {"code": portal.code(secret)}).status_code == 200
    portal.clock.advance(30)
    both = Both(portal, browser, browser.copy(), secret, (used, kept), id_of_key(portal, kept))
    assert (browser.api("GET", "session").json["methods"], both.level) == (["pwd", "pop", "otp"], 3)
    return both


def once_read(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen once, when the next request has read its session and before it acts by it."""
    real, once = RequestContext.client, iter([happens])

    def client(self: RequestContext) -> Any:
        read = real.fget(self)  # type: ignore[attr-defined]
        for event in once:
            event()
        return read

    monkeypatch.setattr(RequestContext, "client", property(client))


def by_app_again(both: Both) -> Callable[[], TestResponse]:
    code = both.portal.code(both.secret)
    return lambda: both.tab.api("POST", "totp/verify", {"code": code})


def by_the_removed_key_again(both: Both) -> Callable[[], TestResponse]:
    answer = both.keys[0].assert_(begin(both.tab, "verify"))
    return lambda: both.tab.api("POST", "webauthn/verify/complete", answer)


def by_the_other_key(both: Both) -> Callable[[], TestResponse]:
    answer = both.keys[1].assert_(begin(both.tab, "verify"))
    return lambda: both.tab.api("POST", "webauthn/verify/complete", answer)


def by_an_activation_code(both: Both) -> Callable[[], TestResponse]:
    code = both.portal.activation_code()
    return lambda: both.tab.api("POST", "activation/verify", {"code": code})


def by_a_page(both: Both) -> Callable[[], TestResponse]:
    code = both.portal.code(both.secret)
    return lambda: both.tab.step("challenge", code=code)


@pytest.mark.abuse("A61")
@pytest.mark.parametrize(
    "elevation", [by_app_again, by_the_removed_key_again, by_the_other_key, by_an_activation_code, by_a_page]
)
def test_a_rise_does_not_bring_a_proof_back_that_was_removed_meanwhile(
    both: Both, monkeypatch: pytest.MonkeyPatch, elevation: Callable[[Both], Callable[[], TestResponse]]
) -> None:
    """It was read with the proof, and would be written with it."""
    send_it = elevation(both)
    once_read(monkeypatch, both.remove)
    assert send_it().status_code in (303, 401, 422)
    assert both.level == 2
    assert both.tab.api("GET", "session").json["methods"] == ["pwd", "otp"]
    assert both.tab.get("/safe", headers={"Accept": "application/json"}).status_code == 401
    assert both.tab.get("/bank").text == "bank form"  # the session itself goes on


@pytest.mark.abuse("A61")
def test_after_a_removal_a_step_up_by_app_still_works_and_lifts_nothing(both: Both) -> None:
    both.remove()
    code = both.portal.code(both.secret)
    assert both.tab.api("POST", "totp/verify", {"code": code}).status_code == 200
    assert both.level == 2
    assert both.tab.get("/safe", headers={"Accept": "application/json"}).status_code == 401


@pytest.mark.abuse("A61")
@pytest.mark.parametrize("change", CHANGES, ids=named)
def test_a_change_by_a_proof_that_was_removed_meanwhile_changes_nothing(
    both: Both, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    left: list[Any] = []

    def removed() -> None:
        both.remove()
        left.append(everything(both.portal))

    once_read(monkeypatch, removed)
    answer = change.send(both.tab, both.kept)
    assert answer.status_code in (303, 401)
    assert left == [everything(both.portal)]


@pytest.mark.abuse("A61")
@pytest.mark.parametrize("step", ["totp/enrol/begin", "webauthn/enrol/begin"])
def test_an_enrolment_by_a_proof_that_was_removed_meanwhile_is_not_begun(
    both: Both, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    once_read(monkeypatch, both.remove)
    assert said(both.tab.api("POST", step)) == (401, "sign_in_required")
    assert both.portal.sql("SELECT * FROM mfa_enrolments") == both.portal.sql("SELECT * FROM mfa_challenges") == []


@pytest.mark.abuse("A61")
def test_a_new_key_is_not_enrolled_by_a_proof_that_was_removed_meanwhile(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = key_of().register(begin(both.tab, "enrol"))
    once_read(monkeypatch, both.remove)
    assert said(both.tab.api("POST", "webauthn/enrol/complete", made)) == (401, "sign_in_required")
    assert [row.authenticator_id for row in credentials(both.portal)] == [both.kept]
    assert both.level == 2


def test_a_session_that_only_grew_a_proof_meanwhile_is_asked_again_and_not_ended(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tabs that are elevated at once: one is refused, and its next try passes."""
    code = both.portal.code(both.secret)
    once_read(monkeypatch, lambda: sign_in_again(both.other_tab, both.keys[1]))
    assert said(RENAME.send(both.tab, both.kept)) == (401, "sign_in_required")
    both.tab.gate_cookie = str(both.other_tab.gate_cookie)
    assert both.tab.api("POST", "totp/verify", {"code": code}).status_code == 200
    assert RENAME.send(both.tab, both.kept).status_code == 200


def sign_in_again(browser: Browser, key: SoftwareKey) -> None:
    assert browser.prove(key).status_code == 200


# --- a count that was raised meanwhile ---------------------------------------------------------------------------


@pytest.mark.abuse("A41")
@pytest.mark.parametrize("first", [0, 1], ids=["the copy is faster", "the key is faster"])
def test_a_copied_key_that_answers_at_the_same_time_with_the_same_count_is_told(
    make: MakePortal, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """Both answers were compared with the count that was stored before either."""
    portal = make(**PLAIN)
    key = portal.key()
    assert sign_in(portal.browser(), key).status_code == 200
    pair = [portal.browser("198.51.100.1"), portal.browser("198.51.100.2")]
    for browser in pair:
        browser.password()
    answers = [one.assert_(begin(at, "verify")) for one, at in zip((key, key.clone()), pair, strict=True)]
    real, passed = webauthn.complete_authentication, []
    late, early = (first, 1 - first)
    once = iter([lambda: passed.append(send(pair[early], "verify", answers[early]).status_code)])

    def complete(*args: Any) -> Any:
        asserted = real(*args)
        for event in once:
            event()
        return asserted

    monkeypatch.setattr(webauthn, "complete_authentication", complete)
    passed.append(send(pair[late], "verify", answers[late]).status_code)
    assert passed == [200, 200]
    assert portal.events().count(BACK) == 1
    (told,) = portal.sql("SELECT data FROM mfa_events WHERE kind = 'sign_count_went_back'")
    (stored,) = credentials(portal)
    assert stored.authenticator_id in told.data
    assert stored.sign_count == 2


# --- an account that was disabled meanwhile ----------------------------------------------------------------------


@pytest.mark.abuse("A62")
@pytest.mark.parametrize("state", ["pending", "signed_in"])
def test_a_disabled_account_is_not_even_asked_for_its_key(make: MakePortal, state: str) -> None:
    portal = make(**PLAIN)
    key, browser = portal.key(), portal.browser()
    if state == "signed_in":
        sign_in(browser, key)
    else:
        browser.password()
    assert browser.state == state
    token = browser.token
    del portal.people["anne"]
    answer = browser.api("POST", "webauthn/verify/begin", headers={"X-MFA-CSRF": token})
    assert said(answer) == (401, "sign_in_required")
    assert browser.state == "anonymous"
    assert portal.sql("SELECT * FROM mfa_sessions") == portal.sql("SELECT * FROM mfa_challenges") == []
    assert portal.events()[-1] == ("session_ended", "success", "account_gone")


# --- who locks first ---------------------------------------------------------------------------------------------


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def in_the_middle_of_leaving(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, start: Callable[[], Future[Any]]
) -> list[Future[Any]]:
    """Start something once, between the first row that a sign-out locks and its last one, and let it get through.

    Or as far as it gets: until it waits for one of these rows.
    """
    started: list[Future[Any]] = []
    real_release, real_abandon = activations.release, authenticators.abandon_enrolments

    def meanwhile() -> None:
        if not started:
            started.append(start())
            until(lambda: started[0].done() or portal.sql(WAITS_FOR_A_LOCK))

    def release(*args: Any) -> None:
        meanwhile()
        real_release(*args)

    def abandon(*args: Any) -> None:
        meanwhile()
        real_abandon(*args)

    monkeypatch.setattr(activations, "release", release)
    monkeypatch.setattr(authenticators, "abandon_enrolments", abandon)
    return started


def enrolling(portal: Portal) -> tuple[Browser, dict[str, str]]:
    """A browser in an activation session, and what confirms the enrolment that it has begun."""
    browser = portal.browser()
    browser.activate()
    begun = browser.begin_enrolment()
    return browser, {"enrolment": begun["enrolment"], "code": portal.code(begun["secret"])}


@POSTGRESQL
def test_a_sign_out_and_a_new_activation_code_wait_for_each_other_in_one_order(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, aside: ThreadPoolExecutor
) -> None:
    browser, _ = enrolling(portal)
    issued = in_the_middle_of_leaving(portal, monkeypatch, lambda: aside.submit(portal.activation_code))
    assert browser.api("POST", "sign-out").status_code == 200
    code = issued[0].result(NET)
    assert browser.state == "anonymous"
    browser.password()
    assert browser.api("POST", "activation/verify", {"code": code}).status_code == 200


@POSTGRESQL
def test_a_sign_out_and_the_end_of_an_enrolment_wait_for_each_other_in_one_order(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, aside: ThreadPoolExecutor
) -> None:
    browser, body = enrolling(portal)
    tab, token = browser.copy(), browser.token
    confirm = {"json": body, "headers": {"X-MFA-CSRF": token}}
    done = in_the_middle_of_leaving(
        portal, monkeypatch, lambda: aside.submit(tab.api, "POST", "totp/enrol/complete", **confirm)
    )
    assert browser.api("POST", "sign-out").status_code == 200
    assert done[0].result(NET).status_code in (200, 401, 409)
    assert portal.sql("SELECT * FROM mfa_sessions") == []


ROUNDS = 8


@POSTGRESQL
@pytest.mark.parametrize("beside", ["a new activation code", "the end of an enrolment"])
def test_many_sign_outs_beside_it_all_get_through(portal: Portal, aside: ThreadPoolExecutor, beside: str) -> None:
    for _ in range(ROUNDS):
        browser, body = enrolling(portal)
        tab, token, barrier = browser.copy(), browser.token, threading.Barrier(2)
        headers = {"X-MFA-CSRF": token}

        def leave() -> int:
            barrier.wait()  # noqa: B023  (of this round)
            return browser.api("POST", "sign-out", headers=headers).status_code  # noqa: B023

        def other() -> int:
            barrier.wait()  # noqa: B023
            if beside == "a new activation code":
                portal.activation_code()  # raises where the store gives up
                return 200
            return tab.api("POST", "totp/enrol/complete", body, headers=headers).status_code  # noqa: B023

        codes = [future.result(NET) for future in (aside.submit(leave), aside.submit(other))]
        assert codes[0] in (200, 401)  # the code, or the new authenticator, may have ended that session first
        assert codes[1] in (200, 401, 409)
        with portal.app.app_context():
            portal.gate.forget("anne")


# --- a flag that was changed by hand -----------------------------------------------------------------------------


@pytest.mark.abuse("A48")
@pytest.mark.parametrize("was", [False, True], ids=["of one device", "synced"])
@pytest.mark.parametrize("follows", [False, True], ids=["as it was enrolled", "as it is stored"])
def test_a_key_whose_kind_was_changed_by_hand_does_not_sign_in(make: MakePortal, was: bool, follows: bool) -> None:
    """A key of one device, said to be synced, or the other way round; and one that answers by what is stored."""
    portal = make(**PLAIN)
    key = portal.key(backup_eligible=was)
    (row,) = credentials(portal)
    sqlite = portal.app.config["MFA_GATE_DATABASE_URL"].startswith("sqlite")
    value = str(int(not was)) if sqlite else str(not was)
    portal.sql(f"UPDATE mfa_webauthn_credentials SET backup_eligible = {value}")  # noqa: S608
    key.backup_eligible = follows is not was
    browser = portal.browser()
    assert refused(sign_in(browser, key), portal, "seal_broken")
    assert browser.state == "pending"
    assert portal.opened == []
    done = portal.app.test_cli_runner().invoke(args=["mfa", "check"])
    assert done.exit_code == 1
    assert row.authenticator_id in done.output
