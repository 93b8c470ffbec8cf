"""Rows made anew once the keys are gone are those that were folded while they were there."""

import asyncio

import orjson

from tests.e2e.test_rebuild import differing, kept, rebuild, walked
from tests.profile.erasing.conftest import KEYRING_SECONDS
from tests.profile.erasing.people import Person, erase, holding
from tests.profile.test_merges_api import merge, undo
from tests.world import World


async def rows_of(here: World) -> dict[str, list[str]]:
    """All that is folded. Of how many parts somebody was the head who is none any more says nothing."""
    found = walked(await kept(here, "profile"))
    made = []
    for row in map(orjson.loads, found["profile"]):
        if row["head"] != row["customer_id"]:
            del row["parts"]
        made.append(orjson.dumps(row).decode())
    return found | {"profile": sorted(made)}


async def test_a_rebuild_gives_the_same_rows(here: World):
    people = [await Person().meet(here, 2 + n, 12 + n) for n in range(7)]
    for person in people:
        await person.be_spoken_of(here)
    alone, head, absorbed, left, apart, both, _ = people
    await merge(here, head.id, left.id)
    await merge(here, both.id, absorbed.id)
    made = await merge(here, apart.id, both.id)
    await erase(here, alone.id)
    await erase(here, head.id, head.id)
    await erase(here, both.id, absorbed.id, apart.id)
    await undo(here, made)
    await asyncio.sleep(KEYRING_SECONDS)
    before = await rows_of(here)
    await rebuild(here, "profile")
    await here.settled()
    assert differing(before, await rows_of(here)) == []
    for person in (alone, head, absorbed, apart):
        assert await holding(here, "profile", person.mark) <= {"outbox"}
    assert "profile" in await holding(here, "profile", left.mark)
