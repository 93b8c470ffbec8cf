"""A company that writes to its customers: people to write to, a mail server, and what is asked of the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from services.campaign.settings import Settings
from services.campaign.words import WHY_NOT
from shared.kernel import Kernel
from tests.campaign.messaging.sink import Sink
from tests.world import World

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
"""20:00 in Shanghai."""
SERVICES = ("interaction", "profile", "campaign")
SENDER = "小店 <news@shop.example>"


@dataclass
class Office:
    """What tests ask for."""

    here: World
    sink: Sink

    @property
    def client(self) -> httpx.AsyncClient:
        return self.here.client("campaign")

    @property
    def api(self) -> Kernel:
        return self.client._transport.app.state.kernel  # type: ignore[attr-defined]

    @property
    def worker(self) -> Kernel:
        return self.here.kernels["campaign"]

    def set(self, **settings: Any) -> None:
        """Settings of the API and, where it runs, of the worker."""
        for kernel in (self.api, self.here.kernels.get("campaign")):
            if kernel is not None:
                for name, value in settings.items():
                    assert name in Settings.model_fields
                    setattr(kernel.own, name, value)

    def open(self, **more: Any) -> None:
        """Mail is sent, by the usual rules."""
        usual = {name: field.default for name, field in Settings.model_fields.items()}
        del usual["database_url"]
        self.set(
            **usual | {"smtp_url": self.sink.url, "mail_from": SENDER, "mail_seconds": 2.0} | more
        )
        self.sink.on_mail = self.sink.on_rcpt = self.sink.on_data = lambda _: None

    def close(self) -> None:
        """No mail server is set up."""
        self.set(smtp_url="")

    async def somebody(
        self,
        name: str = "",
        *,
        consent: bool | None = True,
        address: bool = True,
        traits: Mapping[str, Any] | None = None,
    ) -> str:
        """A new customer: `member_no`, whose address is made of it."""
        member = name or f"m{uuid4().hex[:10]}"
        who = {"member_no": member} | ({"email": self.address(member)} if address else {})
        events = [event("customer.described", who, {"traits": dict(traits or {})})]
        if consent is not None:
            events.append(self.consent(who, granted=consent))
        await self.happens(*events)
        return member

    @staticmethod
    def address(member: str) -> str:
        return f"{member}@example.com"

    @staticmethod
    def consent(who: Mapping[str, str], *, granted: bool, topic: str | None = None, **more) -> Any:
        return event(
            "consent.changed", who, {"channel": "email", "granted": granted, "topic": topic}, **more
        )

    async def happens(self, *events: Any) -> None:
        answer = await self.here.post_events(list(events))
        assert answer.json()["rejected"] == 0, answer.text
        await self.here.settled()

    async def write(self, member: str, *, key: str | None = None, **more: Any) -> httpx.Response:
        body = {
            "customer": f"member_no:{member}",
            "channel": "email",
            "purpose": "marketing",
            "subject": "您好",
            "text": "新品上市。",
        } | more
        headers = {"Idempotency-Key": key} if key else {}
        return await self.client.post("/v1/messages", json=body, headers=headers)

    async def written(self, member: str, **more: Any) -> str:
        """The id of a message that was asked for."""
        answer = await self.write(member, **more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def read(self, message: str) -> dict[str, Any]:
        answer = await self.client.get(f"/v1/messages/{message}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def became(self, message: str) -> tuple[str, str | None]:
        """Status and reason, once nothing is due."""
        await self.here.settled()
        found = await self.read(message)
        if found["reason"] is not None:
            assert WHY_NOT[found["reason"]]["en"][:20] == found["explanation"][:20], "in words"
        return found["status"], found["reason"]

    async def do(self, message: str, what: str, **body: Any) -> httpx.Response:
        return await self.client.post(f"/v1/messages/{message}/{what}", json=body or None)

    def arrived(self, member: str) -> list[str]:
        """The texts of what came to them."""
        return [one.get_content() for one in self.sink.mails(self.address(member))]

    async def told(self, message: str) -> list[dict[str, Any]]:
        """What campaign has said of a message on the log, as the timeline has it."""
        member = (await self.read(message))["customer_id"]
        url = f"/v1/timelines/{member}?limit=200"
        items = (await self.here.client("interaction").get(url)).json()["items"]
        return [one for one in items if one["data"].get("message_id") == message]

    async def rows(self, sql: str, *args: Any) -> list[Any]:
        async with self.api.database.transaction() as conn:
            return await conn.fetch(sql, *args)


def event(
    type_: str, who: Mapping[str, str], data: Mapping[str, Any], *, ago: timedelta = timedelta(0)
) -> dict[str, Any]:
    return {
        "id": f"e-{uuid4()}",
        "source": "shop",
        "type": type_,
        "time": (NOW - ago).isoformat(),
        "customer": dict(who),
        "data": {key: value for key, value in data.items() if value is not None},
    }
