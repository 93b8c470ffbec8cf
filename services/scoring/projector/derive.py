"""What the facts mean at the clock, and when time alone will change that."""

from datetime import UTC, date, datetime, timedelta

import msgspec

from services.scoring import policies as rules
from services.scoring.projector.churn import History, Judge
from services.scoring.projector.matrix import matrix
from services.scoring.projector.purchases import local_day
from services.scoring.projector.rfm import rfm
from services.scoring.projector.satisfaction import satisfaction
from services.scoring.projector.state import State, month_of
from services.scoring.projector.view import Totals, View
from shared.moments import moment
from shared.projection import Policies


def derive(state: State, clock: datetime | None, policies: Policies) -> View:
    """The view at `clock` (UTC). None, or a clock behind the facts: the last event's time instead.

    Ages are whole local days, by the customer's offset from UTC at their last purchase, so every
    number holds from midnight to midnight, and the row is due at the next one.
    """
    heard = moment(state.heard) if state.heard is not None else None
    model, policy = rules.label(policies, rules.CHURN), rules.label(policies, rules.RFM)
    if heard is None or not state.newest:
        return _of_who_never_bought(state, clock, policies)
    assert state.first_day is not None, "there is a purchase"
    assert state.last_day is not None, "there is a purchase"
    last_at, utcoffset = moment(state.newest[0][0]), state.newest[0][2]
    now = heard if clock is None else max(clock, heard)
    today = max(local_day(now, utcoffset), state.last_day)
    scoring = rules.scoring(policies)
    history = History(
        x=state.days - 1, last=state.last_day - state.first_day, age=today - state.first_day
    )
    return View(
        model=model,
        policy=policy,
        at=max(heard, _midnight(today, utcoffset)),
        churn=Judge(rules.churn_model(policies), scoring).risk(history),
        rfm=rfm(state, today - state.last_day, rules.rfm_cuts(policies), scoring),
        rules=rules.label(policies, rules.SCORING),
        matrix=matrix(
            state, month_of(date.fromordinal(today)), scoring, rules.population(policies)
        ),
        satisfaction=satisfaction(
            state, today, scoring.satisfaction, rules.usual_satisfaction(policies)
        ),
        totals=Totals(state.days, state.first_day, state.last_day, last_at, utcoffset),
        due_at=_midnight(today + 1, utcoffset),
    )


def _of_who_never_bought(state: State, clock: datetime | None, policies: Policies) -> View:
    """What answers, complaints and people say. Days are those of UTC: nothing says where they live."""
    heard = moment(state.heard) if state.heard is not None else None
    model, policy = rules.label(policies, rules.CHURN), rules.label(policies, rules.RFM)
    view = View(model=model, policy=policy, at=heard, rules=rules.label(policies, rules.SCORING))
    if heard is None:
        return view
    scoring = rules.scoring(policies)
    today = (heard if clock is None else max(clock, heard)).toordinal()
    cell = matrix(state, month_of(date.fromordinal(today)), scoring, None)
    found = satisfaction(state, today, scoring.satisfaction, rules.usual_satisfaction(policies))
    return msgspec.structs.replace(
        view,
        at=heard if found is None else max(heard, _midnight(today, 0)),
        matrix=cell if cell.cell else None,
        satisfaction=found,
        due_at=None if found is None else _midnight(today + 1, 0),
    )


def _midnight(day: int, utcoffset: int) -> datetime:
    """The first moment of a local day, in UTC; a whole minute, since offsets are."""
    return datetime.fromordinal(day).replace(tzinfo=UTC) - timedelta(minutes=utcoffset)
