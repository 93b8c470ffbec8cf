"""Events to be judged, and what the judge says."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from services.interaction.arrivals import Arrival
from services.interaction.judging import Judge, Refused
from shared.settings import KernelSettings

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
JUDGE = Judge(KernelSettings(timezone="Asia/Shanghai"), lambda: NOW)


def sent(**changes: Any) -> dict[str, Any]:
    """An event in our own spelling; a change to ... leaves the field out."""
    event = {
        "id": "pos-7-1",
        "source": "store-7/pos",
        "type": "purchase.completed",
        "time": "2026-11-20T12:03:11+08:00",
        "customer": {"member_no": "M42"},
        "data": {"order_id": "A-1", "total": {"amount": "35.80", "currency": "CNY"}},
    } | changes
    return {name: value for name, value in event.items() if value is not ...}


def judge(event: object, *, received: datetime = NOW, history: str | None = None) -> Arrival:
    return JUDGE.event(event, default_source="the-key", history=history, received=received)


def refusal(event: object) -> Refused:
    with pytest.raises(Refused) as caught:
        judge(event)
    return caught.value


def faults(event: object) -> tuple[str, list[tuple[str, str]]]:
    """(code, [(pointer, code), ...])"""
    refused = refusal(event)
    return refused.code, [(error.pointer, error.code) for error in refused.errors]


def fault(event: object) -> tuple[str, str]:
    """The one field that is wrong."""
    code, [error] = faults(event)
    assert code == "validation_failed"
    return error


def data_of(arrival: Arrival) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(bytes(arrival.data))
    return found
