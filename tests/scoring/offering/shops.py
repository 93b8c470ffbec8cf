"""What a shop publishes, with lines; and waiting until it is learnt from."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.world import World

NOW = datetime.now(UTC)
Line = tuple[str, str]
"""Product, category."""


def order(
    member: str, days: float, *lines: Line, name: str = "", quantity: float = 1, **changes: Any
) -> dict[str, Any]:
    """An order so many days ago; `changes` of its data."""
    order_id = name or f"{member}-{days}"
    return {
        "id": f"{order_id}-{changes.pop('event', 'bought')}",
        "source": "shop",
        "type": "purchase.completed",
        "time": (NOW - timedelta(days=days)).isoformat(),
        "customer": {"member_no": member},
        "data": {
            "order_id": order_id,
            "total": {"amount": "10.00", "currency": "CNY"},
            "items": [
                {
                    "product_id": product,
                    "name": f"The {product}",
                    "category": category,
                    "department": "Food",
                    "quantity": quantity,
                    "amount": "2.50",
                }
                for product, category in lines
            ],
        }
        | changes,
    }


def about(type_: str, member: str, id_: str, days: float = 0, **data: Any) -> dict[str, Any]:
    """Another event of a member."""
    return {
        "id": id_,
        "source": "shop",
        "type": type_,
        "time": (NOW - timedelta(days=days)).isoformat(),
        "customer": {"member_no": member},
        "data": data,
    }


async def publish(here: World, events: Sequence[dict[str, Any]]) -> None:
    """Send and wait until they are folded."""
    answer = await here.post_events(list(events))
    assert answer.json()["rejected"] == 0, answer.text
    await here.settled()


async def learnt(here: World, path: str, seconds: float = 20.0, **params: Any) -> httpx.Response:
    """The answer of a read once everything that is folded was learnt from."""
    client, until = here.client("scoring"), asyncio.get_running_loop().time() + seconds
    database = here.kernels["scoring"].database
    while True:
        async with database.read() as conn:
            known = await conn.fetchval("SELECT count(*) FROM basket")
            noted = await conn.fetchval(
                "SELECT min((note ->> 'orders')::int) FROM task WHERE name IN ('recommend', 'forecast')"
            )
        if noted is not None and noted * 1.2 >= known:
            return await client.get(path, params=params)
        assert asyncio.get_running_loop().time() < until, (known, noted)
        await asyncio.sleep(0.05)
