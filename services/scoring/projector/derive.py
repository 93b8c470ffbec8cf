"""What the facts mean at the clock, and when time alone will change that."""

from datetime import date, datetime

import msgspec

from services.scoring import policies as rules
from services.scoring.policies import ChurnModel, Scoring
from services.scoring.projector.churn import History, Judge
from services.scoring.projector.matrix import matrix
from services.scoring.projector.purchases import local_day
from services.scoring.projector.rfm import rfm
from services.scoring.projector.satisfaction import satisfaction
from services.scoring.projector.screen import origin, screened
from services.scoring.projector.seen import Seen
from services.scoring.projector.state import State, month_of
from services.scoring.projector.trained import TrainedJudge
from services.scoring.projector.view import Risk, ShadowRisk, Totals, View
from shared.moments import midnight, moment
from shared.projection import Policies


def derive(state: State, clock: datetime | None, policies: Policies) -> View:
    """The view at `clock` (UTC). None, or a clock behind the facts: the last event's time instead.

    Ages are whole local days, by the customer's offset from UTC at their last purchase, so every
    number holds from midnight to midnight, and the row is due at the next one.
    """
    heard = moment(state.heard) if state.heard is not None else None
    model, policy = rules.churn_label(policies), rules.label(policies, rules.RFM)
    if heard is None or not state.newest:
        return _of_who_never_bought(state, clock, policies)
    assert state.first_day is not None, "there is a purchase"
    assert state.last_day is not None, "there is a purchase"
    last_at, utcoffset = moment(state.newest[0][0]), state.newest[0][2]
    now = heard if clock is None else max(clock, heard)
    today = max(local_day(now, utcoffset), state.last_day)
    scoring = rules.scoring(policies)
    return View(
        model=model,
        policy=policy,
        at=max(heard, midnight(today, utcoffset)),
        churn=risk(rules.churn_model(policies), scoring, state, today),
        rfm=rfm(state, today - state.last_day, rules.rfm_cuts(policies), scoring),
        rules=rules.label(policies, rules.SCORING),
        matrix=matrix(
            state, month_of(date.fromordinal(today)), scoring, rules.population(policies)
        ),
        satisfaction=satisfaction(
            state, today, scoring.satisfaction, rules.usual_satisfaction(policies)
        ),
        totals=Totals(state.days, state.first_day, state.last_day, last_at, utcoffset),
        shadow=_shadow(rules.shadow_model(policies), scoring, state, today),
        origin=origin(state),
        due_at=midnight(today + 1, utcoffset),
    )


def risk(model: ChurnModel, scoring: Scoring, state: State, today: int) -> Risk:
    """What is kept of the risk of somebody who has bought, on a day (ordinal of the local date)."""
    if model.calibrated is not None:
        return TrainedJudge(model.calibrated, scoring).risk(Seen.of(state, today))
    assert state.first_day is not None, "there is a purchase"
    assert state.last_day is not None, "there is a purchase"
    last = state.last_day - state.first_day
    history = History(x=state.days - 1, last=last, age=today - state.first_day)
    return Judge(model, scoring).risk(history)


def _shadow(
    model: ChurnModel | None, scoring: Scoring, state: State, today: int
) -> ShadowRisk | None:
    if model is None:
        return None
    found = risk(model, scoring, state, today)
    return ShadowRisk(model.version or 0, found.probability, found.band)


def _of_who_never_bought(state: State, clock: datetime | None, policies: Policies) -> View:
    """What answers, complaints and people say. Days are those of UTC: nothing says where they live."""
    heard = moment(state.heard) if state.heard is not None else None
    model, policy = rules.churn_label(policies), rules.label(policies, rules.RFM)
    known = origin(state)
    prospect, due_at = None, None
    if known is not None:
        prospect, due_at = screened(state, known, clock, rules.screening(policies))
    view = View(
        model=model,
        policy=policy,
        at=heard,
        rules=rules.label(policies, rules.SCORING),
        origin=known,
        prospect=prospect,
        due_at=due_at,
    )
    if heard is None:
        return view
    scoring = rules.scoring(policies)
    today = (heard if clock is None else max(clock, heard)).toordinal()
    cell = matrix(state, month_of(date.fromordinal(today)), scoring, None)
    found = satisfaction(state, today, scoring.satisfaction, rules.usual_satisfaction(policies))
    return msgspec.structs.replace(
        view,
        at=heard if found is None else max(heard, midnight(today, 0)),
        matrix=cell if cell.cell else None,
        satisfaction=found,
        due_at=due_at if found is None else _sooner(due_at, midnight(today + 1, 0)),
    )


def _sooner(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else min(one, other)
