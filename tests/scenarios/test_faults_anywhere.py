"""Each thing that a step asks of the store fails once, and each part raises: said, closed, and nothing is half done."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Any

import jinja2
import pyotp
import pytest

from mfa_gate.audit import record as audit
from mfa_gate.audit.chain import Head
from mfa_gate.desk import Desk as HelpDesk
from mfa_gate.factors import recovery, totp, webauthn
from mfa_gate.keyring import Keyring
from mfa_gate.policy import Policy
from mfa_gate.sessions.devices import Devices
from mfa_gate.sessions.sessions import Sessions
from mfa_gate.store import outbox
from mfa_gate.web import desk_pages as web_desk
from tests.support.breaking import OWN_PARTS, Fault, State, kept, listening, raise_broken, state_of
from tests.support.portal import MakePortal
from tests.support.repeatable import LEAVES, ONCE, ONE_ANSWER, WORK, almost

pytestmark = [pytest.mark.abuse("A34"), pytest.mark.parametrize("backend", ["sqlite"], indirect=True)]


@pytest.fixture(autouse=True)
def cheap_recovery_codes(quick_recovery_codes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are drawn hundreds of times here, and what they cost is looked at elsewhere."""
    monkeypatch.setattr("mfa_gate.factors.recovery._COST", 2**4)


every_work = pytest.mark.parametrize("name", WORK)


@every_work
def test_whatever_fails_is_said_and_nothing_is_half_done(make: MakePortal, tmp_path: Path, name: str) -> None:
    """And right after it, the same works: nothing was spent."""
    work = WORK[name](make, tmp_path)
    portal, before, stood = work.portal, state_of(work.portal), work.browser.state
    with kept(portal) as put_back:
        whole = Fault()
        assert work.passes(work.again(), whole)
        after = state_of(portal)
        for at in range(1, whole.asked + 1):
            put_back()
            portal.opened.clear()
            browser = work.again()
            assert work.passes(browser, Fault(at)) is (at in whole.reads), f"{at} of {whole.asked}"
            now = state_of(portal)
            assert now in (before, after, almost(name, before, after)), f"{at}: {differs(now, after)}"
            if now != before:
                continue
            assert portal.opened == []
            if name in LEAVES and browser.state == "anonymous":
                continue
            assert browser.state == stood
            if name not in ONE_ANSWER:
                assert work.passes(browser)
                assert state_of(portal) == after


@pytest.mark.parametrize("name", sorted(ONCE))
def test_what_was_done_and_not_heard_of_is_done_once(make: MakePortal, tmp_path: Path, name: str) -> None:
    work = WORK[name](make, tmp_path)
    portal = work.portal
    with kept(portal) as put_back:
        whole = Fault()
        assert work.passes(work.again(), whole)
        after = state_of(portal)
        reached = 0
        for at in whole.commits:
            put_back()
            browser = work.again()
            assert not work.passes(browser, Fault(at, done=True))
            if state_of(portal) == after:
                reached += 1
                for once_more in (browser, work.again()):
                    work.passes(once_more)
                    assert state_of(portal) == after
        assert reached


# what steps are made of: our own parts, and what they take from libraries
PARTS: dict[str, tuple[Any, str]] = {
    **OWN_PARTS,
    "devices shown": (Devices, "show"),
    "devices admitted": (Devices, "admit"),
    "sessions opened": (Sessions, "open"),
    "sessions proven": (Sessions, "prove"),
    "sessions looked for": (Sessions, "is_there"),
    "policy": (Policy, "requirement"),
    "outbox": (outbox, "add"),
    "news": (outbox, "waits"),
    "chain": (Head, "extend"),
    "browser family": (audit, "family"),
    "codes": (totp, "complete"),
    "first codes": (totp, "confirm"),
    "recovery codes": (recovery, "complete"),
    "drawing": (recovery, "begin"),
    "assertions": (webauthn, "complete_authentication"),
    "registrations": (webauthn, "complete_registration"),
    "signatures": (webauthn, "_verify_signature"),
    "roles": (HelpDesk, "staff"),
    "letters": (web_desk, "render"),
    "pyotp": (pyotp.OTP, "generate_otp"),
    "scrypt": (hashlib, "scrypt"),
    "ciphers": (Keyring, "_cipher"),
    "keyed hashes": (Keyring, "_mac"),
    "tokens": (secrets, "token_urlsafe"),
    "names": (secrets, "token_hex"),
    "bytes": (secrets, "token_bytes"),
    "templates": (jinja2.Template, "render"),
}


@every_work
def test_a_part_that_raises_is_said_and_leaves_nothing_half_done(make: MakePortal, tmp_path: Path, name: str) -> None:
    work = WORK[name](make, tmp_path)
    portal, before = work.portal, state_of(work.portal)
    with kept(portal) as put_back:
        with listening(PARTS) as called:
            assert work.passes(work.again())
            after = state_of(portal)
            put_back()
            assert work.passes(work.again())
        for part in sorted(called):  # nothing can come of the others
            where = PARTS[part]
            put_back()
            browser = work.again()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(*where, raise_broken)
                passed = work.passes(browser)
            now = state_of(portal)
            assert now in (before, after, almost(name, before, after)), f"{part}: {differs(now, after)}"
            assert now == after or not passed, part
            if name in LEAVES and browser.state == "anonymous":
                continue
            if now == before and name not in ONE_ANSWER:
                assert work.passes(browser), part
                assert state_of(portal) == after, part


def differs(one: State, other: State) -> dict[str, Any]:
    return {name: (one[name], other[name]) for name in one if one[name] != other[name]}
