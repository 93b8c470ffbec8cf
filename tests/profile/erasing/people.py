"""People who can be told by what is known of them, and where it still stands."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.profile.test_customers_api import DAY, described, purchase, send
from tests.world import World

Receipt = dict[str, Any]


@dataclass
class Person:
    """Somebody of whom every word holds a mark that nobody else's has."""

    mark: str = field(default_factory=lambda: uuid4().hex[:12])
    id: str = ""
    number: str = ""

    @property
    def identifiers(self) -> dict[str, str]:
        return {"member_no": f"M{self.mark}", "email": f"{self.mark}@example.com"}

    @property
    def region(self) -> str:
        """Tags name regions, and which tags were told is remembered: it holds no mark."""
        return f"R{self.mark[:6]}"

    @property
    def reference(self) -> str:
        return f"member_no:M{self.mark}"

    async def meet(self, here: World, *days: int) -> "Person":
        """Buys on these days of March and is described; what people say of them comes by commands."""
        await send(
            here,
            described(self.identifiers, name=f"李 {self.mark}", region=self.region),
            *(purchase(self.identifiers, uuid4().hex, DAY.format(at)) for at in days or (2, 9)),
        )
        client = here.client("profile")
        known = (await client.get(f"/v1/customers/{self.reference}")).json()
        self.id, self.number = known["id"], known["number"]
        return self

    async def be_spoken_of(self, here: World) -> None:
        """A tag, a change of the record, both by a path that names them; a consent."""
        client, path = here.client("profile"), f"/v1/customers/{self.reference}"
        tag = {"tag": f"vip {self.mark}", "reason": f"said {self.mark}"}
        given = await client.post(f"{path}/tags", json=tag, headers=once())
        assert given.status_code in {201, 202}, given.text
        changes = {"remark": f"tall {self.mark}", "company": f"Co {self.mark}"}
        assert (await client.patch(path, json=changes)).status_code in {200, 202}
        consent = {
            "id": uuid4().hex,
            "type": "consent.changed",
            "time": DAY.format(3),
            "customer": self.identifiers,
            "data": {"channel": "sms", "granted": True, "evidence": f"form {self.mark}"},
        }
        await send(here, consent)


def once() -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex}


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def erase(here: World, customer: str, *parts: str) -> Receipt:
    body: dict[str, Any] = {"customer": customer, **({"parts": list(parts)} if parts else {})}
    answer = await here.client("profile").post("/v1/erasures", json=body)
    assert answer.status_code in {201, 202}, answer.text
    await here.settled()
    return answer.json()


async def read(here: World, customer: str, **params: Any) -> dict[str, Any]:
    answer = await here.client("profile").get(f"/v1/customers/{customer}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def done(here: World, receipt: Receipt, seconds: float = 20) -> Receipt:
    """The receipt once the erasure is done."""
    client = here.client("profile")
    for _ in range(round(seconds / 0.05)):
        found = (await client.get(f"/v1/erasures/{receipt['id']}")).json()
        if found["status"] == "done":
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def holding(here: World, service: str, mark: str) -> set[str]:
    """The tables of a service in which a mark stands, as text or within bytes."""
    texts = {mark, mark.encode().hex()}
    found = set()
    async with here.kernels[service].database.read() as conn:
        tables = await conn.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for table in (row["tablename"] for row in tables):
            rows = await conn.fetch(f"SELECT t::text AS row FROM {table} AS t")
            if any(text in row["row"] for row in rows for text in texts):
                found.add(table)
    return found
