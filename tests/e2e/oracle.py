"""What a stream of events comes to, folded in plain dictionaries; shares no code with what it checks."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

Event = dict[str, Any]


def expected(events: Iterable[Event], now: datetime) -> dict[str, dict[str, Any]]:
    """By customer (`type:value` of the identifier that all their events carry)."""
    events = sorted(events, key=lambda event: datetime.fromisoformat(event["time"]))
    orders: dict[tuple[str, str], dict[str, Any]] = {}
    complaints: dict[str, dict[str, bool]] = defaultdict(dict)
    customers = set()
    for event in events:
        type_, data, who = event["type"], event["data"], _who(event)
        customers.add(who)
        if type_.startswith("purchase."):
            key = event["source"], data["order_id"]
            order = orders.setdefault(
                key, {"who": who, "version": None, "refunds": {}, "cancelled": False}
            )
            _take(order, event)
        elif type_.startswith("complaint."):
            complaints[who][data["complaint_id"]] = type_ != "complaint.resolved"
    found = {who: _customer(complaints[who]) for who in customers}
    for order in orders.values():
        _count(found[order["who"]], order)
    return {who: _finished(customer, now) for who, customer in found.items()}


def _who(event: Event) -> str:
    customer = event["customer"]
    name = "member_no" if "member_no" in customer else "cookie"
    return f"{name}:{customer[name]}"


def _take(order: dict[str, Any], event: Event) -> None:
    """Events come in the order of their times, so the last word is the latest."""
    data = event["data"]
    if event["type"] == "purchase.completed":
        order["version"], order["at"] = data, datetime.fromisoformat(event["time"])
    elif event["type"] == "purchase.refunded":
        order["refunds"][data.get("refund_id", event["id"])] = data["amount"]
    else:
        order["cancelled"] = True


def _customer(complaints: dict[str, bool]) -> dict[str, Any]:
    return {
        "orders": 0,
        "of": defaultdict(lambda: [0, Decimal(0), Decimal(0)]),
        "bought": [],
        "complaints": {"open": sum(complaints.values()), "total": len(complaints)},
    }


def _count(customer: dict[str, Any], order: dict[str, Any]) -> None:
    if order["cancelled"]:
        return
    version = order["version"]
    if version is not None:
        customer["orders"] += 1
        customer["bought"].append(order["at"])
        sums = customer["of"][version["total"]["currency"]]
        sums[0] += 1
        sums[1] += Decimal(version["total"]["amount"])
        sums[2] += Decimal(version.get("discount", {"amount": 0})["amount"])
    for refund in order["refunds"].values():
        customer["of"][refund["currency"]][1] -= Decimal(refund["amount"])


def _finished(customer: dict[str, Any], now: datetime) -> dict[str, Any]:
    of = {code: sums for code, sums in customer["of"].items() if any(sums)}
    main = min(of, key=lambda code: (-of[code][0], code), default=None)
    last = max(customer["bought"], default=None)
    recency = None
    if last is not None:
        days = [at.date() for at in customer["bought"]]
        recency = (now.astimezone(last.tzinfo).date() - max(days)) // timedelta(days=1)
    return {
        "orders": customer["orders"],
        "spend": {code: sums[1] for code, sums in of.items()},
        "main": main,
        "last": last.astimezone(UTC) if last else None,
        "recency": recency,
        "complaints": customer["complaints"],
    }
