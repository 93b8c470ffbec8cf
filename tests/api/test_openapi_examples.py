"""Every operation has an example of what it takes and of what it answers, and both are so: what is shown is sent, and
what comes back has the fields that are shown."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.profile.api.identities import Identities
from shared.log import Record
from shared.quarantine import Parked, put_aside
from tests.world import SERVICES, World, world

Operation = dict[str, Any]
MEMBER = {"member_no": "M42", "phone": "+8613800138000", "email": "li.lei@example.com"}
NO_MAIL_SERVER = "smtp://127.0.0.1:9"
"""Nobody listens there: a message waits, and can be taken back."""
LAST = ("/cancel", "/retract", "DELETE")
"""What takes away what others show."""
SERIES = ("PUT", "/v1/series/{name}")


@pytest.fixture(scope="module")
async def town(postgres) -> AsyncIterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAMPAIGN_SMTP_URL", NO_MAIL_SERVER)
        patch.setenv("CAMPAIGN_MAIL_FROM", "Shop <news@shop.example>")
        async with world(postgres) as made:
            app = made.client("profile")._transport.app  # type: ignore[attr-defined]
            app.state.identities = Identities(
                made.client("interaction"), made.settings.inbound_secret
            )
            yield made


def documents(town: World) -> dict[str, dict[str, Any]]:
    return {
        service: town.client(service)._transport.app.openapi()  # type: ignore[attr-defined]
        for service in SERVICES
    }


def operations(town: World) -> list[tuple[str, str, str, Operation]]:
    """(service, method, path, operation): what makes something first, what takes it away last."""
    found = [
        (service, method.upper(), path, operation)
        for service, document in documents(town).items()
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    assert len(found) > 60

    def place(one: tuple[str, str, str, Operation]) -> int:
        _, method, path, _ = one
        if any(path.endswith(end) or method == end for end in LAST):
            return 2
        makes = "{" not in path if method == "POST" else (method, path) == SERIES
        return 0 if makes else 1

    return sorted(found, key=place)


def example_of(content: dict[str, Any]) -> Any:
    if "example" in content:
        return content["example"]
    return next(iter(content["examples"].values()))["value"]


def test_every_operation_shows_what_it_takes_and_what_it_answers(town: World):
    for _, method, path, operation in operations(town):
        told = (method, path)
        for type_, content in operation.get("requestBody", {}).get("content", {}).items():
            assert "example" in content or "examples" in content, (told, type_)
        good = [one for code, one in operation["responses"].items() if code[0] == "2"]
        shown = [content for one in good for content in one.get("content", {}).values()]
        assert "204" in operation["responses"] or shown, told
        assert all("example" in content or "examples" in content for content in shown), told
        assert operation.get("description"), told
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path" and parameter["schema"].get("format") != "uuid":
                assert _given(parameter) is not None, (told, parameter["name"])


def _given(parameter: dict[str, Any]) -> Any:
    shown = parameter.get("examples") or parameter["schema"].get("examples")
    if isinstance(shown, dict):
        return next(iter(shown.values()))["value"]
    return shown[0] if shown else parameter.get("example")


async def test_what_is_shown_is_sent_and_comes_back(town: World):
    """The whole of it, as one story: a customer who buys, asks, complains."""
    await _prepare(town)
    made: dict[str, str] = {}
    wrong: list[Any] = []
    for service, method, path, operation in operations(town):
        told = f"{method} {path}"
        places = {
            one["name"]: await _delivered(town, made)
            if one["name"] == "delivery"
            else made.get(path.split("/{")[0], "") or await _given_or_made(town, service, one)
            for one in operation.get("parameters", [])
            if one["in"] == "path"
        }
        query = {
            one["name"]: _given(one)
            for one in operation.get("parameters", [])
            if one["in"] == "query" and _given(one) is not None
        }
        for given in (places, query):
            if "customer" in given:
                given["customer"] = "member_no:M42"
        if path == "/v1/messages/{message}/resend":
            await _failed(town, places["message"])
        answer = await town.client(service).request(
            method, path.format(**places), params=query, **_sent(operation)
        )
        if not answer.is_success:
            wrong.append((told, places, query, answer.status_code, answer.text))
            continue
        wrong += _differences(told, operation, answer)
        if method == "POST" and "{" not in path and answer.status_code == 201:
            made |= {path: answer.json()["id"]} if "id" in answer.json() else {}
        await town.settled()
    assert not wrong, "\n".join(map(str, wrong))


def _sent(operation: Operation) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    return {"json": example_of(content["application/json"])} if content else {}


def _differences(told: str, operation: Operation, answer: httpx.Response) -> list[Any]:
    """Fields that are only shown or only come, also of the first item of a list."""
    content = operation["responses"].get(str(answer.status_code), {}).get("content")
    if not content:
        return [] if answer.status_code in {202, 204} else [(told, answer.status_code)]
    shown, come = example_of(content["application/json"]), answer.json()
    found = [(told, shown.keys() ^ come.keys())] if shown.keys() != come.keys() else []
    for name, items in shown.items():
        if isinstance(items, list) and items and isinstance(items[0], dict) and come.get(name):
            other = items[0].keys() ^ come[name][0].keys()
            found += [(told, name, other)] if other else []
    return found


async def _prepare(town: World) -> None:
    """Somebody to speak of, who has bought something, somebody to merge them with, and somebody to erase."""
    purchase: dict[str, Any] = {
        "id": f"e-{uuid4()}",
        "source": "till",
        "type": "purchase.completed",
        "time": datetime.now(UTC).isoformat(),
        "customer": MEMBER,
        "data": {"order_id": "A-1", "total": {"amount": "35.80", "currency": "CNY"}},
    }
    line = {"product_id": "P9", "name": "Milk", "category": "Dairy"}
    purchase["data"] |= {"items": [line]}
    other = purchase | {"id": f"e-{uuid4()}", "customer": {"member_no": "M43"}}
    other["data"] = purchase["data"] | {"order_id": "A-2"}
    third = purchase | {"id": f"e-{uuid4()}", "customer": {"member_no": "M44"}}
    third["data"] = purchase["data"] | {"order_id": "A-3"}
    answer = await town.client("interaction").post("/v1/events", json=[purchase, other, third])
    assert answer.json()["accepted"] == 3
    await town.settled()
    for _ in range(1200):  # nothing waits for what is learnt of all orders
        if (await town.client("scoring").get("/v1/forecasts/Dairy")).is_success:
            return
        await asyncio.sleep(0.05)


async def _failed(town: World, message: str) -> None:
    """Only what failed can be sent again."""
    async with town.kernels["campaign"].database.transaction() as conn:
        await conn.execute("UPDATE message SET status = 'failed' WHERE id = $1", message)


async def _delivered(town: World, made: dict[str, str]) -> str:
    """The id of a webhook's delivery."""
    path = f"/v1/webhooks/{made['/v1/webhooks']}/test"
    answer = await town.client("interaction").post(path)
    found: str = answer.json()["id"]
    return found


async def _given_or_made(town: World, service: str, parameter: dict[str, Any]) -> Any:
    if parameter["name"] != "entry_id":
        return _given(parameter)
    record = Record(0, -int(uuid4().int % 10**9), datetime.now(UTC), "k", b"{", None, None, None)
    async with town.kernels[service].database.transaction() as conn:
        entries = [Parked(record, "not_readable", "decode")]
        await put_aside(conn, service, "parked", "customers", entries)
        return await conn.fetchval("SELECT id FROM quarantine WHERE log_offset = $1", record.offset)
