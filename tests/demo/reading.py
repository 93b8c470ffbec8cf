"""Reading the request bodies back, as an outsider sees them."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from deploy.demo.plan import Plan

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
"""When the year of the tests is moved to."""


@dataclass
class Household:
    orders: int = 0
    spend: int = 0
    discount: int = 0
    last: str = ""
    last_at: datetime = LONG_AGO


@dataclass
class ReadBack:
    """What all request bodies come to."""

    households: dict[int, Household] = field(default_factory=lambda: defaultdict(Household))
    types: Counter = field(default_factory=Counter)
    lines: Counter = field(default_factory=Counter)
    quantity: int = 0
    ids: set = field(default_factory=set)
    faults: list = field(default_factory=list)
    others: list = field(default_factory=list)
    first_at: datetime | None = None
    last_at: datetime | None = None
    largest: int = 0


def cents(text: str) -> int:
    whole, fraction = text.split(".")
    assert len(fraction) == 2
    return int(whole) * 100 + int(fraction)


def _line(seen: ReadBack, item: dict) -> int:
    amount, price = cents(item["amount"]), item.get("unit_price")
    whole = item["quantity"] > 0 and amount % item["quantity"] == 0
    if whole != (price is not None) or (whole and cents(price) * item["quantity"] != amount):
        seen.faults.append(item)
    seen.lines["all"] += 1
    seen.lines["nothing counted"] += item["quantity"] == 0
    seen.lines["no record"] += "department" not in item
    seen.lines["no category"] += "category" not in item
    seen.quantity += item["quantity"]
    return amount


def _purchase(seen: ReadBack, event: dict, at: datetime) -> None:
    data, household = event["data"], seen.households[int(event["customer"]["member_no"])]
    total = cents(data["total"]["amount"])
    if sum(_line(seen, item) for item in data["items"]) != total:
        seen.faults.append(event)
    household.orders += 1
    household.spend += total
    household.discount += cents(data["discount"]["amount"])
    if at > household.last_at:
        household.last, household.last_at = event["time"], at
    seen.types["zero total"] += total == 0


def read_back(plan: Plan) -> ReadBack:
    seen = ReadBack()
    for batch in plan.batches:
        events = orjson.loads(batch.body)
        assert len(events) == batch.events
        for event in events:
            at = datetime.fromisoformat(event["time"])
            if seen.last_at and at < seen.last_at:
                seen.faults.append(event)
            seen.first_at, seen.last_at = seen.first_at or at, at
            seen.ids.add((event["source"], event["id"]))
            seen.types[event["source"], event["type"], event["data"].get("kind", "")] += 1
            seen.largest = max(seen.largest, len(orjson.dumps(event)))
            if event["type"] == "purchase.completed":
                _purchase(seen, event, at)
            else:
                seen.others.append(event)
    return seen
