"""The pure functions and the tables that they fill, put together for the loop."""

from typing import Any

import orjson

from services.scoring import policies, projector
from services.scoring.projector import State, Told, View
from services.scoring.projector.view import Origin, Prospect
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
    "matrix",
    "matrix_found",
    "spend_year",
    "spend_from",
    "active_months",
    "active_from",
    "satisfaction",
    "answers",
    "answer_points",
    "shadow_version",
    "shadow_probability",
    "shadow_band",
    "seen_day",
    "source",
    "source_day",
    "contact_kind",
    "contact_channel",
    "contact_day",
    "contacts_1",
    "contacts_7",
    "contacts_14",
    "won_at_once",
    "first_spend",
    "prospect_28",
    "prospect_90",
    "prospect_worth",
    "prospect_class",
    "erased",
)


def came(origin: Origin | None) -> tuple[Any, ...]:
    """How somebody came."""
    if origin is None:
        return (None,) * 11
    first = None if origin.spend is None else orjson.dumps(origin.spend).decode()
    return (
        origin.seen_day,
        origin.source,
        origin.source_day,
        origin.kind,
        origin.channel,
        origin.contact_day,
        *origin.contacts,
        origin.at_once,
        first,
    )


def screened(prospect: Prospect | None) -> tuple[Any, ...]:
    """What is kept of a prospect."""
    if prospect is None:
        return (None,) * 4
    worth = None if prospect.expected is None else round(prospect.expected)
    return (*prospect.probabilities, worth, prospect.prospect_class)


def row(view: View) -> tuple[Any, ...]:
    """Values of `COLUMNS`; None for who never bought, but for what people say and decide."""
    cell, mood, shadow = view.matrix, view.satisfaction, view.shadow
    said = (
        cell.cell if cell else None,
        cell.found if cell else None,
        cell.spend_year if cell else None,
        cell.spend_from if cell else None,
        cell.active_months if cell else None,
        cell.active_from if cell else None,
        mood.score if mood else None,
        mood.answers if mood else None,
        mood.points if mood else None,
        shadow.version if shadow else None,
        shadow.probability if shadow else None,
        shadow.band if shadow else None,
        *came(view.origin),
        *screened(view.prospect),
        view.erased,
    )
    if view.churn is None or view.rfm is None or view.totals is None:
        return (None,) * (len(COLUMNS) - len(said)) + said
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
        *said,
    )


SCORES: Projection[State, Told, View] = Projection(
    name="score",
    version=5,
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
