"""Preview, filling and event by event: three ways to the same members, whatever the rules and the customers.

The rules are saved twice: before a customer has done anything, so that members follow events, and at the end, so
that they are filled. In between a preview is asked. All over real databases, with workers running, and time passing;
some contacts are recorded by hand, and of those some are taken back.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from deploy.local.postgres import PostgresServer
from services.interaction.ticking import tick
from tests.campaign.folding import rules
from tests.strategies import START
from tests.world import World, world

MEMBERS = [f"M{n}" for n in range(8)]
EXAMPLES = 5
_offsets = st.sampled_from(("+08:00", "-05:00", "+05:45"))


def _event(kind: str, data: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda member, day, hour, offset: {
            "type": kind,
            "time": f"{(START + timedelta(days=day, hours=hour)).isoformat()[:19]}{offset}",
            "customer": {"member_no": member},
            "data": data,
        },
        st.sampled_from(MEMBERS),
        st.integers(0, 60),
        st.integers(0, 23),
        _offsets,
    )


def _bought(order: int, amount: int) -> dict[str, Any]:
    money = {"amount": f"{amount}.00", "currency": "CNY"}
    return {"order_id": f"A-{order}", "total": money}


events = st.one_of(
    st.builds(_bought, st.integers(0, 30), st.integers(0, 600)).flatmap(
        lambda data: _event("purchase.completed", data)
    ),
    st.integers(0, 30).flatmap(
        lambda order: _event("purchase.cancelled", {"order_id": f"A-{order}"})
    ),
    st.integers(0, 5).flatmap(
        lambda number: _event(
            "complaint.opened", {"complaint_id": f"K-{number}", "category": "quality"}
        )
    ),
    st.sampled_from(("a", "上海")).flatmap(
        lambda region: _event("customer.described", {"traits": {"region": region}})
    ),
    _event("interaction.recorded", {"kind": "call"}),
)
contacts = st.lists(
    st.tuples(_event("interaction.recorded", {"kind": "visit"}), st.sampled_from((0, 1, 2))),
    min_size=3,
    max_size=10,
)
"""Recorded by hand; never taken back (0), soon (1), or once everything else has happened (2)."""


async def _save(town: World, asked: list[Any]) -> list[str]:
    client = town.client("campaign")
    answers = await asyncio.gather(
        *(client.post("/v1/segments", json={"name": "x", "rule": rule}) for rule in asked)
    )
    assert {answer.status_code for answer in answers} <= {201, 202}, answers
    return [answer.json()["id"] for answer in answers]


async def _members(town: World, segment: str) -> set[str]:
    answer = await town.client("campaign").get(f"/v1/segments/{segment}/members?limit=500")
    return {item["customer_id"] for item in answer.json()["items"]}


async def _why(town: World, segment: str, customer: str) -> bool:
    answer = await town.client("campaign").get(f"/v1/segments/{segment}/members/{customer}")
    return bool(answer.json()["member"])


async def _everybody(town: World) -> set[str]:
    anybody = {"field": "tags", "op": "exists", "value": False}
    rule = {"any": [anybody, {"not": anybody}]}
    answer = await town.client("campaign").post(
        "/v1/segments/preview", json={"rule": rule, "limit": 100}
    )
    return set(answer.json()["sample"])


async def _record(town: World, drawn: list[tuple[dict[str, Any], int]]) -> list[tuple[str, int]]:
    """Ids of the contacts, and when each is taken back."""
    found = []
    for event, when in drawn:
        body = {"customer": event["customer"], "at": event["time"], **event["data"]}
        answer = await town.client("interaction").post("/v1/interactions", json=body)
        assert answer.status_code in {201, 202}, answer.text
        found.append((answer.json()["id"], when))
    return found


async def _take_back(town: World, contacts: list[tuple[str, int]], when: int) -> None:
    for one in [contact for contact, then in contacts if then == when]:
        answer = await town.client("interaction").post(f"/v1/interactions/{one}/retract")
        assert answer.status_code in {200, 202}, answer.text


@dataclass
class Town:
    """An installation that all examples share: each brings customers of its own, and the clock goes on."""

    runner: asyncio.Runner
    world: World
    now: list[datetime]
    examples: int = 0


@pytest.fixture(scope="module")
def town(postgres: PostgresServer) -> Iterator[Town]:
    now = [START + timedelta(days=62)]
    services = ["interaction", "profile", "campaign"]
    made = world(postgres, services=services, partitions=2, clock_now=now[0])
    with asyncio.Runner() as runner:
        found = runner.run(made.__aenter__())
        _on_a_clock(found, now)
        yield Town(runner, found, now)
        runner.run(made.__aexit__(None, None, None))


async def _compare(
    shared: Town,
    asked: list[Any],
    sent: list[dict[str, Any]],
    drawn: list[tuple[dict[str, Any], int]],
) -> None:
    town = shared.world
    shared.examples += 1
    followed = await _save(town, asked)
    half = len(sent) // 2
    for place, event in enumerate(sent):
        event |= {"id": f"e{place}", "source": f"shop-{shared.examples}"}
    for event in (*sent, *(event for event, _ in drawn)):
        member = f"{event['customer']['member_no']}-{shared.examples}"
        event["customer"] = {"member_no": member}
    recorded = await _record(town, drawn)
    for when, part in enumerate((sent[:half], sent[half:]), start=1):
        if part:
            assert (await town.post_events(part)).status_code == 200
        await _take_back(town, recorded, when)
        await town.settled()
    shared.now[0] += timedelta(days=5)
    await _until(town)
    filled = await _save(town, asked)
    await town.settled()
    everybody = await _everybody(town)
    for rule, one, other in zip(asked, followed, filled, strict=True):
        answer = await town.client("campaign").post(
            "/v1/segments/preview", json={"rule": rule, "limit": 100}
        )
        previewed = set(answer.json()["sample"])
        assert answer.json()["size"] == len(previewed)
        assert await _members(town, one) == previewed, rule
        assert await _members(town, other) == previewed, rule
        whys = await asyncio.gather(*(_why(town, one, who) for who in everybody))
        assert {who for who, why in zip(everybody, whys, strict=True) if why} == previewed, rule


def _on_a_clock(town: World, now: list[datetime]) -> None:
    """Time as the test says, for every process of the installation."""
    kernels = [*town.kernels.values()]
    kernels += [client._transport.app.state.kernel for client in town.clients.values()]
    for kernel in kernels:
        object.__setattr__(kernel, "clock", lambda: now[0])


async def _until(town: World) -> None:
    """Let every partition hear how late it is, and all that follows be done."""
    await town.settled()
    await tick(town.kernels["interaction"])
    await town.settled()


@given(
    st.lists(rules, min_size=6, max_size=8),
    st.lists(events, min_size=20, max_size=60),
    contacts,
)
@settings(max_examples=EXAMPLES, phases=[Phase.explicit, Phase.generate], database=None)
def test_three_ways_to_the_same_members(town, asked, sent, drawn):
    town.runner.run(_compare(town, asked, sent, drawn))


async def test_time_alone_moves_a_customer(postgres):
    """Nothing happens, midnight comes, the window is past."""
    bought = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
    now = [bought + timedelta(hours=1)]
    rule = {"count": {"type": "purchase.completed", "within_days": 3}, "op": ">", "value": 0}
    async with world(
        postgres,
        services=["interaction", "campaign"],
        partitions=1,
        clock_now=now[0],
    ) as town:
        _on_a_clock(town, now)
        [segment] = await _save(town, [rule])
        event = {
            "id": "1",
            "source": "shop",
            "type": "purchase.completed",
            "time": "2026-11-20T12:00:00+08:00",
            "customer": {"member_no": "M1"},
            "data": _bought(1, 10),
        }
        await town.post_events([event])
        await town.settled()
        assert len(await _members(town, segment)) == 1
        now[0] = datetime(2026, 11, 22, 15, 59, tzinfo=UTC)
        await _until(town)
        assert len(await _members(town, segment)) == 1
        now[0] = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
        await _until(town)
        assert await _members(town, segment) == set()
        answer = await town.client("campaign").get(f"/v1/segments/{segment}/history")
        [left, entered] = answer.json()["items"]
        assert (left["moved_by"], left["event_id"]) == ("time", None)
        assert left["at"] == "2026-11-22T16:00:00Z"
        assert entered["moved_by"] == "event"


async def test_a_backfill_moves_people_in_silence_until_it_is_closed(postgres):
    rule = {"field": "purchases.count", "op": ">", "value": 0}
    async with world(postgres, services=["interaction", "campaign"], partitions=1) as town:
        [segment] = await _save(town, [rule])
        event = {
            "id": "1",
            "source": "shop",
            "type": "purchase.completed",
            "time": "2026-01-20T12:00:00+08:00",
            "customer": {"member_no": "M1"},
            "data": _bought(1, 10),
        }
        await town.post_events([event], history="import-1")
        await town.settled()
        client = town.client("campaign")
        assert len(await _members(town, segment)) == 1
        assert (await client.get(f"/v1/segments/{segment}/history")).json()["items"] == []
        closed = await town.client("interaction").post("/v1/history/import-1/close")
        assert closed.status_code < 300
        await town.settled()
        items = (await client.get(f"/v1/segments/{segment}/history")).json()["items"]
        assert [item["change"] for item in items] == ["entered"]
