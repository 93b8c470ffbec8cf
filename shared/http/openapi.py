"""OpenAPI as it should read: how to authenticate, problem documents for all errors, and what bodies look like.

A schema that names itself (`shapes.named`) and whatever Pydantic puts beneath a schema (`$defs`) become components.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from fastapi import FastAPI, Path, Request
from fastapi.routing import APIRoute, iter_route_contexts

from shared.http.shapes import NAMED, REFERS
from shared.kernel import Kernel

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
_NOT_SEEN_YET = "Done, and not seen yet: reads that wait for its `Tenure-Position` will see it. Maybe only the `id`."
_OBSOLETE = ("HTTPValidationError", "ValidationError")
_SCHEMAS = "#/components/schemas/"

Schema = dict[str, Any]

Customer = Annotated[
    str,
    Path(
        description="UUID, customer number (C2026000123) or `type:value` of an identifier.",
        examples=["member_no:M42"],
    ),
]


def kernel_of(request: Request) -> Kernel:
    """The things of this process."""
    kernel: Kernel = request.app.state.kernel
    return kernel


def body(
    schema: Schema | None, example: Any = None, *, required: bool = True, **examples: Any
) -> dict[str, Any]:
    """`openapi_extra` of an operation with a JSON body. `schema`: None where FastAPI knows it; `examples` instead of
    one: by name, with a summary and a value."""
    content: dict[str, Any] = {} if schema is None else {"schema": schema}
    content |= {"examples": examples} if examples else {"example": example}
    request: dict[str, Any] = {"content": {"application/json": content}}
    if schema is not None:
        request["required"] = required
    return {"requestBody": request}


def shown(
    example: Any, description: str, *, status: int = 200, links: Mapping[str, Any] | None = None
) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: an answer as it comes, and what can be asked about it."""
    content = {"application/json": {"example": example}}
    answer: dict[str, Any] = {"description": description, "content": content}
    return {status: answer | ({"links": links} if links else {})}


def links(
    parameters: Mapping[str, str], *, reads: Sequence[str] = (), writes: Sequence[str] = ()
) -> dict[str, Any]:
    """OpenAPI's links from a write to operations about the same thing. `parameters`: where in the answer each of theirs
    stands. Reads wait until they know of the write."""
    known = {"header.Tenure-Wait-For": "$response.header.Tenure-Position"}
    asked = [(name, dict(parameters) | known) for name in reads]
    asked += [(name, dict(parameters)) for name in writes]
    return {name: {"operationId": name, "parameters": given} for name, given in asked}


def page_of(item: Any) -> dict[str, Any]:
    """An example of a list, with one item."""
    return {"items": [item], "next_cursor": None}


def _tidy_operation(method: str, operation: dict[str, Any]) -> None:
    responses = operation.setdefault("responses", {})
    if _is_command(method, operation) and "202" not in responses:
        done = responses.get("201") or responses.get("200") or {}
        if "content" in done:
            responses["202"] = {"description": _NOT_SEEN_YET, "content": done["content"]}
    responses.pop("422", None)
    responses["default"] = _PROBLEM_ANSWER
    for parameter in operation.get("parameters", []):
        parameter["schema"] = _not_null(parameter["schema"])


def _is_command(method: str, operation: dict[str, Any]) -> bool:
    """Whether it changes something at once, by its own service: events are taken by `POST`s without a key."""
    names = {parameter["name"] for parameter in operation.get("parameters", [])}
    return method in {"put", "patch", "delete"} or "Idempotency-Key" in names


def _not_null(schema: Schema) -> Schema:
    """An optional parameter is left out: there is no null in an address."""
    if "anyOf" not in schema:
        return schema
    kinds = [one for one in schema["anyOf"] if one.get("type") != "null"]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**kinds[0], **rest} if len(kinds) == 1 else {**rest, "anyOf": kinds}


def _hoisted(node: Any, schemas: dict[str, Any]) -> Any:
    """The document without schemas inside of schemas that have a name: those go into `schemas`."""
    if isinstance(node, list):
        return [_hoisted(one, schemas) for one in node]
    if not isinstance(node, dict):
        if isinstance(node, str) and node.startswith("#/$defs/"):
            return _SCHEMAS + node.removeprefix("#/$defs/")
        return node
    if REFERS in node:
        return {"$ref": _SCHEMAS + node[REFERS]}
    for name, schema in node.get("$defs", {}).items():
        _keep(name, schema, schemas)
    made = {
        key: value if key in {"example", "examples"} else _hoisted(value, schemas)
        for key, value in node.items()
        if key not in {"$defs", NAMED}
    }
    if NAMED not in node:
        return made
    _keep(node[NAMED], made, schemas)
    return {"$ref": _SCHEMAS + node[NAMED]}


def _keep(name: str, schema: Schema, schemas: dict[str, Any]) -> None:
    if name in schemas:
        return
    schemas[name] = {}  # it may speak of itself
    schemas[name] = _hoisted(schema, schemas)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path template and operation of each."""
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            yield method, path, operation


def tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """FastAPI's schema, improved in place."""
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in _OBSOLETE:
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    components["securitySchemes"] = _SECURITY
    schema["security"] = [{"bearer": []}, {"basic": []}]
    for method, _, operation in operations(schema):
        _tidy_operation(method, operation)
    hoisted: dict[str, Any] = {}
    for name, one in schemas.items():
        _keep(name, one, hoisted)
    components["schemas"] = {}
    made: dict[str, Any] = _hoisted(schema, hoisted)
    made["components"]["schemas"] = hoisted
    return made


def _show_nulls(app: FastAPI, document: dict[str, Any]) -> None:
    """FastAPI leaves every null out, also of examples: they are put in again as the routes have them."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        for method in route.methods or ():
            operation = document["paths"][route.path_format][method.lower()]
            asked = (route.openapi_extra or {}).get("requestBody")
            if asked:
                _copy_examples(asked, operation["requestBody"])
            for code, response in route.responses.items():
                _copy_examples(response, operation["responses"][str(code)])


def _copy_examples(told: dict[str, Any], into: dict[str, Any]) -> None:
    for type_, content in told.get("content", {}).items():
        names = content.keys() & {"example", "examples"}
        into["content"][type_] |= {name: content[name] for name in names}


def install(app: FastAPI) -> None:
    """Let /openapi.json answer the tidied schema, made once."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            _show_nulls(app, document)
            app.openapi_schema = tidy(document)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
