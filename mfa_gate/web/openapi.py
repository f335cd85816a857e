"""The OpenAPI 3.1 document of the JSON API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ..factors.registry import FACTORS
from ..levels import Level
from ..settings import Settings
from .factors import FACES
from .schemas import CODE, COUNT, LABEL, NUMBER, TEXT, Schema, closed_object, list_of, maybe, plain_object, ref

SCHEMAS: Final[dict[str, Schema]] = {
    "Session": plain_object(
        {
            "state": {"enum": ["anonymous", "pending", "activation", "enrolling", "signed_in"]},
            "account": maybe(TEXT),
            "level": maybe({"enum": [level.name for level in Level]}),
            "methods": list_of(TEXT),
            "authenticated_at": maybe(NUMBER),
            "allowed_methods": list_of(ref("Factor")),
            "csrf_token": maybe(TEXT),
        }
    ),
    "Passed": plain_object(
        {"next": {"type": "string", "format": "uri"}, "session": ref("Session")}, {"recovery_codes": list_of(TEXT)}
    ),
    "Authenticator": plain_object(
        {
            "id": TEXT,
            "method": ref("Factor"),
            "level": {"enum": [level.name for level in Level]},
            "label": TEXT,
            "created_at": NUMBER,
            "last_used_at": maybe(NUMBER),
            "renew": {"type": "boolean", "description": "Its secret is short: its owner should set it up anew."},
        }
    ),
    "Authenticators": plain_object({"authenticators": list_of(ref("Authenticator")), "recovery_codes_left": COUNT}),
    "Removed": plain_object(
        {"removed": TEXT, "credential_id": maybe(TEXT), "rp_id": maybe(TEXT), "signed_out": {"type": "boolean"}}
    ),
    "Sessions": plain_object(
        {
            "sessions": list_of(
                plain_object(
                    {
                        "id": TEXT,
                        "level": {"enum": [level.name for level in Level]},
                        "browser": maybe(TEXT),
                        "network": maybe(TEXT),
                        "created_at": NUMBER,
                        "last_seen": NUMBER,
                        "this": {"type": "boolean"},
                    }
                )
            ),
            "next": maybe(TEXT),
        }
    ),
    "Notices": plain_object(
        {
            "notices": list_of(
                plain_object(
                    {
                        "id": COUNT,
                        "kind": TEXT,
                        "at": NUMBER,
                        "browser": maybe(TEXT),
                        "sentence": TEXT,
                        "count": COUNT,
                    }
                )
            )
        }
    ),
    "Seen": plain_object({"seen": COUNT}),
    "UpTo": closed_object({"up_to": COUNT}),
    "Ended": plain_object({"ended": COUNT}),
    "Options": {"type": "object", "description": "Options in the JSON form of W3C WebAuthn Level 3, section 5.1."},
    "Code": closed_object({"code": CODE}),
    "Rename": closed_object({"label": LABEL}),
    "Problem": plain_object(
        {"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT, "code": TEXT},
        {"retry_after": COUNT, "minutes": {"type": "integer"}},
    ),
}

PROBLEMS: Final = {
    "400": "The request cannot be read.",
    "401": "A sign-in or a step-up is needed; `WWW-Authenticate` says which (RFC 9470).",
    "403": "Forged, closed, or nothing of the account's would do.",
    "404": "There is nothing of this name.",
    "405": "This path takes other methods; `Allow` names them.",
    "409": "This step does not fit where the session stands.",
    "413": "Too large.",
    "422": "The code or the answer is not right.",
    "429": "Too many attempts; `Retry-After` says how long to wait.",
    "503": "Closed for a moment; nothing was lost.",
}
# path, method, name, what it does, what it takes, what it answers
CALLS: Final = (
    ("/session", "get", "session", "Where this browser's session stands", None, "Session"),
    ("/activation/verify", "post", "verifyActivation", "Open the enrolment", "Code", "Passed"),
    ("/authenticators", "get", "authenticators", "What the account has enrolled", None, "Authenticators"),
    ("/authenticators/{authenticator_id}", "patch", "rename", "Rename one", "Rename", "Authenticators"),
    ("/authenticators/{authenticator_id}", "delete", "remove", "Remove one", None, "Removed"),
    ("/sessions", "get", "sessions", "The account's sessions", None, "Sessions"),
    ("/sessions", "delete", "endOthers", "End all others", None, "Ended"),
    ("/sessions/{session_id}", "delete", "endSession", "End one", None, "Ended"),
    (
        "/notices",
        "get",
        "notices",
        "What the owner has not seen: of each kind the latest, counted",
        None,
        "Notices",
    ),
    ("/notices/earlier", "get", "earlierNotices", "What the owner was told in the last 90 days", None, "Notices"),
    (
        "/notices/seen",
        "post",
        "seeNotices",
        "Note that the owner has seen what this session was displayed, up to this id; an alarm only by a passkey or a "
        "device that was known before it",
        "UpTo",
        "Seen",
    ),
    ("/sign-out", "post", "signOut", "End this session", None, "Passed"),
    ("/openapi.json", "get", "openapi", "This document", None, "Options"),
)


def document(settings: Settings) -> dict[str, Any]:
    """The document, as this portal serves it."""
    paths: dict[str, Any] = {}
    for path, method, name, summary, takes, gives in (*CALLS, *_factor_calls()):
        paths.setdefault(path, {})[method] = _operation(path, method, name, summary, takes, gives)
    own = {name: schema for face in FACES.values() for name, schema in face.schemas.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{settings.name}: sign-in", "version": "1.0"},
        "servers": [{"url": f"{settings.base_url}{settings.url_prefix}/api/v1"}],
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, **own, "Factor": {"enum": list(FACTORS)}},
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": settings.cookie_name}},
        },
    }


def _factor_calls() -> Iterator[tuple[str, str, str, str, str | None, str]]:
    """The calls of the factors, as the registry has them; all of them change something, so all are POST."""
    for factor in FACTORS.values():
        for route in factor.routes:
            yield route.path, "post", route.operation, route.summary, route.takes, route.gives


def _operation(path: str, method: str, name: str, summary: str, takes: str | None, gives: str) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": ref("Problem")}}
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "security": [{"session": []}],
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": ref(gives)}}},
            **{status: {"description": text, "content": problem} for status, text in PROBLEMS.items()},
        },
    }
    parameters = [
        {"name": part[1:-1], "in": "path", "required": True, "schema": TEXT}
        for part in path.split("/")
        if part.startswith("{")
    ]
    if name == "sessions":
        after = {"name": "after", "in": "query", "required": False, "schema": TEXT}
        parameters.append({**after, "description": "`next` of the page before."})
    if method != "get":
        token = {"name": "X-MFA-CSRF", "in": "header", "required": True, "schema": TEXT}
        parameters.append({**token, "description": "`csrf_token` of the session."})
    if parameters:
        operation["parameters"] = parameters
    if takes:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": ref(takes)}}}
    return operation
