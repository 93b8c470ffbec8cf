"""Cases: whatever order the steps come in, the case is the same; and what may be done next."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.interaction.cases import MOST_STEPS, TRANSITIONS, Case, Step, case_of

START = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
WHATS = ("opened", "assigned", "answered", "escalated", "resolved", "reopened")


def step(number: int, what: str, minutes: int, **more: str) -> Step:
    at = START + timedelta(minutes=minutes)
    return Step(at, f"e{number:03d}", what, "K-1", "shop", **more)


def case(*steps: Step) -> Case:
    made = Case()
    for one in steps:
        made = made.with_step(one)
    return made


steps = st.lists(st.tuples(st.sampled_from(WHATS), st.integers(0, 20)), min_size=1, max_size=12)


@given(steps, st.randoms())
def test_any_order_comes_to_the_same_case(said, random):
    made = [step(n, what, minutes) for n, (what, minutes) in enumerate(said)]
    again = made + made[:3]
    random.shuffle(again)
    assert case(*again) == case(*made)


def test_the_latest_step_decides_and_giving_it_to_somebody_does_not():
    opened, solved = step(1, "opened", 0), step(2, "resolved", 5)
    assert case(opened).status == "open"
    assert case(opened, solved).status == "resolved"
    assert case(solved, opened).status == "resolved"
    given_to = step(3, "assigned", 9, to="liu")
    assert (case(opened, solved, given_to).status, case(given_to).assigned_to) == (
        "resolved",
        "liu",
    )
    assert case(opened, solved, step(4, "reopened", 7)).status == "reopened"


def test_a_step_before_its_opening_is_kept():
    late = case(step(2, "answered", 5), step(1, "opened", 9, category="quality"))
    assert late.status == "open", "opened after the answer, by the publisher's own times"
    assert late.opening is not None
    assert late.opening.category == "quality"
    assert case(step(2, "answered", 5)).opening is None


def test_a_case_is_bounded_and_keeps_both_ends():
    whole = case(*(step(n, "answered", n) for n in range(MOST_STEPS + 50)))
    assert len(whole.steps) == MOST_STEPS
    assert (whole.steps[0].event_id, whole.steps[-1].event_id) == ("e000", f"e{MOST_STEPS + 49}")


def test_every_status_has_a_way_on():
    statuses = {"open", "answered", "escalated", "resolved", "reopened"}
    assert {status for froms in TRANSITIONS.values() for status in froms} == statuses
    assert [name for name, froms in TRANSITIONS.items() if "resolved" in froms] == ["reopen"]


def test_a_complaint_is_a_customers():
    alice, bob = UUID(int=1), UUID(int=2)
    assert case_of(alice, "K-1") == case_of(alice, "K-1")
    assert len({case_of(alice, "K-1"), case_of(bob, "K-1"), case_of(alice, "K-2")}) == 3
