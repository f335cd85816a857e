"""Passkeys and security keys on pages and in the API."""

from __future__ import annotations

from typing import Final

from flask import Response, request

from ...factors.registry import WEBAUTHN
from ...flows.webauthn import WebAuthn as Answers
from .. import answers, inputs, steps
from ..request_context import RequestContext, request_context
from ..schemas import LABEL, TEXT, closed_object, maybe
from .face import Face, Fields


def prove(context: RequestContext, fields: Fields) -> None:
    """Verify the assertion that a page's script has put into its form."""
    steps.elevate(context, context.parts.webauthn.complete_verify(context.client, steps.browser_answer(fields)))


def begin_verify() -> Response:
    """Options for an assertion."""
    return answers.json_answer(steps.begin_verify(request_context()))


def complete_verify() -> Response:
    """The assertion: the body is the browser's `toJSON()` of it."""
    context = request_context()

    def complete() -> None:
        sent = inputs.read_object(request, context, *steps.CREDENTIAL)
        steps.elevate(context, context.parts.webauthn.complete_verify(context.client, sent))

    steps.take(context, complete, Answers.sent)
    return answers.passed(context)


def begin_enrol() -> Response:
    """Options for a credential."""
    return answers.json_answer(steps.begin_enrol(request_context()))


def complete_enrol() -> Response:
    """The credential."""
    context = request_context()
    return answers.enrolled(context, steps.complete_enrol(context))


FACE: Final = Face(
    WEBAUTHN,
    ("answer",),
    prove,
    (begin_verify, complete_verify, begin_enrol, complete_enrol),
    {
        "Credential": closed_object(
            {"id": TEXT, "rawId": TEXT, "type": {"const": "public-key"}, "response": {"type": "object"}},
            {
                "authenticatorAttachment": maybe(TEXT),
                "clientExtensionResults": {"type": "object"},
                "label": LABEL,
            },
        ),
    },
    steps.sent_answer,
)
