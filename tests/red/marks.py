"""Defences of what is marked and what is charged, of the names that are counted, and how each is taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import request

from mfa_gate import gate
from mfa_gate.flows.password import Password
from mfa_gate.limits.limiter import Scope
from mfa_gate.request import login, marks, sent_names
from mfa_gate.request.guard import Guard
from mfa_gate.request.login_page import LoginView
from mfa_gate.request.marks import Mark, Marks
from mfa_gate.request.metering import Metering
from mfa_gate.request.start import Start
from mfa_gate.web.request_context import RequestContext

Patch = pytest.MonkeyPatch


# --- marks -----------------------------------------------------------------------------------------------------------


def a_requirement_counts_on_top_alone(patch: Patch) -> None:
    """What lies below another decorator is left to its own wrapper, which may never be called."""
    patch.setattr(Marks, "_asking", lambda self, view: [mark for mark in self._on(view) if mark.kind in marks.GUARDED])


def a_hidden_reads_is_not_held(patch: Patch) -> None:
    patch.setattr(Marks, "hidden_reads", lambda *_: [])


def any_charge_will_do(patch: Patch) -> None:
    """A hidden reads is held as if its blueprint were metered, whoever charged."""
    uncharged = Metering._uncharged

    def lax(self: Metering, context: RequestContext, *more: Any) -> Any:
        return None if context.has_charged else uncharged(self, context, *more)

    patch.setattr(Metering, "_uncharged", lax)


def the_url_is_charged(patch: Patch) -> None:
    """What the request was for, and not what the view was called with."""

    def of_url(view: Any, name: str) -> Callable[..., Any]:
        return lambda args, kwargs: (request.view_args or {})[name]

    patch.setattr(gate, "argument", of_url)


def any_blueprint_may_be_protected(patch: Patch) -> None:
    patch.setattr(Marks, "_check_blueprints", lambda *_: None)
    patch.setattr(marks, "_has", lambda *_: True)


def what_is_protected_late_is_forgotten(patch: Patch) -> None:
    patch.setattr(Marks, "changes", property(lambda self: 0, lambda self, value: None), raising=False)


def an_open_mark_goes_before_a_protected_blueprint(patch: Patch) -> None:
    patch.setattr(Marks, "_is_protected", lambda *_: False)


def a_class_inherits_what_opens(patch: Patch) -> None:
    patch.setattr(Mark, "is_inherited", property(lambda self: False))


def the_guard_looks_once(patch: Patch) -> None:
    patch.setattr(Guard, "look_again", lambda self: None)


def the_guard_looks_again_only_afterwards(patch: Patch) -> None:
    """What a request was led to has run when its answer is held back."""
    patch.setattr(Start, "dispatch_request", lambda self, *context: self._dispatch(*context))


# --- names -----------------------------------------------------------------------------------------------------------


def the_form_of_a_post_is_counted(patch: Patch) -> None:
    """Only where the name is expected: a form or JSON that says so, in a request that changes something."""

    def declared(_: Any, field: Any) -> list[str]:
        if request.method == "GET" or not isinstance(field, str):
            return []
        sent = request.get_json(silent=True) if request.is_json else request.form
        name = sent.get(field) if hasattr(sent, "get") else None
        return [name] if isinstance(name, str) else []

    patch.setattr(login, "sent_names", declared)


def names_keep_their_padding(patch: Patch) -> None:
    patch.setattr("mfa_gate.limits.limiter._bare", lambda name: name[:1000].strip())


def the_first_name_alone_is_counted(patch: Patch) -> None:
    found = sent_names.sent_names
    patch.setattr(login, "sent_names", lambda *how: found(*how)[-1:])


def tries_without_a_name_count_for_the_source(patch: Patch) -> None:
    scopes: Callable[..., list[Scope]] = Password.tried.__globals__["_scopes"]

    def of_source(typed: Any, *more: Any) -> list[Scope]:
        return scopes(typed, *more) if typed else scopes(typed, *more)[:1]

    patch.setattr("mfa_gate.flows.password._scopes", of_source)


def a_sign_in_needs_no_count(patch: Patch) -> None:
    patch.setattr(RequestContext, "has_counted", property(lambda self: True, lambda self, value: None))


def a_sign_in_clears_all_names(patch: Patch) -> None:
    patch.setattr(Password, "_give_back", lambda self, tx, attempt: self.services.limiter.succeeded(tx, attempt))


def what_stands_for_a_password_is_not_counted(patch: Patch) -> None:
    patch.setattr(Password, "stood_for", lambda *_: None)


def bodies_of_any_length(patch: Patch) -> None:
    patch.setattr(sent_names, "LONGEST_BODY", 10**9)


def the_first_login_view_is_the_page(patch: Patch) -> None:
    patch.setattr("mfa_gate.request.start.page_for_people", lambda views: next(iter(_paths(views)), None))


def _paths(views: list[LoginView]) -> Iterator[str]:
    return (view.path for view in views if view.path is not None)


DEFENCES: dict[str, Callable[[Patch], None]] = {
    "A66n": the_form_of_a_post_is_counted,
    "A66o": names_keep_their_padding,
    "A66p": the_first_name_alone_is_counted,
    "A66q": tries_without_a_name_count_for_the_source,
    "A66r": a_sign_in_needs_no_count,
    "A66s": a_sign_in_clears_all_names,
    "A66t": what_stands_for_a_password_is_not_counted,
    "A66u": bodies_of_any_length,
    "A70": a_requirement_counts_on_top_alone,
    "A70b": a_hidden_reads_is_not_held,
    "A70c": any_charge_will_do,
    "A70d": the_url_is_charged,
    "A70e": any_blueprint_may_be_protected,
    "A70f": what_is_protected_late_is_forgotten,
    "A70g": an_open_mark_goes_before_a_protected_blueprint,
    "A70h": a_class_inherits_what_opens,
    "A70i": the_guard_looks_once,
    "A70j": the_guard_looks_again_only_afterwards,
    "A70k": the_first_login_view_is_the_page,
}
