"""Sending: at most once whatever happens, only what is allowed when it is due, and the outcome on the log."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from services.campaign.messaging import claiming, sending
from services.campaign.messaging.claiming import settle, settle_lost, take
from services.campaign.messaging.deciding import SENT, Reply
from services.campaign.messaging.sending import send_due
from services.campaign.messaging.trimming import trim
from shared.kernel import Kernel
from tests.campaign.messaging.office import NOW, Office, event
from tests.campaign.messaging.sink import DROP, SILENCE, sink

LATER = timedelta(hours=1)


def at(kernel: Kernel, moment: datetime) -> Kernel:
    """The same at another time."""
    return replace(kernel, clock=lambda: moment)


async def asked(office: Office, members: list[str], **more) -> list[str]:
    return list(await asyncio.gather(*(office.written(member, **more) for member in members)))


async def people(office: Office, number: int) -> list[str]:
    return list(await asyncio.gather(*(office.somebody() for _ in range(number))))


async def waiting(office: Office, member: str, **more) -> str:
    """A message that the worker does not send by itself."""
    return await office.written(member, send_at=(NOW + LATER).isoformat(), **more)


async def due(office: Office, *messages: str) -> None:
    await office.rows("UPDATE message SET due_at = $2 WHERE id = ANY($1)", list(messages), NOW)


async def test_several_at_once_send_each_once(office: Office):
    """Three that all believe to be the one who sends, and each sends several at once."""
    members = await people(office, 40)
    messages = [await waiting(office, member) for member in members]
    before = office.sink.connections
    await due(office, *messages)
    await asyncio.gather(*(send_due(office.api) for _ in range(3)))
    assert {await office.became(one) for one in messages} == {("sent", None)}
    assert Counter(len(office.arrived(member)) for member in members) == {1: 40}
    assert office.sink.connections - before <= 16, "a connection carries several"


async def test_of_fifty_at_once_the_cap_lets_three_through(office: Office):
    """Of each of several customers."""
    office.open(mail_at_once=8)
    members = await people(office, 3)
    messages = {
        member: await asyncio.gather(*(waiting(office, member) for _ in range(50)))
        for member in members
    }
    await due(office, *(one for written in messages.values() for one in written))
    await asyncio.gather(*(send_due(office.api) for _ in range(3)))
    await office.here.settled()
    for member, written in messages.items():
        found = [await office.read(one) for one in written]
        became = Counter((one["status"], one["reason"]) for one in found)
        assert became == {("sent", None): 3, ("withheld", "capped"): 47}
        assert len(office.arrived(member)) == 3
    service = await office.written(members[0], purpose="service")
    assert await office.became(service) == ("sent", None)


async def test_what_may_have_arrived_counts(office: Office):
    member = await office.somebody()
    office.sink.on_data = lambda _: DROP
    for _ in range(3):
        assert await office.became(await office.written(member)) == ("uncertain", "no_answer")
    office.sink.on_data = lambda _: None
    assert await office.became(await office.written(member)) == ("withheld", "capped")
    await office.rows(
        "UPDATE message SET decided_at = decided_at - interval '7 days' WHERE status = 'uncertain'"
    )
    assert await office.became(await office.written(member)) == ("sent", None), "a week later"


async def test_what_failed_does_not_count(office: Office):
    member = await office.somebody()
    office.sink.on_rcpt = lambda _: "550 no"
    for _ in range(4):
        assert await office.became(await office.written(member)) == ("failed", "refused")
    office.sink.on_rcpt = lambda _: None
    assert await office.became(await office.written(member)) == ("sent", None)


async def test_consent_per_topic(office: Office):
    member = await office.somebody(consent=None)
    who = {"member_no": member}
    assert await office.became(await office.written(member)) == ("withheld", "no_consent")
    await office.happens(office.consent(who, granted=True, topic="offers", ago=LATER))
    assert await office.became(await office.written(member)) == ("withheld", "no_consent")
    assert await office.became(await office.written(member, topic="offers")) == ("sent", None)
    await office.happens(office.consent(who, granted=False))
    found = await office.became(await office.written(member, topic="offers"))
    assert found == ("withheld", "no_consent")


async def test_what_was_granted_when_it_was_asked_for_may_be_gone(office: Office):
    member = await office.somebody()
    message = await waiting(office, member)
    later = -timedelta(seconds=1)
    await office.happens(office.consent({"member_no": member}, granted=False, ago=later))
    await due(office, message)
    assert await office.became(message) == ("withheld", "no_consent")
    [told] = await office.told(message)
    assert (told["type"], told["data"]["reason"]) == ("message.withheld", "no_consent")
    assert office.arrived(member) == []


async def test_an_open_complaint(office: Office):
    member = await office.somebody()
    opened = {"complaint_id": f"K-{member}", "category": "quality"}
    await office.happens(event("complaint.opened", {"member_no": member}, opened))
    assert await office.became(await office.written(member)) == ("withheld", "open_complaint")
    assert await office.became(await office.written(member, purpose="service")) == ("sent", None)


async def test_quiet_hours(office: Office):
    """It is 20:00 in Shanghai; service mail goes at any hour."""
    office.open(quiet_hours="19:00-20:05")
    member = await office.somebody()
    message = await office.written(member)
    assert await office.became(message) == ("scheduled", "quiet_hours")
    end = NOW + timedelta(minutes=5)
    assert (await office.read(message))["due_at"] == end.isoformat().replace("+00:00", "Z")
    await send_due(at(office.api, end - timedelta(microseconds=1)))
    assert office.arrived(member) == []
    assert await office.became(await office.written(member, purpose="service")) == ("sent", None)
    await send_due(at(office.api, end))
    assert await office.became(message) == ("sent", None)
    assert len(office.arrived(member)) == 2


async def test_marketing_waits_while_what_is_known_is_old(office: Office):
    office.open(quiet_hours="")
    member = await office.somebody()
    marketing = await waiting(office, member)
    service = await waiting(office, member, purpose="service")
    then = NOW + LATER
    await send_due(at(office.api, then))
    assert await office.became(service) == ("sent", None)
    assert await office.became(marketing) == ("scheduled", "not_up_to_date")
    assert len(office.arrived(member)) == 1
    await office.rows("UPDATE checkpoint SET clock = $1 WHERE topic = 'customers'", then)
    try:
        await send_due(at(office.api, then + timedelta(minutes=1)))
    finally:
        await office.rows("UPDATE checkpoint SET clock = $1 WHERE topic = 'customers'", NOW)
    assert await office.became(marketing) == ("sent", None)


async def test_where_no_address_is_known(office: Office):
    member = await office.somebody(address=False)
    assert await office.became(await office.written(member)) == ("withheld", "no_address")
    who = {"member_no": member}
    await office.happens(event("customer.described", who, {"traits": {"email": "no address"}}))
    assert await office.became(await office.written(member)) == ("withheld", "no_address")
    traits = {"email": f"B-{member}@Example.COM"}
    later = -timedelta(seconds=1)
    await office.happens(event("customer.described", who, {"traits": traits}, ago=later))
    message = await office.written(member, purpose="service")
    assert await office.became(message) == ("sent", None)
    assert (await office.read(message))["to"] in {traits["email"], traits["email"].lower()}


async def test_put_off_and_tried_again(office: Office):
    member = await office.somebody()
    office.sink.on_rcpt = lambda _: "451 later"
    message = await office.written(member, purpose="service")
    assert await office.became(message) == ("scheduled", "deferred")
    found = await office.read(message)
    assert "451" in found["explanation"]
    assert found["attempts"] == 1
    now = NOW
    for attempt in range(2, 5):
        now = datetime.fromisoformat((await office.read(message))["due_at"])
        await send_due(at(office.api, now - timedelta(microseconds=1)))
        assert (await office.read(message))["attempts"] == attempt - 1, "not before its time"
        await send_due(at(office.api, now))
        assert (await office.read(message))["attempts"] == attempt
    await send_due(at(office.api, NOW + timedelta(days=1)))
    assert await office.became(message) == ("failed", "given_up")
    [told] = await office.told(message)
    assert (told["type"], told["data"]["reason"]) == ("message.failed", "given_up")
    assert office.arrived(member) == []


async def test_an_outage(office: Office):
    """Nobody listens: few are tried, none is lost, all go once somebody does."""
    members = await people(office, 12)
    async with sink() as gone:
        nowhere = gone.url
    office.open(smtp_url=nowhere)
    messages = [await waiting(office, member, purpose="service") for member in members]
    office.here.kernels["campaign"].own.smtp_url = ""
    await due(office, *messages)
    await send_due(office.api)
    tried = [(await office.read(one))["attempts"] for one in messages]
    assert sum(tried) <= 4, "one for each connection, not all of them"
    assert sum(tried) > 0
    office.open()
    await due(office, *messages)
    assert {await office.became(one) for one in messages} == {("sent", None)}
    assert all(len(office.arrived(member)) == 1 for member in members)


async def test_cut_off_after_the_text(office: Office):
    member = await office.somebody()
    office.sink.on_data = lambda _: DROP
    message = await office.written(member, purpose="service")
    assert await office.became(message) == ("uncertain", "no_answer")
    office.sink.on_data = lambda _: None
    for days in range(3):
        await send_due(at(office.api, NOW + timedelta(days=days)))
    assert await office.became(message) == ("uncertain", "no_answer")
    assert office.arrived(member) == []
    [told] = await office.told(message)
    assert told["type"] == "message.uncertain"


async def test_no_answer_in_time(office: Office):
    office.open(mail_seconds=0.5)
    office.sink.on_data = lambda _: SILENCE
    message = await office.written(await office.somebody())
    assert await office.became(message) == ("uncertain", "no_answer")


async def test_who_was_overtaken_writes_nothing(office: Office):
    """Claimed, and then nothing for too long: others take it for lost."""
    member = await office.somebody()
    message = await waiting(office, member)
    office.here.kernels["campaign"].own.smtp_url = ""
    await due(office, message)
    [row] = await office.rows("SELECT customer_id FROM message WHERE id = $1", message)
    found, claim = await take(office.api, UUID(message), row["customer_id"], configured=True)
    assert found
    assert claim is not None
    assert (await office.read(message))["status"] == "sending"
    again = await take(office.api, UUID(message), row["customer_id"], configured=True)
    assert again == (False, None), "it is somebody's"
    await settle_lost(office.api)
    assert (await office.read(message))["status"] == "sending", "not yet lost"
    answer = await office.do(message, "cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    await office.rows("UPDATE message SET until = now() - interval '1 s' WHERE id = $1", message)
    await asyncio.gather(*(settle_lost(office.api) for _ in range(3)))
    assert await settle(office.api, claim, Reply(SENT, code=250)) is None
    assert await office.became(message) == ("uncertain", "process_ended")
    assert [one["type"] for one in await office.told(message)] == ["message.uncertain"]


async def test_taken_back_while_it_is_being_sent(office: Office):
    """Whoever is told that it was taken back can rely on it."""
    members = await people(office, 30)
    messages = [await waiting(office, member) for member in members]
    await due(office, *messages)

    async def takes_back(message: str) -> int:
        return (await office.do(message, "cancel")).status_code

    statuses, *_ = await asyncio.gather(
        asyncio.gather(*map(takes_back, messages[::-1])), send_due(office.api), send_due(office.api)
    )
    outcomes = Counter()
    for message, member, status in zip(messages, members, statuses[::-1], strict=True):
        became = await office.became(message)
        arrived = len(office.arrived(member))
        outcomes[became[0]] += 1
        if status == 409:
            assert (became, arrived) == (("sent", None), 1)
        else:
            assert (became, arrived) == (("cancelled", "cancelled"), 0)
    assert set(outcomes) <= {"sent", "cancelled"}


async def test_a_database_that_is_away_for_a_moment(office: Office, monkeypatch):
    """It was sent: that is written down as soon as it can be."""
    fails = iter((ConnectionError, OSError, TimeoutError))
    real = claiming.settle

    async def away(kernel, claim, reply):
        error = next(fails, None)
        if error is not None:
            raise error
        return await real(kernel, claim, reply)

    monkeypatch.setattr(sending, "settle", away)
    member = await office.somebody()
    message = await office.written(member)
    assert await office.became(message) == ("sent", None)
    assert next(fails, None) is None
    assert len(office.arrived(member)) == 1


async def test_a_fault_of_ours_is_in_nobody_s_way(office: Office, monkeypatch):
    broken, fine = await office.somebody(), await office.somebody()
    first, second = await waiting(office, broken), await waiting(office, fine)
    real = claiming.decide

    def fails(wish, facts, rules, now):
        if facts.address == office.address(broken):
            raise ZeroDivisionError
        return real(wish, facts, rules, now)

    monkeypatch.setattr(claiming, "decide", fails)
    await due(office, first, second)
    assert await office.became(second) == ("sent", None)
    assert await office.became(first) == ("scheduled", "fault")
    monkeypatch.undo()
    await send_due(at(office.api, NOW + timedelta(minutes=1)))
    assert await office.became(first) == ("sent", None)


async def test_what_cannot_be_composed_was_not_sent(office: Office, monkeypatch):
    def fails(**_):
        raise ZeroDivisionError

    monkeypatch.setattr(sending, "compose", fails)
    member = await office.somebody()
    message = await office.written(member, purpose="service")
    assert await office.became(message) == ("scheduled", "fault")
    monkeypatch.undo()
    await send_due(at(office.api, NOW + timedelta(minutes=1)))
    assert await office.became(message) == ("sent", None)
    assert len(office.arrived(member)) == 1


async def test_a_text_that_cannot_be_read(office: Office):
    message = await waiting(office, await office.somebody())
    await office.rows(
        "UPDATE message SET content = content || '\\x00'::bytea WHERE id = $1", message
    )
    await due(office, message)
    assert await office.became(message) == ("failed", "unreadable")
    assert (await office.read(message))["text"] is None


@pytest.mark.parametrize(
    ("step", "became"),
    [("on_rcpt", ("scheduled", "stopped")), ("on_data", ("uncertain", "no_answer"))],
)
async def test_stopped_in_the_middle(office: Office, monkeypatch, step, became):
    """Who is asked to end waits a moment, and then says what is known."""
    monkeypatch.setattr(sending, "GRACE_SECONDS", 0.1)
    office.open(mail_seconds=30.0)
    reached = asyncio.Event()

    def silent(_):
        reached.set()
        return SILENCE

    setattr(office.sink, step, silent)
    message = await waiting(office, await office.somebody())
    office.here.kernels["campaign"].own.smtp_url = ""
    await due(office, message)
    task = asyncio.create_task(send_due(office.api))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    found = await office.read(message)
    assert (found["status"], found["reason"]) == became


async def test_what_is_under_way_is_finished_before_the_end(office: Office):
    reached, go_on = asyncio.Event(), asyncio.Event()
    real = office.sink.handle_DATA

    async def slowly(server, session, envelope):
        reached.set()
        await go_on.wait()
        return await real(server, session, envelope)

    office.sink.handle_DATA = slowly
    try:
        first, second = await people(office, 2)
        messages = [await waiting(office, first), await waiting(office, second)]
        office.here.kernels["campaign"].own.smtp_url = ""
        office.api.own.mail_at_once = 1
        await due(office, *messages)
        task = asyncio.create_task(send_due(office.api))
        await reached.wait()
        task.cancel()
        asyncio.get_running_loop().call_later(0.2, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        del office.sink.handle_DATA
    statuses = sorted([(await office.read(one))["status"] for one in messages])
    assert statuses == ["scheduled", "sent"], "none is begun any more"


async def test_what_was_done_long_ago_is_let_go_of(office: Office):
    member = await office.somebody()
    old, young = await office.written(member), await office.written(member)
    planned = await waiting(office, member)
    for message in (old, young):
        assert await office.became(message) == ("sent", None)
    await office.rows(
        "UPDATE message SET done_at = done_at - interval '365 days 1 s' WHERE id = $1", old
    )
    await office.rows(
        "UPDATE message SET created_at = created_at - interval '2 years' WHERE id = $1", planned
    )
    await trim(office.worker)
    assert (await office.client.get(f"/v1/messages/{old}")).status_code == 404
    for message in (young, planned):
        assert (await office.client.get(f"/v1/messages/{message}")).status_code == 200
