"""An event type: its name on the wire, who may emit it, its rank, its door and what consumers
decode."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import msgspec
from pydantic import TypeAdapter

FACT, SCORE, LIFECYCLE, TAG, SEGMENT = range(5)
"""Ranks: an announcement's rank is above that of everything its `derive` reads."""

INTERACTION = frozenset({"interaction"})
PROFILE = frozenset({"profile"})
SCORING = frozenset({"scoring"})
CAMPAIGN = frozenset({"campaign"})


@dataclass(frozen=True, kw_only=True)
class EventType:
    """One type of the published language, in its newest version."""

    name: str
    struct: type[msgspec.Struct]
    """What consumers decode: only what folds read, unknown fields ignored."""
    door: Any | None = None
    """The model that judges a publisher's `data`; None where no publisher may send the type."""
    rank: int = FACT
    emitters: frozenset[str]
    """Services that put it on `customers`."""
    example: Mapping[str, Any]
    """A realistic `data`."""
    description: Mapping[Literal["en", "zh"], str]
    announcement: bool = False
    version: int = 1

    @property
    def dataschema(self) -> str:
        """The envelope's `dataschema`: type and version, such as `purchase.completed/1`."""
        return f"{self.name}/{self.version}"

    @cached_property
    def adapter(self) -> TypeAdapter[dict[str, Any]]:
        """Pydantic's validator of the door model; TypeError where there is no door."""
        if self.door is None:
            raise TypeError(f"{self.name} has no door")
        return TypeAdapter(self.door)

    @cached_property
    def fields(self) -> frozenset[str]:
        """Names of the fields of `data` that are known."""
        return frozenset(self.json_schema()["properties"])

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of `data`: of the door where there is one, else of what consumers decode."""
        if self.door is None:
            return msgspec.json.schema(self.struct)
        return self.adapter.json_schema() | {"title": self.name}
