"""Scores: changes of class only, never numbers."""

from msgspec import Struct

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
)
