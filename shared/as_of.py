"""`?as_of=`: what a customer was at a moment, folded from the events up to then.

Interaction keeps every event of a customer; it is asked for those up to the moment, over HTTP. Two ways of counting:
`business`, by when things happened, judged by today's policies; `recorded`, by when the log took them, judged by the
policies of that time: what an answer said then. Which parts the customer had is counted in the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import httpx
import msgspec
from fastapi import Query, Request

from shared import codec
from shared.codec import Event
from shared.database import ReadConnection
from shared.errors import NotCaughtUp, NotFound, Poison, Unavailable, Unprocessable
from shared.grouping import head_of, parts_of
from shared.http.times import Moment
from shared.identity import find_customer
from shared.ids import partition_of
from shared.kernel import Kernel
from shared.policies import as_known_to
from shared.positions import Position, render
from shared.projection import Policies, Projection
from shared.tables import ORIGINS

Basis = Literal["business", "recorded"]
MOST_EVENTS = 50_000
ASK_SECONDS = 20.0
_END = datetime(2999, 1, 1, tzinfo=UTC)

AsOf = Annotated[
    Moment | None,
    Query(description="As it stood at this time; the clock's own time at most."),
]
OnBasis = Annotated[
    Basis,
    Query(
        description="What `as_of` counts: when things happened, or when they were recorded.",
    ),
]


class PastEvent(msgspec.Struct, frozen=True):
    """One event as interaction answers it."""

    customer_id: UUID
    offset: int
    recorded_at: datetime
    value: msgspec.Raw


class Past(msgspec.Struct, frozen=True):
    """The events of a customer up to a moment, each part's in the order of the log."""

    head: UUID
    parts: list[UUID]
    events: list[PastEvent]


@dataclass(frozen=True, slots=True)
class AsItWas:
    """What a projection makes of that."""

    head: UUID
    parts: list[UUID]
    state: Any
    view: Any
    told: Any
    clock: datetime | None
    policies: Policies


class Histories:
    """Asks interaction's API process, as another process of the same installation."""

    def __init__(self, kernel: Kernel, client: httpx.AsyncClient | None) -> None:
        self._kernel = kernel
        self._client = client

    @classmethod
    def of(cls, kernel: Kernel) -> Self:
        url = kernel.settings.interaction_url
        return cls(kernel, httpx.AsyncClient(base_url=url, timeout=ASK_SECONDS) if url else None)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def whole(
        self, customer_id: UUID, projection: Projection[Any, Any, Any], position: str
    ) -> Past:
        """All events of a customer that a projection reads, up to now, and at least to this position. Raises what
        `past` raises."""
        return await self.past(customer_id, _END, "recorded", types_of(projection), position)

    async def past(
        self, customer_id: UUID, at: datetime, basis: Basis, types: Sequence[str], position: str
    ) -> Past:
        """Raises Unprocessable("history_too_long"), NotCaughtUp, and Unavailable while interaction is away."""
        if self._client is None:
            raise Unavailable(detail="INTERACTION_URL is not set")
        body = {"at": at.isoformat(), "basis": basis, "types": list(types)}
        headers = {"Tenure-Secret": self._kernel.settings.inbound_secret}
        if position:
            headers["Tenure-Wait-For"] = position
        try:
            answer = await self._client.post(
                f"/internal/past/{customer_id}", json=body, headers=headers
            )
            if answer.status_code == httpx.codes.OK:
                return msgspec.json.decode(answer.content, type=Past)
        except (httpx.HTTPError, msgspec.DecodeError):
            raise Unavailable(detail="interaction does not answer") from None
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            raise Unprocessable("history_too_long", params={"limit": MOST_EVENTS})
        if answer.status_code == httpx.codes.GATEWAY_TIMEOUT:
            raise NotCaughtUp
        raise Unavailable(detail=f"interaction answers {answer.status_code}")


async def as_it_was(
    request: Request,
    projection: Projection[Any, Any, Any],
    reference: str,
    at: datetime,
    basis: Basis,
) -> AsItWas:
    """Fold what was known of a customer.

    Raises NotFound("customer_not_found") for a customer whom nobody knows and NotFound("not_known_then") before
    anything was, and what `Histories.past` raises."""
    kernel: Kernel = request.app.state.kernel
    histories: Histories = request.app.state.histories
    moment = min(at.astimezone(UTC), datetime.now(UTC))
    async with kernel.database.read() as conn:
        customer_id = await find_customer(conn, reference)
        position = await seen_of(conn, kernel, await parts_of(conn, customer_id))
        known = await conn.fetchval(
            f"SELECT EXISTS (SELECT FROM {projection.table.name} WHERE customer_id = $1)",
            await head_of(conn, customer_id),
        )
    if not known:
        raise NotFound("customer_not_found")
    past = await histories.past(customer_id, moment, basis, types_of(projection), position)
    if not past.events:
        raise NotFound("not_known_then")
    async with kernel.database.read() as conn:
        partition = partition_of(str(past.head), kernel.settings.partitions)
        until = moment if basis == "recorded" else None
        clock, policies = await as_known_to(conn, kernel.service.version, partition, until=until)
    clock = None if clock is None else min(clock, moment)
    return fold_past(projection, past, clock, policies)


async def seen_of(conn: ReadConnection, kernel: Kernel, parts: Sequence[UUID]) -> str:
    """What this service has seen of these parts: interaction must know at least as much."""
    partitions = {partition_of(str(part), kernel.settings.partitions) for part in parts}
    rows = await conn.fetch(
        "SELECT partition, seen FROM checkpoint"
        " WHERE topic = 'customers' AND version = $1 AND partition = ANY($2)",
        kernel.service.version,
        list(partitions),
    )
    return render(
        [
            Position(origin, row["partition"], number)
            for row in rows
            for origin, number in zip(ORIGINS, row["seen"], strict=True)
            if number
        ]
    )


def types_of(projection: Projection[Any, Any, Any]) -> list[str]:
    """The events that a projection folds, its own announcements among them."""
    return sorted(projection.consumes | projection.shows | projection.emits)


def fold_past(
    projection: Projection[Any, Any, Any], past: Past, clock: datetime | None, policies: Policies
) -> AsItWas:
    """What a projection makes of these events at a clock (UTC) by these policies."""
    states: dict[UUID, Any] = {part: projection.state() for part in past.parts}
    told = projection.told()
    for one in past.events:
        event = _event(one)
        if event is None:
            continue
        if event.type in projection.emits:
            if one.customer_id == past.head:
                told = projection.recalled(told, event)
        else:
            states[one.customer_id] = projection.evolve(states[one.customer_id], event)
    state = projection.grouped([states[part] for part in past.parts])
    state = projection.walked(state, policies)
    view = projection.derive(state, clock, policies)
    return AsItWas(past.head, past.parts, state, view, told, clock, policies)


def _event(one: PastEvent) -> Event | None:
    """None for what this code cannot read: it was put aside when it was folded, too."""
    try:
        return codec.decode(
            bytes(one.value),
            origin="",
            sequence=one.offset,  # of one origin the order of both is the same
            partition=0,
            offset=one.offset,
            recordedtime=one.recorded_at,
        )
    except Poison:
        return None
