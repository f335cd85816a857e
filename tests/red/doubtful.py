"""Defences against requests that come late, twice, from another site or without their cookies."""

from __future__ import annotations

from typing import Any

import pytest

from mfa_gate.flows.sign_in import SignIn
from mfa_gate.request import guard, login
from mfa_gate.request.guard import Guard
from mfa_gate.sessions.sessions import Sessions
from mfa_gate.web import request_context
from mfa_gate.web.portal_session import PortalSession
from mfa_gate.web.request_context import RequestContext
from tests.red.defences import Defence

Patch = pytest.MonkeyPatch


def late_requests_are_not_told(patch: Patch) -> None:
    patch.setattr(Sessions, "has_moved_on", lambda *_: False)


def cross_site_requests_are_taken_for_whole(patch: Patch) -> None:
    patch.setattr(request_context, "has_all_cookies", lambda *_: True)


def the_portals_session_stays_in_sight(patch: Patch) -> None:
    patch.setattr(PortalSession, "hide", lambda *_, **__: None)


def public_pages_are_not_looked_at(patch: Patch) -> None:
    patch.setattr(Guard, "_hide_others", lambda *_: None)


def what_is_written_meanwhile_replaces_the_session(patch: Patch) -> None:
    patch.setattr(PortalSession, "put", lambda *_: None)


def an_adopted_sign_in_takes_the_place_of_a_session(patch: Patch) -> None:
    really = RequestContext.apply

    def apply(self: RequestContext, elevated: Any, *, adopted: bool = False) -> None:
        really(self, elevated)

    patch.setattr(RequestContext, "apply", apply)


def any_request_ends_what_disagrees(patch: Patch) -> None:
    patch.setattr(guard, "is_same_origin", lambda *_, **__: True)


def a_second_person_signs_in_on_the_firsts_session(patch: Patch) -> None:
    patch.setattr(PortalSession, "renew", lambda *_: None)


def any_site_signs_people_in(patch: Patch) -> None:
    patch.setattr(login, "may_sign_in", lambda *_: True)


def nobody_looks_again(patch: Patch) -> None:
    patch.setattr(SignIn, "look_again", lambda _, session, __: session)


DEFENCES: dict[str, Defence] = {
    "A57renew": a_second_person_signs_in_on_the_firsts_session,
    "A68late": late_requests_are_not_told,
    "A68cross": cross_site_requests_are_taken_for_whole,
    "A68hide": the_portals_session_stays_in_sight,
    "A68public": public_pages_are_not_looked_at,
    "A68beside": what_is_written_meanwhile_replaces_the_session,
    "A68adopt": an_adopted_sign_in_takes_the_place_of_a_session,
    "A68foreign": any_request_ends_what_disagrees,
    "A69": any_site_signs_people_in,
    "A69again": nobody_looks_again,
}
