"""TOTP on pages and in the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Response, request

from ...factors.registry import TOTP
from ...flows.totp import TOTP as Codes
from .. import answers, inputs, steps
from ..request_context import RequestContext, request_context
from ..schemas import CODE, LABEL, TEXT, closed_object, plain_object
from .face import Face, Fields


def prove(context: RequestContext, fields: Fields) -> None:
    """Verify a code."""
    steps.elevate(context, context.parts.totp.verify(context.client, steps.needed(fields, "code")))


def verify() -> Response:
    """Second factor or step-up by an authenticator app."""
    context = request_context()
    steps.take(context, lambda: prove(context, inputs.read(request, context, "code")), sent)
    return answers.passed(context)


def sent(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """What the step is taken by that sends these fields."""
    return Codes.sent(steps.text(fields, "code"))


def begin_enrol() -> Response:
    """A new seed."""
    begun = steps.begin_totp(request_context())
    return answers.json_answer(
        {"secret": begun.secret, "uri": begun.uri, "qr_svg": str(answers.qr(begun.uri)), "enrolment": begun.enrolment}
    )


def complete_enrol() -> Response:
    """Its first code."""
    context = request_context()
    return answers.enrolled(context, steps.complete_totp(context))


def enrol() -> Response:
    """Both halves at one URL, for programs that use the page's: with a code it completes."""
    return complete_enrol() if "code" in inputs.body(request) else begin_enrol()


FACE: Final = Face(
    TOTP,
    ("code",),
    prove,
    (verify, begin_enrol, complete_enrol),
    {
        "TOTPEnrolment": plain_object({"secret": TEXT, "uri": TEXT, "qr_svg": TEXT, "enrolment": TEXT}),
        "Confirmation": closed_object({"enrolment": CODE, "code": CODE}, {"label": LABEL}),
    },
    sent,
)
