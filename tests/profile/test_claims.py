"""Customer numbers: each customer one, each number once, whoever asks at the same time."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.profile.claims import claims, number
from shared import migrations


@pytest.mark.parametrize(
    ("year", "serial", "expected"),
    [(2026, 123, "C2026000123"), (2026, 1_234_567, "C20261234567"), (2027, 1, "C2027000001")],
)
def test_what_a_number_looks_like(year: int, serial: int, expected: str) -> None:
    assert number(year, serial) == expected


async def test_many_at_once(database: str) -> None:
    await migrations.upgrade("profile", database)
    customers = [uuid4() for _ in range(40)]

    async def claim(of: list[UUID]) -> dict[UUID, str]:
        conn = await asyncpg.connect(database)
        try:
            async with conn.transaction():
                return await claims(conn, of, 2026)
        finally:
            await conn.close()

    answers = await asyncio.gather(
        *(claim(customers[start : start + 20]) for start in (0, 5, 10, 20))
    )
    given = [(customer, code) for answer in answers for customer, code in answer.items()]
    assert sorted(customer for customer, _ in given) == sorted(customers)
    assert len({code for _, code in given}) == len(customers)
    assert await claim(customers) == {}


async def test_a_transaction_that_fails_leaves_no_claim(database: str) -> None:
    await migrations.upgrade("profile", database)
    conn = await asyncpg.connect(database)
    customer = uuid4()
    try:
        transaction = conn.transaction()
        await transaction.start()
        assert set(await claims(conn, [customer], 2026)) == {customer}
        await transaction.rollback()
        assert set(await claims(conn, [customer], 2027)) == {customer}
    finally:
        await conn.close()
