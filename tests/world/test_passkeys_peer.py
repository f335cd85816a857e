"""python-fido2's client in front of the software key, through the gate's own calls: a browser that is not ours."""

from __future__ import annotations

import pytest
from fido2.client import ClientError
from fido2.webauthn import PublicKeyCredentialCreationOptions, PublicKeyCredentialRequestOptions

from tests.support.fido2_client import client_of, sent
from tests.support.passkeys import PLAIN, WAYS, Options, begin, credentials, key_of, refused, send, session_of
from tests.support.portal import BASE_URL, Browser, MakePortal, Portal

pytestmark = pytest.mark.parametrize("backend", ["sqlite"])


@pytest.fixture
def portal(make: MakePortal) -> Portal:
    return make(**PLAIN)


def registered(client: object, options: Options) -> Options:
    return sent(client.make_credential(PublicKeyCredentialCreationOptions.from_dict(options)))  # type: ignore[attr-defined]


def asserted(client: object, options: Options) -> Options:
    chosen = client.get_assertion(PublicKeyCredentialRequestOptions.from_dict(options))  # type: ignore[attr-defined]
    return sent(chosen.get_response(0))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_another_client_enrols_signs_in_and_steps_up(portal: Portal, algorithm: int, way: str) -> None:
    client, browser = client_of(key_of(algorithm=algorithm), BASE_URL), portal.browser()
    browser.activate()
    assert send(browser, "enrol", registered(client, begin(browser, "enrol")), way).status_code < 400
    assert browser.get("/safe").text == "safe form"
    later = portal.browser()
    later.password()
    assert send(later, "verify", asserted(client, begin(later, "verify")), way).status_code < 400
    assert later.get("/safe").text == "safe form"
    portal.clock.advance(900)
    assert later.get("/safe").status_code == 303
    assert send(later, "verify", asserted(client, begin(later, "verify")), way).status_code < 400
    assert later.get("/safe").text == "safe form"
    assert session_of(later)["methods"] == ["pwd", "pop"]
    assert ("sign_count_went_back", "success", None) not in portal.events()


def test_another_client_enrols_no_key_twice(portal: Portal, browser: Browser) -> None:
    client = client_of(key_of(), BASE_URL)
    browser.activate()
    send(browser, "enrol", registered(client, begin(browser, "enrol")))
    with pytest.raises(ClientError) as caught:
        registered(client, begin(browser, "enrol"))
    assert caught.value.code == ClientError.ERR.DEVICE_INELIGIBLE
    assert len(credentials(portal)) == 1


@pytest.mark.parametrize(
    "page", ["https://evil.example", "https://portal.example.evil.example", "http://portal.example"]
)
def test_another_client_answers_no_page_of_another_site(portal: Portal, browser: Browser, page: str) -> None:
    """What a relay shows to the person: the options are right, the page is not."""
    key = portal.key()
    browser.password()
    with pytest.raises(ClientError) as caught:
        asserted(client_of(key, page), begin(browser, "verify"))
    assert caught.value.code == ClientError.ERR.BAD_REQUEST
    assert browser.state == "pending"


def test_what_another_client_gives_on_a_page_of_a_sub_domain_is_refused(portal: Portal, browser: Browser) -> None:
    """The browser would let a taken sub-domain ask for this RP ID; the list of origins is exact."""
    key = portal.key()
    browser.password()
    answer = asserted(client_of(key, "https://old.portal.example"), begin(browser, "verify"))
    assert refused(send(browser, "verify", answer), portal, "origin")
    assert browser.state == "pending"


@pytest.mark.parametrize(("setting", "verifies"), [("required", True), ("preferred", True), ("preferred", False)])
def test_another_client_verifies_its_user_as_far_as_it_is_asked_and_able(
    make: MakePortal, setting: str, verifies: bool
) -> None:
    portal = make(**PLAIN, MFA_GATE_USER_VERIFICATION=setting)
    client, browser = client_of(key_of(), BASE_URL, verifies=verifies), portal.browser()
    browser.activate()
    assert send(browser, "enrol", registered(client, begin(browser, "enrol"))).status_code == 200
    assert bool(credentials(portal)[0].uv_initialised) is verifies
    assert send(browser, "verify", asserted(client, begin(browser, "verify"))).status_code == 200


def test_a_key_that_cannot_verify_its_user_is_not_used_where_that_is_required(make: MakePortal) -> None:
    portal = make(**PLAIN, MFA_GATE_USER_VERIFICATION="required")
    browser = portal.browser()
    browser.activate()
    with pytest.raises(ClientError):
        registered(client_of(key_of(), BASE_URL, verifies=False), begin(browser, "enrol"))
    lenient = {**begin(browser, "enrol"), "authenticatorSelection": {"userVerification": "discouraged"}}
    answer = registered(client_of(key_of(), BASE_URL, verifies=False), lenient)
    assert refused(send(browser, "enrol", answer), portal, "user_verification")
