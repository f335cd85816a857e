"""Kept passkeys: their counters, rows that were changed by hand, keys of the ring, and the last one of an account."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mfa_gate.exc import ConfigurationError
from mfa_gate.testing.software_key import SoftwareKey, StoredCredential, Tampered, cbor, cose_key, new_private, to_text
from tests.support.passkeys import PLAIN, begin, challenges, complete, credentials, refused, send, sign_in
from tests.support.portal import KEYS, Browser, MakePortal, Portal

NEW = "new:" + "B" * 43
BACK = ("sign_count_went_back", "success", None)


@pytest.fixture
def portal(make: MakePortal) -> Portal:
    return make(**PLAIN)


def count(portal: Portal) -> int:
    return int(credentials(portal)[0].sign_count)


# --- who used it -------------------------------------------------------------------------------------------------


def test_a_key_that_has_told_once_who_uses_it_is_remembered_as_one_that_can(make: MakePortal) -> None:
    portal = make(**PLAIN, MFA_GATE_USER_VERIFICATION="preferred")
    key = portal.key(user_verified=False)
    for verified in (False, True):
        key.user_verified = verified
        assert sign_in(portal.browser(), key).status_code == 200
        assert bool(credentials(portal)[0].uv_initialised) is verified


# --- counters ----------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A41")
def test_a_key_that_never_counts_passes_for_ever(portal: Portal) -> None:
    key = portal.key(counting=False)
    for _ in range(5):
        assert sign_in(portal.browser(), key).status_code == 200
    assert count(portal) == 0
    assert BACK not in portal.events()


def test_the_highest_count_is_kept(portal: Portal) -> None:
    key = portal.key(count=3)
    for expected in (4, 5, 6):
        assert sign_in(portal.browser(), key).status_code == 200
        assert count(portal) == expected
    assert BACK not in portal.events()


@pytest.mark.abuse("A41")
@pytest.mark.parametrize("given", [10, 9, 1, 0])
def test_a_count_that_does_not_rise_passes_and_is_told_and_the_stored_one_does_not_fall(
    portal: Portal, given: int
) -> None:
    key = portal.key()
    assert sign_in(portal.browser(), key, tampered=Tampered(count=10)).status_code == 200
    assert BACK not in portal.events()
    browser = portal.browser()
    assert sign_in(browser, key, tampered=Tampered(count=given)).status_code == 200
    assert browser.get("/").text == "home of anne"
    assert portal.events()[-2:] == [BACK, ("second_factor", "success", None)]
    assert count(portal) == 10


@pytest.mark.abuse("A41")
def test_a_count_that_went_back_is_told_in_a_step_up_too(portal: Portal, browser: Browser) -> None:
    key = portal.key()
    sign_in(browser, key, tampered=Tampered(count=10))
    assert complete(browser, "verify", key, Tampered(count=2)).status_code == 200
    assert portal.events().count(BACK) == 1
    assert count(portal) == 10


@pytest.mark.abuse("A41")
def test_a_copied_key_is_told_by_its_count(portal: Portal) -> None:
    key = portal.key()
    copied = key.clone()
    for _ in range(3):
        sign_in(portal.browser(), key)
    assert BACK not in portal.events()
    assert sign_in(portal.browser(), copied).status_code == 200
    assert portal.events().count(BACK) == 1
    (told,) = portal.sql("SELECT method, data FROM mfa_events WHERE kind = 'sign_count_went_back'")
    assert told.method == "pop"
    assert credentials(portal)[0].authenticator_id in told.data
    sign_in(portal.browser(), key)  # the owner's goes on from where it was
    assert portal.events().count(BACK) == 1
    assert count(portal) == 4


@pytest.mark.abuse("A41")
def test_a_count_that_fails_is_not_kept(portal: Portal) -> None:
    key = portal.key()
    assert refused(
        sign_in(portal.browser(), key, tampered=Tampered(count=900, bad_signature=True)), portal, "signature"
    )
    assert count(portal) == 0
    assert BACK not in portal.events()


def test_the_greatest_count_there_is_can_be_kept(portal: Portal) -> None:
    key = portal.key()
    assert sign_in(portal.browser(), key, tampered=Tampered(count=2**32 - 1)).status_code == 200
    assert count(portal) == 2**32 - 1


# --- rows changed by hand ----------------------------------------------------------------------------------------


def check(portal: Portal) -> tuple[int, str]:
    done = portal.app.test_cli_runner().invoke(args=["mfa", "check"])
    return done.exit_code, done.output


def named_by_check_and_in_the_way_of_a_rotation(portal: Portal, make: MakePortal, authenticator: str) -> bool:
    code, words = check(portal)
    assert code == 1
    assert authenticator in words
    both = make(**PLAIN, MFA_GATE_KEYS=f"{NEW},{KEYS}")
    before = both.sql("SELECT * FROM mfa_webauthn_credentials")
    done = both.app.test_cli_runner().invoke(args=["mfa", "keys", "rotate"])
    assert done.exit_code == 2
    assert "flask mfa check" in done.output
    return both.sql("SELECT * FROM mfa_webauthn_credentials") == before


def public_key_put_by_hand(portal: Portal, key: SoftwareKey) -> None:
    """The thief puts a key of his own in the place of anne's, under her credential's id."""
    ((id_, stored),) = key.credentials.items()
    private = new_private(-7)
    key.credentials[id_] = StoredCredential(private, -7, stored.rp_id, stored.user_handle)
    portal.sql(
        "UPDATE mfa_webauthn_credentials SET public_key = :key",
        key=to_text(cbor(cose_key(private.public_key(), -7))),
    )


def rp_id_put_by_hand(portal: Portal, key: SoftwareKey) -> None:
    """A credential of another portal, which shares the store, as one of this."""
    portal.sql("UPDATE mfa_webauthn_credentials SET rp_id = 'evil.example'")


def attested_by_hand(portal: Portal, key: SoftwareKey) -> None:
    """A mere passkey that is said to be vouched for by its maker."""
    value = "1" if portal.app.config["MFA_GATE_DATABASE_URL"].startswith("sqlite") else "TRUE"
    portal.sql(f"UPDATE mfa_webauthn_credentials SET attested = {value}")  # noqa: S608


def credential_id_put_by_hand(portal: Portal, key: SoftwareKey) -> None:
    ((_, stored),) = key.credentials.items()
    key.credentials.clear()
    key.credentials[b"another id"] = stored
    portal.sql("UPDATE mfa_webauthn_credentials SET credential_id = :id", id=to_text(b"another id"))


@pytest.mark.abuse("A48")
@pytest.mark.parametrize("by_hand", [public_key_put_by_hand, attested_by_hand, credential_id_put_by_hand])
def test_a_credential_that_was_changed_by_hand_does_not_sign_in(
    make: MakePortal, portal: Portal, browser: Browser, by_hand: Callable[[Portal, SoftwareKey], None]
) -> None:
    key = portal.key()
    assert check(portal)[0] == 0
    by_hand(portal, key)
    assert refused(sign_in(browser, key), portal, "seal_broken")
    assert browser.state == "pending"
    assert portal.opened == []
    assert named_by_check_and_in_the_way_of_a_rotation(portal, make, credentials(portal)[0].authenticator_id)


@pytest.mark.abuse("A48")
def test_a_credential_that_was_put_under_another_rp_id_by_hand_is_not_even_asked_for(
    make: MakePortal, portal: Portal, browser: Browser
) -> None:
    key = portal.key()
    rp_id_put_by_hand(portal, key)
    browser.password()
    assert browser.api("POST", "webauthn/verify/begin").json.get("code") == "no_suitable_method"
    assert named_by_check_and_in_the_way_of_a_rotation(portal, make, credentials(portal)[0].authenticator_id)


@pytest.mark.abuse("A48")
@pytest.mark.parametrize("whole", [False, True], ids=["the credential alone", "the whole authenticator"])
def test_a_credential_that_was_moved_to_another_account_by_hand_does_not_sign_in(
    make: MakePortal, portal: Portal, whole: bool
) -> None:
    """The thief owns bob's account and the store, and puts his own key on anne's account."""
    portal.key("anne", discoverable=False)
    thief = portal.key("bob", discoverable=False)
    (moved,) = credentials(portal, "bob")
    if whole:
        portal.sql("UPDATE mfa_authenticators SET account_id = 'anne' WHERE account_id = 'bob'")
    portal.sql("UPDATE mfa_webauthn_credentials SET account_id = 'anne' WHERE account_id = 'bob'")
    browser = portal.browser()
    assert refused(sign_in(browser, thief, "anne"), portal, "seal_broken")
    assert portal.opened == []
    assert named_by_check_and_in_the_way_of_a_rotation(portal, make, moved.authenticator_id)


@pytest.mark.abuse("A48")
def test_a_challenge_put_into_the_store_by_hand_for_another_purpose_is_not_taken(
    portal: Portal, browser: Browser
) -> None:
    key = portal.key()
    sign_in(browser, key)
    options = begin(browser, "verify")
    portal.sql("UPDATE mfa_challenges SET purpose = 'enrol'")
    assert refused(send(browser, "verify", key.assert_(options)), portal, "challenge")
    assert len(challenges(portal)) == 1


@pytest.mark.abuse("A60")
def test_once_rotated_the_older_key_may_go_and_the_passkey_still_opens(make: MakePortal, portal: Portal) -> None:
    key = portal.key()
    both = make(**PLAIN, MFA_GATE_KEYS=f"{NEW},{KEYS}")
    assert sign_in(both.browser(), key).status_code == 200
    with pytest.raises(ConfigurationError, match="put it back"):
        make(**PLAIN, MFA_GATE_KEYS=NEW)
    done = both.app.test_cli_runner().invoke(args=["mfa", "keys", "rotate", "--json"])
    assert json.loads(done.output)["still_needed"] == []
    alone = make(**PLAIN, MFA_GATE_KEYS=NEW)
    assert sign_in(alone.browser(), key).status_code == 200
    assert check(alone)[0] == 0
    assert alone.sql("SELECT binding FROM mfa_webauthn_credentials")[0].binding.startswith("new.")


# --- the last one ------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A38")
@pytest.mark.parametrize("way", ["api", "page"])
def test_the_last_authenticator_of_an_account_is_not_removed_by_its_owner(
    portal: Portal, browser: Browser, way: str
) -> None:
    key = portal.key()
    sign_in(browser, key)
    last = credentials(portal)[0].authenticator_id
    if way == "api":
        answer = browser.api("DELETE", f"authenticators/{last}")
        assert answer.json.get("code") == "last_authenticator", answer.json
    else:
        answer = browser.step("authenticators", action="remove", id=last)
        assert 'role="alert"' in answer.text
    assert answer.status_code == 409
    later = portal.browser()
    later.password()
    assert later.state == "pending"
    assert sign_in(later, key).status_code == 200


@pytest.mark.abuse("A38")
def test_an_account_whose_keys_were_taken_out_of_the_store_opens_nothing(portal: Portal, browser: Browser) -> None:
    key = portal.key()
    portal.sql("DELETE FROM mfa_authenticators")
    browser.password()
    assert browser.state == "activation"
    assert browser.get("/").status_code == 303
    assert browser.api("POST", "webauthn/enrol/begin").json.get("code") == "activation_required"
    assert browser.api("POST", "webauthn/verify/begin").status_code == 409
    assert key.credentials
    assert portal.opened == []


@pytest.mark.abuse("A38")
@pytest.mark.parametrize("table", ["mfa_challenges", "mfa_webauthn_credentials", "mfa_sessions"])
def test_with_a_part_of_the_store_gone_nothing_opens(portal: Portal, browser: Browser, table: str) -> None:
    key = portal.key()
    browser.password()
    answer, headers = key.assert_(begin(browser, "verify")), {"X-MFA-CSRF": browser.token}
    portal.sql(f"ALTER TABLE {table} RENAME TO mfa_away")
    assert browser.api("POST", "webauthn/verify/complete", answer, headers=headers).status_code == 503
    assert browser.api("POST", "webauthn/verify/begin", headers=headers).status_code == 503
    assert browser.get("/").status_code in (303, 503)
    assert portal.opened == []
    portal.sql(f"ALTER TABLE mfa_away RENAME TO {table}")
    assert browser.state == "pending"
    assert complete(browser, "verify", key).status_code == 200
