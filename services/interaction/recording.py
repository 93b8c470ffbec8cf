"""Commands: what people or tills tell us and want decided at once, in one transaction instead of over `inbound`.

They go through the same judging and the same resolving as any publisher's event, so that an order is the same
order whichever way its events come.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import Request

from services.interaction.arrivals import Arrival, door_key
from services.interaction.erasing import undisturbed
from services.interaction.judging import Judge, Refused
from services.interaction.resolver import Pending, decide
from shared.access import Caller
from shared.commands import Done, Outcome, transact
from shared.database import Connection
from shared.errors import (
    Conflict,
    FieldError,
    NotFound,
    Problem,
    TooLarge,
    Unprocessable,
    UnsupportedMediaType,
)
from shared.http.bodies import media_type, parse_json, read_body
from shared.http.idempotency import request_hash
from shared.http.validation import json_pointer
from shared.ids import new_id
from shared.kernel import Kernel
from shared.language import EVENT_TYPES
from shared.log import MAX_RECORD_BYTES, Entry, Record, check_sizes

Keep = Callable[[Connection, UUID, Arrival], Awaitable[str]]
"""Write what the service keeps besides the event, for this customer; answer what names the resource."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An event that is ready to be resolved, and the status to answer with."""

    arrival: Arrival
    keep: Keep
    status: int = 201


Prepare = Callable[[Connection], Awaitable[Prepared]]
"""Decide, under whatever locks it takes; raises Problems."""


async def read_object(request: Request) -> dict[str, Any]:
    """The body, a JSON object. Raises UnsupportedMediaType, BadRequest, Unprocessable."""
    if media_type(request) != "application/json":
        raise UnsupportedMediaType(
            "unsupported_media_type", params={"accepted": "application/json"}
        )
    body = parse_json(await read_body(request))
    if not isinstance(body, dict):
        raise Unprocessable("validation_failed", errors=[FieldError("", "not_an_object")])
    return body


def event_of(
    request: Request,
    type_: str,
    *,
    source: str,
    customer: object,
    at: object,
    data: Mapping[str, Any],
    besides: frozenset[str] = frozenset(),
) -> Arrival:
    """An event of this type, judged as a publisher's would be. `besides`: fields of `data` that the type does not
    name and that may stand there all the same. Raises Problems, whose pointers are those of a flat body."""
    kernel: Kernel = request.app.state.kernel
    unknown = sorted(data.keys() - EVENT_TYPES[type_].fields - besides)
    if unknown:
        errors = [FieldError(json_pointer([name[:64]]), "unknown_field") for name in unknown[:50]]
        raise Unprocessable("validation_failed", errors=errors)
    sent = {"id": new_id(), "type": type_, "customer": customer, "data": dict(data)}
    if at is not None:
        sent["time"] = at
    judge = Judge(kernel.settings, kernel.clock)
    try:
        return judge.event(sent, default_source=source, history=None, received=kernel.clock())
    except Refused as refused:
        raise _problem(refused) from refused


def _problem(refused: Refused) -> Problem:
    kind = TooLarge if refused.code == "event_too_large" else Unprocessable
    errors = [FieldError(_flat(e.pointer), e.code, e.params) for e in refused.errors]
    return kind(refused.code, errors=errors, params=refused.params)


def _flat(pointer: str) -> str:
    if pointer == "/time" or pointer.startswith("/time/"):
        return "/at"
    return pointer.removeprefix("/data")


def source_of(caller: Caller, body: dict[str, Any]) -> str:
    """Under whose name an order stands: the body's `source`, else the key's name. Raises Unprocessable."""
    source = body.pop("source", None)
    if source is None:
        source = caller.name
    if not isinstance(source, str):
        raise Unprocessable("validation_failed", errors=[FieldError("/source", "not_a_string")])
    if not caller.may_publish(source):
        error = FieldError("/source", "source_not_allowed", {"source": source})
        raise Unprocessable("source_not_allowed", errors=[error], params={"source": source})
    return source


async def record(request: Request, prepare: Prepare, *, command: str, key: str | None) -> Outcome:
    """Prepare, resolve and append in one transaction; then wait a moment for the timeline.

    Raises what `prepare` raises, NotFound("customer_not_found"), Conflict("customer_erased"),
    TooLarge("event_too_large").
    """
    kernel: Kernel = request.app.state.kernel

    async def do(conn: Connection, now: datetime) -> Done:
        await undisturbed(conn)
        prepared = await prepare(conn)
        entries, customer_id = await _resolved(conn, kernel, prepared.arrival, now)
        subject = await prepared.keep(conn, customer_id, prepared.arrival)
        return Done(prepared.status, subject, entries)

    digest = request_hash(request.url.path, await read_body(request))
    return await transact(request, do, command=command, key=key, digest=digest)


async def _resolved(
    conn: Connection, kernel: Kernel, arrival: Arrival, now: datetime
) -> tuple[list[tuple[int, Entry]], UUID]:
    """What is to be appended, and whose event it is."""
    key = door_key(arrival.source, arrival.id)
    # No record of `inbound` stands behind it; its id is new, so it repeats nothing.
    nowhere = Record(0, -1, now, "", b"", None, None, None)
    pending = Pending(record=nowhere, arrival=arrival, key=key, content=b"", event_id=arrival.id)
    decided = await decide(conn, [pending], kernel.settings.partitions)
    if decided.unusable:
        raise NotFound(decided.unusable[0].reason)
    if decided.erased:
        raise Conflict("customer_erased")
    try:
        check_sizes(decided.entries)
    except ValueError as error:
        raise TooLarge("event_too_large", params={"limit": MAX_RECORD_BYTES}) from error
    return decided.entries, decided.customers[0]
