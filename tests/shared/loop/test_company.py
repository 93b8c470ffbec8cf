"""Partitions that commit together: each gets what it would have got alone, and what one cannot do is its own affair."""

import asyncio
from collections.abc import Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from shared.errors import Fenced, Gap, Pause
from shared.log import Record
from shared.loop.company import Company
from shared.loop.folding import Batch
from tests.shared.loop.bench import Bench, Owner
from tests.shared.loop.tally import answered, records
from tests.shared.loop.test_grouping import home

PARTITIONS = 3


def company(slots=None, *, events: int = 100, size: int = 1 << 20) -> Company:
    return Company("campaign", "customers", slots or asyncio.Semaphore(1), events=events, size=size)


def some(count: int, size: int = 10) -> Sequence[Record]:
    return records([b"x" * size] * count)


class Committed:
    """Who was committed with whom. `spoilt` fails wherever it is."""

    def __init__(self, **spoilt: Exception) -> None:
        self.groups: list[list[str]] = []
        self.spoilt = spoilt
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, parts: Sequence[str]) -> None:
        self.groups.append(list(parts))
        await self.go_on.wait()
        for part in parts:
            if part in self.spoilt:
                raise self.spoilt[part]


async def test_who_waits_for_the_same_slot_goes_together():
    all_, committed = company(), Committed()
    committed.go_on.clear()
    first = asyncio.create_task(all_.commit("a", some(1), committed))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(all_.commit(name, some(1), committed)) for name in "bcd"]
    await asyncio.sleep(0.01)
    assert committed.groups == [["a"]]
    committed.go_on.set()
    await asyncio.gather(first, *others)
    assert committed.groups == [["a"], ["b", "c", "d"]]


async def test_who_comes_back_at_once_is_carried_again():
    """One carrier ends with both partitions, which have the next batch ready; and in the same turn of the loop another
    one, which had waited for a slot for nothing."""
    slots, first, second = asyncio.Semaphore(2), asyncio.Event(), asyncio.Event()
    all_, groups = company(slots), []

    async def commit(parts: Sequence[str]) -> None:
        groups.append(list(parts))
        await (first if len(groups) == 1 else second).wait()

    async def partition(name: str, times: int) -> None:
        for _ in range(times):
            await all_.commit(name, some(1), commit)

    await slots.acquire()  # another topic's
    partitions = [asyncio.create_task(partition("a", 3))]
    await asyncio.sleep(0.01)
    partitions.append(asyncio.create_task(partition("b", 2)))
    await asyncio.sleep(0.01)
    first.set()
    await asyncio.sleep(0.01)
    assert groups == [["a"], ["b", "a"]]
    second.set()
    slots.release()
    async with asyncio.timeout(5):
        await asyncio.gather(*partitions)
    assert groups == [["a"], ["b", "a"], ["b", "a"]]


async def test_who_is_carried_hears_of_it_where_the_carrier_is_ended():
    all_ = company()

    async def commit(_parts: Sequence[str]) -> None:
        raise asyncio.CancelledError

    with pytest.raises(Pause):
        async with asyncio.timeout(5):
            await all_.commit("a", some(1), commit)


@pytest.mark.parametrize(
    ("bounds", "groups"),
    [
        ({"events": 5}, [["a", "b"], ["c"], ["d"]]),
        ({"size": 45}, [["a", "b"], ["c"], ["d"]]),
        ({"events": 1}, [["a"], ["b"], ["c"], ["d"]]),
    ],
)
async def test_a_transaction_holds_so_much_and_at_least_one_part(bounds, groups):
    all_, committed = company(**bounds), Committed()
    counts = {"a": 2, "b": 2, "c": 4, "d": 9}
    await asyncio.gather(*(all_.commit(n, some(c), committed) for n, c in counts.items()))
    assert committed.groups == groups


@pytest.mark.parametrize("error", [Fenced(), ValueError("data"), Gap("a hole")])
async def test_who_cannot_is_found_and_the_others_are_through(error):
    all_, committed = company(), Committed(b=error)
    outcomes = await asyncio.gather(
        *(all_.commit(name, some(1), committed) for name in "abc"), return_exceptions=True
    )
    assert outcomes == [None, error, None]
    assert committed.groups == [["a", "b", "c"], ["a"], ["b"], ["c"]]


async def test_where_the_world_is_away_nobody_tries_alone():
    all_, committed = company(), Committed(b=Pause("database"))
    outcomes = await asyncio.gather(
        *(all_.commit(name, some(1), committed) for name in "abc"), return_exceptions=True
    )
    assert all(isinstance(one, Pause) for one in outcomes)
    assert committed.groups == [["a", "b", "c"]]


async def test_who_gives_up_waiting_is_left_out():
    all_, committed = company(), Committed()
    committed.go_on.clear()
    first = asyncio.create_task(all_.commit("a", some(1), committed))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(all_.commit(name, some(1), committed)) for name in "bc"]
    await asyncio.sleep(0.01)
    others[0].cancel()
    committed.go_on.set()
    await asyncio.gather(first, others[1])
    assert committed.groups == [["a"], ["c"]]


async def test_who_gives_up_on_the_way_harms_nobody():
    all_, committed = company(), Committed()
    committed.go_on.clear()
    tasks = [asyncio.create_task(all_.commit(name, some(1), committed)) for name in "ab"]
    await asyncio.sleep(0.01)
    tasks[0].cancel()
    committed.go_on.set()
    await tasks[1]
    assert committed.groups == [["a", "b"]]
    await all_.commit("a", some(1), committed)


async def test_without_a_slot_everybody_who_waits_is_told():
    @asynccontextmanager
    async def away():
        raise Pause("log")
        yield

    all_, committed = company(away()), Committed()
    outcomes = await asyncio.gather(
        *(all_.commit(name, some(1), committed) for name in "ab"), return_exceptions=True
    )
    assert all(isinstance(one, Exception) for one in outcomes)
    assert committed.groups == []


# On a real database --------------------------------------------------------------------------------


class Counting(Company[Batch]):
    """How many parts each transaction had."""

    def __init__(self) -> None:
        super().__init__("campaign", "customers", asyncio.Semaphore(1), events=100, size=1 << 20)
        self.sizes: list[int] = []

    async def commit(self, part, records, commit):
        async def counted(parts):
            await commit(parts)
            self.sizes.append(len(parts))

        await super().commit(part, records, counted)


async def owners(bench: Bench, company: Company[Batch]) -> dict[int, Owner]:
    found = [
        await bench.owned(f"worker {n}", company=company, partitions=PARTITIONS)
        for n in range(PARTITIONS)
    ]
    return {owner.lease.partition: owner for owner in found}


def people() -> dict[int, list]:
    """Two customers at home in each partition."""
    found: dict[int, list] = {n: [] for n in range(PARTITIONS)}
    n = 1
    while any(len(one) < 2 for one in found.values()):
        customer = UUID(int=n)
        if len(found[home(customer)]) < 2:
            found[home(customer)].append(customer)
        n += 1
    return found


def batches(spoilt: dict[int, str] | None = None) -> dict[int, list[Record]]:
    """Two answers of each customer; the last of a spoilt partition says what cannot be folded."""
    made = {}
    for partition, customers in people().items():
        surveys = [f"{partition}-{n}" for n in range(3)] + [(spoilt or {}).get(partition, "last")]
        values = [answered(customers[n % 2], survey) for n, survey in enumerate(surveys)]
        made[partition] = records(values, partition=partition)
    return made


async def applied(found: dict[int, Owner], made: dict[int, list[Record]]) -> list:
    return await asyncio.gather(
        *(owner.apply(made[n]) for n, owner in found.items()), return_exceptions=True
    )


async def test_together_is_as_alone(bench: Bench):
    made = batches()
    all_ = Counting()
    assert await applied(await owners(bench, all_), made) == [None] * PARTITIONS
    assert all_.sizes == [PARTITIONS]
    together = await bench.snapshot()
    assert len(together["tally"]) == 2 * PARTITIONS
    assert len(together["folded"]) == 4 * PARTITIONS
    for n in range(PARTITIONS):
        assert [event.subject for event in await bench.outbox(n)], "announced where they live"
        assert (await bench.checkpoint(n))["seen"] == [4, 0, 0, 0]
    rows = await bench.rows()
    for customers in people().values():
        assert [rows[customer].count for customer in customers] == [2, 2]


@pytest.mark.parametrize("spoilt", ["boom", "nul"])
async def test_one_event_that_cannot_be_folded_spoils_its_own_partition_only(
    bench: Bench, spoilt: str
):
    """Our own bug in the fold, and a value that the database refuses."""
    found = await owners(bench, Counting())
    outcomes = await applied(found, batches({1: spoilt}))
    assert [outcomes[n] is None for n in found] == [n != 1 for n in found]
    places = {n: (await bench.checkpoint(n))["next_offset"] for n in found}
    assert places == {0: 4, 1: 0, 2: 4}
    assert await bench.outbox(1) == []
    assert {home(customer) for customer in await bench.rows()} == {0, 2}


async def test_who_has_lost_the_lease_is_fenced_and_the_others_are_through(bench: Bench):
    found = await owners(bench, Counting())
    async with bench.database.transaction() as conn:
        await found[2].leases.release(conn, found[2].lease)
    outcomes = await applied(found, batches())
    assert [type(outcomes[n]) for n in found] == [Fenced if n == 2 else type(None) for n in found]
    places = {n: (await bench.checkpoint(n))["next_offset"] for n in found}
    assert places == {0: 4, 1: 4, 2: 0}


async def test_a_hole_is_one_partitions_own(bench: Bench):
    found = await owners(bench, Counting())
    made = batches()
    made[0] = made[0][1:]
    outcomes = await applied(found, made)
    assert [isinstance(outcomes[n], Gap) for n in found] == [n == 0 for n in found]
    assert (await bench.checkpoint(1))["next_offset"] == 4
