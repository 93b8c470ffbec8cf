"""What the facts mean at a moment. Words are made on reading: here are codes and numbers."""

from datetime import datetime

import msgspec

from services.scoring.policies import Band


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that makes a probability what it is.

    `effect` is the probability less what it would be with the usual value: each by itself, so the
    effects need not add up. 0 is also said of what the model does not look at.
    """

    feature: str
    value: float
    usual: float
    effect: float


class Nearest(msgspec.Struct, frozen=True):
    """The nearest change that would alter the band.

    `code`: `purchase` (in `days`: 0 is today), `silence` (none for `days` more days), or `none`
    (neither does; the probability is that after a purchase).
    """

    code: str
    days: int
    probability: float
    band_then: Band


class Churn(msgspec.Struct, frozen=True):
    """The risk of no purchase within the horizon."""

    probability: float
    horizon_days: int
    band: Band
    reasons: list[Reason]
    """Greatest effect first."""
    evidence: list[str]
    """Ids of the last purchases and of what keeps complaints open."""
    nearest: Nearest


class Rfm(msgspec.Struct, frozen=True, omit_defaults=True):
    """Recency, frequency, monetary; scores and class are None before there are cut points."""

    recency_days: int
    frequency: int
    currency: str | None
    """The currency of most purchases."""
    monetary: int
    """Net spend in that currency, in minor units."""
    r: int | None = None
    f: int | None = None
    m: int | None = None
    rfm_class: str | None = None


class Totals(msgspec.Struct, frozen=True):
    """What fitting to the population needs of one customer. Days are ordinals of local dates."""

    days: int
    first_day: int
    last_day: int
    last_at: datetime
    utcoffset: int
    """Minutes from UTC to local time at the last purchase."""


class View(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything there is to say; without purchases there is nothing."""

    model: str
    policy: str
    at: datetime | None = None
    """From when on these numbers hold: the customer's last midnight, or a later event."""
    churn: Churn | None = None
    rfm: Rfm | None = None
    totals: Totals | None = None
    due_at: datetime | None = None
