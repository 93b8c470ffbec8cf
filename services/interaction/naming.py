"""Events that name a customer by our own id or number: whoever they name must exist."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from services.interaction.arrivals import CUSTOMER_ID, NUMBER, Arrival
from shared.database import Connection, ReadConnection
from shared.identity import digest, known


async def name_customers(
    conn: Connection | ReadConnection, arrivals: Sequence[Arrival]
) -> list[Arrival | None]:
    """The arrivals, numbers replaced by ids; None for one that names a customer whom nobody knows."""
    numbers = {one.customer[NUMBER] for one in arrivals if NUMBER in one.customer}
    ids = {one.customer[CUSTOMER_ID] for one in arrivals if CUSTOMER_ID in one.customer}
    if not numbers and not ids:
        return list(arrivals)
    keys = {number: (NUMBER, digest(NUMBER, number)) for number in numbers}
    found = await known(conn, keys.values())
    by_number = {number: str(found[key]) for number, key in keys.items() if key in found}
    rows = await conn.fetch(
        "SELECT customer_id FROM identity WHERE customer_id = ANY($1)"
        " UNION SELECT customer_id FROM shared_identifier WHERE customer_id = ANY($1)"
        " UNION SELECT customer_id FROM erased WHERE customer_id = ANY($1)",
        [UUID(id_) for id_ in ids],
    )
    existing = {str(row["customer_id"]) for row in rows} | set(by_number.values())
    return [_named(one, by_number, existing) for one in arrivals]


def _named(arrival: Arrival, by_number: dict[str, str], existing: set[str]) -> Arrival | None:
    customer = dict(arrival.customer)
    number = customer.pop(NUMBER, None)
    if number is not None:
        if number not in by_number:
            return None
        customer[CUSTOMER_ID] = by_number[number]
    if customer.get(CUSTOMER_ID, "") not in existing | {""}:
        return None
    return arrival if number is None else msgspec.structs.replace(arrival, customer=customer)
