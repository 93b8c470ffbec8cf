"""Endpoints: where events are sent to, as people edit them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import msgspec

from services.interaction.webhooks.signing import Secrets
from shared.database import Connection, ReadConnection, Row
from shared.errors import Conflict, NotFound
from shared.http.etags import etag_of
from shared.kernel import Kernel

MOST = 50
GONE, FAILING = "gone", "failing"
"""Why we gave an endpoint up."""

_PLACES = """
INSERT INTO webhook_place (partition, next_offset)
SELECT p, coalesce(c.next_offset, 0) FROM generate_series(0, $1 - 1) AS p
LEFT JOIN checkpoint AS c ON c.partition = p AND c.topic = 'customers' AND c.version = $2
ORDER BY p
ON CONFLICT (partition) DO UPDATE
SET next_offset = excluded.next_offset, missed_from = NULL, missed_to = NULL
"""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One row."""

    id: UUID
    url: str
    types: tuple[str, ...]
    description: str
    enabled: bool
    secrets: Secrets
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_why: str | None

    @classmethod
    def of(cls, row: Row) -> Self:
        fields: dict[str, Any] = {name: row[name] for name in cls.__struct_fields__}
        return cls(**{**fields, "types": tuple(row["types"])})

    @property
    def etag(self) -> str:
        """Of what people edit."""
        newest = self.secrets[0]["nonce"]
        return etag_of([str(self.id), self.url, self.types, self.description, self.enabled, newest])


_COLUMNS = ", ".join(Endpoint.__struct_fields__)


async def find(conn: Connection | ReadConnection, webhook: UUID) -> Endpoint:
    """Raises NotFound."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM webhook WHERE id = $1 AND deleted_at IS NULL", webhook
    )
    if row is None:
        raise NotFound("webhook_not_found")
    return Endpoint.of(row)


async def find_enabled(conn: Connection | ReadConnection, webhook: UUID) -> Endpoint:
    """Raises NotFound, Conflict."""
    one = await find(conn, webhook)
    if not one.enabled:
        raise Conflict("webhook_disabled")
    return one


async def list_endpoints(
    conn: ReadConnection, after: UUID | None, limit: int
) -> tuple[Sequence[Endpoint], int]:
    """In the order in which they were made (their ids are), and how many there are."""
    rows = await conn.fetch(f"SELECT {_COLUMNS} FROM webhook WHERE deleted_at IS NULL ORDER BY id")
    found = [Endpoint.of(row) for row in rows]
    return [one for one in found if after is None or one.id > after][:limit], len(rows)


async def lock(conn: Connection) -> None:
    """One edits at a time."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('webhooks', 14))")


async def insert(conn: Connection, kernel: Kernel, one: Endpoint) -> None:
    """Keep a new one, under `lock`. Raises Conflict where there are too many."""
    if await conn.fetchval("SELECT count(*) FROM webhook WHERE deleted_at IS NULL") >= MOST:
        raise Conflict("too_many_webhooks", params={"limit": MOST})
    if one.enabled:
        await _begin(conn, kernel)
    await conn.execute(
        f"INSERT INTO webhook ({_COLUMNS})"
        " VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9, $10, $11, $12, $13)",
        *(getattr(one, name) for name in Endpoint.__struct_fields__),
    )


async def update(conn: Connection, kernel: Kernel, before: Endpoint, one: Endpoint) -> None:
    """Keep what has become of it, under `lock`."""
    if one.enabled and not before.enabled:
        await _begin(conn, kernel)
    await conn.execute(
        "UPDATE webhook SET url = $2, types = $3, description = $4, enabled = $5, secrets = $6::jsonb,"
        " updated_at = $7, updated_by = $8, failing_since = $9, disabled_at = $10, disabled_why = $11"
        " WHERE id = $1",
        one.id,
        one.url,
        one.types,
        one.description,
        one.enabled,
        one.secrets,
        one.updated_at,
        one.updated_by,
        one.failing_since,
        one.disabled_at,
        one.disabled_why,
    )


async def delete(conn: Connection, webhook: UUID, now: datetime) -> None:
    """It is gone for everybody; its deliveries, and then its row, go bit by bit (`trimming`)."""
    await conn.execute(
        "UPDATE webhook SET enabled = false, deleted_at = $2 WHERE id = $1", webhook, now
    )


async def _begin(conn: Connection, kernel: Kernel) -> None:
    """Where nobody wanted anything until now, deliveries are made from here on."""
    if await conn.fetchval("SELECT EXISTS (SELECT FROM webhook WHERE enabled)"):
        return
    await conn.execute(_PLACES, kernel.settings.partitions, kernel.service.version)
