"""Code tokens: their clocks get off by and by, and nobody can set them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.imports import NEW, OTHER, SECRET, opens, take, token, written
from tests.support.portal import KEYS, MakePortal, Portal

MONTH = 30 * 86_400.0
STEP = 30.0


def shown(portal: Portal, off: float, secret: str = SECRET) -> str:
    """What a token shows whose clock is so many seconds fast."""
    portal.clock.advance(off)
    code = token(portal, secret)
    portal.clock.advance(-off)
    return code


@pytest.fixture
def with_token(portal: Portal, tmp_path: Path) -> Portal:
    """Anne has a code token, bob an app that was taken over."""
    take(portal, written(tmp_path, f"upn,serial number,secret key,time interval\nanne,42,{SECRET},30\n"))
    take(portal, written(tmp_path, f"account,secret\nbob,{OTHER}\n", "apps.csv"))
    portal.clock.advance(MONTH)
    return portal


def resync(portal: Portal, *codes: str, account: str = "anne") -> tuple[int, str]:
    words = ["mfa", "account", "resync", account, *codes, "--reason", "it lay in a drawer"]
    done = portal.app.test_cli_runner().invoke(args=words)
    assert done.exception is None or isinstance(done.exception, SystemExit), "a traceback"
    return done.exit_code, done.output


@pytest.mark.parametrize("direction", [-1, 1])
def test_a_token_is_followed_as_its_clock_gets_off(with_token: Portal, direction: int) -> None:
    for months in range(1, 8):
        assert opens(with_token, shown(with_token, direction * STEP * months)), months
        with_token.clock.advance(MONTH)
    assert not opens(with_token, shown(with_token, 0)), "it accepts no more codes than before"


def test_a_phone_is_not_followed_since_a_network_sets_its_clock(with_token: Portal) -> None:
    assert opens(with_token, shown(with_token, -STEP, OTHER), "bob")
    with_token.clock.advance(MONTH)
    assert not opens(with_token, shown(with_token, -2 * STEP, OTHER), "bob")


@pytest.mark.parametrize(
    ("columns", "words", "is_followed"),
    [
        ("account,secret", ("--tokens",), True),
        ("account,secret", ("--apps",), False),
        ("account,serial number,secret", ("--apps",), False),
        ("account,serial number,secret", ("--tokens",), True),
    ],
)
def test_the_operator_may_say_what_the_seeds_of_a_list_are_in(
    portal: Portal, tmp_path: Path, columns: str, words: tuple[str, ...], is_followed: bool
) -> None:
    values = {"account": "anne", "serial number": "42", "secret": SECRET}
    line = ",".join(values[name] for name in columns.split(","))
    take(portal, written(tmp_path, f"{columns}\n{line}\n"), *words)
    portal.clock.advance(MONTH)
    assert opens(portal, shown(portal, -STEP))
    portal.clock.advance(MONTH)
    assert opens(portal, shown(portal, -2 * STEP)) == is_followed


@pytest.mark.abuse("A18")
def test_a_code_opens_once_wherever_the_clock_of_its_token_is(with_token: Portal) -> None:
    code = shown(with_token, STEP)
    assert opens(with_token, code)
    for wait in (0, STEP, STEP, STEP):
        with_token.clock.advance(wait)
        assert not opens(with_token, code)


@pytest.mark.parametrize("off", [-100 * STEP, 100 * STEP])
def test_a_token_from_the_drawer_is_found_by_two_codes_in_a_row(with_token: Portal, off: float) -> None:
    assert not opens(with_token, shown(with_token, off))
    codes = shown(with_token, off), shown(with_token, off + STEP)
    exit_code, output = resync(with_token, *codes)
    assert (exit_code, f"{int(abs(off + STEP))} s {'fast' if off > 0 else 'slow'}" in output) == (0, True), output
    assert with_token.events()[-1] == ("token_resynchronised", "success", None)
    with_token.clock.advance(60)
    assert not any(opens(with_token, code) for code in codes), "they were used by that"
    with_token.clock.advance(3600)
    assert opens(with_token, shown(with_token, off + STEP))


def test_a_token_of_eight_digits_is_found_by_two_of_its_own_codes(portal: Portal, tmp_path: Path) -> None:
    take(portal, written(tmp_path, f"account,serial number,secret,digits\nanne,42,{SECRET},8\n"))
    codes = []
    for _ in range(2):
        portal.clock.advance(STEP)
        codes.append(token(portal, SECRET, "-d8"))
    assert resync(portal, *codes)[0] == 0
    portal.clock.advance(STEP)
    assert opens(portal, token(portal, SECRET, "-d8"))


@pytest.mark.parametrize(
    ("account", "first", "second"),
    [
        ("anne", 0.0, 2 * STEP),
        ("anne", STEP, 0.0),
        ("anne", 300 * STEP, 301 * STEP),
        ("bob", 0.0, STEP),
        ("carol", 0.0, STEP),
    ],
    ids=["not in a row", "the wrong way round", "too far off", "of an app", "of nobody"],
)
def test_no_other_codes_set_a_clock(with_token: Portal, account: str, first: float, second: float) -> None:
    secret = OTHER if account == "bob" else SECRET
    exit_code, output = resync(
        with_token, shown(with_token, first, secret), shown(with_token, second, secret), account=account
    )
    assert exit_code == 2
    assert "Traceback" not in output
    assert with_token.events()[-1][0] != "token_resynchronised"


@pytest.mark.abuse("A18")
def test_two_codes_set_a_clock_once(with_token: Portal) -> None:
    codes = shown(with_token, 0), shown(with_token, STEP)
    assert [resync(with_token, *codes)[0] for _ in range(2)] == [0, 2]


@pytest.mark.abuse("A48")
def test_a_clock_that_was_set_in_the_store_by_hand_is_seen(with_token: Portal) -> None:
    with_token.sql("UPDATE mfa_totp_seeds SET drift = 5 WHERE drift IS NOT NULL")
    assert not opens(with_token, shown(with_token, 5 * STEP))
    assert not opens(with_token, shown(with_token, 0))


@pytest.mark.abuse("A48")
def test_an_app_that_was_made_a_token_in_the_store_is_seen(with_token: Portal) -> None:
    with_token.sql("UPDATE mfa_totp_seeds SET drift = 0 WHERE drift IS NULL")
    assert not opens(with_token, shown(with_token, 0, OTHER), "bob")


def test_what_is_kept_of_an_app_is_understood_as_it_was_before_there_were_tokens(with_token: Portal) -> None:
    (row,) = with_token.sql(
        "SELECT subject, authenticator_id, seed, last_step, spent FROM mfa_totp_seeds JOIN mfa_authenticators "
        "ON mfa_authenticators.id = authenticator_id JOIN mfa_accounts ON mfa_accounts.id = account_id "
        "WHERE drift IS NULL"
    )
    keyring = with_token.app.extensions["mfa_gate"].services.keyring
    name = f"{row.subject} {row.authenticator_id}"
    assert row.spent == keyring.hash("totp step", f"{name} {row.last_step}")
    assert keyring.open("seed", row.seed, f"totp {name}")


def test_rotated_keys_still_know_where_the_clock_of_a_token_is(make: MakePortal, with_token: Portal) -> None:
    for months in range(1, 4):
        assert opens(with_token, shown(with_token, -STEP * months))
        with_token.clock.advance(MONTH)
    rotated = make(MFA_GATE_KEYS=f"{NEW},{KEYS}")
    done = rotated.app.test_cli_runner().invoke(args=["mfa", "keys", "rotate"])
    assert done.exit_code == 0, done.output
    alone = make(MFA_GATE_KEYS=NEW)
    alone.clock.now = with_token.clock.now
    assert opens(alone, shown(alone, -STEP * 4))
