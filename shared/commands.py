"""Commands: done once, in one transaction, whoever repeats them.

`transact` is what they all go through: has the same request been done before? decide; append; remember; commit.
Only then wait until the own projection has passed it. After the commit the answer is never an error.

`execute` is the command about one customer, decided under the customer's lock from what is folded and what is not
folded yet: in one statement its row and its own outbox entries behind what the projection has seen.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from fastapi import Request

from shared import audit, codec, metrics
from shared.database import Connection
from shared.errors import NotFound, Problem, Unprocessable
from shared.failpoints import hit
from shared.grouping import hold
from shared.ids import partition_of
from shared.kernel import Kernel
from shared.log import Entry
from shared.moments import said_after
from shared.outbox import OUTBOX
from shared.own_events import own_event
from shared.positions import Position, Progress, parse, render
from shared.projection import Projection
from shared.tables import ORIGINS

FOLD_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Decision:
    """One event that a command decides on."""

    type: str
    data: msgspec.Struct


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command. `status` is the one to answer; `replayed`: it was done before."""

    status: int
    subject: str
    position: str
    folded: bool
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did: the status to answer, what names the resource, and what is to be appended, by partition."""

    status: int
    subject: str
    entries: Sequence[tuple[int, Entry]] = ()


Do = Callable[[Connection, datetime], Awaitable[Done]]
"""Decide and write, under whatever locks it takes, at a time that every part of it goes by (UTC); raises
Problems."""


def headers_of(outcome: Outcome, *positions: str) -> dict[str, str]:
    """`Tenure-Position`, also of what was written before the command, and whether the command was done before."""
    position = ",".join(part for part in (*positions, outcome.position) if part)
    headers = {"Tenure-Position": position} if position else {}
    return headers | ({"Idempotent-Replay": "true"} if outcome.replayed else {})


Decide = Callable[[Any], Sequence[Decision]]
"""From the customer's state as it is now (folded and pending) to events; raises Problems."""


async def remembered(
    conn: Connection, request: Request, key: str | None, digest: bytes
) -> Outcome | None:
    """The outcome of the same request, if it was done before. Raises 422 idempotency_key_reused.

    The same key at the same time waits here: the lock is held until the first one has committed.
    """
    if key is None:
        return None
    name = _name(request, key)
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 9))", " ".join(name))
    row = await conn.fetchrow(
        "SELECT request_hash, status, subject, position FROM idempotency"
        " WHERE principal = $1 AND route = $2 AND key = $3 AND created_at > now() - interval '72 hours'",
        *name,
    )
    if row is None:
        return None
    if row["request_hash"] != digest:
        raise Unprocessable("idempotency_key_reused")
    return Outcome(row["status"], row["subject"], row["position"], folded=True, replayed=True)


async def remember(
    conn: Connection, request: Request, key: str | None, digest: bytes, outcome: Outcome
) -> None:
    """Keep the outcome for the audit trail, and for whoever sends the same key again, in the transaction that did
    the work."""
    await audit.keep(
        conn,
        request.scope,
        status=outcome.status,
        subject=outcome.subject,
        position=outcome.position,
        key=key,
    )
    if key is None:
        return
    await conn.execute(
        "INSERT INTO idempotency VALUES ($1, $2, $3, $4, $5, $6, $7, now())"
        " ON CONFLICT (principal, route, key) DO UPDATE SET request_hash = excluded.request_hash,"
        " status = excluded.status, subject = excluded.subject, position = excluded.position,"
        " created_at = excluded.created_at",
        *_name(request, key),
        digest,
        outcome.status,
        outcome.subject,
        outcome.position,
    )


def _name(request: Request, key: str) -> tuple[str, str, str]:
    """Whose key, of which resource, and which. A path may name a customer by an identifier and a key may be anything,
    and what is remembered is no place for what identifies anybody."""
    state = request.app.state
    values = request.path_params.values()
    named = (audit.masked(str(one), state.kernel.settings.inbound_secret) for one in values)
    route = " ".join((request.method, state.templates.of(request.scope), *named))
    return str(request.state.caller.id), route, audit.hash_of_key(key).hex()


async def transact(
    request: Request, do: Do, *, command: str, key: str | None = None, digest: bytes = b""
) -> Outcome:
    """Do it, unless the same request did it before; then wait a moment for the own projection.

    Raises what `do` raises, and 422 idempotency_key_reused.
    """
    kernel: Kernel = request.app.state.kernel
    name, now = kernel.service.name, kernel.clock()
    async with kernel.database.transaction() as conn:
        before = await remembered(conn, request, key, digest)
        if before is not None:
            metrics.commands.labels(name, command, "replayed").inc()
            return before
        hit("command.locked")
        try:
            done = await do(conn, now)
        except Problem:
            metrics.commands.labels(name, command, "refused").inc()
            raise
        entries = await kernel.keyring.seal(done.entries)
        numbers = await OUTBOX.append(conn, entries, now)
        position = _position(name, done.entries, numbers)
        outcome = Outcome(done.status, done.subject, position, folded=not position)
        await remember(conn, request, key, digest, outcome)
        hit("command.written")
    hit("command.committed")
    # Whatever goes wrong from here on, the answer is no error.
    request.state.committed = (outcome.subject, headers_of(outcome))
    if position:
        kernel.outbox_hint.give()
    metrics.commands.labels(name, command, "done").inc()
    return replace(outcome, folded=await wait_until_folded(request, position))


def _position(name: str, entries: Sequence[tuple[int, Entry]], numbers: Sequence[int]) -> str:
    last = {partition: number for (partition, _), number in zip(entries, numbers, strict=True)}
    return render([Position(name, partition, number) for partition, number in last.items()])


async def execute(
    request: Request,
    projection: Projection[Any, Any, Any],
    customer_id: UUID,
    decide: Decide,
    *,
    said_last: Callable[[Any], int],
    command: str,
    status: int = 200,
    key: str | None = None,
    digest: bytes = b"",
    subject: str | None = None,
    must_exist: bool = True,
) -> Outcome:
    """Decide and append; then wait a moment for the own projection. Raises what `decide` raises, and NotFound
    for a customer whom this service does not know (unless `must_exist` is False).

    For an absorbed part it is the whole customer who is decided about, and the head whom the events are said of.

    `said_last`: when a state was last told anything that may be decided here, in microseconds since 1970. Whoever
    decides now has heard all of that, so it is said after it (`shared.moments.said_after`).
    """
    kernel: Kernel = request.app.state.kernel

    async def do(conn: Connection, now: datetime) -> Done:
        parts = await hold(conn, customer_id)
        states = [await _state(conn, kernel, projection, part) for part in parts]
        known = [state for state in states if state is not None]
        if must_exist and not known:
            raise NotFound("customer_not_found")
        state = projection.grouped(known) if known else projection.state()
        # What is said of somebody is sealed with their key, and who was erased has none: until another part leads,
        # it is said of one that lives.
        alive = [
            part
            for part, one in zip(parts, states, strict=True)
            if not getattr(one, "erased", None)
        ]
        at = said_after(said_last(state), now)
        entries = _entries(kernel, (alive or parts)[0], decide(state), at)
        return Done(status, subject or str(parts[0]), entries)

    return await transact(request, do, command=command, key=key, digest=digest)


async def wait_until_folded(request: Request, position: str) -> bool:
    """Whether the own projection has passed a position, after a moment at most. Never raises: what was
    committed stands, whatever happens now."""
    kernel: Kernel = request.app.state.kernel
    progress: Progress = request.app.state.progress
    if not position:
        return True
    try:
        return await progress.reached(parse(position, kernel.settings.partitions), FOLD_SECONDS)
    except Exception:  # noqa: BLE001 - then the answer is 202
        return False


async def _state(
    conn: Connection, kernel: Kernel, projection: Projection[Any, Any, Any], customer_id: UUID
) -> Any:
    """A part as folded, with the own events that are not folded yet applied on top: both from one statement, since
    an event folded between two statements would be in neither. None for one of whom nothing is known."""
    own = ORIGINS.index(kernel.service.name) + 1
    partition = partition_of(str(customer_id), kernel.settings.partitions)
    rows = await conn.fetch(
        "SELECT r.state, o.sequence, o.value, o.recorded_at"
        " FROM (SELECT coalesce((SELECT seen[$3] FROM checkpoint"
        "  WHERE topic = 'customers' AND version = $5 AND partition = $2), 0) AS seen) AS c"
        f" LEFT JOIN {projection.table.name} AS r ON r.customer_id = $1"
        " LEFT JOIN outbox AS o ON o.partition = $2 AND o.sequence > c.seen AND o.key = $4"
        " ORDER BY o.sequence",
        customer_id,
        partition,
        own,
        str(customer_id),
        kernel.service.version,
    )
    folded = rows[0]["state"]
    pending = [row for row in rows if row["sequence"] is not None]
    if folded is None and not pending:
        return None
    state = msgspec.msgpack.decode(folded, type=projection.state) if folded else projection.state()
    for row in pending:
        event = codec.decode(
            row["value"],
            origin=kernel.service.name,
            sequence=row["sequence"],
            partition=partition,
            offset=-1,
            recordedtime=row["recorded_at"],
        )
        if event.type in projection.consumes | projection.shows:
            await kernel.keyring.reveal([(event, row["value"])])
            state = projection.evolve(state, event)
    return state


def _entries(
    kernel: Kernel, customer_id: UUID, decisions: Sequence[Decision], at: datetime
) -> list[tuple[int, Entry]]:
    service, subject = kernel.service.name, str(customer_id)
    partition = partition_of(subject, kernel.settings.partitions)
    return [
        (partition, own_event(service, one.type, one.data, at, subject=subject))
        for one in decisions
    ]
