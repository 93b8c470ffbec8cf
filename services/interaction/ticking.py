"""Time is an event: the moment up to which all of `inbound` is resolved, on every partition of `customers`.

A pipeline that is behind stops time, so nobody who bought this morning is called silent tonight because their
event was still on its way.
"""

from datetime import datetime

from services.interaction import arrivals
from shared.kernel import Kernel
from shared.language import ClockTicked
from shared.outbox import OUTBOX
from shared.own_events import everywhere
from shared.service import Task


async def resolved_until(kernel: Kernel) -> datetime:
    """The edge's clock where `inbound` is resolved to its end; else when the first unresolved event came."""
    now = kernel.clock()
    ends = await kernel.log.ends("inbound")
    async with kernel.database.read() as conn:
        rows = await conn.fetch(
            "SELECT partition, next_offset FROM checkpoint WHERE topic = 'inbound' AND version = $1",
            kernel.service.version,
        )
    until = now
    for row in rows:
        if row["next_offset"] < ends[row["partition"]]:
            until = min(until, await _received(kernel, row["partition"], row["next_offset"], now))
    return until


async def _received(kernel: Kernel, partition: int, offset: int, now: datetime) -> datetime:
    records = await kernel.log.read("inbound", partition, offset, events=1, size=1, wait=1.0)
    if not records:
        return now
    secret = kernel.settings.inbound_secret.encode()
    if arrivals.is_ours(records[0].value, records[0].signature, secret):
        return arrivals.decode(records[0].value).receivedtime
    return records[0].recorded_at


async def tick(kernel: Kernel) -> None:
    """Append the clock to every partition."""
    at = await resolved_until(kernel)
    partitions = kernel.settings.partitions
    entries = everywhere(kernel.service.name, "clock.ticked", ClockTicked(at=at), at, partitions)
    async with kernel.database.transaction() as conn:
        await OUTBOX.append(conn, entries, at)
    kernel.outbox_hint.give()


def ticking(seconds: float) -> Task:
    """The task, about once a minute."""
    return Task(name="clock", seconds=seconds, run=tick)
