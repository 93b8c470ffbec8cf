"""Customers who are one, in all four services: one picture, and two again after the split."""

import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from services.profile.api.identities import Identities
from services.profile.api.merge_preview import Asking
from tests.profile.test_customers_api import DAY, purchase, send
from tests.profile.test_merges_api import eldest, id_of, identified, merge, nobody, undo, visits
from tests.world import World, world

RULE = {"field": "purchases.count", "op": ">=", "value": 3}


@pytest.fixture(scope="module")
async def here(postgres) -> AsyncIterator[World]:
    async with world(postgres) as made:
        app = made.client("profile")._transport.app
        app.state.identities = Identities(made.client("interaction"), made.settings.inbound_secret)
        app.state.merging = {
            "scores": Asking(made.client("scoring")),
            "segments": Asking(made.client("campaign")),
        }
        rule = {"name": "Often", "rule": RULE}
        await made.settled()
        saved = await made.client("campaign").post("/v1/segments", json=rule)
        assert saved.status_code == 201, saved.text
        await made.settled()
        yield made


async def get(here: World, service: str, path: str, **params: Any) -> Any:
    answer = await here.client(service).get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def everything(here: World, customer: str) -> dict[str, Any]:
    """What all services say about a customer; time goes on meanwhile, so when it was asked is left out."""
    [segment] = (await get(here, "campaign", "/v1/segments"))["items"]
    said = {
        "customer": await get(here, "profile", f"/v1/customers/{customer}"),
        "lifecycle": await get(here, "profile", f"/v1/customers/{customer}/lifecycle"),
        "scores": await get(here, "scoring", f"/v1/scores/{customer}"),
        "segment": await get(here, "campaign", f"/v1/segments/{segment['id']}/members/{customer}"),
        "complaints": await get(here, "interaction", "/v1/complaints", customer=customer),
    }
    del said["customer"]["as_of"]
    said["segment"].pop("as_of")
    return said


def bought(members: list[str], days: list[int]) -> list[dict[str, Any]]:
    """A purchase on each of these days, by one member after the other."""
    return [
        purchase(
            {"member_no": members[n % len(members)]},
            f"{uuid4().hex}",
            DAY.format(at),
            items=[{"product_id": "P1", "category": "Fruit", "amount": "10.00"}],
        )
        for n, at in enumerate(days)
    ]


FACTS = (
    ("number", "name", "kind", "attributes", "first_contact_at", "last_purchase_at"),
    ("last_interaction_at", "purchases", "complaints", "consents", "satisfaction"),
)


def facts(said: dict[str, Any]) -> dict[str, Any]:
    """What does not depend on ids and numbers that were given away."""
    customer = said["customer"]
    names = {*FACTS[0], *FACTS[1]} - {"number"}
    cited = {"evidence", "events"}
    rfm = {name: value for name, value in said["scores"]["rfm"].items() if name not in cited}
    churn = said["scores"]["churn"]
    return {
        **{name: customer[name] for name in names},
        "tags": [(tag["tag"], tag["reason"]) for tag in customer["tags"]],
        "state": (customer["lifecycle"]["state"], customer["lifecycle"]["since"]),
        "path": [(one["state"], one["since"]) for one in said["lifecycle"]["items"]],
        "rfm": rfm,
        "churn": (churn["probability"], churn["band"]),
        "member": said["segment"]["member"],
    }


async def test_the_view_of_two_is_the_view_of_one_who_had_all_the_events(here: World):
    days = [2, 4, 9, 11, 12, 20]
    one, two = nobody(), [nobody(), nobody()]
    await send(here, *bought([one], days), *bought(two, days))
    await merge(here, *(f"member_no:{member}" for member in two))
    single = await everything(here, f"member_no:{one}")
    for member in two:
        merged = await everything(here, f"member_no:{member}")
        assert facts(merged) == facts(single)
        assert merged["segment"]["member"] is True
    assert len(merged["customer"]["identifiers"]) == 2
    assert len(merged["customer"]["merged_from"]) == 1


async def test_a_split_restores_both_sides_whatever_came_in_between(here: World):
    members = [nobody(), nobody()]
    await send(here, *bought(members, [2, 4, 9, 11]))
    ids = [await id_of(here, f"member_no:{member}") for member in members]
    before = [await everything(here, one) for one in ids]
    numbers = [one["customer"]["number"] for one in before]
    made = await merge(here, *ids)
    assert made["head"] == await eldest(here, *ids)
    survivor = await everything(here, made["head"])
    assert survivor["customer"]["number"] == min(numbers)
    for name in (*ids, *numbers, *(f"member_no:{member}" for member in members)):
        assert await everything(here, name) == survivor
    assert survivor["customer"]["id"] == made["head"]
    assert survivor["customer"]["merged_from"] == [one for one in ids if one != made["head"]]
    listed = await get(here, "profile", "/v1/customers", q=members[0])
    assert [one["id"] for one in listed["items"]] == [made["head"]]
    await undo(here, made)
    assert [await everything(here, one) for one in ids] == before
    assert [await id_of(here, number) for number in numbers] == ids

    again = await merge(here, *ids)
    later = bought([members[1]], [21, 22, 23])
    await send(here, *later)
    assert (await everything(here, ids[0]))["customer"]["purchases"]["count"] == 7
    await undo(here, again)
    sides = [await everything(here, one) for one in ids]
    assert sides[0] == before[0], "nothing of the other's stays"
    assert sides[1]["customer"]["purchases"]["count"] == 5


async def test_who_was_nobody_is_nobody_again(here: World):
    """A head without a fact of its own: what was told of it while it was one with a buyer is taken back."""
    names = [nobody(), nobody()]
    await send(here, *(identified(member_no=name, cookie=f"c-{name}") for name in names))
    first = await eldest(here, *[await id_of(here, f"member_no:{name}") for name in names])
    buyer = nobody()
    await send(here, *bought([buyer], [2, 4, 9, 11]))
    made = await merge(here, first, f"member_no:{buyer}")
    assert made["head"] == first
    await here.settled()
    assert (await last_told(here, "scoring", first))["score.churn_band_changed"]["band"] is not None
    await undo(here, made)
    await here.settled()
    said = await last_told(here, "scoring", first)
    assert said["score.churn_band_changed"]["band"] is None
    shown = await get(here, "profile", f"/v1/customers/{first}")
    assert shown["scores"] == {"churn_band": None, "rfm_class": None, "matrix": None}
    told = (await last_told(here, "profile", first))["lifecycle.changed"]
    assert told["state"] == shown["lifecycle"]["state"] == "prospect"


async def test_commands_against_a_merged_away_id(here: World):
    members = [nobody(), nobody()]
    await send(here, *bought(members, [2, 4]))
    ids = [await id_of(here, f"member_no:{member}") for member in members]
    made = await merge(here, *ids)
    [gone] = [one for one in ids if one != made["head"]]
    profile, interaction = here.client("profile"), here.client("interaction")
    tagged = await profile.post(f"/v1/customers/{gone}/tags", json={"tag": "vip", "reason": "r"})
    assert (tagged.status_code, tagged.json()["customer_id"]) == (201, made["head"])
    edited = await profile.patch(f"/v1/customers/{gone}", json={"owner": "chen.li"})
    assert (edited.status_code, edited.json()["id"]) == (200, made["head"])
    assert edited.json()["owner"] == "chen.li"
    both = {f"member_no:{member}" for member in members}
    own = await profile.patch(
        f"/v1/customers/{made['head']}", json={"identifiers": {"member_no": members[1]}}
    )
    assert own.status_code == 200, "an identifier of another part is the customer's own"
    assert {f"{one['type']}:{one['value']}" for one in own.json()["identifiers"]} == both
    opened = await interaction.post(
        "/v1/complaints", json={"customer": gone, "category": "quality", "description": "sour"}
    )
    assert opened.status_code == 201, opened.text
    assert opened.json()["customer_id"] == made["head"]
    await here.settled()
    for one in ids:
        [case] = (await get(here, "interaction", "/v1/complaints", customer=one))["items"]
        assert case["id"] == opened.json()["id"]
        assert (await get(here, "profile", f"/v1/customers/{one}"))["complaints"]["open"] == 1
    answered = await interaction.post(
        f"/v1/complaints/{opened.json()['id']}/resolve", json={"resolution": "refunded"}
    )
    assert answered.status_code == 200, answered.text
    await here.settled()
    assert (await get(here, "profile", f"/v1/customers/{gone}"))["complaints"]["open"] == 0
    timeline = await get(here, "interaction", f"/v1/timelines/{gone}", type="purchase.completed")
    assert len(timeline["items"]) == 2, "of all parts"
    removed = await profile.delete(f"/v1/customers/{gone}/tags/vip")
    assert removed.status_code == 200, removed.text
    await undo(here, made)


async def test_a_preview_says_what_then_comes(here: World):
    members = [nobody(), nobody()]
    await send(here, *bought(members, [2, 4, 9, 11]))
    ids = [await id_of(here, f"member_no:{member}") for member in members]
    client = here.client("profile")
    answer = await client.post("/v1/merges/preview", json={"parts": ids})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["notes"] == []
    assert said["events"]["by_type"]["customer.regrouped"] == 2
    for one in said["before"]:
        now = await everything(here, one["id"])
        assert one["scores"]["rfm_class"] == now["scores"]["rfm"]["class"]
        assert [tag["tag"] for tag in one["tags"]] == [t["tag"] for t in now["customer"]["tags"]]
        assert one["segments"] == []
    made = await merge(here, *ids)
    now = await everything(here, made["head"])
    after = said["after"]
    assert (said["head"], said["parts"]) == (made["head"], made["parts"])
    assert after["purchases"] == now["customer"]["purchases"]["count"] == 4
    assert after["lifecycle"] == now["customer"]["lifecycle"]
    assert {tag["tag"] for tag in after["tags"]} == {t["tag"] for t in now["customer"]["tags"]}
    assert after["scores"]["churn_probability"] == now["scores"]["churn"]["probability"]
    assert [one["name"] for one in after["segments"]] == ["Often"]
    assert now["segment"]["member"] is True
    again = await client.post("/v1/merges/preview", json={"parts": ids})
    assert (again.status_code, again.json()["code"]) == (409, "already_merged")


async def test_a_preview_without_the_others(here: World):
    members = [nobody(), nobody()]
    await send(here, *bought(members, [2, 4]))
    app = here.client("profile")._transport.app
    kept = app.state.merging
    app.state.merging = {name: Asking(None) for name in kept}
    try:
        answer = await here.client("profile").post(
            "/v1/merges/preview", json={"parts": [f"member_no:{member}" for member in members]}
        )
    finally:
        app.state.merging = kept
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["notes"]) == 2
    assert answer.json()["after"]["scores"] is None


async def test_fifty_parts_are_one_customer_and_one_more_is_too_many(here: World):
    members = [nobody() for _ in range(51)]
    await send(here, *(bought([member], [2 + n % 20])[0] for n, member in enumerate(members)))
    references = [f"member_no:{member}" for member in members]
    made = await merge(here, *references[:50])
    assert len(made["parts"]) == 50
    said = await get(here, "profile", f"/v1/customers/{references[49]}")
    assert said["purchases"]["count"] == 50
    assert len(said["merged_from"]) == 49
    client = here.client("profile")
    more = await client.post("/v1/merges", json={"parts": [references[0], references[50]]})
    assert (more.status_code, more.json()["code"]) == (422, "too_many_parts")
    await send(here, *bought([members[7]], [25]))
    said = await get(here, "profile", f"/v1/customers/{references[3]}")
    assert said["purchases"]["count"] == 51
    await undo(here, made)
    said = await get(here, "profile", f"/v1/customers/{references[7]}")
    assert (said["purchases"]["count"], said["merged_from"]) == (2, [])


async def test_an_anonymous_visitor_and_the_known_customer_are_one_everywhere(here: World):
    user, browser = nobody(), uuid4().hex
    await send(here, *bought_by({"user_id": user}, [2, 4]))
    await send(here, visits({"anonymous_id": browser}, DAY.format(9)))
    assert (await get(here, "profile", f"/v1/customers/anonymous_id:{browser}"))["number"] is None
    await send(
        here,
        {
            "id": uuid4().hex,
            "type": "customer.identified",
            "time": DAY.format(10),
            "customer": {"user_id": user, "anonymous_id": browser},
            "data": {"identifiers": {"user_id": user, "anonymous_id": browser}},
        },
    )
    said = [
        await everything(here, f"{name}:{value}")
        for name, value in (("user_id", user), ("anonymous_id", browser))
    ]
    assert said[0] == said[1]
    assert said[0]["customer"]["last_interaction_at"] == "2026-03-09T04:00:00Z"
    assert said[0]["customer"]["purchases"]["count"] == 2


def bought_by(customer: dict[str, str], days: list[int]) -> list[dict[str, Any]]:
    return [purchase(customer, uuid4().hex, DAY.format(at)) for at in days]


def life(chance: random.Random, member: str) -> list[dict[str, Any]]:
    """What one customer may have been through."""
    customer = {"member_no": member}
    events = []
    for _ in range(chance.randrange(5)):
        order = uuid4().hex
        total = {
            "amount": f"{chance.randrange(1, 90)}.50",
            "currency": chance.choice(["CNY", "USD"]),
        }
        hour = chance.choice([9, 23])
        at = f"2026-{chance.randrange(1, 11):02d}-{chance.randrange(1, 28):02d}T{hour:02d}:00:00+08:00"
        categories = chance.sample(["Fruit", "Tea", "Paper"], k=2)
        items = [
            {"product_id": f"P-{one}", "category": one, "amount": "1.00"} for one in categories
        ]
        events.append(purchase(customer, order, at, total=total, items=items))
        if chance.random() < 0.2:
            cancelled = {"type": "purchase.cancelled", "data": {"order_id": order}}
            events.append(events[-1] | {"id": str(uuid4())} | cancelled)
    if chance.random() < 0.4:
        data = {"complaint_id": uuid4().hex, "category": "delivery", "severity": "high"}
        events.append(
            {
                "id": str(uuid4()),
                "type": "complaint.opened",
                "time": DAY.format(3),
                "customer": customer,
            }
            | {"data": data}
        )
    if chance.random() < 0.4:
        score = {"survey_id": "s", "kind": "nps", "score": chance.randrange(11)}
        events.append(
            {
                "id": str(uuid4()),
                "type": "survey.answered",
                "time": DAY.format(4),
                "customer": customer,
            }
            | {"data": score}
        )
    return events or [visits(customer)]


@pytest.mark.parametrize("seed", range(3))
async def test_previews_of_random_customers_come_true(here: World, seed: int):
    """Of customers with any past, alone or merged before: what was said before is what is after."""
    chance = random.Random(seed)
    client = here.client("profile")
    groups = [[nobody() for _ in range(chance.randrange(2, 5))] for _ in range(5)]
    await send(here, *(event for group in groups for one in group for event in life(chance, one)))
    for group in groups:
        if len(group) > 3:
            await merge(here, *(f"member_no:{one}" for one in group[:2]))
    previews = []
    for group in groups:
        parts = {"parts": [f"member_no:{one}" for one in group]}
        answer = await client.post("/v1/merges/preview", json=parts)
        assert answer.status_code == 200, answer.text
        previews.append(answer.json())
    for said in previews:
        for one in said["before"]:
            assert one == await picture_of(here, one["id"])
    for group, said in zip(groups, previews, strict=True):
        before = await told_by_profile(here, said["parts"])
        made = await merge(here, *(f"member_no:{one}" for one in group))
        await here.settled()
        assert (said["head"], said["parts"]) == (made["head"], made["parts"])
        now = await picture_of(here, made["head"])
        for one in (now, said["after"]):  # when a tag was noticed is not known before it is
            for tag in one["tags"]:
                del tag["since"]
        assert said["after"] == now
        come = await told_by_profile(here, said["parts"]) - before
        # Parts join one after the other: what is told in between, and taken back, comes on top.
        assert Counter(said["events"]["by_type"]) <= come
        assert said["events"]["total"] == sum(said["events"]["by_type"].values())
        if len(said["before"]) == 2:
            assert said["events"]["by_type"] == dict(come)


async def picture_of(here: World, customer: str) -> dict[str, Any]:
    """What the services say now, in the shape of a preview."""
    shown = await get(here, "profile", f"/v1/customers/{customer}")
    scores = await get(here, "scoring", f"/v1/scores/{customer}")
    [segment] = (await get(here, "campaign", "/v1/segments"))["items"]
    path = f"/v1/segments/{segment['id']}/members/{customer}"
    member = (await get(here, "campaign", path))["member"]
    churn, rfm = scores["churn"], scores["rfm"]
    return {
        "id": shown["id"],
        "number": shown["number"],
        "name": shown["name"],
        "tags": shown["tags"],
        "lifecycle": shown["lifecycle"],
        "purchases": shown["purchases"]["count"],
        "scores": {
            "churn_band": churn["band"] if churn else None,
            "churn_probability": churn["probability"] if churn else None,
            "rfm_class": rfm["class"] if rfm else None,
            "matrix": scores["matrix"]["class"] if scores["matrix"] else None,
        },
        "segments": [{"id": segment["id"], "name": segment["name"]}] if member else [],
    }


async def told(here: World, service: str) -> list[dict[str, Any]]:
    """Everything that a service has said, in its order."""
    conn = await asyncpg.connect(here.urls[service])
    try:
        rows = await conn.fetch("SELECT value FROM outbox ORDER BY partition, sequence")
    finally:
        await conn.close()
    return [json.loads(row["value"]) for row in rows]


async def told_by_profile(here: World, parts: list[str]) -> Counter[str]:
    """What profile has told of these customers, by type."""
    events = await told(here, "profile")
    return Counter(event["type"] for event in events if event.get("subject") in parts)


async def last_told(here: World, service: str, customer: str) -> dict[str, dict[str, Any]]:
    """The last word on a customer, by type."""
    events = await told(here, service)
    return {event["type"]: event["data"] for event in events if event.get("subject") == customer}
