"""Scores by cut points, and a name for every combination."""

from itertools import product

import pytest

from services.scoring.policies import CLASSES, DEFAULT_SCORING, RfmCuts
from services.scoring.projector.rfm import main_currency, rfm, score
from services.scoring.projector.state import State, Sums
from shared.words import LABELS

CUTS = RfmCuts(
    customers=100,
    fitted_at="2026-01-01T00:00:00Z",
    recency=[10, 20, 30, 40],
    frequency=[2, 5, None, None],
    monetary={"CNY": [100, 200, 300, 400]},
)


def state(**money: Sums) -> State:
    return State(days=1, orders=3, newest=[(25, "e", 0)], money=money)


@pytest.mark.parametrize(
    ("value", "cuts", "expected"),
    [
        (9, [10, 20, 30, 40], 1),
        (10, [10, 20, 30, 40], 2),
        (39, [10, 20, 30, 40], 4),
        (99, [10, 20, 30, 40], 5),
        (99, [2, 5, None, None], 3),
        (7, [7, 7, 7, None], 4),
        (7, [None] * 4, 1),
    ],
)
def test_score(value, cuts, expected):
    assert score(value, cuts) == expected


def test_scores_by_cut_points():
    view = rfm(state(CNY=Sums(3, 250)), 12, CUTS, DEFAULT_SCORING)
    assert (view.recency_days, view.frequency, view.monetary, view.currency) == (12, 3, 250, "CNY")
    assert (view.r, view.f, view.m) == (3, 2, 3)
    assert view.rfm_class == "need_attention"


def test_before_there_are_cut_points_there_are_no_scores():
    view = rfm(state(CNY=Sums(3, 250)), 12, None, DEFAULT_SCORING)
    assert (view.r, view.f, view.m, view.rfm_class) == (None, None, None, None)
    assert view.frequency == 3


@pytest.mark.parametrize(
    ("money", "currency"),
    [
        ({"CNY": Sums(1, 900), "USD": Sums(2, 10)}, "USD"),
        ({"USD": Sums(2, 10), "CNY": Sums(2, 10)}, "CNY"),
        ({"USD": Sums(0, -10)}, "USD"),
        ({}, None),
    ],
)
def test_main_currency_is_that_of_most_purchases(money, currency):
    assert main_currency(state(**money)) == currency


def test_currencies_never_add_up():
    both = state(CNY=Sums(2, 250), USD=Sums(1, 10_000))
    assert rfm(both, 0, CUTS, DEFAULT_SCORING).monetary == 250


def test_a_currency_with_nobody_to_compare_with_scores_in_the_middle():
    assert rfm(state(JPY=Sums(3, 9)), 0, CUTS, DEFAULT_SCORING).m == 3


def test_every_combination_has_a_class_and_every_class_a_combination():
    scores = range(1, 6)
    named = {DEFAULT_SCORING.rfm_class(r, f, m) for r, f, m in product(scores, repeat=3)}
    assert named == set(CLASSES)


def test_every_class_has_a_label():
    assert set(LABELS["rfm_class"]) == set(CLASSES)


@pytest.mark.parametrize(
    ("scores", "name"),
    [
        ((5, 5, 5), "champion"),
        ((1, 1, 1), "lost"),
        ((1, 5, 5), "cannot_lose"),
        ((2, 4, 4), "at_risk"),
        ((5, 1, 1), "new"),
        ((5, 1, 2), "potential_loyalist"),
    ],
)
def test_classes(scores, name):
    assert DEFAULT_SCORING.rfm_class(*scores) == name
