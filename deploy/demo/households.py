"""What the package knows of households besides baskets: campaigns, coupons, demographics.

The package dates campaigns and redemptions by day only: a campaign is sent at nine in the morning
of its first day, a coupon counts as redeemed at noon, both in New York. Demographics are dated by no one: a
household's stand at its first basket.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from deploy.demo.events import REAL, Happening
from deploy.demo.shift import SHOPS
from deploy.demo.source import read

SENT_HOUR, REDEEMED_HOUR = 9, 12

TRAITS = {
    "age": "age_band",
    "income": "income_band",
    "home_ownership": "home_ownership",
    "marital_status": "marital_status",
    "household_size": "household_size",
    "household_comp": "household_composition",
    "kids_count": "kids",
}


def _rows(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read(name).to_pylist()
    return rows


def _at(day: datetime, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=SHOPS)


def described(first_baskets: Mapping[int, datetime]) -> Iterator[Happening]:
    """Demographics of the households that `first_baskets` names, at its times."""
    for row in _rows("demographics"):
        household = row["household_id"]
        if household in first_baskets:
            traits = {name: row[column] for column, name in TRAITS.items() if row[column]}
            yield Happening(
                id=f"cj-demographics-{household}",
                source=REAL,
                type="customer.described",
                household=household,
                at=first_baskets[household],
                data={"traits": {"kind": "person", **traits}},
            )


def campaigns_sent(households: Mapping[int, Any]) -> Iterator[Happening]:
    """Each campaign to each of the households that it was sent to."""
    descriptions = {row["campaign_id"]: row for row in _rows("campaign_descriptions")}
    for row in _rows("campaigns"):
        household, campaign = row["household_id"], row["campaign_id"]
        if household in households:
            yield Happening(
                id=f"cj-campaign-{campaign}-{household}",
                source=REAL,
                type="interaction.recorded",
                household=household,
                at=_at(descriptions[campaign]["start_date"], SENT_HOUR),
                data={
                    "kind": "campaign_sent",
                    "channel": "mail",
                    "direction": "outbound",
                    "subject": f"campaign {campaign}",
                    "campaign": str(campaign),
                    "campaign_type": descriptions[campaign]["campaign_type"],
                },
            )


def coupons_redeemed(households: Mapping[int, Any]) -> Iterator[Happening]:
    """Each coupon that one of the households redeemed."""
    for row in _rows("coupon_redemptions"):
        household, campaign, coupon = row["household_id"], row["campaign_id"], row["coupon_upc"]
        if household in households:
            day = row["redemption_date"]
            yield Happening(
                id=f"cj-redemption-{campaign}-{household}-{coupon}-{day:%Y%m%d}",
                source=REAL,
                type="interaction.recorded",
                household=household,
                at=_at(day, REDEEMED_HOUR),
                data={
                    "kind": "campaign_response",
                    "channel": "store",
                    "direction": "inbound",
                    "subject": f"coupon {coupon} of campaign {campaign}",
                    "campaign": str(campaign),
                    "coupon_upc": str(coupon),
                },
            )
