"""The manners that every operation of every service has: what is bad is answered with a problem document, never with
a failure of ours."""

import gzip
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import orjson
import pytest

from tests.api.sending import problem_of
from tests.world import SERVICES, World, world

JSON = {"Content-Type": "application/json"}
FIELDS = ("customer", "kind", "category", "total", "order_id", "to", "name", "tag", "rule")
DEEP = b"[" * 2000 + b"]" * 2000
BODIES: dict[str, tuple[bytes, dict[str, str]]] = {
    "nothing": (b"", JSON),
    "no JSON": (b"{", JSON),
    "bytes": (b"\xff\xfe\x00", JSON),
    "null": (b"null", JSON),
    "a number": (b"7", JSON),
    "a text": (b'"x"', JSON),
    "a list of nothing": (b"[null]", JSON),
    "NaN": (b'{"id": NaN}', JSON),
    "2^70": (b'{"id": 1180591620717411303424, "limit": 1e400}', JSON),
    "NUL": (
        b'{"name": "a\\u0000b", "note": "\\u0000", "tag": "\\u0000", "customer": "\\u0000"}',
        JSON,
    ),
    "half a pair": (b'{"name": "\\ud800", "note": "\\ud800", "tag": "\\ud800"}', JSON),
    "deep": (DEEP, JSON),
    "an unknown field": (b'{"no such field": 1}', JSON),
    "wrong types": (
        orjson.dumps({name: [{"x": [1.5, None]}] for name in FIELDS}),
        JSON,
    ),
    "another type": (b"{}", {"Content-Type": "text/plain"}),
    "not gzip": (b"{}", JSON | {"Content-Encoding": "gzip"}),
    "half a gzip": (gzip.compress(b"{}")[:-3], JSON | {"Content-Encoding": "gzip"}),
    "another encoding": (b"{}", JSON | {"Content-Encoding": "br"}),
    "5 MB": (b'"' + b"x" * (5 << 20) + b'"', JSON),
    "a bomb": (gzip.compress(b" " * (50 << 20)), JSON | {"Content-Encoding": "gzip"}),
}
PLACES = (
    "x",
    "member_no:nobody",
    "C2026999999",
    "01934b5c-7a00-7000-8000-0000000000ff",
    "%00",
    "%ED%A0%80",
    "..%2F..%2Fetc",
    "email:%27%20OR%201%3D1",
    "9" * 300,
)
QUERIES = (
    {"limit": "-1"},
    {"limit": "9" * 30},
    {"cursor": "bogus"},
    {"cursor": "WyIyMDI2LTAxLTAxIl0"},
    {"sort": "no such field"},
    {"count": "maybe"},
    {"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59-14:00"},
    {"from": "yesterday"},
    {"status": "\0", "state": "\0", "type": "\0", "customer": "\0", "q": "\0"},
    {"customer": "nobody", "kind": "dance", "churn_band": "very"},
)
HEADERS = (
    {"Idempotency-Key": "x" * 300},
    {"If-Match": "not quoted"},
    {"Tenure-Wait-For": "nonsense"},
    {"Accept-Language": "\xe4;q=zh,*;q=nan"},
    {"Prefer": "wait=-1"},
)


@pytest.fixture(scope="module")
async def whole(postgres) -> AsyncIterator[World]:
    async with world(postgres) as made:
        yield made


Operation = tuple[str, str, str]
"""(service, method, path template)"""


async def operations(here: World) -> list[Operation]:
    found = []
    for service in SERVICES:
        app = here.client(service)._transport.app  # type: ignore[attr-defined]
        for path, item in app.openapi()["paths"].items():
            found += [(service, method.upper(), path) for method in item]
    assert len(found) > 30
    return found


def fill(path: str, value: str) -> str:
    """The template with this in every place."""
    parts = [value if part.startswith("{") else part for part in path.split("/")]
    return "/".join(parts)


async def ask(
    here: World, operation: Operation, place: str = "x", **request: Any
) -> httpx.Response:
    service, method, path = operation
    return await here.client(service).request(method, fill(path, place), **request)


def complained(answer: httpx.Response, what: object) -> None:
    assert answer.status_code < 500, (what, answer.text)
    if answer.status_code >= 400:
        problem_of(answer)


def writes(found: list[Operation]) -> Iterator[Operation]:
    return (one for one in found if one[1] not in {"GET", "HEAD"})


async def test_bad_bodies(whole: World):
    cases = list(itertools.product(writes(await operations(whole)), BODIES.items()))
    assert len(cases) >= 300
    refused = 0
    for operation, (name, (body, headers)) in cases:
        answer = await ask(whole, operation, content=body, headers=headers)
        complained(answer, (operation, name))
        refused += answer.status_code >= 400
    assert refused > len(cases) * 0.7


async def test_bad_places_queries_and_headers(whole: World):
    found = await operations(whole)
    for operation in found:
        if "{" in operation[2]:
            for place in PLACES:
                complained(await ask(whole, operation, place, json={}), (operation, place))
        if operation[1] == "GET":
            for query in QUERIES:
                complained(await ask(whole, operation, params=query), (operation, query))
        for headers in HEADERS:
            raw = {key: value.encode("latin-1") for key, value in headers.items()}
            complained(await ask(whole, operation, headers=raw, json={}), (operation, headers))


async def test_every_operation_asks_for_a_key(whole: World):
    for operation in await operations(whole):
        for authorization in ("", "Bearer nonsense", "Basic !!!", "Bearer a.b.c", "Digest x"):
            answer = await ask(whole, operation, headers={"Authorization": authorization})
            assert answer.status_code in {401, 429}, (operation, authorization, answer.text)
            problem_of(answer)


async def test_every_operation_has_an_example_and_words_for_its_answer(whole: World):
    for service in SERVICES:
        app = whole.client(service)._transport.app  # type: ignore[attr-defined]
        for path, item in app.openapi()["paths"].items():
            for method, operation in item.items():
                assert operation.get("description"), (method, path)
                good = [code for code in operation["responses"] if code[:1] == "2"]
                assert good, (method, path)


async def test_other_methods_are_named(whole: World):
    answer = await whole.client("interaction").request("TRACE", "/v1/events")
    assert problem_of(answer) == (405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]
    answer = await whole.client("profile").request("TRACE", "/v1/customers/summary")
    assert answer.headers["allow"] == "GET", "not what any customer's path takes"
