"""Plain predictions for other people's judges."""

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from services.scoring.backtest.bridge import day_of, money_of, visits_of
from services.scoring.backtest.data import Purchases
from services.scoring.backtest.errors import BacktestError
from services.scoring.predict.customers import Predictions, learn, predict

PREDICTIONS = (
    "customer",
    "cut",
    "churn",
    "expected_purchases",
    "expected_spend",
    "next_purchase_days",
)
RECOMMENDATIONS = ("customer", "cut", "list", "rank", "item")
FORECAST = ("key", "origin", "h", "yhat", "lo80", "hi80", "lo95", "hi95")


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """A CSV in UTF-8 with lines that end in one newline; how many rows. Raises BacktestError."""
    count = 0
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            for row in rows:
                writer.writerow(row)
                count += 1
    except OSError as error:
        raise BacktestError(f"{path} cannot be written: {error.strerror or error}.") from None
    return count


def written(cut: datetime) -> str:
    """A midnight as its date."""
    at_midnight = cut == cut.replace(hour=0, minute=0, second=0, microsecond=0)
    return cut.date().isoformat() if at_midnight else cut.isoformat()


def write_predictions(
    path: Path, purchases: Purchases, cut: datetime, horizon: int, seed: int
) -> tuple[int, str]:
    """One row for everybody with a purchase before the cut; how many, and by which methods.

    `purchases` may go on after the cut: nothing of that is read.
    """
    past, _ = money_of(purchases.before(cut))
    days = visits_of(past, cut)
    if not len(days):
        raise BacktestError(f"There is no purchase before {written(cut)}.")
    learnt = learn(days, day_of(cut), horizon, seed)
    told = predict(days, learnt)
    count = write_rows(path, PREDICTIONS, _rows(told, past.customers, written(cut)))
    return count, f"churn {learnt.churn.method}, spend {learnt.spend.method}"


def _rows(told: Predictions, names: Sequence[str], cut: str) -> Iterable[Sequence[object]]:
    columns = (told.churn, told.days, told.spend, told.wait)
    for code, *numbers in zip(told.customer.tolist(), *(c.tolist() for c in columns), strict=True):
        yield (names[code], cut, *(f"{number:.9g}" for number in numbers))
