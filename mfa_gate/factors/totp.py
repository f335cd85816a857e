"""TOTP (RFC 6238). What is enrolled here has SHA-1, six digits and thirty seconds, which every app gets right."""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b32encode
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import pyotp
from pyotp.exceptions import OTPVerificationError

from ..exc import ClockDrift, WrongCode

SEED_BYTES: Final = 20  # 160 bits, RFC 4226 §4 R6
SHORTEST: Final = 10  # bytes of a seed from elsewhere: what older versions of the library drew
STEP: Final = 30  # seconds, RFC 6238 §5.2
DIGITS: Final = 6
ALGORITHMS: Final = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512}  # RFC 6238 §1.2
DRIFT_STEPS: Final = 120  # how far off a phone's clock is still told, one hour either way
TOKEN_STEPS: Final = 240  # how far off the clock of a code token may be, two hours and more
_SEPARATORS: Final = re.compile(r"[\s\-\u2010-\u2015]+")


@dataclass(frozen=True, slots=True)
class Shape:
    """How codes are made of a seed. Another than the usual one comes from elsewhere, such as a code token.

    Attributes:
        algorithm: name of `ALGORITHMS`.
        digits: of a code.
        period: seconds that a code is shown.
    """

    algorithm: str = "sha1"
    digits: int = DIGITS
    period: int = STEP


USUAL: Final = Shape()


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the person is shown once: the seed in base32, and the `otpauth:` URI of it."""

    seed: bytes = field(repr=False)
    secret: str = field(repr=False)
    uri: str = field(repr=False)

    @property
    def key(self) -> str:
        """The base32 secret in groups of four, to be typed by hand."""
        return " ".join(self.secret[at : at + 4] for at in range(0, len(self.secret), 4))


class _TOTP(pyotp.TOTP):
    """The library's, on the seed itself: it would decode base32 anew at each step that it tries.

    It lets the shorter seeds pass as well that are taken over from earlier systems.
    """

    def __init__(self, seed: bytes, shape: Shape) -> None:
        if len(seed) < SHORTEST:
            raise ValueError(f"a seed has at least {SHORTEST} bytes")
        self._seed = seed
        super().__init__("", digits=shape.digits, digest=ALGORITHMS[shape.algorithm], interval=shape.period)

    def byte_secret(self) -> bytes:
        return self._seed


def begin(issuer: str, account_name: str) -> Enrolment:
    """Make a new seed and its key URI.

    Args:
        issuer: the portal's name, shown by the app.
        account_name: whose account it is, shown by the app.
    """
    seed = secrets.token_bytes(SEED_BYTES)
    secret = b32encode(seed).decode()
    # some apps take a colon or slash in a label for a separator
    label = re.sub(r"[:/]", " ", account_name).strip() or "account"
    uri = pyotp.TOTP(secret).provisioning_uri(name=label, issuer_name=re.sub(r"[:/]", " ", issuer).strip())
    return Enrolment(seed, secret, uri)


def normalise(code: str, length: int = DIGITS) -> str:
    """Drop spaces and dashes; what is left must be exactly so many ASCII digits.

    Raises:
        WrongCode: it is not.
    """
    if len(code) > 64:
        raise WrongCode
    digits = _SEPARATORS.sub("", code)
    if len(digits) != length or not (digits.isascii() and digits.isdigit()):
        raise WrongCode
    return digits


def complete(seed: bytes, code: str, now: float, window: int, shape: Shape = USUAL) -> int:
    """Check a code.

    Args:
        seed: the shared secret.
        code: as typed.
        now: seconds since the epoch.
        window: steps accepted on either side (RFC 6238 §5.2).
        shape: how codes are made of this seed.

    Returns:
        The time step it is the code of, to be spent by the caller (RFC 6238 §5.2: a code is used once).

    Raises:
        WrongCode: no step within the window has this code.
    """
    step = _step_of(seed, normalise(code, shape.digits), now, window, shape)
    if step is None:
        raise WrongCode
    return step


def drift_of(step: int, now: float, shape: Shape) -> int:
    """How many steps the clock of a code token is off that shows the code of a time step now (RFC 6238 §6).

    Args:
        step: the time step of the code.
        now: seconds since the epoch.
        shape: how its codes are made.
    """
    return max(-TOKEN_STEPS, min(TOKEN_STEPS, step - int(now) // shape.period))


def in_a_row(seed: bytes, codes: tuple[str, str], now: float, shape: Shape = USUAL) -> int:
    """The time step of the second of two codes that a token has shown one after the other (RFC 4226 §7.4).

    Args:
        seed: the shared secret.
        codes: as typed.
        now: seconds since the epoch.
        shape: how codes are made of this seed.

    Raises:
        WrongCode: its clock has not shown these, or is farther off than `TOKEN_STEPS`.
    """
    first, second = (normalise(code, shape.digits) for code in codes)
    made, middle = _TOTP(seed, shape), int(now) // shape.period
    steps = range(max(0, middle - TOKEN_STEPS), middle + TOKEN_STEPS)
    shown = [made.generate_otp(step) for step in (*steps, steps.stop)]
    for step, pair in zip(steps, pairwise(shown), strict=True):
        if pair == (first, second):
            return step + 1
    raise WrongCode


def confirm(seed: bytes, code: str, now: float, window: int) -> int:
    """Like `complete`, for the person who is just enrolling this seed: tells a clock that is off.

    Raises:
        ClockDrift: the code is right for a time within the hour, but not now.
        WrongCode: it is not.
    """
    digits = normalise(code)
    step = _step_of(seed, digits, now, window)
    if step is not None:
        return step
    far = _step_of(seed, digits, now, DRIFT_STEPS)
    if far is None:
        raise WrongCode
    steps_off = far - int(now) // STEP
    raise ClockDrift(minutes=round(steps_off * STEP / 60) or (1 if steps_off > 0 else -1))


def _step_of(seed: bytes, digits: str, now: float, window: int, shape: Shape = USUAL) -> int | None:
    totp = _TOTP(seed, shape)
    # the library refuses times before the epoch, which a window reaches near it
    window = min(window, int(now) // shape.period)
    try:
        return totp.verify_and_get_timecode(digits, for_time=int(now), valid_window=window)
    except OTPVerificationError:
        return None
