"""What is recommended: codes and parameters, words are made on reading."""

from typing import Any, Literal

import msgspec

Kind = Literal["again", "cross_sell", "up_sell", "variety"]
"""`cross_sell`: of a category new to the customer; `up_sell`: of one they buy, and dearer than what
they buy there; `variety`: of one they buy, and not dearer, or of unknown price."""


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an item is on a list: a stable code with its parameters."""

    code: str
    params: dict[str, Any] = {}


class Suggestion(msgspec.Struct, frozen=True):
    """One item of a list. `chance`: of a purchase within 28 days; None before anything is trained."""

    item: str
    rank: int
    chance: float | None
    kind: Kind
    reason: Reason
    score: float = 0.0
    """What the list is ranked by: comparable within it."""


class Lists(msgspec.Struct, frozen=True):
    """What they may need again, and what may be new to them; best first."""

    again: list[Suggestion]
    new: list[Suggestion]


class Companion(msgspec.Struct, frozen=True):
    """An item that is often bought on the same visit."""

    item: str
    visits: int
    """Visits with both."""
    lift: float
    """How many times as often as if they had nothing to do with each other."""
    confidence: float
    """Share of the first item's visits that had this one too."""


class Prospect(msgspec.Struct, frozen=True):
    """A customer to offer an item to, and on which of their lists it would be."""

    customer: str
    list: Literal["again", "new"]
    score: float
    chance: float | None
