"""The pure functions and the tables that they fill, put together for the loop."""

from typing import Any

import orjson

from services.campaign import projector
from services.campaign.projector import Audience, Told, View
from services.campaign.projector.segments import NAME
from services.campaign.tables import audience, audience_item
from shared.projection import Projection


def row(view: View) -> tuple[Any, ...]:
    """The ids of the segments, for lists of members, and who is in none for good."""
    return orjson.dumps([member.id for member in view.members]).decode(), view.erased


AUDIENCE: Projection[Audience, Told, View] = Projection(
    name="audience",
    version=3,
    consumes=projector.CONSUMES,
    emits=projector.EMITS,
    policies=frozenset({NAME}),
    state=Audience,
    told=Told,
    view=View,
    item=projector.Item,
    evolve=projector.evolve,
    merge=projector.merge,
    derive=projector.derive,
    announce=projector.announce,
    tell=projector.tell,
    item_keys=projector.item_keys,
    needs_items=projector.needs_items,
    walk=projector.walk,
    table=audience,
    items_table=audience_item,
    columns=("segments", "erased"),
    row=row,
    announced=("derived", "lifecycle", "churn_band", "rfm_class", "matrix"),
    leave=projector.leave,
)
