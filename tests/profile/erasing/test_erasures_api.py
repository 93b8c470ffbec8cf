"""Erasing people over a real installation: what goes, what stays, who is refused, what the receipt says."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.profile.api.identities import Identities
from shared.errors import Conflict
from shared.identity import digest
from tests.profile.erasing.conftest import KEYRING_SECONDS
from tests.profile.erasing.people import Person, code_of, done, erase, holding, once, read
from tests.profile.test_customers_api import DAY, purchase, send
from tests.profile.test_merges_api import merge, undo
from tests.world import World

ORDINARY = {"outbox"}
"""What is sent keeps what was sealed."""


@pytest.fixture
def client(here: World) -> httpx.AsyncClient:
    return here.client("profile")


async def listed(client: httpx.AsyncClient, **params: Any) -> list[str]:
    answer = await client.get("/v1/customers", params={"limit": 500, **params})
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["items"]]


async def test_what_identifies_goes_and_what_was_bought_stays(here: World, client):
    person = await Person().meet(here)
    await person.be_spoken_of(here)
    await here.settled()
    before = await read(here, person.id)
    summary = (await client.get("/v1/customers/summary")).json()
    found = await holding(here, "profile", person.mark)
    assert found & {"profile", "idempotency"} == {"profile"}
    made = await client.post("/v1/erasures", json={"customer": person.reference})
    assert made.status_code == 201, made.text
    receipt = made.json()
    assert made.headers["location"] == f"/v1/erasures/{receipt['id']}"
    assert made.headers["tenure-position"].startswith("profile.")
    await here.settled()

    after = await read(here, person.id)
    assert (after["erased"], after["status"], before["erased"]) == (True, "erased", False)
    for gone, empty in (("name", None), ("owner", None), ("identifiers", []), ("consents", [])):
        assert after[gone] == empty != before[gone] or gone == "owner"
    assert not any(after["attributes"].values())
    assert {tag["origin"] for tag in after["tags"]} <= {"derived"}
    for stays in ("number", "purchases", "first_contact_at", "last_purchase_at"):
        assert after[stays] == before[stays], stays
    assert after["lifecycle"]["state"] == before["lifecycle"]["state"]
    assert (await read(here, person.number))["id"] == person.id
    assert (await client.get(f"/v1/customers/{person.id}/lifecycle")).status_code == 200
    for reference in (person.reference, f"email:{person.mark}@example.com"):
        answer = await client.get(f"/v1/customers/{reference}")
        assert code_of(answer) == (404, "customer_not_found")

    assert person.id not in await listed(client)
    assert await listed(client, q=person.mark) == await listed(client, q=person.number) == []
    assert person.id in await listed(client, erased=True)
    assert await listed(client, erased=True, q=person.number) == [person.id]
    now = (await client.get("/v1/customers/summary")).json()
    assert now["total"] == summary["total"] - 1 == sum(one["count"] for one in now["states"])
    assert person.region not in (await client.get("/v1/tags", params={"limit": 500})).text
    assert await holding(here, "profile", person.mark) <= ORDINARY


async def test_the_receipt_says_what_has_become_of_it(here: World, client):
    person = await Person().meet(here)
    receipt = await erase(here, person.id)
    assert (receipt["customer_id"], receipt["number"]) == (person.id, person.number)
    assert receipt["label"] == {"running": "Running", "done": "Done"}[receipt["status"]]
    [part] = receipt["parts"]
    assert part["customer_id"] == person.id
    assert part["key_destroyed_at"] is not None
    found = await done(here, receipt)
    [part] = found["parts"]
    assert {one["service"] for one in part["services"]} == {
        *("interaction", "profile", "scoring", "campaign")
    }
    at = {name: datetime.fromisoformat(found[name]) for name in ("requested_at", "done_at")}
    destroyed = datetime.fromisoformat(part["key_destroyed_at"])
    assert at["requested_at"] <= destroyed <= at["done_at"] - timedelta(seconds=KEYRING_SECONDS)
    assert all(datetime.fromisoformat(one["at"]) <= at["done_at"] for one in part["services"])
    said = [one["latest"] for one in part["services"] if one["latest"]]
    assert found["latest"] == max(said, default=None)
    chinese = {"Accept-Language": "zh"}
    zh = await client.get(f"/v1/erasures/{receipt['id']}", headers=chinese)
    assert zh.json() == found | {"label": "已完成"}


async def test_receipts_are_listed(here: World, client):
    receipts = [await erase(here, (await Person().meet(here)).id) for _ in range(3)]
    ids = [one["id"] for one in receipts][::-1]
    first = (await client.get("/v1/erasures", params={"limit": 2, "count": True})).json()
    assert [one["id"] for one in first["items"]] == ids[:2]
    assert first["total"] >= 3
    rest = {"limit": 1, "cursor": first["next_cursor"]}
    [last] = (await client.get("/v1/erasures", params=rest)).json()["items"]
    assert last["id"] == ids[2]
    for one in receipts:
        await done(here, one)
    counted = {"count": True, "limit": 500}
    running = (await client.get("/v1/erasures", params={"status": "running", **counted})).json()
    assert (running["items"], running["total"]) == ([], 0)
    finished = (await client.get("/v1/erasures", params={"status": "done", **counted})).json()
    assert [one["id"] for one in finished["items"]][:3] == ids
    assert finished["total"] == len(finished["items"])


async def test_nothing_can_be_done_about_who_was_erased(here: World, client):
    person, other = await Person().meet(here), await Person().meet(here)
    await erase(here, person.id)
    state = client._transport.app.state
    known, state.identities = state.identities, Identities(None, "interaction is not even asked")
    path = f"/v1/customers/{person.number}"
    refused = [
        await client.patch(path, json={"owner": "chen.li"}),
        await client.patch(path, json={"identifiers": {"phone": "+8613800138123"}}),
        await client.post(f"{path}/tags", json={"tag": "vip"}),
        await client.delete(f"{path}/tags/vip"),
        await client.post("/v1/merges", json={"parts": [person.id, other.id]}),
        await client.post("/v1/merges/preview", json={"parts": [other.id, person.id]}),
        await client.post("/v1/erasures", json={"customer": person.id}),
        await client.post("/v1/erasures", json={"customer": person.id, "parts": [person.id]}),
    ]
    state.identities = known
    assert [code_of(one) for one in refused] == [(409, "customer_erased")] * len(refused)
    zh = await client.patch(path, json={}, headers={"Accept-Language": "zh"})
    assert zh.json()["message"] == "该客户的个人信息已被删除，不能再记录或修改。"


async def test_who_may_and_whom(here: World, client):
    person = await Person().meet(here)
    sales = {"Authorization": f"Bearer {await here.new_key('read', 'sales')}"}
    body = {"customer": person.id}
    asked = await client.post("/v1/erasures", json=body, headers=sales)
    assert code_of(asked) == (403, "missing_scope")
    assert code_of(await client.get("/v1/erasures", headers=sales)) == (403, "missing_scope")
    for customer in ("member_no:nobody", str(uuid4()), "C2026999999", "x"):
        unknown = await client.post("/v1/erasures", json={"customer": customer})
        assert code_of(unknown) == (404, "customer_not_found"), customer
    for wrong in ({}, body | {"parts": []}, body | {"why": "x"}, {"customer": " "}):
        answer = await client.post("/v1/erasures", json=wrong)
        assert code_of(answer) == (422, "validation_failed"), wrong
    assert code_of(await client.get(f"/v1/erasures/{uuid4()}")) == (404, "erasure_not_found")


async def test_the_same_request_again_is_the_same_erasure(here: World, client):
    person, headers = await Person().meet(here), once()
    body = {"customer": person.reference}
    first, second = [
        await client.post("/v1/erasures", json=body, headers=headers) for _ in range(2)
    ]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["idempotent-replay"] == "true"
    await here.settled()


async def test_of_several_erasures_at_once_one_is_done(here: World, client):
    person = await Person().meet(here)
    answers = await asyncio.gather(
        *(client.post("/v1/erasures", json={"customer": person.id}) for _ in range(4))
    )
    assert sorted(one.status_code for one in answers) == [201, 409, 409, 409]
    await here.settled()


async def test_what_is_said_beside_an_erasure_is_refused_or_gone(here: World, client):
    people = [await Person().meet(here) for _ in range(4)]
    for person in people:
        changes = [
            client.patch(f"/v1/customers/{person.id}", json={"remark": f"{person.mark} {n}"})
            for n in range(3)
        ]
        erasing = client.post("/v1/erasures", json={"customer": person.id})
        *changed, erased = await asyncio.gather(*changes, erasing)
        assert erased.status_code == 201, erased.text
        assert {one.status_code for one in changed} <= {200, 202, 409}
    await here.settled()
    for person in people:
        after = await read(here, person.id)
        assert after["erased"]
        assert not any(after["attributes"].values())
        assert await holding(here, "profile", person.mark) <= ORDINARY


@pytest.mark.parametrize("held", ["a command about them", "a merge"])
async def test_an_erasure_waits_for_who_decides(here: World, client, held: str):
    """What was read before it is not written behind it."""
    one, other, _ = await pair(here)
    key = "('merges', 12)" if held == "a merge" else f"('{one.id}', 10)"
    body = {"customer": other.id, "parts": [other.id]}
    async with here.kernels["profile"].database.transaction() as conn:
        await conn.execute(f"SELECT pg_advisory_xact_lock(hashtextextended{key})")
        erasing = asyncio.create_task(client.post("/v1/erasures", json=body))
        await asyncio.sleep(0.3)
        assert not erasing.done()
    assert (await erasing).status_code == 201
    await here.settled()


async def test_merging_beside_an_erasure(here: World, client):
    """Whichever of the two comes first: the other is refused, or knows of it."""
    for _ in range(3):
        one, other = await Person().meet(here), await Person().meet(here)
        erased, merged = await asyncio.gather(
            client.post("/v1/erasures", json={"customer": one.id}),
            client.post("/v1/merges", json={"parts": [one.id, other.id]}),
        )
        codes = {erased.json().get("code"), merged.json().get("code")}
        assert codes in ({None, "customer_erased"}, {None, "parts_required"}), codes
        await here.settled()
        assert (await read(here, one.id))["erased"] is (erased.status_code == 201)
        assert (await read(here, other.id))["name"] is not None


async def test_the_same_person_comes_back_as_somebody_new(here: World, client):
    person = await Person().meet(here, 2, 9)
    await erase(here, person.id)
    again = await Person(person.mark).meet(here, 20)
    assert again.id != person.id
    assert again.number != person.number
    new, old = await read(here, again.id), await read(here, person.id)
    assert (new["purchases"]["count"], old["purchases"]["count"]) == (1, 2)
    assert (new["name"], old["name"]) == (f"李 {person.mark}", None)
    made = await client.post(
        "/v1/customers", json={"name": "Li", "identifiers": {"member_no": f"M{person.mark}"}}
    )
    assert made.json()["id"] == again.id


async def pair(here: World) -> tuple[Person, Person, dict[str, Any]]:
    """Two who were merged; the first leads."""
    one, other = await Person().meet(here, 2, 9), await Person().meet(here, 4, 12)
    for person in (one, other):
        await person.be_spoken_of(here)
    made = await merge(here, one.id, other.id, reason=f"{one.mark} and {other.mark} are one")
    assert made["head"] == one.id
    return one, other, made


async def test_of_several_parts_those_to_be_erased_are_named(here: World, client):
    one, other, _ = await pair(here)
    stranger = await Person().meet(here)
    asked = await client.post("/v1/erasures", json={"customer": other.reference})
    assert code_of(asked) == (409, "parts_required")
    parts = sorted([one.id, other.id])
    assert [(e["pointer"], e["code"]) for e in asked.json()["errors"]] == [
        *(("/parts/0", "possible_part"), ("/parts/1", "possible_part"))
    ]
    assert all(p in e["message"] for p, e in zip(parts, asked.json()["errors"], strict=True))
    assert asked.json()["detail"] == ", ".join(parts)
    wrong = [one.id, stranger.id, "member_no:nobody"]
    answer = await client.post("/v1/erasures", json={"customer": one.id, "parts": wrong})
    assert code_of(answer) == (422, "validation_failed")
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [
        *(("/parts/1", "not_a_part"), ("/parts/2", "not_a_part"))
    ]
    assert (await read(here, one.id))["name"] is not None


async def test_one_part_goes_and_the_other_stays(here: World, client):
    """Also where the one who goes is the one who led: another one leads then."""
    for which in (0, 1):
        *people, made = await pair(here)
        gone, stays = people[which], people[1 - which]
        receipt = await erase(here, people[0].id, gone.reference)
        assert [part["customer_id"] for part in receipt["parts"]] == [gone.id]
        whole = await read(here, gone.id)
        assert whole == await read(here, stays.id) | {"as_of": whole["as_of"]}
        assert (whole["id"], whole["merged_from"]) == (stays.id, [gone.id])
        assert (whole["erased"], whole["status"]) == (False, "active")
        assert whole["number"] == stays.number
        assert (whole["name"], whole["purchases"]["count"]) == (f"李 {stays.mark}", 4)
        assert {one["value"] for one in whole["identifiers"]} == set(stays.identifiers.values())
        assert gone.mark not in str(whole)
        assert gone.region not in str(whole)
        assert await holding(here, "profile", gone.mark) <= ORDINARY
        assert stays.id in await listed(client, q=stays.mark)
        again = await client.post("/v1/erasures", json={"customer": stays.id})
        assert code_of(again) == (409, "parts_required"), "nobody is erased by being left over"
        again = await client.post(
            "/v1/erasures", json={"customer": stays.id, "parts": [gone.id, stays.id]}
        )
        assert code_of(again) == (409, "customer_erased")

        tagged = await client.post(f"/v1/customers/{gone.number}/tags", json={"tag": "still here"})
        assert (tagged.status_code, tagged.json()["customer_id"]) == (201, stays.id)
        changed = await client.patch(f"/v1/customers/{gone.id}", json={"owner": "chen.li"})
        assert (changed.status_code, changed.json()["owner"]) == (200, "chen.li")

        undone = await undo(here, made)
        assert (undone["status"], undone["reason"]) == ("split", "")
        left, alone = await read(here, stays.id), await read(here, gone.id)
        assert (left["name"], left["purchases"]["count"]) == (f"李 {stays.mark}", 2)
        assert (left["number"], left["owner"]) == (stays.number, "chen.li")
        assert "still here" in [tag["tag"] for tag in left["tags"]]
        assert (alone["id"], alone["erased"]) == (gone.id, True)
        assert (alone["number"], alone["purchases"]["count"]) == (gone.number, 2)


@pytest.mark.parametrize("left", [False, True])
async def test_what_was_read_of_them_under_another_head_goes_as_well(here: World, client, left):
    """Also where they have `left` the customer of whom that head is a part now."""
    first, head, gone = [await Person().meet(here) for _ in range(3)]
    made = await merge(here, gone.id, head.id)
    assert made["head"] == head.id
    assert (await merge(here, head.id, first.id))["head"] == first.id
    if left:
        await undo(here, made)
    assert (await read(here, head.id))["id"] == first.id
    await erase(here, gone.id, gone.id)
    for service in ("profile", "scoring", "campaign"):
        assert await holding(here, service, gone.mark) <= ORDINARY
    assert ((await read(here, gone.id))["name"] is None) == left


async def test_a_customer_left_over_is_merged_by_whichever_name(here: World, client):
    one, other, _ = await pair(here)
    third = await Person().meet(here)
    await erase(here, one.id, one.id)
    made = await merge(here, one.number, third.id)
    assert made["joins"] == [other.id, third.id]
    assert made["head"] == other.id
    whole = await read(here, one.id)
    assert (whole["id"], whole["purchases"]["count"]) == (other.id, 6)


async def test_all_parts_may_go(here: World, client):
    one, other, made = await pair(here)
    receipt = await erase(here, other.id, one.id, other.reference, other.id)
    assert sorted(part["customer_id"] for part in receipt["parts"]) == sorted([one.id, other.id])
    assert (receipt["customer_id"], receipt["number"]) == (one.id, one.number)
    whole = await read(here, other.number)
    assert (whole["id"], whole["erased"], whole["purchases"]["count"]) == (one.id, True, 4)
    assert one.id not in await listed(client)
    for person in (one, other):
        assert await holding(here, "profile", person.mark) <= ORDINARY
    await done(here, receipt)
    await undo(here, made)
    assert (await read(here, other.id))["erased"]


async def test_proposals_about_who_was_erased_are_withdrawn(here: World, client):
    one, other = await Person().meet(here), await Person().meet(here)
    both = one.identifiers | {"email": other.identifiers["email"]}
    await send(here, purchase(both, uuid4().hex, DAY.format(20)))
    [asked] = (await client.get("/v1/merges", params={"customer": one.id})).json()["items"]
    assert (asked["status"], len(asked["evidence"])) == ("proposed", 2)
    await erase(here, one.id)
    found = (await client.get(f"/v1/merges/{asked['id']}")).json()
    assert (found["status"], found["decision"]) == ("withdrawn", "One of them was erased.")
    assert [said["customer_id"] for said in found["evidence"]] == [other.id]
    accepted = await client.post("/v1/merges", json={"proposal": asked["id"]})
    assert code_of(accepted) == (409, "merge_not_open")
    async with here.kernels["profile"].database.read() as conn:
        for table in ("identifier_link", "merge_evidence"):
            rows = await conn.fetch(f"SELECT customer_id, digest FROM {table}")
            assert UUID(one.id) not in {row["customer_id"] for row in rows}
            digests = {digest(type_, value) for type_, value in one.identifiers.items()}
            assert not digests & {row["digest"] for row in rows}, table


async def test_what_names_the_erased_later_merges_nobody(here: World, client):
    """An event that was taken before the erasure may come behind it."""
    one, other, third = [await Person().meet(here) for _ in range(3)]
    await erase(here, one.id)
    parts = [UUID(person.id) for person in (other, one, third)]
    digests = [digest("cookie", person.mark) for person in (other, one, third)]
    async with here.kernels["profile"].database.transaction() as conn:
        await conn.execute(
            "INSERT INTO link VALUES ($1, now(), $2, $3, $4, $5, $2)",
            *(uuid4(), parts, parts[1:2], ["cookie"] * 3, digests),
        )
    await here.settled()
    [asked] = (await client.get("/v1/merges", params={"customer": other.id})).json()["items"]
    assert (asked["status"], asked["joins"]) == ("proposed", [other.id, third.id])
    assert len(asked["evidence"]) == 2
    assert (await client.get("/v1/merges", params={"customer": one.id})).json()["items"] == []


async def test_interaction_may_say_that_somebody_was_erased():
    """It may know before the row does."""

    for said, code in (
        ("customer_erased", "customer_erased"),
        ("identifier_taken", "identifier_taken"),
        ("something_new", "identifier_taken"),
    ):
        answer = httpx.Response(409, json={"code": said})
        client = httpx.AsyncClient(
            transport=httpx.MockTransport(lambda _, answer=answer: answer),
            base_url="http://interaction",
        )
        with pytest.raises(Conflict) as caught:
            await Identities(client, "secret").mint({"member_no": "M1"})
        assert caught.value.code == code


@pytest.mark.parametrize("basis", ["business", "recorded"])
async def test_what_a_customer_was_says_amounts_and_no_names(here: World, client, basis: str):
    one, other, _ = await pair(here)
    lone = await Person().meet(here, 2, 9)
    await lone.be_spoken_of(here)
    await here.settled()
    at = datetime.now().astimezone().isoformat()
    await erase(here, one.id, one.id)
    await erase(here, lone.id)
    await asyncio.sleep(KEYRING_SECONDS)
    then = await read(here, lone.id, as_of=at, basis=basis)
    assert (then["erased"], then["status"], then["purchases"]["count"]) == (True, "erased", 2)
    assert lone.mark not in str(then)
    assert lone.region not in str(then)
    assert not any(then["attributes"].values())
    then = await read(here, other.id, as_of=at, basis=basis)
    assert (then["erased"], then["name"]) == (False, f"李 {other.mark}")
    assert then["purchases"]["count"] == 4
    assert one.mark not in str(then)
    assert one.region not in str(then)
