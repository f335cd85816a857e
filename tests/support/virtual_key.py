"""A security key inside Chromium (its DevTools domain `WebAuthn`): the browser's own code stands in front of it."""

from __future__ import annotations

from base64 import b64decode, b64encode, urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page

from mfa_gate.testing import SoftwareKey
from tests.support.served import Served, Window, window_in

# knows who uses it and answers at once; each test changes what it is about
USUAL = {
    "protocol": "ctap2",
    "ctap2Version": "ctap2_1",
    "transport": "usb",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class VirtualKey:
    """One key that the browser of a page can reach.

    Args:
        page: a window; each has keys of its own.
        options: `VirtualAuthenticatorOptions` of the DevTools protocol.
    """

    def __init__(self, page: Page, **options: Any) -> None:
        self._devtools = page.context.new_cdp_session(page)
        self._send("enable", enableUI=False)
        self.id = self._send("addVirtualAuthenticator", options={**USUAL, **options})["authenticatorId"]

    def _send(self, command: str, **values: Any) -> Any:
        return self._devtools.send(f"WebAuthn.{command}", values)

    def _tell(self, command: str, **values: Any) -> Any:
        return self._send(command, authenticatorId=self.id, **values)

    def unplug(self) -> None:
        self._tell("removeVirtualAuthenticator")

    def take_over(self, key: SoftwareKey) -> None:
        """Put every credential of a key made of software into this one."""
        for id_, stored in key.credentials.items():
            private = stored.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            credential = {
                "credentialId": b64encode(id_).decode(),
                "isResidentCredential": key.discoverable,
                "rpId": stored.rp_id,
                "privateKey": b64encode(private).decode(),
                "userHandle": b64encode(stored.user_handle).decode(),
                "signCount": key.count,
            }
            if not key.discoverable:
                del credential["userHandle"]
            self._tell("addCredential", credential=credential)

    @property
    def credentials(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._tell("getCredentials")["credentials"]
        return found

    @property
    def ids(self) -> list[str]:
        """The ids of its credentials, as the server writes them."""
        raw = [b64decode(credential["credentialId"]) for credential in self.credentials]
        return sorted(urlsafe_b64encode(id_).rstrip(b"=").decode() for id_ in raw)

    def change(self, **properties: Any) -> None:
        """Change its only credential: `backupEligibility`, `backupState`, `signCount`."""
        (credential,) = self.credentials
        self._tell("setCredentialProperties", credentialId=credential["credentialId"], **properties)

    def override(self, **bits: bool) -> None:
        """Make its answers wrong: `isBogusSignature`, `isBadUV`, `isBadUP`."""
        self._tell("setResponseOverrideBits", **bits)

    def let_verify(self, verified: bool) -> None:
        self._tell("setUserVerified", isUserVerified=verified)

    def touch(self, touched: bool) -> None:
        """Whether somebody touches it at once whenever it asks."""
        self._tell("setAutomaticPresenceSimulation", enabled=touched)


def with_key(chromium: Chromium, served: Served, account: str = "anne", **options: Any) -> tuple[Window, VirtualKey]:
    """A window of somebody who has the right key at hand, and nothing typed yet."""
    window = window_in(chromium, served)
    key = VirtualKey(window.page, **options)
    key.take_over(served.key(account))
    return window, key


def enrolling(window: Window, served: Served, account: str = "anne") -> None:
    """As far as the page where the first authenticator is set up."""
    code = served.portal.activation_code(account)
    window.sign_in(account)
    window.send("main form", code=code)
