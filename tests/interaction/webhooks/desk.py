"""Whoever sends: an installation whose webhooks are sent when a test says so, at the time that it says."""

import dataclasses
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.interaction import service
from services.interaction.webhooks.missed import MISSED
from services.interaction.webhooks.sending import SENDING, send_due
from services.interaction.webhooks.trimming import TRIMMING
from shared.kernel import Kernel
from tests.api.sending import Sender, purchase, unique
from tests.world import World, world

PATH = "/v1/webhooks"
IN_EARNEST = service.SERVICE


@asynccontextmanager
async def a_world(
    postgres: Any, *, services: tuple[str, ...] = ("interaction",), sends: bool = False, **more: Any
) -> Any:
    """`sends`: by itself, as in earnest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERACTION_WEBHOOKS_PRIVATE", "true")
        left_out = () if sends else (SENDING, MISSED, TRIMMING)
        kept = tuple(one for one in IN_EARNEST.tasks if one not in left_out)
        patch.setattr(service, "SERVICE", dataclasses.replace(IN_EARNEST, tasks=kept))
        async with world(postgres, services=services, **more) as made:
            await made.settled()
            yield made


@dataclass
class Desk:
    """A test's own view."""

    here: World
    later: timedelta = timedelta(0)
    """By how much the clock of whoever sends is ahead."""
    made: list[str] = field(default_factory=list)

    @property
    def client(self) -> httpx.AsyncClient:
        return self.here.client("interaction")

    def kernel(self, **own: Any) -> Kernel:
        kernel = self.here.kernels["interaction"]
        return dataclasses.replace(
            kernel,
            clock=lambda: datetime.now(UTC) + self.later,
            own=kernel.own.model_copy(update=own),
        )

    async def add(self, url: str, *types: str, **fields: Any) -> dict[str, Any]:
        """An endpoint, with its secret."""
        body = {"url": url, "types": types or ("*",), **fields}
        answer = await self.client.post(PATH, json=body)
        assert answer.status_code == 201, answer.text
        self.made.append(answer.json()["id"])
        return answer.json()

    async def get(self, webhook: dict[str, Any]) -> dict[str, Any]:
        answer = await self.client.get(f"{PATH}/{webhook['id']}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def patch(self, webhook: dict[str, Any], **fields: Any) -> dict[str, Any]:
        answer = await self.client.patch(f"{PATH}/{webhook['id']}", json=fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, webhook: dict[str, Any], path: str, **sent: Any) -> httpx.Response:
        return await self.client.post(f"{PATH}/{webhook['id']}/{path}", **sent)

    async def deliveries(self, webhook: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
        params = {"limit": 500, **params}
        answer = await self.client.get(f"{PATH}/{webhook['id']}/deliveries", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    async def delivery(self, webhook: dict[str, Any]) -> dict[str, Any]:
        """The only one."""
        [one] = await self.deliveries(webhook)
        return one

    async def buy(self, **changes: Any) -> str:
        """A purchase of somebody new; its order."""
        order = unique("o")
        total = {"amount": "35.80", "currency": "CNY"}
        event = purchase(data={"order_id": order, "total": total}, **changes)
        await Sender(self.here).accepted(event)
        return order

    async def send(self, **own: Any) -> None:
        """What is due now."""
        await send_due(self.kernel(**own))

    async def execute(self, sql: str, *args: Any) -> None:
        async with self.here.kernels["interaction"].database.transaction() as conn:
            await conn.execute(sql, *args)

    async def value(self, sql: str, *args: Any) -> Any:
        async with self.here.kernels["interaction"].database.read() as conn:
            return await conn.fetchval(sql, *args)

    async def clear(self) -> None:
        for one in self.made:
            await self.client.delete(f"{PATH}/{one}")
