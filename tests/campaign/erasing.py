"""People who ask to be forgotten: as profile says so, and what is left of their events."""

from collections.abc import Sequence
from uuid import UUID

from shared.codec import Event, decode, encode
from shared.ids import new_id, partition_of
from shared.keyring.sealing import seal
from shared.language import CustomerErased
from shared.outbox import OUTBOX
from shared.own_events import own_event
from tests.world import World


async def erase(here: World, *parts: str) -> None:
    """Profile says it of each part and destroys the key; wait until every service has forgotten."""
    kernel, now = here.kernels["profile"], here.kernels["profile"].clock()
    said = CustomerErased(erasure=new_id(), by="privacy.office")
    entries = [
        (
            partition_of(part, here.settings.partitions),
            own_event("profile", "customer.erased", said, now, subject=part),
        )
        for part in parts
    ]
    async with kernel.database.transaction() as conn:
        await OUTBOX.append(conn, entries, now)
    kernel.outbox_hint.give()
    await kernel.keyring.destroy([UUID(part) for part in parts])
    await here.settled()


def as_left(events: Sequence[Event]) -> list[Event]:
    """The same as they are read once the key is destroyed: without what was sealed."""
    return [_as_left(event) for event in events]


def _as_left(event: Event) -> Event:
    value = encode(
        id=event.id,
        type=event.type,
        subject=event.subject,
        time=event.time,
        receivedtime=event.receivedtime,
        source=event.source,
        sourceid=event.sourceid,
        data=event.data,
        utcoffset=event.utcoffset,
    )
    return decode(
        seal(value, None),
        origin=event.origin,
        sequence=event.sequence,
        partition=event.partition,
        offset=event.offset,
        recordedtime=event.recordedtime,
    )
