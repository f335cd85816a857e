"""The OpenAPI 3.1 document of the JSON API."""

from __future__ import annotations

from typing import Any, Final

from ..settings import Settings

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
CODE: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 128}
NUMBER: Final[Schema] = {"type": "number"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
LEVELS: Final = ["PASSWORD", "MFA", "PHISHING_RESISTANT", "HARDWARE"]
METHODS: Final[Schema] = {"enum": ["webauthn", "totp", "recovery"]}
LABEL: Final[Schema] = {"type": "string", "maxLength": 60}


def _object(required: dict[str, Schema], optional: dict[str, Schema] | None = None, *, closed: bool = False) -> Schema:
    schema: Schema = {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}
    return {**schema, "additionalProperties": False} if closed else schema


def _maybe(schema: Schema) -> Schema:
    return {"oneOf": [schema, {"type": "null"}]}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


SCHEMAS: Final[dict[str, Schema]] = {
    "Session": _object(
        {
            "state": {"enum": ["anonymous", "pending", "activation", "enrolling", "signed_in"]},
            "account": _maybe(TEXT),
            "level": _maybe({"enum": LEVELS}),
            "methods": _list(TEXT),
            "authenticated_at": _maybe(NUMBER),
            "allowed_methods": _list(METHODS),
            "csrf_token": _maybe(TEXT),
        }
    ),
    "Passed": _object(
        {"next": {"type": "string", "format": "uri"}, "session": _ref("Session")}, {"recovery_codes": _list(TEXT)}
    ),
    "Authenticator": _object(
        {
            "id": TEXT,
            "method": METHODS,
            "level": {"enum": LEVELS},
            "label": TEXT,
            "created_at": NUMBER,
            "last_used_at": _maybe(NUMBER),
            "renew": {"type": "boolean", "description": "Its secret is short: its owner should set it up anew."},
        }
    ),
    "Authenticators": _object({"authenticators": _list(_ref("Authenticator")), "recovery_codes_left": COUNT}),
    "Removed": _object(
        {"removed": TEXT, "credential_id": _maybe(TEXT), "rp_id": _maybe(TEXT), "signed_out": {"type": "boolean"}}
    ),
    "Codes": _object({"codes": _list(TEXT)}),
    "TOTPEnrolment": _object({"secret": TEXT, "uri": TEXT, "qr_svg": TEXT, "enrolment": TEXT}),
    "Sessions": _object(
        {
            "sessions": _list(
                _object(
                    {
                        "id": TEXT,
                        "level": {"enum": LEVELS},
                        "browser": _maybe(TEXT),
                        "network": _maybe(TEXT),
                        "created_at": NUMBER,
                        "last_seen": NUMBER,
                        "this": {"type": "boolean"},
                    }
                )
            )
        }
    ),
    "Notices": _object(
        {
            "notices": _list(
                _object({"id": COUNT, "kind": TEXT, "at": NUMBER, "browser": _maybe(TEXT), "sentence": TEXT})
            )
        }
    ),
    "Seen": _object({"seen": COUNT}),
    "UpTo": _object({"up_to": COUNT}, closed=True),
    "Ended": _object({"ended": COUNT}),
    "Options": {"type": "object", "description": "Options in the JSON form of W3C WebAuthn Level 3, section 5.1."},
    "Code": _object({"code": CODE}, closed=True),
    "Confirmation": _object({"enrolment": CODE, "code": CODE}, {"label": LABEL}, closed=True),
    "Rename": _object({"label": LABEL}, closed=True),
    "Credential": _object(
        {"id": TEXT, "rawId": TEXT, "type": {"const": "public-key"}, "response": {"type": "object"}},
        {
            "authenticatorAttachment": _maybe(TEXT),
            "clientExtensionResults": {"type": "object"},
            "label": LABEL,
        },
        closed=True,
    ),
    "Problem": _object(
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
    ("/totp/verify", "post", "verifyTOTP", "Second factor or step-up by an authenticator app", "Code", "Passed"),
    ("/recovery/verify", "post", "verifyRecovery", "Second factor or step-up by a recovery code", "Code", "Passed"),
    ("/activation/verify", "post", "verifyActivation", "Open the enrolment", "Code", "Passed"),
    ("/webauthn/verify/begin", "post", "beginWebAuthn", "Options for an assertion", None, "Options"),
    ("/webauthn/verify/complete", "post", "completeWebAuthn", "The assertion", "Credential", "Passed"),
    ("/totp/enrol/begin", "post", "beginTOTPEnrolment", "A new seed, told once", None, "TOTPEnrolment"),
    ("/totp/enrol/complete", "post", "completeTOTPEnrolment", "Its first code", "Confirmation", "Passed"),
    ("/webauthn/enrol/begin", "post", "beginWebAuthnEnrolment", "Options for a credential", None, "Options"),
    ("/webauthn/enrol/complete", "post", "completeWebAuthnEnrolment", "The credential", "Credential", "Passed"),
    ("/authenticators", "get", "authenticators", "What the account has enrolled", None, "Authenticators"),
    ("/authenticators/{authenticator_id}", "patch", "rename", "Rename one", "Rename", "Authenticators"),
    ("/authenticators/{authenticator_id}", "delete", "remove", "Remove one", None, "Removed"),
    ("/recovery/renew", "post", "renewRecovery", "New recovery codes, told once", None, "Codes"),
    ("/sessions", "get", "sessions", "The account's sessions", None, "Sessions"),
    ("/sessions", "delete", "endOthers", "End all others", None, "Ended"),
    ("/sessions/{session_id}", "delete", "endSession", "End one", None, "Ended"),
    ("/notices", "get", "notices", "What the owner has not been shown yet, the newest first", None, "Notices"),
    ("/notices/seen", "post", "seeNotices", "Note that the owner has seen those up to this id", "UpTo", "Seen"),
    ("/sign-out", "post", "signOut", "End this session", None, "Passed"),
    ("/openapi.json", "get", "openapi", "This document", None, "Options"),
)


def document(settings: Settings) -> dict[str, Any]:
    """The document, as this portal serves it."""
    paths: dict[str, Any] = {}
    for path, method, name, summary, takes, gives in CALLS:
        paths.setdefault(path, {})[method] = _operation(path, method, name, summary, takes, gives)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{settings.name}: sign-in", "version": "1.0"},
        "servers": [{"url": f"{settings.base_url}{settings.url_prefix}/api/v1"}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": settings.cookie_name}},
        },
    }


def _operation(path: str, method: str, name: str, summary: str, takes: str | None, gives: str) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": _ref("Problem")}}
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "security": [{"session": []}],
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": _ref(gives)}}},
            **{status: {"description": text, "content": problem} for status, text in PROBLEMS.items()},
        },
    }
    parameters = [
        {"name": part[1:-1], "in": "path", "required": True, "schema": TEXT}
        for part in path.split("/")
        if part.startswith("{")
    ]
    if method != "get":
        token = {"name": "X-MFA-CSRF", "in": "header", "required": True, "schema": TEXT}
        parameters.append({**token, "description": "`csrf_token` of the session."})
    if parameters:
        operation["parameters"] = parameters
    if takes:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(takes)}}}
    return operation
