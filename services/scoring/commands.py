"""What scoring accepts: thresholds to judge by, and what people say about a cell of the matrix."""

from typing import Annotated, Any, Literal, Self

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from services.scoring.policies import (
    CLASSES,
    DEFAULT_SCORING,
    STEP_PERCENT,
    YEAR_MONTHS,
    Cell,
    Scoring,
)
from shared.http.shapes import Schema, named
from shared.http.texts import OneOf, Words
from shared.http.validation import validated
from shared.language.currencies import DECIMALS

MOST_CATEGORIES = 500
_SIZE = 5


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _known_currencies(values: dict[str, str]) -> dict[str, str]:
    if any(code not in DECIMALS for code in values):
        raise PydanticCustomError("unknown_currency", "no such currency")
    return values


Probability = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(ge=-1, le=1)]
TopPercent = Annotated[int, Field(ge=STEP_PERCENT, le=100 - STEP_PERCENT, multiple_of=STEP_PERCENT)]
Amount = Annotated[str, Field(pattern=r"^[0-9]{1,13}(\.[0-9]{1,2})?$")]
Amounts = Annotated[dict[str, Amount], AfterValidator(_known_currencies)]
ClassRow = Annotated[
    list[Annotated[str, OneOf(CLASSES)]], Field(min_length=_SIZE, max_length=_SIZE)
]
_RULES = DEFAULT_SCORING.matrix


class MatrixThresholds(_Body):
    """What counts as high value, and as active."""

    by: Literal["quantile", "absolute"] = _RULES.by
    value_from: Amount = _RULES.value_from
    value_from_by_currency: Amounts = {}
    active_from: Annotated[int, Field(ge=1, le=YEAR_MONTHS)] = _RULES.active_from
    value_top_percent: TopPercent = _RULES.value_top_percent
    activity_top_percent: TopPercent = _RULES.activity_top_percent


class MarginShares(_Body):
    """What is left of a sale."""

    default: Share = DEFAULT_SCORING.margins.default
    categories: Annotated[
        dict[Annotated[str, Words(200, 1)], Share], Field(max_length=MOST_CATEGORIES)
    ] = {}


class SatisfactionWeights(_Body):
    """How much an answer weighs against what is usual, and for how long."""

    prior: Annotated[float, Field(ge=0, le=100)] | None = None
    strength: Annotated[float, Field(ge=0.1, le=1000)] = DEFAULT_SCORING.satisfaction.strength
    half_life_days: Annotated[int, Field(ge=7, le=3650)] = (
        DEFAULT_SCORING.satisfaction.half_life_days
    )


class ValueHorizon(_Body):
    """How far the future counts."""

    years: Annotated[int, Field(ge=1, le=10)] = DEFAULT_SCORING.value.years
    discount_rate: Annotated[float, Field(ge=0, le=1)] = DEFAULT_SCORING.value.discount_rate


class ScoringThresholds(_Body):
    """The policy `scoring`; what is left out is as built in."""

    medium_from: Probability = DEFAULT_SCORING.medium_from
    high_from: Probability = DEFAULT_SCORING.high_from
    classes: Annotated[list[ClassRow], Field(min_length=_SIZE, max_length=_SIZE)] = (
        DEFAULT_SCORING.classes
    )
    matrix: MatrixThresholds = MatrixThresholds()
    margins: MarginShares = MarginShares()
    satisfaction: SatisfactionWeights = SatisfactionWeights()
    value: ValueHorizon = ValueHorizon()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.medium_from > self.high_from:
            context = {"limit": self.medium_from}
            raise PydanticCustomError("too_small", "high_from below medium_from", context)
        return self


class Confirm(_Body):
    """The cell is right as the policy finds it; an override is taken back."""

    reason: Annotated[str, Words(2000)] = ""


class Override(_Body):
    """Another cell holds, until somebody confirms or decides again."""

    matrix: Cell
    reason: Annotated[str, Words(2000, 1)]


MOST_VERSIONS = 2**31 - 1
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
VersionNumber = Annotated[int, Field(ge=0, le=MOST_VERSIONS)]


class Train(_Body):
    """A new version is to be trained on the log as it is now."""

    seed: Seed = 0


class InSpite(_Body):
    """Why a version is to hold in spite of its figures."""

    reason: Annotated[str, Words(2000, 1)]


class Promote(_Body):
    """A version is to be in force."""

    version: VersionNumber
    override: InSpite | None = None


class LookAt(_Body):
    """A version is to score beside the one in force."""

    version: VersionNumber


_THRESHOLDS = TypeAdapter(ScoringThresholds)


def judged(sent: dict[str, Any]) -> Scoring:
    """The thresholds that somebody sends; also takes what GET answers.

    Raises Unprocessable, a pointer to each wrong one.
    """
    wrapped = isinstance(sent.get("body"), dict)
    values = sent["body"] if wrapped else sent
    thresholds = validated(_THRESHOLDS, values, prefix="/body" if wrapped else "")
    return msgspec.convert(thresholds.model_dump(), Scoring)


def shape() -> Schema:
    """JSON Schema of the policy: the thresholds, or what GET answers."""
    thresholds = named("ScoringThresholds", _THRESHOLDS.json_schema())
    answered = {"type": "object", "required": ["body"], "properties": {"body": thresholds}}
    return {"anyOf": [thresholds, answered]}
