"""Are the rows still what the events add up to? Every minute a few customers are folded again and compared.

A row that differs is a defect of ours: the fold is not what it should be, something wrote past it, or the row was made
by other code. `drift_checks_total` counts what was found; a rebuild makes the rows right.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog

from shared import metrics
from shared.as_of import Histories, Past, fold_past, seen_of
from shared.database import Row
from shared.errors import Problem
from shared.ids import partition_of
from shared.kernel import Kernel
from shared.policies import load_policies
from shared.projection import Projection

DRIFT_SECONDS = 60.0
CUSTOMERS = 5
OUTCOMES = ("same", "differs", "skipped")
_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_logger = structlog.get_logger(__name__)


async def check_drift(kernel: Kernel) -> None:
    """Fold a few customers of each projection again."""
    histories = Histories.of(kernel)
    try:
        for projection in kernel.service.projections:
            for row in await _sample(kernel, projection):
                outcome = await check(kernel, histories, projection, row["customer_id"])
                metrics.drift_checks.labels(kernel.service.name, outcome).inc()
    finally:
        await histories.close()


async def _sample(kernel: Kernel, projection: Projection[Any, Any, Any]) -> list[Row]:
    """Some heads, by chance: one page in a hundred where there are many."""
    table = projection.table.name
    async with kernel.database.read() as conn:
        many = await conn.fetchval(
            "SELECT reltuples > 10000 FROM pg_class WHERE oid = to_regclass($1)", table
        )
        chance = "TABLESAMPLE SYSTEM (1)" if many else ""
        return await conn.fetch(
            f"SELECT customer_id FROM {table} {chance} WHERE head = customer_id AND view <> ''"
            " ORDER BY random() LIMIT $1",
            CUSTOMERS,
        )


async def check(
    kernel: Kernel,
    histories: Histories,
    projection: Projection[Any, Any, Any],
    customer_id: UUID,
) -> str:
    """`same`, `differs`, or `skipped`: it is due, a backfill is open, or interaction cannot be asked or does not know
    yet what was folded here."""
    table = projection.table.name
    async with kernel.database.snapshot() as conn:
        row = await conn.fetchrow(
            f"SELECT view, due_at, history FROM {table} WHERE customer_id = $1 AND head = $1",
            customer_id,
        )
        parts = await conn.fetch(
            f"SELECT customer_id, history FROM {table} WHERE head = $1", customer_id
        )
        places = await conn.fetch(
            "SELECT partition, next_offset, clock FROM checkpoint"
            " WHERE topic = 'customers' AND version = $1",
            kernel.service.version,
        )
        home = partition_of(str(customer_id), kernel.settings.partitions)
        policies = await load_policies(conn, home)
        position = await seen_of(conn, kernel, [part["customer_id"] for part in parts])
    offsets = {place["partition"]: place["next_offset"] for place in places}
    clock = next((place["clock"] for place in places if place["partition"] == home), None)
    if row is None or any(part["history"] for part in parts) or _due(row["due_at"], clock):
        return "skipped"
    try:
        past = await histories.whole(customer_id, projection, position)
    except Problem:
        return "skipped"
    known = {part["customer_id"] for part in parts}
    if past.head != customer_id or set(past.parts) != known:
        return "skipped"  # merged or split a moment ago
    past = _up_to(past, offsets, kernel.settings.partitions)
    made = fold_past(projection, past, clock, policies)
    if _encode(msgspec.to_builtins(made.view)) == _encode(
        msgspec.to_builtins(msgspec.msgpack.decode(row["view"], type=projection.view))
    ):
        return "same"
    if await kernel.keyring.destroyed(known):
        return (
            "skipped"  # erased a moment ago: the row does not know it yet, or interaction did not
        )
    _logger.error(
        "row_differs_from_its_events", projection=projection.name, customer=str(customer_id)
    )
    return "differs"


def _due(due_at: datetime | None, clock: datetime | None) -> bool:
    return due_at is not None and clock is not None and due_at <= clock


def _up_to(past: Past, offsets: dict[int, int], partitions: int) -> Past:
    """Only what this service had folded when the row was read."""
    events = [
        one
        for one in past.events
        if one.offset < offsets.get(partition_of(str(one.customer_id), partitions), 0)
    ]
    return Past(past.head, past.parts, events)
