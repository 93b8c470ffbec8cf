"""Prospects who turn out to be one, or to be somebody who bought: through the log, the door and the database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.scoring.screening.cohort import NEVER
from services.scoring.screening.task import everybody
from tests.world import World, world

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
async def town(postgres) -> AsyncIterator[World]:
    services = ["interaction", "profile", "scoring"]
    async with world(postgres, services=services, clock_now=NOW, clock_tick_seconds=0.2) as made:
        yield made


def event(member: str, type_: str, days: int, **data: Any) -> dict[str, Any]:
    """What somebody did so many days ago."""
    return {
        "id": f"{member}-{type_}-{days}",
        "source": "shop",
        "type": type_,
        "time": (NOW - timedelta(days=days)).isoformat(),
        "customer": {"member_no": member},
        "data": data,
    }


def seen(member: str, days: int, source: str) -> list[dict[str, Any]]:
    """Described, and in touch on the same day and the day after."""
    return [
        event(member, "customer.described", days, traits={"source": source}),
        event(member, "interaction.recorded", days, kind="visit"),
        event(member, "interaction.recorded", days - 1, kind="call", direction="inbound"),
    ]


def bought(member: str, days: int) -> dict[str, Any]:
    total = {"amount": "30.00", "currency": "CNY"}
    return event(member, "purchase.completed", days, order_id=f"{member}-{days}", total=total)


async def tell(town: World, *events: dict[str, Any]) -> None:
    answer = await town.post_events(list(events))
    assert answer.json()["rejected"] == 0, answer.text
    await town.settled()


async def join(town: World, *members: str) -> str:
    parts = [f"member_no:{member}" for member in members]
    answer = await town.client("profile").post("/v1/merges", json={"parts": parts})
    assert answer.is_success, answer.text
    await town.settled()
    merge: str = answer.json()["id"]
    return merge


async def split(town: World, merge: str) -> None:
    assert (await town.client("profile").delete(f"/v1/merges/{merge}")).is_success
    await town.settled()


async def score_of(town: World, member: str) -> dict[str, Any]:
    answer = await town.client("scoring").get(f"/v1/scores/member_no:{member}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(town: World, source: str) -> list[dict[str, Any]]:
    """Prospects of a source; the count says as many."""
    params = {"source": source, "count": "true"}
    found = (await town.client("scoring").get("/v1/prospects", params=params)).json()
    assert found["total"] == len(found["items"])
    items: list[dict[str, Any]] = found["items"]
    return items


async def tally(town: World, source: str) -> tuple[int, int, int]:
    """Seen, won, won at once."""
    items = (await town.client("scoring").get("/v1/sources?limit=500")).json()["items"]
    for one in items:
        if one["source"] == source:
            return one["seen"], one["won"], one["won_at_once"]
    return 0, 0, 0


async def test_two_prospects_who_are_one(town: World):
    """The earliest word counts, contacts add up, and there is one of them, until they are split."""
    await tell(town, *seen("A1", 20, "fair-a"), *seen("A2", 12, "fair-b"))
    apart = [await score_of(town, "A1"), await score_of(town, "A2")]
    assert await tally(town, "fair-b") == (1, 0, 0)
    merge = await join(town, "A1", "A2")
    whole = await score_of(town, "A2")
    assert whole == await score_of(town, "A1")
    one = whole["prospect"]
    assert (one["source"], one["first_seen_on"]) == ("fair-a", "2026-10-31")
    assert one["days_since_seen"] is None, "there is nothing to judge by yet"
    assert [row["number"] for row in one["contacts"]] == [1, 2, 4]
    told = {*one["evidence"]}
    assert told <= {*apart[0]["prospect"]["evidence"], *apart[1]["prospect"]["evidence"]}
    [item] = await listed(town, "fair-a")
    assert item["customer_id"] == whole["customer_id"]
    assert await listed(town, "fair-b") == []
    assert await tally(town, "fair-a") == (1, 0, 0)
    assert await tally(town, "fair-b") == (0, 0, 0)
    await split(town, merge)
    assert [await score_of(town, "A1"), await score_of(town, "A2")] == apart
    assert await tally(town, "fair-b") == (1, 0, 0)


async def test_a_prospect_who_is_somebody_that_bought(town: World):
    """Won with all days from the first sight on; a prospect again when that is taken back."""
    await tell(town, *seen("B1", 30, "fair-c"), bought("B2", 10))
    assert (await score_of(town, "B1"))["churn"] is None
    merge = await join(town, "B1", "B2")
    whole = await score_of(town, "B1")
    assert whole["prospect"] is None
    assert whole["rfm"]["frequency"] == 1
    assert await listed(town, "fair-c") == []
    assert await tally(town, "fair-c") == (1, 1, 0)
    async with town.kernels["scoring"].database.read() as conn:
        cohort = await everybody(conn)
    at = list(cohort.source).index("fair-c")
    assert cohort.won[at] - cohort.seen[at] == 20
    assert not cohort.at_once[at]
    await split(town, merge)
    assert (await score_of(town, "B1"))["prospect"]["source"] == "fair-c"
    assert await tally(town, "fair-c") == (1, 0, 0)
    async with town.kernels["scoring"].database.read() as conn:
        cohort = await everybody(conn)
    assert cohort.won[list(cohort.source).index("fair-c")] == NEVER


async def test_what_was_said_after_the_first_purchase_is_no_sign_of_it(town: World):
    """Of a customer and somebody who was described later: how they came is what was known by then."""
    await tell(town, bought("C1", 15), *seen("C2", 5, "fair-d"))
    await join(town, "C1", "C2")
    assert (await score_of(town, "C2"))["prospect"] is None
    async with town.kernels["scoring"].database.read() as conn:
        cohort = await everybody(conn)
    at = list(cohort.source).index("fair-d")
    assert cohort.at_once[at]
    assert cohort.source_day[at] > cohort.won[at]
    assert cohort.contacts[at].tolist() == [0, 0, 0]
