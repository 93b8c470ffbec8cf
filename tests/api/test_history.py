"""A backfill: its events fold in silence until it is closed."""

import asyncio

import orjson
import pytest

from services.interaction.arrivals import partition_for
from tests.api.sending import Sender, contact, problem_of, purchase, unique
from tests.world import World


async def customers_log(here: World) -> list[tuple[int, dict]]:
    """(partition, event) of everything on `customers`."""
    log = here.kernels["interaction"].log
    found = []
    for partition, end in (await log.ends("customers")).items():
        offset = 0
        while offset < end:
            records = await log.read(
                "customers", partition, offset, events=1000, size=8 << 20, wait=1
            )
            found += [(partition, orjson.loads(record.value)) for record in records]
            offset = records[-1].offset + 1
    return found


def closes(events: list[tuple[int, dict]], history: str) -> list[int]:
    return sorted(
        partition
        for partition, event in events
        if event["type"] == "history.closed" and event["data"]["history"] == history
    )


async def test_events_of_a_history_say_so_and_are_closed_once_on_every_partition(
    here: World, sender: Sender
):
    history = unique("import")
    events = [purchase() for _ in range(30)]
    answer = await sender.post(events, history=history)
    assert answer.json()["accepted"] == 30
    closing = [sender.client.post(f"/v1/history/{history}/close") for _ in range(5)]
    for closed in await asyncio.gather(*closing):
        assert (closed.status_code, closed.json()) == (
            202,
            {"history": history, "status": "closing"},
        )
    await here.settled()
    on_log = await customers_log(here)
    ours = {event["id"] for event in events}
    for partition in range(here.settings.partitions):
        there = [event for p, event in on_log if p == partition]
        types = [event["type"] for event in there if event["data"].get("history") == history]
        assert types == ["history.closed"]
        last = max((n for n, event in enumerate(there) if event["sourceid"] in ours), default=-1)
        close = next(n for n, event in enumerate(there) if event["data"].get("history") == history)
        assert last < close, "behind all that was accepted before it"
    marked = [event for _, event in on_log if event.get("history") == history]
    assert len(marked) == 60, "each purchase and its identifiers"
    again = await sender.client.post(f"/v1/history/{history}/close")
    assert again.status_code == 202
    await here.settled()
    assert closes(await customers_log(here), history) == list(range(here.settings.partitions))


async def test_live_events_do_not_wait_behind_a_backfill(here: World, sender: Sender):
    lane = here.workers["interaction"].pacing
    waiting = [purchase() for _ in range(20)]
    async with lane:  # its turn never comes while we hold it
        assert (await sender.post(waiting, history=unique("import"))).json()["accepted"] == 20
        live = (await sender.post([purchase()], wait=10)).json()["items"][0]
        assert live["customer_id"]
        again = (await sender.post([waiting[0]], wait=10)).json()["items"][0]
        assert again["status"] == "accepted", "what waits in the lane is not known at the door"
        assert again["customer_id"]
    await here.settled()
    ours = {event["id"] for event in waiting}
    folded = [e["sourceid"] for _, e in await customers_log(here) if e["sourceid"] in ours]
    assert sorted(folded) == sorted(ours), "also the one that came by both lanes: once"


async def test_who_is_new_lives_where_their_first_event_came_in(here: World, sender: Sender):
    events = [purchase() for _ in range(20)]
    await sender.accepted(*events)
    await here.settled()
    ours = {event["id"]: event["customer"] for event in events}
    found = {e["sourceid"]: p for p, e in await customers_log(here) if e["sourceid"] in ours}
    partitions = here.settings.partitions
    assert found == {id_: partition_for(who, partitions) for id_, who in ours.items()}


async def test_a_repeat_may_come_with_or_without_its_history(sender: Sender):
    event = contact({"member_no": unique("M")})
    await sender.accepted(event)
    answer = await sender.post(event, history=unique("import"))
    assert answer.json()["duplicate"] == 1


@pytest.mark.parametrize("history", ["a b", "x" * 101, "", "日本", "a/b", "a\nb"])
async def test_names_that_no_history_has(sender: Sender, history):
    answer = await sender.post(purchase(), history=history)
    assert problem_of(answer) == (422, "validation_failed")
    assert answer.json()["errors"][0]["pointer"] == "?history"


@pytest.mark.parametrize("history", ["a%20b", "x" * 101, "%E6%97%A5", "a,b", "a%0Ab"])
async def test_names_that_cannot_be_closed(sender: Sender, history):
    for language in ("zh", "en"):
        answer = await sender.client.post(
            f"/v1/history/{history}/close", headers={"Accept-Language": language}
        )
        assert problem_of(answer) == (400, "invalid_history")


async def test_closing_is_publishing(here: World, sender: Sender):
    key = await here.new_key("read", "ops")
    answer = await sender.client.post(
        "/v1/history/x/close", headers={"Authorization": f"Bearer {key}"}
    )
    assert problem_of(answer) == (403, "missing_scope")


async def test_the_same_key_closes_it_once(sender: Sender):
    path, headers = f"/v1/history/{unique('h')}/close", {"Idempotency-Key": unique("k")}
    answers = [await sender.client.post(path, headers=headers) for _ in range(2)]
    assert [one.status_code for one in answers] == [202, 202]
    assert [one.headers.get("idempotent-replay") for one in answers] == [None, "true"]
    assert answers[0].json() == answers[1].json()
