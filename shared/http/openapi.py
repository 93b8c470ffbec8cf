"""OpenAPI as it should read: how to authenticate, and problem documents for all errors."""

from typing import Any

from fastapi import FastAPI

_TEXT = {"type": "string"}
_FIELD = {
    "type": "object",
    "required": ["pointer", "code", "message"],
    "properties": {
        "pointer": {**_TEXT, "description": "JSON pointer into the body, or `?name` in the query."},
        "code": {**_TEXT, "description": "Stable code."},
        "message": {**_TEXT, "description": "For people, in the language of Accept-Language."},
    },
}
PROBLEM = {
    "type": "object",
    "description": "Everything that goes wrong (RFC 9457).",
    "required": ["type", "title", "status", "code", "message", "detail", "errors", "instance"],
    "properties": {
        "type": {**_TEXT, "description": "Address of the code's documentation."},
        "title": {**_TEXT, "description": "The status in words."},
        "status": {"type": "integer"},
        "code": {**_TEXT, "description": "Stable code."},
        "message": {**_TEXT, "description": "For people, in the language of Accept-Language."},
        "detail": {**_TEXT, "description": "For developers, in English."},
        "errors": {"type": "array", "items": _FIELD},
        "instance": {**_TEXT, "description": "`urn:uuid:` and the request's id."},
    },
}
_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The API key, or a token of the issuer.",
    },
    "basic": {"type": "http", "scheme": "basic", "description": "The API key as user name."},
}
_PROBLEM_ANSWER = {
    "description": "A problem document.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_OBSOLETE = ("HTTPValidationError", "ValidationError")


def _tidy_operation(operation: dict[str, Any]) -> None:
    responses = operation.setdefault("responses", {})
    responses.pop("422", None)
    responses["default"] = _PROBLEM_ANSWER


def tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """FastAPI's schema, improved in place."""
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in _OBSOLETE:
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    components["securitySchemes"] = _SECURITY
    schema["security"] = [{"bearer": []}, {"basic": []}]
    for path in schema.get("paths", {}).values():
        for operation in path.values():
            _tidy_operation(operation)
    return schema


def install(app: FastAPI) -> None:
    """Let /openapi.json answer the tidied schema, made once."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = tidy(generate())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
