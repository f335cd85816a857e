"""Our own cookies are read as browsers send them: nothing that a sibling host plants hides or replaces one."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from mfa_gate.web import cookies
from tests.support.portal import BASE_URL, JSON, PAGE, Browser, Portal

# what may stand around ours in a header; the quote of some of them is closed behind ours
AROUND = [
    'x="; {ours}; y="',
    'x="; {ours}; y=a"',
    'x="; {ours}',
    'x=" ; {ours} ; y="; z="',
    'x = "; {ours}; y="',
    'x=\t"; {ours}; y="',
    'x=\xa0"; {ours}; y="',
    'x="a\\"; {ours}; y=b"',
    'x="a"b; {ours}; y="c',
    '"; {ours}; "',
    '"x="; {ours}; y="',
    '="; {ours}; ="',
    '$Version="1; {ours}; $Path="/',
    'x="a b; c="d; {ours}; e="f"; g="',
    'x={{"a": "b"}}; {ours}; y="c d"',
    "x=a,b; {ours}; y=c,d",
    "; ;; {ours} ;;",
    "x; {ours}; y",
]


@pytest.fixture
def backend() -> str:
    """How a header is read knows nothing of the store: one back end will do."""
    return "sqlite"


def held(browser: Browser) -> str:
    """The cookies of a browser, as it would send them."""
    return "; ".join(f"{cookie.key}={cookie.value}" for cookie in browser.client._cookies.values())  # type: ignore[attr-defined]


def send(portal: Portal, header: str, path: str = "/", **kwargs: object) -> TestResponse:
    """A request with just this Cookie header."""
    client = portal.app.test_client(use_cookies=False)
    method = str(kwargs.pop("method", "GET"))
    headers = {"Cookie": header, "Origin": BASE_URL, **PAGE, **kwargs.pop("headers", {})}  # type: ignore[dict-item]
    return client.open(path, method=method, base_url=BASE_URL, headers=headers, **kwargs)  # type: ignore[arg-type]


@pytest.fixture
def secret(portal: Portal) -> str:
    return portal.enrolled()


@pytest.fixture
def anne(browser: Browser, secret: str) -> Browser:
    """Anne's browser, signed in."""
    browser.sign_in(secret)
    return browser


@pytest.fixture
def bobs(portal: Portal) -> str:
    """The gate's cookie of somebody else who is signed in."""
    other = portal.browser()
    other.sign_in(portal.enrolled("bob"), "bob")
    return other.gate_cookie or ""


@pytest.mark.abuse("A65")
@pytest.mark.parametrize("around", AROUND)
def test_a_quote_of_a_sibling_host_hides_neither_the_gates_session_nor_the_portals(
    portal: Portal, anne: Browser, around: str
) -> None:
    ours = held(anne)
    for order in (ours, "; ".join(reversed(ours.split("; ")))):
        answer = send(portal, around.format(ours=order))
        assert (answer.status_code, answer.text) == (200, "home of anne")
    assert anne.get("/").text == "home of anne", "nothing was ended"


@pytest.mark.abuse("A65")
@pytest.mark.parametrize("around", AROUND)
def test_a_quote_of_a_sibling_host_hides_no_wanted_page_and_no_known_device(
    portal: Portal, anne: Browser, secret: str, around: str
) -> None:
    anne.step("sign-out")
    portal.mark_notices_shown()
    portal.clock.advance(30)
    anne.get("/patients/7")
    devices = portal.sql("SELECT series FROM mfa_devices")
    anne.password()
    token = anne.token
    answer = send(
        portal,
        around.format(ours=held(anne)),
        "/mfa/challenge",
        method="POST",
        data={"csrf_token": token, "code": portal.code(secret)},
    )
    assert answer.location == f"{BASE_URL}/patients/7"
    assert portal.sql("SELECT series FROM mfa_devices") == devices


@pytest.mark.abuse("A65")
@pytest.mark.parametrize(
    "planted", ["garbage", "", '"', "a.b", "%22", "é", "\u2028".encode().decode("latin-1"), "x" * 300]
)
def test_a_value_that_is_not_ours_hides_none_that_is(portal: Portal, anne: Browser, planted: str) -> None:
    """A browser sends the cookie of the longer path first, and the older one: a sibling host chooses its place."""
    settings = portal.gate_settings
    names = (settings.cookie_name, settings.device_cookie_name, f"{settings.cookie_name}-to")
    others = "; ".join(f"{name}={planted}" for name in names)
    for header in (f"{others}; {held(anne)}", f"{held(anne)}; {others}", f"{others}; {held(anne)}; {others}"):
        assert send(portal, header).text == "home of anne"


@pytest.mark.abuse("A65")
@pytest.mark.abuse("A24")
def test_of_two_sessions_under_one_name_none_counts_and_nothing_is_written(
    portal: Portal, anne: Browser, bobs: str
) -> None:
    """Somebody who has an account could else put people into it, or choose whose session a request is of."""
    name, own = portal.gate_settings.cookie_name, anne.gate_cookie
    for header in (f"{name}={own}; {name}={bobs}", f"{name}={bobs}; {name}={own}"):
        for path in ("/", "/open", "/mfa/api/v1/session", "/mfa/api/v1/authenticators"):
            answer = send(portal, header, path, headers=JSON)
            assert "anne" not in answer.text
            assert "bob" not in answer.text
            assert "Set-Cookie" not in answer.headers
    assert send(portal, f"{name}={own}; {name}={own}", "/mfa/api/v1/session", headers=JSON).json["account"] == "anne"
    assert anne.get("/").text == "home of anne"


@pytest.mark.abuse("A65")
def test_of_two_kept_pages_none_is_gone_to(portal: Portal, browser: Browser, secret: str) -> None:
    name = f"{portal.gate_settings.cookie_name}-to"
    other = portal.browser()
    other.get("/patients/6")
    planted = other.client.get_cookie(name, domain="portal.example")
    assert planted is not None
    portal.mark_notices_shown()
    browser.get("/patients/7")
    browser.password()
    answer = send(
        portal,
        f"{name}={planted.value}; {held(browser)}",
        "/mfa/challenge",
        method="POST",
        data={"csrf_token": browser.token, "code": portal.code(secret)},
    )
    assert answer.location == f"{BASE_URL}/"


@pytest.mark.abuse("A65")
@pytest.mark.parametrize(
    "named",
    [
        "{lower}",
        "\x85{name}",
        "\xa0{name}",
        "{blank}{name}",
        "{name}\x0b",
        "x{name}",
        "{name}x",
        "{quoted}",
        '"{name}"',
        "$Version=1,{name}",
    ],
)
def test_a_name_that_is_only_like_ours_is_not_ours(portal: Portal, anne: Browser, named: str) -> None:
    """Browsers refuse a sibling host the prefix `__Host-`, as it stands, and nothing else."""
    name = portal.gate_settings.cookie_name
    blank, quoted = "\u2000".encode().decode("latin-1"), quote(name, safe="")[:-1] + f"%{ord(name[-1]):x}"
    planted = named.format(name=name, lower=name.lower(), blank=blank, quoted=quoted)
    answer = send(portal, f"{planted}={anne.gate_cookie}", "/mfa/api/v1/session", headers=JSON)
    assert answer.json["state"] == "anonymous"


@pytest.mark.parametrize(
    ("header", "left"),
    [
        ('a="b c"; d=e', 'a="b c"; d=e'),
        ('a="b\\073 \\" c"; d=e', 'a="b\\073 \\" c"; d=e'),
        ('a={"b": 1}; d=e', 'a={"b": 1}; d=e'),
        ('a=b; c="; d=e', "a=b; d=e"),
        ('a="; d=e; f="', " d=e"),
        ("a=b;c=d", "a=b;c=d"),
    ],
)
def test_the_portal_gets_every_cookie_but_those_whose_quote_is_open(header: str, left: str) -> None:
    environ = {"HTTP_COOKIE": header}
    cookies.let_no_quote_run_on(environ)
    assert environ == {"HTTP_COOKIE": left}
