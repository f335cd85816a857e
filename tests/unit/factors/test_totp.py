"""Authenticator apps at the gate: the picture they scan, the window of time, single use, the seed at rest."""

from __future__ import annotations

import base64
import html
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from playwright.sync_api import Browser as Chromium

from mfa_gate import Account
from mfa_gate.store.schema import metadata
from mfa_gate.testing import totp_code
from tests.support.portal import Browser, MakePortal, Portal
from tests.support.qr import scan

START = 1_700_000_010  # on a step's first second
WRONG = 422


def prove(browser: Browser, code: str, account: str = "anne") -> Any:
    """Sign in by password and this code; the answer to the code, for programs."""
    browser.password(account)
    return browser.api("POST", "totp/verify", json={"code": code})


def apart(portal: Portal) -> Browser:
    """A browser long after all earlier tries, so that no wait is left over."""
    portal.clock.advance(86_400)
    return portal.browser()


# --- the picture -------------------------------------------------------------------------------------------------


def by_oathtool(uri: str, at: float) -> str:
    """The code that another implementation makes of nothing but the URI."""
    secret = parse_qs(urlsplit(uri).query)["secret"][0]
    command = ["oathtool", "--totp", "--base32", f"--now=@{int(at)}", secret]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.browser
@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize(
    ("service", "account"),
    [
        ("Portail", Account("zoe", "Zoë", "zoe@portal.example")),
        ("Pharmacie : l’Été & Cie", Account("zoe", "Zoé d’Ægir / Bureau: 2")),
        ("Аптека №1 100%", Account("zoe", "名前+?&=#", "名前+officine@portal.example")),
        ("P" * 60, Account("zoe", "n" * 100)),
    ],
    ids=["plain", "accents and colons", "other scripts", "long"],
)
def test_the_picture_of_the_page_holds_the_uri_byte_for_byte_and_its_codes_open(
    make: MakePortal, chromium: Chromium, tmp_path: Path, service: str, account: Account
) -> None:
    portal = make(MFA_GATE_NAME=service)
    portal.people["zoe"], portal.passwords["zoe"] = account, "pw"
    browser = portal.browser()
    browser.activate("zoe")
    page = browser.step("enrol", action="begin").text
    uri = scan(chromium, re.search(r"<svg.*?</svg>", page, re.S).group(), tmp_path)  # type: ignore[union-attr]
    assert uri == html.unescape(re.search(r'href="(otpauth:[^"]*)"', page).group(1))  # type: ignore[union-attr]

    parts = urlsplit(uri)
    fields = parse_qs(parts.query, strict_parsing=True)
    issuer, colon, label = unquote(parts.path.lstrip("/")).partition(":")
    assert (parts.scheme, parts.netloc, colon) == ("otpauth", "totp", ":")
    assert set(fields) == {"secret", "issuer"}  # no parameter that some app ignores
    assert fields["issuer"] == [issuer]
    assert issuer == re.sub("[:/]", " ", service)
    assert label == re.sub("[:/]", " ", account.email or account.name)

    enrolment = re.search(r'name="enrolment" value="(\w+)"', page).group(1)  # type: ignore[union-attr]
    code = by_oathtool(uri, portal.clock())
    assert browser.step("enrol", action="complete", enrolment=enrolment, code=code).status_code == 200
    assert browser.get("/").text == "home of zoe"
    portal.clock.advance(60)
    later = portal.browser()
    later.password("zoe")
    assert later.step("challenge", code=by_oathtool(uri, portal.clock())).status_code == 303


def test_the_key_to_type_is_the_secret_in_groups_of_four(browser: Browser) -> None:
    browser.activate()
    page = browser.step("enrol", action="begin").text
    groups = re.findall(r'<span class="mfa-group">(\w+)</span>', page)
    assert [len(group) for group in groups] == [4] * 8
    assert f"secret={''.join(groups)}" in html.unescape(page)


def test_a_program_gets_the_same_uri_and_picture(browser: Browser) -> None:
    browser.activate()
    begun = browser.begin_enrolment()
    assert parse_qs(urlsplit(begun["uri"]).query)["secret"] == [begun["secret"]]
    assert begun["qr_svg"].startswith("<svg")
    assert set(begun) == {"secret", "uri", "qr_svg", "enrolment"}


# --- what is typed -----------------------------------------------------------------------------------------------


def test_a_code_may_be_typed_as_it_is_shown(portal: Portal) -> None:
    secret = portal.enrolled()
    for how in ("{0} {1}", "{0}-{1}", " {0}{1} ", "{0}\u00a0{1}"):
        browser = apart(portal)
        code = portal.code(secret)
        assert prove(browser, how.format(code[:3], code[3:])).status_code == 200, ascii(how)


def test_a_code_in_full_width_digits_is_not_taken(portal: Portal, browser: Browser) -> None:
    code = portal.code(portal.enrolled())
    wide = code.translate({ord("0") + digit: ord("\uff10") + digit for digit in range(10)})
    assert prove(browser, wide).json["code"] == "wrong_code"


# --- the window of time ------------------------------------------------------------------------------------------


def opens_at(portal: Portal, secret: str, seconds: list[float]) -> list[float]:
    """Those of the seconds, counted from the first one of a code's own step, at which the code opens."""
    opened = []
    for day, second in enumerate(seconds, start=1):
        own = START + day * 86_400
        portal.clock.now = own + second
        answer = prove(portal.browser(), totp_code(secret, own))
        assert answer.status_code in (200, WRONG)
        opened += [second] if answer.status_code == 200 else []
    return opened


def test_a_code_opens_from_one_step_before_its_own_to_one_step_after(portal: Portal) -> None:
    secret = portal.enrolled()
    seconds = [-60, -31, -30.001, -30, -1, 0, 29, 30, 59, 59.999, 60, 61, 90]
    assert opens_at(portal, secret, seconds) == [-30, -1, 0, 29, 30, 59, 59.999]


def test_in_the_strict_profile_a_code_opens_only_in_its_own_thirty_seconds(make: MakePortal) -> None:
    portal = make(MFA_GATE_STRICT=True)
    secret = portal.enrolled()
    assert opens_at(portal, secret, [-30, -1, -0.001, 0, 29, 29.999, 30, 31]) == [0, 29, 29.999]


# --- single use --------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A18")
def test_a_code_opens_once(portal: Portal) -> None:
    secret = portal.enrolled()
    code = portal.code(secret)
    assert prove(portal.browser(), code).status_code == 200
    again = prove(portal.browser(), code)
    assert (again.status_code, again.json["code"]) == (WRONG, "wrong_code")
    assert portal.events()[-1] == ("second_factor", "failure", "spent")


@pytest.mark.abuse("A18")
def test_a_code_used_to_sign_in_does_not_serve_for_a_step_up(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    code = portal.code(secret)
    prove(browser, code)
    assert browser.api("POST", "totp/verify", json={"code": code}).status_code == WRONG


@pytest.mark.abuse("A18")
def test_an_older_code_does_not_open_after_a_newer_one(portal: Portal) -> None:
    secret = portal.enrolled()
    portal.clock.advance(300)
    older, newer = totp_code(secret, portal.clock()), totp_code(secret, portal.clock() + 30)
    assert prove(portal.browser(), newer).status_code == 200
    assert prove(portal.browser(), older).status_code == WRONG


@pytest.mark.abuse("A18")
@pytest.mark.parametrize("strict", [False, True])
def test_the_code_that_confirmed_the_enrolment_does_not_open(make: MakePortal, strict: bool) -> None:
    portal = make(MFA_GATE_STRICT=strict)
    browser = portal.browser()
    browser.activate()
    begun = browser.begin_enrolment()
    code = portal.code(begun["secret"])
    answer = browser.api("POST", "totp/enrol/complete", json={"enrolment": begun["enrolment"], "code": code})
    assert answer.status_code == 200
    assert prove(portal.browser(), code).status_code == WRONG
    portal.clock.advance(30)
    assert prove(portal.browser(), portal.code(begun["secret"])).status_code == 200


# --- the clock that is off ---------------------------------------------------------------------------------------


@pytest.mark.abuse("A59")
def test_at_sign_in_a_future_code_is_answered_like_any_wrong_one(portal: Portal) -> None:
    secret = portal.enrolled()
    browser = portal.browser()
    right_later = prove(browser, totp_code(secret, portal.clock() + 600))
    wrong = prove(portal.browser(), another(portal, secret))
    assert right_later.json == wrong.json
    assert right_later.json["code"] == "wrong_code"
    assert "minutes" not in right_later.json


@pytest.mark.abuse("A59")
def test_in_a_step_up_a_future_code_is_answered_like_any_wrong_one(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    browser.sign_in(secret)
    answer = browser.api("POST", "totp/verify", json={"code": totp_code(secret, portal.clock() + 600)})
    assert answer.json["code"] == "wrong_code"
    page = browser.step("challenge", code=totp_code(secret, portal.clock() + 900))
    assert page.status_code == WRONG
    assert "10" not in re.findall(r'role="alert".*?</div>', page.text, re.S)[0]


def test_while_enrolling_a_clock_that_is_off_is_told(portal: Portal, browser: Browser) -> None:
    browser.activate()
    begun = browser.begin_enrolment()
    late = totp_code(begun["secret"], portal.clock() - 600)
    answer = browser.api("POST", "totp/enrol/complete", json={"enrolment": begun["enrolment"], "code": late})
    assert (answer.status_code, answer.json["code"], answer.json["minutes"]) == (WRONG, "clock_drift", -10)
    right = browser.api(
        "POST", "totp/enrol/complete", json={"enrolment": begun["enrolment"], "code": portal.code(begun["secret"])}
    )
    assert right.status_code == 200


def another(portal: Portal, secret: str) -> str:
    """A code that is not the app's within the hour."""
    near = {totp_code(secret, portal.clock() + 30 * step) for step in range(-130, 131)}
    return next(code for code in (f"{number:06d}" for number in range(1000)) if code not in near)


# --- the seed at rest --------------------------------------------------------------------------------------------


def dump(portal: Portal) -> str:
    """All that the store holds, as text."""
    rows = [portal.sql(f"SELECT * FROM {table.name}") for table in metadata.sorted_tables]  # noqa: S608  (own names)
    return "\n".join(str(tuple(row)) for table in rows for row in table)


def test_the_store_holds_no_seed_begun_or_confirmed(portal: Portal) -> None:
    confirmed = portal.enrolled("anne")
    browser = portal.browser()
    browser.activate("bob")
    begun = browser.begin_enrolment()["secret"]
    text = dump(portal)
    for secret in (confirmed, begun):
        seed = base64.b32decode(secret)
        forms = (secret, seed.hex(), base64.b64encode(seed), base64.urlsafe_b64encode(seed), seed)
        for form in forms:
            form = form.decode("latin-1") if isinstance(form, bytes) else form
            assert form.rstrip("=").lower() not in text.lower()


def in_order(portal: Portal) -> tuple[int, str]:
    """What `flask mfa check` says of the store: its exit code and its words."""
    done = portal.app.test_cli_runner().invoke(args=["mfa", "check"])
    return done.exit_code, done.output


SEEDS = "SELECT seed, last_step, spent, authenticator_id FROM mfa_totp_seeds ORDER BY authenticator_id"
PUT = "UPDATE mfa_totp_seeds SET seed = :seed, last_step = :step, spent = :spent WHERE authenticator_id = :id"


@pytest.mark.abuse("A48")
@pytest.mark.parametrize("whole", [False, True], ids=["the seed alone", "the whole row"])
def test_seeds_swapped_between_accounts_by_hand_open_neither(portal: Portal, whole: bool) -> None:
    secrets = {name: portal.enrolled(name) for name in ("anne", "bob")}
    one, other = portal.sql(SEEDS)
    for row, its in ((one, other), (other, one)):
        step, spent = (its.last_step, its.spent) if whole else (row.last_step, row.spent)
        portal.sql(PUT, seed=its.seed, step=step, spent=spent, id=row.authenticator_id)
    for account in ("anne", "bob"):
        for secret in secrets.values():
            answer = prove(apart(portal), portal.code(secret), account)
            assert (answer.status_code, answer.json.get("code")) == (503, "unavailable")
    assert portal.opened == []


@pytest.mark.abuse("A48")
def test_check_names_each_seed_that_was_swapped(portal: Portal) -> None:
    portal.enrolled("anne")
    portal.enrolled("bob")
    assert in_order(portal)[0] == 0
    one, other = portal.sql(SEEDS)
    portal.sql(PUT, seed=other.seed, step=one.last_step, spent=one.spent, id=one.authenticator_id)
    portal.sql(PUT, seed=one.seed, step=other.last_step, spent=other.spent, id=other.authenticator_id)
    code, words = in_order(portal)
    assert code == 1
    assert one.authenticator_id in words
    assert other.authenticator_id in words


@pytest.mark.abuse("A48")
def test_an_authenticator_moved_to_another_account_by_hand_opens_nothing(portal: Portal) -> None:
    """The thief owns bob's account and the store, and puts his own app on anne's account."""
    secret = portal.enrolled("bob")
    portal.browser().password("anne")  # now the gate knows anne
    portal.sql("UPDATE mfa_authenticators SET account_id = 'anne' WHERE account_id = 'bob'")
    answer = prove(portal.browser(), portal.code(secret), "anne")
    assert answer.status_code == 503
    assert in_order(portal)[0] == 1


@pytest.mark.abuse("A48")
def test_a_counter_lowered_by_hand_does_not_make_a_spent_code_good(portal: Portal) -> None:
    secret = portal.enrolled()
    code = portal.code(secret)
    prove(portal.browser(), code)
    portal.sql("UPDATE mfa_totp_seeds SET last_step = last_step - 10")
    answer = prove(portal.browser(), code)
    assert (answer.status_code, answer.json.get("code")) == (503, "unavailable")
    code_of_check, words = in_order(portal)
    assert code_of_check == 1
    assert "was changed or moved by hand" in words


def test_a_seed_that_does_not_open_is_put_right_by_forgetting_the_account(portal: Portal, browser: Browser) -> None:
    portal.enrolled()
    portal.sql("UPDATE mfa_totp_seeds SET last_step = 0")
    portal.app.test_cli_runner().invoke(args=["mfa", "account", "forget", "anne", "--yes"])
    assert browser.activate().status_code == 303
    assert in_order(portal)[0] == 0
