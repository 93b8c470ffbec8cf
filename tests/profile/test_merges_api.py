"""Merging and splitting customers over a real installation."""

import asyncio
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.profile.test_customers_api import DAY, purchase, send
from tests.world import World

Merge = dict[str, Any]


@pytest.fixture
def client(here: World) -> httpx.AsyncClient:
    return here.client("profile")


def nobody() -> str:
    return f"M{uuid4().hex[:10]}"


async def met(here: World, *members: str) -> list[str]:
    """Customers who have bought once each; their ids."""
    await send(
        here,
        *(
            purchase({"member_no": member}, f"{member}-1", DAY.format(2 + n))
            for n, member in enumerate(members)
        ),
    )
    return [await id_of(here, f"member_no:{member}") for member in members]


async def id_of(here: World, reference: str) -> str:
    found = await here.client("profile").get(f"/v1/customers/{reference}")
    assert found.status_code == 200, found.text
    return found.json()["id"]


async def eldest(here: World, *customers: str) -> str:
    """Whoever of them has the smallest number."""
    numbers = {one["number"]: one["id"] for one in await picture(here, *customers)}
    return numbers[min(numbers)]


async def merge(here: World, *parts: str, **more: Any) -> Merge:
    body = {"parts": list(parts), "reason": "the same person", **more}
    made = await here.client("profile").post("/v1/merges", json=body)
    assert made.status_code == 201, made.text
    await here.settled()
    return made.json()


async def undo(here: World, one: Merge) -> Merge:
    undone = await here.client("profile").delete(f"/v1/merges/{one['id']}")
    assert undone.status_code == 200, undone.text
    await here.settled()
    return undone.json()


async def picture(here: World, *customers: str) -> list[dict[str, Any]]:
    """What profile says of each; time goes on meanwhile, so when is left out."""
    found = []
    for customer in customers:
        answer = await here.client("profile").get(f"/v1/customers/{customer}")
        assert answer.status_code == 200, answer.text
        body = answer.json()
        del body["as_of"]
        found.append(body)
    return found


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_merge_is_made_read_listed_and_undone(here: World, client) -> None:
    members = [nobody(), nobody()]
    one, other = ids = await met(here, *members)
    head = await eldest(here, *ids)
    made = await client.post(
        "/v1/merges",
        json={"parts": [f"member_no:{members[1]}", one], "reason": "called, the same person"},
    )
    assert made.status_code == 201, made.text
    body = made.json()
    assert made.headers["location"] == f"/v1/merges/{body['id']}"
    assert made.headers["tenure-position"].count("profile.") == len(
        {partition(here, i) for i in ids}
    )
    assert body["status"] == "merged"
    assert (body["head"], body["parts"]) == (head, sorted(ids)), "the older number leads"
    assert body["joins"] == [other, one]
    assert body["reason"] == "called, the same person"
    read = await client.get(f"/v1/merges/{body['id']}")
    assert read.json() == body
    listed = await client.get("/v1/merges", params={"status": "merged", "count": True})
    assert body in listed.json()["items"]
    assert (await client.get("/v1/merges", params={"status": "split"})).json()["items"] == []
    assert code_of(await client.post("/v1/merges", json={"parts": ids})) == (409, "already_merged")
    undone = await client.delete(f"/v1/merges/{body['id']}", params={"reason": "twins"})
    assert undone.status_code == 200, undone.text
    assert (undone.json()["status"], undone.json()["decision"]) == ("split", "twins")
    assert undone.json()["head"] is None
    again = await client.delete(f"/v1/merges/{body['id']}")
    assert code_of(again) == (409, "merge_not_open")
    assert (await client.get(f"/v1/merges/{uuid4()}")).status_code == 404
    await here.settled()


def partition(here: World, customer_id: str) -> int:
    from shared.ids import partition_of

    return partition_of(customer_id, here.settings.partitions)


async def test_what_cannot_be_merged(here: World, client) -> None:
    [one] = await met(here, nobody())

    async def ask(**body: Any) -> tuple[int, str]:
        return code_of(await client.post("/v1/merges", json=body))

    assert await ask(parts=[one, one]) == (409, "already_merged")
    assert await ask(parts=[one, str(uuid4())]) == (404, "customer_not_found")
    assert await ask(parts=[one, "member_no:nobody"]) == (404, "customer_not_found")
    assert await ask(parts=[one]) == (422, "validation_failed")
    assert await ask(parts=[str(uuid4()) for _ in range(51)]) == (422, "validation_failed")
    assert await ask(reason="nobody named") == (422, "validation_failed")
    assert await ask(parts=[one, one], proposal=str(uuid4())) == (422, "validation_failed")
    assert await ask(proposal=str(uuid4())) == (404, "merge_not_found")
    assert await ask(parts=[one, one], who="me") == (422, "validation_failed")
    key = await here.new_key("read", "sales")
    headers = {"Authorization": f"Bearer {key}"}
    refused = await client.post("/v1/merges", json={"parts": [one, one]}, headers=headers)
    assert code_of(refused) == (403, "missing_scope")
    assert (await client.get("/v1/merges", headers=headers)).status_code == 200


async def test_the_same_request_again_is_the_same_merge(here: World, client) -> None:
    ids = await met(here, nobody(), nobody())
    headers = {"Idempotency-Key": uuid4().hex}
    first, second = [
        await client.post("/v1/merges", json={"parts": ids}, headers=headers) for _ in range(2)
    ]
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["idempotent-replay"] == "true"
    await here.settled()


async def test_opposite_merges_at_the_same_moment_make_one(here: World, client) -> None:
    one, other = await met(here, nobody(), nobody())
    answers = await asyncio.gather(
        *(
            client.post("/v1/merges", json={"parts": parts})
            for parts in ([one, other], [other, one]) * 3
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 5]
    await here.settled()


async def test_a_chain_keeps_one_head_and_comes_apart_in_any_order(here: World, client) -> None:
    ids = await met(here, *(nobody() for _ in range(4)))
    heads = [await eldest(here, *ids[:end]) for end in (2, 3, 4)]
    rest = await eldest(here, *ids[2:])
    merges = [await merge(here, one, other) for one, other in pairwise(ids)]
    assert [one["head"] for one in merges] == heads
    assert merges[-1]["parts"] == sorted(ids)
    await undo(here, merges[1])
    left = [(await client.get(f"/v1/merges/{merges[n]['id']}")).json() for n in (0, 2)]
    assert [one["parts"] for one in left] == [sorted(ids[:2]), sorted(ids[2:])]
    assert [one["head"] for one in left] == [heads[0], rest]
    for one in (merges[2], merges[0]):
        await undo(here, one)


async def test_those_who_were_one_already_are_joined_by_a_merge_of_more_none_the_less(
    here: World, client
) -> None:
    """It leaves them as they would be if what had made them one had never been."""
    one, between, other, third = await met(here, *(nobody() for _ in range(4)))
    chain = [await merge(here, one, between), await merge(here, between, other)]
    made = await merge(here, one, other, third)
    for link in chain:
        await undo(here, link)
    left = (await client.get(f"/v1/merges/{made['id']}")).json()
    assert left["parts"] == sorted([one, other, third])
    assert await id_of(here, between) == between
    assert len({await id_of(here, part) for part in (one, other, third)}) == 1
    await undo(here, made)
    assert [await id_of(here, part) for part in (one, other, third)] == [one, other, third]


def visits(customer: dict[str, str], at: str = DAY.format(5)) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "type": "interaction.recorded",
        "time": at,
        "customer": customer,
        "data": {"kind": "page_view"},
    }


def identified(**identifiers: str) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "type": "customer.identified",
        "time": DAY.format(6),
        "customer": identifiers,
        "data": {"identifiers": identifiers},
    }


def phone() -> str:
    return f"+86139{uuid4().int % 10**8:08d}"


async def merges_of(here: World, customer: str) -> list[Merge]:
    found = await here.client("profile").get("/v1/merges", params={"customer": customer})
    assert found.status_code == 200, found.text
    return found.json()["items"]


async def test_a_known_anonymous_and_a_known_user_id_become_one_at_once(here: World, client):
    user, browser = nobody(), uuid4().hex
    await send(here, purchase({"user_id": user}, f"{user}-1", DAY.format(2)))
    await send(here, visits({"anonymous_id": browser}))
    known = await id_of(here, f"user_id:{user}")
    await send(here, identified(user_id=user, anonymous_id=browser))
    [one] = await merges_of(here, f"user_id:{user}")
    assert (one["status"], one["head"], one["created_by"]) == ("merged", known, "merging@1")
    assert one["reason"] == "An anonymous visitor turned out to be a known customer."
    assert {said["type"]: said["value"] for said in one["evidence"]} == {
        "user_id": user,
        "anonymous_id": browser,
    }
    undone = await undo(here, one)
    await send(here, identified(user_id=user, anonymous_id=browser))
    assert (await merges_of(here, known)) == [undone], "a person has decided"


async def test_two_known_ones_are_proposed_and_a_person_accepts_or_dismisses(here: World, client):
    for accept in (True, False):
        member, mobile, email = nobody(), phone(), f"{uuid4().hex}@example.com"
        await met(here, member)
        await send(here, visits({"phone": mobile, "email": email}))
        await send(here, visits({"member_no": member, "phone": mobile}))
        await send(here, visits({"member_no": member, "email": email}))
        [asked] = await merges_of(here, f"member_no:{member}")
        assert (asked["status"], asked["head"]) == ("proposed", None)
        assert {one["type"] for one in asked["evidence"]} == {"member_no", "phone", "email"}
        if accept:
            made = await client.post("/v1/merges", json={"proposal": asked["id"], "reason": "yes"})
            assert made.status_code == 201, made.text
            assert (made.json()["id"], made.json()["status"]) == (asked["id"], "merged")
            assert made.json()["decision"] == "yes"
            assert len(made.json()["evidence"]) == 3
        else:
            gone = await client.delete(f"/v1/merges/{asked['id']}", params={"reason": "no"})
            assert (gone.status_code, gone.json()["status"]) == (200, "dismissed")
            await send(here, visits({"member_no": member, "phone": mobile}))
            assert len(await merges_of(here, f"member_no:{member}")) == 1, "asked once"
        await here.settled()


async def test_naming_the_customers_of_a_proposal_accepts_it(here: World, client):
    member, mobile = nobody(), phone()
    await met(here, member)
    await send(here, visits({"phone": mobile}))
    await send(here, visits({"member_no": member, "phone": mobile}))
    [asked] = await merges_of(here, f"member_no:{member}")
    made = await merge(here, f"phone:{mobile}", f"member_no:{member}")
    assert made["id"] == asked["id"]


async def test_the_phone_of_a_shop_links_nobody(here: World, client):
    shop = phone()
    members = [nobody() for _ in range(5)]
    asked = []
    for n, member in enumerate(members):
        await send(
            here, purchase({"member_no": member, "phone": shop}, f"{member}-1", DAY.format(2 + n))
        )
        asked.append([one["status"] for one in await merges_of(here, f"phone:{shop}")])
    assert asked == [[], ["proposed"], ["proposed"] * 2, ["withdrawn"] * 2, ["withdrawn"] * 2]
    ids = [await id_of(here, f"member_no:{member}") for member in members]
    assert len(set(ids)) == 5, "each member is somebody else"
    await send(here, visits({"phone": shop}), visits({"phone": shop}))
    timeline = await here.client("interaction").get(f"/v1/timelines/{ids[0]}")
    assert len([e for e in timeline.json()["items"] if e["type"] == "interaction.recorded"]) == 0


async def test_a_tablet_that_several_people_use(here: World, client):
    tablet, users = uuid4().hex, [nobody() for _ in range(3)]
    for user in users:
        await send(here, identified(user_id=user, device_id=tablet))
        await send(here, visits({"device_id": tablet}))
    for user in users:
        assert await merges_of(here, f"user_id:{user}") == []
        timeline = await here.client("interaction").get(f"/v1/timelines/user_id:{user}")
        visited = [e for e in timeline.json()["items"] if e["type"] == "interaction.recorded"]
        assert len(visited) == 1, "what the tablet does is the last user's"


async def test_the_policy_decides_what_is_asked(here: World, client):
    path = "/v1/policies/merging"
    assert (await client.get(path)).json()["body"]["limits"]["phone"] == 3
    wrong = await client.put(
        path, json={"at_once": ["name"], "limits": {"phone": 0}, "blocked": ["x"]}
    )
    assert {one["pointer"] for one in wrong.json()["errors"]} == {
        "/at_once/0",
        "/limits/phone",
        "/blocked/0",
    }
    pairs = []
    for _ in range(2):
        member, mobile = nobody(), phone()
        await met(here, member)
        await send(here, visits({"phone": mobile}))
        await send(here, visits({"member_no": member, "phone": mobile}))
        pairs.append((f"member_no:{member}", f"phone:{mobile}"))
    blocked = pairs[1][1]
    trusting = {"at_once": ["member_no", "phone"], "blocked": [blocked]}
    tried = await client.put(path, params={"dry_run": True}, json=trusting)
    assert tried.status_code == 200, tried.text
    assert (tried.json()["would_merge"], tried.json()["would_withdraw"]) == (1, 1)
    for one, _ in pairs:
        assert [asked["status"] for asked in await merges_of(here, one)] == ["proposed"]
    put = await client.put(path, json=trusting)
    assert (put.status_code, put.json()["version"]) == (200, 2), put.text
    await here.settled()
    assert [
        [(asked["status"], asked["decided_by"]) for asked in await merges_of(here, one)]
        for one, _ in pairs
    ] == [[("merged", "merging@2")], [("withdrawn", "merging@2")]]
    assert (await client.put(path, json=trusting)).json()["version"] == 2, "nothing new"
    assert (await client.get(f"{path}/1")).json()["in_force"] is False
    assert (await client.get(f"{path}/9")).status_code == 404
    await client.put(path, json={})
    await here.settled()
