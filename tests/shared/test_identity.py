"""Whose an identifier is, when somebody who was erased comes back: whatever is folded first."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import permutations
from uuid import UUID, uuid4

import pytest

from shared.errors import NotFound
from shared.identity import find_customer, let_go, remember
from tests.shared.loop.bench import Bench, open_bench

PHONE = "+8613800138000"
Step = Callable[..., Awaitable[None]]


@pytest.fixture(scope="module")
async def bench(postgres):
    async with open_bench(postgres) as made:
        await made.leases().prepare()
        yield made


@pytest.fixture
async def database(bench: Bench):
    kernel = bench.kernel("identities")
    yield kernel.database
    await kernel.close()


async def known_as(conn, customer: UUID, value: str) -> None:
    await remember(conn, [("phone", value, customer)])


async def erased(conn, customer: UUID, _value: str) -> None:
    await conn.execute("INSERT INTO erased VALUES ($1, now())", customer)
    await let_go(conn, [customer])


async def owner(database, value: str) -> UUID | None:
    async with database.read() as conn:
        try:
            return await find_customer(conn, f"phone:{value}")
        except NotFound:
            return None


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("order", list(permutations("knw")))
async def test_who_comes_back_is_found_in_whatever_order_it_is_told(database, order, at_once):
    """k: the first is known by it; n: nobody knows them any more; w: whoever comes next is known by it."""
    first, after = uuid4(), uuid4()
    value = f"+86138{uuid4().int % 10**8:08d}"
    steps = {"k": (known_as, first), "n": (erased, first), "w": (known_as, after)}
    told = [steps[one] for one in order]
    if at_once:
        async with database.transaction() as conn:
            for step, who in told:
                await step(conn, who, value)
    else:
        for step, who in told:
            async with database.transaction() as conn:
                await step(conn, who, value)
    assert await owner(database, value) == after
    async with database.read() as conn:
        assert await conn.fetchval("SELECT count(*) FROM identity_claim") == 0


async def test_the_first_keeps_it_and_the_others_wait_their_turn(database):
    one, two, three = sorted(uuid4() for _ in range(3))
    async with database.transaction() as conn:
        await remember(conn, [("phone", PHONE, who) for who in (one, two, two, three)])
    for who, left in ((one, two), (three, two), (two, None)):
        async with database.transaction() as conn:
            await erased(conn, who, PHONE)
        assert await owner(database, PHONE) == left


async def in_turn(database, first: tuple[Step, UUID], then: tuple[Step, UUID], value: str) -> None:
    """The second begins before the first is committed, and has to wait for it."""

    async def second() -> None:
        async with database.transaction() as conn:
            await then[0](conn, then[1], value)

    async with database.transaction() as conn:
        await first[0](conn, first[1], value)
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.3)
        assert not waiting.done()
    await waiting


@pytest.mark.parametrize("erased_first", [False, True])
async def test_whoever_claims_it_while_its_owner_is_erased_gets_it(database, erased_first):
    one, two = uuid4(), uuid4()
    value = f"+86138{uuid4().int % 10**8:08d}"
    async with database.transaction() as conn:
        await known_as(conn, one, value)
    steps = [(known_as, two), (erased, one)]
    await in_turn(database, *(reversed(steps) if erased_first else steps), value)
    assert await owner(database, value) == two


@pytest.mark.parametrize("others", [0, 1])
async def test_nobody_gets_it_who_is_being_erased_at_that_moment(database, others):
    """Of two in two partitions one has it and the other waits for it; whoever comes behind them gets it, if anybody
    does."""
    one, two, three = sorted(uuid4() for _ in range(3))
    value = f"+86138{uuid4().int % 10**8:08d}"
    async with database.transaction() as conn:
        for who in (one, two, three)[: 2 + others]:
            await known_as(conn, who, value)
    await in_turn(database, (erased, two), (erased, one), value)
    assert await owner(database, value) == (three if others else None)
    async with database.transaction() as conn:
        await erased(conn, three, value)
    assert await owner(database, value) is None
