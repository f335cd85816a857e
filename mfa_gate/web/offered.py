"""Which methods a challenge offers: those that satisfy what was asked for, by page, form or URL."""

from __future__ import annotations

from flask import request

from ..assurance import Requirement
from ..exc import LiftRequired, Refusal
from ..factors.registry import RECOVERY_AMR
from ..flows import Progress
from ..levels import Level
from . import answers, inputs, sealed_form, targets
from .request_context import RequestContext


def asked_at(context: RequestContext, fields: dict[str, str]) -> float | None:
    """When a page or a form asked for the proof that is sent here."""
    form = sealed_form.unseal(context.parts, fields.get("sealed_form"), context.client.require_session())
    return max((one.at for one in (targets.kept(context.parts, request), form) if one), default=None)


def offered(context: RequestContext, progress: Progress) -> tuple[tuple[str, ...], Level]:
    """The methods that satisfy what the wanted page, the sealed form or the URL asks for, and the level of that.

    Where none of them says what was refused, it may have been reading: then what lifts a stop of that.
    """
    target = targets.kept(context.parts, request)
    form = (
        sealed_form.unseal(context.parts, sent("sealed_form"), context.session)
        if context.session and request.method == "POST"
        else None
    )
    wanted = [one for one in (target, form) if one]
    acr = sent("acr_values") if request.method == "POST" else None
    level = max([answers.level_asked(acr), *(one.level for one in wanted)])
    if not wanted and isinstance(stop_of(context, progress), LiftRequired):
        level = max(level, Level.PHISHING_RESISTANT)
    required = Requirement(level) | context.asked_of_group
    found = fitting_methods(context, progress, required, [one.path for one in wanted])
    # who signs in without what that page asks for still signs in; the page will say what is missing
    if not found and progress.state != "signed_in":
        return answers.allowed(progress, Requirement()), level
    return found, level


def stop_of(context: RequestContext, progress: Progress) -> Refusal | None:
    """Whether the account reads nothing, as its owner is told once signed in; nobody else is."""
    if context.session is None or progress.state != "signed_in":
        return None
    return context.parts.reads.stop_of(context.session.account_id)


def fitting_methods(
    context: RequestContext, progress: Progress, required: Requirement, paths: list[str]
) -> tuple[str, ...]:
    """The methods that satisfy a requirement; for who came by a recovery code to replace a lost key, that as well."""
    fitting = answers.allowed(progress, required)
    own = any(path.startswith(answers.gate_path(context.parts, "")) for path in paths)
    if not own or context.session is None or RECOVERY_AMR not in context.session.amr:
        return fitting
    anyway = answers.allowed(progress, Requirement())
    return tuple(dict.fromkeys([*fitting, *(way for way in anyway if way == RECOVERY_AMR)]))


def sent(name: str) -> str | None:
    """A field of the form, to be shown again; None where the form cannot be read."""
    try:
        return inputs.body(request).get(name)
    except Refusal:  # what cannot be read cannot be shown again either
        return None
