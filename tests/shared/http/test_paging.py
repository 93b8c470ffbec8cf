from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadRequest, Unprocessable
from shared.http.paging import decode_cursor, encode_cursor, page_answer, parse_sort

AT = datetime(2026, 11, 20, 4, 3, 11, 250, UTC)
ID = UUID(int=7)


def test_a_cursor_brings_its_values_back():
    shape = tuple[datetime | None, UUID, int]
    assert decode_cursor(encode_cursor([AT, ID, 3]), shape) == (AT, ID, 3)
    assert decode_cursor(encode_cursor([None, ID, 3]), shape) == (None, ID, 3)
    assert decode_cursor(encode_cursor(["名", 1.5])) == ["名", 1.5]


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "%%%", "名", "eyJhIjoxfQ", encode_cursor([1]), encode_cursor(["a\0b", str(ID)]),
     encode_cursor([AT]), encode_cursor([AT, ID, 1]), encode_cursor([AT, 7]), "W" * 1999],
)  # fmt: skip
def test_a_bogus_cursor(cursor):
    with pytest.raises(BadRequest) as caught:
        decode_cursor(cursor, tuple[str, UUID] if "a" in cursor else tuple[datetime, UUID])
    assert caught.value.code == "invalid_cursor"


@given(st.text(max_size=50))
def test_any_text_is_a_cursor_or_bogus(cursor):
    try:
        found: Any = decode_cursor(cursor)
    except BadRequest:
        return
    assert isinstance(found, list)


async def test_the_dependency(client):
    response = await client.get("/v1/orders")
    assert response.json() == {
        "items": [{"after": None, "sort": ["at", False], "limit": 50, "from": None}],
        "next_cursor": None,
    }
    query = {
        "limit": 500,
        "cursor": encode_cursor([AT, ID]),
        "count": "true",
        "sort": "-number",
        "from": "2026-01-01T08:00:00+08:00",
    }
    body = (await client.get("/v1/orders", params=query)).json()
    assert body["total"] == 7
    (item,) = body["items"]
    assert item["sort"] == ["number", True]
    assert item["limit"] == 500
    assert item["after"] == ["2026-11-20T04:03:11.000250Z", str(ID)]


async def test_a_bogus_cursor_over_http(client):
    response = await client.get("/v1/orders?cursor=bogus")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_cursor")


def test_sorting():
    assert parse_sort("name", ["name"]) == ("name", False)
    assert parse_sort("-name", ["name"]) == ("name", True)
    for bad in ("", "-", "--name", "colour"):
        with pytest.raises(Unprocessable) as caught:
            parse_sort(bad, ["size", "name"])
        assert caught.value.errors[0].params == {"allowed": "name, size"}


def test_an_answer():
    assert page_answer([], None) == {"items": [], "next_cursor": None}
    assert page_answer([1], "x", 0)["total"] == 0
