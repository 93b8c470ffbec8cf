"""The rates are made of what is on the log, by one worker, and followed by every prospect."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from services.scoring.screening.task import EVERY, NAME, everybody, last_day, occasion, screen
from tests.world import World, world

NOW = datetime.now(UTC)
PEOPLE = 120


def event(member: str, type_: str, days: float, **data: Any) -> dict[str, Any]:
    """What somebody did so many days ago."""
    return {
        "id": f"{member}-{type_}-{days}",
        "source": "shop",
        "type": type_,
        "time": (NOW - timedelta(days=days)).isoformat(),
        "customer": {"member_no": member},
        "data": data,
    }


def story(number: int) -> list[dict[str, Any]]:
    """Seen 2 to 240 days ago; of those from the exhibition every second one buys after a week or two."""
    member, seen, expo = f"M{number}", 2 + 2 * number % 240, number % 2 == 0
    source = "expo" if expo else "advert"
    events = [
        event(member, "customer.described", seen, traits={"source": source}),
        event(member, "interaction.recorded", seen - 0.1, kind="visit"),
    ]
    after = 5 + number % 11
    if (number % 4 == 0 or number % 23 == 1) and seen > after:
        total = {"amount": f"{100 + number}.00", "currency": "CNY"}
        bought = event(
            member, "purchase.completed", seen - after, order_id=f"A-{number}", total=total
        )
        events.append(bought)
    return events


async def model_of(here: World, seconds: float = 20.0) -> dict[str, Any]:
    """The summary, once there are rates and everybody was derived by them."""
    client, until = here.client("scoring"), asyncio.get_running_loop().time() + seconds
    while True:
        found = (await client.get("/v1/prospects/summary")).json()
        if found["method"] is not None and not found["unclassified"]:
            return found
        assert asyncio.get_running_loop().time() < until, found
        await asyncio.sleep(0.05)


async def test_from_the_log_to_the_list(postgres):
    async with world(postgres, services=["interaction", "scoring"], clock_tick_seconds=0.2) as town:
        events = [one for number in range(PEOPLE) for one in story(number)]
        # Somebody who is there twice, and one with all that both did.
        events += [event("twice", "interaction.recorded", 9, kind="call")]
        answer = await town.post_events(events)
        assert answer.json()["rejected"] == 0, answer.text
        await town.settled()
        kernel = town.kernels["scoring"]
        found = await model_of(town)
        assert found["model"] == "prospects@1"
        async with kernel.database.read() as conn:
            cohort = await everybody(conn)
            versions = await conn.fetchval("SELECT count(*) FROM policy WHERE name = 'prospects'")
        assert len(cohort) == PEOPLE + 1
        assert found["seen"] <= PEOPLE + 1
        assert found["total"] == PEOPLE + 1 - (cohort.won < 10**6).sum()
        assert versions == town.settings.partitions
        listed = await town.client("scoring").get("/v1/prospects", params={"limit": 500})
        assert all(one["probability"] is not None for one in listed.json()["items"])
        await _nothing_to_do_until_a_day_has_passed(kernel)


async def _nothing_to_do_until_a_day_has_passed(kernel) -> None:
    assert await occasion(kernel) is None
    async with kernel.database.transaction() as conn:
        await conn.execute(
            "UPDATE task SET done_at = done_at - $1::interval WHERE name = $2", EVERY, NAME
        )
    await screen(kernel)
    assert await occasion(kernel) is None
    async with kernel.database.read() as conn:  # the same log: no version of its own
        version = await conn.fetchval("SELECT note ->> 'version' FROM task WHERE name = $1", NAME)
    assert version == "1"


def test_a_day_is_over_when_it_is_over_everywhere():
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert last_day(noon) == noon.toordinal() - 1
    assert last_day(noon - timedelta(seconds=1)) == noon.toordinal() - 2
