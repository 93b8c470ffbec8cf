"""What becomes of deliveries: sent, tried again, given up."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.interaction.webhooks.sending import AT_ONCE, Sending, pending
from services.interaction.webhooks.trimming import trim
from services.interaction.webhooks.trying import DELAYS, JITTER
from shared import metrics
from tests.api.sending import problem_of
from tests.interaction.webhooks.desk import Desk
from tests.interaction.webhooks.receiver import Receiver, Reply, in_turn, receiving

SECOND = timedelta(seconds=1)


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_an_event_is_sent_signed(desk: Desk, receiver: Receiver):
    hook = await desk.add(receiver.url, "purchase.completed")
    order = await desk.buy()
    await desk.send()
    [got] = receiver.got
    body = got.verified(hook["secret"])
    assert body.keys() == {"type", "timestamp", "data"}
    assert (body["type"], body["timestamp"]) == ("purchase.completed", "2026-11-20T04:03:11Z")
    assert body["data"] == {
        "id": body["data"]["id"],
        "type": "purchase.completed",
        "time": "2026-11-20T04:03:11Z",
        "recorded_at": body["data"]["recorded_at"],
        "customer_id": body["data"]["customer_id"],
        "source": "shop",
        "data": {"order_id": order, "total": {"amount": "35.80", "currency": "CNY"}},
    }
    done = await desk.delivery(hook)
    assert done == {
        "id": got.id,
        "type": "purchase.completed",
        "event_id": body["data"]["id"],
        "customer_id": body["data"]["customer_id"],
        "status": "delivered",
        "attempts": 1,
        "next_at": None,
        "last": {"at": done["last"]["at"], "code": "accepted", "status": 204, "message": "Taken."},
        "created_at": done["created_at"],
        "done_at": done["done_at"],
    }
    with pytest.raises(WebhookVerificationError):
        got.verified((await desk.add(receiver.url, "tag.added"))["secret"])
    await desk.send()
    assert len(receiver.got) == 1


async def test_personal_data_is_opened_when_it_is_sent_and_kept_nowhere(
    desk: Desk, receiver: Receiver
):
    hook = await desk.add(receiver.url, "interaction.recorded")
    said = "She said that Thursday suits"
    answer = await desk.client.post(
        "/v1/interactions",
        json={"customer": {"member_no": "M-said"}, "kind": "call", "content": said},
    )
    assert answer.status_code == 201, answer.text
    await desk.send()
    assert receiver.got[0].verified(hook["secret"])["data"]["data"]["content"] == said
    kept = await desk.value("SELECT string_agg(d::text, '') FROM webhook_delivery AS d")
    assert "Thursday" not in kept


async def test_both_secrets_sign_for_a_day(desk: Desk, receiver: Receiver):
    hook = await desk.add(receiver.url)
    new = (await desk.post(hook, "rotate")).json()["secret"]
    await desk.post(hook, "test")
    await desk.send()
    [got] = receiver.got
    assert got.verified(hook["secret"]) == got.verified(new)
    assert got.json["type"] == "webhook.test"
    desk.later = timedelta(hours=24, seconds=5)
    await desk.post(hook, "test")
    await desk.send()
    headers = receiver.got[1].headers
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert timedelta(0) <= desk.kernel().clock() - at < 5 * SECOND
    signature = Webhook(new).sign(headers["webhook-id"], at, receiver.got[1].body.decode())
    assert headers["webhook-signature"] == signature


async def test_tried_again_and_again_under_the_same_id(desk: Desk, receiver: Receiver):
    receiver.judge = in_turn(500)
    hook = await desk.add(receiver.url, "purchase.completed")
    await desk.buy()
    for attempt, delay in enumerate(DELAYS, 1):
        before = desk.kernel().clock()
        await desk.send()
        one = await desk.delivery(hook)
        assert (one["status"], one["attempts"]) == ("pending", attempt)
        assert (one["last"]["status"], one["last"]["code"]) == (500, "status")
        waits = time_of(one["next_at"]) - before
        assert delay <= waits <= delay * (1 + JITTER) + 5 * SECOND
        desk.later = time_of(one["next_at"]) - datetime.now(UTC) - 2 * SECOND
        assert not await pending(desk.kernel())
        await desk.send()
        assert len(receiver.got) == attempt, "not before its time"
        desk.later += 3 * SECOND
        assert await pending(desk.kernel())
    await desk.send()
    one = await desk.delivery(hook)
    assert (one["status"], one["attempts"], one["next_at"]) == ("failed", 10, None)
    assert len(receiver.got) == 10
    assert len({got.id for got in receiver.got}) == 1
    assert len({got.headers["webhook-timestamp"] for got in receiver.got}) == 10
    desk.later += timedelta(days=9)
    await desk.send()
    assert len(receiver.got) == 10


async def test_taken_at_last(desk: Desk, receiver: Receiver):
    receiver.judge = in_turn(500, 503, 200)
    hook = await desk.add(receiver.url, "purchase.completed")
    await desk.buy()
    for _ in range(3):
        await desk.send()
        desk.later += timedelta(hours=1)
    one = await desk.delivery(hook)
    assert (one["status"], one["attempts"]) == ("delivered", 3)
    assert (await desk.get(hook))["failing_since"] is None


async def test_retry_after_is_respected(desk: Desk, receiver: Receiver):
    receiver.judge = in_turn(429, headers={"Retry-After": "3600"})
    hook = await desk.add(receiver.url, "purchase.completed")
    await desk.buy()
    before = desk.kernel().clock()
    await desk.send()
    one = await desk.delivery(hook)
    assert timedelta(0) <= time_of(one["next_at"]) - before - timedelta(hours=1) < 5 * SECOND
    desk.later = timedelta(minutes=59)
    await desk.send()
    assert len(receiver.got) == 1


async def test_who_is_gone_is_asked_no_more(desk: Desk, receiver: Receiver):
    receiver.judge = in_turn(410)
    hook = await desk.add(receiver.url, "purchase.completed")
    first, _ = [await desk.buy() for _ in range(2)]
    before = metrics.webhooks_disabled.labels("gone")._value.get()
    await desk.execute(
        "UPDATE webhook_delivery SET next_at = now() + interval '1 hour' WHERE webhook_id = $1"
        " AND created_at = (SELECT max(created_at) FROM webhook_delivery WHERE webhook_id = $1)",
        hook["id"],
    )
    await desk.send()
    state = await desk.get(hook)
    assert (state["enabled"], state["disabled"]["code"]) == (False, "gone")
    assert metrics.webhooks_disabled.labels("gone")._value.get() == before + 1
    later, failed = await desk.deliveries(hook)
    assert (failed["status"], failed["last"]["status"]) == ("failed", 410)
    assert later["status"] == "pending"
    assert receiver.about(order_id=first)
    await desk.buy()
    desk.later = timedelta(hours=2)
    await desk.send()
    assert len(receiver.got) == 1, "nothing is sent"
    assert len(await desk.deliveries(hook)) == 2, "and nothing is made"
    assert not await pending(desk.kernel())

    receiver.judge = in_turn(200)
    state = await desk.patch(hook, enabled=True)
    assert (state["enabled"], state["disabled"]) == (True, None)
    await desk.send()
    assert {one["status"] for one in await desk.deliveries(hook)} == {"delivered", "failed"}
    assert len(receiver.got) == 2, "it goes on with what is due"


async def test_five_days_of_failures_are_enough(desk: Desk, receiver: Receiver):
    receiver.judge = in_turn(500)
    hook = await desk.add(receiver.url, "purchase.completed")
    await desk.buy()
    await desk.send()
    since = time_of((await desk.get(hook))["failing_since"])
    assert abs(since - datetime.now(UTC)) < 10 * SECOND
    desk.later = timedelta(days=5) - 20 * SECOND
    await desk.buy()
    await desk.send()
    state = await desk.get(hook)
    assert state["enabled"]
    assert time_of(state["failing_since"]) == since
    desk.later = timedelta(days=5, seconds=20)
    await desk.buy()
    await desk.send()
    state = await desk.get(hook)
    assert (state["enabled"], state["disabled"]["code"]) == (False, "failing")
    assert state["disabled"]["message"] == "Nothing was taken for 5 days."
    await desk.patch(hook, enabled=True)
    desk.later += timedelta(hours=1)
    await desk.send()
    state = await desk.get(hook)
    assert state["enabled"], "five days begin anew"
    assert time_of(state["failing_since"]) > since


async def test_one_that_takes_something_now_and_then_goes_on(desk: Desk, receiver: Receiver):
    hook = await desk.add(receiver.url, "purchase.completed")
    for day in range(8):
        receiver.judge = in_turn(200 if day == 3 else 500)
        desk.later = timedelta(days=day)
        await desk.buy()
        await desk.send()
    state = await desk.get(hook)
    assert state["enabled"]
    assert time_of(state["failing_since"]) > datetime.now(UTC) + timedelta(days=3)


async def test_an_answer_from_where_it_was_says_nothing_about_where_it_is(desk: Desk):
    asked = asyncio.Event()

    def judge(_: object) -> Reply:
        asked.set()
        return Reply(410, seconds=0.5)

    async with receiving(judge) as old, receiving() as new:
        hook = await desk.add(old.url, "purchase.completed")
        await desk.buy()
        sending = asyncio.create_task(desk.send())
        await asked.wait()
        await desk.patch(hook, url=new.url)
        await sending
        state = await desk.get(hook)
        assert (state["enabled"], state["failing_since"]) == (True, None)
        await desk.post(hook, f"deliveries/{(await desk.delivery(hook))['id']}/resend")
        await desk.send()
        assert len(new.got) == 1


async def test_no_answer_in_time(desk: Desk, receiver: Receiver):
    receiver.judge = lambda _: Reply(seconds=30)
    hook = await desk.add(receiver.url, "purchase.completed")
    await desk.buy()
    await desk.send(webhooks_seconds=0.3)
    one = await desk.delivery(hook)
    assert (one["status"], one["last"]["code"], one["last"]["status"]) == (
        "pending",
        "timeout",
        None,
    )


async def test_a_redirect_is_no_success_and_private_addresses_are_refused(
    desk: Desk, receiver: Receiver
):
    receiver.judge = in_turn(302, headers={"Location": "http://169.254.169.254/"})
    hook = await desk.add(receiver.url, "purchase.completed")
    home = await desk.add(f"https://localhost:{receiver.port}/", "purchase.completed")
    await desk.buy()
    await desk.send(webhooks_seconds=1)
    assert (await desk.delivery(hook))["last"]["status"] == 302
    assert (await desk.delivery(home))["last"]["code"] == "timeout", "it waits for another greeting"
    desk.later = timedelta(minutes=1)
    await desk.send(webhooks_private=False)
    assert (await desk.delivery(hook))["last"]["code"] == "webhook_url"
    assert (await desk.delivery(home))["last"]["code"] == "webhook_address"


async def test_a_slow_endpoint_holds_up_nobody_else(desk: Desk):
    async with receiving(lambda _: Reply(seconds=2.5)) as slow, receiving() as fast:
        for there in (slow, fast):
            await desk.add(there.url, "purchase.completed")
        for _ in range(3):
            await desk.buy()
        sending = asyncio.create_task(desk.send())
        began = time.monotonic()
        await fast.has(3)
        # What comes while the slow one is under way is not held up either.
        await desk.buy()
        await fast.has(4)
        assert time.monotonic() - began < 2.4
        assert not sending.done()
        await sending
        assert (len(slow.got), len(fast.got)) == (4, 4)


async def test_so_many_at_once_of_one_endpoint(desk: Desk, receiver: Receiver):
    receiver.judge = lambda _: Reply(seconds=0.1)
    hook = await desk.add(receiver.url)
    for _ in range(3 * AT_ONCE):
        await desk.post(hook, "test")
    await desk.send()
    assert receiver.most == AT_ONCE
    assert {one["status"] for one in await desk.deliveries(hook)} == {"delivered"}
    assert len(receiver.got) == 3 * AT_ONCE


async def test_two_who_send_send_everything_once(desk: Desk, receiver: Receiver):
    receiver.judge = lambda _: Reply(seconds=0.02)
    hook = await desk.add(receiver.url)
    for _ in range(40):
        await desk.post(hook, "test")
    await asyncio.gather(*(desk.send() for _ in range(3)))
    assert len(receiver.got) == 40
    assert len({got.id for got in receiver.got}) == 40


async def test_whose_sender_is_gone_is_sent_again(desk: Desk, receiver: Receiver):
    hook = await desk.add(receiver.url, "purchase.completed")
    await desk.buy()
    [claimed] = await Sending(desk.kernel()).claim()
    await desk.send()
    assert receiver.got == [], "as long as it may be under way"
    assert (await desk.delivery(hook))["status"] == "sending"
    assert await pending(desk.kernel())
    await desk.execute(
        "UPDATE webhook_delivery SET until = now() - interval '1 second' WHERE id = $1",
        claimed["id"],
    )
    await desk.send()
    one = await desk.delivery(hook)
    assert (one["status"], one["attempts"]) == ("delivered", 2)
    assert [got.id for got in receiver.got] == [str(claimed["id"])]


async def test_who_was_overtaken_settles_nothing(desk: Desk, receiver: Receiver):
    hook = await desk.add(receiver.url, "purchase.completed")
    await desk.buy()
    slow = Sending(desk.kernel())
    claimed = await slow.claim()
    await desk.execute("UPDATE webhook_delivery SET until = now() - interval '1 second'")
    receiver.judge = in_turn(500, 200)
    await desk.send()
    assert (await desk.delivery(hook))["status"] == "pending"
    await slow.run(claimed)
    one = await desk.delivery(hook)
    assert (one["status"], one["last"]["status"], len(receiver.got)) == ("pending", 500, 2)


async def test_the_tenth_that_is_interrupted_is_the_last(desk: Desk, receiver: Receiver):
    hook = await desk.add(receiver.url, "purchase.completed")
    await desk.buy()
    for _ in range(10):
        assert await Sending(desk.kernel()).claim()
        await desk.execute("UPDATE webhook_delivery SET until = now() - interval '1 second'")
    await desk.send()
    one = await desk.delivery(hook)
    assert (one["status"], one["last"]["code"], one["attempts"]) == ("failed", "interrupted", 10)


async def test_while_the_keyring_is_away_nothing_is_sent_half(
    desk: Desk, receiver: Receiver, monkeypatch
):
    hook = await desk.add(receiver.url, "purchase.completed")
    await desk.buy()

    async def away(*_: object) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr(type(desk.kernel().keyring), "open", away)
        with pytest.raises(ConnectionRefusedError):
            await desk.send()
    one = await desk.delivery(hook)
    assert (one["status"], one["attempts"], receiver.got) == ("pending", 0, [])
    await desk.send()
    assert len(receiver.got) == 1


async def test_a_database_that_went_back_sends_nothing_before_it_remembers(
    desk: Desk, receiver: Receiver
):
    await desk.add(receiver.url, "purchase.completed")
    await desk.buy()
    server = await desk.value("SELECT server FROM relay WHERE partition = 0")
    await desk.execute("UPDATE relay SET server = 'another' WHERE partition = 0")
    try:
        await desk.send()
        assert receiver.got == []
    finally:
        await desk.execute("UPDATE relay SET server = $1 WHERE partition = 0", server)
    await desk.send()
    assert len(receiver.got) == 1


async def test_a_test_is_sent_once_also_where_nothing_else_is(desk: Desk, receiver: Receiver):
    receiver.judge = in_turn(500)
    hook = await desk.add(receiver.url, enabled=False)
    answer = await desk.post(hook, "test")
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["status"], made["type"], made["event_id"]) == ("pending", "webhook.test", None)
    assert answer.headers["location"].endswith(f"/deliveries/{made['id']}")
    await desk.send()
    [got] = receiver.got
    assert got.verified(hook["secret"])["data"] == {"webhook_id": hook["id"]}
    one = (await desk.client.get(answer.headers["location"])).json()
    assert (one["id"], one["status"], one["attempts"]) == (got.id, "failed", 1)
    state = await desk.get(hook)
    assert (state["failing_since"], state["disabled"]) == (None, None)


async def test_sent_again_because_somebody_asks(desk: Desk, receiver: Receiver):
    hook = await desk.add(receiver.url, "purchase.completed")
    await desk.buy()
    await desk.send()
    done = await desk.delivery(hook)
    answer = await desk.post(hook, f"deliveries/{done['id']}/resend")
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    assert (answer.json()["attempts"], answer.json()["done_at"]) == (0, None)
    await desk.send()
    first, again = receiver.got
    assert (first.id, first.body) == (again.id, again.body)
    await desk.patch(hook, enabled=False)
    answer = await desk.post(hook, f"deliveries/{done['id']}/resend")
    assert problem_of(answer) == (409, "webhook_disabled")
    other = await desk.add(receiver.url)
    answer = await desk.post(other, f"deliveries/{done['id']}/resend")
    assert problem_of(answer) == (404, "webhook_delivery_not_found")


async def test_what_is_being_sent_is_not_sent_twice_at_once(desk: Desk, receiver: Receiver):
    hook = await desk.add(receiver.url, "purchase.completed")
    await desk.buy()
    slow = Sending(desk.kernel())
    claimed = await slow.claim()
    answer = await desk.post(hook, f"deliveries/{claimed[0]['id']}/resend")
    assert (answer.status_code, answer.json()["status"]) == (200, "sending")
    await slow.run(claimed)
    assert len(receiver.got) == 1


async def test_the_list_with_its_filter_and_pages(desk: Desk, receiver: Receiver):
    hook = await desk.add(receiver.url)
    receiver.judge = in_turn(500)
    for _ in range(2):
        await desk.post(hook, "test")
    await desk.send()
    receiver.judge = in_turn(200)
    for _ in range(3):
        await desk.post(hook, "test")
    await desk.send()
    await desk.post(hook, "test")
    everything = await desk.deliveries(hook)
    statuses = ["pending", *["delivered"] * 3, *["failed"] * 2]
    assert [one["status"] for one in everything] == statuses
    for status in ("pending", "sending", "delivered", "failed"):
        found = await desk.deliveries(hook, status=status)
        assert found == [one for one in everything if one["status"] == status]
    path = f"/v1/webhooks/{hook['id']}/deliveries"
    pages, cursor = [], None
    while True:
        params = {"limit": 2, "count": "true"} | ({"cursor": cursor} if cursor else {})
        page = (await desk.client.get(path, params=params)).json()
        assert page["total"] == 6
        pages += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert pages == everything
    assert problem_of(await desk.client.get(path, params={"status": "lost"}))[0] == 422


async def test_an_event_that_is_too_large_fails_in_the_end_and_is_not_sent(
    desk: Desk, receiver: Receiver, monkeypatch
):
    monkeypatch.setattr("services.interaction.webhooks.sending.MOST_BYTES", 100)
    hook = await desk.add(receiver.url, "purchase.completed")
    await desk.buy()
    await desk.send()
    assert (await desk.delivery(hook))["last"]["code"] == "body_too_large"
    assert receiver.got == []


async def test_an_event_that_is_not_there_waits(desk: Desk, receiver: Receiver):
    hook = await desk.add(receiver.url, "purchase.completed")
    await desk.execute(
        "INSERT INTO webhook_delivery (id, webhook_id, type, customer_id, time, event_id)"
        " VALUES (gen_random_uuid(), $1, 'purchase.completed', gen_random_uuid(), now(), gen_random_uuid())",
        hook["id"],
    )
    await desk.send()
    one = await desk.delivery(hook)
    assert (one["status"], one["last"]["code"]) == ("pending", "not_there")


async def test_what_is_old_is_let_go_of(desk: Desk, receiver: Receiver):
    receiver.judge = in_turn(200, 500)
    hook = await desk.add(receiver.url)
    idle = await desk.add(receiver.url, enabled=False)
    for _ in range(2):
        await desk.post(hook, "test")
        await desk.send()
    insert = "INSERT INTO webhook_delivery (id, webhook_id, type) VALUES (gen_random_uuid(), $1, 'tag.added')"
    for one in (hook, idle):
        await desk.execute(insert, one["id"])
    for days, left, waiting in ((29, 3, 1), (31, 1, 0)):
        desk.later = timedelta(days=days)
        await trim(desk.kernel())
        assert len(await desk.deliveries(hook)) == left, "what waits is kept for who may take it"
        assert len(await desk.deliveries(idle)) == waiting
    await desk.client.delete(f"/v1/webhooks/{hook['id']}")
    desk.later = timedelta(minutes=1)
    count = "SELECT count(*) FROM {} WHERE {} = $1"
    await trim(desk.kernel())
    assert await desk.value(count.format("webhook_delivery", "webhook_id"), hook["id"]) == 0
    assert await desk.value(count.format("webhook", "id"), hook["id"]) == 1
    desk.later = timedelta(hours=2)
    await trim(desk.kernel())
    assert await desk.value(count.format("webhook", "id"), hook["id"]) == 0


async def test_a_deleted_endpoint_is_sent_nothing(desk: Desk, receiver: Receiver):
    hook = await desk.add(receiver.url)
    await desk.post(hook, "test")
    await desk.client.delete(f"/v1/webhooks/{hook['id']}")
    await desk.buy()
    await desk.send()
    assert receiver.got == []
    assert not await pending(desk.kernel())
