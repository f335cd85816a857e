"""Keys asked for on pages that are not the portal's: another host, another port, a frame.

The other page has the options that the portal gave to the person's own browser, and what the key makes of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Frame, Page

from tests.support.served import HOST, Served, Window, html_app, listening, window_in
from tests.support.virtual_key import VirtualKey, enrolling

pytestmark = [pytest.mark.browser, pytest.mark.world]

BLANK = '<!doctype html><title>Elsewhere</title><link rel="icon" href="data:,">'
GET = """async (options) => {
  try {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    return (await navigator.credentials.get({publicKey})).toJSON();
  } catch (error) {
    return error.name;
  }
}"""
CREATE = GET.replace("parseRequestOptions", "parseCreationOptions").replace("credentials.get", "credentials.create")
ALLOW = "publickey-credentials-get *; publickey-credentials-create *"


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def window(chromium: Chromium, served: Served) -> Iterator[Window]:
    window = window_in(chromium, served)
    yield window
    window.page.context.close()


@pytest.fixture
def port() -> Iterator[int]:
    """Of another server on this machine."""
    with listening(html_app(BLANK)) as port:
        yield port


def elsewhere(window: Window, served: Served, url: str) -> Page:
    """Another window of the same browser; the key is plugged in there."""
    page = window.page.context.new_page()
    page.goto(url)
    VirtualKey(page).take_over(served.key())
    window.sign_in()
    return page


@pytest.mark.parametrize("host", ["evil.localhost", "localhost", "other-login.localhost"])
def test_on_another_host_the_browser_asks_no_key(window: Window, served: Served, port: int, host: str) -> None:
    page = elsewhere(window, served, f"http://{host}:{port}/")
    assert page.evaluate(GET, window.ask("webauthn/verify/begin")) == "SecurityError"


@pytest.mark.abuse("A28")
def test_what_a_key_signs_on_another_port_does_not_open(window: Window, served: Served, port: int) -> None:
    """To the browser it is the same host, so that it lets the page ask; to the portal it is another address."""
    page = elsewhere(window, served, f"http://{HOST}:{port}/")
    answer = page.evaluate(GET, window.ask("webauthn/verify/begin"))
    assert window.ask("webauthn/verify/complete", answer).get("code") == "wrong_assertion"
    assert (window.state(), served.failures()) == ("pending", ["origin"])


@pytest.mark.abuse("A28")
def test_what_a_key_makes_on_another_port_is_not_set_up(window: Window, served: Served, port: int) -> None:
    page = window.page.context.new_page()
    page.goto(f"http://{HOST}:{port}/")
    VirtualKey(page)
    enrolling(window, served)
    answer = page.evaluate(CREATE, window.ask("webauthn/enrol/begin"))
    assert window.ask("webauthn/enrol/complete", answer).get("code") == "wrong_assertion"
    assert (served.methods(), served.failures()) == ([], ["origin"])


@pytest.mark.abuse("A28")
def test_what_a_key_signs_in_a_frame_of_another_site_does_not_open(window: Window, served: Served) -> None:
    """Even on a page of the portal's that may be framed, by a site that allows it everything."""
    framing = f'{BLANK}<iframe src="{served.url}/open" allow="{ALLOW}"></iframe>'
    with listening(html_app(framing)) as port:
        page = elsewhere(window, served, f"http://localhost:{port}/")
        frame = framed(page)
        assert frame.url == f"{served.url}/open"
        answer = frame.evaluate(GET, window.ask("webauthn/verify/begin"))
    assert window.ask("webauthn/verify/complete", answer).get("code") == "wrong_assertion"
    assert (window.state(), served.failures()) == ("pending", ["cross_origin"])


@pytest.mark.abuse("A51")
@pytest.mark.parametrize("path", ["/mfa/challenge", "/mfa/enrol", "/mfa/authenticators"])
def test_the_gates_own_pages_cannot_be_framed_to_ask_for_a_key(window: Window, served: Served, path: str) -> None:
    """By another port of the same host, to which the browser sends the person's cookie along."""
    VirtualKey(window.page).take_over(served.key())
    window.sign_in()
    window.use_key()
    window.open(path)
    assert window.page.url == f"{served.url}{path}"
    with listening(html_app(f'{BLANK}<iframe src="{served.url}{path}" allow="{ALLOW}"></iframe>')) as port:
        window.page.goto(f"http://{HOST}:{port}/")
        frame = framed(window.page)
        assert frame.locator("form").count() == 0
        assert frame.url.startswith("chrome-error:")


def framed(page: Page) -> Frame:
    (frame,) = (frame for frame in page.frames if frame.parent_frame is not None)
    return frame
