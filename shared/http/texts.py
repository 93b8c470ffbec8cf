"""Texts that people write into a command, without the spaces around them; and texts that are one of some codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from shared.http.shapes import Schema, text


@dataclass(frozen=True, slots=True)
class Words:
    """Text of at most so many characters as they are sent; `shortest` 1: not blank."""

    longest: int
    shortest: int = 0

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        plain = core_schema.str_schema(max_length=self.longest)
        return core_schema.no_info_after_validator_function(self._judged, plain)

    def __get_pydantic_json_schema__(self, _: CoreSchema, _handler: GetJsonSchemaHandler) -> Schema:
        return text(self.longest, self.shortest)

    def _judged(self, value: str) -> str:
        if "\0" in value:
            raise PydanticCustomError("invalid_text", "a NUL character")
        stripped = value.strip()
        if len(stripped) < self.shortest:
            raise PydanticCustomError("too_short", "blank", {"min_length": self.shortest})
        return stripped


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of these codes."""

    codes: Sequence[str]

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.literal_schema(list(self.codes))
