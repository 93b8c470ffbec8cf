"""Which events become deliveries: all of the timeline that somebody wants, once, whatever happens."""

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import asyncpg
import pytest

from services.interaction.webhooks import missed
from services.interaction.webhooks.making import delivery_id
from services.interaction.webhooks.sending import send_due
from shared.kernel import open_kernel
from shared.rebuild import Rebuild
from tests.api.sending import Sender, problem_of, purchase, unique
from tests.interaction.webhooks.desk import Desk, a_world
from tests.interaction.webhooks.receiver import Receiver, receiving
from tests.world import World, add_worker


def types(receiver: Receiver) -> set[str]:
    return {one.json["type"] for one in receiver.got}


async def test_everybody_gets_what_they_want(desk: Desk):
    wants = {
        "one": ["purchase.completed"],
        "family": ["purchase.*"],
        "two": ["identifiers.added", "tag.added"],
        "all": ["*"],
        "nothing": ["tag.added"],
    }
    hooks = {
        name: await desk.add("https://nobody.invalid/", *types) for name, types in wants.items()
    }
    await desk.buy()
    refund = purchase(
        type="purchase.refunded",
        data={"order_id": unique("o"), "amount": {"amount": "1.00", "currency": "CNY"}},
    )
    await Sender(desk.here).accepted(refund)
    found = {
        name: sorted(one["type"] for one in await desk.deliveries(hook))
        for name, hook in hooks.items()
    }
    assert found["one"] == ["purchase.completed"]
    assert found["family"] == ["purchase.completed", "purchase.refunded"]
    assert found["two"] == ["identifiers.added"] * 2
    assert found["nothing"] == []
    everything = await desk.value(
        "SELECT count(*) FROM timeline WHERE recorded_at >= $1",
        datetime.fromisoformat(hooks["one"]["created_at"]),
    )
    assert len(found["all"]) == everything >= 4
    assert set(found["two"]) | set(found["family"]) <= set(found["all"])


async def test_from_the_moment_it_was_made_and_only_while_it_is_enabled(desk: Desk):
    before = await desk.buy()
    hook = await desk.add("https://nobody.invalid/", "purchase.completed")
    await desk.buy()
    await desk.patch(hook, enabled=False)
    await desk.buy()
    await desk.patch(hook, enabled=True)
    await desk.buy()
    assert len(await desk.deliveries(hook)) == 2
    assert before


async def test_what_is_changed_holds_for_the_next_event(desk: Desk):
    hook = await desk.add("https://nobody.invalid/", "tag.added")
    for wanted in (["purchase.completed"], ["tag.added"], ["*"], ["tag.removed"]):
        await desk.patch(hook, types=wanted)
        await desk.buy()
    found = [one["type"] for one in await desk.deliveries(hook)]
    assert found.count("purchase.completed") == 2


async def test_a_repeat_is_no_event(desk: Desk):
    hook = await desk.add("https://nobody.invalid/", "purchase.completed")
    event = purchase()
    for _ in range(2):
        await Sender(desk.here).accepted(event)
    assert len(await desk.deliveries(hook)) == 1


async def test_a_backfill_is_told_to_nobody(desk: Desk):
    hook = await desk.add("https://nobody.invalid/")
    event, name = purchase(), unique("h")
    answer = await Sender(desk.here).post([event], history=name)
    assert answer.json()["accepted"] == 1
    await desk.here.settled()
    answer = await desk.client.post(f"/v1/history/{name}/close")
    assert answer.is_success, answer.text
    await desk.here.settled()
    assert "purchase.completed" not in {one["type"] for one in await desk.deliveries(hook)}
    answer = await desk.post(hook, "replay", json={"from": hook["created_at"]})
    assert answer.status_code == 200, answer.text
    assert "purchase.completed" not in {one["type"] for one in await desk.deliveries(hook)}


async def test_without_an_endpoint_nothing_is_kept(desk: Desk):
    hook = await desk.add("https://nobody.invalid/")
    await desk.client.delete(f"/v1/webhooks/{hook['id']}")
    before = await desk.value("SELECT array_agg(p ORDER BY partition) FROM webhook_place AS p")
    await desk.buy()
    await desk.here.settled()
    assert before == await desk.value(
        "SELECT array_agg(p ORDER BY partition) FROM webhook_place AS p"
    )


async def test_a_time_is_sent_again(desk: Desk, receiver: Receiver):
    hook = await desk.add(receiver.url, "purchase.completed")
    path = {"from": hook["created_at"]}
    sent = [await desk.buy() for _ in range(2)]
    await desk.send()
    await desk.patch(hook, enabled=False)
    assert problem_of(await desk.post(hook, "replay", json=path)) == (409, "webhook_disabled")
    missed_one = await desk.buy()
    await desk.patch(hook, enabled=True)
    assert len(receiver.got) == 2

    key = {"Idempotency-Key": unique("k")}
    answers = [await desk.post(hook, "replay", json=path, headers=key) for _ in range(2)]
    assert [(one.status_code, one.json()) for one in answers] == [(200, {"deliveries": 3})] * 2
    await desk.send()
    orders = [one.json["data"]["data"]["order_id"] for one in receiver.got]
    assert sorted(orders) == sorted([*sent * 2, missed_one])
    assert len({one.id for one in receiver.got}) == 3
    middle = receiver.about(order_id=sent[1])[0].json["data"]["recorded_at"]
    answer = await desk.post(hook, "replay", json={**path, "to": middle})
    assert answer.json() == {"deliveries": 1}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/from"),
        ({"from": "yesterday"}, "/from"),
        ({"from": "2026-11-20T10:00:00Z", "to": "2026-11-20T10:00:00Z"}, "/to"),
        ({"from": "2026-11-20T10:00:00Z", "to": "2999-11-20T10:00:00Z"}, "/to"),
        ({"from": "2999-11-20T10:00:00Z"}, "/to"),
        ({"from": "2026-11-20T10:00:00Z", "since": "x"}, "/since"),
    ],
)
async def test_a_time_that_cannot_be(desk: Desk, body: Any, pointer: str):
    hook = await desk.add("https://nobody.invalid/")
    answer = await desk.post(hook, "replay", json=body)
    assert problem_of(answer) == (422, "validation_failed")
    assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]


async def test_too_much_at_once(desk: Desk, monkeypatch):
    monkeypatch.setattr("services.interaction.webhooks.reading.MOST_REPLAYED", 2)
    hook = await desk.add("https://nobody.invalid/", "purchase.completed")
    path = {"from": hook["created_at"]}
    for count in (1, 2):
        await desk.buy()
        assert (await desk.post(hook, "replay", json=path)).json() == {"deliveries": count}
    await desk.buy()
    answer = await desk.post(hook, "replay", json=path)
    assert problem_of(answer) == (422, "webhook_replay_too_large")


# Others -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def town(postgres) -> AsyncIterator[World]:
    """With those who merge and erase; it remembers keys for no time."""
    async with a_world(
        postgres, services=("interaction", "profile"), keyring_seconds=0.001
    ) as made:
        yield made


async def said(here: World, member: str, content: str) -> str:
    answer = await here.client("interaction").post(
        "/v1/interactions",
        json={"customer": {"member_no": member}, "kind": "call", "content": content},
    )
    assert answer.status_code == 201, answer.text
    await here.settled()
    return answer.json()["customer_id"]


async def test_customers_that_are_one_have_one_id(town: World, receiver: Receiver):
    desk = Desk(town)
    await desk.add(receiver.url, "interaction.recorded", "customer.regrouped")
    first, second = unique("M"), unique("M")
    ids = [await said(town, first, "a"), await said(town, second, "b")]
    merged = await town.client("profile").post(
        "/v1/merges",
        json={"parts": [f"member_no:{first}", f"member_no:{second}"], "reason": "called"},
    )
    assert merged.is_success, merged.text
    await town.settled()
    await desk.send()
    assert types(receiver) == {"interaction.recorded", "customer.regrouped"}
    [head] = {one.json["data"]["customer_id"] for one in receiver.got}
    assert head in ids
    known = await town.client("profile").get(f"/v1/customers/{ids[0]}")
    assert known.json()["id"] == head
    await desk.clear()


async def test_of_who_was_erased_nothing_personal_is_sent(town: World, receiver: Receiver):
    """Not in what is sent for the first time, nor in what is tried again."""
    desk = Desk(town)
    hook = await desk.add(receiver.url, "interaction.recorded", "customer.*", "identifiers.*")
    member, secret = unique("M"), unique("secret")
    customer = await said(town, member, secret)
    await desk.send()
    assert any(secret in one.body.decode() for one in receiver.got)
    second = await said(town, member, f"{secret} again")
    assert second == customer
    erased = await town.client("profile").post("/v1/erasures", json={"customer": customer})
    assert erased.is_success, erased.text
    await town.settled()
    answer = await desk.post(hook, "replay", json={"from": hook["created_at"]})
    assert answer.json()["deliveries"] >= 4
    before = len(receiver.got)
    await desk.send()
    after = receiver.got[before:]
    assert {one.json["data"]["customer_id"] for one in after} == {customer}
    assert {"customer.erased", "interaction.recorded", "identifiers.added"} <= {
        one.json["type"] for one in after
    }
    assert not any(secret in one.body.decode() or member in one.body.decode() for one in after)
    assert sum(one.json["type"] == "interaction.recorded" for one in after) == 2
    kept = await desk.value("SELECT string_agg(d::text, '') FROM webhook_delivery AS d")
    assert secret not in kept
    assert member not in kept
    await desk.clear()


# Going back, going beside -----------------------------------------------------------------------


async def rebuild(here: World) -> None:
    own = importlib.import_module("services.interaction.settings").Settings(
        database_url=here.urls["interaction"]
    )
    service = importlib.import_module("services.interaction.service").SERVICE
    kernel = open_kernel(service, "rebuild", here.settings, own)
    try:
        await Rebuild(kernel, lambda _: None).run()
    finally:
        await kernel.close()


@pytest.fixture(params=["postgresql", pytest.param("kafka", marks=pytest.mark.kafka)])
def log_url(request) -> str | None:
    """None: the log is one of the fresh databases."""
    if request.param == "postgresql":
        return None
    return f"kafka://{request.getfixturevalue('kafka').bootstrap}"


async def test_what_only_a_rebuild_has_folded_is_sent_as_well(
    postgres, receiver: Receiver, log_url: str | None
):
    """While no worker runs, somebody records a contact and the tables are made anew."""
    quick = {"clock_tick_seconds": 0.2, "partitions": 2}
    async with a_world(postgres, workers=False, log_url=log_url, **quick) as here:
        desk = Desk(here)
        async with AsyncExitStack() as stack:
            await add_worker(stack, here, "interaction")
            await here.settled()
            hook = await desk.add(receiver.url, "interaction.recorded", "purchase.completed")
            await desk.buy()
        here.workers.clear()
        answer = await desk.client.post(
            "/v1/interactions", json={"customer": {"member_no": "M-1"}, "kind": "call"}
        )
        assert answer.status_code == 202, answer.text
        await rebuild(here)
        assert len(await desk.deliveries(hook)) == 1
        async with AsyncExitStack() as stack:
            await add_worker(stack, here, "interaction")
            await desk.buy()
            kernel = here.kernels["interaction"]
            until = asyncio.get_running_loop().time() + 20
            while len(await desk.deliveries(hook)) < 3:
                assert asyncio.get_running_loop().time() < until, "the hole was not noticed"
                await asyncio.sleep(0.05)
                await missed.close(kernel)
            while await missed.pending(kernel):
                await missed.close(kernel)
            assert await desk.value("SELECT max(next_offset) FROM webhook_place") > 0
            found = [one["type"] for one in await desk.deliveries(hook)]
            assert sorted(found) == ["interaction.recorded", *["purchase.completed"] * 2]
            await send_due(desk.kernel())
            assert len(receiver.got) == 3
            # Once more beside a worker: nothing is made twice.
            await rebuild(here)
            await desk.buy()
            await asyncio.sleep(1)
            await missed.close(kernel)
            assert len(await desk.deliveries(hook)) == 4


async def test_who_goes_back_sends_what_is_folded_again_under_the_same_ids(postgres, receiver):
    async with a_world(postgres, workers=False) as here:
        desk = Desk(here)
        database = unquote(urlsplit(here.urls["interaction"]).path.removeprefix("/"))
        async with AsyncExitStack() as stack:
            await add_worker(stack, here, "interaction")
            await here.settled()
            hook = await desk.add(receiver.url, "purchase.completed")
            early = await desk.buy()
            await here.settled()
        await copied(postgres, database, f"{database}_kept")
        async with AsyncExitStack() as stack:
            await add_worker(stack, here, "interaction")
            late = await desk.buy()
            await desk.send()
            await here.settled()
            ids = {one["id"] for one in await desk.deliveries(hook)}
        assert len(receiver.got) == 2
        await copied(postgres, f"{database}_kept", database)
        async with AsyncExitStack() as stack:
            await add_worker(stack, here, "interaction")
            await here.settled(60)
            assert {one["id"] for one in await desk.deliveries(hook)} == ids
            await desk.send()
        for order in (early, late):
            first, again = receiver.about(order_id=order)
            assert first.id == again.id
            assert first.json == again.json
        postgres.drop_database(f"{database}_kept")


async def copied(postgres: Any, source: str, target: str) -> None:
    conn = await asyncpg.connect(postgres.url("postgres"))
    try:
        await conn.execute(f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)')
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", source
        )
        await conn.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}" STRATEGY FILE_COPY')
    finally:
        await conn.close()


async def test_by_itself(postgres):
    """As in earnest, with nobody who asks: an event, and moments later it is there."""
    async with a_world(postgres, sends=True) as here, receiving() as there:
        desk = Desk(here)
        hook = await desk.add(there.url, "purchase.completed")
        order = await desk.buy()
        await here.settled()
        [got] = there.about(order_id=order)
        assert got.verified(hook["secret"])["type"] == "purchase.completed"
        event = (await desk.delivery(hook))["event_id"]
        assert got.id == str(delivery_id(UUID(hook["id"]), UUID(event)))
        later = datetime.now(UTC) + timedelta(hours=1)
        assert datetime.fromisoformat((await desk.delivery(hook))["done_at"]) < later
