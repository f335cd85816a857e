"""Keys at the gate's own pages, by its own script, in Firefox: another engine, another code in front of the key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mfa_gate.testing import SoftwareKey
from tests.support.firefox import Fox
from tests.support.portal import MakePortal
from tests.support.served import HOST, KEYS_AND_APPS, NAMES, SAID, Served, serving

pytestmark = pytest.mark.browser


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def served(make: MakePortal) -> Iterator[Served]:
    with serving(make, MFA_GATE_METHODS=KEYS_AND_APPS) as served:
        yield served


@pytest.fixture
def fox(running: Fox, served: Served) -> Fox:
    running.fresh(served.url)
    return running


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_key_is_set_up_and_opens(fox: Fox, served: Served, language: str) -> None:
    account, said = NAMES[language], SAID[language]
    code = served.portal.activation_code(account)
    fox.plug()
    fox.open("/patients/17")
    fox.password(account)
    fox.fill("#code", code)
    fox.press("main form button")
    assert fox.heading == said["enrol"]
    fox.fill("form.mfa-webauthn [name=label]", "Clé")
    fox.use_key()
    assert fox.heading == "Record 17"
    fox.open("/mfa/sign-out")
    fox.press("main form button")
    fox.open("/safe")
    fox.password(account)
    assert fox.heading == said["challenge"]
    fox.use_key()
    assert fox.heading == "Safe"
    assert served.methods(account) == ["pop"]


def test_a_key_steps_up(fox: Fox, served: Served) -> None:
    fox.plug(served.key())
    fox.open("/safe")
    fox.password()
    fox.use_key()
    served.portal.clock.advance(601)
    fox.open("/safe")
    assert fox.heading == SAID["fr"]["step_up"]
    fox.use_key()
    assert fox.heading == "Safe"


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_key_is_not_set_up_twice(fox: Fox, served: Served, language: str) -> None:
    account = NAMES[language]
    fox.plug(served.key(account))
    fox.open("/")
    fox.password(account)
    fox.use_key()
    fox.open("/mfa/enrol")
    assert fox.refused_key() == SAID[language]["known"]
    assert served.methods(account) == ["pop"]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_another_persons_key_does_not_open(fox: Fox, served: Served, language: str) -> None:
    other = SoftwareKey(served.url)
    other.make(HOST, b"somebody of this portal", b"")
    served.key(NAMES[language])
    fox.plug(other)
    fox.open("/")
    fox.password(NAMES[language])
    assert fox.refused_key() == SAID[language]["not confirmed"]
    assert fox.state == "pending"
