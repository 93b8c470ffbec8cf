"""What the facts mean at a moment. Words are made on reading: here are codes and numbers."""

from datetime import datetime

import msgspec

from services.scoring.policies import Band


class Reason(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One thing that makes a probability what it is.

    `effect` is the probability less what it would be with the usual value: each by itself, so the
    effects need not add up. 0 is also said of what the model does not look at.
    """

    feature: str
    value: float
    usual: float
    effect: float


class Nearest(msgspec.Struct, frozen=True, gc=False):
    """The nearest change that would alter the band.

    `code`: `purchase` (in `days`: 0 is today), `silence` (none for `days` more days), or `none`
    (neither does; the probability is that after a purchase).
    """

    code: str
    days: int
    probability: float
    band_then: Band


class Risk(msgspec.Struct, frozen=True, gc=False):
    """The risk of no purchase within the horizon."""

    probability: float
    horizon_days: int
    band: Band


class ShadowRisk(msgspec.Struct, frozen=True, gc=False):
    """The same by a model that is only looked at."""

    version: int
    probability: float
    band: Band


class Churn(Risk, frozen=True, kw_only=True, gc=False):
    """The same with why it is so; made when it is read."""

    others: dict[int, float]
    """The probability for other horizons, in days."""
    reasons: list[Reason]
    """Greatest effect first."""
    evidence: list[str]
    """Ids of the last purchases and of what keeps complaints open."""
    nearest: Nearest


class Rfm(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
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


class Satisfaction(msgspec.Struct, frozen=True, gc=False):
    """How satisfied the customer is."""

    score: float
    """0 to 100."""
    weight: float
    """What is known, in fresh answers; 0: the score is what is usual."""
    answers: int
    points: int
    """Of all answers that are kept, 0 to 1000 each."""


class Matrix(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Value and activity. Money in minor units of `currency`; all but `cell` is unset for who never
    bought."""

    cell: str | None
    """The one that holds: what was found, or what somebody decided."""
    found: str | None = None
    overridden: bool = False
    by: str | None = None
    """`quantile` or `absolute`."""
    currency: str | None = None
    spend_year: int | None = None
    spend_from: int = 0
    """From which spend on value is high."""
    active_months: int | None = None
    active_from: int = 0


class Origin(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How somebody came and what they did first. Days are ordinals of local dates."""

    seen_day: int
    source: str | None
    source_day: int | None
    """When that was said."""
    kind: str | None
    """Of the first contact, by whichever side."""
    channel: str | None
    contact_day: int | None
    contacts: tuple[int, int, int]
    """Their own on the first 1, 7 and 14 days from that of the first contact, before the day of the
    first purchase."""
    at_once: bool | None
    """Whether they were first seen when they bought; None: they never did."""
    spend: dict[str, int] | None
    """Minor units by currency of the first thirteen weeks as a customer."""


class Prospect(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is to be expected of who never bought."""

    at: datetime
    """From when on this holds."""
    probabilities: tuple[float | None, float | None]
    """Of a first purchase within 28 and 90 days; None: nothing is known yet."""
    expected: float | None
    """Minor units of the currency of most who were won: the probability times what such customers
    spend at first."""
    prospect_class: str | None


class Totals(msgspec.Struct, frozen=True, gc=False):
    """What fitting to the population needs of one customer. Days are ordinals of local dates."""

    days: int
    first_day: int
    last_day: int
    last_at: datetime
    utcoffset: int
    """Minutes from UTC to local time at the last purchase."""


class View(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Everything that is kept; without purchases there is no risk and no RFM."""

    model: str
    policy: str
    at: datetime | None = None
    """From when on these numbers hold: the customer's last midnight, or a later event."""
    churn: Risk | None = None
    rfm: Rfm | None = None
    rules: str = "scoring@0"
    matrix: Matrix | None = None
    satisfaction: Satisfaction | None = None
    totals: Totals | None = None
    shadow: ShadowRisk | None = None
    origin: Origin | None = None
    prospect: Prospect | None = None
    due_at: datetime | None = None
    erased: bool = False
    """Of somebody who asked to be forgotten: on no list."""
