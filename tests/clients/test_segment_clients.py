"""Segment's and RudderStack's own clients, unchanged, against the service."""

import asyncio
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rudderstack.analytics.client import Client as Rudder
from segment.analytics.client import Client as Segment

from tests.api.sending import Sender, unique
from tests.clients.conftest import Server
from tests.world import World

AT = datetime(2026, 11, 20, 4, 3, 11, tzinfo=UTC)
ALL = {
    "customer.described": 2,
    "customer.identified": 1,
    "interaction.recorded": 3,
    "purchase.completed": 1,
}


def publish(client: Any, user: str, order: str) -> None:
    """One call of each kind."""
    client.identify(user, {"name": "李雷", "email": f"{user}@example.com"})
    products = [{"product_id": "p-1", "name": "Monopoly", "price": 12.1, "quantity": 2}]
    properties = {"order_id": order, "total": 27.5, "currency": "USD", "products": products}
    client.track(user, "Order Completed", properties, timestamp=AT)
    client.track(user, "Signed Up", {"plan": "gold"})
    client.page(user, "Docs", "Home", {"url": "https://shop.example/"})
    client.screen(user, "Docs", "Basket")
    client.group(user, "g-1", {"name": "Initech"})
    client.alias(f"before-{user}", user)
    client.flush()
    client.join()


async def timeline(here: World, sender: Sender, user: str) -> list[dict[str, Any]]:
    await here.settled()
    entries = await sender.timeline(f"user_id:{user}")
    return [entry for entry in entries if not entry["type"].startswith("identifiers.")]


def counted(entries: list[dict[str, Any]]) -> dict[str, int]:
    types = [entry["type"] for entry in entries]
    return {type_: types.count(type_) for type_ in sorted(set(types))}


def check(entries: list[dict[str, Any]], order: str) -> None:
    """Everything came, and once."""
    assert counted(entries) == ALL
    [bought] = [entry for entry in entries if entry["type"] == "purchase.completed"]
    assert datetime.fromisoformat(bought["time"]) == AT
    data = bought["data"]
    assert (data["order_id"], data["total"]) == (order, {"amount": "27.50", "currency": "USD"})
    assert data["items"][0]["unit_price"] == "12.10"


@pytest.mark.parametrize("losing", [0, 1])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", [Segment, Rudder])
async def test_python(
    here: World, server: Server, sender: Sender, key: str, kind: Any, packed: bool, losing: int
):
    """Also where the answer to the first attempt is lost: the second one is a repeat."""
    user, order = unique("u"), unique("o")
    errors: list[Exception] = []
    server.losing = losing
    client = kind(
        key, server.url, gzip=packed, on_error=lambda error, _: errors.append(error), max_retries=3
    )
    await asyncio.to_thread(publish, client, user, order)
    assert (errors, server.statuses) == ([], [200] * (1 + losing))
    check(await timeline(here, sender, user), order)


@pytest.mark.parametrize("kind", [Segment, Rudder])
async def test_a_wrong_key_is_told_as_the_client_understands_it(server: Server, kind: Any):
    errors: list[Any] = []
    client = kind("tn_" + "0" * 32, server.url, on_error=lambda error, _: errors.append(error))
    client.track("u", "x")
    await asyncio.to_thread(client.flush)
    await asyncio.to_thread(client.join)
    [error] = errors
    assert (error.status, error.code) == (401, "invalid_credentials")
    assert "unknown" in error.message


@pytest.mark.parametrize("losing", [0, 1])
async def test_node(here: World, server: Server, sender: Sender, key: str, node: Path, losing: int):
    user, order = unique("u"), unique("o")
    server.losing = losing
    script = Path(__file__).with_name("segment.mjs")
    done = await asyncio.to_thread(
        subprocess.run,
        ["node", str(script), str(node), server.url, key, user, order],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert len(server.statuses) == 1 + losing
    check(await timeline(here, sender, user), order)
