"""Histories with what other services announce, and rules to ask about them."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from services.campaign.projector import Audience, evolve, needs_items, walk
from services.campaign.projector.evolve import COUNTED
from shared.codec import Event
from shared.language import (
    ChurnBandChanged,
    LifecycleChanged,
    MatrixChanged,
    RfmClassChanged,
    TagAdded,
    TagDropped,
    TagGained,
    TagRemoved,
)
from shared.projection import Policy
from tests.strategies import START, histories, make_event, times

ZONE = "Asia/Shanghai"
TAGS = ("behaviour:night-owl", "favourite:Tea", "vip")


def fold(events: Iterable[Event]) -> Audience:
    """What the loop holds of these events, with all child rows at hand, once it has walked them if it must."""
    state = Audience()
    for event in events:
        state = evolve(state, event)
    return settled(state)


def settled(state: Audience) -> Audience:
    """The state once the loop has gone over all child rows, if it needs that."""
    return walk(state, {}) if needs_items(state, {}) else state


def segments(*rules: Any, version: int = 1, at: str | None = None) -> dict[str, Policy]:
    """The policy that publishes these rules; their ids are s0, s1, ..."""
    made = [
        {"id": f"s{n}", "name": f"Segment {n}", "version": 1, "rule": rule}
        for n, rule in enumerate(rules)
    ]
    body: dict[str, Any] = {"timezone": ZONE, "segments": made}
    if at is not None:
        body["at"] = at
    return {"segments": Policy("segments", version, body)}


_told = st.one_of(
    st.builds(TagGained, tag=st.sampled_from(TAGS), reason=st.just({}), policy=st.just("tags@1")),
    st.builds(TagDropped, tag=st.sampled_from(TAGS), policy=st.just("tags@1")),
    st.builds(TagAdded, tag=st.sampled_from(TAGS), by=st.just("li.na")),
    st.builds(TagRemoved, tag=st.sampled_from(TAGS), by=st.just("li.na")),
    st.builds(
        LifecycleChanged,
        state=st.sampled_from(("new", "mature", "silent")),
        previous=st.none(),
        since=times,
        reason=st.just({}),
        evidence=st.just([]),
        policy=st.just("lifecycle@1"),
    ),
    st.builds(
        ChurnBandChanged,
        band=st.sampled_from((None, "low", "high")),
        previous=st.none(),
        model=st.just("churn@1"),
    ),
    st.builds(
        RfmClassChanged,
        rfm_class=st.sampled_from((None, "champion")),
        previous=st.none(),
        policy=st.just("rfm@1"),
    ),
    st.builds(
        MatrixChanged,
        matrix=st.sampled_from((None, "core", "watch")),
        previous=st.none(),
        policy=st.just("scoring@1"),
    ),
)


@st.composite
def whole_histories(draw: st.DrawFn) -> list[Event]:
    """What publishers sent, and what profile and scoring said of it."""
    events = draw(histories(most_orders=4))
    for data in draw(st.lists(_told, max_size=6)):
        number = len(events) + 1
        events.append(
            make_event(data, time=draw(times), number=number, utcoffset=0, origin="profile")
        )
    return events


_numbers = st.integers(0, 4)
_compare = st.sampled_from(("=", "!=", "<", "<=", ">", ">="))
_amounts = st.sampled_from(("0", "1", "500", "500.00", "999.995"))
_dates = st.sampled_from([(START + timedelta(days=n)).date().isoformat() for n in (0, 20, 300)])
_moments = st.sampled_from([(START + timedelta(days=n)).isoformat() for n in (0, 20, 300)])


def _leaf(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


_days = st.sampled_from((1, 2, 7, 30, 366))
leaves = st.one_of(
    st.builds(_leaf, st.sampled_from(("purchases.count", "complaints.open")), _compare, _numbers),
    st.builds(
        _leaf, st.sampled_from(("purchases.spend", "purchases.average_basket")), _compare, _amounts
    ),
    st.builds(
        lambda leaf, code: {**leaf, "currency": code},
        st.builds(_leaf, st.just("purchases.spend"), _compare, _amounts),
        st.sampled_from(("CNY", "JPY")),
    ),
    st.builds(
        _leaf,
        st.just("tags"),
        st.sampled_from(("=", "!=", "contains", "not_contains", "starts_with")),
        st.sampled_from((*TAGS, "favourite:")),
    ),
    st.builds(
        _leaf,
        st.just("lifecycle.state"),
        st.sampled_from(("in", "not_in")),
        st.just(["new", "silent"]),
    ),
    st.builds(_leaf, st.just("scores.churn_band"), st.sampled_from(("=", "!=")), st.just("high")),
    st.builds(
        _leaf,
        st.just("attributes.region"),
        st.sampled_from(("=", "!=", "contains", "starts_with", "<")),
        st.sampled_from(("a", "上海")),
    ),
    st.builds(
        _leaf,
        st.sampled_from(("identifiers.phone", "attributes.name")),
        st.just("exists"),
        st.booleans(),
    ),
    st.builds(
        _leaf,
        st.sampled_from(("last_purchase_at", "first_contact_at", "last_interaction_at")),
        st.just("within_days"),
        _days,
    ),
    st.builds(
        _leaf,
        st.sampled_from(("last_purchase_at", "first_purchase_at")),
        st.sampled_from(("before", "after")),
        _dates | _moments,
    ),
    st.builds(
        lambda type_, days, op, value: {
            "count": {"type": type_, "within_days": days},
            "op": op,
            "value": value,
        },
        st.sampled_from(("purchase.completed", "interaction.recorded", *COUNTED[:3])),
        _days,
        _compare,
        _numbers,
    ),
)
rules = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=6,
)
