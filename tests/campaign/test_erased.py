"""Who was erased belongs to no segment: not by any rule, not then and not now, and nothing personal is kept."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.campaign.projection import AUDIENCE, row
from services.campaign.projector import Audience, Told, View, announce, derive, merge
from shared.language import CustomerEdited, CustomerErased
from shared.moments import micros
from tests.campaign.erasing import as_left, erase
from tests.campaign.folding import fold, rules, segments, whole_histories
from tests.campaign.test_fold_law import SOME
from tests.e2e.test_rebuild import rebuild
from tests.strategies import clocks, make_event, times
from tests.world import World, world

ERASED = CustomerErased(erasure="e-1", by="privacy.office")
NOW = datetime.now(UTC).replace(microsecond=0)

edits = st.builds(
    lambda name, at: make_event(
        CustomerEdited(changes={"name": name, "owner": "chen.li"}, by="li.na"),
        time=at,
        number=900,
        utcoffset=0,
        origin="profile",
    ),
    st.sampled_from(("李雷", "韩梅梅")),
    times,
)
erasures = times.map(lambda at: make_event(ERASED, time=at, number=901, origin="profile"))


@st.composite
def erased_histories(draw: st.DrawFn) -> tuple[list[Any], list[Any]]:
    """What stands before an erasure and what behind it, the erasure first."""
    events = draw(st.permutations([*draw(whole_histories()), draw(edits)]))
    place = draw(st.integers(0, len(events)))
    return events[:place], [draw(erasures), *events[place:]]


def personal(state: Audience) -> tuple[Any, ...]:
    return state.fields, state.identifiers, state.consents, state.marks


@given(erased_histories())
@SOME
def test_what_was_folded_is_what_is_folded_once_the_key_is_gone(history):
    """Also where events behind the erasure are still opened, since their key was remembered for a moment."""
    before, after = history
    live = fold([*before, *after])
    assert live == fold(as_left([*before, *after]))
    assert live.erased
    assert personal(live) == ({}, {}, {}, {})


@given(erased_histories())
@SOME
def test_what_stays_is_what_was_done(history):
    before, after = history
    whole, left = fold([*before, *after[1:]]), fold([*before, *after])
    stays = set(Audience.__struct_fields__) - {"fields", "identifiers", "consents", "marks"}
    for name in stays - {"erased", "heard"}:
        assert getattr(left, name) == getattr(whole, name), name
    assert left.heard == max(micros(after[0].time), whole.heard or 0)


@given(erased_histories(), rules, clocks)
@SOME
def test_no_rule_and_no_time_brings_them_back(history, rule, clock):
    before, after = history
    told = Told()
    view = derive(fold(before), clock, segments(rule))
    for said in announce(told, view):
        told = AUDIENCE.tell(told, said)
    gone = derive(fold([*before, *after]), clock, segments(rule, version=2))
    assert (gone.members, gone.due_at, gone.erased) == ([], None, True)
    assert row(gone) == ("[]", True)
    left = announce(told, gone)
    assert {one.data.segment for one in left} == set(told.segments)
    assert {one.type for one in left} <= {"segment.left"}
    assert all(one.time >= after[0].time for one in left), "not before they asked for it"
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(gone), type=View) == gone


@given(erased_histories(), whole_histories())
@SOME
def test_of_several_parts_each_is_forgotten_by_itself(history, others):
    """An erased part adds what it did, and nothing of who it was; the customer is erased once all parts are."""
    erased = fold([*history[0], *history[1]])
    other = fold(others)
    for whole in (merge(erased, other), merge(other, erased)):
        assert not whole.erased
        assert personal(whole) == personal(other)
        assert whole.orders == erased.orders + other.orders
    assert merge(erased, erased).erased


# Over a running installation.

NAMED = {"field": "identifiers.member_no", "op": "exists", "value": True}
NAMELESS = {"not": NAMED}
BOUGHT = {"field": "purchases.count", "op": ">=", "value": 1}
CALLED = {"field": "attributes.name", "op": "starts_with", "value": "李"}
TAGGED = {"field": "tags", "op": "contains", "value": "need:quality-first"}
AGREED = {"field": "consents.email", "op": "=", "value": True}


def happened(member: str, type_: str, days: int, **data: Any) -> dict[str, Any]:
    return {
        "id": f"{member}-{type_}-{days}",
        "source": "shop",
        "type": type_,
        "time": (NOW - timedelta(days=days)).isoformat(),
        "customer": {"member_no": member},
        "data": data,
    }


def person(member: str) -> list[dict[str, Any]]:
    """Bought twice, and said who they are."""
    total = {"amount": "35.80", "currency": "CNY"}
    return [
        happened(member, "customer.described", 50, traits={"name": "李雷", "region": "上海"}),
        happened(member, "consent.changed", 50, channel="email", granted=True),
        *(
            happened(member, "purchase.completed", days, order_id=f"{member}-{days}", total=total)
            for days in (40, 3)
        ),
    ]


@pytest.fixture(scope="module")
async def town(postgres):
    """Keys are forgotten at once: nothing is opened any more as soon as it cannot be."""
    services = ["interaction", "profile", "campaign"]
    async with world(postgres, services=services, keyring_seconds=0.001) as made:
        yield made


async def told(town: World, *members: str) -> list[str]:
    """Who they are; each with a tag by hand."""
    answer = await town.post_events([event for member in members for event in person(member)])
    assert answer.json()["rejected"] == 0, answer.text
    await town.settled()
    client, ids = town.client("profile"), []
    for member in members:
        path = f"/v1/customers/member_no:{member}"
        tag = {"tag": "need:quality-first", "reason": "said so"}
        assert (await client.post(f"{path}/tags", json=tag)).is_success
        ids.append((await client.get(path)).json()["id"])
    await town.settled()
    return ids


async def ask(town: World, method: str, path: str, **more: Any) -> Any:
    answer = await town.client("campaign").request(method, f"/v1/segments{path}", **more)
    assert answer.is_success, answer.text
    return answer.json()


async def saved(town: World, *asked: Any) -> list[str]:
    made = [await ask(town, "POST", "", json={"name": "One", "rule": rule}) for rule in asked]
    await town.settled()
    return [one["id"] for one in made]


async def members(town: World, segment: str, **params: Any) -> set[str]:
    params = {"limit": 500, "count": "true", **params}
    found = await ask(town, "GET", f"/{segment}/members", params=params)
    assert found["total"] == len(found["items"])
    return {one["customer_id"] for one in found["items"]}


async def preview(town: World, rule: Any) -> tuple[int, int, set[str]]:
    found = await ask(town, "POST", "/preview", json={"rule": rule, "limit": 100})
    return found["size"], found["of"], set(found["sample"])


async def test_erased_customers_leave_every_segment_and_stand_in_no_preview(town):
    asked = (BOUGHT, NAMED, CALLED, TAGGED, AGREED)
    one, other = await told(town, "A1", "A2")
    ids = await saved(town, *asked)
    for segment in ids:
        assert {one, other} <= await members(town, segment)
    held = await preview(town, BOUGHT)
    assert {one, other} <= held[2]
    then = datetime.now(UTC)
    await asyncio.sleep(0.05)
    await erase(town, one)

    timeline = (await town.client("interaction").get(f"/v1/timelines/{one}")).json()["items"]
    types = {entry["id"]: entry["type"] for entry in timeline}
    for segment in ids:
        assert one not in await members(town, segment)
        assert other in await members(town, segment)
        moves = (await ask(town, "GET", f"/{segment}/history?customer={one}"))["items"]
        assert [move["change"] for move in moves] == ["left", "entered"]
        assert moves[0]["moved_by"] == "event"
        assert types[moves[0]["event_id"]] == "customer.erased"
        assert moves[0]["at"] >= then.isoformat()[:19]
        for basis in ("business", "recorded"):
            was = await members(town, segment, as_of=then.isoformat(), basis=basis)
            assert one not in was
            assert other in was
    assert await preview(town, BOUGHT) == (held[0] - 1, held[1] - 1, held[2] - {one})
    assert await preview(town, NAMELESS) == (0, held[1] - 1, set())

    [nameless] = await saved(town, NAMELESS)
    assert await members(town, nameless) == set()
    found = await ask(town, "GET", f"/{nameless}")
    assert found["progress"] == {"state": "live", "filled": held[1] - 1, "of": held[1] - 1}


@pytest.mark.parametrize(("language", "word"), [("en", "was erased"), ("zh", "已被删除")])
async def test_why_says_that_they_were_erased(town, language, word):
    [one] = await told(town, f"W{language}")
    [segment] = await saved(town, {"any": [BOUGHT, CALLED]})
    why = f"/{segment}/members/{one}"
    before = await ask(town, "GET", why)
    assert (before["member"], before["erased"], before["note"]) == (True, False, None)
    then = (NOW - timedelta(days=10)).isoformat()
    await erase(town, one)
    spoken: dict[str, Any] = {"headers": {"Accept-Language": language}}
    for params in ({}, {"as_of": then}):
        after = await ask(town, "GET", why, params=params, **spoken)
        assert (after["member"], after["since"], after["erased"]) == (False, None, True)
        assert word in after["note"]
        bought, called = after["conditions"]
        assert (bought["holds"], bought["found"]) == (True, 1 if params else 2)
        assert (called["holds"], called["found"]) == (False, None)
    answer = await town.client("campaign").get(
        f"/v1/segments/{segment}/members/member_no:W{language}", **spoken
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "customer_not_found")


async def test_customers_that_are_one_are_erased_part_by_part(town):
    one, other = await told(town, "B1", "B2")
    both = {"field": "purchases.count", "op": "=", "value": 4}
    twice, named = await saved(town, both, CALLED)
    merged = await town.client("profile").post("/v1/merges", json={"parts": [one, other]})
    assert merged.is_success, merged.text
    await town.settled()
    why = await ask(town, "GET", f"/{twice}/members/{one}")
    head = why["customer_id"]
    part = other if head == one else one
    assert await preview(town, both) == (1, (await preview(town, both))[1], {head})
    assert await members(town, twice) == {head}

    await erase(town, head)
    assert (await ask(town, "GET", f"/{twice}/members/{part}"))["erased"] is False
    assert await members(town, twice) == {head}
    assert head in await members(town, named), "of the other part the name is known"
    assert head in (await preview(town, both))[2]
    assert head in (await preview(town, CALLED))[2]

    await erase(town, part)
    assert (await ask(town, "GET", f"/{twice}/members/{part}"))["erased"] is True
    assert await members(town, twice) == set()
    assert head not in await members(town, named)
    assert (await preview(town, both))[0] == 0
    for was in (one, other):
        assert was not in await members(town, named, as_of=datetime.now(UTC).isoformat())


async def rows(town: World) -> dict[UUID, tuple[Any, ...]]:
    """Every part as it is folded; what is read of a customer stands in the row of the head."""
    async with town.kernels["campaign"].database.read() as conn:
        found = await conn.fetch("SELECT * FROM audience")
    read = {
        one["customer_id"]: (one["view"], one["segments"], one["erased"])
        for one in found
        if one["head"] == one["customer_id"]
    }
    state = msgspec.msgpack.Decoder(Audience).decode
    return {
        one["customer_id"]: (state(one["state"]), *read.get(one["customer_id"], ()))
        for one in found
    }


async def test_rows_made_anew_are_the_same(town):
    [one] = await told(town, "R1")
    await saved(town, CALLED)
    await erase(town, one)
    before = await rows(town)
    await rebuild(town, "campaign")
    await town.settled()
    assert await rows(town) == before
    state, _, held, erased = before[UUID(one)]
    assert (state.erased, state.orders, *personal(state)) == (True, 2, {}, {}, {}, {})
    assert (held, erased) == ([], True)
