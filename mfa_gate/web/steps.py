"""The steps as requests drive them, for pages and programs: read the fields, run the flow, let the session rise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import request

from ..exc import EnrolmentGone, InvalidRequest, MFAGateError, Refusal, SignInRequired, Unavailable, WrongState
from ..flows import BegunTOTP, Elevated, Removed
from ..flows.activation import Activation
from ..flows.flow import log
from ..flows.totp import TOTP
from ..flows.webauthn import WebAuthn
from ..levels import Level
from . import answers, inputs, targets
from .request_context import RequestContext

CODE_LENGTH: Final = 128
# how a step ends that another request has taken meanwhile, or before
LATE: Final = (SignInRequired, WrongState, EnrolmentGone)
Sent = Callable[[Mapping[str, Any]], tuple[str, ...]]
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

    def redeem() -> None:
        fields = inputs.read(request, context, "code")
        elevate(context, context.parts.activation.redeem(context.client, needed(fields, "code")))

    take(context, redeem, sent_activation)


def sent_activation(fields: Mapping[str, Any]) -> tuple[str, ...]:
    return Activation.sent(text(fields, "code"))


def begin_totp(context: RequestContext, *more: str) -> BegunTOTP:
    """Begin to enrol an authenticator app."""
    inputs.read(request, context, *more)
    return context.parts.totp.begin_enrol(context.client)


def complete_totp(context: RequestContext, *more: str) -> tuple[str, ...] | None:
    """Confirm an authenticator app by its first code; the account's first recovery codes, where it has none yet."""

    def complete() -> None:
        fields = inputs.read(request, context, "enrolment", "code", "label", *more)
        enrolment, code = needed(fields, "enrolment"), needed(fields, "code")
        elevate(context, context.parts.totp.complete_enrol(context.client, enrolment, code, fields.get("label")))

    take(context, complete, sent_confirmation)
    return context.parts.recovery.first(context.client)


def sent_confirmation(fields: Mapping[str, Any]) -> tuple[str, ...]:
    return TOTP.sent_confirmation(text(fields, "enrolment"), text(fields, "code"))


def begin_enrol(context: RequestContext) -> dict[str, Any]:
    """Options for a new credential."""
    inputs.read(request, context)
    return context.parts.webauthn.begin_enrol(context.client)


def complete_enrol(context: RequestContext) -> tuple[str, ...] | None:
    """Enrol a credential: the body is its `toJSON()`, with a label beside it."""

    def complete() -> None:
        sent = inputs.read_object(request, context, *CREDENTIAL, "label")
        enrol_credential(context, sent, sent.pop("label", None))

    take(context, complete, lambda sent: WebAuthn.sent({name: sent[name] for name in CREDENTIAL if name in sent}))
    return context.parts.recovery.first(context.client)


def enrol_by_form(context: RequestContext) -> tuple[str, ...] | None:
    """The same by a page's form, whose field `answer` holds the credential."""

    def complete() -> None:
        fields = inputs.read(request, context, "action", "answer", "label")
        enrol_credential(context, browser_answer(fields), fields.get("label"))

    take(context, complete, sent_answer)
    return context.parts.recovery.first(context.client)


def sent_answer(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """What is sent by the answer of a key in a page's form."""
    return WebAuthn.sent(browser_answer({"answer": text(fields, "answer")}))


def enrol_credential(context: RequestContext, answer: dict[str, Any], label: Any) -> None:
    """Enrol what a browser made."""
    if label is not None and not isinstance(label, str):
        raise InvalidRequest
    elevate(context, context.parts.webauthn.complete_enrol(context.client, answer, label))


def sign_out(context: RequestContext) -> None:
    """End the session and the portal's own, also if only one of them is left."""
    inputs.read(request, context)
    leave(context)


def leave(context: RequestContext) -> None:
    """End the gate's session and the portal's.

    Raises:
        Unavailable: the store does not answer; this browser has lost both all the same.
    """
    try:
        context.drop_session_after(context.parts.sign_in.sign_out)
    finally:
        context.portal_session.close()


def take(context: RequestContext, step: Callable[[], None], sent: Sent | None) -> None:
    """Take a step, or lead a request on that sends it a second time and comes too late for it.

    Args:
        context: of the request.
        step: reads the fields, runs the flow and elevates.
        sent: what the step is taken by; None where it is not led on.

    Raises:
        Refusal: as the step does.
    """
    try:
        step()
    except LATE:
        if not leads_on(context, sent):
            raise


def leads_on(context: RequestContext, sent: Sent | None) -> bool:
    """Whether this request sends again what its session has just moved on by; then it stands where that has led."""
    cookie = context.cookie
    held = context.parts.services.sessions.ids.held(cookie)
    if held is None or sent is None:
        return False
    try:
        what = sent(inputs.read_late(request, context, held.sign_in))
    except Refusal:
        return False
    elevated = context.parts.sign_in.follow(context.client_at_login.sending(*what), cookie)
    if elevated is not None:
        elevate(context, elevated)
    return elevated is not None


def repeats(context: RequestContext, what: tuple[str, ...], asked_at: float | None) -> bool:
    """Whether a form sends again what has just made the session that it comes with; then nothing is tried or spent.

    Args:
        context: of the request, whose token was checked.
        what: it sends.
        asked_at: when a proof was asked for last, in seconds since the epoch.
    """
    cookie = context.cookie
    elevated = context.parts.sign_in.repeats(context.client.sending(*what), cookie, asked_at)
    if elevated is not None:
        elevate(context, elevated)
    return elevated is not None


def elevate(context: RequestContext, elevated: Elevated) -> None:
    """Hand over the new id and, after the last proof, let the portal open its own session.

    Raises:
        Unavailable: the portal's callback failed; then nobody is signed in anywhere.
    """
    context.apply(elevated)
    portal = context.parts.portal
    if not elevated.signs_in or portal.signed_in is None:
        return
    try:
        context.portal_session.renew(elevated.account.id)
        # the answer that opened the portal's session may be lost, and this one is what the browser keeps
        if elevated.is_again and portal.identity is not None and portal.identity() == elevated.account.id:
            return
        portal.signed_in(elevated.account)
    except Exception as error:
        log.exception("the portal's signed_in callback failed")
        try:
            leave(context)
        except Exception:  # whatever made the callback fail; the new id has reached nobody
            log.exception("a sign-in that the portal refused could not be ended in the store")
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
        context.portal_session.close()
    else:
        context.replace_session(removed.session)
    return removed


def end_session(context: RequestContext, sign_in: str) -> None:
    """End one session of the account; where it is this one, it is a sign-out."""
    this = context.session is not None and context.session.sign_in == sign_in
    context.parts.own.end_session(context.client, sign_in)
    if this:
        context.drop_session()
        context.portal_session.close()


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


def text(fields: Mapping[str, Any], name: str) -> str:
    """A field as `needed` gives it; "" where it is missing or no text."""
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""


def needed(fields: dict[str, str], name: str) -> str:
    """A field that must be there.

    Raises:
        InvalidRequest: it is missing, empty or far too long.
    """
    value = fields.get(name, "").strip()
    if not value or len(value) > CODE_LENGTH:
        raise InvalidRequest
    return value
