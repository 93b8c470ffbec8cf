import asyncio
import gzip

import httpx
import pytest

from deploy.local.origin.app import Origin
from shared.settings import KernelSettings
from shared.words import MESSAGES, say


async def test_passes_on_what_was_asked_and_what_was_answered(client, upstream):
    async def echo(_scope, receive, send):
        body = (await receive())["body"]
        headers = [(b"etag", b'"1"'), (b"tenure-position", b"p"), (b"keep-alive", b"x")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    path = "/v1/customers/email:a%40b.com/tags"
    upstream.answers["/v1/customers/email:a@b.com/tags"] = echo
    response = await client.post(
        path + "?x=1&x=%20",
        content=b"{}",
        headers={"X-Forwarded-For": "forged", "Connection": "X-Hop", "X-Hop": "1", "TE": "gzip"},
    )
    assert response.status_code == 201
    assert response.content == b"{}"
    assert response.headers["etag"] == '"1"'
    assert response.headers["tenure-position"] == "p"
    assert "keep-alive" not in response.headers
    assert len(response.headers.get_list("date")) == 1
    seen = upstream.seen[0]
    assert seen["raw_path"] == path.encode()
    assert seen["query_string"] == b"x=1&x=%20"
    headers = dict(seen["headers"])
    assert headers[b"host"] == client.base_url.netloc
    assert headers[b"x-forwarded-for"] == b"127.0.0.1"
    assert headers[b"x-forwarded-host"] == client.base_url.netloc
    assert b"x-hop" not in headers
    assert b"te" not in headers


async def test_asks_for_no_encoding_that_the_caller_did_not(origin, upstream):
    host, port = origin.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /v1/tags HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 200")
    headers = dict(upstream.seen[0]["headers"])
    assert not headers.keys() & {b"accept-encoding", b"accept", b"user-agent"}
    assert not headers.keys() & {b"transfer-encoding", b"content-length"}


async def test_leaves_encoded_answers_as_they_are(client, upstream):
    packed = gzip.compress(b"[1]")

    async def zipped(_scope, _receive, send):
        headers = [(b"content-encoding", b"gzip"), (b"content-length", b"%d" % len(packed))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": packed})

    upstream.answers["/v1/tags"] = zipped
    response = await client.get("/v1/tags")
    assert response.json() == [1]
    assert response.headers["content-length"] == str(len(packed))


async def test_an_answer_streams(client, upstream):
    go_on = asyncio.Event()

    async def slowly(_scope, _receive, send):
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"two"})

    upstream.answers["/v1/timelines/x"] = slowly
    async with client.stream("GET", "/v1/timelines/x") as response:
        chunks = response.aiter_raw()
        assert await anext(chunks) == b"one"  # before the service has said the rest
        go_on.set()
        assert await anext(chunks) == b"two"


async def test_a_body_streams(client, upstream):
    first = asyncio.Event()
    got = []

    async def take(_scope, receive, send):
        more = True
        while more:
            message = await receive()
            got.append(message["body"])
            first.set()
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def body():
        yield b"one"
        await asyncio.wait_for(first.wait(), 5)  # the service has it before we send the rest
        yield b"two"

    upstream.answers["/v1/events"] = take
    response = await client.post("/v1/events", content=body())
    assert response.status_code == 204
    assert b"".join(got) == b"onetwo"


async def test_a_client_that_goes_ends_the_stream(client, upstream):
    ended = asyncio.Event()

    async def forever(_scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        ended.set()

    upstream.answers["/v1/timelines/x"] = forever
    async with client.stream("GET", "/v1/timelines/x") as response:
        assert await anext(response.aiter_raw()) == b"one"
    await asyncio.wait_for(ended.wait(), 5)


async def test_half_an_answer_is_never_taken_for_a_whole(client, upstream):
    async def breaks(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("killed")

    upstream.answers["/v1/tags"] = breaks
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/v1/tags")


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_service_that_is_away(client, language):
    response = await client.get("/v1/scores", headers={"Accept-Language": language})
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["code"] == "unavailable"
    assert problem["status"] == 503
    assert problem["message"] == say(MESSAGES, "unavailable", language)


async def test_a_service_that_dies_before_it_answers(settings, unused_port):
    async def hang_up(_reader, writer):
        writer.close()

    settings.scoring_url = f"http://127.0.0.1:{unused_port}"
    origin = Origin(settings, KernelSettings())
    async with (
        await asyncio.start_server(hang_up, "127.0.0.1", unused_port),
        httpx.AsyncClient(transport=httpx.ASGITransport(origin), base_url="http://x") as client,
    ):
        assert (await client.get("/v1/scores")).status_code == 503
    await origin.close()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/nothing",
        "/internal/recent",
        "/metrics",
        "/healthz",
        "/v1/customers/%2e%2e/%2e%2e/internal/recent",
        "/assets/../app.py",
        "/assets/nothing.css",
    ],
)
async def test_nobodys_paths(client, upstream, path):
    response = await client.get(path, headers={"Accept-Language": "en"})
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"
    assert upstream.seen == []


async def test_own_pages_are_for_reading(client):
    response = await client.post("/status.json")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"
    assert (await client.head("/")).status_code == 200
