"""Keys go after the decision: later, where the keyring is away, and again, where it brings them back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.profile.erasing import keys
from tests.profile.erasing.people import Person, done, erase
from tests.world import World


async def key_of(here: World, customer: str) -> bytes | None:
    conn = await asyncpg.connect(here.urls["keyring"])
    try:
        return await conn.fetchval(
            "SELECT key FROM customer_key WHERE customer_id = $1", UUID(customer)
        )
    finally:
        await conn.close()


async def bring_back(here: World, customer: str, key: bytes) -> None:
    """As a copy of the keyring does that is older than the erasure."""
    conn = await asyncpg.connect(here.urls["keyring"])
    try:
        await conn.execute(
            "UPDATE customer_key SET key = $2, destroyed_at = NULL WHERE customer_id = $1",
            UUID(customer),
            key,
        )
    finally:
        await conn.close()


async def receipt_of(here: World, erasure: str) -> dict[str, Any]:
    return (await here.client("profile").get(f"/v1/erasures/{erasure}")).json()


async def test_while_the_keyring_is_away_erasing_is_no_error(here: World, monkeypatch):
    async def away(*_: object) -> None:
        raise OSError("away")

    person = await Person().meet(here)
    kernel = here.client("profile")._transport.app.state.kernel
    monkeypatch.setattr(kernel.keyring, "destroy", away)
    made = await here.client("profile").post("/v1/erasures", json={"customer": person.id})
    assert made.status_code == 201, made.text
    assert made.json()["parts"][0]["key_destroyed_at"] is None
    await here.settled()
    assert await key_of(here, person.id) is None, "the worker tries again"
    [part] = (await receipt_of(here, made.json()["id"]))["parts"]
    assert part["key_destroyed_at"] is not None
    again = await here.client("profile").post("/v1/erasures", json={"customer": person.id})
    assert again.status_code == 409


async def test_a_keyring_that_went_back_in_time_brings_nobody_back(here: World):
    people = [await Person().meet(here) for _ in range(3)]
    before = {person.id: await key_of(here, person.id) for person in people}
    receipts = [await erase(here, person.id) for person in people[:2]]
    times = [(await receipt_of(here, one["id"]))["parts"][0] for one in receipts]
    key = before[people[0].id]
    assert key is not None
    await bring_back(here, people[0].id, key)
    await keys.destroy_again(here.kernels["profile"])
    assert [await key_of(here, one.id) for one in people] == [None, None, before[people[2].id]]
    after = [(await receipt_of(here, one["id"]))["parts"][0] for one in receipts]
    assert after[0]["key_destroyed_at"] > times[0]["key_destroyed_at"], "it might have opened more"
    assert after[1]["key_destroyed_at"] == times[1]["key_destroyed_at"]


async def test_the_receipt_does_not_go_by_the_clock_of_who_destroyed_a_key(here: World):
    person = await Person().meet(here)
    key = await key_of(here, person.id)
    assert key is not None
    receipt = await erase(here, person.id)
    kernel = here.kernels["profile"]
    for apart in (timedelta(minutes=-10), timedelta(minutes=10)):
        wrong = replace(kernel, clock=lambda apart=apart: datetime.now(UTC) + apart)
        await bring_back(here, person.id, key)
        await keys.destroy_again(wrong)
        assert (await receipt_of(here, receipt["id"]))["status"] == "running", (
            "it was opened just now"
        )
        await done(here, receipt)


async def test_many_are_gone_through_in_chunks(here: World, monkeypatch):
    people = [await Person().meet(here) for _ in range(3)]
    before = {person.id: await key_of(here, person.id) for person in people}
    for person in people:
        await erase(here, person.id)
    for customer, key in before.items():
        assert key is not None
        await bring_back(here, customer, key)
    monkeypatch.setattr(keys, "CHUNK", 1)
    await keys.destroy_again(here.kernels["profile"])
    assert [await key_of(here, one.id) for one in people] == [None] * 3


async def test_it_is_tried_until_the_keyring_is_there(monkeypatch):
    tried: list[object] = []

    async def try_it(kernel: object) -> None:
        tried.append(kernel)
        if len(tried) < 3:
            raise OSError("away")

    monkeypatch.setattr(keys, "agree", try_it)
    monkeypatch.setattr(keys, "SECONDS", 0.01)
    [again] = [task for task in keys.TASKS if task.name == "erase_again"]
    await again.run("kernel")  # type: ignore[arg-type]
    assert len(tried) == 3

    async def wrong(_: object) -> None:
        raise LookupError

    monkeypatch.setattr(keys, "agree", wrong)
    with pytest.raises(LookupError):
        await again.run("kernel")  # type: ignore[arg-type]


async def test_whose_key_is_destroyed_and_who_is_not_erased_is_erased(here: World):
    """As after everything was brought back from a backup that is older than the erasure, but for the list of keys."""
    person, other = [await Person().meet(here) for _ in range(2)]
    kernel = here.kernels["profile"]
    stranger = UUID("01934b5c-7a00-7000-8000-0000000000ff")
    await kernel.keyring.destroy([UUID(person.id), stranger])
    await keys.erase_again(kernel)
    await here.settled()
    shown = (await here.client("profile").get(f"/v1/customers/{person.id}")).json()
    assert (shown["erased"], shown["name"], shown["identifiers"]) == (True, None, [])
    assert not (await here.client("profile").get(f"/v1/customers/{other.id}")).json()["erased"]
    for _ in range(2):
        await keys.erase_again(kernel)  # once more is no more
        listed = (await here.client("profile").get("/v1/erasures", params={"limit": 500})).json()
        made = [one["customer_id"] for one in listed["items"] if one["requested_by"] == "keyring"]
        assert made == [person.id]
