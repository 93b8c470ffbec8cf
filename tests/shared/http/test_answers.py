from datetime import UTC, date, datetime
from uuid import UUID

import msgspec
import pytest
from pydantic import BaseModel

from shared.http.answers import answer, to_json


class Money(msgspec.Struct):
    amount: str


class Card(BaseModel):
    number: int


def test_what_json_does_not_know():
    value = {
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "day": date(2026, 1, 1),
        "id": UUID(int=1),
        "money": Money("1.00"),
        "card": Card(number=3),
        "tags": {"b", "a"},
        7: "seven",
    }
    assert msgspec.json.decode(to_json(value)) == {
        "at": "2026-01-01T00:00:00Z",
        "day": "2026-01-01",
        "id": "00000000-0000-0000-0000-000000000001",
        "money": {"amount": "1.00"},
        "card": {"number": 3},
        "tags": ["a", "b"],
        "7": "seven",
    }
    with pytest.raises(TypeError):
        to_json(object())


def test_an_answer():
    response = answer({"a": 1}, status=202, headers={"Tenure-Position": "x"})
    assert response.status_code == 202
    assert response.body == b'{"a":1}'
    assert response.headers["tenure-position"] == "x"
    assert response.headers["content-type"] == "application/json"
