"""Series that explain demand, as people upload them: promotions, weather, an index."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.scoring.forecast.signals import MOST
from shared.errors import FieldError, Unprocessable
from shared.http.texts import Words
from shared.language.currencies import DECIMALS

MOST_SERIES = MOST
MOST_POINTS = 20_000
LARGEST = 1e12
EARLIEST, LATEST = date(2000, 1, 1), date(2099, 12, 31)
_STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

Scope = Literal["all", "category", "department", "source"]
COSTS = "source"
"""The scope of what it costs to win customers: it explains no demand."""


def _written(value: Any) -> Any:
    """Pydantic also takes seconds since 1970 as a date."""
    return value if isinstance(value, (str, date)) else None


Day = Annotated[date, BeforeValidator(_written), Field(ge=EARLIEST, le=LATEST)]
Number = Annotated[float, Field(strict=True, ge=-LARGEST, le=LARGEST)]


class Point(BaseModel):
    """A value of a day, or of the week that the day is in."""

    model_config = _STRICT

    date: Day
    value: Number
    key: Annotated[str, Words(120, 1)] | None = None


class UploadSeries(BaseModel):
    """A series as it is to be: all of its points, past and planned. Of scope `source` a value is what
    that source of customers cost on that date, in major units of the currency in `unit`."""

    model_config = _STRICT

    scope: Scope = "all"
    gaps: Literal["zero", "last"] = Field(
        "zero", description="What a week without a value means: none, or as before."
    )
    unit: Annotated[str, Words(40)] = ""
    description: Annotated[str, Words(1000)] = ""
    points: Annotated[list[Point], Field(min_length=1, max_length=MOST_POINTS)]


def judged(body: UploadSeries) -> list[tuple[str | None, str, float]]:
    """The points as they are kept, in order. Raises Unprocessable: a key that is missing or not
    asked for, a key and date given twice."""
    errors: list[FieldError] = []
    if body.scope == COSTS and body.unit not in DECIMALS:
        errors.append(FieldError("/unit", "unknown_currency"))
    seen: set[tuple[str | None, date]] = set()
    keyed = body.scope != "all"
    for place, point in enumerate(body.points):
        pointer = f"/points/{place}"
        if keyed != (point.key is not None):
            errors.append(FieldError(f"{pointer}/key", "missing" if keyed else "unknown_field"))
        if (point.key, point.date) in seen:
            errors.append(FieldError(pointer, "repeated_point"))
        seen.add((point.key, point.date))
        if len(errors) >= 100:
            break
    if errors:
        raise Unprocessable("validation_failed", errors=errors)
    points = [(point.key, point.date.isoformat(), point.value) for point in body.points]
    return sorted(points, key=lambda one: (one[0] or "", one[1]))


def about(body: UploadSeries, points: Sequence[tuple[str | None, str, float]]) -> dict[str, Any]:
    """What is said of a series without its points."""
    days = [day for _, day, _ in points]
    return {
        "scope": body.scope,
        "gaps": body.gaps,
        "unit": body.unit,
        "description": body.description,
        "points": len(points),
        "keys": len({key for key, _, _ in points}),
        "first": min(days),
        "last": max(days),
    }
