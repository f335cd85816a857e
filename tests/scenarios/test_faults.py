"""Whatever breaks keeps the gate closed, with a page or a problem document that says so, and mends itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import session
from sqlalchemy import create_engine, text
from werkzeug.test import TestResponse

from mfa_gate import Account, ConfigurationError, Unavailable
from mfa_gate.audit.record import Audit
from mfa_gate.limits.limiter import Limiter
from mfa_gate.testing import Clock, SoftwareKey
from tests.support.answers import closed_and_says_so, says_so
from tests.support.breaking import OWN_PARTS, Broken, raise_broken, write_out
from tests.support.portal import BASE_URL, Browser, MakePortal, Portal, hidden, make_portal, stored
from tests.support.postgres import Postgres

LOGIN = f"{BASE_URL}/login"


@pytest.fixture
def portal(make: MakePortal) -> Portal:
    """A portal that answers as in production: an exception of a view is a 500, not raised into the test."""
    return make(PROPAGATE_EXCEPTIONS=False)


# --- each part -------------------------------------------------------------------------------------------------------

# what can be done at the gate, and whether it lets somebody further in
WORK: dict[str, Callable[[Browser, str], TestResponse]] = {
    "a guarded page": lambda browser, secret: browser.get("/"),
    "a page whose proof is too old": lambda browser, secret: browser.get("/bank"),
    "a form that came too late": lambda browser, secret: browser.post("/bank", {"iban": "FR76"}),
    "a code": lambda browser, secret: browser.post(
        "/mfa/challenge",
        {"csrf_token": browser.known_token, "code": browser.portal.code(secret)},  # type: ignore[attr-defined]
    ),
    "a sign-out": lambda browser, secret: browser.post("/mfa/sign-out", {"csrf_token": browser.known_token}),  # type: ignore[attr-defined]
    "a password": lambda browser, secret: browser.password(),
}


@pytest.mark.abuse("A34")
@pytest.mark.parametrize("part", OWN_PARTS)
@pytest.mark.parametrize("signed_in", [True, False], ids=["signed in", "half way"])
def test_a_part_that_raises_keeps_everything_closed_until_it_works_again(
    portal: Portal,
    browser: Browser,
    secret: str,
    part: str,
    signed_in: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, work in WORK.items():
        browser = portal.browser()
        portal.clock.advance(30)
        browser.sign_in(secret) if signed_in else browser.password()
        browser.known_token = browser.token  # type: ignore[attr-defined]
        portal.clock.advance(660 if signed_in else 30)
        opened = list(portal.opened)
        with monkeypatch.context() as patch:
            patch.setattr(*OWN_PARTS[part], raise_broken)
            answer = work(browser, secret)
        if answer.status_code >= 500:
            assert says_so(answer), f"{name}: {answer.status_code} {answer.text[:200]}"
        if not signed_in:
            assert answer.status_code >= 300 or "iban" in answer.text or name == "a sign-out", name
            assert "home of" not in answer.text
            assert not answer.text.startswith("bank")
            if answer.status_code >= 500:
                assert portal.opened == opened
    portal.clock.advance(30)
    browser.sign_in(secret)
    assert browser.get("/").text == "home of anne"
    assert browser.get("/bank").text == "bank form"


def _raise_unavailable(*args: Any, **kwargs: Any) -> Any:
    raise Unavailable


@pytest.mark.abuse("A34")
@pytest.mark.parametrize("path", ["/", "/bank", "/patients/1"])
@pytest.mark.parametrize("part", ["reader", "unsigning"])
def test_a_guarded_page_is_closed_while_nobody_can_say_who_is_there(
    portal: Portal, anne: Browser, monkeypatch: pytest.MonkeyPatch, part: str, path: str
) -> None:
    assert anne.get(path).status_code == 200
    with monkeypatch.context() as patch:
        patch.setattr(*OWN_PARTS[part], raise_broken)
        portal.app.extensions["mfa_gate"].services.sessions._named.cache_clear()  # as in another process
        assert closed_and_says_so(anne, path)
    assert anne.get(path).status_code == 200


@pytest.mark.abuse("A34")
def test_a_session_that_cannot_be_noted_as_in_use_is_closed_for_now(
    portal: Portal, anne: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.clock.advance(61)
    with monkeypatch.context() as patch:
        patch.setattr(*OWN_PARTS["transactions"], raise_broken)
        assert closed_and_says_so(anne, "/")
    assert anne.get("/").status_code == 200


@pytest.mark.abuse("A34")
def test_a_step_up_that_cannot_be_worked_out_is_closed_for_now(
    portal: Portal, anne: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.clock.advance(570)
    anne.get("/")
    portal.clock.advance(30)
    with monkeypatch.context() as patch:
        patch.setattr(*OWN_PARTS["transactions"], raise_broken)
        assert closed_and_says_so(anne, "/bank")
        assert says_so(anne.post("/bank", {"iban": "FR76"}))


# --- each callback ---------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A34")
def test_an_identity_callback_that_raises_closes_the_gate(
    portal: Portal, anne: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(portal.gate.portal, "identity", raise_broken)
        assert closed_and_says_so(anne, "/")
    assert anne.get("/").text == "home of anne"


@pytest.mark.abuse("A34")
def test_an_account_loader_that_raises_closes_the_gate_and_ends_nothing(
    portal: Portal, anne: Browser, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = portal.browser()
    half.password()
    token = half.token
    portal.clock.advance(61)
    with monkeypatch.context() as patch:
        patch.setattr(portal.gate.portal, "account_loader", raise_broken)
        assert closed_and_says_so(anne, "/")
        sent = {"csrf_token": token, "code": portal.code(secret)}
        assert says_so(half.post("/mfa/challenge", sent))
        assert says_so(half.api("POST", "totp/verify", {"code": sent["code"]}, headers={"X-MFA-CSRF": token}))
    assert anne.get("/").text == "home of anne"
    assert half.step("challenge", code=portal.code(secret)).status_code == 303


@pytest.mark.abuse("A34")
@pytest.mark.parametrize("raised", [Broken, Unavailable, RuntimeError, KeyError])
def test_a_signed_in_callback_that_raises_leaves_nobody_signed_in_anywhere(
    portal: Portal, browser: Browser, secret: str, monkeypatch: pytest.MonkeyPatch, raised: type[Exception]
) -> None:
    def half_done(account: Account) -> None:
        session["user"] = account.id
        raise raised

    with monkeypatch.context() as patch:
        patch.setattr(portal.gate.portal, "signed_in", half_done)
        answer = browser.sign_in(secret)
        assert says_so(answer)
        assert browser.state == "anonymous"
        assert browser.get("/").location == LOGIN
        assert browser.get("/open").text == "open to None None"
        assert stored(portal)["mfa_sessions"] == []
        portal.clock.advance(30)
        browser.password()
        answer = browser.api("POST", "totp/verify", {"code": portal.code(secret)})
        assert says_so(answer)
    portal.clock.advance(30)
    assert browser.sign_in(secret).status_code == 303
    assert browser.get("/").text == "home of anne"


@pytest.mark.abuse("A34")
@pytest.mark.parametrize("step", ["challenge", "totp/verify", "recovery/verify", "webauthn/verify/complete"])
def test_a_sign_in_that_the_portal_refuses_is_over_though_neither_store_nor_portal_can_end_it(
    portal: Portal, browser: Browser, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """What made the portal's callback fail may keep the gate from its store, and the portal from signing out."""

    def open_session(account: Account) -> None:
        session["user"] = account.id
        patch.setattr(portal.app.extensions["mfa_gate"].sign_in, "sign_out", _raise_unavailable)
        raise Broken

    code = portal.activation_code()
    browser.password()
    browser.step("activate", code=code)
    key = SoftwareKey(BASE_URL)
    codes = browser.add_key(key).json["recovery_codes"]
    begun = browser.begin_enrolment()
    browser.confirm(begun)
    portal.clock.advance(30)
    browser.step("sign-out")
    browser.password()
    with monkeypatch.context() as patch:
        patch.setattr(portal.gate.portal, "signed_in", open_session)
        patch.setattr(portal.gate.portal, "signed_out", raise_broken)
        proofs = {
            "challenge": lambda: browser.step("challenge", code=portal.code(begun["secret"])),
            "totp/verify": lambda: browser.api("POST", "totp/verify", {"code": portal.code(begun["secret"])}),
            "recovery/verify": lambda: browser.api("POST", "recovery/verify", {"code": codes[0]}),
            "webauthn/verify/complete": lambda: browser.prove(key),
        }
        assert says_so(proofs[step]())
    assert browser.gate_cookie is None
    assert browser.state == "anonymous"
    assert browser.get("/").location == LOGIN
    assert browser.get("/open").text == "open to None None"


@pytest.mark.abuse("A34")
@pytest.mark.parametrize("way", ["the gate's page", "the portal's own"])
def test_a_sign_out_while_the_store_is_away_says_so_and_this_browser_is_out(
    portal: Portal, anne: Browser, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    token = anne.token
    with monkeypatch.context() as patch:
        patch.setattr(portal.app.extensions["mfa_gate"].sign_in, "sign_out", _raise_unavailable)
        if way == "the gate's page":
            assert says_so(anne.post("/mfa/sign-out", {"csrf_token": token}))
        else:
            assert says_so(anne.post("/logout"))
    assert anne.gate_cookie is None
    assert anne.get("/").location == LOGIN
    assert anne.get("/open").text == "open to None None"


@pytest.mark.abuse("A34")
def test_a_signed_out_callback_that_raises_still_ends_the_gates_session(
    portal: Portal, anne: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    thief = anne.copy()
    with monkeypatch.context() as patch:
        patch.setattr(portal.gate.portal, "signed_out", raise_broken)
        assert says_so(anne.step("sign-out"))
        assert anne.gate_cookie is None
        assert anne.get("/").location == LOGIN  # Flask's session is cleared where the portal cannot close its own
        assert anne.get("/open").text == "open to None None"
        # a portal that goes on naming somebody whom the gate does not know
        patch.setattr(portal.gate.portal, "identity", lambda: "anne")
        assert anne.get("/").location == LOGIN
    assert thief.state == "anonymous"
    assert anne.get("/").location == LOGIN
    assert anne.get("/open").text == "open to None None"


@pytest.mark.abuse("A34")
def test_a_broken_page_of_the_portals_own_opens_nothing(make: MakePortal, tmp_path: Any) -> None:
    """Templates can be overridden, so they can be broken."""
    from jinja2 import DictLoader

    portal = make(PROPAGATE_EXCEPTIONS=False)
    secret = portal.enrolled()
    portal.app.jinja_loader = DictLoader(  # type: ignore[misc]
        {f"mfa_gate/{name}.html": "{{ nothing.at.all }}" for name in ("challenge", "refusal", "resume", "signed_out")}
    )
    browser = portal.browser()
    browser.password()
    assert browser.get("/mfa/challenge").status_code >= 500
    assert browser.get("/").status_code == 303
    answer = browser.api("POST", "totp/verify", {"code": portal.code(secret)})
    assert answer.status_code == 200
    portal.clock.advance(660)
    late = browser.post("/bank", {"iban": "FR76"})
    assert late.status_code >= 500
    assert "bank {" not in late.text


@pytest.mark.abuse("A34")
def test_views_of_the_portal_that_ask_the_gate_say_so_too(
    portal: Portal, anne: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A public page that shows whose session it is, the portal's own sign-out, and its login view."""
    with monkeypatch.context() as patch:
        patch.setattr(*OWN_PARTS["reader"], _unavailable)
        assert says_so(anne.get("/open"))
        assert says_so(anne.password())
    assert anne.get("/open").status_code == 200


@pytest.mark.abuse("A34")
def test_context_processors_of_the_portal_do_not_break_the_page_that_says_so(
    make: MakePortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = make(PROPAGATE_EXCEPTIONS=False)
    portal.app.context_processor(lambda: {"whom": portal.gate.session.account_id})
    browser = portal.browser()
    browser.sign_in(portal.enrolled())
    with monkeypatch.context() as patch:
        patch.setattr(*OWN_PARTS["reader"], _unavailable)
        assert closed_and_says_so(browser, "/")
        assert says_so(browser.get("/mfa/challenge"))
    assert browser.get("/").text == "home of anne"


def _unavailable(*args: Any, **kwargs: Any) -> Any:
    raise Unavailable


# --- the store -------------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A34")
@pytest.mark.abuse("A38")
@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "crashed"])
def test_a_stopped_server_closes_everything_until_it_runs_again(
    portal: Portal, anne: Browser, secret: str, postgres: Postgres, crash: bool
) -> None:
    assert anne.get("/").text == "home of anne"
    half = portal.browser()
    half.password()
    token = half.token
    portal.clock.advance(30)
    code = portal.code(secret)
    write_out(portal)
    postgres.stop(crash=crash)
    try:
        for path in ("/", "/bank", "/patients/1"):
            assert closed_and_says_so(anne, path)
            assert closed_and_says_so(half, path)
        assert closed_and_says_so(anne, "/mfa/challenge")
        assert says_so(half.post("/mfa/challenge", {"csrf_token": token, "code": code}))
        assert says_so(portal.browser().password())
        assert says_so(portal.browser().password(password="wrong"))
        assert says_so(anne.get("/open"))
        assert anne.get("/login").text == "login page"
        assert portal.browser().get("/").location == LOGIN
        assert portal.opened == ["anne"]
    finally:
        postgres.start()
    assert anne.get("/").text == "home of anne"
    assert half.step("challenge", code=code).status_code == 303
    assert half.get("/").text == "home of anne"
    newcomer = portal.browser()
    assert newcomer.password().status_code == 303


@pytest.mark.abuse("A34")
@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_server_that_restarts_between_two_requests_is_not_noticed(
    portal: Portal, anne: Browser, secret: str, postgres: Postgres
) -> None:
    for crash in (False, True):
        assert anne.get("/").status_code == 200
        write_out(portal)
        postgres.stop(crash=crash)
        postgres.start()
        assert anne.get("/").status_code == 200
        portal.clock.advance(61)
        write_out(portal)
        postgres.stop(crash=crash)
        postgres.start()
        assert anne.get("/").status_code == 200


@pytest.mark.abuse("A34")
@pytest.mark.abuse("A38")
def test_tables_that_are_gone_close_everything_until_they_are_back(portal: Portal, anne: Browser) -> None:
    assert anne.get("/").text == "home of anne"
    engine = create_engine(portal.app.config["MFA_GATE_DATABASE_URL"])
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE mfa_sessions RENAME TO gone"))
    try:
        assert closed_and_says_so(anne, "/")
        assert says_so(anne.password())
    finally:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE gone RENAME TO mfa_sessions"))
        engine.dispose()
    assert anne.get("/").text == "home of anne"


@pytest.fixture
def writers_soon_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mfa_gate.store.engine.BUSY_TIMEOUT", 50)


@pytest.mark.abuse("A34")
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_store_that_another_process_holds_too_long_is_closed_for_now(
    writers_soon_give_up: None, portal: Portal, anne: Browser
) -> None:
    """Reading goes on beside a writer; what must be written waits, then says so."""
    other = create_engine(portal.app.config["MFA_GATE_DATABASE_URL"])
    with other.connect() as writer:
        writer.exec_driver_sql("BEGIN IMMEDIATE")
        assert anne.get("/").text == "home of anne"
        portal.clock.advance(61)
        assert closed_and_says_so(anne, "/")
        writer.rollback()
    other.dispose()
    assert anne.get("/").text == "home of anne"


@pytest.mark.abuse("A38")
@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_an_app_does_not_start_on_a_store_that_does_not_answer(
    database_url: str, tmp_path: Any, postgres: Postgres
) -> None:
    postgres.stop()
    try:
        with pytest.raises(ConfigurationError, match="MFA_GATE_DATABASE_URL"):
            make_portal(database_url, tmp_path, Clock())
    finally:
        postgres.start()
    assert make_portal(database_url, tmp_path, Clock())


@pytest.mark.abuse("A38")
def test_an_account_without_an_authenticator_opens_nothing_by_its_password(portal: Portal, browser: Browser) -> None:
    """As after its last authenticator was removed by hand: a new activation code is needed."""
    secret = portal.enrolled()
    engine = create_engine(portal.app.config["MFA_GATE_DATABASE_URL"])
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM mfa_totp_seeds"))
        connection.execute(text("DELETE FROM mfa_authenticators"))
    engine.dispose()
    browser.password()
    assert browser.state == "activation"
    assert browser.get("/").status_code == 303
    assert browser.api("POST", "totp/verify", {"code": portal.code(secret)}).status_code == 409
    assert browser.api("POST", "totp/enrol/begin").status_code == 401
    assert browser.step("activate", code=portal.activation_code()).status_code == 303


@pytest.mark.abuse("A34")
def test_a_fault_in_the_middle_of_a_proof_spends_and_opens_nothing(
    portal: Portal, browser: Browser, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction of a proof is whole or nothing: after the fault the same code still works."""
    browser.password()
    for broken in ((Limiter, "succeeded"), (Audit, "record")):
        with monkeypatch.context() as patch:
            patch.setattr(*broken, raise_broken)
            token = hidden(browser.get("/mfa/challenge"), "csrf_token")
            answer = browser.post("/mfa/challenge", {"csrf_token": token, "code": portal.code(secret)})
            assert says_so(answer)
        assert browser.state == "pending"
        assert portal.opened == []
    assert browser.step("challenge", code=portal.code(secret)).status_code == 303
