"""The page a person wanted: kept for a navigation of this portal, sealed, and never a way out of it (A22, A23)."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from flask.testing import FlaskClient
from werkzeug.routing import BaseConverter
from werkzeug.test import TestResponse

from mfa_gate.store import Store
from tests.support.portal import BASE_URL, JSON, PAGE, Browser, Portal, make_portal
from tests.support.web import dump

RECORD = "185017512345678"
EVIL = "evil.example"

# as they stand in a request line; the server decodes them once
NEVER = (
    "//evil.example",
    "///evil.example",
    "//evil.example/%2f..",
    "/\\evil.example",
    "/%5Cevil.example",
    "/%09/evil.example",
    "/%09//evil.example",
    "/%0A/evil.example",
    "/%0D%0ASet-Cookie:%20a=b",
    "/%00/evil.example",
    "/%7F/evil.example",
    "/%C2%85/evil.example",
    "/%E2%80%A8/evil.example",
    "/%2f%2fevil.example",
    "/%2Fevil.example",
    "/%252fevil.example",
    "/%252f%252fevil.example",
    "/%2509/evil.example",
    "/%255Cevil.example",
    "/a%0Ab",
    "/patients/1?back=%0d%0aLocation:%20https://evil.example",
    "/patients/1?back=%5C%5Cevil.example",
    "/" + "a" * 2000,
)
NEXT = (
    "//evil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "@evil.example",
    "https:evil.example",
    "https://evil.example",
    "https://portal.example.evil.example/",
    "https://portal.example@evil.example/",
    "javascript:alert(1)",
    "/\t/evil.example",
    "\x00//evil.example",
    "%2f%2fevil.example",
    "/patients/1",
)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """The page is kept in a cookie, so one kind of store will do, except where a test looks into it."""
    return str(getattr(request, "param", "sqlite"))


class Anything(BaseConverter):
    """Any path at all, line feeds and slashes at its beginning included."""

    regex = "(?s:.*)"
    part_isolating = False


@pytest.fixture
def open_portal(portal: Portal) -> Portal:
    """The portal with a guarded view for every path there is, as a single-page app has."""
    portal.app.url_map.merge_slashes = False
    portal.app.url_map.converters["anything"] = Anything

    @portal.app.route("/<anything:rest>", methods=["GET", "POST"])
    def anything(rest: str) -> str:
        return f"page {rest}"

    return portal


def raw_get(browser: Browser, line: str, **headers: str) -> TestResponse:
    """GET exactly what is given, as a server splits it into path and query."""
    path, _, query = line.partition("?")
    environ = {"PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "QUERY_STRING": query, "REQUEST_URI": line}
    return browser.get("/", headers=headers, environ_overrides={**environ, "REMOTE_ADDR": browser.address})


def cookie_name(portal: Portal) -> str:
    return f"{portal.app.extensions['mfa_gate'].settings.cookie_name}-to"


def target_cookie(browser: Browser) -> str | None:
    cookie = browser.client.get_cookie(cookie_name(browser.portal), domain="portal.example")
    return cookie.value if cookie and cookie.value else None


def plant(browser: Browser, value: str) -> None:
    browser.client.set_cookie(cookie_name(browser.portal), value, domain="portal.example", secure=True)


def after_sign_in(browser: Browser, secret: str) -> str:
    """Where a sign-in sends the browser."""
    browser.portal.mark_notices_shown()
    answer = browser.sign_in(secret)
    assert answer.status_code == 303, answer.text
    return answer.location


def test_after_signing_in_one_lands_on_the_page_that_was_wanted(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    assert browser.get("/patients/17?tab=rights").location == f"{BASE_URL}/login"
    assert after_sign_in(browser, secret) == f"{BASE_URL}/patients/17?tab=rights"
    assert browser.get("/patients/17?tab=rights").text == "record 17"


def test_the_page_is_wanted_once(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    browser.get("/patients/17")
    after_sign_in(browser, secret)
    portal.clock.advance(30)
    assert after_sign_in(browser, secret) == f"{BASE_URL}/"


def test_the_last_of_two_pages_is_the_one_wanted(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    browser.get("/patients/17")
    browser.get("/patients/18")
    assert after_sign_in(browser, secret) == f"{BASE_URL}/patients/18"


def test_after_a_step_up_one_lands_on_the_page_that_asked_for_it(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    browser.sign_in(secret)
    portal.clock.advance(601)
    assert browser.get("/bank?from=home").location == f"{BASE_URL}/mfa/challenge"
    answer = browser.step("challenge", code=portal.code(secret))
    assert answer.location == f"{BASE_URL}/bank?from=home"
    assert browser.get("/bank?from=home").text == "bank form"


def test_a_program_is_told_the_wanted_page_too(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    browser.get("/patients/17")
    browser.password()
    answer = browser.api("POST", "totp/verify", {"code": portal.code(secret)})
    assert answer.json["next"] == f"{BASE_URL}/patients/17"


def test_the_first_enrolment_ends_on_the_page_that_was_wanted(portal: Portal, browser: Browser) -> None:
    browser.get("/patients/17")
    browser.activate()
    begun = browser.begin_enrolment()
    fields = {"action": "complete", "enrolment": begun["enrolment"], "code": portal.code(begun["secret"])}
    codes = browser.step("enrol", **fields)
    assert f'<a class="mfa-button" href="{BASE_URL}/patients/17">' in codes.text
    assert browser.get("/mfa/challenge", headers={"Sec-Fetch-Dest": "document"}).status_code == 200
    portal.clock.advance(30)
    again = browser.step("challenge", code=portal.code(begun["secret"]))
    assert again.location == f"{BASE_URL}/"  # it was wanted once


@pytest.mark.abuse("A22")
@pytest.mark.parametrize("line", NEVER)
def test_a_path_that_could_lead_elsewhere_is_not_kept(open_portal: Portal, line: str) -> None:
    browser = open_portal.browser()
    secret = open_portal.enrolled()
    answer = raw_get(browser, line)
    assert answer.status_code == 303
    assert answer.location == f"{BASE_URL}/login"
    assert target_cookie(browser) is None
    assert after_sign_in(browser, secret) == f"{BASE_URL}/"


@pytest.mark.abuse("A22")
@pytest.mark.parametrize(
    "line", ["/@evil.example", "/.evil.example", "/:80/x", "/https://evil.example", "/%40evil.example", "/a%20b?c=%26"]
)
def test_what_is_kept_stays_behind_the_base_url(open_portal: Portal, line: str) -> None:
    """Paths that are harmless as long as one slash parts them from the host."""
    browser = open_portal.browser()
    secret = open_portal.enrolled()
    raw_get(browser, line)
    location = after_sign_in(browser, secret)
    assert location.startswith(f"{BASE_URL}/")
    assert location[len(BASE_URL) + 1] not in "/\\"
    assert browser.get(location[len(BASE_URL) :]).status_code == 200


@pytest.mark.abuse("A22")
def test_an_unsafe_page_drops_the_one_that_was_kept_before(open_portal: Portal) -> None:
    browser = open_portal.browser()
    secret = open_portal.enrolled()
    browser.get("/patients/17")
    raw_get(browser, "/%09/evil.example")
    assert after_sign_in(browser, secret) == f"{BASE_URL}/"


@pytest.mark.abuse("A22")
@pytest.mark.parametrize("value", NEXT)
@pytest.mark.parametrize("place", ["query", "form", "referer"])
def test_next_from_outside_is_not_listened_to(portal: Portal, browser: Browser, value: str, place: str) -> None:
    secret = portal.enrolled()
    if place == "referer" and re.search(r"[\x00-\x1f]", value):
        value = quote(value)
    query = f"?next={quote(value, safe='')}&redirect_uri={quote(value, safe='')}" if place == "query" else ""
    more = {"next": value} if place == "form" else {}
    headers = {"Referer": value} if place == "referer" else {}
    fields = {"email": "anne", "password": "pw-anne", **more}
    for answer in (
        browser.get(f"/login{query}", headers=headers),
        browser.post(f"/login{query}", fields, headers=headers),
        browser.get(f"/mfa/challenge{query}", headers=headers),
    ):
        assert EVIL not in answer.text
        assert not answer.location or answer.location == f"{BASE_URL}/mfa/challenge"
    sent = {"csrf_token": browser.token, "code": portal.code(secret), **more}
    answer = browser.post(f"/mfa/challenge{query}", sent, headers=headers)
    if answer.status_code == 400:  # a field that the form does not have
        answer = browser.step("challenge", code=portal.code(secret))
    assert answer.location == f"{BASE_URL}/"


NOT_A_NAVIGATION: dict[str, dict[str, Any]] = {
    "an image": {"headers": {"Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors", "Accept": "image/*,*/*"}},
    "an image that says it is a page": {"headers": {"Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors"}},
    "a script": {"headers": {"Sec-Fetch-Dest": "script", "Sec-Fetch-Mode": "no-cors"}},
    "a poll by fetch": {"headers": {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors"}},
    "a poll by XMLHttpRequest": {"headers": {"X-Requested-With": "XMLHttpRequest"}},
    "a program": {"headers": {"Accept": "application/json"}},
    "anything that takes all": {"headers": {"Accept": "*/*"}},
    "a frame": {"headers": {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate"}},
    "a prefetch": {"headers": {"Sec-Purpose": "prefetch"}},
    "a prerender": {"headers": {"Sec-Purpose": "prefetch;prerender"}},
    "an older prefetch": {"headers": {"Purpose": "prefetch"}},
    "Firefox's older prefetch": {"headers": {"X-Moz": "prefetch"}},
    "a HEAD": {"method": "HEAD"},
    "a POST": {"method": "POST", "headers": {"Origin": BASE_URL}, "data": {"a": "b"}},
}


@pytest.mark.abuse("A22")
@pytest.mark.parametrize("what", NOT_A_NAVIGATION)
def test_only_a_page_that_a_person_goes_to_is_kept(open_portal: Portal, what: str) -> None:
    browser = open_portal.browser()
    secret = open_portal.enrolled()
    request = {"method": "GET", "headers": {}, **NOT_A_NAVIGATION[what]}
    answer = browser.open(request.pop("method"), "/patients/17/photo", **request)
    assert answer.status_code in (303, 401)
    assert target_cookie(browser) is None
    assert after_sign_in(browser, secret) == f"{BASE_URL}/"


def test_a_navigation_as_browsers_send_it_is_kept(open_portal: Portal) -> None:
    browser = open_portal.browser()
    secret = open_portal.enrolled()
    fetch = {
        "Sec-Fetch-Dest": "document",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Site": "none",
        "Sec-Fetch-User": "?1",
    }
    browser.get("/patients/17/photo", headers=fetch)
    assert after_sign_in(browser, secret) == f"{BASE_URL}/patients/17/photo"


@pytest.mark.abuse("A22")
def test_a_page_is_kept_without_the_script_root_and_sent_with_the_base_urls_own(make: Any) -> None:
    portal = make(MFA_GATE_BASE_URL="https://portal.example/pro")
    secret, client = portal.enrolled(), portal.app.test_client()

    def ask(method: str, path: str, root: str = "/pro", **kwargs: Any) -> TestResponse:
        headers = {**PAGE, "Origin": "https://portal.example", **kwargs.pop("headers", {})}
        return client.open(path, method=method, base_url=f"https://portal.example{root}", headers=headers, **kwargs)

    assert ask("GET", "/patients/17?a=b").location == "https://portal.example/pro/login"
    answer = ask("POST", "/login", data={"email": "anne", "password": "pw-anne"})
    assert answer.location == "https://portal.example/pro/mfa/challenge"
    # a proxy that forgot its prefix, or one that somebody made up, changes nothing
    ask("GET", "/patients/18?a=b", root="//evil.example")
    token = ask("GET", "/mfa/api/v1/session", headers=JSON).json["csrf_token"]
    answer = ask("POST", "/mfa/challenge", data={"csrf_token": token, "code": portal.code(secret)})
    assert answer.location == "https://portal.example/pro/patients/18?a=b"


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.abuse("A22")
def test_no_record_id_in_clear_in_cookie_url_or_store(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    answers = [browser.get(f"/patients/{RECORD}?nir={RECORD}"), browser.get("/login")]
    cookie = target_cookie(browser)
    assert cookie is not None
    answers += [browser.password(), browser.get("/mfa/challenge"), browser.step("challenge", code="000000")]
    dumped = dump(portal)
    for answer in answers:
        assert RECORD not in answer.text
        assert RECORD not in str(answer.headers)
        assert RECORD not in answer.request.url or answer is answers[0]
    for shape in (RECORD, base64.b64encode(RECORD.encode()).decode().rstrip("="), RECORD.encode().hex()):
        assert shape not in dumped
        assert shape not in cookie
    body = cookie.partition(".")[2]
    assert RECORD.encode() not in base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    portal.clock.advance(30)
    assert browser.step("challenge", code=portal.code(secret)).location == f"{BASE_URL}/patients/{RECORD}?nir={RECORD}"


@pytest.mark.abuse("A22")
def test_a_target_cookie_that_was_touched_is_ignored(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    browser.get("/patients/17")
    cookie = target_cookie(browser)
    assert cookie is not None
    for position in (0, 3, 10, len(cookie) // 2):
        other = "A" if cookie[position] != "A" else "B"
        plant(browser, cookie[:position] + other + cookie[position + 1 :])
        assert after_sign_in(browser, secret) == f"{BASE_URL}/"
        portal.clock.advance(30)


@pytest.mark.abuse("A22")
@pytest.mark.parametrize(
    "value",
    ["//evil.example", "test1.", "test1.AAAA", "test1." + "A" * 5000, "x.y.z", '["//evil.example",2,1e99]', "%00"],
)
def test_a_target_cookie_that_was_made_up_is_ignored(portal: Portal, browser: Browser, value: str) -> None:
    secret = portal.enrolled()
    plant(browser, value)
    assert after_sign_in(browser, secret) == f"{BASE_URL}/"


@pytest.mark.abuse("A22")
def test_a_target_cookie_in_the_clear_is_ignored(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    plain = f'["/patients/17", 2, {int(portal.clock())}]'.encode()
    for value in (
        plain.decode(),
        base64.urlsafe_b64encode(plain).decode(),
        f"test1.{base64.b64encode(plain).decode()}",
    ):
        plant(browser, value)
        assert after_sign_in(browser, secret) == f"{BASE_URL}/"
        portal.clock.advance(30)


@pytest.mark.abuse("A22")
@pytest.mark.parametrize(("letter", "lands"), [("A", "/patients/99"), ("Q", "/")])
def test_a_target_cookie_of_another_portal_is_ignored(
    portal: Portal, browser: Browser, tmp_path: Path, letter: str, lands: str
) -> None:
    """While one that another worker sealed with the portal's own keys (A) serves."""
    secret = portal.enrolled()
    elsewhere = portal_elsewhere(portal, tmp_path / "elsewhere", f"test1:{letter * 43}")
    elsewhere.get("/patients/99", base_url=BASE_URL, headers=PAGE)
    foreign = elsewhere.get_cookie(cookie_name(portal), domain="portal.example")
    assert foreign is not None
    plant(browser, foreign.value)
    assert after_sign_in(browser, secret) == BASE_URL + lands


def portal_elsewhere(portal: Portal, folder: Path, keys: str) -> FlaskClient:
    """A browser at a portal of the same address and clock, with a store of its own."""
    folder.mkdir()
    url = f"sqlite:///{folder / 'store.sqlite3'}"
    store = Store(url)
    store.upgrade()
    store.close()
    return make_portal(url, folder, portal.clock, MFA_GATE_KEYS=keys).app.test_client()


@pytest.mark.abuse("A22")
def test_what_is_sealed_for_something_else_is_no_target(portal: Portal, browser: Browser) -> None:
    """A kept form is sealed by the same key: it must not serve as a target."""
    secret = portal.enrolled()
    browser.sign_in(secret)
    portal.clock.advance(601)
    page = browser.post("/bank", {"iban": "x"}).text
    sealed = re.search(r'name="sealed_form" value="([^"]+)"', page)
    assert sealed is not None
    plant(browser, sealed.group(1))
    assert browser.step("challenge", code=portal.code(secret)).location == f"{BASE_URL}/"


@pytest.mark.abuse("A22")
def test_a_target_older_than_half_an_hour_is_ignored(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    browser.get("/patients/17")
    portal.clock.advance(1799)
    young = browser.copy()
    assert after_sign_in(young, secret) == f"{BASE_URL}/patients/17"
    portal.clock.advance(31)
    assert after_sign_in(browser, secret) == f"{BASE_URL}/"


def test_signing_out_drops_the_wanted_page(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    browser.get("/patients/17")
    browser.password()
    browser.step("sign-out")
    assert target_cookie(browser) is None
    assert after_sign_in(browser, secret) == f"{BASE_URL}/"


# --- links come from configuration -----------------------------------------------------------------------------------

SPOOFS: dict[str, dict[str, str]] = {
    "Host": {"Host": "evil.example"},
    "Host with a port": {"Host": "portal.example:8443"},
    "X-Forwarded-Host": {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-For": "9.9.9.9"},
    "X-Forwarded-Prefix": {"X-Forwarded-Prefix": "//evil.example", "X-Script-Name": "//evil.example"},
    "Forwarded": {"Forwarded": "for=9.9.9.9;host=evil.example;proto=http"},
    "X-Original-URL": {"X-Original-URL": "https://evil.example/", "X-Rewrite-URL": "//evil.example/"},
    "X-Host": {"X-Host": "evil.example", "X-Forwarded-Server": "evil.example", "X-HTTP-Host-Override": "evil.example"},
}


class Spoofed:
    """A browser whose every request carries spoofed headers; its answers are looked through."""

    def __init__(self, portal: Portal, headers: dict[str, str]) -> None:
        self.client = portal.app.test_client(use_cookies=False)
        self.headers = headers
        self.jar: dict[str, str] = {}

    def ask(self, method: str, path: str, **kwargs: Any) -> TestResponse:
        jar = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        headers = {**PAGE, "Origin": BASE_URL, **kwargs.pop("headers", {}), **self.headers, "Cookie": jar}
        answer = self.client.open(path, method=method, base_url=BASE_URL, headers=headers, **kwargs)
        self.look(answer)
        return answer

    def look(self, answer: TestResponse) -> None:
        whole = answer.text + str(answer.headers)
        assert EVIL not in whole
        assert ":8443" not in whole
        assert "9.9.9.9" not in whole
        if answer.location:
            assert answer.location.startswith(f"{BASE_URL}/")
        for cookie in answer.headers.getlist("Set-Cookie"):
            name, _, rest = cookie.partition("=")
            self.jar[name] = rest.partition(";")[0]
            if name.startswith("__Host-mfa"):
                assert "; Secure" in rest
                assert "Domain=" not in rest

    @property
    def token(self) -> str:
        return str(self.ask("GET", "/mfa/api/v1/session", headers=JSON).json["csrf_token"])


@pytest.mark.abuse("A23")
@pytest.mark.parametrize("spoof", SPOOFS)
def test_no_spoofed_header_reaches_a_link_or_a_cookie_of_the_first_enrolment(portal: Portal, spoof: str) -> None:
    client = Spoofed(portal, SPOOFS[spoof])
    code = portal.activation_code()
    assert client.ask("GET", "/patients/17").location == f"{BASE_URL}/login"
    login = client.ask("POST", "/login", data={"email": "anne", "password": "pw-anne"})
    assert login.location == f"{BASE_URL}/mfa/challenge"
    assert client.ask("GET", "/mfa/challenge").location == f"{BASE_URL}/mfa/activate"
    client.ask("GET", "/mfa/activate")
    redeemed = client.ask("POST", "/mfa/activate", data={"csrf_token": client.token, "code": code})
    assert redeemed.location == f"{BASE_URL}/mfa/enrol"
    client.ask("GET", "/mfa/enrol")
    client.ask("POST", "/mfa/enrol", data={"csrf_token": client.token, "action": "begin"})
    begun = client.ask("POST", "/mfa/api/v1/totp/enrol/begin", headers={**JSON, "X-MFA-CSRF": client.token}).json
    body = {"enrolment": begun["enrolment"], "code": portal.code(begun["secret"])}
    done = client.ask(
        "POST", "/mfa/api/v1/totp/enrol/complete", json=body, headers={**JSON, "X-MFA-CSRF": client.token}
    )
    assert done.json["next"] == f"{BASE_URL}/patients/17"


@pytest.mark.abuse("A23")
@pytest.mark.parametrize("spoof", SPOOFS)
def test_no_spoofed_header_reaches_a_link_or_a_cookie_of_a_sign_in(portal: Portal, spoof: str) -> None:
    client, secret = Spoofed(portal, SPOOFS[spoof]), portal.enrolled()
    client.ask("GET", "/patients/17")
    body = {"email": "anne", "password": "pw-anne"}
    assert client.ask("POST", "/login", json=body, headers=JSON).json["next"] == f"{BASE_URL}/mfa/challenge"
    client.ask("POST", "/mfa/challenge", data={"csrf_token": client.token, "code": "000000"})
    passed = client.ask("POST", "/mfa/challenge", data={"csrf_token": client.token, "code": portal.code(secret)})
    assert passed.location == f"{BASE_URL}/patients/17"
    portal.clock.advance(601)
    page = client.ask("POST", "/bank", data={"iban": "x"})
    sealed = re.search(r'name="sealed_form" value="([^"]+)"', page.text)
    assert sealed is not None
    sent = {"csrf_token": client.token, "code": portal.code(secret), "sealed_form": sealed.group(1)}
    assert f'action="{BASE_URL}/bank"' in client.ask("POST", "/mfa/challenge", data=sent).text
    client.ask("GET", "/mfa/sign-out")
    client.ask("POST", "/mfa/sign-out", data={"csrf_token": client.token})
    assert client.ask("GET", "/patients/18").location == f"{BASE_URL}/login"


@pytest.mark.abuse("A23")
@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"}])
def test_the_origin_is_held_against_the_configuration_not_against_the_host(
    portal: Portal, headers: dict[str, str]
) -> None:
    secret, client = portal.enrolled(), Spoofed(portal, {})
    client.ask("POST", "/login", data={"email": "anne", "password": "pw-anne"})
    sent = {"csrf_token": client.token, "code": portal.code(secret)}
    client.headers = {**headers, "Origin": "https://evil.example"}
    assert client.ask("POST", "/mfa/challenge", data=sent).status_code == 403
    client.headers = headers
    assert client.ask("POST", "/mfa/challenge", data=sent).location == f"{BASE_URL}/"
