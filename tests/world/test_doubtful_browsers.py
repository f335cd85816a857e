"""Late, doubled and foreign requests, as Chromium and Firefox really send them (A68, A69)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from mfa_gate.durations import DAY
from mfa_gate.risk import RiskPolicy
from tests.support.line import Line, OtherSite, other_site
from tests.support.served import SAID, Serve, Served
from tests.support.tabs import SEND, ChromiumTabs, FirefoxTabs, Tabs

pytestmark = [pytest.mark.browser, pytest.mark.world]

ENGINES = ("chromium", "firefox")
APPS = {"MFA_GATE_METHODS": ("totp",)}
HOME, AWAY = "192.0.2.10", "198.51.100.9"
Person = Callable[[Served], Tabs]

# a page that asks again and again, and notes what it is answered
POLL = """
  window.polled = [];
  (async () => {
    for (;;) {
      const answer = await fetch("/patients/17", {headers: {Accept: "application/json"}, cache: "no-store"});
      window.polled.push(answer.status);
      await new Promise((next) => setTimeout(next, 50));
    }
  })();
"""
# a tab that signs in by itself as it is restored
RESTORED = """
  const sent = new URLSearchParams({email: "anne", password: "pw-anne"});
  fetch("/login", {method: "POST", body: sent}).then(() => { window.restored = true; });
"""


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def person(engine: str, request: pytest.FixtureRequest) -> Person:
    """Somebody's browser, without a cookie."""
    if engine == "chromium":
        return lambda served: ChromiumTabs(request.getfixturevalue("chromium"), served)
    return lambda served: FirefoxTabs(request.getfixturevalue("running"), served)


@pytest.fixture
def site() -> Iterator[OtherSite]:
    with other_site() as site:
        yield site


def kinds(served: Served) -> list[str]:
    return [kind for kind, *_ in served.portal.events()]


def count(served: Served, table: str) -> int:
    return int(served.portal.sql(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608


# --- late ------------------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A68")
def test_tabs_that_poll_beside_a_step_up_sign_nobody_out(serve: Serve, person: Person) -> None:
    """Each has a request on its way with the cookies of before, which is answered after it."""
    served = serve(**APPS)
    line, tabs, secret = Line(served), person(served), served.portal.enrolled()
    tabs.sign_in(secret)
    for tab in (1, 2, 3):
        tabs.turn_to(tab)
        tabs.open("/patients/17")
        tabs.run(POLL)
        tabs.until("window.polled.length > 1")
    served.portal.clock.advance(601)
    late = line.hold("GET /patients/17", many=3)
    late.come(3)
    tabs.turn_to(0)
    tabs.open("/bank")
    assert tabs.heading == SAID["fr"]["step_up"]
    tabs.code(secret)
    tabs.press(SEND, "/bank")
    for number in range(3):
        late.let_go(number)
    for tab in (1, 2, 3):
        tabs.turn_to(tab)
        tabs.until("window.polled.includes(401) && window.polled.at(-1) === 200")
        assert tabs.run("return window.polled.filter((status) => status !== 200)") == [401]
        tabs.open("/bank")
        assert tabs.text("body") == "bank form"
    assert "identity_mismatch" not in kinds(served)
    assert tabs.state == "signed_in"


# --- foreign ---------------------------------------------------------------------------------------------------------

# Flask's cookie says nothing of SameSite. Firefox sends it with whatever leads the window to the portal. Chromium sends
# such a cookie along with a POST for two minutes of the real clock after it was set, and never again; but one that says
# SameSite=None, as portals set it whose single sign-on posts to them, comes with every form at any age. (Neither sends
# it from a frame or a picture: Firefox keeps those cookies apart, and so does Chromium in windows like these.)
COOKIE: dict[str, dict[str, object]] = {
    "chromium": {"SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_SECURE": True},
    "firefox": {},
}


def posted(site: OtherSite, tabs: Tabs, line: Line, path: str, landing: str) -> frozenset[str]:
    """Have another site's page post a form to the portal; the names of the cookies that it brought."""
    site.posts(tabs.served.url + path, note="theirs")
    tabs.visit(site.url)
    tabs.until_at(landing)
    return line.brought(f"POST {path}")


@pytest.mark.abuse("A68")
def test_another_sites_form_with_the_portals_cookie_alone_ends_nothing(
    serve: Serve, person: Person, engine: str, site: OtherSite
) -> None:
    served = serve(**APPS, **COOKIE[engine])
    line, tabs, secret = Line(served), person(served), served.portal.enrolled()
    tabs.sign_in(secret)
    served.portal.clock.advance(130)
    before = len(kinds(served))
    assert posted(site, tabs, line, "/bank", "/login") == {"session"}
    tabs.open("/")
    assert tabs.heading == "Home"
    assert kinds(served)[before:] == []
    assert count(served, "mfa_sessions") == 1


@pytest.mark.abuse("A68")
def test_a_public_page_shows_nobody_to_another_sites_form(
    serve: Serve, person: Person, engine: str, site: OtherSite
) -> None:
    served = serve(**APPS, **COOKIE[engine])
    view = served.portal.gate.public(lambda: served.portal.app.view_functions["public"]())
    served.portal.app.add_url_rule("/board", "board", view, methods=["GET", "POST"])
    line, tabs, secret = Line(served), person(served), served.portal.enrolled()
    tabs.sign_in(secret)
    served.portal.clock.advance(130)
    assert posted(site, tabs, line, "/board", "/board") == {"session"}
    assert tabs.text("body") == "open to None None"
    tabs.open("/board")
    assert tabs.text("body") == "open to anne anne"


# --- doubled ---------------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A68")
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "the second one first"])
def test_a_double_click_on_continue_lets_in_once(serve: Serve, person: Person, order: tuple[int, int]) -> None:
    served = serve(**APPS)
    line, tabs, secret = Line(served), person(served), served.portal.enrolled()
    served.portal.clock.advance(30)
    tabs.password()
    tabs.code(secret)
    before, both = len(kinds(served)), line.hold("POST /mfa/challenge", many=2)
    tabs.click_twice(SEND, both)
    for number in order:
        both.let_go(number)
    tabs.until_at("/")
    assert tabs.heading == "Home"
    assert (served.failures(), kinds(served)[before:]) == ([], ["second_factor"])
    assert (count(served, "mfa_sessions"), count(served, "mfa_devices")) == (1, 1)


@pytest.mark.abuse("A68")
def test_five_restored_tabs_that_sign_in_at_once_are_no_thief(serve: Serve, person: Person) -> None:
    served = serve(**APPS)
    line, tabs, secret = Line(served), person(served), served.portal.enrolled()
    tabs.sign_in(secret)
    tabs.sign_out()
    served.portal.clock.advance(60)
    before, five = len(kinds(served)), line.hold("POST /login", many=5)
    for tab in range(5):
        tabs.turn_to(tab)
        tabs.open("/login")
        tabs.run(RESTORED)
    five.come(5)
    for number in (3, 0, 4, 2, 1):
        five.let_go(number)
    for tab in range(5):
        tabs.turn_to(tab)
        tabs.until("window.restored")
    tabs.open("/mfa/challenge")
    tabs.code(secret)
    tabs.press(SEND, "/")
    for tab in range(5):
        tabs.turn_to(tab)
        tabs.open("/patients/17")
        assert tabs.heading == "Record 17"
    assert (served.failures(), kinds(served)[before:]) == ([], ["first_factor"] * 5 + ["second_factor"])
    assert count(served, "mfa_devices") == 1


@pytest.mark.abuse("A68")
def test_two_sign_ins_whose_answers_come_in_the_other_order_are_no_thief(serve: Serve, person: Person) -> None:
    """Both were sent with one device cookie; the browser keeps what the first one was answered, and comes by it."""
    served = serve(**APPS)
    line, tabs, secret = Line(served), person(served), served.portal.enrolled()
    tabs.sign_in(secret)
    tabs.sign_out()
    served.portal.clock.advance(60)
    tabs.password()
    tabs.code(secret)
    first = line.hold("POST /mfa/challenge", answers=True)
    tabs.click(SEND)
    first.come(1)
    line.brought("POST /mfa/challenge")
    served.portal.clock.advance(30)
    tabs.turn_to(1)
    tabs.sign_in(secret)
    first.let_go(0)
    tabs.turn_to(0)
    tabs.until_at("/")
    for tab in (1, 0):
        tabs.turn_to(tab)
        tabs.open("/patients/17")
        assert tabs.heading == "Record 17"
    tabs.sign_out()
    served.portal.clock.advance(60)
    tabs.sign_in(secret)
    assert tabs.heading == "Home"
    assert served.failures() == []
    assert {"device_replayed", "identity_mismatch"}.isdisjoint(kinds(served))
    assert count(served, "mfa_devices") == 1


# --- a sign-in of another site's making ------------------------------------------------------------------------------


@pytest.mark.abuse("A69")
def test_another_sites_page_that_posts_the_login_form_signs_nobody_in(
    serve: Serve, person: Person, site: OtherSite
) -> None:
    served = serve(**APPS)
    tabs = person(served)
    served.portal.enrolled("bob")
    before = served.portal.events("bob")
    site.posts(f"{served.url}/login", email="bob", password="pw-bob")
    tabs.visit(site.url)
    tabs.until_at("/login")
    assert tabs.state == "anonymous"
    tabs.open("/")
    assert tabs.heading == "Login"
    assert (served.portal.events("bob"), count(served, "mfa_sessions")) == (before, 0)


@pytest.mark.abuse("A69")
def test_the_single_sign_on_that_is_listed_begins_and_an_owner_on_a_known_device_is_not_too_unusual(
    serve: Serve, person: Person, site: OtherSite
) -> None:
    """Its POST brings no device cookie; the page that it leads to does, and the gate looks again."""
    served = serve(**APPS, risk=RiskPolicy(), MFA_GATE_LOGIN_ORIGINS=[site.url])
    line, tabs, portal = Line(served), person(served), served.portal
    line.address, secret = HOME, portal.enrolled()
    tabs.open("/login")
    agent, usual = str(tabs.run("return navigator.userAgent")), portal.browser(HOME)
    usual.client.environ_base["HTTP_USER_AGENT"] = agent
    for _ in range(7):
        portal.clock.advance(DAY)
        assert usual.sign_in(secret).status_code == 303
        assert usual.api("POST", "sign-out").status_code == 200
    portal.clock.advance(DAY)
    tabs.sign_in(secret)
    tabs.sign_out()
    portal.clock.advance(DAY)
    line.address, stranger = AWAY, portal.browser(AWAY)
    stranger.client.environ_base["HTTP_USER_AGENT"] = agent
    stranger.password()
    assert stranger.api("POST", "totp/verify", {"code": portal.code(secret)}).json["code"] == "too_unusual"
    before = len(served.failures())
    site.posts(f"{served.url}/login", email="anne", password="pw-anne")
    tabs.visit(site.url)
    tabs.until_at("/mfa/challenge")
    tabs.code(secret)
    tabs.press(SEND, "/")
    assert tabs.heading == "Home"
    assert "device_shown_late" in kinds(served)
    assert served.failures()[before:] == []
