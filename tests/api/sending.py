"""Events with names of their own, and a sender who looks at what became of them."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.world import World

TIME = "2026-11-20T12:03:11+08:00"


def unique(prefix: str = "x") -> str:
    return f"{prefix}-{uuid4().hex[:12]}"


def purchase(id_: str | None = None, **changes: Any) -> dict[str, Any]:
    """A purchase of a new customer; a change to ... leaves the field out."""
    id_ = id_ or unique("p")
    event = {
        "id": id_,
        "source": "shop",
        "type": "purchase.completed",
        "time": TIME,
        "customer": {"member_no": f"M-{id_}"},
        "data": {"order_id": f"O-{id_}", "total": {"amount": "35.80", "currency": "CNY"}},
    } | changes
    return {name: value for name, value in event.items() if value is not ...}


def contact(customer: Any, id_: str | None = None, **changes: Any) -> dict[str, Any]:
    """An interaction; `data` is added to its kind."""
    data = {"kind": "call"} | changes.pop("data", {})
    return {
        "id": id_ or unique("i"),
        "source": "crm",
        "type": "interaction.recorded",
        "time": TIME,
        "customer": customer,
        "data": data,
    } | changes


@dataclass
class Sender:
    """Talks to interaction as a publisher and a reader do."""

    here: World
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def client(self) -> httpx.AsyncClient:
        return self.here.client("interaction")

    async def post(self, events: Any, *, wait: int | None = None, **params: Any) -> httpx.Response:
        prefer = {"Prefer": f"wait={wait}"} if wait is not None else {}
        return await self.client.post(
            "/v1/events", json=events, params=params, headers=self.headers | prefer
        )

    async def get(
        self, path: str, headers: dict[str, str] | None = None, **params: Any
    ) -> httpx.Response:
        return await self.client.get(path, params=params, headers=self.headers | (headers or {}))

    async def verdicts(self, events: Any) -> list[tuple[str, str | None]]:
        """(status, code) of each event of a list."""
        answer = await self.post(events)
        assert answer.status_code == 200, answer.text
        return [(item["status"], item.get("code")) for item in answer.json()["items"]]

    async def accepted(self, *events: dict[str, Any]) -> list[str]:
        """Send events that must be good, wait until they are resolved and folded; answer their customers' ids."""
        answer = await self.post(list(events), wait=20)
        body = answer.json()
        assert body["accepted"] + body["duplicate"] == len(events), answer.text
        customers = [item["customer_id"] for item in body["items"]]
        assert all(customers), answer.text
        position = {"Tenure-Wait-For": answer.headers["Tenure-Position"]}
        for customer in dict.fromkeys(customers):
            assert (await self.get(f"/v1/timelines/{customer}", position)).status_code == 200
        return customers

    async def timeline(self, customer: Any, **params: Any) -> list[dict[str, Any]]:
        """A page of the timeline: 500 entries unless asked otherwise."""
        answer = await self.get(f"/v1/timelines/{customer}", **{"limit": 500, **params})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


def problem_of(answer: httpx.Response) -> tuple[int, str]:
    """(status, code) of a problem document, which must be a whole one."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["status"] == answer.status_code
    assert {"type", "title", "status", "code", "message", "detail", "errors", "instance"} <= set(
        body
    )
    texts = [body["message"], *(error["message"] for error in body["errors"])]
    codes = [body["code"], *(error["code"] for error in body["errors"])]
    for text, code in zip(texts, codes, strict=True):
        assert text, code
        assert text != code, f"{code} has no words"
        assert "{" not in text, f"{code} lacks a value: {text}"
    assert answer.headers["content-language"] in {"zh", "en"}
    return answer.status_code, body["code"]
