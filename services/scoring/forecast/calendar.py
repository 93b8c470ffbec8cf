"""Public holidays by week."""

from datetime import date, timedelta

import holidays
import numpy as np
from numpy.typing import NDArray

from services.scoring.forecast.errors import ForecastError

Floats = NDArray[np.float64]


def holiday_days(country: str, first: date, weeks: int) -> Floats:
    """Public holidays in each of `weeks` weeks from `first` on. `country`: ISO 3166, as `US`.

    Raises ForecastError for a country that the calendar does not know.
    """
    last = first + timedelta(days=7 * weeks)
    try:
        calendar = holidays.country_holidays(country, years=range(first.year, last.year + 1))
    except NotImplementedError as unknown:
        raise ForecastError("country_unknown", f"No calendar of {country!r}.") from unknown
    counts = np.zeros(weeks)
    for day in calendar:
        week = (day - first).days // 7
        if 0 <= week < weeks:
            counts[week] += 1
    return counts
