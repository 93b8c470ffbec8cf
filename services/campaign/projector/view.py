"""What the facts mean at a moment: to which segments a customer belongs."""

from datetime import datetime

import msgspec


class Member(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One segment that the customer belongs to."""

    id: str
    name: str
    version: int
    """Of the rule."""


class View(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The segments, and when time alone may change that. Times are UTC."""

    policy: str
    members: list[Member] = []
    at: datetime | None = None
    """From when on this holds: the last fact, the customer's last midnight, or the policy."""
    by_rule: bool = False
    """The policy is younger than all facts and the last midnight."""
    due_at: datetime | None = None
    erased: bool = False
    """Of somebody who asked to be forgotten: in no segment."""
