"""Keys of several kinds, browsers of several ages, and answers that are refused: in Chromium, over the gate's pages."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser as Chromium

from tests.support.served import KEY_BUTTON, LANGUAGES, NAMES, SAID, Serve, Served, Window, window_in
from tests.support.virtual_key import VirtualKey, enrolling, with_key

pytestmark = [pytest.mark.browser, pytest.mark.world]


@pytest.fixture
def backend() -> str:
    return "sqlite"


# --- answers that the server refuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bits", "reason"),
    [
        ({"isBogusSignature": True}, "signature"),
        ({"isBadUV": True}, "user_verification"),
        ({"isBadUP": True}, "user_presence"),
    ],
    ids=["signature", "user not verified", "nobody present"],
)
def test_an_answer_that_is_wrong_is_refused_in_one_sentence(
    chromium: Chromium, serve: Serve, bits: dict[str, bool], reason: str
) -> None:
    served = serve(MFA_GATE_USER_VERIFICATION="required")
    window, key = with_key(chromium, served)
    window.sign_in()
    key.override(**bits)
    window.use_key()
    assert window.text("#problem") == SAID["fr"]["refused"]
    assert window.page.title().startswith("Erreur\N{NO-BREAK SPACE}: ")
    assert window.state() == "pending"
    assert served.failures() == [reason]


def test_a_key_that_becomes_copyable_is_refused(chromium: Chromium, served: Served) -> None:
    window, key = with_key(chromium, served)
    key.change(backupEligibility=True, backupState=True)
    window.sign_in()
    window.use_key()
    assert window.text("#problem") == SAID["fr"]["refused"]
    assert (window.state(), served.failures()) == ("pending", ["backup_flags"])


def test_a_copied_key_is_let_in_and_told_to_the_events(chromium: Chromium, served: Served) -> None:
    """A counter that falls back is a sign and no proof (W3C WebAuthn L3 §6.1.1): the owner is not shut out."""
    window, key = with_key(chromium, served)
    key.change(signCount=40)
    window.sign_in()
    window.use_key()
    assert "sign_count_went_back" not in [kind for kind, *_ in served.portal.events()]
    key.change(signCount=7)
    served.portal.clock.advance(601)
    window.open("/safe")
    window.use_key()
    assert window.heading == "Safe"
    assert [kind for kind, *_ in served.portal.events()].count("sign_count_went_back") == 1


# --- old keys, old browsers, no script, no mouse ---------------------------------------------------------------------


U2F = {"protocol": "u2f", "hasResidentKey": False, "hasUserVerification": False, "isUserVerified": False}


def test_a_key_of_the_first_generation_opens_where_its_user_need_not_be_known(
    chromium: Chromium, served: Served
) -> None:
    window = window_in(chromium, served)
    VirtualKey(window.page, **U2F)
    enrolling(window, served)
    window.use_key()
    window.sign_out()
    window.sign_in(path="/safe")
    window.use_key()
    assert window.heading == "Safe"


@pytest.mark.usefixtures("soon")
def test_a_key_of_the_first_generation_is_not_set_up_where_its_user_must_be_known(
    chromium: Chromium, serve: Serve
) -> None:
    served = serve(MFA_GATE_USER_VERIFICATION="required")
    window = window_in(chromium, served)
    VirtualKey(window.page, **U2F)
    enrolling(window, served)
    assert window.refused_key() == SAID["fr"]["not set up"]
    assert served.methods() == []


WITHOUT_HELPERS = """
  delete PublicKeyCredential.parseCreationOptionsFromJSON;
  delete PublicKeyCredential.parseRequestOptionsFromJSON;
  delete PublicKeyCredential.prototype.toJSON;
"""


def test_a_browser_without_the_json_forms_of_webauthn_will_do(chromium: Chromium, served: Served) -> None:
    """Chromium before 129, Firefox before 119, Safari before 18.4."""
    window = window_in(chromium, served)
    window.page.add_init_script(WITHOUT_HELPERS)
    first = VirtualKey(window.page)
    enrolling(window, served)
    assert window.page.evaluate("PublicKeyCredential.parseCreationOptionsFromJSON") is None
    window.use_key()
    window.open("/mfa/enrol")
    assert window.refused_key() == SAID["fr"]["known"]  # so the list of what is known came through too
    first.touch(False)
    second = VirtualKey(window.page)
    window.use_key()
    window.sign_out()
    window.sign_in(path="/safe")
    window.use_key()
    assert window.heading == "Safe"
    assert [len(first.ids), len(second.ids)] == [1, 1]
    assert served.portal.sql("SELECT DISTINCT transports FROM mfa_webauthn_credentials")[0].transports == '["usb"]'


def test_a_key_is_set_up_and_used_by_keyboard_alone(chromium: Chromium, served: Served) -> None:
    code = served.portal.activation_code()
    window = window_in(chromium, served)
    VirtualKey(window.page)
    window.open("/patients/17")
    window.page.focus("[name=email]")
    types(window, "anne", "Tab", "pw-anne", "Enter")
    assert window.heading == SAID["fr"]["activate"]
    types(window, code, "Enter")
    tab_to(window, "form.mfa-webauthn [name=label]")
    types(window, "Clé", "Enter")
    assert window.heading == "Record 17"
    window.open("/mfa/sign-out")
    tab_to(window, "main form button")
    types(window, "Enter")
    window.open("/patients/18")
    window.page.focus("[name=email]")
    types(window, "anne", "Tab", "pw-anne", "Enter")
    assert window.page.evaluate("document.activeElement.matches('form.mfa-webauthn button')")
    types(window, "Enter")
    assert window.page.url.endswith("/mfa/news")
    tab_to(window, "main form button")
    types(window, "Enter")
    assert window.heading == "Record 18"


def types(window: Window, *keys: str) -> None:
    """Type texts and press keys; the last one leads to another page."""
    for key in keys[:-1]:
        window.page.keyboard.press(key) if key == "Tab" else window.page.keyboard.type(key)
    with window.page.expect_navigation():
        window.page.keyboard.press(keys[-1])


def tab_to(window: Window, selector: str) -> None:
    for _ in range(20):
        if window.page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        window.page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {selector}")


@LANGUAGES
def test_without_script_the_page_says_what_it_cannot_do_and_the_app_still_opens(
    chromium: Chromium, served: Served, language: str
) -> None:
    _, secret = served.key_and_app(NAMES[language])
    window = window_in(chromium, served, java_script_enabled=False)
    window.sign_in(NAMES[language])
    assert window.text("noscript") == SAID[language]["script"]
    assert window.page.locator(KEY_BUTTON).is_disabled()
    assert window.page.locator(KEY_BUTTON).is_hidden()
    window.send("form:has(#code)", code=served.portal.code(secret))
    assert window.heading == "Home"


# --- a removed key ---------------------------------------------------------------------------------------------------


SIGNALS = """for (const name of Object.getOwnPropertyNames(PublicKeyCredential)) {
  if (!name.startsWith("signal")) continue;
  const real = PublicKeyCredential[name].bind(PublicKeyCredential);
  PublicKeyCredential[name] = async (said) => {
    await real(said);
    window.told = [...(window.told ?? []), [name, said]];
  };
}"""


@pytest.mark.parametrize("own", [False, True], ids=["another one", "the one that signed in"])
def test_a_removed_key_is_forgotten_by_the_device_and_no_other_one_is(
    chromium: Chromium, served: Served, own: bool
) -> None:
    kept, removed = served.two_keys()
    window = window_in(chromium, served)
    window.page.add_init_script(SIGNALS)
    devices = [VirtualKey(window.page), VirtualKey(window.page)]
    for device, key in zip(devices, (kept, removed), strict=True):
        device.take_over(key)
    (kept_id,), (removed_id,) = (device.ids for device in devices)
    devices[0 if own else 1].touch(False)
    window.sign_in()
    window.use_key()
    window.open("/mfa/authenticators")
    entry = ".mfa-way:has(bdi:text-is('Key'))"
    window.page.click(f"{entry} summary:has-text('Retirer')")
    window.press(f"{entry} .mfa-danger")
    window.page.wait_for_function("window.told")
    gone = {"rpId": "login.localhost", "credentialId": removed_id}
    assert window.page.evaluate("window.told") == [["signalUnknownCredential", gone]]
    assert [device.ids for device in devices] == [[kept_id], []]
    assert served.methods() == ["pop"]
    assert window.state() == ("anonymous" if own else "signed_in")
