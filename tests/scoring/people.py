"""Customers put straight into the rows, as the loop would have written them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.scoring.projection import SCORES
from services.scoring.projector import State, derive
from shared.database import Connection
from shared.loop.rows import Packed, Rows
from shared.projection import Policies
from tests.scoring.projector.folding import folded
from tests.strategies import START, bought, make_event

CLOCK = START + timedelta(days=200)


def customer(number: int) -> UUID:
    """A customer's id by number."""
    return UUID(int=(0x0189_0000_0000_7000_8000 << 48) + number)


def shopper(number: int) -> State:
    """Bought on 1 to 8 days, 1 to 30 days apart, some more, some less lately."""
    days = 1 + number % 8
    gap = 1 + number % 30
    return folded(
        make_event(
            bought(1000 + number, order_id=f"{number}-{day}"),
            number=number * 100 + day,
            time=START + timedelta(days=gap * day + number % 90),
        )
        for day in range(days)
    )


async def put(
    conn: Connection,
    states: Sequence[State],
    policies: Policies | None = None,
) -> None:
    """One row for each state; the first has number 1."""
    rows = Rows(SCORES)
    held = await rows.hold(conn, {customer(n): 0 for n in range(1, len(states) + 1)})
    packed = Packed()
    for number, state in enumerate(states, start=1):
        one = rows.open(held[customer(number)])
        one.state = state
        rows.pack(packed, one, derive(state, CLOCK, policies or {}))
    await rows.write(conn, packed)


def purchase(member: str, amount: str, *, order: str = "1") -> dict[str, Any]:
    """What a shop publishes about a purchase now, in CNY."""
    return {
        "id": f"{member}-{order}",
        "source": "shop",
        "type": "purchase.completed",
        "customer": {"member_no": member},
        "data": {
            "order_id": f"{member}-{order}",
            "total": {"amount": amount, "currency": "CNY"},
        },
    }
