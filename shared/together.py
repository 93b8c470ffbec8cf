"""Customers as if they were one: what a merge of them would make, and what several parts amount to. Read only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from shared.database import ReadConnection
from shared.kernel import Kernel
from shared.policies import as_known_to
from shared.projection import Policies, Projection

MOST = 50


class Together(BaseModel):
    """Customers to be seen as one; the first is the one under whose id they would be known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parts: list[UUID] = Field(min_length=1, max_length=MOST)


@dataclass(frozen=True, slots=True)
class Whole:
    """Several customers, and what they would be together."""

    before: dict[UUID, Any]
    """The view of each as it is; of whom nothing is known here there is none."""
    told: dict[UUID, Any]
    """What was said of each."""
    state: Any
    view: Any
    clock: datetime | None
    policies: Policies


async def whole(
    conn: ReadConnection,
    projection: Projection[Any, Any, Any],
    heads: Sequence[UUID],
    version: int,
) -> Whole:
    """Fold what is known of these customers, each with all parts, as the loop would if they were one: at the clock
    of the first one's partition, by its policies. `version`: of the service."""
    table = projection.table.name
    rows = await conn.fetch(
        f"SELECT customer_id, head, partition, state, view, told FROM {table}"
        " WHERE head = ANY($1) ORDER BY array_position($1, head), head <> customer_id, customer_id",
        list(heads),
    )
    state = msgspec.msgpack.Decoder(projection.state).decode
    states = {
        row["customer_id"]: state(row["state"]) if row["state"] else projection.state()
        for row in rows
    }
    await _put_items(conn, projection, states)
    partition = rows[0]["partition"] if rows else 0
    clock, policies = await as_known_to(conn, version, partition)
    made = projection.grouped(list(states.values())) if states else projection.state()
    made = projection.walked(made, policies)
    tops = [row for row in rows if row["head"] == row["customer_id"]]
    view, told = (
        msgspec.msgpack.Decoder(kind).decode for kind in (projection.view, projection.told)
    )
    return Whole(
        before={row["customer_id"]: view(row["view"]) for row in tops if row["view"]},
        told={row["customer_id"]: told(row["told"]) for row in tops if row["told"]},
        state=made,
        view=projection.derive(made, clock, policies),
        clock=clock,
        policies=policies,
    )


async def _put_items(
    conn: ReadConnection, projection: Projection[Any, Any, Any], states: dict[UUID, Any]
) -> None:
    if projection.items_table is None or projection.item is None:
        return
    item = msgspec.msgpack.Decoder(projection.item).decode
    for row in await conn.fetch(
        f"SELECT customer_id, item, state FROM {projection.items_table.name} WHERE customer_id = ANY($1)",
        list(states),
    ):
        states[row["customer_id"]].items[row["item"]] = item(row["state"])


async def asked(request: Request, projection: Projection[Any, Any, Any], body: Together) -> Whole:
    """The same, of one moment of this service's database."""
    kernel: Kernel = request.app.state.kernel
    async with kernel.database.snapshot() as conn:
        return await whole(conn, projection, body.parts, kernel.service.version)
