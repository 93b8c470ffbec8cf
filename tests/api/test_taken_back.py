"""What a contact taken back had changed elsewhere is as it was: the customer's picture, and who is in which segment."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api.sending import contact, purchase, unique
from tests.world import World, world

RULES: dict[str, Any] = {
    "in touch": {"field": "last_interaction_at", "op": "after", "value": "2026-11-20T12:00:00Z"},
    "early": {"field": "first_contact_at", "op": "before", "value": "2026-11-10T00:00:00Z"},
    "often": {"count": {"type": "interaction.recorded", "within_days": 366}, "op": ">", "value": 2},
    "joiner": {"field": "tags", "op": "contains", "value": "behaviour:promotion-joiner"},
}


@pytest.fixture(scope="module")
async def here(postgres) -> AsyncIterator[World]:
    async with world(postgres, services=["interaction", "profile", "campaign"]) as made:
        yield made


@pytest.fixture(scope="module")
async def segments(here: World) -> dict[str, str]:
    """Ids by name."""
    found = {}
    for name, rule in RULES.items():
        body = {"name": name, "rule": rule}
        answer = await here.client("campaign").post("/v1/segments", json=body)
        found[name] = answer.json()["id"]
    return found


async def picture(here: World, who: str) -> dict[str, Any]:
    await here.settled()
    answer = await here.client("profile").get(f"/v1/customers/{who}")
    assert answer.status_code == 200, answer.text
    return {name: value for name, value in answer.json().items() if name != "as_of"}


async def belongs(here: World, segments: dict[str, str], who: str) -> set[str]:
    client = here.client("campaign")
    found = set()
    for name, segment in segments.items():
        answer = await client.get(f"/v1/segments/{segment}/members/{who}")
        assert answer.status_code == 200, answer.text
        if answer.json()["member"]:
            found.add(name)
    return found


async def record(here: World, who: str, kind: str, at: str, **fields: Any) -> str:
    body = {"customer": who, "kind": kind, "at": at, **fields}
    answer = await here.client("interaction").post("/v1/interactions", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def take_back(here: World, *contacts: str) -> None:
    for one in contacts:
        answer = await here.client("interaction").post(f"/v1/interactions/{one}/retract")
        assert answer.status_code == 200, answer.text


async def test_the_picture_goes_back_to_what_it_was(here: World, segments):
    member = unique("M")
    who = f"member_no:{member}"
    sent = [
        purchase(customer={"member_no": member}, time="2026-11-12T12:00:00+08:00"),
        contact({"member_no": member}, time="2026-11-15T12:00:00+08:00"),
    ]
    await here.post_events(sent)
    before = await picture(here, who)
    assert await belongs(here, segments, who) == set()
    contacts = [
        await record(here, who, "campaign_response", "2026-11-01T09:00:00+08:00"),
        *[
            await record(here, who, "call", f"2026-11-21T0{n}:00:00+08:00", direction="inbound")
            for n in range(5)
        ],
    ]
    during = await picture(here, who)
    codes = {tag["tag"] for tag in during["tags"]} - {tag["tag"] for tag in before["tags"]}
    assert codes == {"behaviour:promotion-joiner", "need:service-demanding"}
    assert during["first_contact_at"] == "2026-11-01T01:00:00Z"
    assert during["last_interaction_at"] == "2026-11-20T20:00:00Z"
    assert await belongs(here, segments, who) == set(RULES)
    await take_back(here, contacts[-1])
    assert (await picture(here, who))["last_interaction_at"] == "2026-11-20T19:00:00Z"
    await take_back(here, *contacts[:-1])
    assert await picture(here, who) == before
    assert await belongs(here, segments, who) == set()


async def test_whom_only_a_mistake_made_known_was_never_met(here: World, segments):
    who = f"member_no:{unique('M')}"
    made = await record(here, who, "visit", "2026-11-01T09:00:00+08:00")
    assert (await picture(here, who))["first_contact_at"] == "2026-11-01T01:00:00Z"
    await take_back(here, made)
    after = await picture(here, who)
    assert (after["first_contact_at"], after["last_interaction_at"]) == (None, None)
    assert (after["status"], after["lifecycle"]["state"]) == ("active", "prospect")
    assert await belongs(here, segments, who) == set()
