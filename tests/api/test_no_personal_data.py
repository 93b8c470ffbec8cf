"""What people are called, where they are reached and what they say stands in no log line and in no error.

Real processes on real ports, with everything logged: good and bad requests, events that no worker can use, and a
database whose own errors carry the values of the row.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from shared.log import Entry, open_log
from tests.shared.http.test_serving import free_port, until_it_answers
from tests.world import environment, fresh_databases, new_key

_MARK = uuid4().hex[:10]
MARKERS = {
    "email": f"mei-{_MARK}@example.com",
    "phone": f"+86139{uuid4().int % 10**8:08d}",
    "name": f"王梅{_MARK}",
    "text": f"She called and said {_MARK} twice",
}
EMAIL, PHONE, NAME, TEXT = MARKERS.values()


def spellings(value: str) -> set[str]:
    """How a value might look in a log: as it is, in JSON, in an address, as bytes, without its sign."""
    raw = value.encode()
    plain = {value, value.removeprefix("+"), value.lower(), value.replace(" ", "+")}
    return plain | {json.dumps(value)[1:-1], quote(value), raw.hex(), str(raw)[2:-1]}


def found_in(text: str) -> list[str]:
    return [
        f"{name} as {one!r}: ...{text[max(0, text.find(one) - 200) : text.find(one) + 200]}"
        for name, value in MARKERS.items()
        for one in spellings(value)
        if one in text
    ]


@dataclass
class There:
    """The processes, from outside."""

    urls: dict[str, str]
    ports: dict[str, int]
    client: httpx.AsyncClient
    log: Path
    answers: list[httpx.Response] = field(default_factory=list)

    async def ask(self, service: str, method: str, path: str, **sent: Any) -> httpx.Response:
        url = f"http://127.0.0.1:{self.ports[service]}{path}"
        answer = await self.client.request(method, url, **sent)
        self.answers.append(answer)
        return answer

    async def sql(self, service: str, statement: str) -> Any:
        conn = await asyncpg.connect(self.urls[service])
        try:
            return await conn.fetchval(statement)
        finally:
            await conn.close()

    async def until(self, service: str, question: str, seconds: float = 30) -> None:
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        while not await self.sql(service, question):
            assert clock() < end, question
            await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
async def there(postgres, tmp_path_factory) -> AsyncIterator[There]:
    urls = await fresh_databases(postgres)
    ports = {"interaction": free_port(), "profile": free_port()}
    log = tmp_path_factory.mktemp("logs") / "stderr"
    variables = {
        **os.environ,
        **environment(urls),
        "INTERACTION_URL": f"http://127.0.0.1:{ports['interaction']}",
        "PARTITIONS": "2",
        "LEASE_SECONDS": "3",
    }
    with log.open("wb") as stream:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.api.logged_process", *map(str, ports.values()),
            env=variables, stdout=stream, stderr=stream,
        )  # fmt: skip
    key = await new_key(urls["access"], ["admin"])
    try:
        for port in ports.values():
            await until_it_answers(f"http://127.0.0.1:{port}/healthz")
        async with httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"}, timeout=30
        ) as client:
            yield There(urls, ports, client, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def event(**changes: Any) -> dict[str, Any]:
    return {
        "id": uuid4().hex,
        "source": "crm",
        "type": "interaction.recorded",
        "customer": {"email": EMAIL, "phone": PHONE},
        "data": {"kind": "call", "content": TEXT, "subject": NAME},
    } | changes


async def send_events(there: There) -> None:
    """Good ones, bad ones, and what is no event. The type and the source say nothing about anybody, and an error may
    name them."""

    async def post(**sent: Any) -> httpx.Response:
        return await there.ask("interaction", "POST", "/v1/events", **sent)

    described = event(type="customer.described", data={"traits": {"name": NAME, "birthday": TEXT}})
    assert (await post(json=event())).status_code == 200
    bad = [
        event(time=TEXT),
        event(customer={"email": TEXT, "phone": NAME}),
        event(customer=EMAIL),
        event(customer={"user": EMAIL}),
        event(data={"kind": TEXT, "content": NAME}),
        event(data=TEXT),
        event(type="purchase.completed", data={"order_id": NAME, "total": TEXT}),
        event(type="purchase.completed", data={"order_id": 1, "total": {"amount": PHONE}}),
        event(id=7, source=[EMAIL]),
        described,
        {"traits": {"name": NAME}},
    ]
    for one in bad:
        await post(json=one)
    await post(json=bad)
    json_type = {"Content-Type": "application/json"}
    for broken in (
        f'{{"id": "{EMAIL}", '.encode(),
        f'["{NAME}"'.encode("gbk"),
        b"\0" + EMAIL.encode(),
    ):
        await post(content=broken, headers=json_type)
    await post(content=EMAIL.encode(), headers={"Content-Type": "text/plain"})
    await post(content=EMAIL.encode(), headers={**json_type, "Content-Encoding": "gzip"})
    await post(content=EMAIL.encode(), headers={"Content-Type": f"text/{_MARK}; name={EMAIL}"})


async def send_commands(there: There) -> None:
    """Good ones, refused ones, and paths and headers with somebody in them."""
    made = await there.ask(
        "profile",
        "POST",
        "/v1/customers",
        json={"name": NAME, "identifiers": {"email": EMAIL, "phone": PHONE}},
        headers={"Idempotency-Key": EMAIL},
    )
    assert made.status_code in {200, 201, 202}, made.text
    who = f"/v1/customers/email:{quote(EMAIL)}"
    asked: list[tuple[str, str, str, Any]] = [
        ("profile", "POST", f"{who}/tags", {"tag": "need:quality-first", "reason": TEXT}),
        ("profile", "POST", f"{who}/tags", {"tag": [TEXT], "reason": 7}),
        ("profile", "DELETE", f"{who}/tags/{quote(NAME)}?reason={quote(TEXT)}", None),
        ("profile", "PATCH", who, {"name": {"first": NAME}, "birthday": TEXT}),
        ("profile", "PATCH", who, {"identifiers": {"phone": TEXT, "user": EMAIL}}),
        ("profile", "PATCH", f"/v1/customers/{quote(TEXT)}", {"name": NAME}),
        ("profile", "POST", "/v1/customers", {"identifiers": {"email": NAME, "phone": TEXT}}),
        ("profile", "POST", "/v1/customers", {"name": NAME, "identifiers": {"email": EMAIL}}),
        ("profile", "PUT", "/v1/policies/tags", {"night_share": TEXT}),
        ("profile", "GET", f"/v1/customers?q={quote(EMAIL)}&sort={quote(EMAIL)}", None),
        ("profile", "GET", f"/v1/customers?cursor={quote(EMAIL)}&state={quote(NAME)}", None),
        ("profile", "GET", f"/v1/{quote(EMAIL)}", None),
        ("profile", "GET", f"/v1/customers/{quote(EMAIL)}%00", None),
        ("profile", "PROPFIND", who, None),
        ("interaction", "GET", f"/v1/timelines/phone:{quote(PHONE)}?type={quote(TEXT)}", None),
        ("interaction", "GET", f"/v1/timelines/{quote(NAME)}", None),
        ("interaction", "POST", "/v1/interactions", {"customer": {"email": EMAIL}, "kind": TEXT}),
        ("interaction", "POST", "/v1/interactions", {"customer": TEXT, "kind": "call", "at": NAME}),
        ("interaction", "POST", f"/v1/interactions/{UUID(int=1)}/retract", {"reason": TEXT}),
        ("interaction", "POST", f"/v1/interactions/{UUID(int=1)}/retract", {"reason": [TEXT]}),
        ("interaction", "POST", "/v1/complaints", {"customer": {"phone": TEXT}, "category": 7}),
        ("interaction", "POST", f"/v1/history/{quote(EMAIL)}/close", None),
        ("interaction", "POST", f"/v1/events?history={quote(EMAIL)}", event()),
    ]
    for service, method, path, body in asked:
        await there.ask(service, method, path, json=body)
    for headers in (
        {"Authorization": f"Bearer {EMAIL}"},
        {"Authorization": f"{EMAIL} {EMAIL}"},
        {"Tenure-Wait-For": EMAIL},
        {"If-Match": EMAIL, "X-Request-Id": EMAIL, "User-Agent": EMAIL},
        {"Accept-Language": EMAIL, "Prefer": f"wait={EMAIL}", "Idempotency-Key": f"{EMAIL} x"},
    ):
        for method in ("GET", "PATCH"):
            await there.ask("profile", method, who, json={"owner": NAME}, headers=headers)


async def send_no_http(there: There) -> None:
    """What the server itself has to say something about."""
    for text in (
        f"{EMAIL} / {PHONE}\r\n\r\n",
        f"GET /{EMAIL} HTTP/9\r\n\r\n",
        f"POST /v1/events HTTP/1.1\r\n{EMAIL}\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", there.ports["interaction"])
        writer.write(text.encode())
        assert EMAIL.encode() not in await reader.read()
        writer.close()


async def fail_over_rows(there: There) -> None:
    """The database refuses rows, and its errors carry them: in a command, and in the workers."""
    never = "ADD CONSTRAINT never CHECK (false) NOT VALID"
    await there.sql("profile", f"ALTER TABLE outbox {never}")
    tag = {"tag": "need:price-sensitive", "reason": TEXT}
    answer = await there.ask(
        "profile", "POST", f"/v1/customers/email:{quote(EMAIL)}/tags", json=tag
    )
    assert answer.status_code == 500
    await there.sql("profile", "ALTER TABLE outbox DROP CONSTRAINT never")
    nowhere = never.replace("false", "region IS NULL")  # the row that fails shows the region
    await there.sql("profile", f"ALTER TABLE profile {nowhere}")
    await there.sql("interaction", f"ALTER TABLE timeline {never}")
    stranger, traits = {"email": f"other-{EMAIL}"}, {"name": NAME, "region": TEXT}
    described = event(type="customer.described", customer=stranger, data={"traits": traits})
    answer = await there.ask("interaction", "POST", "/v1/events", json=described)
    assert answer.status_code == 200
    for service in ("profile", "interaction"):
        await there.until(service, "SELECT count(*) > 0 FROM quarantine WHERE kind = 'parked'")


async def produce_garbage(there: There) -> None:
    """Straight to `inbound`, where nobody judged it."""
    log = open_log(there.urls["log"], namespace="", partitions=2, replication=1, client="tests")
    records = [event(data=TEXT), event(type=NAME), {"id": EMAIL, "specversion": TEXT}]
    values = [*(json.dumps(one).encode() for one in records), TEXT.encode(), NAME.encode("gbk")]
    await log.append("inbound", [(0, Entry(key=EMAIL, value=value)) for value in values])
    await log.close()
    await there.until(
        "interaction", "SELECT count(*) >= 5 FROM quarantine WHERE kind = 'quarantined'"
    )


async def test_no_marker_is_in_any_log_or_error(there: There):
    await send_events(there)
    await there.until("profile", "SELECT count(*) > 0 FROM profile")
    await send_commands(there)
    await send_no_http(there)
    await produce_garbage(there)
    await fail_over_rows(there)
    refused = [answer for answer in there.answers if answer.status_code >= 400]
    assert {answer.status_code for answer in refused} >= {400, 401, 404, 405, 415, 422, 500}
    for answer in refused:
        assert found_in(answer.text) == [], answer.request.method
        assert found_in(str(answer.headers)) == []
    text = there.log.read_text(errors="surrogateescape")
    for line in (
        '"event":"failed"',
        '"event":"request"',
        "Invalid HTTP request",
        '"level":"error"',
    ):
        assert line in text, f"nothing to look at: no {line}"
    assert found_in(text) == []


def test_the_search_finds_what_it_looks_for():
    for value in MARKERS.values():
        for one in (
            value,
            json.dumps({"a": value}),
            quote(value),
            repr(value.encode()),
            value.encode().hex(),
        ):
            assert found_in(f"something {one} more")
