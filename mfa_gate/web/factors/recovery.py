"""Recovery codes on pages and in the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Response, request

from ...factors.registry import RECOVERY
from ...flows.recovery_codes import Recovery
from .. import answers, inputs, steps
from ..request_context import RequestContext, request_context
from ..schemas import TEXT, list_of, plain_object
from .face import Face, Fields


def prove(context: RequestContext, fields: Fields) -> None:
    """Verify a code of the list."""
    steps.elevate(context, context.parts.recovery.verify(context.client, steps.needed(fields, "code")))


def verify() -> Response:
    """Second factor or step-up by a recovery code."""
    context = request_context()
    steps.take(context, lambda: prove(context, inputs.read(request, context, "code")), sent)
    return answers.passed(context)


def sent(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """What the step is taken by that sends these fields."""
    return Recovery.sent(steps.text(fields, "code"))


def renew() -> Response:
    """New codes in the place of the old ones."""
    context = request_context()
    inputs.read(request, context)
    return answers.json_answer({"codes": list(context.parts.recovery.renew(context.client))})


FACE: Final = Face(RECOVERY, ("code",), prove, (verify, renew), {"Codes": plain_object({"codes": list_of(TEXT)})}, sent)
