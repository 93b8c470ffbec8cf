"""Problem documents (RFC 9457): one shape for everything that goes wrong."""

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Scope

from shared.errors import (
    BadRequest,
    InternalError,
    MethodNotAllowed,
    NotFound,
    Problem,
    TooLarge,
    Unavailable,
    Unprocessable,
    is_data_error,
    is_passing,
    sqlstate,
)
from shared.http.answers import to_json
from shared.http.language import language_of_scope
from shared.http.validation import field_errors
from shared.words import Language, Words, say

MEDIA_TYPE = "application/problem+json"
_CONSTRAINT = "23"


def say_problem(problem: Problem, language: Language, words: Words) -> dict[str, Any]:
    """`code`, `message` and `errors` of a problem; also the shape of one rejected event."""
    return {
        "code": problem.code,
        "message": say(words, problem.code, language, **problem.params),
        "errors": [
            {
                "pointer": error.pointer,
                "code": error.code,
                "message": say(words, error.code, language, **error.params),
            }
            for error in problem.errors
        ],
    }


def document(problem: Problem, language: Language, words: Words, instance: str) -> dict[str, Any]:
    """The whole problem document. `instance` names this occurrence, without personal data."""
    return {
        "type": f"/docs/errors#{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail or say(words, problem.code, "en", **problem.params),
        "instance": instance,
        **say_problem(problem, language, words),
    }


def respond(problem: Problem, scope: Scope) -> Response:
    """The answer to a request that failed, in the caller's language."""
    language = language_of_scope(scope)
    request_id = scope.get("state", {}).get("request_id", "")
    content = document(problem, language, scope["app"].state.words, f"urn:uuid:{request_id}")
    headers = {**problem.headers, "Content-Language": language, "Vary": "Accept-Language"}
    return Response(to_json(content), problem.status, headers, MEDIA_TYPE)


def _of_http(exc: HTTPException) -> Problem:
    """What the framework raises; what it wrapped while reading a body comes out again."""
    if exc.__cause__ is not None:
        return problem_of(exc.__cause__)
    if exc.status_code == HTTPStatus.NOT_FOUND:
        return NotFound()
    if exc.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return MethodNotAllowed((exc.headers or {}).get("Allow", ""))
    if exc.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return TooLarge("too_large")
    if exc.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return BadRequest("bad_request")
    return InternalError()


def _of_validation(exc: RequestValidationError) -> Problem:
    errors = exc.errors()
    if all(error["loc"][:1] == ("path",) for error in errors):
        return NotFound()
    return Unprocessable("validation_failed", errors=field_errors(errors, exc.body))


def problem_of(exc: BaseException) -> Problem:
    """The answer that an exception amounts to."""
    if isinstance(exc, Problem):
        return exc
    if isinstance(exc, RequestValidationError):
        return _of_validation(exc)
    if isinstance(exc, HTTPException):
        return _of_http(exc)
    return _of_foreign(exc)


def _of_foreign(exc: BaseException) -> Problem:
    """What libraries raise."""
    if isinstance(exc, ClientDisconnect):
        return BadRequest("incomplete_body")
    if is_passing(exc) or isinstance(exc, asyncio.QueueFull):
        return Unavailable()
    if is_data_error(exc) and (sqlstate(exc) or "")[:2] != _CONSTRAINT:
        return Unprocessable("invalid_value")
    return InternalError()
