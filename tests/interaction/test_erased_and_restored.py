"""Interaction's database is brought back to a moment before an erasure: from the log it forgets once more, and what is
left of who was erased is the same to the byte."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import orjson
import pytest

from shared.settings import KernelSettings
from tests import world as worlds
from tests.api.sending import Sender, contact, unique
from tests.interaction.erasures import (
    Profile,
    a_mark,
    a_phone,
    rows,
    sent_before,
    tables_with,
    whose,
)
from tests.shared.test_restored import copied, name_of
from tests.world import World, fresh_databases


@asynccontextmanager
async def at_work(urls: dict[str, str], settings: KernelSettings, key: str) -> AsyncIterator[World]:
    here = World(urls, settings, key=key)
    async with AsyncExitStack() as stack:
        await worlds._add_api(stack, here, "interaction")
        await worlds.add_worker(stack, here, "interaction")
        yield here
        await here.settled(60)


async def said(sender: Sender, who: dict[str, str], mark: str) -> str:
    """Everything of which interaction keeps a text; answer whose it is."""
    complaint = unique("K")

    async def post(path: str, body: Any) -> dict[str, Any]:
        answer = await sender.client.post(path, json=body)
        assert answer.status_code in {200, 201, 202}, answer.text
        return answer.json()

    made = await post(
        "/v1/interactions",
        {
            "customer": who,
            "kind": "visit",
            "channel": "store",
            "content": mark,
            "next_step": {"action": mark, "due_at": "2026-11-25T09:00:00Z"},
        },
    )
    await post(f"/v1/interactions/{made['id']}/retract", {"reason": mark})
    await post("/v1/interactions", {"customer": who, "kind": "call", "feedback": mark})
    case = await post(
        "/v1/complaints",
        {"customer": who, "category": "x", "description": mark, "complaint_id": complaint},
    )
    await post(f"/v1/complaints/{case['id']}/assign", {"to": "liu.yang", "note": mark})
    await post(f"/v1/complaints/{case['id']}/resolve", {"resolution": mark})
    published = contact(who) | {
        "type": "complaint.reopened",
        "data": {"complaint_id": complaint, "note": mark, "by": "web", "mood": mark},
    }
    await sender.accepted(published)
    customer: str = made["customer_id"]
    return customer


async def kept(here: World, customer: str) -> dict[str, Any]:
    found = {}
    for table, order in (("contact", "id"), ("complaint", "id"), ("erased_identifier", "digest")):
        statement = f"SELECT * FROM {table} WHERE customer_id = $1::text::uuid ORDER BY {order}"
        found[table] = await rows(here, statement, customer)
    for row in found["contact"]:
        del row["recorded_at"]  # by the clock, a moment after the event
    return found


def in_any_order(found: dict[str, Any]) -> dict[str, Any]:
    contacts = [row | {"data": orjson.loads(row["data"])} for row in found["contact"]]
    return found | {"contact": contacts}


def without_forgotten(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """It is said again, since it is done again."""
    return [entry for entry in entries if entry["type"] != "customer.forgotten"]


@pytest.mark.parametrize("backup", ["of nothing", "of the half"])
async def test_it_forgets_once_more(postgres, backup: str):
    urls = await fresh_databases(postgres)
    settings = KernelSettings(
        event_log_url=urls["log"],
        access_url=urls["access"],
        keyring_url=urls["keyring"],
        lease_seconds=5,
        language="en",
    )
    key = await worlds.new_key(urls["access"], ["admin"])
    mark, phone = a_mark(), a_phone()
    gone_by, lives_by = {"phone": phone}, {"member_no": unique("M")}
    database = name_of(urls["interaction"])

    async with at_work(urls, settings, key) as here:
        if backup == "of the half":
            await said(Sender(here), gone_by, mark)
            await said(Sender(here), lives_by, "a word")
    await copied(postgres, database, f"{database}_kept")

    async with at_work(urls, settings, key) as here:
        sender, profile = Sender(here), Profile(here)
        gone = await said(sender, gone_by, mark)
        lives = await said(sender, lives_by, "another word")
        assert await tables_with(urls["interaction"], [mark]) == {"contact", "complaint"}
        at = await profile.erases(gone)
        late = contact(gone_by) | {
            "type": "complaint.opened",
            "data": {"complaint_id": "K-late", "category": "y", "description": mark},
        }
        await sent_before(here, at, late)
        left, others = await kept(here, gone), await kept(here, lives)
        shown = await sender.timeline(gone)
        assert len(left["contact"]) == len(others["contact"])
        assert len(left["complaint"]) == len(others["complaint"]) + 1
        assert all(
            row["data"] == b'{"kind":"call"}' for row in left["contact"] if not row["channel"]
        )

    await copied(postgres, f"{database}_kept", database)
    async with at_work(urls, settings, key) as here:
        await here.settled(60)
        sender = Sender(here)
        again = await kept(here, gone)
        if backup == "of nothing":  # nothing says any more what had been theirs
            assert len(left.pop("erased_identifier")) == 1
            assert again.pop("erased_identifier") == []
        assert again == left
        assert in_any_order(await kept(here, lives)) == in_any_order(others)
        assert without_forgotten(await sender.timeline(gone)) == without_forgotten(shown)
        assert await tables_with(urls["interaction"], [mark]) == set()
        assert (await sender.get(f"/v1/timelines/phone:{phone}")).status_code == 404
        if backup == "of the half":
            later = contact(gone_by, data={"content": mark})
            await sent_before(here, at, later)
            assert await whose(sender, later) == gone
            assert await tables_with(urls["interaction"], [mark]) == set()
