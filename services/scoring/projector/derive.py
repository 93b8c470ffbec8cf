"""What the facts mean at the clock, and when time alone will change that."""

from datetime import datetime, timedelta

import msgspec

from services.scoring.projector.basis import AnyJudge, Basis, basis_of
from services.scoring.projector.churn import History
from services.scoring.projector.matrix import decided, matrix
from services.scoring.projector.rfm import main_currency, rfm
from services.scoring.projector.satisfaction import satisfaction
from services.scoring.projector.screen import origin, screened
from services.scoring.projector.seen import Seen
from services.scoring.projector.state import State, month_at
from services.scoring.projector.trained import TrainedJudge
from services.scoring.projector.view import Matrix, Risk, ShadowRisk, Totals, View
from shared.moments import local_day, micros, midnight, moment
from shared.projection import Policies

_DAY = timedelta(days=1)


def derive(state: State, clock: datetime | None, policies: Policies) -> View:
    """The view at `clock` (UTC). None, or a clock behind the facts: the last event's time instead.

    Ages are whole local days, by the customer's offset from UTC at their last purchase, so every
    number holds from midnight to midnight, and the row is due at the next one.
    """
    heard, basis = state.heard, basis_of(policies)
    if heard is None or not state.newest:
        return _of_who_never_bought(state, clock, basis)
    assert state.first_day is not None, "there is a purchase"
    assert state.last_day is not None, "there is a purchase"
    last_at, _, utcoffset = state.newest[0]
    now = heard if clock is None else max(micros(clock), heard)
    today = max(local_day(now, utcoffset), state.last_day)
    began, currency = midnight(today, utcoffset), main_currency(state)
    return View(
        model=basis.model,
        policy=basis.policy,
        at=max(moment(heard), began),
        churn=risk(basis.judge, state, today),
        rfm=rfm(state, today - state.last_day, basis.cuts, basis.scoring),
        rules=basis.rules,
        matrix=matrix(state, month_at(today), currency, basis.thresholds(currency)),
        satisfaction=satisfaction(
            state, today, basis.scoring.satisfaction, basis.usual_satisfaction
        ),
        totals=Totals(state.days, state.first_day, state.last_day, moment(last_at), utcoffset),
        shadow=None if basis.shadow is None else _shadow(*basis.shadow, state, today),
        origin=origin(state),
        due_at=began + _DAY,
        erased=state.erased,
    )


def risk(judge: AnyJudge, state: State, today: int) -> Risk:
    """What is kept of the risk of somebody who has bought, on a day (ordinal of the local date)."""
    if isinstance(judge, TrainedJudge):
        return judge.risk(Seen.of(state, today))
    assert state.first_day is not None, "there is a purchase"
    assert state.last_day is not None, "there is a purchase"
    last = state.last_day - state.first_day
    return judge.risk(History(x=state.days - 1, last=last, age=today - state.first_day))


def _shadow(version: int, judge: AnyJudge, state: State, today: int) -> ShadowRisk:
    found = risk(judge, state, today)
    return ShadowRisk(version, found.probability, found.band)


def _of_who_never_bought(state: State, clock: datetime | None, basis: Basis) -> View:
    """What answers, complaints and people say. Days are those of UTC: nothing says where they live."""
    heard = moment(state.heard) if state.heard is not None else None
    known = origin(state)
    prospect, due_at = None, None
    if known is not None:
        prospect, due_at = screened(state, known, clock, basis.screening)
    view = View(
        model=basis.model,
        policy=basis.policy,
        at=heard,
        rules=basis.rules,
        origin=known,
        prospect=prospect,
        due_at=due_at,
        erased=state.erased,
    )
    if heard is None:
        return view
    today = (heard if clock is None else max(clock, heard)).toordinal()
    chosen = decided(state)
    found = satisfaction(state, today, basis.scoring.satisfaction, basis.usual_satisfaction)
    if chosen is None and found is None:
        return view
    return msgspec.structs.replace(
        view,
        at=heard if found is None else max(heard, midnight(today, 0)),
        matrix=Matrix(cell=chosen, overridden=True) if chosen else None,
        satisfaction=found,
        due_at=due_at if found is None else _sooner(due_at, midnight(today + 1, 0)),
    )


def _sooner(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else min(one, other)
