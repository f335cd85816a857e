"""The steps as requests drive them, for pages and programs: read the fields, run the flow, let the session rise."""

from __future__ import annotations

from typing import Any, Final

from flask import request

from ..assurance import Level
from ..exc import InvalidRequest, MFAGateError, Unavailable
from ..flows import BegunTOTP, Removed, Risen
from ..flows.flow import log
from . import inputs, targets
from .request_context import Visitor

CODE_LENGTH: Final = 128
# the members that a browser's `toJSON()` may have (W3C WebAuthn L3 §5.1)
CREDENTIAL: Final = ("id", "rawId", "type", "response", "authenticatorAttachment", "clientExtensionResults")


def prove(here: Visitor, *more: str) -> dict[str, str]:
    """Verify what a page's form carries; what was sent, for whatever else the caller lets be sent with it."""
    fields = inputs.read(request, here, "method", "code", "answer", *more)
    method = fields.get("method", "totp")
    if method == "totp":
        risen = here.parts.sign_in.verify_totp(here.visit, needed(fields, "code"))
    elif method == "recovery":
        risen = here.parts.recovery.verify(here.visit, needed(fields, "code"))
    elif method == "webauthn":
        risen = here.parts.webauthn.complete_verify(here.visit, browser_answer(fields))
    else:
        raise InvalidRequest
    let_rise(here, risen)
    return fields


def prove_totp(here: Visitor) -> None:
    """Verify a TOTP code."""
    fields = inputs.read(request, here, "code")
    let_rise(here, here.parts.sign_in.verify_totp(here.visit, needed(fields, "code")))


def prove_recovery(here: Visitor) -> None:
    """Verify a recovery code."""
    fields = inputs.read(request, here, "code")
    let_rise(here, here.parts.recovery.verify(here.visit, needed(fields, "code")))


def prove_webauthn(here: Visitor) -> None:
    """Verify an assertion: the body is the `toJSON()` of it."""
    let_rise(here, here.parts.webauthn.complete_verify(here.visit, inputs.read_object(request, here, *CREDENTIAL)))


def begin_verify(here: Visitor) -> dict[str, Any]:
    """Options for an assertion; in a step-up by keys that reach what the wanted page asks for."""
    inputs.read(request, here)
    target = targets.kept(here.parts, request) if here.session_level >= Level.MFA else None
    hardware = target is not None and target.level == Level.HARDWARE
    return here.parts.webauthn.begin_verify(here.visit, Level.HARDWARE if hardware else Level.PHISHING_RESISTANT)


def activate(here: Visitor) -> None:
    """Redeem an activation code."""
    fields = inputs.read(request, here, "code")
    let_rise(here, here.parts.activation.redeem(here.visit, needed(fields, "code")))


def begin_totp(here: Visitor, *more: str) -> BegunTOTP:
    """Begin to enrol an authenticator app."""
    inputs.read(request, here, *more)
    return here.parts.enrolment.begin_totp(here.visit)


def complete_totp(here: Visitor, *more: str) -> tuple[str, ...] | None:
    """Confirm an authenticator app by its first code; the account's first recovery codes, where it has none yet."""
    fields = inputs.read(request, here, "enrolment", "code", "label", *more)
    enrolment, code = needed(fields, "enrolment"), needed(fields, "code")
    let_rise(here, here.parts.enrolment.complete_totp(here.visit, enrolment, code, fields.get("label")))
    return here.parts.recovery.first(here.visit)


def begin_enrol(here: Visitor) -> dict[str, Any]:
    """Options for a new credential."""
    inputs.read(request, here)
    return here.parts.webauthn.begin_enrol(here.visit)


def complete_enrol(here: Visitor) -> tuple[str, ...] | None:
    """Enrol a credential: the body is its `toJSON()`, with a label beside it."""
    sent = inputs.read_object(request, here, *CREDENTIAL, "label")
    return enrol_credential(here, sent, sent.pop("label", None))


def enrol_credential(here: Visitor, answer: dict[str, Any], label: Any) -> tuple[str, ...] | None:
    """Enrol what a browser made; the account's first recovery codes, where it has none yet."""
    if label is not None and not isinstance(label, str):
        raise InvalidRequest
    let_rise(here, here.parts.webauthn.complete_enrol(here.visit, answer, label))
    return here.parts.recovery.first(here.visit)


def sign_out(here: Visitor) -> None:
    """End the session and the portal's own, whatever is left of either."""
    inputs.read(request, here)
    leave(here)


def leave(here: Visitor) -> None:
    """End the gate's session, then the portal's."""
    here.parts.sign_in.sign_out(here.visit)
    here.leaves()
    here.close_portal()


def let_rise(here: Visitor, risen: Risen) -> None:
    """Hand over the new id and, after the last proof, let the portal open its own session.

    Raises:
        Unavailable: the portal's callback failed; then nobody is signed in anywhere.
    """
    here.rises(risen)
    if not risen.signs_in or here.parts.portal.signed_in is None:
        return
    try:
        here.parts.portal.signed_in(risen.account)
    except Exception as error:
        log.exception("the portal's signed_in callback failed")
        leave(here)
        if isinstance(error, MFAGateError):
            raise
        raise Unavailable from error


def rename(here: Visitor, authenticator: str, fields: dict[str, str]) -> None:
    """Give an authenticator another name; "" takes its name away.

    Raises:
        InvalidRequest: no name was sent.
    """
    if "label" not in fields:
        raise InvalidRequest
    here.parts.own.rename(here.visit, authenticator, fields["label"])


def remove(here: Visitor, authenticator: str) -> Removed:
    """Remove an authenticator, and this very session where it was made by it."""
    removed = here.parts.own.remove(here.visit, authenticator)
    if removed.session is None:
        here.leaves()
        here.close_portal()
    else:
        here.stays(removed.session)
    return removed


def end_session(here: Visitor, sign_in: str) -> None:
    """End one session of the account; where it is this one, it is a sign-out."""
    this = here.session is not None and here.session.sign_in == sign_in
    here.parts.own.end_session(here.visit, sign_in)
    if this:
        here.leaves()
        here.close_portal()


def see_notices(here: Visitor, fields: dict[str, Any]) -> int:
    """Note that the owner has seen the notices up to one; how many those were.

    Raises:
        InvalidRequest: which, was not said.
    """
    up_to = fields.get("up_to")
    if isinstance(up_to, str) and up_to.isascii() and up_to.isdigit() and len(up_to) < 19:
        up_to = int(up_to)
    if not isinstance(up_to, int) or isinstance(up_to, bool) or not 0 <= up_to < 2**63:
        raise InvalidRequest
    return here.parts.notices.show(here.visit, up_to)


def browser_answer(fields: dict[str, str]) -> dict[str, Any]:
    """What the script of a page has put into its form.

    Raises:
        InvalidRequest: nothing, or something else.
    """
    if not fields.get("answer"):
        raise InvalidRequest
    return inputs.parsed(fields["answer"])


def needed(fields: dict[str, str], name: str) -> str:
    """A field that must be there.

    Raises:
        InvalidRequest: it is missing, empty or far too long.
    """
    value = fields.get(name, "").strip()
    if not value or len(value) > CODE_LENGTH:
        raise InvalidRequest
    return value
