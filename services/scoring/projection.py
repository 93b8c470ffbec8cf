"""The pure functions and the tables that they fill, put together for the loop."""

from typing import Any

from services.scoring import policies, projector
from services.scoring.projector import State, Told, View
from services.scoring.tables import score, score_item
from shared.projection import Projection

COLUMNS = (
    "churn_probability",
    "churn_band",
    "rfm_class",
    "purchase_days",
    "first_day",
    "last_day",
    "last_purchase_at",
    "utcoffset",
    "orders",
    "currency",
    "monetary",
)


def row(view: View) -> tuple[Any, ...]:
    """Values of `COLUMNS`; all None for who never bought."""
    if view.churn is None or view.rfm is None or view.totals is None:
        return (None,) * len(COLUMNS)
    churn, rfm, totals = view.churn, view.rfm, view.totals
    return (
        churn.probability,
        churn.band,
        rfm.rfm_class,
        totals.days,
        totals.first_day,
        totals.last_day,
        totals.last_at,
        totals.utcoffset,
        rfm.frequency,
        rfm.currency,
        rfm.monetary,
    )


SCORES: Projection[State, Told, View] = Projection(
    name="score",
    version=1,
    consumes=projector.CONSUMES,
    shows=projector.SHOWS,
    emits=projector.EMITS,
    policies=frozenset(policies.NAMES),
    state=State,
    told=Told,
    view=View,
    item=projector.Item,
    evolve=projector.evolve,
    merge=projector.merge,
    derive=projector.derive,
    announce=projector.announce,
    tell=projector.tell,
    item_keys=projector.item_keys,
    needs_items=lambda state, _policies: projector.is_stale(state),
    walk=lambda state, _policies: projector.settle(state),
    table=score,
    items_table=score_item,
    columns=COLUMNS,
    row=row,
)
