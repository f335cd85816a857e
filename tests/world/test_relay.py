"""A phishing relay between a real browser and the portal: what it gets by a code, and that a key gives it nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser as Chromium

from tests.support.relay import Relay, relaying
from tests.support.served import NAMES, SAID, Served, Window, window_in
from tests.support.virtual_key import VirtualKey

pytestmark = [pytest.mark.browser, pytest.mark.abuse("A53")]

Stand = Callable[..., Relay]


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def stand(served: Served, chromium: Chromium) -> Iterator[Stand]:
    """Put a relay in front of the portal."""
    with ExitStack() as stack:
        yield lambda **does: stack.enter_context(relaying(served.url, **does))
        for context in chromium.contexts:
            context.close()


def lured(chromium: Chromium, served: Served, relay: Relay) -> Window:
    """A window of somebody who takes the relay for the portal."""
    window = window_in(chromium, served)
    window.url = relay.url
    return window


def test_a_code_typed_at_a_relay_gives_it_a_session(chromium: Chromium, served: Served, stand: Stand) -> None:
    # A code can be passed on, and a relay in the person's own place looks like a new browser of theirs. What asks for a
    # key stays closed all the same, which the tests below are about; a relay elsewhere is seen by the risk engine.
    secret, relay = served.portal.enrolled(), stand()
    window = lured(chromium, served, relay)
    window.sign_in(path="/patients/17")
    window.send("main form", code=served.portal.code(secret))
    assert window.heading == "Record 17"
    assert window.page.url == f"{relay.url}/patients/17"
    status, page = relay.steals("GET", "/patients/18")
    assert (status, "Record 18" in page) == (200, True)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_at_a_relay_the_browser_refuses_the_key_and_says_why(
    chromium: Chromium, served: Served, stand: Stand, language: str
) -> None:
    account, relay = NAMES[language], stand()
    window = lured(chromium, served, relay)
    key = VirtualKey(window.page)
    key.take_over(served.key(account))
    window.sign_in(account, "/patients/17")
    assert window.heading == SAID[language]["challenge"]
    assert window.refused_key() == SAID[language]["address"]
    assert window.state() == "pending"
    assert [credential["signCount"] for credential in key.credentials] == [0]  # nothing was signed
    assert relay.steals("GET", "/patients/18")[0] != 200


def test_a_relay_that_asks_for_a_key_of_its_own_name_gets_no_answer(
    chromium: Chromium, served: Served, stand: Stand
) -> None:
    """It writes its own host over the RP ID in the options; the key holds nothing for that name."""
    relay = stand(rename=True)
    window = lured(chromium, served, relay)
    VirtualKey(window.page).take_over(served.key())
    window.sign_in()
    assert window.refused_key() == SAID["fr"]["not confirmed"]
    assert window.state() == "pending"


@pytest.mark.parametrize("rename", [False, True], ids=["options as they come", "RP ID renamed to the relay's"])
def test_nothing_is_enrolled_through_a_relay(chromium: Chromium, served: Served, stand: Stand, rename: bool) -> None:
    """Not even for who types the activation code there: what is made for the relay's name, the portal refuses."""
    code, relay = served.portal.activation_code(), stand(rename=rename)
    window = lured(chromium, served, relay)
    VirtualKey(window.page)
    window.sign_in()
    window.send("main form", code=code)
    assert window.answered_key() == SAID["fr"]["refused" if rename else "address"]
    assert served.methods() == []
    assert window.state() == "enrolling"
    assert relay.steals("GET", "/patients/18")[0] != 200


def test_a_relay_that_hides_the_key_and_passes_a_code_on_stays_shut_out_where_a_key_is_asked_for(
    chromium: Chromium, served: Served, stand: Stand
) -> None:
    _, secret = served.key_and_app()
    relay = stand(hide_keys=True)
    window = lured(chromium, served, relay)
    window.sign_in()
    assert window.page.locator(".mfa-webauthn").count() == 0
    window.send("main form", code=served.portal.code(secret))
    assert window.heading == "Home"
    window.open("/safe")
    assert window.heading == SAID["fr"]["step_up"]
    assert window.page.locator("main form").count() == 0  # a code is not even asked for
    served.portal.clock.advance(30)
    assert "next" in window.ask(
        "totp/verify", {"code": served.portal.code(secret)}
    )  # it is proven again, and for nothing
    window.open("/safe")
    assert window.heading == SAID["fr"]["step_up"]
    status, page = relay.steals("GET", "/safe")
    assert (status == 200, "Safe" in page) == (False, False)
