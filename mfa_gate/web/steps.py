"""The steps as requests drive them, for pages and programs: read the fields, run the flow, let the session rise."""

from __future__ import annotations

from typing import Any, Final

from flask import request

from ..exc import InvalidRequest, MFAGateError, Unavailable
from ..flows import BegunTOTP, Elevated, Removed
from ..flows.flow import log
from ..levels import Level
from . import answers, inputs, targets
from .request_context import RequestContext

CODE_LENGTH: Final = 128
# the members that a browser's `toJSON()` may have (W3C WebAuthn L3 §5.1)
CREDENTIAL: Final = ("id", "rawId", "type", "response", "authenticatorAttachment", "clientExtensionResults")


def begin_verify(context: RequestContext) -> dict[str, Any]:
    """Options for an assertion; in a step-up by keys that reach what the wanted page asks for."""
    inputs.read(request, context)
    target = targets.kept(context.parts, request) if context.session_level >= Level.MFA else None
    asked = max(answers.level_asked(), target.level if target else Level.MFA)
    hardware = context.session_level >= Level.MFA and asked == Level.HARDWARE
    return context.parts.webauthn.begin_verify(context.client, Level.HARDWARE if hardware else Level.PHISHING_RESISTANT)


def activate(context: RequestContext) -> None:
    """Redeem an activation code."""
    fields = inputs.read(request, context, "code")
    elevate(context, context.parts.activation.redeem(context.client, needed(fields, "code")))


def begin_totp(context: RequestContext, *more: str) -> BegunTOTP:
    """Begin to enrol an authenticator app."""
    inputs.read(request, context, *more)
    return context.parts.totp.begin_enrol(context.client)


def complete_totp(context: RequestContext, *more: str) -> tuple[str, ...] | None:
    """Confirm an authenticator app by its first code; the account's first recovery codes, where it has none yet."""
    fields = inputs.read(request, context, "enrolment", "code", "label", *more)
    enrolment, code = needed(fields, "enrolment"), needed(fields, "code")
    elevate(context, context.parts.totp.complete_enrol(context.client, enrolment, code, fields.get("label")))
    return context.parts.recovery.first(context.client)


def begin_enrol(context: RequestContext) -> dict[str, Any]:
    """Options for a new credential."""
    inputs.read(request, context)
    return context.parts.webauthn.begin_enrol(context.client)


def complete_enrol(context: RequestContext) -> tuple[str, ...] | None:
    """Enrol a credential: the body is its `toJSON()`, with a label beside it."""
    sent = inputs.read_object(request, context, *CREDENTIAL, "label")
    return enrol_credential(context, sent, sent.pop("label", None))


def enrol_credential(context: RequestContext, answer: dict[str, Any], label: Any) -> tuple[str, ...] | None:
    """Enrol what a browser made; the account's first recovery codes, where it has none yet."""
    if label is not None and not isinstance(label, str):
        raise InvalidRequest
    elevate(context, context.parts.webauthn.complete_enrol(context.client, answer, label))
    return context.parts.recovery.first(context.client)


def sign_out(context: RequestContext) -> None:
    """End the session and the portal's own, also if only one of them is left."""
    inputs.read(request, context)
    leave(context)


def leave(context: RequestContext) -> None:
    """End the gate's session, then the portal's."""
    context.parts.sign_in.sign_out(context.client)
    context.drop_session()
    context.close_portal_session()


def elevate(context: RequestContext, elevated: Elevated) -> None:
    """Hand over the new id and, after the last proof, let the portal open its own session.

    Raises:
        Unavailable: the portal's callback failed; then nobody is signed in anywhere.
    """
    context.apply(elevated)
    if not elevated.signs_in or context.parts.portal.signed_in is None:
        return
    try:
        context.parts.portal.signed_in(elevated.account)
    except Exception as error:
        log.exception("the portal's signed_in callback failed")
        leave(context)
        if isinstance(error, MFAGateError):
            raise
        raise Unavailable from error


def rename(context: RequestContext, authenticator: str, fields: dict[str, str]) -> None:
    """Give an authenticator another name; "" takes its name away.

    Raises:
        InvalidRequest: no name was sent.
    """
    if "label" not in fields:
        raise InvalidRequest
    context.parts.own.rename(context.client, authenticator, fields["label"])


def remove(context: RequestContext, authenticator: str) -> Removed:
    """Remove an authenticator, and this very session where it was made by it."""
    removed = context.parts.own.remove(context.client, authenticator)
    if removed.session is None:
        context.drop_session()
        context.close_portal_session()
    else:
        context.replace_session(removed.session)
    return removed


def end_session(context: RequestContext, sign_in: str) -> None:
    """End one session of the account; where it is this one, it is a sign-out."""
    this = context.session is not None and context.session.sign_in == sign_in
    context.parts.own.end_session(context.client, sign_in)
    if this:
        context.drop_session()
        context.close_portal_session()


def see_notices(context: RequestContext, fields: dict[str, Any]) -> int:
    """Note that the owner has seen the notices up to one; how many those were.

    Raises:
        InvalidRequest: which, was not said.
    """
    up_to = fields.get("up_to")
    if isinstance(up_to, str) and up_to.isascii() and up_to.isdigit() and len(up_to) < 19:
        up_to = int(up_to)
    if not isinstance(up_to, int) or isinstance(up_to, bool) or not 0 <= up_to < 2**63:
        raise InvalidRequest
    return context.parts.notices.see(context.client, up_to)


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
