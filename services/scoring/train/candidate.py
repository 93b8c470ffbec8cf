"""A trained model as it is kept: the same facts and the same seed give the same bytes."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
import orjson

from services.scoring.models import bgnbd
from services.scoring.policies import Calibrated, ChurnModel, Usual
from services.scoring.projector.churn import HORIZONS
from services.scoring.train.errors import CannotTrain
from services.scoring.train.facts import Facts
from services.scoring.train.learn import ENOUGH, Mornings, learn
from services.scoring.train.quality import examine, judge
from services.scoring.train.table import Standing

HORIZON = 90
"""Days of the bands; the others are learnt where they can be."""
MOST_CUSTOMERS = 60_000
"""More teach nothing new, and their mornings would fill the memory."""
KNOWN_DAYS = 28
"""Younger customers do not count for what is usual: their rate is mostly chance."""

Tell = Callable[[float, str], None]
"""How far the work has come, 0 to 1, and at what."""


def train(facts: Facts, seed: int, position: Mapping[int, int], tell: Tell) -> bytes:
    """A model of churn with its figures, as JSON. Raises CannotTrain."""
    bought = np.unique(facts.purchases[:, 0])
    if len(bought) < ENOUGH:
        raise CannotTrain("not_enough_customers", customers=len(bought), enough=ENOUGH)
    mornings = Mornings(_some(facts, bought, seed), seed)
    made: dict[int, Any] = {}
    figures: dict[int, Any] = {}
    importance: list[dict[str, Any]] = []
    wanted = (HORIZON, *(days for days in HORIZONS if days != HORIZON))
    for number, horizon in enumerate(wanted):
        tell(0.4 + 0.6 * number / len(wanted), f"{horizon} days")
        try:
            figures[horizon], found = judge(mornings, examine(mornings, horizon))
            made[horizon] = learn(mornings, facts.end, horizon)
        except CannotTrain:
            if horizon == HORIZON:
                raise
            figures.pop(horizon, None)
            continue
        importance = importance or found
    context: Calibrated = made[HORIZON][0]
    calibrated = msgspec.structs.replace(
        context, horizons=[made[days][1] for days in wanted if days in made]
    )
    seen, _ = mornings.at(facts.end)
    body = _model(seen, calibrated, facts)
    candidate = {
        "name": "churn",
        "kind": "calibrated",
        "seed": seed,
        "position": {str(partition): offset for partition, offset in sorted(position.items())},
        "clock": _written(facts),
        "customers": len(bought),
        "learnt_from": mornings.facts.customers,
        "unread": facts.unread,
        "model": msgspec.to_builtins(body),
        "quality": [figures[days] for days in wanted if days in figures],
        "importance": importance,
        "passes": figures[HORIZON]["passes"],
    }
    tell(1.0, "done")
    return orjson.dumps(candidate, option=orjson.OPT_SORT_KEYS)


def _some(facts: Facts, bought: np.typing.NDArray[np.int64], seed: int) -> Facts:
    """Who bought, in an order drawn by the seed; of very many, as many as are enough."""
    if len(bought) > MOST_CUSTOMERS:
        drawn = np.random.default_rng(seed).choice(bought, MOST_CUSTOMERS, replace=False)
        bought = np.sort(drawn)
    return facts.of(bought)


def _model(seen: Standing, calibrated: Calibrated, facts: Facts) -> ChurnModel:
    found = bgnbd.fit(seen.repeats, seen.span, seen.age)
    again, known = seen.repeats > 0, seen.age >= KNOWN_DAYS
    gaps = seen.span[again] / seen.repeats[again]
    rates = seen.repeats[known] / seen.age[known] * 7
    return ChurnModel(
        horizon_days=HORIZON,
        parameters=found.parameters,
        standard_errors=dict(zip(bgnbd.BOX.names, found.standard_errors, strict=True)),
        log_likelihood=found.log_likelihood,
        customers=found.customers,
        converged=found.converged,
        at_bound=list(found.at_bound),
        usual=Usual(
            gap_days=round(float(np.median(gaps)), 2) if gaps.size else float(HORIZON),
            repeats_per_week=round(float(np.median(rates)), 6) if rates.size else 0.0,
        ),
        fitted_at=_written(facts),
        calibrated=calibrated,
    )


def _written(facts: Facts) -> str:
    return facts.clock.isoformat().replace("+00:00", "Z")
