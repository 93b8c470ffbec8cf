"""What could not be used, kept with its reason and its bytes, in the transaction that went past it.

*Quarantined*: unusable on `inbound`, a publisher's garbage; it never stops anything. *Parked*: not applicable on
`customers`, which is our own bug or a type that this code does not know yet; too many in an hour stop the partition.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Self

import orjson

from shared import metrics
from shared.database import Connection
from shared.errors import Poison, TenureError, UnknownType
from shared.ids import new_id
from shared.log import Record, Topic

UNKNOWN_TYPE = "unknown_type"


class Stopped(TenureError):  # noqa: N818 - what has become of the partition
    """Too many events of one partition could not be applied: a person must look before it goes on."""


@dataclass(frozen=True, slots=True)
class Parked:
    """One record that is put aside. `reason` is a stable code; `detail` holds no personal data."""

    record: Record
    reason: str
    stage: str
    detail: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Record, error: BaseException, stage: str) -> Self:
        if isinstance(error, UnknownType):
            detail = {"type": error.type, "dataschema": error.dataschema}
            return cls(record, UNKNOWN_TYPE, stage, detail)
        if isinstance(error, Poison):
            return cls(record, error.reason.split(":")[0], stage, {"reason": error.reason})
        return cls(record, "not_applicable", stage, {"error": type(error).__name__})


Kind = Literal["quarantined", "parked"]


async def park(conn: Connection, service: str, entries: Sequence[Parked], most: int) -> None:
    """Keep what is not applicable on `customers`; `Stopped` when an hour saw more than `most` of one partition.

    Types that this code does not know do not count: the first version that knows them applies them.
    """
    bugs = [entry for entry in entries if entry.reason != UNKNOWN_TYPE]
    if bugs:
        recent = await conn.fetchval(
            "SELECT count(*) FROM quarantine WHERE kind = 'parked' AND partition = $1 AND reason <> $2"
            " AND status = 'open' AND received_at > now() - interval '1 hour'",
            bugs[0].record.partition,
            UNKNOWN_TYPE,
        )
        if recent + len(bugs) > most:
            raise Stopped(f"partition {bugs[0].record.partition}: {bugs[0].reason}")
    await put_aside(conn, service, "parked", "customers", entries)


async def put_aside(
    conn: Connection, service: str, kind: Kind, topic: Topic, entries: Sequence[Parked]
) -> None:
    """Keep records with their reason and bytes."""
    rows = []
    for entry in entries:
        record = entry.record
        told = _told(record.value)
        rows.append(
            (
                new_id(),
                kind,
                entry.reason,
                entry.stage,
                orjson.dumps(entry.detail).decode(),
                topic,
                record.partition,
                record.offset,
                record.origin,
                record.sequence,
                told.get("type"),
                told.get("id"),
                told.get("source"),
                datetime.now(UTC),
                record.value,
            )
        )
        metrics.quarantined.labels(service, kind, entry.reason).inc()
    await conn.executemany(
        "INSERT INTO quarantine (id, kind, reason, stage, detail, topic, partition, log_offset, origin,"
        " origin_sequence, event_type, event_id, source, received_at, value)"
        " VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        rows,
    )


def _told(value: bytes) -> dict[str, str]:
    """What the bytes say of themselves, as far as they can be read."""
    try:
        body = orjson.loads(value)
    except ValueError:
        return {}
    if not isinstance(body, dict):
        return {}
    return {
        name: text[:200]
        for name in ("id", "type", "source")
        if isinstance(text := body.get(name), str) and "\0" not in text
    }
