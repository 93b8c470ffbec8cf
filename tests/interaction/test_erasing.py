"""What is personal is sealed when it comes in, shown opened, and gone once its customer is erased."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest

from services.interaction import resolver
from services.interaction.erasing import UNDISTURBED, trim
from shared.identity import digest
from tests.api.sending import Sender, contact, problem_of, purchase, unique
from tests.interaction.erasures import (
    Profile,
    a_mark,
    a_phone,
    rows,
    sent_before,
    tables_with,
    whose,
)
from tests.world import World, world

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
async def here(postgres) -> AsyncIterator[World]:
    async with world(postgres, services=["interaction"]) as made:
        yield made


@pytest.fixture
def sender(here: World) -> Sender:
    return Sender(here)


@pytest.fixture(scope="module")
def profile(here: World) -> Profile:
    return Profile(here)


async def command(sender: Sender, path: str, body: Any) -> httpx.Response:
    return await sender.client.post(path, json=body, timeout=30)


async def recorded(sender: Sender, customer: Any, **fields: Any) -> dict[str, Any]:
    body = {"customer": customer, "kind": "call", **fields}
    made = await command(sender, "/v1/interactions", body)
    assert made.status_code == 201, made.text
    return made.json()


async def opened(sender: Sender, customer: Any, **fields: Any) -> dict[str, Any]:
    body = {"customer": customer, "category": "quality", **fields}
    made = await command(sender, "/v1/complaints", body)
    assert made.status_code == 201, made.text
    return made.json()


def complained(customer: Any, what: str = "opened", **data: Any) -> dict[str, Any]:
    said = {"complaint_id": unique("K")} | ({"category": "price"} if what == "opened" else {})
    return contact(customer) | {"type": f"complaint.{what}", "data": said | data}


async def identities(here: World, customer: str) -> list[str]:
    found = await rows(here, "SELECT type FROM identity WHERE customer_id = $1", UUID(customer))
    return sorted(row["type"] for row in found)


async def buried(here: World, customer: str) -> set[tuple[str, bytes]]:
    found = await rows(
        here, "SELECT type, digest FROM erased_identifier WHERE customer_id = $1", UUID(customer)
    )
    return {(row["type"], row["digest"]) for row in found}


def key(type_: str, value: str) -> tuple[str, bytes]:
    return type_, digest(type_, value)


async def customers_of(here: World) -> int:
    found = await rows(here, "SELECT count(DISTINCT customer_id) AS n FROM timeline")
    return found[0]["n"]


async def test_nothing_personal_stands_in_the_clear_but_where_it_is_said(
    here: World, sender: Sender, profile: Profile
):
    mark, phone = a_mark(), a_phone()
    who = {"member_no": mark, "phone": phone, "email": f"{mark}@example.com"}
    events = [
        contact(who, data={"content": f"said {mark}", "next": {"whom": mark}}),
        contact(who) | {"type": "customer.described", "data": {"traits": {"name": mark}}},
        contact(who) | {"type": "customer.identified", "data": {"identifiers": {"cookie": mark}}},
        complained(who, description=f"not {mark}"),
        purchase(customer=who)
        | {
            "data": {
                "order_id": unique("O"),
                "total": {"amount": "1.00", "currency": "CNY"},
                "cashier_note": mark,
            }
        },
        contact(who) | {
            "type": "consent.changed",
            "data": {"channel": "sms", "granted": True, "evidence": mark},
        },
    ]  # fmt: skip
    [customer, *_] = await sender.accepted(*events)
    [other] = await sender.accepted(contact({"user_id": f"u{mark}"}))
    linking = contact({"user_id": f"u{mark}", "member_no": mark})
    assert await sender.accepted(linking) == [customer]
    made = await recorded(
        sender,
        who,
        subject=mark,
        handled_by="chen.li",
        next_step={"action": mark, "due_at": "2026-11-25T09:00:00Z"},
    )
    taken_back = await recorded(sender, who, content=mark)
    await command(sender, f"/v1/interactions/{taken_back['id']}/retract", {"reason": mark})
    case = await opened(sender, who, description=mark)
    await command(sender, f"/v1/complaints/{case['id']}/answer", {"note": mark})
    await here.settled()

    marks = [mark, phone.removeprefix("+")]
    assert await tables_with(here.urls["interaction"], marks) == {"contact", "complaint"}
    assert await tables_with(here.urls["log"], marks) == {"inbound"}, "as it was sent, for 7 days"
    for name in ("access", "keyring"):
        assert await tables_with(here.urls[name], marks) == set()

    shown = {entry["type"]: entry for entry in await sender.timeline(customer, sort="-time")}
    assert shown["purchase.completed"]["data"]["cashier_note"] == mark
    assert shown["customer.described"]["data"]["traits"] == {"name": mark}
    assert shown["consent.changed"]["data"]["evidence"] == mark
    assert shown["interaction.retracted"]["data"]["reason"] == mark
    assert shown["identifiers.linked"]["data"]["evidence"] == linking["customer"]
    assert (await sender.get(f"/v1/interactions/{made['id']}")).json() == made

    await profile.erases(customer, other)
    assert await tables_with(here.urls["interaction"], marks) == set()
    assert await tables_with(here.urls["log"], marks) == {"inbound"}


async def test_of_who_was_erased_is_shown_what_is_left(
    here: World, sender: Sender, profile: Profile
):
    mark = a_mark()
    who = {"member_no": unique("M")}
    step = {"action": mark, "due_at": "2026-11-25T09:00:00Z"}
    made = await recorded(
        sender, who, content=mark, channel="phone", handled_by="chen.li", next_step=step
    )
    customer = made["customer_id"]
    number = await profile.numbered(customer)
    other = await recorded(sender, who, content=mark)
    answer = await command(sender, f"/v1/interactions/{other['id']}/retract", {"reason": mark})
    other = answer.json()
    case = await opened(sender, who, description=mark, severity="high", order_id="A-1")
    for name, body in (
        ("assign", {"to": "liu.yang", "note": mark}),
        ("answer", {"note": mark, "by": "liu.yang"}),
        ("resolve", {"resolution": mark}),
    ):
        assert (
            await command(sender, f"/v1/complaints/{case['id']}/{name}", body)
        ).status_code == 200
    case = (await sender.get(f"/v1/complaints/{case['id']}")).json()
    purchased = purchase(customer=who)
    await sender.accepted(purchased)
    before = await sender.timeline(customer)
    assert (await sender.get(f"/v1/timelines/{customer}")).json()["erased"] is False

    await profile.erases(customer)
    reference = f"member_no:{who['member_no']}"
    for path, params in (
        (f"/v1/timelines/{reference}", {}),
        ("/v1/interactions", {"customer": reference}),
    ):
        assert problem_of(await sender.get(path, **params)) == (404, "customer_not_found")
    for name in (customer, number):
        page = (await sender.get(f"/v1/timelines/{name}", limit=500)).json()
        assert page["erased"] is True
        assert mark not in str(page)
    types = {entry["type"] for entry in page["items"]}
    assert types == {e["type"] for e in before} | {"customer.erased", "customer.forgotten"}
    assert all(entry["summary"] for entry in page["items"])
    left = {entry["id"]: entry for entry in page["items"]}
    bought = next(e for e in before if e["type"] == "purchase.completed")
    assert left[bought["id"]] == bought, "what has nothing personal in it stays as it was"
    assert left[made["id"]]["data"] == {
        "kind": "call",
        "channel": "phone",
        "handled_by": "chen.li",
    }
    blank = {name: value for name, value in made.items() if name != "content"} | {"next_step": None}
    assert (await sender.get(f"/v1/interactions/{made['id']}")).json() == blank
    blank = {name: value for name, value in other.items() if name != "content"}
    found = (await sender.get(f"/v1/interactions/{other['id']}")).json()
    assert found == blank | {"retract_reason": None}
    due = await sender.get("/v1/interactions", customer=customer, due_before="2027-01-01T00:00:00Z")
    assert due.json()["items"] == []
    steps = [step | {"note": None} for step in case["history"]]
    steps[0]["by"] = None
    after = (await sender.get(f"/v1/complaints/{case['id']}")).json()
    assert after == case | {"description": None, "history": steps}


async def test_of_two_who_are_one_the_other_stays_as_they_were(
    here: World, sender: Sender, profile: Profile
):
    mark, kept = a_mark(), a_mark()
    gone_by, lives_by = {"member_no": unique("M")}, {"user_id": unique("u")}
    [lives, *_] = await sender.accepted(
        *(contact(lives_by, data={"content": kept}, time=f"2026-11-1{n}T12:00:00Z") for n in "13"),
    )
    [gone, *_] = await sender.accepted(
        *(contact(gone_by, data={"content": mark}, time=f"2026-11-1{n}T12:00:00Z") for n in "24"),
    )
    await profile.merged(lives, gone)
    case = await opened(sender, gone, description=mark)
    await profile.erases(gone)
    for name in (lives, gone):
        page = (await sender.get(f"/v1/timelines/{name}", type="interaction.recorded")).json()
        assert page["erased"] is False
        assert [e["data"].get("content") for e in page["items"]] == [None, kept, None, kept]
    body = {"at": "2999-01-01T00:00:00Z", "basis": "business", "types": ["interaction.recorded"]}
    past = (await command(sender, f"/internal/past/{lives}", body)).json()
    said = {(e["customer_id"], e["value"]["data"].get("content")) for e in past["events"]}
    assert said == {(lives, kept), (gone, None)}
    assert problem_of(await command(sender, f"/v1/complaints/{case['id']}/answer", {})) == (
        409,
        "customer_erased",
    )
    assert (await recorded(sender, lives, content=kept))["content"] == kept
    await profile.erases(lives)
    assert (await sender.get(f"/v1/timelines/{gone}")).json()["erased"] is True


async def test_of_who_was_erased_nothing_is_shown_that_was_written_before_there_were_keys(
    here: World, sender: Sender, profile: Profile
):
    mark = a_mark()
    [customer] = await sender.accepted(contact({"member_no": unique("M")}))
    async with here.kernels["interaction"].database.transaction() as conn:
        value: bytes = await conn.fetchval(
            "SELECT value FROM timeline WHERE customer_id = $1 AND type = 'interaction.recorded'",
            UUID(customer),
        )
        event = orjson.loads(value)
        event["data"]["content"] = mark
        await conn.execute(
            "UPDATE timeline SET value = $2 WHERE event_id = $1",
            UUID(event["id"]),
            orjson.dumps(event),
        )
    assert mark in str(await sender.timeline(customer))
    await profile.erases(customer)
    assert mark not in str(await sender.timeline(customer))


async def test_it_says_until_when_something_is_kept(here: World, sender: Sender, profile: Profile):
    [customer] = await sender.accepted(contact({"member_no": unique("M")}))
    at = await profile.erases(customer)
    [entry] = await sender.timeline(customer, type="customer.forgotten")
    latest = datetime.fromisoformat(entry["data"]["latest"])
    assert latest == at + timedelta(days=7 + here.settings.quarantine_days)
    assert (entry["data"]["service"], entry["summary"]) == (
        "interaction",
        "Forgotten by interaction",
    )


async def test_services_that_ask_for_the_past_get_it_opened_and_of_the_erased_what_is_left(
    here: World, sender: Sender, profile: Profile
):
    mark, who = a_mark(), {"member_no": unique("M")}
    described = contact(who) | {
        "type": "customer.described",
        "data": {"traits": {"name": mark, "region": "Hangzhou"}},
    }
    [customer] = await sender.accepted(described)
    body = {"at": "2999-01-01T00:00:00Z", "basis": "recorded", "types": ["customer.described"]}

    async def asked() -> dict[str, Any]:
        answer = await command(sender, f"/internal/past/{customer}", body)
        assert answer.status_code == 200, answer.text
        [event] = answer.json()["events"]
        assert "sealed" not in event["value"]
        return event["value"]["data"]

    assert await asked() == described["data"]
    await profile.erases(customer)
    assert await asked() == {"traits": {"region": "Hangzhou"}}


async def test_what_came_before_and_is_resolved_after_is_the_erased_customers(
    here: World, sender: Sender, profile: Profile
):
    mark, phone, cookie = a_mark(), a_phone(), unique("c")
    [customer] = await sender.accepted(contact({"phone": phone}))
    at = await profile.erases(customer)
    assert await identities(here, customer) == []
    assert await buried(here, customer) == {key("phone", phone)}
    before = await customers_of(here)
    late = [
        contact({"phone": phone, "cookie": cookie}, data={"content": mark, "extra": mark}),
        complained({"phone": phone}, description=mark),
        contact({"cookie": cookie}, data={"content": mark}),
    ]
    await sent_before(here, at - MINUTE, late[0])
    await sent_before(here, at, *late[1:])
    assert [await whose(sender, event) for event in late] == [customer] * 3
    assert await customers_of(here) == before, "nobody new"
    assert await identities(here, customer) == []
    assert await buried(here, customer) == {key("phone", phone), key("cookie", cookie)}
    entries = await sender.timeline(customer)
    assert sum(entry["type"] == "identifiers.added" for entry in entries) == 1, "of the beginning"
    assert mark not in str(entries)
    [case] = (await sender.get("/v1/complaints", customer=customer)).json()["items"]
    assert (case["category"], case["description"]) == ("price", None)
    assert await tables_with(here.urls["interaction"], [mark]) == set()
    assert await tables_with(here.urls["log"], [mark]) == {"inbound"}
    sealed = await rows(
        here, "SELECT value FROM timeline WHERE customer_id = $1 AND type = 'complaint.opened'",
        UUID(customer),
    )  # fmt: skip
    assert "sealed" not in orjson.loads(sealed[0]["value"]), "not even with a key that is destroyed"


async def test_who_was_erased_may_come_back_and_be_erased_again(
    here: World, sender: Sender, profile: Profile
):
    phone = a_phone()
    [first] = await sender.accepted(contact({"phone": phone}))
    first_at = await profile.erases(first)
    [second] = await sender.accepted(contact({"phone": phone}))
    assert second != first
    [added] = await sender.timeline(second, type="identifiers.added")
    assert added["data"] == {"identifiers": {"phone": phone}}
    assert await identities(here, second) == ["phone"]
    second_at = await profile.erases(second)
    [third] = await sender.accepted(contact({"phone": phone}))
    assert third not in {first, second}
    for at, customer in (
        (first_at - MINUTE, first),
        (first_at, first),
        (second_at, second),
        (second_at + timedelta(microseconds=1), third),
    ):
        late = contact({"phone": phone})
        await sent_before(here, at, late)
        assert await whose(sender, late) == customer


async def test_somebody_living_gets_their_event_and_nothing_of_who_was_erased(
    here: World, sender: Sender, profile: Profile
):
    phone, member, email = a_phone(), unique("M"), f"{unique()}@example.com"
    [gone] = await sender.accepted(contact({"phone": phone}))
    living, third = await sender.accepted(contact({"member_no": member}), contact({"email": email}))
    at = await profile.erases(gone)
    three = contact({"member_no": member, "phone": phone, "email": email})
    says = contact({"member_no": member}) | {
        "type": "customer.identified",
        "data": {"identifiers": {"phone": phone, "email": email}},
    }
    weaker = contact({"phone": phone, "email": email})
    await sent_before(here, at - MINUTE, three, says, weaker)
    assert [await whose(sender, one) for one in (three, says, weaker)] == [living, living, gone]
    told = await sender.timeline(living)
    for entry in told:
        if entry["type"] == "identifiers.linked":
            assert entry["data"]["parts"] == [living, third]
            assert entry["data"]["evidence"] == {"member_no": member, "email": email}
            assert entry["data"]["named"] == {"member_no": living, "email": third}
    assert [entry["type"] for entry in told].count("identifiers.linked") == 2
    [said] = [entry for entry in told if entry["type"] == "customer.identified"]
    assert said["data"] == {"identifiers": {"email": email}}
    assert phone not in str(told)
    assert await identities(here, living) == ["member_no"]
    assert not [e for e in await sender.timeline(gone) if e["type"] == "identifiers.linked"]


async def test_of_a_late_word_about_an_order_others_are_told_what_changes_and_no_more(
    here: World, sender: Sender, profile: Profile
):
    """Whom it is told beside has a key that lives."""
    mark, member = a_mark(), unique("M")
    [gone] = await sender.accepted(contact({"member_no": member}))
    total = {"amount": "5.00", "currency": "CNY"}
    data = {"order_id": unique("O"), "total": total}
    [buyer] = await sender.accepted(purchase(data=data))
    at = await profile.erases(gone)
    late = purchase(
        customer={"member_no": member},
        data=data | {"for_whom": mark},
        time="2026-11-21T12:00:00+08:00",
    )
    await sent_before(here, at - MINUTE, late)
    assert await whose(sender, late) == gone
    [beside] = await sender.timeline(buyer, type="purchase.corrected")
    assert beside["data"]["settled"]["before"]["spend"] == {"CNY": 500}
    assert mark not in str(beside)


async def test_what_is_tried_again_from_the_quarantine_is_the_erased_customers(
    here: World, sender: Sender, profile: Profile, monkeypatch: pytest.MonkeyPatch
):
    mark, member = a_mark(), unique("M")
    [customer] = await sender.accepted(contact({"member_no": member}))
    event = contact({"member_no": member, "cookie": mark}, data={"content": mark})
    resolve = resolver.resolve

    def faulty(customers, *args):
        if any(mark in one.values() for one in customers):
            raise RuntimeError("a fault of ours")
        return resolve(customers, *args)

    with monkeypatch.context() as patch:
        patch.setattr(resolver, "resolve", faulty)
        assert (await sender.post(event)).json()["accepted"] == 1
        await here.settled()
    assert await tables_with(here.urls["interaction"], [mark]) == {"quarantine"}
    await profile.erases(customer)
    [entry] = [
        one
        for one in (await sender.get("/v1/quarantine/interaction", limit=500)).json()["items"]
        if one["event"]["id"] == event["id"]
    ]
    answer = await sender.client.post(f"/v1/quarantine/interaction/{entry['id']}/replay")
    assert answer.json()["status"] == "applied"
    await here.settled()
    assert await whose(sender, event) == customer
    assert await identities(here, customer) == []
    assert await tables_with(here.urls["interaction"], [mark]) == {"quarantine"}


async def test_commands_about_who_was_erased_are_refused_and_keep_nothing(
    here: World, sender: Sender, profile: Profile
):
    mark, who = a_mark(), {"member_no": unique("M")}
    made = await recorded(sender, who)
    customer = made["customer_id"]
    number = await profile.numbered(customer)
    case, solved = [await opened(sender, who) for _ in range(2)]
    path = f"/v1/complaints/{solved['id']}/resolve"
    assert (await command(sender, path, {"note": "done"})).status_code == 200
    total = {"amount": "5.00", "currency": "CNY"}
    order = unique("O")
    bought = {"customer": who, "order_id": order, "total": total}
    assert (await command(sender, "/v1/purchases", bought)).status_code == 201
    await profile.erases(customer)
    before = len(await sender.timeline(customer))
    asked = [
        ("/v1/interactions", {"customer": customer, "kind": "call", "content": mark}),
        ("/v1/interactions", {"customer": number, "kind": "call", "content": mark}),
        (f"/v1/interactions/{made['id']}/retract", {"reason": mark}),
        ("/v1/complaints", {"customer": {"id": customer}, "category": "x", "description": mark}),
        ("/v1/purchases", bought | {"customer": number, "order_id": unique("O")}),
        ("/v1/refunds", {"order_id": order, "amount": total}),
        (f"/v1/purchases/{order}/cancel", {}),
        ("/internal/identities", {"customer_id": customer, "identifiers": {"cookie": mark}}),
        *(
            (f"/v1/complaints/{one['id']}/{name}", body)
            for one in (case, solved)
            for name, body in (
                ("assign", {"to": "liu.yang", "note": mark}),
                ("answer", {"note": mark}),
                ("resolve", {"note": mark}),
                ("reopen", {"note": mark}),
            )
        ),
    ]
    for path, body in asked:
        assert problem_of(await command(sender, path, body)) == (409, "customer_erased"), path
    await here.settled()
    assert len(await sender.timeline(customer)) == before
    assert await tables_with(here.urls["interaction"], [mark]) == set()
    assert await tables_with(here.urls["log"], [mark]) == set()


async def test_publishers_may_go_on_about_who_was_erased_and_what_is_personal_is_left_out(
    here: World, sender: Sender, profile: Profile
):
    mark = a_mark()
    [customer, unnumbered] = await sender.accepted(
        contact({"member_no": unique("M")}), contact({"member_no": unique("M")})
    )
    number = await profile.numbered(customer)
    await profile.erases(customer, unnumbered)
    names: list[Any] = [customer, number, {"id": customer, "cookie": mark}, {"number": number}]
    events = [contact(name, data={"content": mark}) for name in names]
    assert await sender.accepted(*events) == [customer] * 4
    assert await sender.accepted(contact(unnumbered)) == [unnumbered]
    assert mark not in str(await sender.timeline(customer))
    assert await identities(here, customer) == ["number"]
    assert [type_ for type_, _ in await buried(here, customer)] == ["member_no"]
    assert await tables_with(here.urls["interaction"], [mark]) == set()
    [new] = await sender.accepted(contact({"cookie": mark}))
    assert new not in {customer, unnumbered}


async def test_an_identifier_that_too_many_share_names_nobody_still(
    here: World, sender: Sender, profile: Profile
):
    phone = a_phone()
    database = here.kernels["interaction"].database
    async with database.transaction() as conn:
        await conn.execute("INSERT INTO shared_identifier VALUES ($1, $2)", *key("phone", phone))
    [alone] = await sender.accepted(contact({"phone": phone}))
    [other] = await sender.accepted(contact({"phone": phone, "member_no": unique("M")}))
    async with database.transaction() as conn:
        for customer in (alone, other):
            await conn.execute(
                "INSERT INTO identifier_link VALUES ($1, $2, $3)",
                *key("phone", phone),
                UUID(customer),
            )
    at = await profile.erases(alone)
    links = "SELECT customer_id FROM identifier_link WHERE (type, digest) = ($1, $2)"
    found = await rows(here, links, *key("phone", phone))
    assert [row["customer_id"] for row in found] == [UUID(other)]
    shared = "SELECT customer_id FROM shared_identifier WHERE (type, digest) = ($1, $2)"
    assert await rows(here, shared, *key("phone", phone)) == [{"customer_id": None}]
    late = contact({"phone": phone})
    await sent_before(here, at, late)
    assert await whose(sender, late) == alone
    [another] = await sender.accepted(contact({"phone": phone}))
    assert another not in {alone, other}
    assert await sender.accepted(contact({"phone": phone})) == [another]


async def test_who_shares_a_phone_with_somebody_erased_is_not_taken_for_them(
    here: World, sender: Sender, profile: Profile
):
    phone, member = a_phone(), unique("M")
    [gone] = await sender.accepted(contact({"member_no": member, "phone": phone}))
    at = await profile.erases(gone)
    late = contact({"member_no": unique("M"), "phone": phone}, data={"content": "mine"})
    await sent_before(here, at, late)
    living = await whose(sender, late)
    assert living != gone
    [entry] = await sender.timeline(living, type="interaction.recorded")
    assert entry["data"]["content"] == "mine"
    assert await identities(here, living) == ["member_no"]


async def test_it_is_erased_once_whoever_says_it_again(
    here: World, sender: Sender, profile: Profile
):
    phone = a_phone()
    [customer] = await sender.accepted(contact({"phone": phone}))
    at = await profile.erases(customer)
    await profile.erases(customer, at=at + 5 * MINUTE)
    found = await rows(
        here, "SELECT erased_at FROM erased_identifier WHERE customer_id = $1", UUID(customer)
    )
    assert found == [{"erased_at": at}]
    said = await sender.timeline(customer, type="customer.forgotten")
    assert len({entry["data"]["erasure"] for entry in said}) == 2
    assert len({entry["data"]["latest"] for entry in said}) == 1


async def test_tombstones_are_let_go_when_nothing_older_can_come(
    here: World, sender: Sender, profile: Profile
):
    kept = timedelta(days=7 + here.settings.quarantine_days)
    [old, new] = await sender.accepted(
        contact({"member_no": unique("M")}), contact({"member_no": unique("M")})
    )
    await profile.erases(old, at=datetime.now(UTC) - kept - MINUTE)
    await profile.erases(new, at=datetime.now(UTC) - kept + MINUTE)
    await trim(here.kernels["interaction"])
    assert await buried(here, old) == set()
    assert len(await buried(here, new)) == 1


async def until_someone_waits(here: World) -> None:
    for _ in range(500):
        waits = await rows(
            here,
            "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        if waits[0]["n"]:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("nobody waits")


async def test_an_erasure_waits_for_what_is_being_decided(
    here: World, sender: Sender, profile: Profile
):
    """A resolver in the midst of its work has read who the customer is, and gives them another identifier."""
    phone, email = a_phone(), f"{unique()}@example.com"
    [customer] = await sender.accepted(contact({"phone": phone}))
    async with here.kernels["interaction"].database.transaction() as conn:
        await conn.execute(UNDISTURBED)
        at = await profile.erases(customer, settled=False)
        await until_someone_waits(here)
        await conn.execute(
            "INSERT INTO identity VALUES ($1, $2, $3)", *key("email", email), UUID(customer)
        )
    await here.settled()
    assert await identities(here, customer) == []
    assert await buried(here, customer) == {key("phone", phone), key("email", email)}
    late = contact({"email": email})
    await sent_before(here, at, late)
    assert await whose(sender, late) == customer


@pytest.mark.parametrize("what", ["event", "contact", "identity", "retraction"])
async def test_what_is_decided_waits_for_an_erasure(
    here: World, sender: Sender, profile: Profile, what: str
):
    mark, who = a_mark(), {"member_no": unique("M")}
    made = await recorded(sender, who)
    customer = made["customer_id"]
    await profile.destroys(customer)
    database = here.kernels["interaction"].database
    async with database.transaction() as conn:
        await conn.execute(UNDISTURBED.replace("_shared", ""))
        named = {"id": customer, "cookie": mark}
        asking = {
            "event": sender.post(contact(named, data={"content": mark}), wait=5),
            "contact": command(
                sender, "/v1/interactions", {"customer": named, "kind": "call", "content": mark}
            ),
            "identity": command(
                sender,
                "/internal/identities",
                {"customer_id": customer, "identifiers": {"cookie": mark}},
            ),
            "retraction": command(
                sender, f"/v1/interactions/{made['id']}/retract", {"reason": mark}
            ),
        }
        asked = asyncio.create_task(asking.pop(what))
        for unused in asking.values():
            unused.close()
        await until_someone_waits(here)
        await conn.execute("INSERT INTO erased VALUES ($1, now())", UUID(customer))
        await conn.execute("DELETE FROM identity WHERE customer_id = $1", UUID(customer))
    answer = await asked
    if what == "event":
        assert answer.json()["items"][0]["customer_id"] == customer
    else:
        assert problem_of(answer) == (409, "customer_erased")
    await here.settled()
    assert await identities(here, customer) == []
    assert await tables_with(here.urls["interaction"], [mark]) == set()


async def test_people_are_erased_while_much_is_said_of_them(
    here: World, sender: Sender, profile: Profile
):
    """Whatever meets what: nothing of theirs stays, nobody's event is lost, and who comes back is somebody new."""
    mark = a_mark()
    phones = [a_phone() for _ in range(8)]
    first = await sender.accepted(*(contact({"phone": one}) for one in phones))
    sent: list[dict[str, Any]] = []
    stop = asyncio.Event()

    async def publish(n: int) -> None:
        while not stop.is_set():
            phone = phones[n % len(phones)]
            events = [
                contact({"phone": phone, "cookie": f"{mark}-{n}"}, data={"content": mark}),
                complained({"phone": phone}, description=mark),
                contact({"id": first[n % len(first)], "cookie": f"{mark}.{n}"}),
            ]
            answer = await sender.post(events)
            assert answer.json()["accepted"] == 3, answer.text
            sent.extend(events)
            n += 1

    async def ask(n: int) -> None:
        while not stop.is_set():
            body = {"customer": first[n % len(first)], "kind": "call", "content": mark}
            answer = await command(sender, "/v1/interactions", body)
            assert answer.status_code in {201, 202, 409}, answer.text
            n += 1

    tasks = [asyncio.create_task(publish(n)) for n in range(3)]
    tasks += [asyncio.create_task(ask(n)) for n in range(2)]
    for customer in first:
        await asyncio.sleep(0.1)
        await profile.erases(customer, settled=False)
    await asyncio.sleep(0.3)
    stop.set()
    await asyncio.gather(*tasks)
    await here.settled(60)
    for customer in first:
        assert await identities(here, customer) == []
        assert mark not in str(await sender.timeline(customer))
        found = await rows(
            here,
            "SELECT (SELECT count(*) FROM contact WHERE customer_id = $1 AND convert_from(data, 'UTF8') LIKE $2)"
            " + (SELECT count(*) FROM complaint WHERE customer_id = $1 AND encode(state, 'escape') LIKE $2) AS n",
            UUID(customer),
            f"%{mark}%",
        )
        assert found == [{"n": 0}]
    ids = {
        entry["source_id"]
        for customer in {await whose(sender, event) for event in sent}
        for entry in await sender.timeline(customer)
    }
    assert {event["id"] for event in sent} <= ids
    for phone in phones:
        owner = "SELECT customer_id FROM identity WHERE (type, digest) = ($1, $2)"
        found = {str(row["customer_id"]) for row in await rows(here, owner, *key("phone", phone))}
        assert found.isdisjoint(first)
