"""Scores: changes of class only, never numbers; and what people decide about a class."""

from msgspec import Struct

from shared.language.door import Personal
from shared.language.event_type import SCORE, SCORING, EventType


class ChurnBandChanged(Struct, frozen=True, gc=False):
    """The customer's churn risk lies in another band (none: nothing left to judge)."""

    band: str | None
    previous: str | None
    model: str


class RfmClassChanged(Struct, frozen=True, gc=False):
    """The customer belongs to another RFM class (none: nothing left to judge)."""

    rfm_class: str | None
    previous: str | None
    policy: str


class MatrixChanged(Struct, frozen=True, gc=False):
    """The customer lies in another cell of value and activity (none: nothing left to judge)."""

    matrix: str | None
    previous: str | None
    policy: str


class MatrixReviewed(Struct, frozen=True, gc=False):
    """Somebody looked at the cell: it is right as it was found, or is another one from now on."""

    month: str
    """Of which review, such as `2026-10`."""
    verdict: str
    """`confirmed` or `overridden`."""
    matrix: str | None
    """The cell that was confirmed, or that holds instead; none: a customer who never bought."""
    by: str
    reason: Personal[str] = ""


EVENTS = (
    EventType(
        name="score.churn_band_changed",
        struct=ChurnBandChanged,
        rank=SCORE,
        emitters=SCORING,
        example={"band": "high", "previous": "medium", "model": "churn@4"},
        description={
            "en": "The customer's churn risk moved to another band.",
            "zh": "客户的流失风险等级发生了变化。",
        },
        announcement=True,
    ),
    EventType(
        name="score.rfm_class_changed",
        struct=RfmClassChanged,
        rank=SCORE,
        emitters=SCORING,
        example={"rfm_class": "at_risk", "previous": "champion", "policy": "scoring@2"},
        description={
            "en": "The customer moved to another RFM class.",
            "zh": "客户的 RFM 类别发生了变化。",
        },
        announcement=True,
    ),
    EventType(
        name="score.matrix_changed",
        struct=MatrixChanged,
        rank=SCORE,
        emitters=SCORING,
        example={"matrix": "core", "previous": "potential", "policy": "scoring@2"},
        description={
            "en": "The customer moved to another cell of the matrix of value and activity.",
            "zh": "客户在价值与活跃度矩阵中的类别发生了变化。",
        },
        announcement=True,
    ),
    EventType(
        name="score.matrix_reviewed",
        struct=MatrixReviewed,
        emitters=SCORING,
        example={
            "month": "2026-10",
            "verdict": "overridden",
            "matrix": "core",
            "by": "chen.li",
            "reason": "A contract for next year is signed",
        },
        description={
            "en": "Somebody confirmed the customer's cell of the matrix, or chose another one.",
            "zh": "员工确认或改定了客户的矩阵类别。",
        },
    ),
)
