"""The same steps for programs, under `/mfa/api/v1`."""

from __future__ import annotations

from flask import Response, request

from . import answers, inputs, steps, targets
from .openapi import document
from .request_context import request_context


def session() -> Response:
    """Where this browser's session stands."""
    context = request_context()
    return answers.json_answer(answers.session_document(context, context.parts.sign_in.progress(context.session)))


def verify_activation() -> Response:
    context = request_context()
    steps.activate(context)
    return answers.passed(context)


def authenticators() -> Response:
    """What the account has enrolled."""
    context = request_context()
    owned = context.parts.own.owned(context.client)
    return answers.json_answer(
        {
            "authenticators": [answers.authenticator_document(row) for row in owned.authenticators],
            "recovery_codes_left": owned.recovery_codes,
        }
    )


def authenticator(authenticator_id: str) -> Response:
    """Rename one (PATCH) or remove it (DELETE)."""
    context = request_context()
    if request.method == "PATCH":
        steps.rename(context, authenticator_id, inputs.read(request, context, "label"))
        return authenticators()
    inputs.read(request, context)
    removed = steps.remove(context, authenticator_id)
    body = {
        "removed": authenticator_id,
        "credential_id": removed.credential,
        "rp_id": removed.rp_id,
        "signed_out": removed.signed_out,
    }
    return answers.json_answer(body)


def sessions() -> Response:
    """The account's sessions; DELETE ends all others."""
    context = request_context()
    if request.method == "DELETE":
        inputs.read(request, context)
        return answers.json_answer({"ended": context.parts.own.end_others(context.client)})
    page = context.parts.own.sessions(context.client, request.args.get("after"))
    this = context.client.require_session().sign_in
    rows = [answers.session_row_document(row, this) for row in page.rows]
    return answers.json_answer({"sessions": rows, "next": page.later})


def one_session(session_id: str) -> Response:
    context = request_context()
    inputs.read(request, context)
    steps.end_session(context, session_id)
    return answers.json_answer({"ended": 1})


def notices() -> Response:
    """What the owner has not been shown yet."""
    context = request_context()
    news = context.parts.notices.displayed(context.client)
    return answers.json_answer({"notices": [answers.notice_document(one) for one in news.shown]})


def notices_earlier() -> Response:
    """What the owner was told earlier."""
    context = request_context()
    rows = context.parts.notices.history(context.client)
    return answers.json_answer({"notices": [answers.notice_document(one) for one in rows]})


def notices_seen() -> Response:
    context = request_context()
    return answers.json_answer({"seen": steps.see_notices(context, inputs.read_object(request, context, "up_to"))})


def openapi() -> Response:
    """The document that describes all of this (OpenAPI 3.1)."""
    return answers.json_answer(document(request_context().parts.settings))


def sign_out() -> Response:
    context = request_context()
    steps.sign_out(context)
    response = answers.passed(context)
    targets.drop(context.parts.settings, response)
    return response
