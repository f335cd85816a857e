"""What is closed: the window of an activation code that was taken back, paths that lead nowhere, hosts without keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from mfa_gate.exc import ConfigurationError
from tests.support.owners import RENEW, add_app, by_app, client_at_login, enrol, redeem, said
from tests.support.passkeys import begin, key_of
from tests.support.portal import JSON, PAGE, Browser, MakePortal, Portal

SQLITE = pytest.mark.parametrize("backend", ["sqlite"])


# --- the window of an activation code --------------------------------------------------------------------------------


def revoked(portal: Portal) -> None:
    done = portal.app.test_cli_runner().invoke(args=["mfa", "activation", "revoke", "anne", "--reason", "relayed"])
    assert done.exit_code == 0, done.output


def issued_anew(portal: Portal) -> None:
    done = portal.app.test_cli_runner().invoke(args=["mfa", "activation", "issue", "anne"])
    assert done.exit_code == 0, done.output


def issued_anew_by_the_portal(portal: Portal) -> None:
    portal.activation_code()


CLOSINGS = pytest.mark.parametrize("closed", [revoked, issued_anew, issued_anew_by_the_portal])


def in_its_window(portal: Portal, secret: str, account: str = "anne") -> Browser:
    """Signed in by an app, with a code that was redeemed there and has let one thing be changed."""
    browser = by_app(portal, secret, account)
    assert redeem(browser, portal.activation_code(account)).status_code == 200
    assert RENEW.send(browser, "").status_code == 200
    assert portal.sql("SELECT id FROM mfa_activations WHERE account_id = :a", a=account) == []
    return browser


@pytest.mark.abuse("A56")
@CLOSINGS
def test_a_window_whose_code_is_spent_closes_with_its_session_at_once(
    make: MakePortal, closed: Callable[[Portal], None]
) -> None:
    """On every worker; and what was begun in it is not completed."""
    portal, worker = make(), make()
    (secret,) = enrol(portal, "app")
    thief = in_its_window(portal, secret)
    made = key_of().register(begin(thief, "enrol"))
    token = {"X-MFA-CSRF": thief.token}
    closed(portal)
    for browser in (thief, thief.on(worker)):
        assert browser.state == "anonymous"
        assert browser.get("/").status_code == 303
        done = browser.api("POST", "webauthn/enrol/complete", made, headers=token)
        assert said(done) == (401, "sign_in_required")
    assert portal.sql("SELECT * FROM mfa_webauthn_credentials") == []


@pytest.mark.abuse("A56")
@CLOSINGS
def test_a_window_that_was_not_used_yet_closes_as_well(portal: Portal, closed: Callable[[Portal], None]) -> None:
    (secret,) = enrol(portal, "app")
    browser = by_app(portal, secret)
    redeem(browser)
    closed(portal)
    assert browser.state == "anonymous"


@CLOSINGS
def test_sessions_without_a_window_and_those_of_others_stay(portal: Portal, closed: Callable[[Portal], None]) -> None:
    (annes,), (bobs,) = enrol(portal, "app"), enrol(portal, "app", account="bob")
    before = by_app(portal, annes)
    waiting = client_at_login(portal)
    bob = in_its_window(portal, bobs, "bob")
    window = in_its_window(portal, annes)
    closed(portal)
    assert window.state == "anonymous"
    assert [browser.state for browser in (before, waiting, bob)] == ["signed_in", "pending", "signed_in"]
    assert bob.api("POST", "recovery/renew").status_code == 200  # his window is open still


@SQLITE
@pytest.mark.parametrize(("second", "state"), [(1799, "anonymous"), (1800, "signed_in")])
@CLOSINGS
def test_a_window_that_is_over_by_itself_ends_no_session(
    portal: Portal, second: int, state: str, closed: Callable[[Portal], None]
) -> None:
    (secret,) = enrol(portal, "app")
    browser = in_its_window(portal, secret)
    portal.clock.advance(second)
    closed(portal)
    assert browser.state == state


@SQLITE
def test_a_session_whose_window_was_closed_leaves_a_new_code_to_a_new_sign_in(portal: Portal) -> None:
    (secret,) = enrol(portal, "app")
    in_its_window(portal, secret)
    code = portal.activation_code()
    browser = by_app(portal, secret)
    assert redeem(browser, code).status_code == 200
    assert add_app(browser).status_code == 200


# --- what people without an activation code are answered ------------------------------------------------------------

NO_LEVEL = "Bearer"
MFA = 'Bearer error="insufficient_user_authentication", acr_values="urn:mfa-gate:acr:mfa"'


@SQLITE
@pytest.mark.parametrize("path", ["recovery/renew", "webauthn/enrol/begin", "totp/enrol/begin"])
def test_whoever_is_signed_in_is_told_of_no_level_that_an_activation_code_would_bring(
    portal: Portal, path: str
) -> None:
    (secret,) = enrol(portal, "app")
    answer = by_app(portal, secret).api("POST", path)
    assert said(answer) == (401, "activation_required")
    assert answer.headers["WWW-Authenticate"] == NO_LEVEL


@SQLITE
@pytest.mark.parametrize("ask", ["/", "/mfa/api/v1/recovery/renew", "/mfa/api/v1/authenticators"])
@pytest.mark.parametrize(
    ("account", "code"), [("bob", "activation_required"), ("anne", "step_up_required")], ids=["activation", "pending"]
)
def test_whoever_is_half_way_in_is_told_the_level_as_before(portal: Portal, ask: str, account: str, code: str) -> None:
    portal.enrolled()
    browser = client_at_login(portal, account)
    method = "POST" if ask.endswith("renew") else "GET"
    answer = browser.open(method, ask, headers={**JSON, "X-MFA-CSRF": browser.token})
    assert said(answer) == (401, code)
    assert answer.headers["WWW-Authenticate"] == MFA


# --- paths and methods that there are not ----------------------------------------------------------------------------

ACCEPTS = {"page": PAGE, "program": JSON, "anything": {"Accept": "*/*"}}
WHO = pytest.mark.parametrize("signed_in", [False, True], ids=["nobody", "signed in"])


def with_its_own_words(portal: Portal) -> Portal:
    """A portal that answers unknown URLs and methods itself."""
    for status in (404, 405):
        portal.app.register_error_handler(status, lambda error: (f"the portal's own {error.code}", error.code))
    return portal


def asking(portal: Portal, signed_in: bool) -> Callable[[str, str], Iterator[tuple[str, TestResponse]]]:
    """What asks such a portal for a path by a method as each kind of caller does, and says as whom."""
    browser = with_its_own_words(portal).browser()
    if signed_in:
        browser.sign_in(portal.enrolled())

    def answers(method: str, path: str) -> Iterator[tuple[str, TestResponse]]:
        for caller, accept in ACCEPTS.items():
            yield f"{method} {path!r} as {caller}", browser.open(method, path, headers=accept)
        assert (browser.state == "signed_in") == signed_in, (method, path)

    return answers


@SQLITE
@WHO
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_under_the_api_is_a_problem_whoever_asks(portal: Portal, method: str, signed_in: bool) -> None:
    answers = asking(portal, signed_in)
    for path in ("nothing", "", "session/", "webauthn/verify", "authenticators/a/b"):
        for what, answer in answers(method, f"/mfa/api/v1/{path}"):
            assert (answer.status_code, answer.mimetype) == (404, "application/problem+json"), what
            assert (answer.json["code"], answer.json["status"]) == ("not_found", 404), what
            assert answer.headers["Cache-Control"] == "no-store", what


@SQLITE
@WHO
def test_a_wrong_method_under_the_api_is_a_problem_that_says_which_there_are(portal: Portal, signed_in: bool) -> None:
    answers = asking(portal, signed_in)
    for method, path, allowed in (
        ("PUT", "totp/verify", {"POST", "OPTIONS"}),
        ("GET", "totp/verify", {"POST", "OPTIONS"}),
        ("POST", "session", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "sessions", {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("GET", "authenticators/x", {"PATCH", "DELETE", "OPTIONS"}),
    ):
        for what, answer in answers(method, f"/mfa/api/v1/{path}"):
            assert (answer.status_code, answer.mimetype) == (405, "application/problem+json"), what
            assert (answer.json["code"], answer.json["status"]) == ("method_not_allowed", 405), what
            assert set(answer.headers["Allow"].split(", ")) == allowed, what


@SQLITE
@WHO
def test_elsewhere_what_there_is_not_is_the_portals_own_to_answer(portal: Portal, signed_in: bool) -> None:
    answers = asking(portal, signed_in)
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("GET", "/mfa/nothing", 404),
        ("GET", "/mfa/api/v2/session", 404),
        ("GET", "/mfa/api/v1x", 404),
        ("GET", "/other/mfa/api/v1/nothing", 404),
        ("PUT", "/mfa/challenge", 405),
        ("DELETE", "/bank", 405),
    ):
        for what, answer in answers(method, path):
            assert (answer.status_code, answer.text) == (status, f"the portal's own {status}"), what


@SQLITE
def test_the_api_is_where_its_prefix_says(make: MakePortal) -> None:
    portal = with_its_own_words(make(MFA_GATE_URL_PREFIX="/account/gate"))
    assert portal.browser().get("/account/gate/api/v1/nothing").json["code"] == "not_found"
    assert portal.browser().get("/mfa/api/v1/nothing").text == "the portal's own 404"


# --- whose passkeys are, and who is notified -------------------------------------------------------------------------


@SQLITE
@pytest.mark.parametrize("rp_id", ["example", "localhost", "com"])
def test_an_rp_id_without_a_dot_that_is_not_the_host_stops_the_start(make: MakePortal, rp_id: str) -> None:
    with pytest.raises(ConfigurationError, match=r"MFA_GATE_RP_ID .* browsers let no portal have a top-level domain"):
        make(MFA_GATE_RP_ID=rp_id)


@SQLITE
@pytest.mark.parametrize(
    ("base_url", "rp_id"),
    [("https://intranet", "intranet"), ("http://localhost:5000", "localhost"), ("https://intranet", None)],
)
def test_a_host_without_a_dot_may_be_the_rp_id_of_its_own_portal(
    make: MakePortal, base_url: str, rp_id: str | None
) -> None:
    portal = make(MFA_GATE_BASE_URL=base_url, MFA_GATE_RP_ID=rp_id)
    assert portal.app.extensions["mfa_gate"].settings.rp_id == base_url.split("/")[2].split(":")[0]


def warnings(portal: Portal) -> list[str]:
    done = portal.app.test_cli_runner().invoke(args=["mfa", "check"])
    assert done.exit_code == 0, done.output
    return [line for line in done.output.splitlines() if line.startswith("WARNING")]


RELATED = ["https://portail.example.org"]
OTHER_HOST = "is another host: it must list this portal in its own MFA_GATE_RELATED_ORIGINS"
UNDER_A_ROOT = "browsers look for /.well-known/webauthn at the root of"


@SQLITE
@pytest.mark.parametrize(
    ("config", "warned"),
    [
        ({}, ()),
        ({"MFA_GATE_RP_ID": "portal.example"}, ()),
        ({"MFA_GATE_RP_ID": "portail.example"}, (OTHER_HOST,)),
        ({"MFA_GATE_RP_ID": "al.example"}, (OTHER_HOST,)),
        ({"MFA_GATE_RP_ID": "www.portal.example"}, (OTHER_HOST,)),
        ({"MFA_GATE_BASE_URL": "https://www.portal.example", "MFA_GATE_RP_ID": "portal.example"}, ()),
        ({"MFA_GATE_RELATED_ORIGINS": RELATED}, ()),
        ({"MFA_GATE_BASE_URL": "https://portal.example/clinic"}, ()),
        (
            {"MFA_GATE_BASE_URL": "https://portal.example/clinic", "MFA_GATE_RELATED_ORIGINS": RELATED},
            (UNDER_A_ROOT,),
        ),
        ({"MFA_GATE_METHODS": ["totp"], "MFA_GATE_RP_ID": "portail.example"}, ()),
    ],
    ids=[
        "nothing set",
        "the host itself",
        "another host",
        "the end of its name",
        "a host below",
        "a domain above",
        "related origins",
        "a script root",
        "related origins under a script root",
        "no passkeys",
    ],
)
def test_check_warns_of_passkeys_that_browsers_will_not_find(
    make: MakePortal, config: dict[str, Any], warned: tuple[str, ...]
) -> None:
    lines = warnings(make(**config))
    for sentence in (OTHER_HOST, UNDER_A_ROOT):
        assert len([line for line in lines if sentence in line]) == (sentence in warned), lines


@SQLITE
@pytest.mark.parametrize(("methods", "status"), [(["totp", "recovery"], 404), (["webauthn", "totp"], 200)])
def test_related_origins_are_served_where_passkeys_are(make: MakePortal, methods: list[str], status: int) -> None:
    portal = with_its_own_words(make(MFA_GATE_METHODS=methods, MFA_GATE_RELATED_ORIGINS=RELATED))
    answer = portal.browser().get("/.well-known/webauthn")
    assert answer.status_code == status
    assert (answer.text == "the portal's own 404") is (status == 404)
