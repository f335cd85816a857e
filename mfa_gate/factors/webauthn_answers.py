"""What a browser hands over: JSON around base64url around what was signed. All of it may be malformed."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Final

from ..exc import WrongAssertion
from .relying_party import RelyingParty

CREDENTIAL_ID: Final = 1023  # bytes at most, L3 §4; this and those below
CLIENT_DATA: Final = 4096
ATTESTATION_OBJECT: Final = 16_384
AUTHENTICATOR_DATA: Final = 4096
SIGNATURE: Final = 8192  # of ML-DSA-87: 4627
CHALLENGE: Final = 64
USER_HANDLE: Final = 64  # L3 §5.4.3


class refused_as:
    """Turn any exception inside into a refusal with this word for the event."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, WrongAssertion):
            raise WrongAssertion(reason=self.reason) from None


def response_of(answer: Any) -> Mapping[str, Any]:
    """The inner part of an answer that has an outer one at all."""
    if isinstance(answer, Mapping) and answer.get("type") == "public-key":
        name, response = answer.get("id"), answer.get("response")
        if isinstance(name, str) and name == answer.get("rawId") and isinstance(response, Mapping):
            return response
    raise WrongAssertion(reason="malformed")


def encoded(data: bytes) -> str:
    """Base64url without padding (RFC 4648 §5, L3 §3)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: Any, limit: int, reason: str = "malformed") -> bytes:
    """The one way in which `encoded` writes some bytes, and at most `limit` of them."""
    # four characters for three bytes; longer ones are not even decoded
    if not isinstance(text, str) or len(text) > (limit * 4 + 2) // 3:
        raise WrongAssertion(reason=reason)
    try:
        data = urlsafe_b64decode(text + "==")
    except ValueError:
        raise WrongAssertion(reason=reason) from None
    if encoded(data) != text:
        raise WrongAssertion(reason=reason)
    return data


def check_client_data(rp: RelyingParty, raw: bytes, kind: str, challenge: bytes) -> None:
    """What the browser signed beside the challenge (L3 §5.8.1)."""
    with refused_as("malformed"):
        data = json.loads(raw.decode())
    if not isinstance(data, dict):
        raise WrongAssertion(reason="malformed")
    if data.get("type") != kind:
        raise WrongAssertion(reason="type")
    if not challenge or data.get("challenge") != encoded(challenge):
        raise WrongAssertion(reason="challenge")
    if data.get("origin") not in rp.origins:
        raise WrongAssertion(reason="origin")
    crossing = data.get("crossOrigin", False)
    if type(crossing) is not bool or (crossing and not rp.allow_cross_origin):
        raise WrongAssertion(reason="cross_origin")
    # there only in a frame of another site; `top_origins` is empty unless that is allowed
    if "topOrigin" in data and not (crossing and data["topOrigin"] in rp.top_origins):
        raise WrongAssertion(reason="cross_origin")


def answered_challenge(answer: Any) -> bytes:
    """The challenge that an answer names: by it the asker finds, and spends, what was asked.

    Raises:
        WrongAssertion: it names none.
    """
    raw = decoded(response_of(answer).get("clientDataJSON"), CLIENT_DATA)
    with refused_as("malformed"):
        return decoded(json.loads(raw.decode())["challenge"], CHALLENGE)
