"""The pure functions and the tables that they fill, put together for the loop."""

from typing import Any

import orjson

from services.profile import projector
from services.profile.names import sort_name, spellings
from services.profile.projector import Profile, Told, View
from services.profile.projector.rules import LIFECYCLE, TAGS
from services.profile.tables import profile, profile_item
from shared.language import EVENT_TYPES
from shared.language.money import decimals
from shared.projection import Projection

COLUMNS = (
    "lifecycle",
    "tags",
    "owner",
    "region",
    "industry",
    "churn_band",
    "rfm_class",
    "orders",
    "currency",
    "spend",
    "last_purchase_at",
    "first_contact_at",
    "sort_name",
    "search",
    "erased",
)

LONGEST_SEARCHED = 8000

SHOWS = frozenset({"score.churn_band_changed", "score.rfm_class_changed", "score.matrix_changed"})
EMITS = frozenset({"lifecycle.changed", "tag.gained", "tag.dropped"})
_OF_THE_STREAM = frozenset({"clock.ticked", "history.closed", "policy.published"})
_UNHEARD = frozenset(
    {
        *("identifiers.linked", "customer.regrouped", "customer.forgotten"),
        *("complaint.assigned", "segment.entered", "segment.left", "score.matrix_reviewed"),
        *("message.sent", "message.uncertain", "message.failed", "message.withheld"),
    }
)
CONSUMES = frozenset(EVENT_TYPES) - SHOWS - EMITS - _OF_THE_STREAM - _UNHEARD


def row(view: View) -> tuple[Any, ...]:
    """Values of `COLUMNS`."""
    return (
        view.lifecycle.state,
        orjson.dumps([tag.tag for tag in view.tags]).decode(),
        _text(view.owner),
        _text(view.attributes.get("region")),
        _text(view.attributes.get("industry")),
        view.churn_band,
        view.rfm_class,
        view.orders,
        view.currency,
        _spend(view),
        view.last_purchase_at,
        view.first_contact_at,
        sort_name(view.name),
        search(view),
        view.erased,
    )


def _text(value: object) -> str | None:
    """A value to filter by; what is no short text (or whole number) cannot be asked for."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value).strip()[:200] or None
    return None


def _spend(view: View) -> float | None:
    if view.currency is None:
        return None
    return float(view.spend[view.currency] / 10 ** decimals(view.currency))


def search(view: View) -> str:
    """What `?q=` looks into: the name and how it is spelt, the number, the identifiers."""
    lines = [*spellings(view.name)] if view.name else []
    if view.number:
        lines.append(view.number.lower())
    lines += [f"{one.type}:{one.value}".lower() for one in view.identifiers]
    return "\n".join(lines)[:LONGEST_SEARCHED]


PROFILE: Projection[Profile, Told, View] = Projection(
    name="profile",
    version=3,
    consumes=CONSUMES,
    policies=frozenset({LIFECYCLE, TAGS}),
    shows=SHOWS,
    emits=EMITS,
    state=Profile,
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
    table=profile,
    items_table=profile_item,
    columns=COLUMNS,
    row=row,
    announced=("churn_band", "rfm_class", "matrix"),
)
