"""How answers to surveys change the state: points by month, whatever the scale."""

from services.scoring.projector.state import (
    ANSWER_MONTHS,
    NEWEST,
    Points,
    State,
    month_at,
    newest_months,
    slot,
)
from shared.codec import Event
from shared.language import SurveyAnswered
from shared.language.survey import SCALES
from shared.moments import local_day, micros

FULL = 1000
"""Points of the best answer."""


def points_of(data: SurveyAnswered) -> int | None:
    """0 (worst) to 1000 (best); None where the kind of survey has no scale, or there is no score."""
    scale = SCALES.get(data.kind)
    if scale is None or data.score is None:
        return None
    lowest, highest = scale
    share = (data.score - lowest) / (highest - lowest)
    return round(FULL * min(max(share, 0.0), 1.0))


def answer(state: State, event: Event, points: int) -> State:
    """Take in one answer."""
    at = micros(event.time)
    month = slot(state.answers, month_at(local_day(at, event.utcoffset)), Points)
    month.number += 1
    month.total += points
    newest_months(state.answers, ANSWER_MONTHS)
    entry = (at, event.id, points)
    state.answered = sorted({*state.answered, entry}, reverse=True)[:NEWEST]
    return state
