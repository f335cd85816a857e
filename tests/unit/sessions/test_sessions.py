"""Sessions: a signed random id in one cookie, everything else in the store, ended everywhere at once."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from mfa_gate.store import reader
from tests.support.portal import BASE_URL, JSON, PAGE, Browser, MakePortal, Portal, stored
from tests.support.statements import statements as all_statements

HOUR = 3600
LOGIN = f"{BASE_URL}/login"
CHALLENGE = f"{BASE_URL}/mfa/challenge"


def is_signed_out(answer: TestResponse) -> bool:
    return answer.status_code == 303 and answer.location == LOGIN


def cell_texts(portal: Portal) -> str:
    return repr(stored(portal))


@contextmanager
def statements(portal: Portal) -> Iterator[list[str]]:
    """What is asked of the store meanwhile: by transactions, and by the reader with the number of rows it got."""
    engine = portal.app.extensions["mfa_gate"].services.store._engine
    query = reader._query
    with all_statements(engine) as asked:

        def counted(connection: Any, sql: str, id_hash: str) -> Any:
            row = query(connection, sql, id_hash)
            asked.append(f"reader: {'1 row' if row else 'no row'}")
            return row

        reader._query = counted
        try:
            yield asked
        finally:
            reader._query = query


# --- the id ----------------------------------------------------------------------------------------------------------


def test_the_store_knows_the_id_by_its_hash_only(portal: Portal, anne: Browser) -> None:
    assert anne.gate_cookie
    token, _, signature = anne.gate_cookie.rpartition(".")
    cells = cell_texts(portal)
    assert token not in cells
    assert signature not in cells
    assert hashlib.sha256(token.encode()).hexdigest() in cells


def test_ids_are_long_and_never_the_same(portal: Portal) -> None:
    tokens = set()
    for _ in range(20):
        browser = portal.browser()
        browser.password()
        tokens.add((browser.gate_cookie or "").rpartition(".")[0])
    assert len(tokens) == 20
    assert all(len(token) >= 43 for token in tokens)


@pytest.mark.abuse("A24")
def test_every_rise_gives_a_new_id_and_makes_the_old_one_worthless(
    portal: Portal, browser: Browser, secret: str
) -> None:
    browser.password()
    pending = browser.copy()
    assert browser.step("challenge", code=portal.code(secret)).status_code == 303
    first = browser.copy()
    portal.clock.advance(30)
    assert browser.step("challenge", code=portal.code(secret)).status_code == 303
    assert len({pending.gate_cookie, first.gate_cookie, browser.gate_cookie}) == 3
    assert browser.get("/").text == "home of anne"
    for old in (pending, first):
        assert is_signed_out(old.get("/"))
        assert old.state == "anonymous"


def plants_cookie(portal: Portal, browser: Browser) -> Browser:
    """A thief who knows the password puts the cookie of that sign-in into a browser; the thief's own one."""
    thief = portal.browser("198.51.100.7")
    thief.password()
    browser.gate_cookie = thief.gate_cookie or ""
    return thief


@pytest.mark.abuse("A24")
def test_a_cookie_planted_before_the_password_never_becomes_the_owners_session(
    portal: Portal, browser: Browser, secret: str
) -> None:
    thief = plants_cookie(portal, browser)
    browser.sign_in(secret)
    assert browser.get("/").text == "home of anne"
    assert thief.state == "anonymous"
    assert is_signed_out(thief.get("/"))


@pytest.mark.abuse("A24")
def test_a_pending_cookie_planted_before_the_code_is_worthless_after_it(
    portal: Portal, browser: Browser, secret: str
) -> None:
    """The owner never types a password: the planted sign-in is waiting for the code already."""
    thief = plants_cookie(portal, browser)
    assert browser.step("challenge", code=portal.code(secret)).status_code == 303
    assert browser.get("/").text == "home of anne"
    assert thief.state == "anonymous"
    assert is_signed_out(thief.get("/"))


@pytest.mark.abuse("A24")
def test_a_cookie_planted_before_a_step_up_is_worthless_after_it(portal: Portal, anne: Browser, secret: str) -> None:
    thief = anne.copy("198.51.100.7")
    assert thief.get("/").status_code == 200
    portal.clock.advance(700)
    anne.step("challenge", code=portal.code(secret))
    assert anne.get("/bank").status_code == 200
    assert is_signed_out(thief.get("/bank"))
    assert is_signed_out(thief.get("/"))


@pytest.mark.abuse("A47")
def test_a_pending_cookie_in_a_second_browser_is_worth_nothing_once_the_first_went_on(
    portal: Portal, browser: Browser, secret: str
) -> None:
    browser.password()
    second = browser.copy("198.51.100.7")
    token = second.token
    browser.step("challenge", code=portal.code(secret))
    portal.clock.advance(30)
    answer = second.api("POST", "totp/verify", {"code": portal.code(secret)}, headers={"X-MFA-CSRF": token})
    assert (answer.status_code, answer.json["code"]) == (401, "sign_in_required")


@pytest.mark.abuse("A47")
def test_the_cookie_from_before_the_activation_code_cannot_enrol(portal: Portal, browser: Browser) -> None:
    code = portal.activation_code()
    browser.password()
    second = browser.copy("198.51.100.7")
    token = second.token
    browser.step("activate", code=code)
    assert browser.state == "enrolling"
    answer = second.api("POST", "totp/enrol/begin", headers={"X-MFA-CSRF": token})
    assert (answer.status_code, answer.json["code"]) == (401, "sign_in_required")


@pytest.mark.abuse("A47")
def test_an_enrolment_begun_in_one_browser_is_not_completed_in_another(portal: Portal, browser: Browser) -> None:
    browser.activate()
    begun = browser.begin_enrolment()
    thief = portal.browser("198.51.100.7")
    thief.password()
    sent = {"enrolment": begun["enrolment"], "code": portal.code(begun["secret"])}
    answer = thief.api("POST", "totp/enrol/complete", sent)
    assert (answer.status_code, answer.json["code"]) == (401, "activation_required")
    assert browser.api("POST", "totp/enrol/complete", sent).status_code == 200


@pytest.mark.abuse("A47")
def test_a_csrf_token_of_one_sign_in_is_refused_in_another(portal: Portal, browser: Browser, secret: str) -> None:
    browser.password()
    other = portal.browser()
    other.password()
    answer = other.api("POST", "totp/verify", {"code": portal.code(secret)}, headers={"X-MFA-CSRF": browser.token})
    assert (answer.status_code, answer.json["code"]) == (403, "csrf")


# --- the end ---------------------------------------------------------------------------------------------------------


def test_an_idle_session_ends_to_the_second(portal: Portal, anne: Browser) -> None:
    portal.clock.advance(HOUR - 1)
    assert anne.get("/").status_code == 200
    portal.clock.advance(HOUR - 1)
    assert anne.get("/").status_code == 200
    portal.clock.advance(HOUR)
    assert is_signed_out(anne.get("/"))


def test_a_session_in_use_ends_absolutely_to_the_second(portal: Portal, anne: Browser) -> None:
    for _ in range(23):
        portal.clock.advance(HOUR / 2)
        assert anne.get("/").status_code == 200
    portal.clock.advance(HOUR / 2 - 1)
    assert anne.get("/").status_code == 200
    portal.clock.advance(1)
    assert is_signed_out(anne.get("/"))


def test_a_proof_made_again_stands_in_the_place_of_the_earlier_one(portal: Portal, anne: Browser, secret: str) -> None:
    for _ in range(3):
        portal.clock.advance(60)
        assert anne.step("challenge", code=portal.code(secret)).status_code == 303
    (row,) = portal.sql("SELECT proofs FROM mfa_sessions")
    assert [(method, at) for method, at, _ in json.loads(row[0])][1:] == [("otp", portal.clock())]


def test_a_step_up_does_not_prolong_a_session(portal: Portal, anne: Browser, secret: str) -> None:
    for _ in range(23):
        portal.clock.advance(HOUR / 2)
        assert anne.get("/").status_code == 200
    assert anne.step("challenge", code=portal.code(secret)).status_code == 303
    portal.clock.advance(HOUR / 2)
    assert is_signed_out(anne.get("/"))


@pytest.mark.parametrize(("setting", "seconds"), [("MFA_GATE_IDLE", 900), ("MFA_GATE_LIFETIME", 7200)])
def test_the_ends_are_settings(make: MakePortal, setting: str, seconds: int) -> None:
    portal = make(**{setting: seconds})
    browser = portal.browser()
    browser.sign_in(portal.enrolled())
    while seconds > 1800:
        portal.clock.advance(1800)
        seconds -= 1800
        assert browser.get("/").status_code == 200
    portal.clock.advance(seconds - 1)
    assert browser.get("/").status_code == 200
    portal.clock.advance(1 if setting == "MFA_GATE_LIFETIME" else seconds)
    assert is_signed_out(browser.get("/"))


@pytest.mark.abuse("A5")
def test_a_pending_sign_in_ends_to_the_second(portal: Portal, browser: Browser, secret: str) -> None:
    browser.password()
    late = browser.copy()
    token = late.token
    portal.clock.advance(599)
    answer = browser.api("POST", "totp/verify", {"code": portal.code(secret)}, headers={"X-MFA-CSRF": token})
    assert answer.status_code == 200

    late.password()
    token = late.token
    portal.clock.advance(600)
    answer = late.api("POST", "totp/verify", {"code": portal.code(secret)}, headers={"X-MFA-CSRF": token})
    assert (answer.status_code, answer.json["code"]) == (401, "sign_in_required")


def test_what_has_ended_by_itself_is_cleared_away_at_the_next_sign_in(portal: Portal, secret: str) -> None:
    for _ in range(3):
        portal.browser().password()
    portal.clock.advance(601)
    portal.browser().password()
    assert len(stored(portal)["mfa_sessions"]) == 1


def test_a_clock_that_is_set_back_neither_breaks_a_session_nor_freshens_its_proof(
    portal: Portal, anne: Browser
) -> None:
    portal.clock.advance(-89)
    assert anne.get("/bank").status_code == 200
    portal.clock.advance(-HOUR)
    assert anne.get("/").status_code == 200
    assert anne.get("/bank").location == CHALLENGE
    portal.clock.advance(HOUR + 89 + HOUR)
    assert is_signed_out(anne.get("/"))


def test_a_disabled_account_is_out_though_the_clock_was_set_back(portal: Portal, anne: Browser) -> None:
    del portal.people["anne"]
    portal.clock.advance(-HOUR)
    assert is_signed_out(anne.get("/"))


@pytest.mark.parametrize("idle", [20, 61, 90])
def test_a_short_idle_end_does_not_end_a_session_in_steady_use(make: MakePortal, idle: int) -> None:
    """Or the start refuses so short a time."""
    from mfa_gate import ConfigurationError

    try:
        portal = make(MFA_GATE_IDLE=idle)
    except ConfigurationError as refused:
        assert "MFA_GATE_IDLE" in str(refused)  # noqa: PT017
        return
    browser = portal.browser()
    browser.sign_in(portal.enrolled())
    for _ in range(12):
        portal.clock.advance(idle / 2)
        assert browser.get("/").status_code == 200


# --- what a request costs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/patients/1", "/bank"])
def test_a_guarded_request_reads_one_row_once_and_asks_nothing_else(portal: Portal, anne: Browser, path: str) -> None:
    anne.get(path)
    with statements(portal) as asked:
        assert anne.get(path).status_code == 200
    assert asked == ["reader: 1 row"]


def test_an_unsigned_cookie_does_not_reach_the_store(portal: Portal, anne: Browser) -> None:
    token = (anne.gate_cookie or "").rpartition(".")[0]
    for wrong in (f"{token}.wrong", token, "", "x" * 3000):
        anne.gate_cookie = wrong
        with statements(portal) as asked:
            assert is_signed_out(anne.get("/"))
        assert asked == []


def test_last_seen_is_written_at_most_once_a_minute(portal: Portal, anne: Browser) -> None:
    portal.clock.advance(60)
    with statements(portal) as asked:
        for _ in range(60):
            assert anne.get("/").status_code == 200
            portal.clock.advance(1)
    assert [text for text in asked if text.startswith("UPDATE")] == [text for text in asked if "last_seen=" in text]
    assert sum(text.startswith("UPDATE") for text in asked) == 1
    with statements(portal) as asked:
        anne.get("/")
    assert sum(text.startswith("UPDATE mfa_sessions") for text in asked) == 1


def test_static_files_do_not_touch_the_store(portal: Portal, anne: Browser) -> None:
    with statements(portal) as asked:
        assert anne.get("/mfa/static/mfa_gate.css").status_code == 200
    assert asked == []


def test_a_page_that_asks_for_nothing_does_not_touch_the_store_for_nobody(portal: Portal) -> None:
    stranger = portal.browser()
    stranger.client.set_cookie("language", "fr", domain="portal.example")
    with statements(portal) as asked:
        assert stranger.get("/open").status_code == 200
        assert stranger.get("/nothing").status_code == 404
    assert asked == []


# --- ended everywhere ------------------------------------------------------------------------------------------------

ENDINGS: dict[str, Callable[[Portal, Browser], Any]] = {
    "sign-out page": lambda portal, browser: browser.step("sign-out"),
    "sign-out by a program": lambda portal, browser: browser.api("POST", "sign-out"),
    "the portal's own sign-out": lambda portal, browser: browser.post("/logout"),
    "end_sessions": lambda portal, browser: in_app(portal, lambda: portal.gate.end_sessions("anne")),
    "lock": lambda portal, browser: in_app(portal, lambda: portal.gate.lock("anne", "test")),
    "forget": lambda portal, browser: in_app(portal, lambda: portal.gate.forget("anne")),
    "a new sign-in in the same browser": lambda portal, browser: browser.password(),
}


def in_app(portal: Portal, function: Callable[[], Any]) -> Any:
    with portal.app.app_context():
        return function()


@pytest.mark.abuse("A25")
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_session_ended_on_one_worker_is_refused_on_another_at_once(make: MakePortal, ending: str) -> None:
    first, second = make(), make()
    browser = first.browser()
    browser.sign_in(first.enrolled())
    thief = browser.on(second)
    assert thief.get("/").text == "home of anne"
    ENDINGS[ending](first, browser)
    assert is_signed_out(thief.get("/"))
    assert is_signed_out(thief.on(first).get("/"))


def test_end_sessions_ends_all_of_one_account_and_none_of_another(portal: Portal) -> None:
    secrets = {name: portal.enrolled(name) for name in ("anne", "bob")}
    browsers = []
    for name in ("anne", "anne", "bob"):
        browser = portal.browser()
        browser.sign_in(secrets[name], name)
        browsers.append(browser)
        portal.clock.advance(30)
    assert in_app(portal, lambda: portal.gate.end_sessions("anne")) == 2
    assert [is_signed_out(browser.get("/")) for browser in browsers] == [True, True, False]
    assert in_app(portal, lambda: portal.gate.end_sessions("nobody")) == 0


# --- beside Flask's session ------------------------------------------------------------------------------------------


def test_flasks_session_is_not_touched(make: MakePortal) -> None:
    portal = make()

    @portal.app.get("/basket")
    @portal.gate.public
    def basket() -> str:
        session["basket"] = "aspirin"
        return "in"

    browser = portal.browser()
    secret = portal.enrolled()
    browser.get("/basket")
    before = browser.client.get_cookie("session", domain="portal.example")
    answers = [browser.get("/"), browser.password(), browser.get("/mfa/challenge")]
    after = browser.client.get_cookie("session", domain="portal.example")
    assert before is not None
    assert after is not None
    assert before.value == after.value
    assert not any("session=" in header for answer in answers for header in answer.headers.getlist("Set-Cookie"))
    browser.step("challenge", code=portal.code(secret))
    with browser.client.session_transaction(base_url=BASE_URL) as content:
        assert dict(content) == {"basket": "aspirin", "user": "anne"}
    assert not any("session=" in header for header in browser.get("/").headers.getlist("Set-Cookie"))


# --- the cookie ------------------------------------------------------------------------------------------------------


def set_cookies(answer: TestResponse) -> dict[str, list[str]]:
    """Name -> attributes, in lower case, sorted."""
    found = {}
    for header in answer.headers.getlist("Set-Cookie"):
        pair, *attributes = header.split("; ")
        found[pair.partition("=")[0]] = sorted(attribute.lower() for attribute in attributes)
    return found


def test_the_cookie_is_bound_to_the_host_and_out_of_reach_of_scripts(portal: Portal, browser: Browser) -> None:
    cookies = set_cookies(browser.password())
    (name,) = [name for name in cookies if name.startswith("__Host-mfa-")]
    assert cookies[name] == ["httponly", "path=/", "samesite=lax", "secure"]


@pytest.mark.abuse("A65")
def test_a_proxy_without_proxyfix_changes_neither_name_nor_secure(portal: Portal, browser: Browser) -> None:
    """The application sees http and an inner host name; the base URL says https."""
    client = portal.app.test_client()
    seen = client.post(
        "/login",
        data={"email": "anne", "password": "pw-anne"},
        base_url="http://10.0.0.5:8000",
        headers={**PAGE, "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"},
    )
    assert set_cookies(seen) == set_cookies(browser.password())
    assert "secure" in next(iter(set_cookies(seen).values()))
    assert seen.location == CHALLENGE


def test_on_localhost_by_http_the_cookie_is_plain(make: MakePortal) -> None:
    portal = make(MFA_GATE_BASE_URL="http://localhost:5000")
    answer = portal.app.test_client().post(
        "/login", data={"email": "anne", "password": "pw-anne"}, base_url="http://localhost:5000"
    )
    (name,) = set_cookies(answer)
    assert name.startswith("mfa-")
    assert set_cookies(answer)[name] == ["httponly", "path=/", "samesite=lax"]


@pytest.mark.abuse("A65")
def test_two_portals_under_one_host_never_read_each_others_cookie(make: MakePortal) -> None:
    one = make(MFA_GATE_BASE_URL=f"{BASE_URL}/one")
    two = make(MFA_GATE_BASE_URL=f"{BASE_URL}/two")
    browser = one.browser()
    browser.password()
    on_two = browser.on(two)
    assert (browser.state, on_two.state) == ("activation", "anonymous")
    on_two.password("bob")
    assert (browser.state, on_two.state) == ("activation", "activation")
    assert set(set_cookies(one.browser().password())).isdisjoint(set_cookies(two.browser().password()))


@pytest.mark.abuse("A65")
def test_a_cookie_under_the_plain_name_is_not_read(portal: Portal, anne: Browser) -> None:
    """A sibling subdomain can plant the name without its prefix for the whole domain, but not the prefix."""
    name = portal.app.extensions["mfa_gate"].settings.cookie_name
    value = anne.gate_cookie or ""
    victim = portal.browser()
    for planted in (name.removeprefix("__Host-"), name.replace("__Host-", "__Secure-"), name.lower(), "mfa", "session"):
        victim.client.set_cookie(planted, value, domain="portal.example")
    assert victim.state == "anonymous"
    for planted in ("mfa", name.removeprefix("__Host-")):
        anne.client.set_cookie(planted, "garbage", domain="portal.example")
    assert anne.get("/").status_code == 200


def test_signing_out_drops_the_cookie(anne: Browser) -> None:
    cookies = set_cookies(anne.step("sign-out"))
    (name,) = [name for name in cookies if name.startswith("__Host-mfa-") and not name.endswith("-to")]
    assert "max-age=0" in cookies[name]
    assert anne.gate_cookie is None


@pytest.mark.abuse("A21")
@settings(
    max_examples=250,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.tuples(st.integers(0, 120), st.integers(0, 255)).map(lambda flip: b"flip:%d:%d" % flip),
        st.binary(min_size=1, max_size=4).map(lambda part: part * 20_000),
        st.sampled_from([b"\0", b'"', b'"\\000"', b'"\\377\\376"', b".", b"..", b"=" * 3, b";;;", b",", b"\xff\xfe"]),
    )
)
def test_whatever_bytes_the_cookies_hold_nobody_is_signed_in_and_nothing_breaks(
    portal: Portal, anne: Browser, data: bytes
) -> None:
    good = (anne.gate_cookie or "").encode()
    name = portal.app.extensions["mfa_gate"].settings.cookie_name.encode()
    value = data
    if data.startswith(b"flip:"):
        at, byte = map(int, data.decode().split(":")[1:])
        at %= len(good)
        value = good[:at] + bytes([byte]) + good[at + 1 :]
    if value == good:
        return
    client = portal.app.test_client(use_cookies=False)
    for header in (name + b"=" + value, name + b"-to=" + value + b"; " + name + b"=" + value, value):
        raw = {"HTTP_COOKIE": header.decode("latin-1")}
        answer = client.get("/", base_url=BASE_URL, headers=JSON, environ_overrides=raw)
        assert (answer.status_code, answer.json["code"]) == (401, "sign_in_required")
        page = client.get("/mfa/challenge", base_url=BASE_URL, headers=PAGE, environ_overrides=raw)
        assert is_signed_out(page)


@pytest.mark.abuse("A21")
def test_a_cookie_with_a_foreign_signature_is_nobodys(make: MakePortal, database_url: str) -> None:
    """Even if its id is that of a living session: as one who reads the store's backup cannot know, but say they did."""
    portal = make()
    browser = portal.browser()
    browser.sign_in(portal.enrolled())
    token = (browser.gate_cookie or "").rpartition(".")[0]
    for forged in (token, f"{token}.", f"{token}.{'A' * 43}", f"{token}.{token}"):
        browser.gate_cookie = forged
        assert is_signed_out(browser.get("/"))


# --- processes and threads -------------------------------------------------------------------------------------------


def test_after_a_fork_parent_and_child_both_read_and_write(portal: Portal, anne: Browser) -> None:
    assert anne.get("/").status_code == 200
    child = os.fork()
    if child == 0:
        try:
            right = all(anne.get("/").text == "home of anne" for _ in range(30))
            portal.clock.advance(61)
            right = right and anne.get("/").text == "home of anne"
            os._exit(0 if right else 1)
        except BaseException:
            os._exit(2)
    assert all(anne.get("/").text == "home of anne" for _ in range(30))
    assert os.waitpid(child, 0)[1] == 0
    assert anne.get("/").status_code == 200
    assert anne.step("sign-out").status_code == 200
    assert is_signed_out(anne.get("/"))


def test_many_threads_each_see_their_own_session(portal: Portal) -> None:
    secrets = {name: portal.enrolled(name) for name in ("anne", "bob")}
    browsers = []
    for number in range(6):
        name = "anne" if number % 2 else "bob"
        browser = portal.browser()
        browser.sign_in(secrets[name], name)
        browsers.append((name, browser))
        portal.clock.advance(30)
    wrong: list[str] = []

    def use(name: str, browser: Browser) -> None:
        for _ in range(25):
            answer = browser.get("/")
            if answer.text != f"home of {name}":
                wrong.append(f"{name}: {answer.status_code} {answer.text[:80]}")

    threads = [threading.Thread(target=use, args=pair) for pair in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_read_in_the_middle_of_another_has_a_connection_of_its_own(
    portal: Portal, anne: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under greenlets, many of which share one thread."""
    store, query, used = portal.app.extensions["mfa_gate"].services.store, reader._query, []

    def interrupted(connection: Any, sql: str, values: Any) -> Any:
        used.append(connection)
        if len(used) == 1:
            assert store.reader.session("0" * 64) is None
            with store.begin() as tx:
                used.append(tx.driver)
        return query(connection, sql, values)

    assert anne.get("/").status_code == 200
    monkeypatch.setattr(reader, "_query", interrupted)
    assert anne.get("/").status_code == 200
    first, *meanwhile = used[:3]
    assert len(meanwhile) == 2
    assert all(other is not first for other in meanwhile)
