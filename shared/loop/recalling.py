"""Folding what this service said and did before its database went back: in silence, and remembering it.

Facts are folded as ever. What the service announced then is not announced again: it is told from its own events on
the log. What it kept beside its rows (numbers given away, which events have come in) is put back from them, too.
When the end is reached, every row is derived once more, and the ordinary difference between told and so is said.
A customer of several parts is spoken of when the partitions of all of them are there (`Telling`).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec

from shared.codec import Event
from shared.database import Connection
from shared.ids import partition_of
from shared.keyring import Keyring
from shared.log import Log
from shared.loop.company import Company
from shared.loop.folding import Batch, Folding
from shared.loop.lease import Lease, Leases
from shared.loop.read_back import ReadBack
from shared.loop.rows import Rows
from shared.projection import Announcement, Projection
from shared.service import Service

_encode = msgspec.msgpack.Encoder().encode


def _nothing(*_: Any) -> list[Announcement]:
    return []


def _silent(projection: Projection[Any, Any, Any]) -> Projection[Any, Any, Any]:
    return replace(projection, announce=_nothing, leave=_nothing)


class Recalling(Folding):
    """The handler of a partition until it has folded what it had forgotten."""

    def __init__(
        self,
        service: Service,
        leases: Leases,
        log: Log,
        back: ReadBack,
        *,
        parked_per_hour: int,
        company: Company[Batch] | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        silent = replace(
            service, claims=None, projections=tuple(_silent(one) for one in service.projections)
        )
        rows = [Rows(projection) for projection in silent.projections]
        super().__init__(
            silent,
            leases,
            rows,
            log,
            parked_per_hour=parked_per_hour,
            company=company,
            keyring=keyring,
        )
        self._back = back

    async def settle(self, lease: Lease) -> Lease:
        """Nothing is due before all is remembered."""
        self.due = False
        return lease

    async def finish(self, lease: Lease) -> None:
        """All is remembered: whatever is not told yet is due, and the partition may speak."""
        async with self._leases.database.transaction() as conn:
            for rows in self._rows:
                await rows.mark_all_due(conn, lease.partition, also_elsewhere=True)
            await self._back.open(conn, lease)
            await self._leases.advance(conn, [(lease, lease)])

    async def _write(self, conn: Connection, batches: Sequence[Batch]) -> list[tuple[int, Any]]:
        own = [
            (event, value)
            for batch in batches
            for event, value in batch.events
            if event.origin == self._service.name
        ]
        for rows in self._rows:
            await self._tell(conn, rows, [event for event, _ in own])
        if self._service.recall is not None and own:
            await self._service.recall(conn, await self._opened(own))
        return await super()._write(conn, batches)

    async def _opened(self, own: Sequence[tuple[Event, bytes]]) -> Sequence[tuple[Event, bytes]]:
        """The same with the bytes as they were before they were sealed."""
        if self._keyring is None:
            return own
        values = await self._keyring.open([value for _, value in own])
        return [(event, value) for (event, _), value in zip(own, values, strict=True)]

    async def _tell(self, conn: Connection, rows: Rows, events: Sequence[Event]) -> None:
        """Fold announcements into what was told."""
        projection = rows.projection
        said = [event for event in events if event.subject and event.type in projection.emits]
        if not said:
            return
        keys = {UUID(event.subject) for event in said}
        partitions = self._leases.partitions
        held = await rows.hold(conn, {key: partition_of(str(key), partitions) for key in keys})
        told = {key: rows.open(held[key]).told for key in sorted(keys)}
        for event in said:
            key = UUID(event.subject)
            told[key] = projection.recalled(told[key], event)
        await conn.execute(
            f"UPDATE {projection.table.name} AS t SET told = u.told"
            " FROM unnest($1::uuid[], $2::bytea[]) AS u(customer_id, told)"
            " WHERE t.customer_id = u.customer_id",
            list(told),
            [_encode(one) for one in told.values()],
        )
