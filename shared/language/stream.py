"""Events that concern a whole partition and no customer: the clock, closed histories, policies.

They are appended to every partition and have an empty subject.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct

from shared.language.event_type import CAMPAIGN, INTERACTION, PROFILE, SCORING, EventType


class ClockTicked(Struct, frozen=True, gc=False):
    """All of `inbound` is resolved up to this moment (UTC): the only clock below the edge."""

    at: datetime


class HistoryClosed(Struct, frozen=True, gc=False):
    """A backfill is complete: whom it touched may now be announced."""

    history: str


class PolicyPublished(Struct, frozen=True, gc=False):
    """From here on this version of a policy holds."""

    name: str
    version: int
    body: dict[str, Any]


EVENTS = (
    EventType(
        name="clock.ticked",
        struct=ClockTicked,
        emitters=INTERACTION,
        example={"at": "2026-11-20T04:04:00Z"},
        description={
            "en": "Everything up to this moment has been resolved.",
            "zh": "截至该时刻的事件均已处理。",
        },
    ),
    EventType(
        name="history.closed",
        struct=HistoryClosed,
        emitters=INTERACTION,
        example={"history": "demo-2026"},
        description={
            "en": "A backfill is complete.",
            "zh": "历史数据导入已完成。",
        },
    ),
    EventType(
        name="policy.published",
        struct=PolicyPublished,
        emitters=PROFILE | SCORING | CAMPAIGN,
        example={"name": "lifecycle", "version": 2, "body": {"silent_after": 3.0}},
        description={
            "en": "A new version of a policy holds from here on.",
            "zh": "新版本的策略自此生效。",
        },
    ),
)
