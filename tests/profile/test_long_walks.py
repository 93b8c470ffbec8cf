"""Long walks: many purchase days, cancellations, complaints and low scores, folded in any chunks."""

from datetime import timedelta

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.profile.projector import derive, merge, path
from services.profile.projector.rules import BUILT_IN_LIFECYCLE
from shared.codec import Event
from shared.language import (
    ComplaintAnswered,
    ComplaintOpened,
    ComplaintReopened,
    ComplaintResolved,
    PurchaseCancelled,
    Settled,
    SurveyAnswered,
    contribution,
)
from shared.moments import micros, moment
from tests.profile.folding import Rows, day, fold, settled
from tests.strategies import bought, event_id, make_event

LONG = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])

whens = st.integers(0, 60 * 24).map(lambda hours: day(hours / 24)) | st.integers(0, 400).map(day)
offsets = st.sampled_from((480, 480, 0, -720, 840))


@st.composite
def lives(draw: st.DrawFn) -> list[Event]:
    events: list[Event] = []

    def put(data, time, utcoffset=480):
        number = len(events) + 1
        events.append(make_event(data, time=time, number=number, utcoffset=utcoffset))

    for order in range(draw(st.integers(0, 14))):
        time, utcoffset = draw(whens), draw(offsets)
        data = bought(1000, order_id=f"A{order}")
        counts = contribution(event_id(len(events) + 1), time, utcoffset, data)
        put(msgspec.structs.replace(data, settled=Settled(None, counts)), time, utcoffset)
        if draw(st.integers(0, 6)) == 0:
            gone = PurchaseCancelled(f"A{order}", settled=Settled(counts, None))
            put(gone, time + timedelta(days=1))
    for case in range(draw(st.integers(0, 3))):
        put(ComplaintOpened(f"K{case}", "quality"), draw(whens))
        steps = st.sampled_from((ComplaintResolved, ComplaintReopened, ComplaintAnswered))
        for kind in draw(st.lists(steps, max_size=4)):
            put(kind(f"K{case}"), draw(whens))
    for score in draw(st.lists(st.integers(0, 10), max_size=3)):
        put(SurveyAnswered("s", "nps", float(score)), draw(whens))
    return events


@given(lives(), st.data(), st.integers(-5, 700))
@LONG
def test_any_order_any_chunks_any_halves(events, data, at):
    shuffled = data.draw(st.permutations(events))
    sizes = data.draw(st.lists(st.integers(1, 6), max_size=len(events)))
    rows, rest = Rows(), list(shuffled)
    for size in [*sizes, len(rest)]:
        chunk, rest = rest[:size], rest[size:]
        if chunk:
            rows.batch(chunk)
    state = fold(events)
    assert rows.whole() == state
    half = len(shuffled) // 2
    assert settled(merge(fold(shuffled[:half]), fold(shuffled[half:]))) == state
    clock = day(at)
    view = derive(state, clock, {})
    steps = path(state.items, state.contacts.first, micros(clock), BUILT_IN_LIFECYCLE)
    if steps:
        assert (steps[-1].state, moment(steps[-1].since)) == (
            view.lifecycle.state,
            view.lifecycle.since,
        )
    if view.due_at is not None:
        assert view.due_at > clock
        assert derive(state, view.due_at - timedelta(minutes=1), {}) == view
        assert derive(state, view.due_at, {}) != view
