"""Few rows go as arrays, many by way of a temporary table: either way they are the same rows."""

from datetime import UTC, datetime

import asyncpg
import pytest
from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from shared.loop.bulk import MANY, Bulk
from shared.tables import Time
from tests.shared.loop.bench import Bench

THING = Table(
    "thing",
    MetaData(),
    Column("id", BigInteger, primary_key=True),
    Column("words", JSONB),
    Column("name", Text),
    Column("state", LargeBinary),
    Column("at", Time),
)
AT = datetime(2026, 3, 1, tzinfo=UTC)
COLUMNS = ("id", "words", "name", "state", "at")
KEEP = (
    "INSERT INTO thing (id, words, name, state, at) SELECT * FROM {rows}"
    " ON CONFLICT (id) DO UPDATE SET words = excluded.words, name = excluded.name,"
    " state = excluded.state, at = excluded.at"
)


@pytest.fixture
async def conn(bench: Bench):
    async with bench.database.transaction() as conn:
        await conn.execute(
            "CREATE TEMPORARY TABLE thing (id bigint PRIMARY KEY, words jsonb, name text, state bytea,"
            " at timestamptz) ON COMMIT DROP"
        )
        yield conn


def rows(count: int, name: str = "any") -> list[tuple]:
    return [
        (n, '["a", "b"]' if n % 2 else "[]", None if n % 3 else name, bytes([n % 256]), AT)
        for n in range(count)
    ]


async def kept(conn) -> list[tuple]:
    return [tuple(row) for row in await conn.fetch("SELECT * FROM thing ORDER BY id")]


@pytest.mark.parametrize("count", [0, 1, MANY - 1, MANY, 3 * MANY])
async def test_rows_arrive_as_they_are(conn, count: int):
    await Bulk(THING, COLUMNS, KEEP, name="keep").execute(conn, rows(count))
    read = [
        (n, ["a", "b"] if words != "[]" else [], name, state, at)
        for n, words, name, state, at in rows(count)
    ]
    assert await kept(conn) == read


async def test_a_transaction_that_writes_twice_writes_the_second_rows_alone(conn):
    """What was copied before must not be written again over what came since."""
    bulk = Bulk(THING, COLUMNS, KEEP, name="keep")
    await bulk.execute(conn, rows(2 * MANY, "first"))
    await conn.execute("UPDATE thing SET name = 'since' WHERE id < $1", MANY)
    later = [(n + MANY, "[]", "second", b"", AT) for n in range(MANY)]
    await bulk.execute(conn, later)
    names = [row[2] for row in await kept(conn)]
    assert names == ["since"] * MANY + ["second"] * MANY


@pytest.mark.parametrize("count", [1, MANY])
async def test_what_no_column_takes_is_a_data_error(conn, count: int):
    bad = [(n, "[]", "a\0b", b"", AT) for n in range(count)]
    with pytest.raises((asyncpg.DataError, asyncpg.CharacterNotInRepertoireError)):
        await Bulk(THING, COLUMNS, KEEP, name="keep").execute(conn, bad)
