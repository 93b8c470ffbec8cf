"""When it is learnt, by whom, and what becomes of it when that fails."""

import pytest

from services.scoring.offering import task
from services.scoring.offering.keeping import trim
from services.scoring.offering.task import Offering, learn_apart, occasion
from shared.kernel import open_kernel
from shared.rebuild import Rebuild
from tests.scoring.offering.shops import NOW, about, learnt, order, publish
from tests.world import World, world

MILK, BREAD = ("milk", "Dairy"), ("bread", "Bakery")


@pytest.fixture(scope="module")
async def town(postgres):
    async with world(postgres, services=["interaction", "scoring"], clock_tick_seconds=0.2) as made:
        await publish(made, [order(f"M{n}", n, MILK, BREAD) for n in range(1, 12)])
        await learnt(made, "/v1/forecasts")
        yield made


async def value(town: World, query: str):
    async with town.kernels["scoring"].database.connection() as conn:
        return await conn.fetchval(query)


async def test_once_learnt_there_is_nothing_to_do_until_something_changes(town: World):
    kernel = town.kernels["scoring"]
    assert await occasion(kernel) is None
    await value(
        town, "UPDATE task SET done_at = done_at - interval '1 day' WHERE name = 'forecast'"
    )
    now = await occasion(kernel)
    assert now is None or (now.what, now.small) == (("forecast",), True)
    await learnt(town, "/v1/forecasts")


async def test_a_process_of_its_own_learns_the_same(town: World, monkeypatch):
    """What is kept is the same to the byte, whoever made it."""
    kernel = town.kernels["scoring"]
    monkeypatch.setattr(task, "occasion", _never)  # the worker shall not be faster
    bodies = "SELECT string_agg(md5(body), ',' ORDER BY level) FROM recommender WHERE version = "
    version = await value(town, "SELECT max(version) FROM recommender")
    before = await value(town, f"{bodies}{version}")
    forecast = await value(town, "SELECT string_agg(md5(body), ',' ORDER BY measure) FROM forecast")
    await value(town, "DELETE FROM task WHERE name IN ('recommend', 'forecast')")
    await learn_apart(kernel)
    assert await value(town, "SELECT max(version) FROM recommender") == version + 1
    assert await value(town, f"{bodies}{version + 1}") == before
    after = await value(town, "SELECT string_agg(md5(body), ',' ORDER BY measure) FROM forecast")
    assert after == forecast


async def _never(_kernel):
    return None


async def test_a_process_that_fails_leaves_all_as_it_was_and_is_not_tried_at_once(
    town: World, monkeypatch
):
    kernel, tries, clock = town.kernels["scoring"], [], [100.0]

    async def fails(_kernel):
        tries.append(clock[0])
        raise RuntimeError("learning ended with -9")

    async def large(_kernel):
        return task.Occasion(None, ("recommend",), {}, small=False)

    version = await value(town, "SELECT max(version) FROM recommender")
    monkeypatch.setattr(task, "learn_apart", fails)
    monkeypatch.setattr(task, "occasion", large)
    monkeypatch.setattr(task, "caught_up", _always)
    offering = Offering(wait=lambda: clock[0])
    with pytest.raises(RuntimeError):
        await offering.run(kernel)
    await offering.run(kernel)
    assert tries == [100.0]
    clock[0] += task.AGAIN_SECONDS
    with pytest.raises(RuntimeError):
        await offering.run(kernel)
    assert len(tries) == 2
    assert await value(town, "SELECT max(version) FROM recommender") == version


async def _always(_kernel):
    return True


async def test_old_lines_are_let_go_of(town: World):
    await value(town, "INSERT INTO basket SELECT gen_random_uuid(), gen_random_uuid(), 700000, NULL, ''"
                      " FROM generate_series(1, 30) AS n")  # fmt: skip
    kept = await value(town, "SELECT count(*) FROM basket WHERE day > 700000")
    async with town.kernels["scoring"].database.connection() as conn:
        assert await trim(conn, NOW.toordinal()) == 30
        assert await trim(conn, NOW.toordinal()) == 0
    assert await value(town, "SELECT count(*) FROM basket") == kept


async def test_a_rebuild_makes_the_lines_anew(town: World):
    await publish(town, [about("purchase.cancelled", "M4", "m4-x", order_id="M4-4")])
    rows = "SELECT md5(string_agg(event_id || coalesce(gone, '') || md5(body), ',' ORDER BY event_id)) FROM basket"
    before = await value(town, rows)
    here = town.kernels["scoring"]
    kernel = open_kernel(here.service, "rebuild", town.settings, here.own)
    try:
        await Rebuild(kernel, lambda _: None).run()
    finally:
        await kernel.close()
    assert await value(town, rows) == before
    found = await town.client("scoring").get("/v1/recommendations/member_no:M4")
    assert (found.status_code, found.json()["basis"]) == (200, "popular")
