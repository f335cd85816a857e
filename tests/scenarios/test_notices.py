"""What owners are notified of, on the page at the next sign-in and behind the link of a mail."""

from __future__ import annotations

import html
import json
import re
import threading

import pytest

from mfa_gate.durations import DAY
from mfa_gate.flows.owner_notices import FREEZE, LINK_LIFETIME
from mfa_gate.testing import SoftwareKey
from tests.support.notices import elsewhere, link_of, signed_in_before, waiting
from tests.support.owners import id_of_key
from tests.support.portal import BASE_URL, JSON, KEYS, Browser, MakePortal, Portal


def signed_in_by(portal: Portal, key: SoftwareKey) -> Browser:
    """A new browser, signed in by a key."""
    browser = portal.browser()
    browser.password()
    assert browser.prove(key).status_code == 200
    return browser


def text_of(answer: object) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))  # type: ignore[attr-defined]


# --- what is notified ------------------------------------------------------------------------------------------------


def test_a_sign_in_from_an_unknown_browser_is_told_and_one_from_a_known_browser_is_not(portal: Portal) -> None:
    secret = portal.enrolled()
    browser = elsewhere(portal, secret)
    assert waiting(portal) == ["new_device"]
    portal.clock.advance(30)
    browser.sign_in(secret)
    assert waiting(portal) == ["new_device"]


def test_a_right_password_without_the_second_factor_is_told(portal: Portal) -> None:
    portal.enrolled()
    thief = portal.browser("198.51.100.66")
    thief.password()
    thief.step("challenge", code="000000")
    assert waiting(portal) == ["failed_second_factor"]


def test_a_wrong_code_in_a_session_that_is_signed_in_is_not_told(portal: Portal) -> None:
    browser = elsewhere(portal, portal.enrolled())
    browser.step("challenge", code="000000")
    assert waiting(portal) == ["new_device"]


def test_what_happens_to_authenticators_is_told(portal: Portal, browser: Browser) -> None:
    browser.activate()
    key = browser.add_key()
    assert key.status_code == 200
    assert waiting(portal) == [
        "activation_issued",
        "activation_redeemed",
        "authenticator_added",
        "recovery_codes_renewed",
    ]
    code = key.json["recovery_codes"][0]
    other = portal.browser("198.51.100.66")
    other.password()
    assert other.api("POST", "recovery/verify", {"code": code}).status_code == 200
    assert waiting(portal)[4:] == ["recovery_code_used"]


def test_a_lock_and_its_end_are_told(portal: Portal) -> None:
    portal.enrolled()
    with portal.app.app_context():
        portal.gate.lock("anne", "stolen laptop")
        portal.gate.unlock("anne", "found again")
        portal.gate.unlock("anne", "mistyped codes")
        portal.gate.password_changed("anne")
    assert waiting(portal) == ["account_locked", "account_unlocked", "password_changed"]


def test_an_account_that_is_forgotten_takes_its_notices_with_it(portal: Portal) -> None:
    elsewhere(portal, portal.enrolled())
    with portal.app.app_context():
        portal.gate.forget("anne")
    assert portal.sql("SELECT * FROM mfa_outbox") == []


@pytest.mark.abuse("A34")
def test_what_cannot_be_told_does_not_happen(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notice is written with its event, in the transaction of the thing itself."""
    secret = portal.enrolled()
    browser = portal.browser()
    browser.password()
    with monkeypatch.context() as broken:
        broken.setattr("mfa_gate.store.outbox.add", lambda *_: 1 / 0)
        assert browser.step("challenge", code=portal.code(secret)).status_code == 503
        assert browser.state == "pending"
    assert waiting(portal) == []
    assert browser.step("challenge", code=portal.code(secret)).status_code == 303


# --- at the next sign-in ---------------------------------------------------------------------------------------------


def test_the_next_sign_in_says_what_happened_and_leads_on_to_the_wanted_page(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    signed_in_before(portal, browser, secret)
    elsewhere(portal, secret)
    portal.clock.advance(30)
    assert browser.get("/patients/1").status_code == 303
    browser.password()
    answer = browser.step("challenge", code=portal.code(secret))
    assert answer.headers["Location"] == f"{BASE_URL}/mfa/news"
    page = browser.get("/mfa/news")
    assert "Quelqu’un s’est connecté à votre compte avec un navigateur" in text_of(page)
    assert "Firefox · Linux" in text_of(page)
    up_to = re.search(r'name="up_to" value="(\d+)"', page.text)
    assert up_to is not None
    seen = browser.step("news", action="seen", up_to=up_to[1])
    assert seen.headers["Location"] == f"{BASE_URL}/patients/1"
    assert waiting(portal) == []
    browser.step("sign-out")
    portal.clock.advance(30)
    assert browser.sign_in(secret).headers["Location"] == f"{BASE_URL}/"
    assert "Quelqu’un s’est connecté" in text_of(browser.get("/mfa/news"))  # among what happened earlier


def test_a_slip_of_the_owners_own_is_not_held_against_anybody(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    browser.password()
    browser.step("challenge", code="000000")
    portal.clock.advance(30)
    assert browser.step("challenge", code=portal.code(secret)).headers["Location"] == f"{BASE_URL}/"
    assert waiting(portal) == ["new_device"]
    portal.mark_notices_shown()
    browser.step("sign-out")
    portal.clock.advance(30)
    assert browser.sign_in(secret).headers["Location"] == f"{BASE_URL}/"


def test_it_was_not_me_on_the_page_signs_out_everybody_else(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    thief = elsewhere(portal, secret)
    portal.clock.advance(30)
    browser.sign_in(secret)
    answer = browser.step("news", action="not-me", up_to="1000")
    assert answer.headers["Location"] == f"{BASE_URL}/mfa/authenticators"
    assert thief.get("/", headers=JSON).status_code == 401
    assert browser.get("/").text == "home of anne"


def test_programs_get_the_news_too(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    signed_in_before(portal, browser, secret)
    elsewhere(portal, secret)
    portal.clock.advance(30)
    browser.password()
    passed = browser.api("POST", "totp/verify", {"code": portal.code(secret)})
    assert passed.json["next"] == f"{BASE_URL}/mfa/news"
    (notice,) = browser.api("GET", "notices").json["notices"]
    assert notice["kind"] == "new_device"
    assert notice["browser"] == "Firefox · Linux"
    assert browser.api("POST", "notices/seen", {"up_to": notice["id"]}).json == {"seen": 1}
    assert browser.api("GET", "notices").json == {"notices": []}
    assert notice["id"] in [one["id"] for one in browser.api("GET", "notices/earlier").json["notices"]]


@pytest.mark.parametrize("up_to", [None, -1, True, "x", 2**63, 1.5, [1], {}], ids=repr)
@pytest.mark.parametrize("backend", ["sqlite"])
def test_what_was_seen_must_be_said_by_a_number(portal: Portal, up_to: object) -> None:
    browser = elsewhere(portal, portal.enrolled())
    assert browser.api("POST", "notices/seen", {"up_to": up_to}).json["code"] == "invalid_request"


@pytest.mark.abuse("A1")
def test_with_the_password_alone_nothing_is_told(portal: Portal) -> None:
    secret = portal.enrolled()
    elsewhere(portal, secret)
    thief = portal.browser("198.51.100.7")
    thief.password()
    assert thief.get("/mfa/news").status_code == 303
    assert thief.api("GET", "notices").status_code == 401
    assert thief.api("POST", "notices/seen", {"up_to": 1000}).status_code == 401
    assert waiting(portal) == ["new_device"]


def test_nobody_is_shown_what_happened_to_somebody_else(portal: Portal) -> None:
    elsewhere(portal, portal.enrolled())
    secret = portal.enrolled("bob")
    bob = portal.browser()
    bob.sign_in(secret, "bob")
    assert bob.api("GET", "notices").json == {"notices": []}
    bob.api("POST", "notices/seen", {"up_to": 1000})
    assert waiting(portal) == ["new_device"]


# --- "it was not me", by mail ----------------------------------------------------------------------------------------


@pytest.mark.abuse("A63")
def test_opening_the_link_changes_nothing(portal: Portal) -> None:
    secret = portal.enrolled()
    owner = elsewhere(portal, secret)
    scanner = portal.browser("192.0.2.55")
    link = link_of(portal)
    before = portal.sql("SELECT * FROM mfa_accounts"), portal.sql("SELECT * FROM mfa_events")
    for method in ("GET", "HEAD"):
        assert scanner.open(method, f"/mfa/not-me?link={link}").status_code == 200
    assert (portal.sql("SELECT * FROM mfa_accounts"), portal.sql("SELECT * FROM mfa_events")) == before
    assert owner.get("/").text == "home of anne"


@pytest.mark.parametrize(("account", "locale"), [("anne", "fr"), ("bob", "en")])
def test_the_page_behind_the_link_speaks_the_language_of_its_owner(portal: Portal, account: str, locale: str) -> None:
    portal.enrolled(account)
    link = link_of(portal, account)
    for answer in (
        portal.browser().get("/mfa/not-me", query_string={"link": link}, headers={"Accept-Language": "fr-FR, en"}),
        portal.browser().post("/mfa/not-me", {"link": link}, headers={"Accept-Language": "fr-FR, en"}),
    ):
        assert f'<html lang="{locale}"' in answer.text


@pytest.mark.abuse("A63")
def test_its_button_signs_everybody_out_and_freezes_additions(portal: Portal) -> None:
    key = portal.key()
    thief = portal.browser("198.51.100.66")
    thief.password()
    thief.prove(key)
    link = link_of(portal)
    assert portal.browser("192.0.2.55").post("/mfa/not-me", {"link": link}).status_code == 200
    assert thief.get("/", headers=JSON).status_code == 401
    portal.clock.advance(30)
    thief.password()
    thief.prove(key)
    assert thief.add_key().json["code"] == "additions_frozen"
    assert thief.api("POST", "totp/enrol/begin").json["code"] == "additions_frozen"
    assert thief.api("POST", "recovery/renew").json["code"] == "additions_frozen"
    assert thief.get("/mfa/enrol", headers=JSON).status_code in (200, 403)
    assert [kind for kind, _, _ in portal.events()].count("not_me") == 1


@pytest.mark.abuse("A63")
def test_additions_are_frozen_for_three_days(portal: Portal) -> None:
    key = portal.key()
    portal.browser().post("/mfa/not-me", {"link": link_of(portal)})
    for seconds, frozen in ((FREEZE - 1, True), (1, False)):
        portal.clock.advance(seconds)
        browser = portal.browser()
        browser.password()
        assert browser.prove(key).status_code == 200
        assert (browser.api("POST", "webauthn/enrol/begin").status_code == 403) is frozen
        done = portal.app.test_cli_runner().invoke(args=["mfa", "account", "show", "anne", "--json"])
        assert (json.loads(done.output)["frozen_until"] is not None) is frozen


@pytest.mark.abuse("A63")
def test_what_is_there_may_be_renamed_and_removed_while_additions_are_frozen(portal: Portal, browser: Browser) -> None:
    """Or nobody could throw out what a thief has added."""
    key = portal.key()
    browser.password()
    browser.prove(key)
    other = SoftwareKey(BASE_URL)
    assert browser.add_key(other).status_code == 200
    added = id_of_key(portal, other)
    portal.browser().post("/mfa/not-me", {"link": link_of(portal)})
    browser.password()
    browser.prove(key)
    assert browser.api("PATCH", f"authenticators/{added}", json={"label": "Not mine"}).status_code == 200
    assert browser.api("DELETE", f"authenticators/{added}").status_code == 200


@pytest.mark.abuse("A63")
def test_an_activation_code_ends_the_freeze(portal: Portal, browser: Browser) -> None:
    """Whoever issues one has made sure of whom it is for."""
    key = portal.key()
    portal.browser().post("/mfa/not-me", {"link": link_of(portal)})
    portal.activation_code()
    browser.password()
    browser.prove(key)
    assert browser.add_key().status_code == 200


@pytest.mark.abuse("A63")
@pytest.mark.parametrize("by_key", [False, True])
def test_what_was_begun_before_it_was_not_me_is_not_completed_after_it(portal: Portal, by_key: bool) -> None:
    key, browser = portal.key(), portal.browser()
    code = portal.activation_code()
    browser.password()
    assert browser.prove(key).status_code == 200
    browser.api("POST", "activation/verify", {"code": code})
    begun = browser.api("POST", "webauthn/enrol/begin" if by_key else "totp/enrol/begin").json
    assert portal.browser().post("/mfa/not-me", {"link": link_of(portal)}).status_code == 200
    if by_key:
        answer = browser.api("POST", "webauthn/enrol/complete", SoftwareKey(BASE_URL).register(begun))
    else:
        answer = browser.confirm(begun)
    assert (answer.status_code, answer.json["code"]) == (401, "sign_in_required")
    assert len(portal.sql("SELECT id FROM mfa_authenticators")) == 1


@pytest.mark.abuse("A63")
def test_a_thief_with_the_mailbox_removes_nothing_and_keeps_nobody_out(portal: Portal, browser: Browser) -> None:
    """One link after the other: the owner signs in, removes what is lost, and a new activation code ends the freeze."""
    browser.activate()
    assert browser.add_key().status_code == 200
    key = portal.key("bob")
    for _ in range(20):
        assert portal.browser("198.51.100.66").post("/mfa/not-me", {"link": link_of(portal, "bob")}).status_code == 200
        portal.clock.advance(1)
    owner = portal.browser()
    owner.password("bob")
    assert owner.prove(key).status_code == 200
    assert len(owner.api("GET", "authenticators").json["authenticators"]) == 1
    owner.api("POST", "activation/verify", {"code": portal.activation_code("bob")})
    owner.password("bob")
    owner.prove(key)
    assert owner.api("POST", "webauthn/enrol/begin").status_code == 200


def press(portal: Portal, link: str) -> int:
    """Press "it was not me" where the mailbox is read; the status of the answer."""
    return portal.browser("198.51.100.66").post("/mfa/not-me", {"link": link}).status_code


def is_frozen(portal: Portal) -> bool:
    (row,) = portal.sql("SELECT frozen_until FROM mfa_accounts WHERE id = 'anne'")
    return (row[0] or 0) > portal.clock()


@pytest.mark.abuse("A74")
def test_a_link_works_once_on_every_worker_and_opens_no_page_after_it(make: MakePortal) -> None:
    portal, other = make(), make()
    portal.key()
    link = link_of(portal)
    assert press(portal, link) == 200
    for day in range(6):
        assert [press(one, link) for one in (portal, other)] == [404, 404], day
        assert portal.browser().get(f"/mfa/not-me?link={link}").status_code == 404
        portal.clock.advance(DAY)
    assert [kind for kind, _, _ in portal.events()].count("not_me") == 1


@pytest.mark.abuse("A74")
def test_a_link_used_before_the_keys_were_rotated_stays_used(make: MakePortal) -> None:
    portal = make()
    portal.key()
    link = link_of(portal)
    assert press(portal, link) == 200
    assert press(make(MFA_GATE_KEYS=f"later:{'B' * 43},{KEYS}"), link) == 404


@pytest.mark.abuse("A74")
def test_links_in_mails_of_different_notices_end_what_is_older_than_each(portal: Portal) -> None:
    """Kept for a week, and pressed one a day: the owner, who has signed in since, stays in."""
    key, links, browsers = portal.key(), [], []
    for _ in range(4):
        browsers.append(signed_in_by(portal, key))
        links.append(link_of(portal))
        portal.clock.advance(60)
    browsers.append(signed_in_by(portal, key))
    for number, link in enumerate(links, start=1):
        assert press(portal, link) == 200
        assert [browser.state for browser in browsers].count("anonymous") == number
    assert browsers[-1].get("/").text == "home of anne"


@pytest.mark.abuse("A74")
def test_a_link_from_before_the_desk_issued_a_code_freezes_nothing_any_more(portal: Portal, browser: Browser) -> None:
    portal.key()
    links = []
    for _ in range(2):
        links.append(link_of(portal))
        portal.clock.advance(60)
    portal.activation_code()
    assert [press(portal, link) for link in links] == [200, 200]
    assert not is_frozen(portal)
    portal.clock.advance(60)
    assert press(portal, link_of(portal)) == 200
    assert is_frozen(portal), "a notice of since then is another matter"


@pytest.mark.abuse("A74")
def test_two_mails_of_the_same_notice_share_one_use(portal: Portal) -> None:
    portal.key()
    written = portal.clock()
    parts = portal.app.extensions["mfa_gate"]
    ((subject,),) = portal.sql("SELECT subject FROM mfa_accounts WHERE id = 'anne'")
    first = parts.notices._link(subject, portal.clock(), written)
    portal.clock.advance(3600)
    again = parts.notices._link(subject, portal.clock(), written)
    assert (first == again, press(portal, again), press(portal, first)) == (False, 200, 404)


@pytest.mark.abuse("A74")
def test_of_twenty_presses_at_once_one_counts(portal: Portal) -> None:
    portal.key()
    link, statuses = link_of(portal), []
    pressing = [threading.Thread(target=lambda: statuses.append(press(portal, link))) for _ in range(20)]
    for thread in pressing:
        thread.start()
    for thread in pressing:
        thread.join()
    assert sorted(statuses) == [200] + [404] * 19


@pytest.mark.abuse("A74")
def test_the_mail_that_it_was_pressed_makes_no_link_for_what_came_since(portal: Portal) -> None:
    """Else each link would bring the next one, for ever."""
    key = portal.key()
    elsewhere_at = portal.clock()
    parts = portal.app.extensions["mfa_gate"]
    portal.sql("DELETE FROM mfa_outbox")
    portal.browser("198.51.100.7").password()
    signed_in_by(portal, key)  # a new browser, of which is told
    portal.clock.advance(60)
    assert press(portal, link_of(portal)) == 200
    owner = signed_in_by(portal, key)
    portal.sql("DELETE FROM mfa_outbox WHERE at > :at AND kind = 'new_device'", at=elsewhere_at + 30)
    portal.clock.advance(60)
    (batch,) = parts.notices.claim("mail")
    assert {"new_device", "not_me"} <= {notice.kind for notice in batch.notices}
    assert press(portal, batch.link) == 200
    assert owner.get("/").text == "home of anne"


@pytest.mark.abuse("A63")
def test_the_first_enrolment_is_not_frozen(portal: Portal, browser: Browser) -> None:
    """It takes an activation code, which no mailbox holds."""
    code = portal.activation_code()
    portal.browser("198.51.100.66").post("/mfa/not-me", {"link": link_of(portal)})
    browser.password()
    browser.step("activate", code=code)
    assert browser.add_key().status_code == 200


@pytest.mark.abuse("A63")
def test_it_is_said_again_at_the_next_sign_in(portal: Portal, browser: Browser) -> None:
    secret = portal.enrolled()
    portal.browser("198.51.100.66").post("/mfa/not-me", {"link": link_of(portal)})
    assert browser.sign_in(secret).headers["Location"] == f"{BASE_URL}/mfa/news"
    assert "Ce n’était pas moi" in text_of(browser.get("/mfa/news"))


@pytest.mark.abuse("A63")
@pytest.mark.parametrize("link", ["", "x", "{link}x", "x{link}", "{unsigned}", "é", "\x00", "a" * 5000])
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_link_that_is_not_ours_does_nothing(portal: Portal, link: str) -> None:
    portal.enrolled()
    ours = link_of(portal)
    sent = link.format(link=ours, unsigned=ours.rpartition(".")[0])
    stranger = portal.browser()
    assert stranger.get("/mfa/not-me", query_string={"link": sent}).status_code == 404
    assert stranger.post("/mfa/not-me", {"link": sent}).status_code == 404
    assert ("not_me", "success", None) not in portal.events()


@pytest.mark.abuse("A63")
def test_a_link_is_good_for_seven_days(portal: Portal) -> None:
    portal.enrolled()
    link = link_of(portal)
    portal.clock.advance(LINK_LIFETIME - 1)
    assert portal.browser().post("/mfa/not-me", {"link": link}).status_code == 200
    portal.clock.advance(1)
    assert portal.browser().post("/mfa/not-me", {"link": link}).status_code == 404
