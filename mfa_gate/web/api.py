"""The same steps for programs, under `/mfa/api/v1`."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from . import answers, inputs, steps, targets
from .openapi import document
from .pages import qr
from .request_context import RequestContext, request_context


def session() -> Response:
    """Where this browser's session stands."""
    context = request_context()
    return answers.json_answer(answers.session_document(context, context.parts.sign_in.progress(context.session)))


def verify_totp() -> Response:
    context = request_context()
    steps.prove_totp(context)
    return passed(context)


def verify_activation() -> Response:
    context = request_context()
    steps.activate(context)
    return passed(context)


def begin_totp() -> Response:
    begun = steps.begin_totp(request_context())
    return answers.json_answer(
        {"secret": begun.secret, "uri": begun.uri, "qr_svg": str(qr(begun.uri)), "enrolment": begun.enrolment}
    )


def complete_totp() -> Response:
    context = request_context()
    return enrolled(context, steps.complete_totp(context))


def enrol_totp() -> Response:
    """Both halves at one URL, for programs that use the page's: with a code it completes."""
    return complete_totp() if "code" in inputs.body(request) else begin_totp()


def verify_recovery() -> Response:
    context = request_context()
    steps.prove_recovery(context)
    return passed(context)


def renew_recovery() -> Response:
    context = request_context()
    inputs.read(request, context)
    return answers.json_answer({"codes": list(context.parts.recovery.renew(context.client))})


def begin_webauthn() -> Response:
    return answers.json_answer(steps.begin_verify(request_context()))


def complete_webauthn() -> Response:
    context = request_context()
    steps.prove_webauthn(context)
    return passed(context)


def begin_webauthn_enrolment() -> Response:
    return answers.json_answer(steps.begin_enrol(request_context()))


def complete_webauthn_enrolment() -> Response:
    context = request_context()
    return enrolled(context, steps.complete_enrol(context))


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
    rows = context.parts.own.sessions(context.client)
    this = context.session.sign_in if context.session else None
    return answers.json_answer({"sessions": [answers.session_row_document(row, this) for row in rows]})


def one_session(session_id: str) -> Response:
    context = request_context()
    inputs.read(request, context)
    steps.end_session(context, session_id)
    return answers.json_answer({"ended": 1})


def notices() -> Response:
    """What the owner has not been shown yet."""
    context = request_context()
    rows = context.parts.notices.unshown(context.client)
    return answers.json_answer({"notices": [answers.notice_document(row) for row in rows]})


def notices_seen() -> Response:
    context = request_context()
    return answers.json_answer({"seen": steps.see_notices(context, inputs.read_object(request, context, "up_to"))})


def openapi() -> Response:
    """The document that describes all of this (OpenAPI 3.1)."""
    return answers.json_answer(document(request_context().parts.settings))


def sign_out() -> Response:
    context = request_context()
    steps.sign_out(context)
    response = passed(context)
    targets.drop(context.parts.settings, response)
    return response


def enrolled(context: RequestContext, codes: tuple[str, ...] | None) -> Response:
    """Like `passed`, with the account's first recovery codes where it had none."""
    return passed(context, **({"recovery_codes": list(codes)} if codes else {}))


def passed(context: RequestContext, **more: Any) -> Response:
    """`{next, session}`: where to go on, and where the session stands."""
    parts = context.parts
    progress = context.progress
    signed_in = progress.state == "signed_in"
    target = targets.kept(parts, request) if signed_in else None
    path = target.path if target else answers.step_path(parts, progress.state)
    if context.has_unseen_notices:
        path = answers.gate_path(parts, "news")  # which leads on to the page that was wanted
    body = {
        "next": targets.absolute(parts.settings, path),
        "session": answers.session_document(context, progress),
        **more,
    }
    response = answers.json_answer(body)
    if signed_in and not context.has_unseen_notices:
        targets.drop(parts.settings, response)
    return response
