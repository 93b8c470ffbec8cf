"""GET /v1/timelines/{customer}: everything that happened, filtered, page by page, in both directions."""

from typing import Any

import pytest

from shared.http.paging import encode_cursor
from tests.api.sending import Sender, contact, problem_of, purchase, unique
from tests.world import World


@pytest.fixture(scope="module")
async def busy(here: World) -> str:
    """A customer of 25 contacts, one an hour, the last two of the same moment, and a purchase."""
    sender, member = Sender(here), {"member_no": unique("M")}
    events = [
        contact(
            member,
            data={"channel": ("phone", "web")[hour % 2]},
            time=f"2026-11-19T{min(hour, 23):02d}:00:00Z",
        )
        for hour in range(25)
    ]
    bought = purchase(customer=member, time="2026-11-20T00:00:00Z")
    customers = await sender.accepted(*events, bought)
    return customers[0]


async def pages(sender: Sender, customer: str, limit: int, **params: Any) -> list[list[dict]]:
    """All pages from the first to the last."""
    found: list[list[dict]] = []
    cursor: str | None = None
    while True:
        extra = {"cursor": cursor} if cursor else {}
        answer = await sender.get(f"/v1/timelines/{customer}", limit=limit, **params, **extra)
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        assert len(found) < 100, "the same page again and again"
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


def ids(items: list[dict]) -> list[str]:
    return [item["id"] for item in items]


async def test_newest_first(sender: Sender, busy: str):
    items = await sender.timeline(busy)
    assert len(items) == 27
    assert [i["time"] for i in items] == sorted((i["time"] for i in items), reverse=True)
    assert {i["type"] for i in items} == {
        "purchase.completed",
        "interaction.recorded",
        "identifiers.added",
    }


@pytest.mark.parametrize("limit", [1, 2, 13, 26, 27, 28])
async def test_paging_both_ways(sender: Sender, busy: str, limit: int):
    whole = ids(await sender.timeline(busy))
    down = await pages(sender, busy, limit)
    up = await pages(sender, busy, limit, sort="time")
    assert [i for page in down for i in ids(page)] == whole
    assert [i for page in up for i in ids(page)] == whole[::-1]
    for found in (down, up):
        assert {len(page) for page in found[:-1]} <= {limit}
        assert 0 < len(found[-1]) <= limit


async def test_a_page_can_be_turned_back(sender: Sender, busy: str):
    """A cursor says where, not which way."""
    first = await sender.get(f"/v1/timelines/{busy}", limit=10)
    cursor = first.json()["next_cursor"]
    back = await sender.timeline(busy, cursor=cursor, sort="time")
    assert ids(back) == ids(first.json()["items"])[:-1][::-1]


async def test_the_same_page_again_is_the_same(sender: Sender, busy: str):
    cursor = (await sender.get(f"/v1/timelines/{busy}", limit=5)).json()["next_cursor"]
    answers = [await sender.get(f"/v1/timelines/{busy}", limit=5, cursor=cursor) for _ in range(2)]
    assert answers[0].json() == answers[1].json()


async def test_an_event_that_arrives_while_paging_moves_nothing(sender: Sender):
    member = {"member_no": unique("M")}
    old = [contact(member, time=f"2026-11-19T0{hour}:00:00Z") for hour in range(6)]
    [customer, *_] = await sender.accepted(*old)
    first = (await sender.get(f"/v1/timelines/{customer}", limit=3)).json()
    await sender.accepted(contact(member, time="2026-11-20T00:00:00Z"))
    rest = await sender.timeline(customer, cursor=first["next_cursor"])
    shown = ids(first["items"]) + ids(rest)
    assert len(shown) == len(set(shown)) == 7


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"type": "purchase.completed"}, 1),
        ({"type": ["purchase.completed", "interaction.recorded"]}, 26),
        ({"type": "complaint.opened"}, 0),
        ({"type": "no such type"}, 0),
        ({"channel": "phone"}, 13),
        ({"channel": ["phone", "web"]}, 25),
        ({"channel": "fax"}, 0),
        ({"type": "purchase.completed", "channel": "phone"}, 0),
        ({"from": "2026-11-19T23:00:00Z", "type": "interaction.recorded"}, 2),
        ({"from": "2026-11-19T22:00:00Z", "to": "2026-11-19T23:00:00Z"}, 1),
        ({"to": "2026-11-19T00:00:00Z"}, 0),
        ({"to": "2026-11-19T08:00:00+08:00"}, 0),
        ({"from": "2026-11-19T08:00:00+08:00", "type": "interaction.recorded"}, 25),
        ({"from": "2026-11-20T00:00:00Z", "to": "2026-11-19T00:00:00Z"}, 0),
        ({"from": "1970-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"}, 27),
        ({"from": "0001-01-01T00:00:00Z"}, 27),
    ],
)
async def test_filters_and_count(sender: Sender, busy: str, params: dict, expected: int):
    answer = await sender.get(f"/v1/timelines/{busy}", limit=500, count=True, **params)
    assert answer.status_code == 200, answer.text
    assert answer.json()["total"] == expected
    assert len(answer.json()["items"]) == expected
    assert answer.json()["next_cursor"] is None


async def test_a_count_is_of_all_pages_and_only_where_it_is_asked_for(sender: Sender, busy: str):
    answer = await sender.get(f"/v1/timelines/{busy}", limit=2, count=True)
    assert (len(answer.json()["items"]), answer.json()["total"]) == (2, 27)
    after = {"cursor": answer.json()["next_cursor"], "count": True}
    assert (await sender.get(f"/v1/timelines/{busy}", limit=2, **after)).json()["total"] == 27
    assert "total" not in (await sender.get(f"/v1/timelines/{busy}")).json()


async def test_a_filter_holds_on_every_page(sender: Sender, busy: str):
    found = await pages(sender, busy, 4, channel="web")
    assert [len(page) for page in found] == [4, 4, 4]
    assert {item["data"]["channel"] for page in found for item in page} == {"web"}


@pytest.mark.parametrize(
    "reference",
    [
        "01934b5c-7a00-7000-8000-000000000001",
        "member_no:nobody-has-this",
        "C1999000001",
        "phone:+8613800000000",
        "phone:call-me",
        "email:nobody",
        "shoe_size:42",
        "not-a-uuid",
        "member_no:",
        ":",
        "%20",
        "C",
        "c²",
        "00000000-0000-0000-0000-000000000000",
        "x" * 5000,
        "member_no:%00",
        "%ED%A0%80",
        "member_no:%FF",
    ],
)
async def test_nobody_of_that_name(sender: Sender, reference):
    for language in ("zh", "en"):
        answer = await sender.get(f"/v1/timelines/{reference}", {"Accept-Language": language})
        assert answer.status_code == 404
        assert problem_of(answer)[1] in {"customer_not_found", "not_found"}


async def test_every_way_to_name_a_customer(sender: Sender):
    identifiers = {
        "member_no": unique("M"),
        "email": f"{unique()}@example.com",
        "user_id": "a b/c:" + unique(),
    }
    [customer] = await sender.accepted(purchase(customer=identifiers))
    names = [
        customer,
        customer.upper(),
        f"member_no:{identifiers['member_no']}",
        f"email:{identifiers['email'].upper()}",
        f"user_id:{identifiers['user_id'].replace(' ', '%20').replace('/', '%2F')}",
    ]
    for name in names[:4]:
        assert len(await sender.timeline(name)) == 2, name


async def test_a_customer_of_whom_nothing_happened_yet_has_an_empty_timeline(sender: Sender):
    made = await sender.client.post(
        "/internal/identities", json={"identifiers": {"member_no": unique("M")}}
    )
    customer = made.json()["customer_id"]
    answer = await sender.get(f"/v1/timelines/{customer}", type="purchase.completed", count=True)
    assert answer.json() == {"items": [], "next_cursor": None, "total": 0, "erased": False}


async def test_the_summary_follows_the_reader(sender: Sender, busy: str):
    shown = {}
    for language in ("zh", "en"):
        answer = await sender.get(
            f"/v1/timelines/{busy}",
            {"Accept-Language": language},
            type="interaction.recorded",
            limit=1,
        )
        shown[language] = answer.json()["items"][0]["summary"]
    assert shown == {"zh": "互动：电话", "en": "Contact: call"}


async def test_what_a_publisher_adds_never_keeps_a_timeline_from_being_read(sender: Sender):
    odd = {
        "total": {"sum": 1},
        "amount": [],
        "order_id": {"a": 1},
        "language": 1,
        "code": "{x}",
        "": "",
        "{total}": "{kind.__class__}",
        "score": {},
        "settled": {"before": 1},
    }
    [customer] = await sender.accepted(contact({"member_no": unique("M")}, data=odd))
    [entry] = await sender.timeline(customer, type="interaction.recorded")
    assert entry["summary"] == "Contact: call"
    assert entry["data"] == odd | {"kind": "call"}


@pytest.mark.parametrize(
    "values",
    [
        ["2026-11-20T00:00:00Z"],
        ["2026-11-20T00:00:00", "01934b5c-7a00-7000-8000-000000000001"],
        ["0001-01-01T00:00:00+14:00", "01934b5c-7a00-7000-8000-000000000001"],
        ["9999-12-31T23:59:59-14:00", "01934b5c-7a00-7000-8000-000000000001"],
        ["2026-11-20T00:00:00Z", "not a uuid"],
        [1, 2],
        ["\x00", "\x00"],
        [],
        {"a": 1},
    ],
)
async def test_cursors_that_no_list_gave_out(sender: Sender, busy: str, values):
    answer = await sender.get(f"/v1/timelines/{busy}", cursor=encode_cursor(values))
    assert problem_of(answer) == (400, "invalid_cursor")
