"""The same steps for programs, under `/mfa/api/v1`."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from . import answers, inputs, steps, targets
from .openapi import document
from .pages import qr
from .request_context import Visitor, visitor


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
    return enrolled(here, steps.complete_totp(here))


def enrol_totp() -> Response:
    """Both halves at one URL, for programs that use the page's: with a code it completes."""
    return complete_totp() if "code" in inputs.body(request) else begin_totp()


def verify_recovery() -> Response:
    here = visitor()
    steps.prove_recovery(here)
    return passed(here)


def renew_recovery() -> Response:
    here = visitor()
    inputs.read(request, here)
    return answers.json_answer({"codes": list(here.parts.recovery.renew(here.visit))})


def begin_webauthn() -> Response:
    return answers.json_answer(steps.begin_verify(visitor()))


def complete_webauthn() -> Response:
    here = visitor()
    steps.prove_webauthn(here)
    return passed(here)


def begin_webauthn_enrolment() -> Response:
    return answers.json_answer(steps.begin_enrol(visitor()))


def complete_webauthn_enrolment() -> Response:
    here = visitor()
    return enrolled(here, steps.complete_enrol(here))


def authenticators() -> Response:
    """What the account has enrolled."""
    here = visitor()
    owned = here.parts.own.owned(here.visit)
    return answers.json_answer(
        {
            "authenticators": [answers.authenticator_document(row) for row in owned.authenticators],
            "recovery_codes_left": owned.recovery_codes,
        }
    )


def authenticator(authenticator_id: str) -> Response:
    """Rename one (PATCH) or remove it (DELETE)."""
    here = visitor()
    if request.method == "PATCH":
        steps.rename(here, authenticator_id, inputs.read(request, here, "label"))
        return authenticators()
    inputs.read(request, here)
    removed = steps.remove(here, authenticator_id)
    body = {
        "removed": authenticator_id,
        "credential_id": removed.credential,
        "rp_id": removed.rp_id,
        "signed_out": removed.signed_out,
    }
    return answers.json_answer(body)


def sessions() -> Response:
    """The account's sessions; DELETE ends all others."""
    here = visitor()
    if request.method == "DELETE":
        inputs.read(request, here)
        return answers.json_answer({"ended": here.parts.own.end_others(here.visit)})
    rows = here.parts.own.sessions(here.visit)
    this = here.session.sign_in if here.session else None
    return answers.json_answer({"sessions": [answers.session_row_document(row, this) for row in rows]})


def one_session(session_id: str) -> Response:
    here = visitor()
    inputs.read(request, here)
    steps.end_session(here, session_id)
    return answers.json_answer({"ended": 1})


def notices() -> Response:
    """What the owner has not been shown yet."""
    here = visitor()
    rows = here.parts.notices.unshown(here.visit)
    return answers.json_answer({"notices": [answers.notice_document(row) for row in rows]})


def notices_seen() -> Response:
    here = visitor()
    return answers.json_answer({"seen": steps.see_notices(here, inputs.read_object(request, here, "up_to"))})


def openapi() -> Response:
    """The document that describes all of this (OpenAPI 3.1)."""
    return answers.json_answer(document(visitor().parts.settings))


def sign_out() -> Response:
    here = visitor()
    steps.sign_out(here)
    response = passed(here)
    targets.drop(here.parts.settings, response)
    return response


def enrolled(here: Visitor, codes: tuple[str, ...] | None) -> Response:
    """Like `passed`, with the account's first recovery codes where it had none."""
    return passed(here, **({"recovery_codes": list(codes)} if codes else {}))


def passed(here: Visitor, **more: Any) -> Response:
    """`{next, session}`: where to go on, and where the session stands."""
    parts = here.parts
    progress = here.progress
    signed_in = progress.state == "signed_in"
    target = targets.kept(parts, request) if signed_in else None
    path = target.path if target else answers.step_path(parts, progress.state)
    if here.has_news:
        path = answers.gate_path(parts, "news")  # which leads on to the page that was wanted
    body = {
        "next": targets.absolute(parts.settings, path),
        "session": answers.session_document(here, progress),
        **more,
    }
    response = answers.json_answer(body)
    if signed_in and not here.has_news:
        targets.drop(parts.settings, response)
    return response
