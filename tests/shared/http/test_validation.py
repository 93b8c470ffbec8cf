from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter
from pydantic_core import PydanticCustomError

from shared.errors import FieldError, Unprocessable
from shared.http.validation import code_of, json_pointer, validated

EN = {"Accept-Language": "en"}


async def errors_of(client, body) -> dict[str, tuple[str, str]]:
    response = await client.post("/v1/orders", json=body, headers=EN)
    assert response.status_code == 422
    assert response.json()["code"] == "validation_failed"
    return {e["pointer"]: (e["code"], e["message"]) for e in response.json()["errors"]}


async def test_every_wrong_field_is_pointed_at(client):
    body = {
        "number": "",
        "at": "yesterday",
        "colour": "red",
        "lines": [
            {"product": 1, "quantity": 1},
            {"quantity": -1},
            {"product": "P", "quantity": "x"},
        ],
    }
    assert await errors_of(client, body) == {
        "/number": ("too_short", "At least 1 are needed."),
        "/at": ("not_a_time", "This must be an RFC 3339 time with a UTC offset."),
        "/colour": ("unknown_field", "This field is not known."),
        "/lines/0/product": ("not_a_string", "This must be text."),
        "/lines/1/product": ("missing", "This is required."),
        "/lines/1/quantity": ("too_small", "This must be at least 0."),
        "/lines/2/quantity": ("not_an_integer", "This must be a whole number."),
    }


async def test_the_body_as_a_whole(client):
    assert await errors_of(client, []) == {"": ("not_an_object", "This must be an object.")}
    assert list(await errors_of(client, {})) == ["/number"]
    assert (await errors_of(client, {"number": "1", "at": "2026-01-01T00:00:00"}))["/at"][0] == (
        "not_a_time"
    )
    assert (await errors_of(client, {"number": "1", "lines": {}}))["/lines"][0] == "not_a_list"
    too_many = [{"product": "P", "quantity": 1}] * 4
    assert (await errors_of(client, {"number": "1", "lines": too_many}))["/lines"] == (
        "too_long",
        "At most 3 are possible.",
    )


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("limit=0", "?limit", "too_small"),
        ("limit=501", "?limit", "too_big"),
        ("limit=x", "?limit", "not_an_integer"),
        ("limit=1180591620717411303424", "?limit", "too_big"),
        ("limit=" + "9" * 5000, "?limit", "number_out_of_range"),
        ("count=maybe", "?count", "not_a_boolean"),
        ("from=yesterday", "?from", "not_a_time"),
        ("from=2026-01-01T00:00:00", "?from", "not_a_time"),
        ("sort=colour", "?sort", "not_allowed"),
        ("cursor=" + "x" * 2001, "?cursor", "too_long"),
    ],
)
async def test_the_query(client, query, pointer, code):
    response = await client.get(f"/v1/orders?{query}")
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: Annotated[int, Field(le=9)]


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


PET = TypeAdapter(dict[str, Annotated[Cat | Dog, Field(discriminator="kind")]])


def faults(adapter, value, **kwargs) -> list[FieldError]:
    with pytest.raises(Unprocessable) as caught:
        validated(adapter, value, **kwargs)
    return list(caught.value.errors)


def test_members_of_unions_are_no_part_of_a_pointer():
    assert faults(PET, {"a": {"kind": "cat", "lives": 10}}) == [
        FieldError("/a/lives", "too_big", {"limit": 9})
    ]
    assert faults(PET, {"a": {"kind": "dog"}}, prefix="/data") == [
        FieldError("/data/a/name", "missing", {})
    ]
    (fault,) = faults(PET, {"a": {"kind": "cow"}})
    assert (fault.pointer, fault.code) == ("/a", "not_allowed")
    assert fault.params == {"allowed": "cat, dog"}
    either = TypeAdapter(list[int | str])
    assert [f.pointer for f in faults(either, [1, None])] == ["/1", "/1"]


def test_what_is_right_comes_back():
    assert validated(PET, {"a": {"kind": "cat", "lives": 3}})["a"].lives == 3


def test_errors_are_bounded():
    assert len(faults(TypeAdapter(list[int]), ["x"] * 1000)) == 100


def test_codes():
    assert code_of("literal_error", {"expected": "'a', 'b' or 'c'"}) == (
        "not_allowed",
        {"allowed": "a, b, c"},
    )
    assert code_of("too_long", {"max_length": 3}) == ("too_long", {"limit": 3})
    assert code_of("unknown_currency", {"currency": "XXX"}) == (
        "unknown_currency",
        {"currency": "XXX"},
    )
    assert code_of("value_error", {"error": ValueError("secret")}) == ("invalid", {})
    assert code_of("something_new", {}) == ("invalid", {})
    assert PydanticCustomError("unknown_currency", "x").type == "unknown_currency"


def test_pointers_are_escaped():
    assert json_pointer(["a/b", "c~d", 0]) == "/a~1b/c~0d/0"
    assert json_pointer([]) == ""
