"""What completing a sign-in by WebAuthn adds over a bare POST, with one key or a hundred, and what verifying costs."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from mfa_gate.factors.webauthn import RelyingParty, begin_authentication, begin_registration, complete_authentication
from mfa_gate.factors.webauthn import complete_registration as complete
from mfa_gate.flows import ClientContext, Elevated
from mfa_gate.store import credentials
from mfa_gate.testing import Clock, SoftwareKey, enrol_key
from mfa_gate.testing.software_key import from_text

from . import sign_in
from .measure import Environ, Headers, Variant, direct
from .portal import ACCOUNTS, BASE_URL, bare, gated, people, post

PEOPLE: Final = 20
MANY: Final = 100  # keys of one account
BETWEEN: Final = 3600.0  # seconds that the clock moves on between two rounds, past every session


def variants(folder: Path) -> list[Variant]:
    """The bare POST, the floor's sign-in by TOTP, and the gate's JSON step.

    The latter in new browsers, at accounts with a hundred keys, and in known browsers.
    """
    made = [Variant("bare", bare("bare"), lambda calls: [_bare(number) for number in range(calls)], _opened)]
    (least := folder / "least").mkdir()
    made.append(sign_in.floor(least))
    for name, number, known in (("one key", 1, False), ("a hundred keys", MANY, False), ("a known browser", 1, True)):
        (own := folder / name.replace(" ", "-")).mkdir()
        pending = _Pending(own, number, known=known)
        made.append(Variant(name, pending.app, pending.environs, _opened))
    return made


def verifying() -> list[Variant]:
    """Checking one assertion, beside the least: loading its P-256 key and verifying its signature."""
    rp = RelyingParty("localhost", "Portal", (BASE_URL,))
    key, handle = SoftwareKey(BASE_URL), bytes(32)
    options, challenge = begin_registration(rp, handle, "anne", "Anne", ())
    credential = complete(rp, challenge, key.register(options)).credential
    options, challenge = begin_authentication(rp, [credential])
    answer = key.assert_(options)
    public = next(iter(key.credentials.values())).private.public_key().public_numbers()
    response = {
        name: from_text(answer["response"][name]) for name in ("authenticatorData", "clientDataJSON", "signature")
    }
    signed = response["authenticatorData"] + sha256(response["clientDataJSON"]).digest()

    def least() -> None:
        numbers = ec.EllipticCurvePublicNumbers(public.x, public.y, ec.SECP256R1())
        numbers.public_key().verify(response["signature"], signed, ec.ECDSA(SHA256()))

    return [
        direct("ECDSA with key loading", least),
        direct("the factor", lambda: complete_authentication(rp, challenge, answer, credential, handle)),
    ]


class _Pending:
    """People of a gated portal who have given their password and touched their key."""

    def __init__(self, folder: Path, keys: int, *, known: bool = False) -> None:
        self._clock = Clock()
        self.app, _ = gated(folder, self._clock)
        self._parts = self.app.extensions["mfa_gate"]
        self._people = list(people().values())[:PEOPLE]
        self._keys = [enrol_key(self.app, account) for account in self._people]
        for account in self._people:
            self._add(account.id, keys - 1)
        self._devices = [self._device(number) for number in range(ACCOUNTS)] if known else []

    def _add(self, account_id: str, more: int) -> None:
        """Further keys, which nobody uses."""
        with self._parts.services.store.begin() as tx:
            (row,) = credentials.of_account(tx, account_id)
            for number in range(more):
                named = f"x{number:03d}{row.authenticator_id[4:]}"  # no hexadecimal id begins so
                copy = row._replace(authenticator_id=named, credential_id=token_urlsafe(32))
                credentials.add(tx, copy, "pop", "", self._clock())

    def environs(self, calls: int) -> Sequence[Environ]:
        self._clock.advance(BETWEEN)
        return [self._environ(number) for number in range(calls)]

    def _begun(self, number: int, address: str) -> tuple[Elevated, dict[str, Any]]:
        """A sign-in whose key was touched, and the key's answer."""
        parts, account = self._parts, self._people[number % PEOPLE]
        elevated = parts.sign_in.begin(account, ClientContext(None, address))
        options = parts.webauthn.begin_verify(ClientContext(elevated.session, address))
        return elevated, self._keys[number % PEOPLE].assert_(options)

    def _device(self, number: int) -> str:
        """The cookie of a browser that has signed in once; its token stays good while no newer one comes back."""
        elevated, answer = self._begun(number, "198.51.100.1")
        return (
            self._parts.webauthn.complete_verify(ClientContext(elevated.session, "198.51.100.1"), answer).device or ""
        )

    def _environ(self, number: int) -> Environ:
        settings, address = self._parts.settings, f"198.51.100.{number % 256}"
        elevated, answer = self._begun(number, address)
        csrf = self._parts.keyring.hash("csrf", elevated.session.sign_in)
        cookies = [f"{settings.cookie_name}={elevated.cookie}"]
        if self._devices:
            cookies.append(f"{settings.device_cookie_name}={self._devices[number]}")
        return post("/mfa/api/v1/webauthn/verify/complete", answer, address, *cookies, headers={"X-MFA-CSRF": csrf})


def _bare(number: int) -> Environ:
    return post("/sign-in", {"code": "123456"}, f"198.51.100.{number % 256}")


def _opened(_status: str, headers: Headers) -> bool:
    """Whether the portal's own session was opened, which happens after the last proof alone."""
    return any(name == "Set-Cookie" and value.startswith("session=") for name, value in headers)
