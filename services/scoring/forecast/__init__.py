"""Demand: how many units of each product category, week by week, the next 1 to 8 weeks.

    table = weekly(rows, until=origin)          # sums by category and week, gaps are zeros
    forecast = fit(table, signals, origin, seed=7, country="US")
    forecast.to_json()                          # the same bytes for the same input and seed

No I/O and no clock here (but `journey`, which reads the public data set of the evaluation).

What a service must keep to call this, since rows that are not keyed by customer carry the
partition in their key and are summed on read:

    demand(partition, category, week, quantity)      primary key (partition, category, week)
        `week` the Monday of the shop's local week as a date, `quantity` the net units (numeric;
        returns subtract, in the week of the return): an upsert that adds, in the transaction of
        the batch; a corrected purchase subtracts what it added.
        read: SELECT category, week, sum(quantity) ... WHERE week < :this_week GROUP BY 1, 2
    department(category, department)                  primary key (category), if there are any
    signal(name, gaps)                                primary key (name); `gaps`: zero | last
    signal_value(name, key, week, value)              primary key (name, key, week); '' = all keys
        an uploaded series: promotions, weather, an index; future weeks are what is planned.
    forecast(origin, seed, body)                      `Forecast.to_json()`, the newest is answered

A forecast is its finished numbers: there is no model to load. Making one takes seconds; it is made
again when a week has closed or a series was uploaded.
"""

from services.scoring.forecast.errors import ForecastError
from services.scoring.forecast.fitting import fit
from services.scoring.forecast.result import Forecast, Note, Row
from services.scoring.forecast.rows import forecast_rows
from services.scoring.forecast.signals import Signal
from services.scoring.forecast.table import Weekly, weekly

__all__ = [
    "Forecast",
    "ForecastError",
    "Note",
    "Row",
    "Signal",
    "Weekly",
    "fit",
    "forecast_rows",
    "weekly",
]
