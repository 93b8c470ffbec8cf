"""The parts against what they are meant to be, computed another way."""

import numpy as np

from services.scoring.recommend import ease, network
from services.scoring.recommend.arrays import places, starts
from services.scoring.recommend.history import histories_of
from services.scoring.recommend.rows import log_at
from services.scoring.recommend.shelf import shelf_of
from tests.scoring.recommend.shops import CUT, purchases, shop


def test_ease_is_the_published_closed_form() -> None:
    log, today = log_at(purchases(shop(customers=50, items=20)), CUT, "product")
    histories = histories_of(log)
    found = ease.fit_ease(histories, shelf_of(log, histories, today))
    bought = np.zeros((log.customers, len(log.catalogue)))
    bought[histories.customer, histories.item] = 1.0
    common = bought.T @ bought
    inverse = np.linalg.inv(common + ease.RIDGE * 0.05 * np.eye(len(common)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    assert np.allclose(found.matrix().T.toarray(), weights, atol=1e-6)


def test_few_weights_of_a_column_are_its_greatest() -> None:
    log, today = log_at(purchases(shop(customers=50, items=20)), CUT, "product")
    histories = histories_of(log)
    shelf = shelf_of(log, histories, today)
    whole = ease.fit_ease(histories, shelf).matrix().toarray()
    kept, ease.KEPT = ease.KEPT, 5
    try:
        few = ease.fit_ease(histories, shelf).matrix().toarray()
    finally:
        ease.KEPT = kept
    for target in range(len(whole)):
        greatest = np.sort(np.abs(whole[target]))[-5:]
        assert np.allclose(np.sort(np.abs(few[target][few[target] != 0])), greatest)


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    random = np.random.default_rng(2)
    weights = [random.normal(size=size) for size in ((3, 4), (4,), (4,), (3,), (1,))]
    rows, hit = random.normal(size=(12, 3)), (random.random(12) < 0.4).astype(float)
    length = np.array([5, 4, 3])
    hit[[0, 5, 9]] = 1.0

    def loss(weights: list[np.ndarray]) -> float:
        inner, offset, outer, direct, bias = weights
        score = np.tanh(rows @ inner + offset) @ outer + rows @ direct + bias[0]
        total, begin = 0.0, 0
        for size in length:
            mine, wanted = score[begin : begin + size], hit[begin : begin + size]
            share = mine - np.log(np.exp(mine).sum())
            total -= share @ wanted / wanted.sum() * np.sqrt(wanted.sum())
            begin += size
        return total / len(length)

    gradient = network._gradient(weights, rows, hit, length)
    for number, weight in enumerate(weights):
        for place in np.ndindex(weight.shape):
            moved = [[one.copy() for one in weights] for _ in range(2)]
            moved[0][number][place] += 1e-6
            moved[1][number][place] -= 1e-6
            slope = (loss(moved[0]) - loss(moved[1])) / 2e-6
            assert np.isclose(gradient[number][place], slope, atol=1e-5)


def test_chances_agree_with_what_happened() -> None:
    random = np.random.default_rng(4)
    features = random.normal(size=(6000, 3))
    customer = np.repeat(np.arange(300), 20)
    real = 1.0 / (1.0 + np.exp(-(features[:, 0] * 1.5 - 2.0)))
    hit = (random.random(6000) < real).astype(float)
    for listwise in (False, True):
        found = network.train(features, hit, customer, epochs=4, seed=0, listwise=listwise)
        chance = 1.0 / (1.0 + np.exp(-found.logits(features)))
        assert abs(chance.mean() - hit.mean()) < 0.01
        assert np.corrcoef(chance, real)[0, 1] > 0.95


def test_starts_and_places_of_nothing() -> None:
    nothing = np.empty(0, dtype=np.int64)
    assert starts(nothing).size == places(nothing).size == 0
