"""Reading your writes: Prefer: wait, Tenure-Position, Tenure-Wait-For, Tenure-Freshness."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from shared import codec
from shared.clock import edge_clock
from shared.ids import new_id, partition_of
from shared.language import InteractionRecorded
from shared.log import Entry
from tests.api.sending import Sender, contact, problem_of, purchase, unique
from tests.world import World, add_worker, world


async def test_waiting_names_the_customer_and_the_position(sender: Sender):
    event = purchase()
    answer = await sender.post(event, wait=10)
    [item] = answer.json()["items"]
    assert (item["id"], item["status"]) == (event["id"], "accepted")
    assert answer.headers["preference-applied"] == "wait=10"
    found = await sender.get(
        f"/v1/timelines/{item['customer_id']}",
        {"Tenure-Wait-For": answer.headers["Tenure-Position"]},
    )
    assert event["id"] in {entry["source_id"] for entry in found.json()["items"]}


async def test_one_position_covers_customers_of_many_partitions(sender: Sender):
    events = [purchase() for _ in range(40)]
    answer = await sender.post(events, wait=10)
    position = answer.headers["Tenure-Position"]
    assert len(position.split(",")) > 4
    for item in answer.json()["items"]:
        found = await sender.get(
            f"/v1/timelines/{item['customer_id']}", {"Tenure-Wait-For": position}
        )
        assert item["id"] in {entry["source_id"] for entry in found.json()["items"]}


@pytest.mark.parametrize(
    "prefer", ["wait=10", "respond-async, wait=10", "handling=lenient; x=1, wait=10", "Wait=10"]
)
async def test_ways_to_prefer(sender: Sender, prefer):
    answer = await sender.client.post("/v1/events", json=purchase(), headers={"Prefer": prefer})
    assert answer.json()["items"][0]["customer_id"]


@pytest.mark.parametrize(
    "prefer", ["", "return=minimal", "wait", "wait=soon", "await=10", "wait=-1"]
)
async def test_other_preferences_are_none(sender: Sender, prefer):
    answer = await sender.client.post("/v1/events", json=purchase(), headers={"Prefer": prefer})
    assert "customer_id" not in answer.json()["items"][0]
    assert "preference-applied" not in answer.headers
    assert "tenure-position" not in answer.headers


async def test_repeats_have_their_customer_too(sender: Sender):
    event = purchase()
    first = await sender.post([event, event, purchase(type="nope")], wait=10)
    customers = [item["customer_id"] for item in first.json()["items"]]
    assert customers[0] == customers[1] != None  # noqa: E711
    assert customers[2] is None
    again = await sender.post(event, wait=10)
    assert again.json()["items"][0]["customer_id"] == customers[0]
    assert "tenure-position" in again.headers


async def test_nothing_accepted_is_nothing_to_wait_for(sender: Sender):
    answer = await sender.post([purchase(type="nope")], wait=10)
    assert answer.elapsed.total_seconds() < 5
    assert "tenure-position" not in answer.headers


async def test_every_read_says_how_fresh_it_is(sender: Sender):
    [customer] = await sender.accepted(purchase())
    for path in (f"/v1/timelines/{customer}", "/v1/quarantine/interaction"):
        answer = await sender.get(path)
        assert 0 <= float(answer.headers["Tenure-Freshness"]) < 5, "the clock ticks now and then"


async def test_what_is_not_there_yet_is_504_after_two_seconds(sender: Sender):
    [customer] = await sender.accepted(purchase())
    started = asyncio.get_running_loop().time()
    answer = await sender.get(
        f"/v1/timelines/{customer}", {"Tenure-Wait-For": "interaction.0.999999999999"}
    )
    assert problem_of(answer) == (504, "not_caught_up")
    assert 1.5 < asyncio.get_running_loop().time() - started < 6
    assert "retry-after" in answer.headers


@pytest.fixture(scope="module")
async def still(postgres):
    """An installation whose worker a test starts and stops."""
    async with world(postgres, services=["interaction"], workers=False) as made:
        yield made


async def start(stack: AsyncExitStack, still: World) -> None:
    await add_worker(stack, still, "interaction")
    await still.settled()


async def test_when_time_runs_out_it_is_accepted_all_the_same(still: World):
    sender = Sender(still)
    event = purchase()
    for wait in (0, 1):
        answer = await sender.post([event, purchase(type="nope")], wait=wait)
        assert answer.status_code == 200
        assert [(i["status"], i["customer_id"]) for i in answer.json()["items"]] == [
            ("accepted", None),
            ("rejected", None),
        ]
        assert "tenure-position" not in answer.headers
    async with AsyncExitStack() as stack:
        await start(stack, still)
        [customer] = await sender.accepted(event)
        found = [e for e in await sender.timeline(customer) if e["source"] == "shop"]
        assert len(found) == 1, "sent twice, resolved once"


async def test_freshness_is_the_age_of_what_is_not_folded(still: World):
    sender = Sender(still)
    async with AsyncExitStack() as stack:
        await start(stack, still)
        [customer] = await sender.accepted(contact({"member_no": unique("M")}))
    now = edge_clock(still.settings)()
    partition = partition_of(customer, still.settings.partitions)
    value = codec.encode(
        id=new_id(),
        type="interaction.recorded",
        subject=customer,
        time=now,
        receivedtime=now,
        source="tenure/profile",
        sourceid=unique(),
        data=InteractionRecorded(kind="visit"),
    )
    log = sender.client._transport.app.state.kernel.log
    await log.append("customers", [(partition, Entry(customer, value, "profile", 1))])
    await asyncio.sleep(0.6)
    answer = await sender.get(f"/v1/timelines/{customer}")
    first = float(answer.headers["Tenure-Freshness"])
    assert first >= 0.3
    position = {"Tenure-Wait-For": f"profile.{partition}.1"}
    late = await sender.get(f"/v1/timelines/{customer}", position)
    assert problem_of(late) == (504, "not_caught_up")
    assert len(await sender.timeline(customer)) == 2
    async with AsyncExitStack() as stack:
        await start(stack, still)
        answer = await sender.get(f"/v1/timelines/{customer}", position)
        assert len(answer.json()["items"]) == 3
        async with asyncio.timeout(10):
            while float(answer.headers["Tenure-Freshness"]) > 0:
                await asyncio.sleep(0.1)
                answer = await sender.get(f"/v1/timelines/{customer}")
