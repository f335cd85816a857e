"""The owner is told, whatever a thief does against it: marking, burying, timing, and words of his own in a mail."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mfa_gate.audit.record import Who
from mfa_gate.netinfo.browsers import family
from mfa_gate.notices.kinds import ALARMING, ALERTS, NOTICE_KINDS, OPEN_FOR, SLIP
from mfa_gate.risk import RiskPolicy
from mfa_gate.store import accounts
from mfa_gate.testing import SoftwareKey
from mfa_gate.web.language import catalogue
from mfa_gate.web.notice_texts import payload
from tests.support.desks import Desk, open_desk
from tests.support.portal import BASE_URL, JSON, Browser, MakePortal, Portal, hidden
from tests.support.postbox import Postbox, by_mail, open_postbox, send

THIEF = "203.0.113.9"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0 Safari/537.36"
GARBAGE = {"id": "AA", "rawId": "AA", "type": "public-key", "response": {}}


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    with open_postbox() as box:
        yield box


@pytest.fixture
def secret(portal: Portal) -> str:
    return portal.enrolled()


@pytest.fixture
def owner(portal: Portal, secret: str) -> Browser:
    """At a browser that the owner has signed in with before, signed out; everything was told."""
    return known(portal, portal.browser(), secret)


def known(portal: Portal, browser: Browser, secret: str) -> Browser:
    browser.sign_in(secret)
    browser.step("sign-out")
    settled(portal)
    return browser


def settled(portal: Portal) -> None:
    """Everything was shown and sent, and an hour has passed."""
    portal.mark_notices_shown()
    portal.sql("UPDATE mfa_outbox SET mail_due = NULL, hook_due = NULL")
    portal.clock.advance(3600)


def signs_in(portal: Portal, secret: str, browser: Browser | None = None) -> Browser:
    """With a code that was phished, from an address of a thief's."""
    there = browser or portal.browser(THIEF)
    assert there.sign_in(secret).status_code == 303
    portal.clock.advance(30)
    return there


def told(browser: Browser) -> list[str]:
    return sorted(one["kind"] for one in browser.api("GET", "notices").json["notices"])


def see(browser: Browser, up_to: int = 2**62) -> int:
    seen: int = browser.api("POST", "notices/seen", {"up_to": up_to}).json["seen"]
    return seen


def mailed(portal: Portal) -> list[str]:
    """The kinds that are due by mail now."""
    with portal.app.app_context():
        batches = portal.app.extensions["mfa_gate"].notices.claim("mail")
        return sorted(one.kind for batch in batches for one in batch.notices)


def text_of(page: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def waiting_since(portal: Portal, kind: str, at: float) -> None:
    """Put a notice into the outbox as an event of that time would."""
    portal.sql(
        "INSERT INTO mfa_outbox (subject, kind, at, data) SELECT subject, :kind, :at, '{}' FROM mfa_accounts "
        "WHERE id = 'anne'",
        kind=kind,
        at=at,
    )


# --- what is marked as seen -------------------------------------------------------------------------------------------


@pytest.mark.abuse("A73")
@pytest.mark.parametrize("looks", [False, True])
@pytest.mark.parametrize("page", [False, True])
def test_a_thief_marks_nothing_of_his_own_as_seen(
    portal: Portal, owner: Browser, secret: str, looks: bool, page: bool
) -> None:
    thief = signs_in(portal, secret)
    thief.api("POST", "activation/verify", {"code": portal.activation_code()})
    assert thief.add_key().status_code == 200
    if looks:
        thief.get("/mfa/news")
        thief.api("GET", "notices")
    if page:
        thief.step("news", action="seen", up_to=str(2**50))
    else:
        see(thief)
    signs_in(portal, secret, owner)
    assert told(owner) == [
        "activation_issued",
        "activation_redeemed",
        "authenticator_added",
        "new_device",
        "recovery_codes_renewed",
    ]


@pytest.mark.abuse("A73")
@pytest.mark.parametrize("by_key", [False, True])
def test_no_later_session_of_the_thiefs_marks_it_either(
    portal: Portal, owner: Browser, secret: str, by_key: bool
) -> None:
    """Neither on the device that was new with the alarm, nor by the key that it is about."""
    thief, key = signs_in(portal, secret), SoftwareKey(BASE_URL)
    thief.api("POST", "activation/verify", {"code": portal.activation_code()})
    assert thief.add_key(key).status_code == 200
    thief.step("sign-out")
    portal.clock.advance(60)
    if by_key:
        thief.password()
        assert thief.prove(key).status_code == 200
    else:
        signs_in(portal, secret, thief)
    assert "authenticator_added" in told(thief)
    assert see(thief) == 0
    signs_in(portal, secret, owner)
    assert {"new_device", "authenticator_added", "activation_redeemed"} <= set(told(owner))


@pytest.mark.abuse("A73")
def test_only_what_was_displayed_to_this_very_session_is_marked(portal: Portal, owner: Browser, secret: str) -> None:
    signs_in(portal, secret)
    signs_in(portal, secret, owner)
    assert see(owner) == 0
    page = owner.get("/mfa/news")
    other = owner.copy()
    assert other.api("GET", "session").json["state"] == "signed_in"
    up_to = hidden(page, "up_to")
    portal.browser(THIEF).password()
    signs_in(portal, secret)  # while the page stands open
    owner.step("news", action="seen", up_to=str(2**50))
    assert told(owner) == ["new_device"]
    assert int(up_to) < owner.api("GET", "notices").json["notices"][0]["id"]


@pytest.mark.abuse("A73")
def test_a_passkey_that_was_there_before_marks_alarms_in_any_browser(portal: Portal) -> None:
    key = portal.key()
    portal.clock.advance(60)
    thief, owner = portal.browser(THIEF), portal.browser("192.0.2.77")
    for there in (thief, owner):
        there.password()
        assert there.prove(key).status_code == 200
        portal.clock.advance(60)
    assert told(owner) == ["new_device"]
    assert see(owner) == 1
    assert told(owner) == []


@pytest.mark.abuse("A73")
def test_an_alarm_that_cannot_be_marked_is_said_to_stay_and_lets_the_owner_go_on(
    portal: Portal, owner: Browser, secret: str
) -> None:
    signs_in(portal, secret)
    fresh = signs_in(portal, secret, portal.browser("192.0.2.77"))
    page = fresh.get("/mfa/news")
    assert "sera affichée de nouveau" in text_of(page.text)
    seen = fresh.step("news", action="seen", up_to=hidden(page, "up_to"))
    assert seen.headers["Location"] == f"{BASE_URL}/"
    assert told(fresh) == ["new_device"]
    signs_in(portal, secret, owner)
    assert "sera affichée de nouveau" not in text_of(owner.get("/mfa/news").text)
    assert see(owner) == 2


@pytest.mark.abuse("A73")
def test_each_alarming_kind_is_open_for_thirty_days_and_is_history_then(
    portal: Portal, owner: Browser, secret: str
) -> None:
    for kind in sorted(NOTICE_KINDS):
        waiting_since(portal, kind, portal.clock())
        stranger = signs_in(portal, secret, portal.browser("192.0.2.77"))
        assert told(stranger) == [kind]
        assert see(stranger) == (kind not in ALARMING), kind
        portal.clock.advance(OPEN_FOR - 31)
        later = portal.browser("192.0.2.78")
        later.sign_in(secret)
        assert (kind in told(later)) == (kind in ALARMING), kind
        portal.clock.advance(60)
        last = portal.browser("192.0.2.79")
        last.sign_in(secret)
        rows = last.api("GET", "notices").json["notices"]
        assert not [one for one in rows if one["kind"] == kind and one["at"] < portal.clock() - OPEN_FOR], kind
        assert kind in [one["kind"] for one in last.api("GET", "notices/earlier").json["notices"]]
        portal.sql("DELETE FROM mfa_outbox")  # the next kind begins as the first did
        portal.clock.advance(3600)


def test_what_led_to_the_first_authenticator_is_marked_by_whoever_set_it_up(portal: Portal, browser: Browser) -> None:
    """Nobody was known before: else everybody new would be shown it for thirty days."""
    browser.activate()
    begun = browser.begin_enrolment()
    browser.confirm(begun)
    browser.step("sign-out")
    portal.clock.advance(30)
    signs_in(portal, begun["secret"], browser)
    assert "activation_issued" in told(browser)
    assert see(browser) == 4
    assert told(browser) == []


# --- nothing is pushed out --------------------------------------------------------------------------------------------


@pytest.mark.abuse("A73")
@pytest.mark.parametrize("cheap", ["failed_second_factor", "sessions_ended"])
def test_no_number_of_cheap_notices_pushes_out_another(portal: Portal, owner: Browser, secret: str, cheap: str) -> None:
    for alarm in sorted(ALARMING):
        waiting_since(portal, alarm, portal.clock() - 60)
        for nth in range(70):
            waiting_since(portal, cheap, portal.clock() - 50 + nth / 10)
        signs_in(portal, secret, owner)
        rows = owner.api("GET", "notices").json["notices"]
        assert {alarm, cheap} <= {one["kind"] for one in rows}
        assert {one["count"] for one in rows if one["kind"] == cheap} == {70 + (alarm == cheap)}, alarm
        page = owner.get("/mfa/news")
        sentence = re.sub(r"\s+", " ", catalogue("fr")(NOTICE_KINDS[alarm].sentence))
        assert sentence in text_of(page.text), alarm
        up_to = hidden(page, "up_to")
        owner.step("news", action="seen", up_to=up_to)
        assert told(owner) == [], alarm
        owner.step("sign-out")
        portal.sql("DELETE FROM mfa_outbox")  # the next alarm begins as the first did
        portal.clock.advance(3600)


@pytest.mark.abuse("A73")
def test_fifty_failures_do_not_bury_a_sign_in_in_page_or_mail(
    portal: Portal, owner: Browser, secret: str, postbox: Postbox
) -> None:
    by_mail(portal, postbox.port)
    signs_in(portal, secret)
    for _ in range(11):
        failing = portal.browser(THIEF)
        failing.password()
        for _ in range(5):
            failing.api("POST", "webauthn/verify/complete", GARBAGE)
    portal.clock.advance(SLIP + 1)
    send(portal)
    (mail,) = postbox.mails
    part = mail.get_body(("plain",))
    assert part is not None
    for sentence in ("Quelqu’un s’est connecté à votre compte", "Quelqu’un connaît votre mot de passe"):
        assert sentence in part.get_content()
    signs_in(portal, secret, owner)
    assert {"failed_second_factor", "new_device"} <= set(told(owner))


@pytest.fixture
def desk(make: MakePortal, tmp_path: Path) -> Desk:
    return open_desk(make, tmp_path)


def alerts_of(desk: Desk, kind: str, number: int, at: float) -> None:
    """Alerts of one kind about so many other accounts."""
    for nth in range(number):
        name = f"{kind} {nth}"
        desk.portal.sql(
            "INSERT INTO mfa_accounts (id, subject, created_at) VALUES (:name, :subject, 0)",
            name=name,
            subject=f"{abs(hash(name)):032x}"[:32],
        )
        desk.portal.sql(
            "INSERT INTO mfa_alerts (subject, kind, first_at, last_at, times, data) "
            "SELECT subject, :kind, :at, :at, 1, '{}' FROM mfa_accounts WHERE id = :name",
            kind=kind,
            at=at + nth,
            name=name,
        )


@pytest.mark.abuse("A73")
@pytest.mark.parametrize("kind", sorted(ALERTS))
def test_no_number_of_cheap_alerts_pushes_another_off_the_desks_first_page(desk: Desk, kind: str) -> None:
    cheap = "unusual_sign_in" if kind != "unusual_sign_in" else "device_replayed"
    now = desk.portal.clock()
    alerts_of(desk, kind, 1, now - 5000)
    alerts_of(desk, cheap, 320, now - 4000)
    staff = desk.at("ray")
    first = staff.get("/mfa/desk")
    assert f"{kind} 0" in first.text
    shown = [
        page.text.count('<li class="mfa-way">') for page in (first, *(staff.get(f"/mfa/desk?page={n}") for n in (2, 3)))
    ]
    assert sum(shown) == 321
    for wrong in ("0", "-1", "x", "²", "9" * 30):
        assert staff.get("/mfa/desk", query_string={"page": wrong}).status_code == 200


@pytest.mark.abuse("A73")
def test_the_desk_is_written_to_about_every_kind_in_one_mail(
    make: MakePortal, tmp_path: Path, postbox: Postbox
) -> None:
    desk = open_desk(make, tmp_path, mail="desk@portal.example")
    by_mail(desk.portal, postbox.port)
    desk.portal.sql("UPDATE mfa_outbox SET mail_due = NULL")
    alerts_of(desk, "unusual_sign_in", 300, desk.portal.clock() - 4000)
    alerts_of(desk, "reads_stopped", 1, desk.portal.clock())
    send(desk.portal)
    (mail,) = (one for one in postbox.mails if one["To"] == "desk@portal.example")
    assert "301" in mail["Subject"]
    assert len(mail.get_content().strip().splitlines()) == 4
    desk.portal.clock.advance(601)
    send(desk.portal)
    assert len([one for one in postbox.mails if one["To"] == "desk@portal.example"]) == 1


@pytest.mark.abuse("A73")
def test_no_number_of_other_events_pushes_one_out_of_what_the_desk_sees(desk: Desk) -> None:
    portal = desk.portal
    with portal.app.app_context():
        portal.gate.password_changed("anne")
    services = portal.app.extensions["mfa_gate"].services
    with services.store.begin() as tx:
        row = accounts.find(tx, "anne")
        for nth in range(300):
            kind, more = (("account_locked", {}), ("account_unlocked", {"was_locked": True}))[nth % 2]
            services.audit.record(tx, kind, portal.clock(), Who(row.subject), why="test", **more)
    page = desk.page(desk.at("ray"), "anne")
    assert "the portal changed a password" in text_of(page.text)


# --- what is no slip --------------------------------------------------------------------------------------------------


def at_home(make: MakePortal) -> tuple[Portal, Browser, str]:
    portal = make(risk=RiskPolicy())
    secret = portal.enrolled()
    home = portal.browser()
    home.client.environ_base["HTTP_USER_AGENT"] = FIREFOX
    home.sign_in(secret)
    settled(portal)
    home.get("/")
    portal.clock.advance(60)
    return portal, home, secret


@pytest.mark.abuse("A73")
@pytest.mark.parametrize("address", [THIEF, None])
def test_a_copied_session_that_moves_is_told_though_its_owner_proves_at_home(
    make: MakePortal, address: str | None
) -> None:
    """In another network, or in another browser of the same one."""
    portal, home, secret = at_home(make)
    home.sign_in(secret)
    settled(portal)
    portal.sql("UPDATE mfa_sessions SET last_seen = :now", now=portal.clock())
    thief = home.copy(address)
    thief.client.environ_base["HTTP_USER_AGENT"] = CHROME
    assert thief.state == "pending"
    portal.clock.advance(120)
    assert home.step("challenge", code=portal.code(secret)).status_code == 303
    portal.clock.advance(SLIP)
    assert mailed(portal) == ["session_moved"]


@pytest.mark.abuse("A73")
def test_codes_that_fail_elsewhere_in_a_copied_sign_in_are_told_though_its_owner_completes_it(
    make: MakePortal,
) -> None:
    portal, home, secret = at_home(make)
    home.step("sign-out")
    home.password()
    thief = home.copy(THIEF)
    thief.client.environ_base["HTTP_USER_AGENT"] = CHROME
    assert thief.step("challenge", code="000000").status_code in (403, 422)
    portal.clock.advance(31)
    assert home.step("challenge", code=portal.code(secret)).status_code == 303
    portal.clock.advance(SLIP)
    assert "failed_second_factor" in mailed(portal)


def test_who_moved_and_proves_it_there_is_told_nothing(make: MakePortal) -> None:
    portal, home, secret = at_home(make)
    home.sign_in(secret)
    settled(portal)
    portal.sql("UPDATE mfa_sessions SET last_seen = :now", now=portal.clock())
    moved = home.copy("198.51.100.30")
    assert moved.state == "pending"
    portal.clock.advance(31)
    assert moved.step("challenge", code=portal.code(secret)).status_code == 303
    portal.clock.advance(SLIP)
    assert "session_moved" not in mailed(portal)


# --- a right password that nothing follows ----------------------------------------------------------------------------


@pytest.mark.abuse("A73")
@pytest.mark.parametrize("ends", ["by itself", "by a sign-out", "by another account", "by another password"])
@pytest.mark.parametrize("enrolled", [False, True])
def test_a_right_password_with_no_code_tried_is_told_however_it_ends(portal: Portal, ends: str, enrolled: bool) -> None:
    if enrolled:
        portal.enrolled()
    thief = portal.browser(THIEF)
    thief.password()
    typed_at = portal.clock()
    if ends == "by a sign-out":
        thief.step("sign-out")
    elif ends == "by another account":
        thief.password("bob")
    elif ends == "by another password":
        thief.password()
    assert mailed(portal) == []
    portal.clock.advance(SLIP)
    expected = 2 if ends == "by another account" else 1
    assert mailed(portal) == ["failed_second_factor"] * expected
    assert portal.sql("SELECT min(at) FROM mfa_outbox") == [(typed_at,)]
    assert mailed(portal) == []


@pytest.mark.abuse("A73")
@pytest.mark.parametrize("runs", ["nothing", "purge"])
def test_it_is_told_at_the_next_sign_in_where_no_mailer_runs(
    portal: Portal, owner: Browser, secret: str, runs: str
) -> None:
    portal.browser(THIEF).password()
    portal.clock.advance(SLIP)
    if runs == "purge":
        assert portal.app.extensions["mfa_gate"].life.purge()["sessions"] >= 1
    signs_in(portal, secret, owner)
    assert told(owner) == ["failed_second_factor"]


def test_a_sign_in_that_its_owner_begins_anew_in_the_same_place_is_not_told(portal: Portal, secret: str) -> None:
    """A closed window, in either order; before it was told and after."""
    for first_completed in (False, True):
        settled(portal)
        left, done = portal.browser(), portal.browser()
        (done if first_completed else left).password()
        portal.clock.advance(30)
        (left if first_completed else done).password()
        portal.clock.advance(30)
        assert done.step("challenge", code=portal.code(secret)).status_code == 303
        portal.clock.advance(SLIP)
        assert "failed_second_factor" not in mailed(portal)


def test_a_sign_in_that_was_cancelled_and_made_after_all_is_not_told(portal: Portal, secret: str) -> None:
    browser = portal.browser()
    browser.password()
    browser.step("sign-out")
    portal.clock.advance(30)
    assert browser.sign_in(secret).status_code == 303
    portal.clock.advance(SLIP)
    assert mailed(portal) == ["new_device"]


def test_what_was_completed_or_told_at_once_is_not_told_again(portal: Portal, secret: str) -> None:
    portal.browser().sign_in(secret)
    failing = portal.browser(THIEF)
    failing.password()
    failing.step("challenge", code="000000")
    portal.clock.advance(3 * SLIP)
    assert mailed(portal) == ["failed_second_factor", "new_device"]


# --- nothing of a stranger's choosing ---------------------------------------------------------------------------------

HOSTILE = (
    "https://portal-help.example/1.0 CFNetwork/1.0",
    "call 0899 123 456/1.0 CFNetwork/1.0",
    "Mozilla/5.0 (Appelez le 0899 123 456) https://portal-help.example/",
    "portal-help.example",
    "portal-help.example/128.0 Safari/537.36",
    "<b>0899 123 456</b>",
    "",
)


@pytest.mark.abuse("A73")
@pytest.mark.parametrize("agent", HOSTILE)
@pytest.mark.parametrize("earlier", [False, True])
def test_what_a_browser_calls_itself_stands_in_no_mail_page_or_webhook(
    portal: Portal, owner: Browser, secret: str, postbox: Postbox, agent: str, earlier: bool
) -> None:
    """Nor what an earlier version kept of it."""
    by_mail(portal, postbox.port)
    thief = portal.browser(THIEF)
    thief.client.environ_base["HTTP_USER_AGENT"] = agent
    signs_in(portal, secret, thief)
    failing = portal.browser(THIEF)
    failing.client.environ_base["HTTP_USER_AGENT"] = agent
    failing.password()
    failing.step("challenge", code="000000")
    if earlier:
        portal.sql("UPDATE mfa_outbox SET data = :data", data=json.dumps({"browser": agent or "0899 123"}))
        portal.sql("UPDATE mfa_sessions SET browser = :agent", agent=agent[:60] or "0899 123")
    portal.clock.advance(SLIP)
    send(portal)
    with portal.app.test_request_context():
        parts = portal.app.extensions["mfa_gate"]
        (batch,) = parts.notices.claim("hook")
        hooked = payload(parts, batch).decode()
    signs_in(portal, secret, owner)
    texts = [part.get_content() for mail in postbox.mails for part in mail.iter_parts()]
    texts += [owner.get(path).text for path in ("/mfa/news", "/mfa/sessions")]
    texts += [owner.api("GET", path).text for path in ("notices", "sessions", "notices/earlier")]
    assert len(texts) == 7
    for text in (hooked, *texts):
        assert "0899 123" not in text
        assert "portal-help" not in text
    for text in texts[:3]:
        assert ((None if earlier else family(agent)) or "un navigateur inconnu") in text


@pytest.mark.abuse("A73")
def test_what_a_thief_calls_a_key_does_not_stand_at_the_desk(desk: Desk) -> None:
    desk.portal.sql("UPDATE mfa_authenticators SET label = 'call 0899 123 456'")
    page = desk.page(desk.at("ray"), "anne")
    assert page.status_code == 200
    assert "0899 123" not in page.text


# --- whose account it is ----------------------------------------------------------------------------------------------

STEPS = ("challenge", "activate", "enrol", "authenticators", "sessions", "news", "sign-out", "not-me?link=x", "desk")


@pytest.mark.abuse("A73")
@pytest.mark.parametrize("account", ["anne", "bob"])
@pytest.mark.parametrize("risk", [None, RiskPolicy()], ids=["usual", "weighed"])
def test_with_the_password_alone_nobody_is_told_whose_account_it_is(
    make: MakePortal, account: str, risk: RiskPolicy | None
) -> None:
    portal = make(risk=risk) if risk else make()
    portal.enrolled()  # and bob has nothing
    person = portal.people[account]
    thief = portal.browser(THIEF)
    answers = [thief.password(account)]
    answers += [thief.get(f"/mfa/{step}") for step in STEPS]
    answers += [thief.get(f"/mfa/{step}", headers=JSON) for step in STEPS]
    for path in ("session", "authenticators", "sessions", "notices", "notices/earlier"):
        answers.append(thief.api("GET", path))
    answers += [thief.step(step, code="000000") for step in ("challenge", "activate")]
    answers += [thief.api("POST", f"{step}/verify", {"code": "0"}) for step in ("totp", "recovery", "activation")]
    answers += [thief.api("POST", path) for path in ("webauthn/verify/begin", "totp/enrol/begin", "recovery/renew")]
    answers += [thief.get(path) for path in ("/", "/patients/1", "/safe")]
    answers.append(thief.step("sign-out"))
    for answer in answers:
        told_of = answer.text + str(answer.headers)
        assert person.name not in told_of
        assert str(person.email) not in told_of
    assert f"{thief.state}" == "anonymous"


def test_whoever_has_proven_a_second_factor_reads_whose_account_it_is(portal: Portal, secret: str) -> None:
    browser = portal.browser()
    browser.sign_in(secret)
    assert "Anne Martin" in browser.get("/mfa/sessions").text
