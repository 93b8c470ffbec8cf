"""What a shop says through clients that are nobody's but their makers', and what must come of it."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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


def publish_with_node(folder: Path, host: str, key: str, user: str, order: str) -> None:
    """The same, through Segment's client for Node."""
    script = Path(__file__).with_name("segment.mjs")
    done = subprocess.run(
        ["node", str(script), str(folder), host, key, user, order],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def counted(entries: list[dict[str, Any]]) -> dict[str, int]:
    """How many of each type, without what they brought of identifiers."""
    types = [one["type"] for one in entries if not one["type"].startswith("identifiers.")]
    return {type_: types.count(type_) for type_ in sorted(set(types))}


def check(entries: list[dict[str, Any]], order: str) -> None:
    """Everything came, and once."""
    assert counted(entries) == ALL
    [bought] = [entry for entry in entries if entry["type"] == "purchase.completed"]
    assert datetime.fromisoformat(bought["time"]) == AT
    data = bought["data"]
    assert (data["order_id"], data["total"]) == (order, {"amount": "27.50", "currency": "USD"})
    assert data["items"][0]["unit_price"] == "12.10"
