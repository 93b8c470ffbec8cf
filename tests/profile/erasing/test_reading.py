"""When an erasure is done, and what its receipt says until then."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from services.profile.erasing import reading
from shared.errors import NotFound
from shared.tables import ORIGINS
from tests.world import fresh_databases

AT = datetime.now(UTC) - timedelta(hours=1)
ERASURE, OTHER = UUID(int=100), UUID(int=101)
A, B = UUID(int=1), UUID(int=2)
SECONDS = 60.0


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


@pytest.fixture
async def conn(postgres) -> AsyncIterator[asyncpg.Connection]:
    made = await asyncpg.connect((await fresh_databases(postgres))["profile"])
    yield made
    await made.close()


async def erased(conn: asyncpg.Connection, part: UUID, destroyed: datetime | None) -> None:
    row = (part, ERASURE, A, AT, "privacy.office", destroyed)
    await conn.execute("INSERT INTO erasure_part VALUES ($1, $2, $3, $4, $5, $6)", *row)


async def said(
    conn: asyncpg.Connection,
    part: UUID,
    *services: str,
    at: datetime = AT,
    latest: datetime | None = None,
) -> None:
    rows = [(part, ERASURE, service, at, latest) for service in services]
    await conn.executemany("INSERT INTO forgotten VALUES ($1, $2, $3, $4, $5)", rows)


async def found(conn: asyncpg.Connection) -> reading.Erasure:
    one = await reading.find_erasure(conn, ERASURE, seconds=SECONDS)
    for status in reading.STATUSES:
        listed = await reading.list_erasures(conn, status, after=None, limit=5, seconds=SECONDS)
        assert listed == ([one] if status == one.status else [])
        assert await reading.count_erasures(conn, status, seconds=SECONDS) == len(listed)
    return one


async def test_it_is_done_when_all_have_forgotten_and_no_key_is_remembered(conn):
    await erased(conn, A, datetime.now(UTC) - timedelta(seconds=SECONDS - 30))
    await said(conn, A, *ORIGINS)
    assert ((one := await found(conn)).status, one.done_at) == ("running", None)
    await conn.execute("UPDATE erasure_part SET key_destroyed_at = $1", after(1))
    one = await found(conn)
    assert (one.status, one.done_at) == ("done", after(61))
    assert (one.customer_id, one.number, one.requested_by) == (A, None, "privacy.office")


async def test_every_part_counts_every_service_and_every_key(conn):
    await erased(conn, A, after(1))
    await said(conn, A, *ORIGINS)
    await erased(conn, B, None)
    assert (await found(conn)).status == "running", "a key and all services"
    await said(conn, B, *ORIGINS[:3])
    await said(conn, B, *ORIGINS[:3])
    assert (await found(conn)).status == "running", "a key and a service, however often"
    await conn.execute("UPDATE erasure_part SET key_destroyed_at = $1", after(2))
    assert ((one := await found(conn)).status, one.done_at) == ("running", None), "a service"
    await said(conn, B, ORIGINS[3], at=after(500))
    assert ((one := await found(conn)).status, one.done_at) == ("done", after(500))


async def test_a_service_whose_clock_is_ahead_has_forgotten_all_the_same(conn):
    await erased(conn, A, after(1))
    await said(conn, A, *ORIGINS, at=datetime.now(UTC) + timedelta(minutes=10))
    assert (await found(conn)).status == "done"


async def test_what_is_kept_longest_counts(conn):
    await erased(conn, A, after(1))
    assert (await found(conn)).latest is None
    await said(conn, A, "profile")
    await said(conn, A, "interaction", latest=after(900))
    await said(conn, A, "interaction", at=after(50), latest=after(950))
    one = await found(conn)
    assert one.latest == after(950)
    assert [(each.service, each.at) for each in one.parts[0].services] == [
        ("interaction", AT),
        ("profile", AT),
    ]


async def test_nobody_else_is_read(conn):
    await erased(conn, A, None)
    with pytest.raises(NotFound):
        await reading.find_erasure(conn, OTHER, seconds=SECONDS)
