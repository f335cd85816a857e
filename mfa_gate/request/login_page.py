"""The portal's login views, and the one of them that people are sent to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import Flask

from ..assurance import Requirement
from .marks import Marks


@dataclass(frozen=True, slots=True)
class LoginView:
    """A login view that the gate counts.

    Attributes:
        endpoint: its own.
        path: where it is; None where its URL has arguments.
        is_page: whether a stranger can open its path by GET, be it at this view or at another one there.
    """

    endpoint: str
    path: str | None
    is_page: bool


def login_views(app: Flask, marks: Marks, asked: Callable[[str, str], Requirement | None]) -> list[LoginView]:
    """All views under `first_factor`, in the order of their registration.

    Args:
        app, marks: whose.
        asked: what an endpoint asks for at an HTTP method.
    """
    opened = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ("GET",)) and asked(rule.endpoint, "GET") is None
    }
    found = []
    for endpoint, view in app.view_functions.items():
        if marks.is_login(view):
            paths = [rule.rule for rule in app.url_map.iter_rules(endpoint) if not rule.arguments]
            path = next((path for path in paths if path in opened), paths[0] if paths else None)
            found.append(LoginView(endpoint, path, path in opened))
    return found


def page_for_people(views: Sequence[LoginView]) -> str | None:
    """The path that strangers are sent to: the first that takes GET, or, if none does, the first of all."""
    paths = [view.path for view in sorted(views, key=lambda view: not view.is_page) if view.path is not None]
    return paths[0] if paths else None
