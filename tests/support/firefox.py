"""Finds, starts and drives Firefox ESR by its own protocol (Marionette), with a key made of software inside it."""

from __future__ import annotations

import shutil
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from warnings import catch_warnings

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mfa_gate.testing import SoftwareKey
from tests.support.served import KEY_BUTTON, KEY_PROBLEM
from tests.support.waiting import NET, until

# the first two together let a page meet a key made of software; the others keep a closed network quiet
PREFERENCES: dict[str, Any] = {
    "security.webauth.webauthn_enable_softtoken": True,
    "security.webauth.webauthn_enable_usbtoken": False,
    "app.update.disabledForTesting": True,
    "app.normandy.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "intl.accept_languages": "fr-FR, fr",
    "marionette.port": 0,  # a free one: which, it writes into its profile
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
}
USUAL = {
    "protocol": "ctap2_1",
    "transport": "usb",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserConsenting": True,
    "isUserVerified": True,
}


def missing() -> str | None:
    """What is not here to drive Firefox with; None where everything is."""
    if shutil.which("firefox-esr") is None:
        return "firefox-esr is not installed"
    try:
        with catch_warnings(action="ignore"):  # what it builds on is old, and needs a Python before 3.13
            import marionette_driver.marionette  # noqa: F401
    except ImportError as error:
        return f"marionette-driver cannot be imported: {error}"
    return None


class Fox:
    """One window of Firefox, with its tabs."""

    def __init__(self, marionette: Any) -> None:
        from marionette_driver.webauthn import WebAuthn

        self._marionette = marionette
        self._keys = WebAuthn(marionette)
        self._plugged: list[str] = []
        self.url = ""

    def fresh(self, url: str) -> None:
        """As if just installed: without cookies and keys, for the portal at this address."""
        for key in self._plugged:
            self._keys.remove_virtual_authenticator(key)
        self._plugged = []
        for handle in self._marionette.window_handles[1:]:
            self._marionette.switch_to_window(handle)
            self._marionette.close()
        self.turn_to(0)
        self.url = url
        self.open("/login")
        self._marionette.delete_all_cookies()

    def plug(self, key: SoftwareKey | None = None) -> str:
        """Plug a key in, an empty one or one that holds the credentials of this one; its name."""
        name: str = self._keys.add_virtual_authenticator(USUAL)
        self._plugged.append(name)
        for id_, stored in key.credentials.items() if key else ():
            private = stored.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            credential = {
                "credentialId": _text(id_),
                "isResidentCredential": True,
                "rpId": stored.rp_id,
                "privateKey": _text(private),
                "userHandle": _text(stored.user_handle),
                "signCount": key.count if key else 0,
            }
            self._keys.add_credential(name, credential)
        return name

    def unplug(self, name: str) -> None:
        self._plugged.remove(name)
        self._keys.remove_virtual_authenticator(name)

    def turn_to(self, number: int) -> None:
        """Turn to a tab, the first one being 0; the next number opens one more."""
        if number == len(self._marionette.window_handles):
            self._marionette.open(type="tab", focus=True)
        self._marionette.switch_to_window(self._marionette.window_handles[number])

    def visit(self, address: str) -> None:
        self._marionette.navigate(address)

    def open(self, path: str) -> None:
        self.visit(self.url + path)

    def find(self, selector: str) -> Any:
        return self._marionette.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        return " ".join(self.find(selector).text.split())

    def fill(self, selector: str, value: str) -> None:
        field = self.find(selector)
        field.clear()
        field.send_keys(value)

    def press(self, selector: str) -> None:
        """Press what leads to another page, and wait for it."""
        self.run("window.here = true")
        self.find(selector).click()
        self.until("return !window.here && document.readyState === 'complete'")
        if self.run("return location.pathname === '/mfa/news'"):  # what happened in the account: it was all them
            self.press("main form button")

    def run(self, script: str) -> Any:
        return self._marionette.execute_script(script, sandbox=None)

    def run_async(self, script: str) -> Any:
        """Run statements that may await, and return something."""
        waiting = f"(async () => {{ {script} }})().then(arguments[arguments.length - 1]);"
        return self._marionette.execute_async_script(waiting, sandbox=None, script_timeout=int(NET * 1000))

    def until(self, script: str) -> None:
        """Wait for something in the page, across pages."""
        from marionette_driver.errors import MarionetteException
        from marionette_driver.wait import Wait

        waiting = Wait(self._marionette, NET, 0.05, ignored_exceptions=[MarionetteException])
        waiting.until(lambda _: self.run(script))

    def password(self, account: str = "anne") -> None:
        self.fill("[name=email]", account)
        self.fill("[name=password]", f"pw-{account}")
        self.press("form button")

    def use_key(self) -> None:
        self.press(KEY_BUTTON)

    def refused_key(self) -> str:
        """Press the button of the key; what the page says because nothing could be sent."""
        self.find(KEY_BUTTON).click()
        self.until(f"return !document.querySelector({KEY_PROBLEM!r}).hidden")
        return self.text(KEY_PROBLEM)

    @property
    def heading(self) -> str:
        return self.text("h1")

    @property
    def state(self) -> str:
        return str(self.run_async('return (await (await fetch("/mfa/api/v1/session")).json()).state'))


@contextmanager
def firefox(profile: Path) -> Iterator[Fox]:
    """Run Firefox with a profile of its own."""
    from marionette_driver.marionette import Marionette

    lines = [f"user_pref({name!r}, {_literal(value)});" for name, value in PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines), encoding="utf-8")
    command = ["firefox-esr", "--headless", "--marionette", "--no-remote", "--profile", str(profile)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = int(until(lambda: _said(profile / "MarionetteActivePort", process)))
        marionette = Marionette(host="127.0.0.1", port=port)  # its own nets: minutes
        marionette.start_session()
        yield Fox(marionette)
        marionette.delete_session()
    finally:
        process.terminate()
        try:
            process.wait(NET)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _said(file: Path, process: subprocess.Popen[bytes]) -> str:
    """What Firefox writes into this file once it listens."""
    if process.poll() is not None:
        raise RuntimeError("Firefox does not answer")
    return file.read_text() if file.exists() else ""


def _literal(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
