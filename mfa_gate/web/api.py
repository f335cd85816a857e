"""The same steps for programs, under `/mfa/api/v1`."""

from __future__ import annotations

from flask import Response, request

from . import answers, inputs, steps, targets
from .pages import qr
from .visitor import Visitor, visitor


def session() -> Response:
    """Where this browser's session stands."""
    here = visitor()
    return answers.json_answer(answers.session_document(here, here.parts.sign_in.progress(here.session)))


def verify_totp() -> Response:
    here = visitor()
    steps.prove_totp(here)
    return passed(here)


def verify_activation() -> Response:
    here = visitor()
    steps.activate(here)
    return passed(here)


def begin_totp() -> Response:
    begun = steps.begin_totp(visitor())
    return answers.json_answer(
        {"secret": begun.secret, "uri": begun.uri, "qr_svg": str(qr(begun.uri)), "enrolment": begun.enrolment}
    )


def complete_totp() -> Response:
    here = visitor()
    steps.complete_totp(here)
    return passed(here)


def enrol_totp() -> Response:
    """Both halves at one URL, for programs that use the page's: with a code it completes."""
    return complete_totp() if "code" in inputs.body(request) else begin_totp()


def sign_out() -> Response:
    here = visitor()
    steps.sign_out(here)
    response = passed(here)
    targets.drop(here.parts.settings, response)
    return response


def passed(here: Visitor) -> Response:
    """`{next, session}`: where to go on, and where the session stands."""
    parts = here.parts
    progress = here.progress
    target = targets.kept(parts, request) if progress.state == "signed_in" else None
    path = target.path if target else answers.step_path(parts, progress.state)
    body = {
        "next": targets.absolute(parts.settings, path),
        "session": answers.session_document(here, progress),
    }
    response = answers.json_answer(body)
    if progress.state == "signed_in":
        targets.drop(parts.settings, response)
    return response
