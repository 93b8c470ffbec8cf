import gzip
import tracemalloc
import zlib

import httpx
import orjson
import pytest
from starlette.requests import Request

from shared.errors import BadRequest, TooLarge
from shared.http.bodies import LIMIT, media_type, read_body

JSON = {"Content-Type": "application/json"}
GZIP = {**JSON, "Content-Encoding": "gzip"}


async def post(client, content, headers=JSON, path="/v1/echo") -> httpx.Response:
    return await client.post(path, content=content, headers=headers)


async def test_a_plain_body(client):
    response = await post(client, b'{"a": 1}')
    assert response.json() == {"length": 8, "value": {"a": 1}}


async def test_a_packed_body(client):
    response = await post(client, gzip.compress(b"[1, 2]"), GZIP)
    assert response.json() == {"length": 6, "value": [1, 2]}


async def test_a_packed_body_of_several_members_in_small_chunks(client):
    packed = gzip.compress(b"[1,") + gzip.compress(b"") + gzip.compress(b"2]")

    async def bytewise():
        for byte in packed:
            yield bytes([byte])

    assert (await post(client, bytewise(), GZIP)).json()["value"] == [1, 2]


@pytest.mark.parametrize("encoding", ["identity", "IDENTITY", "x-gzip", "GZip"])
async def test_other_names_of_the_same(client, encoding):
    content = gzip.compress(b"1") if "g" in encoding.lower() else b"1"
    response = await post(client, content, {**JSON, "Content-Encoding": encoding})
    assert response.json()["value"] == 1


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "nonsense"])
async def test_an_encoding_that_is_not_read(client, encoding):
    response = await post(client, b"1", {**JSON, "Content-Encoding": encoding})
    assert response.status_code == 415
    assert response.json()["code"] == "unsupported_encoding"


@pytest.mark.parametrize(
    "content",
    [
        b"[1, 2]",
        gzip.compress(b"[1, 2]")[:-1],
        gzip.compress(b"[1, 2]")[:12],
        gzip.compress(b"[1, 2]") + b"rest",
        gzip.compress(b"[1, 2]")[:-8] + b"\0" * 8,
        zlib.compress(b"[1, 2]"),
        gzip.compress(b"") * 1000 + gzip.compress(b"1"),
    ],
    ids=["not packed", "cut", "cut early", "rest", "checksum", "zlib", "many members"],
)
async def test_broken_packing(client, content):
    response = await post(client, content, GZIP)
    assert response.status_code == 400
    assert response.json()["code"] == "invalid_encoding"


def padded(length: int) -> bytes:
    return b'"' + b"x" * (length - 2) + b'"'


@pytest.mark.parametrize("packed", [False, True])
async def test_the_limit_is_exact(client, packed):
    fits, exceeds = padded(LIMIT), padded(LIMIT + 1)
    if packed:
        fits, exceeds = gzip.compress(fits), gzip.compress(exceeds)
    headers = GZIP if packed else JSON
    assert (await post(client, fits, headers)).status_code == 200
    response = await post(client, exceeds, headers)
    assert response.status_code == 413
    assert response.json()["code"] == "too_large"
    assert str(LIMIT) in response.json()["message"]


async def test_a_declared_length_is_believed_before_anything_is_read(client):
    async def never():
        raise AssertionError
        yield b""

    for length in (str(LIMIT + 1), "9" * 400):
        response = await post(client, never(), {**JSON, "Content-Length": length})
        assert response.status_code == 413


async def test_a_stream_without_a_length_is_stopped_at_the_limit(client):
    sent = 0

    async def endless():
        nonlocal sent
        while sent < 100:
            sent += 1
            yield b" " * 1_000_000

    assert (await post(client, endless())).status_code == 413
    # The in-memory transport reads its own side to the end; the server does not keep it.


async def test_a_bomb_costs_no_more_than_an_honest_body(client):
    bomb = gzip.compress(b"\0" * 200_000_000, compresslevel=9)
    assert len(bomb) < 300_000
    tracemalloc.start()
    response = await post(client, bomb, GZIP)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert response.status_code == 413
    assert peak < 4 * LIMIT


@pytest.mark.parametrize("body", [b"", b"nope", b'{"a": NaN}', b'"\\u0000"', b"[" * 100_000])
async def test_bad_json_has_one_answer_whoever_reads_the_body(client, body):
    by_hand = await post(client, body)
    by_fastapi = await post(client, body or b" ", path="/v1/orders")
    for response in (by_hand, by_fastapi):
        assert response.status_code == 400
        assert response.json()["code"] in {"invalid_json", "invalid_text", "too_deep"}
    assert by_hand.json()["code"] == by_fastapi.json()["code"]


async def test_limits_and_packing_hold_for_fastapis_bodies_too(client):
    order = orjson.dumps({"number": "A1"})
    packed = await post(client, gzip.compress(order), GZIP, "/v1/orders")
    assert packed.status_code == 201
    large = await post(client, padded(LIMIT + 1), JSON, "/v1/orders")
    assert large.status_code == 413
    encoded = await post(client, order, {**JSON, "Content-Encoding": "br"}, "/v1/orders")
    assert encoded.status_code == 415
    deep = await post(client, b"[" * 70 + b"]" * 70, JSON, "/v1/orders")
    assert deep.json()["code"] == "too_deep"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_that_is_not_said_to_be_json(client, kind):
    response = await post(client, b"number=A1", {"Content-Type": kind}, "/v1/orders")
    assert response.status_code == 415
    assert response.json()["code"] == "unsupported_media_type"


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/vnd.x+json"])
async def test_spellings_of_json(client, kind):
    response = await post(client, b'{"number": "A1"}', {"Content-Type": kind}, "/v1/orders")
    assert response.status_code == 201


async def test_no_body_where_one_is_needed(client):
    response = await client.post("/v1/orders")
    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "missing"


def request_of(*messages: dict, **headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": pairs}
    waiting = iter(messages)

    async def receive():
        return next(waiting)

    return Request(scope, receive)


def part(body: bytes, *, more: bool = False) -> dict:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_the_body_may_be_asked_for_twice():
    request = request_of(part(b"a", more=True), part(b"b"))
    assert await read_body(request) == b"ab"
    assert await read_body(request) == b"ab"


async def test_a_connection_that_ends_too_early():
    request = request_of(part(b"[1,", more=True), {"type": "http.disconnect"})
    with pytest.raises(BadRequest) as caught:
        await read_body(request)
    assert caught.value.code == "incomplete_body"


async def test_nothing_is_read_beyond_the_limit():
    parts = [part(b" " * LIMIT, more=True), part(b" ", more=True)]
    with pytest.raises(TooLarge):  # a third read would fail otherwise
        await read_body(request_of(*parts))


async def test_an_empty_packed_body_is_empty():
    assert await read_body(request_of(part(b""), content_encoding="gzip")) == b""


def test_media_types():
    assert media_type(request_of(content_type="Application/JSON; charset=utf-8")) == (
        "application/json"
    )
    assert media_type(request_of()) == ""
