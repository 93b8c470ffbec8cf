"""On real baskets, beside what a sceptic would use: able to fail, far from the last digit."""

import numpy as np
import pytest

from services.scoring.recommend.evaluate import Measure, evaluate
from services.scoring.recommend.journey import CUTS, journey


@pytest.fixture(scope="module")
def measures() -> dict[tuple[str, str], Measure]:
    whole = journey("category")
    some = whole.take(whole.customer % 4 == 1)
    return {(one.list, one.metric): one for one in evaluate(some, CUTS[1:2], "category")}


def test_the_naive_lists_are_those_of_the_protocol(
    measures: dict[tuple[str, str], Measure],
) -> None:
    assert measures["again", "ndcg@10"].naive == pytest.approx(0.645, abs=0.03)
    assert measures["new", "recall@10"].naive == pytest.approx(0.223, abs=0.03)


def test_buy_again_beats_the_personal_frequency(measures: dict[tuple[str, str], Measure]) -> None:
    assert measures["again", "ndcg@10"].ratio > 1.002


def test_new_for_you_beats_popularity(measures: dict[tuple[str, str], Measure]) -> None:
    assert measures["new", "recall@10"].ratio > 1.04


def test_intervals_hold_their_ratios(measures: dict[tuple[str, str], Measure]) -> None:
    for one in measures.values():
        assert one.low < one.ratio < one.high
        assert np.isclose(one.ratio, one.value / one.naive)
