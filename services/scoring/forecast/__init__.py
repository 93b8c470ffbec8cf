"""Demand: how many units of each product category, week by week, the next 1 to 8 weeks.

    table = weekly(rows, until=origin)          # sums by category and week, gaps are zeros
    forecast = fit(table, signals, origin, seed=7, country="US")
    forecast.to_json()                          # the same bytes for the same input and seed

No I/O and no clock here (but `journey`, which reads the public data set of the evaluation).

Where the sums and series come from, and when it is made: `services/scoring/offering`.

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
