"""How a customer stood at an earlier moment, judged by policies that were made later.

Of all that is fitted, cut points of recency alone are moments: held against an earlier day they would call
everybody of that day long gone. They count as ages there: a quintile ends as long before that day as it
ends before the day of the fit.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from services.scoring import policies as rules
from services.scoring.projection import SCORES
from services.scoring.projector import State, Told, View
from shared.moments import micros
from shared.projection import Policies, Policy, Projection


def as_of(policies: Policies, clock: datetime | None) -> Policies:
    """Policies for a customer as they stood at a clock (UTC)."""
    cuts = rules.rfm_cuts(policies)
    if cuts is None or clock is None:
        return policies
    earlier = micros(datetime.fromisoformat(cuts.fitted_at)) - micros(clock)
    if earlier <= 0:
        return policies
    recency = [None if cut is None else cut - earlier for cut in cuts.recency]
    body: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(cuts, recency=recency))
    known = policies[rules.RFM]
    return {**policies, rules.RFM: Policy(known.name, known.version, body)}


def _derive(state: State, clock: datetime | None, policies: Policies) -> View:
    return SCORES.derive(state, clock, as_of(policies, clock))


THEN: Projection[State, Told, View] = replace(SCORES, derive=_derive)
"""The same projection, for reads of the past."""
