"""Lifecycle: which state a customer is in."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from shared.language.event_type import LIFECYCLE, PROFILE, EventType


class LifecycleChanged(Struct, frozen=True, gc=False):
    """The customer's state is another one than was last told."""

    state: str
    previous: str | None
    since: datetime
    """UTC."""
    reason: dict[str, Any]
    """A code and its parameters; words come when it is read."""
    evidence: list[str]
    """Ids of the events behind it."""
    policy: str


EVENTS = (
    EventType(
        name="lifecycle.changed",
        struct=LifecycleChanged,
        rank=LIFECYCLE,
        emitters=PROFILE,
        example={
            "state": "silent",
            "previous": "mature",
            "since": "2026-11-20T00:00:00Z",
            "reason": {"code": "no_purchase", "params": {"days": 41, "usual": 9.5}},
            "evidence": ["01934b5c-7a00-7000-8000-000000000001"],
            "policy": "lifecycle@1",
        },
        description={
            "en": "The customer moved to another lifecycle state.",
            "zh": "客户进入了另一个生命周期阶段。",
        },
        announcement=True,
    ),
)
