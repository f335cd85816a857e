"""The help desk: what support staff may do to the accounts of others, and what nobody there may."""

from __future__ import annotations

import re
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from mfa_gate import Account, ConfigurationError, DeskPolicy
from tests.support.breaking import Fault, breaking, kept
from tests.support.desks import STAFF, WHY, Desk, code_in, open_desk
from tests.support.owners import with_codes
from tests.support.portal import JSON, MakePortal, Portal


@pytest.fixture
def desk(make: MakePortal, tmp_path: Path) -> Desk:
    return open_desk(make, tmp_path)


# --- who gets in ---------------------------------------------------------------------------------------------------


def test_a_portal_without_a_desk_has_no_such_pages(portal: Portal) -> None:
    browser = portal.browser()
    browser.sign_in(portal.enrolled())
    assert browser.get("/mfa/desk").status_code == 404


@pytest.mark.abuse("A45")
@pytest.mark.parametrize("path", ["/mfa/desk", "/mfa/desk/staff", "account"])
@pytest.mark.parametrize("who", ["nobody", "password", "owner", "without a role", "role without permission"])
def test_the_desk_is_shut_to_whoever_does_not_work_there(desk: Desk, who: str, path: str) -> None:
    path = f"/mfa/desk/accounts/{desk.subject('anne')}" if path == "account" else path
    if who == "nobody":
        browser = desk.portal.browser()
    elif who == "password":
        browser = desk.portal.browser()
        browser.password("sue")
    elif who == "owner":
        desk.portal.people["bob"] = Account("bob", "Bob Stone", group="doctor")
        desk.keys["bob"] = desk.portal.key("bob")
        browser = desk.at("bob")
    else:
        browser = desk.at("sue")
        if who == "without a role":
            desk.portal.sql("DELETE FROM mfa_desk_staff WHERE account_id = 'sue'")
        else:
            desk.portal.people["sue"] = Account("sue", "Sue", group="pharmacist")
    answer = browser.get(path)
    assert answer.status_code in (303, 403)
    assert "Anne" not in answer.text


def test_the_desk_takes_a_key_that_was_used_a_short_while_ago(make: MakePortal, tmp_path: Path) -> None:
    desk = open_desk(make, tmp_path, max_age=timedelta(minutes=10))
    browser = desk.at("sue")
    assert browser.get("/mfa/desk").status_code == 200
    desk.portal.clock.advance(601)
    assert browser.get("/mfa/desk").location == "https://portal.example/mfa/challenge"
    browser.prove(desk.keys["sue"])
    assert browser.get("/mfa/desk").status_code == 200


@pytest.mark.abuse("A45")
def test_an_app_is_too_weak_for_the_desk(desk: Desk) -> None:
    portal = desk.portal
    portal.people["tim"] = Account("tim", "Tim", group="desk")
    portal.passwords["tim"] = "pw-tim"
    secret = portal.enrolled("tim")
    portal.sql("INSERT INTO mfa_desk_staff (account_id, role, since) VALUES ('tim', 3, 0)")
    portal.clock.advance(30)
    browser = portal.browser()
    browser.sign_in(secret, "tim")
    answer = browser.get("/mfa/desk", headers=JSON)
    assert (answer.status_code, answer.json["code"]) == (403, "no_suitable_method")


def test_programs_are_told_what_is_missing(desk: Desk) -> None:
    answer = desk.portal.browser().get("/mfa/desk", headers=JSON)
    assert (answer.status_code, answer.json["code"]) == (401, "sign_in_required")


# --- finding and looking -------------------------------------------------------------------------------------------


def test_an_account_is_found_by_what_the_portal_knows_it_by(desk: Desk) -> None:
    browser = desk.at("ray")
    answer = browser.step("desk", action="find", account=" anne ")
    assert answer.location == f"https://portal.example/mfa/desk/accounts/{desk.subject('anne')}"
    page = browser.get(answer.location.removeprefix("https://portal.example")).text
    assert "Anne Martin" in page
    assert "App on a phone" in page
    assert "a key" not in page


@pytest.mark.parametrize("typed", ["nobody", "", "   ", "\u202eanne", "a" * 300])
def test_an_account_that_is_not_known_is_said_in_a_sentence(desk: Desk, typed: str) -> None:
    answer = desk.at("ray").step("desk", action="find", account=typed)
    assert answer.status_code in (400, 404)
    assert 'role="alert"' in answer.text


def test_a_portal_may_look_up_what_its_desk_types(make: MakePortal, tmp_path: Path) -> None:
    desk = open_desk(make, tmp_path, find=lambda typed: desk.portal.people["anne"] if typed == "01 23" else None)
    assert desk.at("ray").step("desk", action="find", account="01 23").status_code == 303


def test_that_an_account_was_looked_at_is_an_event_with_who_looked(desk: Desk) -> None:
    desk.page(desk.at("ray"), "anne")
    assert desk.portal.events()[-1] == ("desk_looked", "success", None)
    (data,) = desk.portal.sql("SELECT data FROM mfa_events WHERE kind = 'desk_looked'")[0]
    assert desk.subject("ray") in data


def test_of_the_same_event_over_and_over_the_desk_sees_the_latest(desk: Desk) -> None:
    browser = desk.at("ray")
    for _ in range(5):
        desk.portal.clock.advance(1)
        page = desk.page(browser, "anne").text
    assert page.count("the help desk looked at an account") == 1


@pytest.mark.abuse("A27")
def test_the_desk_sees_no_secret(desk: Desk) -> None:
    portal = desk.portal
    browser = desk.at("sue")
    code = portal.activation_code("anne")
    seed, spent = portal.sql("SELECT seed, spent FROM mfa_totp_seeds")[0]
    cookies = portal.sql("SELECT id_hash FROM mfa_sessions")
    page = desk.page(browser, "anne").text
    for secret in (code, code.replace("-", ""), seed, spent, *(cookie for (cookie,) in cookies)):
        assert secret not in page


# --- role and verb -------------------------------------------------------------------------------------------------

MAY = {
    "ray": set(),
    "abe": {"letter", "ask", "lock", "end_sessions"},
    "sue": {"letter", "ask", "lock", "end_sessions", "unlock", "reset"},
}
ACTS = ("letter", "ask", "lock", "end_sessions", "unlock", "reset")


@pytest.mark.abuse("A45")
@pytest.mark.parametrize("who", MAY)
@pytest.mark.parametrize("act", ACTS)
def test_each_act_takes_a_role_that_reaches_that_far(desk: Desk, who: str, act: str) -> None:
    browser = desk.at(who)
    offered = f'value="{act}"' in desk.page(browser, "anne").text
    answer = desk.act(browser, act)
    allowed = act in MAY[who]
    assert answer.status_code == (303 if allowed else 403)
    assert offered == (allowed and act != "unlock")  # which there is nothing to do for
    if not allowed:
        assert ("desk_refused", "refused", "role") in desk.portal.events()


@pytest.mark.abuse("A45")
@pytest.mark.parametrize("act", ACTS)
def test_nobody_acts_on_their_own_account(desk: Desk, act: str) -> None:
    browser = desk.at("sue")
    assert f'value="{act}"' not in desk.page(browser, "sue").text
    answer = desk.act(browser, act, "sue")
    assert (answer.status_code, "own account" in answer.text) == (403, True)
    assert desk.rows("mfa_authenticators", "sue") == 1
    assert browser.get("/mfa/desk").status_code == 200


@pytest.mark.abuse("A45")
@pytest.mark.parametrize("act", ["letter", "ask", "lock", "end_sessions"])
def test_nobody_acts_on_an_account_of_a_higher_role(desk: Desk, act: str) -> None:
    assert desk.act(desk.at("abe"), act, "sue").status_code == 403
    assert ("desk_refused", "refused", "rank") in desk.portal.events("sue")
    assert desk.act(desk.at("sam"), act, "sue").status_code == 303


@pytest.mark.parametrize("reason", ["", "  ", "x", "y" * 501, "\u200b\u200b\u200b"])
def test_each_act_takes_a_reason(desk: Desk, reason: str) -> None:
    answer = desk.act(desk.at("sue"), "lock", reason=reason)
    assert (answer.status_code, "Say why" in answer.text) == (422, True)
    assert desk.portal.sql("SELECT locked_at FROM mfa_accounts WHERE id = 'anne'") == [(None,)]


@pytest.mark.abuse("A45")
@pytest.mark.parametrize(
    ("act", "kind", "notice"),
    [
        ("lock", "account_locked", "account_locked"),
        ("unlock", "account_unlocked", "account_unlocked"),
        ("end_sessions", "sessions_ended", "sessions_ended"),
        ("reset", "account_reset", "account_reset"),
        ("letter", "activation_issued", "activation_issued"),
        ("ask", "spoken_code_asked", "spoken_code_asked"),
    ],
)
def test_each_act_is_an_event_with_its_reason_and_told_to_the_owner(
    desk: Desk, act: str, kind: str, notice: str
) -> None:
    if act == "unlock":
        desk.act(desk.at("sue"), "lock")
    assert desk.act(desk.at("sue"), act).status_code == 303
    (data,) = desk.portal.sql("SELECT data FROM mfa_events WHERE kind = :kind ORDER BY id DESC", kind=kind)[0]
    assert WHY in data
    assert desk.subject("sue") in data
    anne = desk.subject("anne")
    told = desk.portal.sql("SELECT kind FROM mfa_outbox WHERE subject = :anne AND shown_at IS NULL", anne=anne)
    assert (notice,) in told


# --- what the acts do ----------------------------------------------------------------------------------------------


@pytest.mark.abuse("A38")
def test_a_reset_leaves_nothing_that_opens_the_account(desk: Desk) -> None:
    portal = desk.portal
    secret = portal.enrolled("bob")
    portal.clock.advance(30)
    browser = portal.browser()
    browser.sign_in(secret, "bob")
    with_codes(portal, "bob")
    code = portal.activation_code("bob")
    assert desk.act(desk.at("sue"), "reset", "bob").status_code == 303
    assert browser.state == "anonymous"
    tables = ("authenticators", "sessions", "devices", "recovery_codes", "activations", "enrolments")
    assert {table: desk.rows(f"mfa_{table}", "bob") for table in tables} == dict.fromkeys(tables, 0)
    browser.password("bob")
    assert browser.state == "activation"
    assert browser.step("activate", code=code).status_code == 422


def test_a_locked_account_is_shut_until_it_is_unlocked(desk: Desk) -> None:
    browser = desk.at("sue")
    desk.portal.activation_code("bob")  # so that the gate has met bob
    assert desk.act(browser, "lock", "bob").status_code == 303
    bob = desk.portal.browser()
    assert bob.password("bob").status_code == 403
    assert desk.act(browser, "unlock", "bob").status_code == 303
    assert bob.password("bob").status_code == 303


def test_a_letter_is_written_for_the_printer_and_its_code_is_seen_by_nobody_at_the_desk(
    make: MakePortal, tmp_path: Path
) -> None:
    desk = open_desk(make, tmp_path, address=lambda account: [account.name, "1 rue X", "75001 Paris"])
    browser = desk.at("abe")
    answer = desk.act(browser, "letter")
    (letter,) = desk.letters.iterdir()
    text = letter.read_text()
    code = code_in(text)
    assert re.fullmatch(r"\w{4}(-\w{4}){3}", code)
    assert "75001 Paris" in text
    assert "anne" not in letter.name
    assert stat.S_IMODE(letter.stat().st_mode) == 0o600
    for page in (answer, desk.page(browser, "anne"), browser.get("/mfa/desk")):
        assert not any(group in page.text for group in code.split("-"))


def test_a_letter_that_cannot_be_written_issues_no_code(desk: Desk) -> None:
    desk.letters.write_text("a file where the folder should be")
    before = desk.portal.sql("SELECT * FROM mfa_activations")
    answer = desk.act(desk.at("abe"), "letter")
    assert answer.status_code == 503
    assert desk.portal.sql("SELECT * FROM mfa_activations") == before


@pytest.mark.abuse("A34")
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_letter_whose_code_could_not_be_kept_is_not_left_for_the_printer(desk: Desk) -> None:
    desk.portal.app.config["PROPAGATE_EXCEPTIONS"] = False
    browser, path = desk.at("abe"), f"/mfa/desk/accounts/{desk.subject('anne')}"
    sent = {"csrf_token": browser.token, "action": "letter", "reason": WHY}
    with kept(desk.portal) as put_back:
        with breaking(desk.portal, Fault()) as whole:
            assert browser.post(path, sent).status_code == 303
        for at, done in [*((at, False) for at in range(1, whole.asked + 1)), *((at, True) for at in whole.commits)]:
            put_back()
            for letter in desk.letters.iterdir():
                letter.unlink()
            with breaking(desk.portal, Fault(at, done=done)):
                browser.post(path, sent)
            codes = desk.portal.sql("SELECT count(*) FROM mfa_activations WHERE account_id = 'anne'")[0][0]
            assert len(list(desk.letters.iterdir())) <= codes, at


# --- codes that are spoken, which takes two --------------------------------------------------------------------------


def test_a_code_is_told_once_to_who_asked_when_another_has_approved(desk: Desk) -> None:
    portal = desk.portal
    abe = desk.at("abe")
    request = desk.asked()
    assert desk.at("sue").step("desk", action="approve", request=request).status_code == 303
    assert "Show the code" in desk.page(abe, "anne").text
    told = desk.act(abe, "speak", request=request)
    code = code_in(told.text)
    assert told.headers["Cache-Control"] == "no-store"
    assert desk.act(abe, "speak", request=request).status_code == 409
    assert code not in desk.page(abe, "anne").text
    portal.sql("DELETE FROM mfa_authenticators WHERE account_id = 'anne'")
    browser = portal.browser()
    browser.password()
    assert browser.step("activate", code=code).status_code == 303


@pytest.mark.abuse("A5")
@pytest.mark.parametrize(("seconds", "good"), [(599, True), (600, False)])
def test_a_code_that_was_told_is_good_for_ten_minutes(desk: Desk, seconds: int, good: bool) -> None:
    portal = desk.portal
    request = desk.asked()
    desk.at("sue").step("desk", action="approve", request=request)
    code = code_in(desk.act(desk.at("abe"), "speak", request=request).text)
    portal.sql("DELETE FROM mfa_authenticators WHERE account_id = 'anne'")
    portal.clock.advance(seconds)
    browser = portal.browser()
    browser.password()
    assert (browser.step("activate", code=code).status_code == 303) is good


@pytest.mark.abuse("A45")
def test_nobody_approves_what_they_asked_for_themselves(desk: Desk) -> None:
    sue = desk.at("sue")
    desk.act(sue, "ask")
    request = desk.request()
    assert "Approve it" not in sue.get("/mfa/desk").text
    assert sue.step("desk", action="approve", request=request).status_code == 403
    assert desk.act(sue, "speak", request=request).status_code == 409


@pytest.mark.abuse("A45")
def test_nobody_approves_a_code_for_their_own_account(desk: Desk) -> None:
    assert desk.act(desk.at("sam"), "ask", "sue").status_code == 303
    request = desk.request()
    sue = desk.at("sue")
    assert "Approve it" not in sue.get("/mfa/desk").text
    assert sue.step("desk", action="approve", request=request).status_code == 403
    assert desk.act(desk.at("sam"), "speak", "sue", request=request).status_code == 409


@pytest.mark.abuse("A45")
@pytest.mark.parametrize("who", ["ray", "abe"])
def test_only_a_supervisor_approves(desk: Desk, who: str) -> None:
    assert desk.act(desk.at("sam"), "ask").status_code == 303
    request = desk.request()
    assert desk.at(who).step("desk", action="approve", request=request).status_code == 403
    assert desk.act(desk.at("sam"), "speak", request=request).status_code == 409


@pytest.mark.abuse("A45")
def test_an_approved_code_is_told_to_nobody_else(desk: Desk) -> None:
    request = desk.asked()
    sue = desk.at("sue")
    sue.step("desk", action="approve", request=request)
    assert desk.act(sue, "speak", request=request).status_code == 409


@pytest.mark.abuse("A5")
@pytest.mark.parametrize("when", ["before the approval", "after it"])
def test_a_request_is_too_old_after_half_an_hour(desk: Desk, when: str) -> None:
    request = desk.asked()
    sue, abe = desk.at("sue"), desk.at("abe")
    if when == "after it":
        sue.step("desk", action="approve", request=request)
    desk.portal.clock.advance(1800)
    if when == "before the approval":
        assert sue.step("desk", action="approve", request=request).status_code == 409
    assert desk.act(abe, "speak", request=request).status_code == 409


def test_a_declined_request_is_gone(desk: Desk) -> None:
    request = desk.asked()
    assert desk.at("sue").step("desk", action="decline", request=request).status_code == 303
    assert desk.at("sam").step("desk", action="approve", request=request).status_code == 409
    assert desk.portal.events()[-1] == ("spoken_code_declined", "success", None)


def test_no_code_is_told_where_the_portal_does_not_allow_it(make: MakePortal, tmp_path: Path) -> None:
    desk = open_desk(make, tmp_path, spoken=False, letters=None)
    browser = desk.at("sue")
    page = desk.page(browser, "anne").text
    assert 'value="ask"' not in page
    assert 'value="letter"' not in page
    assert desk.act(browser, "ask").status_code == 404
    assert desk.act(browser, "letter").status_code == 404


# --- who works here ------------------------------------------------------------------------------------------------


def run(portal: Portal, *words: str) -> tuple[int, str]:
    done = portal.app.test_cli_runner().invoke(args=["mfa", "desk", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), "a traceback"
    return done.exit_code, done.output


@pytest.mark.abuse("A46")
@pytest.mark.parametrize("then", ["is there", "is revoked", "is forgotten"])
def test_the_first_supervisor_is_made_once_whatever_becomes_of_them(portal: Portal, then: str) -> None:
    assert run(portal, "init", "nobody")[0] == 2
    assert run(portal, "init", "anne")[0] == 0
    assert "anne  SUPERVISOR" in run(portal, "staff")[1]
    if then == "is revoked":
        portal.sql("DELETE FROM mfa_desk_staff")
    if then == "is forgotten":
        portal.app.extensions["mfa_gate"].life.forget("anne")
    assert run(portal, "init", "bob")[0] == 2
    assert run(portal, "init", "anne")[0] == 2
    assert "bob" not in run(portal, "staff")[1]


def grant(desk: Desk, who: str, account: str, role: str, action: str = "grant") -> int:
    fields = {"role": role} if action == "grant" else {}
    return desk.at(who).step("desk/staff", action=action, account=account, reason=WHY, **fields).status_code


def roles(desk: Desk) -> dict[str, int]:
    return dict(desk.portal.sql("SELECT account_id, role FROM mfa_desk_staff"))


@pytest.mark.abuse("A45")
@pytest.mark.parametrize("who", ["ray", "abe"])
@pytest.mark.parametrize("account", ["own", "anne", "sue"])
@pytest.mark.parametrize("action", ["grant", "revoke"])
def test_only_a_supervisor_gives_roles_and_takes_them(desk: Desk, who: str, account: str, action: str) -> None:
    before = roles(desk)
    assert desk.at(who).get("/mfa/desk/staff").status_code == 403
    assert grant(desk, who, who if account == "own" else account, "READER", action) == 403
    assert roles(desk) == before


@pytest.mark.abuse("A45")
@pytest.mark.parametrize("action", ["grant", "revoke"])
def test_nobody_changes_their_own_role(desk: Desk, action: str) -> None:
    before = roles(desk)
    assert grant(desk, "sue", "sue", "READER", action) == 403
    assert roles(desk) == before


def test_a_role_is_given_and_taken_and_told(desk: Desk) -> None:
    assert grant(desk, "sue", "anne", "AGENT") == 303
    assert roles(desk)["anne"] == 2
    assert desk.portal.events()[-1] == ("desk_granted", "success", None)
    assert grant(desk, "sue", "anne", "", "revoke") == 303
    assert "anne" not in roles(desk)
    anne = desk.subject("anne")
    told = [
        kind for (kind,) in desk.portal.sql("SELECT kind FROM mfa_outbox WHERE subject = :anne ORDER BY id", anne=anne)
    ]
    assert told[-2:] == ["desk_granted", "desk_revoked"]


@pytest.mark.abuse("A45")
def test_what_somebody_asked_for_is_gone_with_their_role(desk: Desk) -> None:
    request = desk.asked()
    abe, sue = desk.at("abe"), desk.at("sue")
    sue.step("desk", action="approve", request=request)
    assert grant(desk, "sam", "abe", "", "revoke") == 303
    assert desk.act(abe, "speak", request=request).status_code == 403
    assert desk.portal.sql("SELECT * FROM mfa_desk_requests") == []


@pytest.mark.parametrize(("account", "role"), [("nobody", "READER"), ("anne", "KING"), ("anne", "")])
def test_a_role_that_cannot_be_given_is_said_in_a_sentence(desk: Desk, account: str, role: str) -> None:
    answer = desk.at("sue").step("desk/staff", action="grant", account=account, role=role, reason=WHY)
    assert answer.status_code in (400, 404)
    assert 'role="alert"' in answer.text
    assert set(roles(desk)) == set(STAFF)


# --- the rest ------------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A50")
@pytest.mark.parametrize("path", ["desk", "desk/staff", "account"])
def test_a_form_of_another_site_does_nothing_at_the_desk(desk: Desk, path: str) -> None:
    browser = desk.at("sue")
    path = f"desk/accounts/{desk.subject('anne')}" if path == "account" else path
    fields = {"action": "lock", "reason": WHY, "csrf_token": "x"}
    assert browser.post(f"/mfa/{path}", fields).status_code == 403
    fields["csrf_token"] = browser.token
    foreign = browser.post(f"/mfa/{path}", fields, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert desk.portal.sql("SELECT locked_at FROM mfa_accounts WHERE id = 'anne'") == [(None,)]


@pytest.mark.abuse("A51")
def test_what_people_are_called_is_inert_at_the_desk(desk: Desk) -> None:
    desk.portal.people["anne"] = Account("anne", "<script>alert(1)</script>\u202e", locale="en")
    desk.portal.sql("UPDATE mfa_authenticators SET label = '<img src=x>' WHERE account_id = 'anne'")
    page = desk.page(desk.at("ray"), "anne")
    assert "<script>alert" not in page.text
    assert "<img" not in page.text
    assert page.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("given", [{"permission": None}, {"find": 3}, {"max_age": -1}])
def test_a_desk_that_means_nothing_stops_the_start(given: dict[str, object]) -> None:
    if "max_age" in given:
        given = {"max_age": timedelta(seconds=-1)}
    with pytest.raises(ConfigurationError, match="DeskPolicy"):
        DeskPolicy(**{"permission": bool, **given})  # type: ignore[arg-type]
