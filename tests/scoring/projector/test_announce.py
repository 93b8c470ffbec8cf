"""Changes of class are told, numbers are not."""

from datetime import timedelta

import pytest
from hypothesis import given

from services.scoring.projection import SCORES
from services.scoring.projector import EMITS, Told, announce, derive, tell
from shared.language import (
    EVENT_TYPES,
    ChurnBandChanged,
    MatrixChanged,
    MatrixReviewed,
    PurchaseCancelled,
    RfmClassChanged,
    Settled,
    TagGained,
    contribution,
)
from shared.projection import Announcement
from tests.scoring.projector.folding import folded
from tests.scoring.projector.test_derive import BOUGHT, LAST, RFM
from tests.strategies import START, bought, clocks, event_id, histories, make_event

POLICIES = {"rfm": RFM}


def after(told: Told, said: list[Announcement]) -> Told:
    for announcement in said:
        told = tell(told, announcement)
    return told


def test_the_first_judgement_is_told():
    view = derive(BOUGHT, LAST, POLICIES)
    band, named, moved = announce(Told(), view)
    assert band.type == "score.churn_band_changed"
    assert band.data == ChurnBandChanged(band="medium", previous=None, model="churn@0")
    assert named.data == RfmClassChanged(rfm_class="champion", previous=None, policy="rfm@3")
    assert moved.data == MatrixChanged(matrix="watch", previous=None, policy="scoring@0")
    assert band.time == named.time == moved.time == LAST


def test_nothing_is_said_twice():
    view = derive(BOUGHT, LAST, POLICIES)
    told = after(Told(), announce(Told(), view))
    assert announce(told, view) == []
    later = derive(BOUGHT, LAST + timedelta(days=1), POLICIES)
    assert later.churn != view.churn
    assert announce(told, later) == []


def test_a_change_by_time_alone_is_told_as_of_midnight():
    view = derive(BOUGHT, LAST + timedelta(days=400), {})
    [band] = announce(Told(band="medium", matrix="watch"), view)
    assert band.data == ChurnBandChanged(band="high", previous="medium", model="churn@0")
    assert band.time == view.at


def test_nobody_is_told_of_who_never_bought():
    view = derive(folded([]), LAST, POLICIES)
    assert announce(Told(), view) == announce(Told(), view, LAST) == []


def test_what_was_told_of_who_has_no_event_any_more_is_taken_back():
    """It was told while they were one with somebody."""
    told = Told(band="high", rfm_class="at_risk", matrix="watch")
    said = announce(told, derive(folded([]), LAST, POLICIES), LAST)
    assert after(told, said) == Told()
    assert {one.time for one in said} == {LAST}


def test_a_judgement_taken_back_is_told():
    part = contribution(event_id(1), START, 480, bought())
    cancelled = make_event(PurchaseCancelled("A-1", settled=Settled(part, None)), number=2)
    view = derive(folded([make_event(bought(), number=1), cancelled]), LAST, POLICIES)
    said = announce(Told(band="low", rfm_class="new", matrix="core"), view)
    assert [announcement.data for announcement in said] == [
        ChurnBandChanged(band=None, previous="low", model="churn@0"),
        RfmClassChanged(rfm_class=None, previous="new", policy="rfm@3"),
        MatrixChanged(matrix=None, previous="core", policy="scoring@0"),
    ]


def test_a_word_of_people_about_who_never_bought_is_told():
    decided = MatrixReviewed("2026-01", "overridden", "potential", "chen.li")
    [moved] = announce(Told(), derive(folded([make_event(decided)]), LAST, POLICIES))
    assert moved.data == MatrixChanged("potential", None, "scoring@0")


def test_only_our_own_announcements_can_have_been_said():
    with pytest.raises(TypeError):
        tell(Told(), Announcement("tag.gained", TagGained("t", {}, "tags@1"), START))


@given(histories(), clocks)
def test_told_equals_true_afterwards(events, clock):
    view = derive(folded(events), clock, POLICIES)
    told = after(Told(), announce(Told(), view))
    assert told.band == (view.churn.band if view.churn else None)
    assert told.rfm_class == (view.rfm.rfm_class if view.rfm else None)
    assert told.matrix == (view.matrix.cell if view.matrix else None)
    assert announce(told, view) == []


def test_announcements_rank_above_what_they_are_made_of():
    highest_read = max(EVENT_TYPES[kind].rank for kind in SCORES.consumes)
    assert all(EVENT_TYPES[kind].rank > highest_read for kind in EMITS)
    assert SCORES.emits == EMITS
