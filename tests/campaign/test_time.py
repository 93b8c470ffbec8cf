"""What time alone changes, and when."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings

from services.campaign.projector import derive
from shared.language import TagAdded
from tests.campaign.folding import fold, rules, segments, whole_histories
from tests.strategies import bought, clocks, make_event

NOON = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)
"""In Shanghai."""
BOUGHT = {"count": {"type": "purchase.completed", "within_days": 7}, "op": ">", "value": 0}


def ids(view) -> list[str]:
    return [member.id for member in view.members]


def test_a_window_is_today_and_the_days_before_by_the_customers_own_midnight():
    for utcoffset in (480, -300, 345):
        state = fold([make_event(bought(), time=NOON, utcoffset=utcoffset)])
        local = NOON + timedelta(minutes=utcoffset)
        midnight = local.replace(hour=0, minute=0) - timedelta(minutes=utcoffset)
        ends = midnight + timedelta(days=7)
        policies = segments(BOUGHT)
        view = derive(state, NOON, policies)
        assert (ids(view), view.due_at) == (["s0"], ends)
        assert ids(derive(state, ends - timedelta(minutes=1), policies)) == ["s0"]
        assert ids(derive(state, ends, policies)) == []


def test_who_says_no_offset_lives_in_the_installations_zone():
    """Tags by hand say nothing of where the customer is."""
    tagged = fold([make_event(TagAdded("vip", by="li.na"), time=NOON, utcoffset=0)])
    assert derive(tagged, NOON, segments(BOUGHT)).at == datetime(2026, 1, 4, 16, tzinfo=UTC)


def test_a_rule_without_time_is_never_due():
    policies = segments({"field": "purchases.count", "op": ">", "value": 0})
    assert derive(fold([make_event(bought(), time=NOON)]), NOON, policies).due_at is None


def test_a_segment_that_came_after_the_facts_is_the_rules_doing():
    state = fold([make_event(bought(), time=NOON)])
    later = NOON + timedelta(hours=1)
    view = derive(state, NOON, segments(BOUGHT, at=later.isoformat()))
    assert (view.by_rule, view.at) == (True, later)
    view = derive(state, NOON, segments(BOUGHT, at=(NOON - timedelta(hours=1)).isoformat()))
    assert (view.by_rule, view.at) == (False, NOON)


@given(whole_histories(), rules, clocks.filter(bool))
@settings(max_examples=80)
def test_until_it_is_due_nothing_changes(events, rule, clock):
    """Asked again at any midnight before, and one minute before it is due, the answer is the same."""
    policies = segments(rule)
    state = fold(events)
    view = derive(state, clock, policies)
    end = view.due_at or clock + timedelta(days=800)
    assert end > clock
    assert end.second == end.microsecond == 0
    moments = [clock + timedelta(days=n, hours=5) for n in (1, 2, 8, 40, 400)]
    for at in [*moments, end - timedelta(minutes=1)]:
        if clock <= at < end:
            assert ids(derive(state, at, policies)) == ids(view)
