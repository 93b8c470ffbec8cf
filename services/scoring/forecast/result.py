"""A forecast as a value: finished numbers that serialise to the same bytes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Level = Literal["category", "department", "total"]
Method = Literal["model", "mean", "sum"]

DECIMALS = 3
"""Of every number of units: what is printed adds up exactly."""


class Row(NamedTuple):
    """One line of a forecast: `h` = 1 is the week that begins at the origin. Units."""

    key: str
    origin: date
    h: int
    yhat: float
    lo80: float
    hi80: float
    lo95: float
    hi95: float


@dataclass(frozen=True, slots=True)
class Note:
    """Something that must be said about a forecast; `words.sentence` has the words."""

    code: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """The weeks ahead of one category, department, or of everything; tuples by week."""

    key: str
    level: Level
    method: Method
    """`model`, the plain `mean` of the last weeks, or the `sum` of the lines beneath."""
    usual: float
    """Mean of the last 4 weeks: what a sceptic would say."""
    yhat: tuple[float, ...]
    lo80: tuple[float, ...]
    hi80: tuple[float, ...]
    lo95: tuple[float, ...]
    hi95: tuple[float, ...]
    factors: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Why: what each cause multiplies the model's forecast with (1.2 = a fifth more)."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How forecasts made this way at earlier weeks turned out, beside the 4-week mean's.

    Absolute errors as multiples of the mean change from week to week (MASE). nan-free: None where
    the history is too short to tell.
    """

    windows: int
    mase: float | None = None
    mase_mean: float | None = None
    covered_80: float | None = None
    covered_95: float | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """Made of weeks before `origin` alone."""

    origin: date
    first: date
    """First day of the week h = 1."""
    horizon: int
    seed: int
    trained_weeks: int
    weight: float
    """Share of the model in each category's forecast; the rest is the 4-week mean, moved by last
    year's season where there is one."""
    lines: tuple[Line, ...]
    quality: Quality
    importance: Mapping[str, float]
    """Share of what the model learnt, by cause."""
    notes: tuple[Note, ...] = ()

    def rows(self, *levels: Level) -> Iterator[Row]:
        """All rows of these levels (without any: of the categories), by key and week."""
        for line in self.lines:
            if line.level in (levels or ("category",)):
                bands = zip(line.yhat, line.lo80, line.hi80, line.lo95, line.hi95, strict=True)
                for h, band in enumerate(bands, start=1):
                    yield Row(line.key, self.origin, h, *band)

    def week(self, h: int) -> date:
        """First day of the week `h` ahead."""
        return self.first + timedelta(days=7 * (h - 1))

    def to_json(self) -> bytes:
        """The same forecast is the same bytes."""
        return orjson.dumps(self, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def from_json(cls, body: bytes) -> "Forecast":
        """What `to_json` wrote."""
        found: dict[str, Any] = orjson.loads(body)
        lines = tuple(
            Line(**{name: _tuples(value) for name, value in line.items()})
            for line in found.pop("lines")
        )
        notes = tuple(Note(**note) for note in found.pop("notes"))
        quality = Quality(**found.pop("quality"))
        return cls(
            **found
            | {name: date.fromisoformat(found[name]) for name in ("origin", "first")}
            | {"lines": lines, "notes": notes, "quality": quality}
        )


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return {name: tuple(items) for name, items in value.items()}
    return value
