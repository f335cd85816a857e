"""The start: what was declared is held against the app before the first request, and stops it where it is wrong."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, current_app
from werkzeug.routing import Rule

from . import web
from .assurance import Requirement
from .guard import Guard, dress, localhost_in_debug
from .marks import Marks, is_static
from .web.visitor import current_parts, visitor_so_far
from .wiring import EXTENSION, START, Parts


class Start:
    """The hook at the front of `before_request`, kept in `app.extensions["mfa_gate.start"]`."""

    def __init__(self, app: Flask, marks: Marks, guard: Guard) -> None:
        self._app = app
        self._marks = marks
        self.guard = guard
        self._done = self._debug = False

    def hook(self) -> Response | None:
        if not self._done:
            self.check()
            self._done, self._debug = True, self._app.debug
        if self._debug:
            sent = localhost_in_debug(current_parts().settings.base_url)
            if sent is not None:
                return sent
        return self.guard.before_request()

    def answered(self, response: Response) -> Response:
        """The last word: nothing that the hook did not see leaves a guarded endpoint."""
        here = visitor_so_far()
        if here is None or not here.decided:
            # a hook that was put before ours since the start has answered by itself
            response = self.hook() or response
        return dress(response)

    def check(self) -> None:
        """Raises:
        ConfigurationError: a callback is missing, or a mark would not be enforced.
        """
        parts: Parts = self._app.extensions[EXTENSION]
        portal = parts.portal
        portal.check(parts.settings)
        login = portal.login_view() if portal.login_view else None
        if login is not None and login.startswith(parts.settings.base_url):
            login = login[len(parts.settings.base_url) :]
        if login is not None and "/" not in login:
            self._marks.public_endpoints.add(login)
            login = self._path(login)
        self._marks.check(self._app)
        parts.login_path = parts.settings.login_url or login or self._path(self._first_factor_endpoint())
        # to the front again, before whatever was put there since; a request under way keeps the old list whole
        hooks = self._app.before_request_funcs
        hooks[None] = [self.hook, *(hook for hook in hooks[None] if hook != self.hook)]
        self.guard.forget_requirements()

    def routes(self) -> list[dict[str, Any]]:
        """Every route with what it asks for, sorted by rule."""
        return [self._route(rule) for rule in sorted(self._app.url_map.iter_rules(), key=lambda rule: rule.rule)]

    def _route(self, rule: Rule) -> dict[str, Any]:
        view = self._app.view_functions[rule.endpoint]
        required = self.guard.requirement_of(rule.endpoint)
        kind = "guarded"
        if required is None:
            kind = "gate" if web.is_own(rule.endpoint) else "public"
            kind = "static" if is_static(self._app, rule.endpoint, view) else kind
        return {
            "rule": rule.rule,
            "endpoint": rule.endpoint,
            "methods": " ".join(sorted(rule.methods or ())),
            "kind": kind,
            "level": required.level.name if required else None,
            "max_age": required.max_age if required else None,
        }

    def _first_factor_endpoint(self) -> str | None:
        for endpoint, view in self._app.view_functions.items():
            mark = self._marks.of(view)
            if mark is not None and mark.kind == "first_factor":
                return endpoint
        return None

    def _path(self, endpoint: str | None) -> str | None:
        rules = self._app.url_map.iter_rules(endpoint) if endpoint else ()
        return next((rule.rule for rule in rules if not rule.arguments), None)


def enforce(required: Requirement) -> Response | None:
    """Let this request pass (None), or answer it: for the wrappers of marked views."""
    start: Start = current_app.extensions[START]
    return start.guard.enforce(required)
