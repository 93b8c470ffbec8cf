"""What tills, web shops and surveys send to the door: events in our own spelling, by people who come again."""

import random
from collections.abc import Iterator, Sequence

import orjson

from tests.bench.client import request

CURRENCY = "CNY"
_CATEGORIES = ("Dairy", "Fruit", "Bakery", "Household", "Drinks")
PURCHASES, CONTACTS = 0.7, 0.2
"""Shares of purchases (two lines each) and of page views; the rest answers a survey."""


def events(run: str, count: int, *, customers: int, seed: int = 1) -> Iterator[dict[str, object]]:
    """So many events, no id of which another `run` has; by customers `member_no:M0` ... uniformly."""
    chance = random.Random(seed)
    for n in range(count):
        yield event(f"{run}-{n}", chance.randrange(customers), chance)


def event(id_: str, customer: int, chance: random.Random) -> dict[str, object]:
    """One event of one customer."""
    kind = chance.random()
    if kind < PURCHASES:
        type_, data = "purchase.completed", _purchase(id_, chance)
    elif kind < PURCHASES + CONTACTS:
        type_, data = "interaction.recorded", {"kind": "page_view", "channel": "web"}
    else:
        data = {"survey_id": id_, "kind": "csat", "score": chance.randint(1, 5)}
        type_ = "survey.answered"
    named = {"member_no": f"M{customer}"}
    return {"id": id_, "source": "shop", "type": type_, "customer": named, "data": data}


def _purchase(id_: str, chance: random.Random) -> dict[str, object]:
    lines = [
        {
            "product_id": f"P{chance.randrange(500)}",
            "category": chance.choice(_CATEGORIES),
            "quantity": chance.randint(1, 3),
            "amount": f"{chance.randint(1, 40)}.50",
        }
        for _ in range(2)
    ]
    total = sum(float(str(line["amount"])) for line in lines)
    money = {"amount": f"{total:.2f}", "currency": CURRENCY}
    return {"order_id": id_, "total": money, "channel": "store", "store": "7", "items": lines}


def posts(events: Sequence[dict[str, object]], size: int, key: str) -> list[bytes]:
    """`POST /v1/events`, so many events a request."""
    headers = {"Authorization": f"Bearer {key}"}
    return [
        request("POST", "/v1/events", headers=headers, body=orjson.dumps(events[n : n + size]))
        for n in range(0, len(events), size)
    ]
