"""The JSON schemas that the API's document is put together of."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
CODE: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 128}
NUMBER: Final[Schema] = {"type": "number"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
LABEL: Final[Schema] = {"type": "string", "maxLength": 60}


def plain_object(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object that may have further members."""
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def closed_object(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object that has these members and no others."""
    return {**plain_object(required, optional), "additionalProperties": False}


def maybe(schema: Schema) -> Schema:
    """A value that may be null."""
    return {"oneOf": [schema, {"type": "null"}]}


def list_of(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
