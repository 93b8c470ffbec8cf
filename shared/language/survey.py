"""Answers to satisfaction surveys.

Scores: `nps` 0 to 10 (Reichheld 2003), `csat` 1 to 5, `ces` 1 to 7 (Dixon et al. 2010, second
version); a `form` needs no score and may carry any. Publishers with other scales convert before
they send.
"""

from typing import Annotated, Any, Literal, Required

from msgspec import Struct
from pydantic import AfterValidator, Field

from shared.language.door import Fact, Id, Personal, Text, fault, refuse
from shared.language.event_type import INTERACTION, EventType

SCALES: dict[str, tuple[int, int]] = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7)}
"""Lowest and highest score of each kind of survey."""


class SurveyAnswered(Struct, frozen=True, gc=False):
    """A customer answered a survey."""

    survey_id: str
    kind: str
    score: float | None = None
    order_id: str | None = None


class _Answered(Fact, total=False):
    survey_id: Required[Id]
    kind: Required[Literal["csat", "nps", "ces", "form"]]
    score: Annotated[float, Field(ge=-1e9, le=1e9)] | None
    """Required unless the kind is `form`; csat 1 to 5, nps 0 to 10, ces 1 to 7."""
    comment: Personal[Text] | None
    answers: Personal[Any]
    order_id: Id | None


def _on_scale(answer: _Answered) -> _Answered:
    scale = SCALES.get(answer["kind"])
    if scale is None:
        return answer
    score = answer.get("score")
    if score is None:
        raise refuse(fault("missing", "score"))
    lowest, highest = scale
    if score < lowest:
        raise refuse(fault("too_small", "score", limit=lowest))
    if score > highest:
        raise refuse(fault("too_big", "score", limit=highest))
    return answer


SurveyDoor = Annotated[_Answered, AfterValidator(_on_scale)]

EVENTS = (
    EventType(
        name="survey.answered",
        struct=SurveyAnswered,
        door=SurveyDoor,
        emitters=INTERACTION,
        example={
            "survey_id": "after-delivery",
            "kind": "nps",
            "score": 9,
            "comment": "Quick and friendly.",
            "order_id": "A-1001",
        },
        description={
            "en": "A customer answered a satisfaction survey or questionnaire.",
            "zh": "客户回答了满意度调查或问卷。",
        },
    ),
)
