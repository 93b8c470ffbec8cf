"""What profile would do and say, and what stands in databases byte by byte."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec

from shared.ids import new_id, partition_of
from shared.keyring import Keyring
from shared.language import CustomerErased, CustomerNumbered, CustomerRegrouped
from shared.log import Entry
from shared.own_events import own_event
from tests.api.sending import Sender, unique
from tests.world import World


def a_phone() -> str:
    return f"+86138{uuid4().int % 10**8:08d}"


@dataclass
class Profile:
    """Says on `customers` what profile would."""

    here: World
    numbers: Counter[int] = field(default_factory=Counter)

    async def says(self, *entries: Entry) -> None:
        numbered = []
        for entry in entries:
            partition = partition_of(entry.key, self.here.settings.partitions)
            self.numbers[partition] += 1
            said = msgspec.structs.replace(
                entry, origin="profile", sequence=self.numbers[partition]
            )
            numbered.append((partition, said))
        kernel = self.here.kernels["interaction"]
        await kernel.log.append("customers", await kernel.keyring.seal(numbered))

    async def numbered(self, customer: str) -> str:
        number = f"C2026{uuid4().int % 10**9:09d}"
        data = CustomerNumbered(number=number)
        now = datetime.now(UTC)
        await self.says(own_event("profile", "customer.numbered", data, now, subject=customer))
        await self.here.settled()
        return number

    async def merged(self, *parts: str) -> None:
        """Under the first one's id."""
        now = datetime.now(UTC)
        data = CustomerRegrouped(
            head=parts[0],
            parts=sorted(parts),
            revision=len(self.numbers) + 1,
            merge=new_id(),
            undone=False,
            by="chen.li",
            reason="the same",
        )
        await self.says(
            *(own_event("profile", "customer.regrouped", data, now, subject=one) for one in parts)
        )
        await self.here.settled()

    async def erases(
        self, *customers: str, at: datetime | None = None, settled: bool = True
    ) -> datetime:
        """Answer when. Processes that know the keys are not told, and remember them for a minute more."""
        at = at or datetime.now(UTC)
        await self.destroys(*customers)
        data = CustomerErased(erasure=new_id(), by="privacy.office")
        await self.says(
            *(own_event("profile", "customer.erased", data, at, subject=one) for one in customers)
        )
        if settled:
            await self.here.settled()
        return at

    async def destroys(self, *customers: str) -> None:
        keyring = Keyring(self.here.urls["keyring"], seconds=60)
        try:
            await keyring.destroy([UUID(one) for one in customers])
        finally:
            await keyring.close()


async def sent_before(here: World, at: datetime, *events: dict[str, Any]) -> None:
    """Events that the door took at a moment, and that wait on `inbound` only now."""
    door = here.client("interaction")._transport.app.state.door
    entries = []
    for event in events:
        arrival = door._judge.event(event, default_source="k", history=None, received=at)
        entries.append(door._entry(arrival))
    await here.kernels["interaction"].log.append("inbound", entries)
    await here.settled()


async def whose(sender: Sender, event: dict[str, Any]) -> str:
    """The customer of an event that was resolved."""
    async with sender.here.kernels["interaction"].database.read() as conn:
        found = await conn.fetchval(
            "SELECT customer_id FROM timeline WHERE convert_from(value, 'UTF8')::jsonb @> $1",
            {"source": event["source"], "sourceid": event["id"]},
        )
    assert found is not None, event
    return str(found)


async def rows(here: World, statement: str, *arguments: Any) -> list[dict[str, Any]]:
    async with here.kernels["interaction"].database.read() as conn:
        return [dict(row) for row in await conn.fetch(statement, *arguments)]


async def tables_with(url: str, marks: Sequence[str]) -> set[str]:
    """The tables of a database in which any of these texts stands, as text or as bytes."""
    spelled = [one.encode().hex() for one in marks]
    pattern = "|".join([*map(re.escape, marks), *spelled])
    conn = await asyncpg.connect(url)
    try:
        tables = await conn.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        return {
            name
            for (name,) in tables
            if await conn.fetchval(
                f'SELECT EXISTS (SELECT FROM "{name}" AS t WHERE t::text ~ $1)', pattern
            )
        }
    finally:
        await conn.close()


def a_mark() -> str:
    """A text that can be looked for: letters only, since identifiers are compared in lower case."""
    return unique("secret").replace("-", "")
