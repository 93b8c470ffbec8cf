"""The policy `prospects`: how soon who was seen buys, and by what that differs. Pure.

Of a prospect of age a (days since first seen), P(bought by a + h) = 1 - exp(-r (C(a + h) - C(a))):
C adds up the daily rates of first purchases by age, the same for everybody; r is a product of one
ratio for each thing that is known of how they came (proportional hazards). Rates hold by stages of
age, so a probability is that of the day on which its stage began.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from math import exp, expm1, sqrt
from typing import Literal, NamedTuple

import msgspec

HORIZONS = (28, 90)
"""Days ahead."""
STAGES = (0, 1, 2, 3, 5, 7, 10, 14, 21, 28, 42, 56, 90, 120, 180, 270, 365, 730)
"""Ages in days at which a stage begins; the last one does not end."""
FACTORS = ("source", "kind", "channel", "contacts")
WINDOWS = (1, 7, 14)
"""Days from the first contact on whose contacts are counted, once they are over."""
HOT, COLD = 2.0, 0.5
"""From so many times the overall rate on, and up to so many times, a prospect is hot, or cold."""
CLASSES = ("hot", "warm", "cold")
Because = Literal["few", "worse"]
"""Too few first purchases, or no better than one rate for all."""
OTHER = "*"
"""A level of which nothing is known by itself."""
_SURE = 1.96


class Level(msgspec.Struct, frozen=True, array_like=True):
    """Those of whom one thing was so: how many times as often they buy."""

    name: str
    ratio: float
    """Shrunken towards 1."""
    won: int
    expected: float
    """How many would have bought, were they like the others."""


class Factor(msgspec.Struct, frozen=True):
    """What is known of how somebody came. `strength`: so many expected purchases weigh as much as
    the belief that it makes no difference."""

    name: str
    strength: float
    levels: list[Level]


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """On the last period that is over, by rates made of what was known before it."""

    horizon_days: int
    begins: str
    """First day of the period, YYYY-MM-DD."""
    prospects: int
    won: int
    expected: float
    naive: float
    """The probability that the naive opponent gives to everybody: the rate of the period before."""
    auc: float | None
    auc_interval: tuple[float, float] | None
    brier: float
    brier_naive: float
    brier_age: float
    """By age alone."""
    gain_interval: tuple[float, float]
    """Of `brier_naive` less `brier`."""


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """Beside one rate for all on several periods that are over, each by rates made of what was known before it:
    means over the periods. The intervals are of draws of prospects, each with all of their periods, the same
    for both."""

    periods: int
    begins: list[str]
    """First days of the periods, the newest first; they do not overlap."""
    prospects: int
    won: int
    brier: float
    brier_naive: float
    gain: tuple[float, float, float]
    """`brier_naive` less `brier`, with 95 %."""
    sure: float
    """The share of draws in which it would have passed."""

    @property
    def passes(self) -> bool:
        """By the figures themselves, however unsure."""
        return self.brier < self.brier_naive


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What who was won spends in the first thirteen weeks, in minor units of one currency."""

    currency: str
    customers: int
    mean: float
    source: dict[str, float]
    """How many times that, by source; shrunken towards 1."""
    kind: dict[str, float]


class Screening(msgspec.Struct, frozen=True, kw_only=True):
    """The policy. `method`: `rates`, or `overall` (everybody's) because of `because`."""

    method: Literal["rates", "overall"]
    because: Because | None = None
    fitted_at: str
    seen: int
    """Prospects that there ever were."""
    won: int
    overall: tuple[float, float]
    """Share of the prospects of a day who bought within each of `HORIZONS`."""
    rates: list[float] = []
    """First purchases a day, by stage."""
    factors: list[Factor] = []
    quality: list[Quality] = []
    gate: Gate | None = None
    """None: of an older release, or there were too few first purchases to try."""
    worth: list[Worth] = []
    """The currency of most who were won first."""
    usual: dict[str, str] = {}
    """The most frequent level of each factor."""
    usual_contacts: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Median by `WINDOWS`, of those with any contact."""
    usual_days: float | None = None
    """Median of the days from first seen to the first purchase."""


class Like(NamedTuple):
    """What is known of one prospect on a day: levels in the order of `FACTORS`."""

    age: int
    levels: tuple[str, str, str, str]


def stage_of(age: int) -> int:
    """Which of `STAGES` an age lies in."""
    return bisect_right(STAGES, max(age, 0)) - 1


def contact_level(age: int | None, counts: Sequence[int]) -> str:
    """What the contacts count for, so many days after the first one; '' before a day is over.
    Only whole windows count: what is so on a day was so for everybody after as many days."""
    over = [place for place, days in enumerate(WINDOWS) if age is not None and age >= days]
    if not over:
        return ""
    number = counts[over[-1]]
    band = "0" if number <= 0 else "1" if number == 1 else "2-4" if number < 5 else "5+"
    return f"{WINDOWS[over[-1]]}:{band}"


def chances(model: Screening, like: Like) -> tuple[float, float]:
    """The probabilities for `HORIZONS`."""
    if model.method == "overall":
        return model.overall
    ratio = 1.0
    for level in known_levels(model, like):
        ratio *= level.ratio
    first, second = (chance(model, like.age, days, ratio) for days in HORIZONS)
    return first, second


def chance(model: Screening, age: int, days: int, ratio: float) -> float:
    """The probability of a first purchase within so many days."""
    return -expm1(-ratio * _rate_over(tuple(model.rates), stage_of(age), days))


@lru_cache(maxsize=4096)
def _rate_over(rates: tuple[float, ...], stage: int, days: int) -> float:
    """Expected purchases of somebody usual in so many days from the beginning of a stage on."""
    begin, total = STAGES[stage], 0.0
    for place in range(stage, len(STAGES)):
        end = STAGES[place + 1] if place + 1 < len(STAGES) else begin + days
        total += rates[place] * max(min(end, begin + days) - max(STAGES[place], begin), 0)
    return total


def known_levels(model: Screening, like: Like) -> list[Level]:
    """The level of each factor, in their order; of which nothing is known, nothing differs."""
    tables = _tables(model)
    return [
        tables[name].get(level) or Level(level, 1.0, 0, 0.0)
        for name, level in zip(FACTORS, like.levels, strict=True)
    ]


_read: dict[int, tuple[Screening, dict[str, dict[str, Level]]]] = {}
"""Tables as they were made last, by the identity of the model, which is kept beside."""


def _tables(model: Screening) -> dict[str, dict[str, Level]]:
    known = _read.get(id(model))
    if known is None or known[0] is not model:
        if len(_read) >= 8:
            _read.clear()
        made: dict[str, dict[str, Level]] = {name: {} for name in FACTORS}
        for factor in model.factors:
            made[factor.name] = {level.name: level for level in factor.levels}
        known = _read[id(model)] = (model, made)
    return known[1]


def interval(model: Screening, like: Like, days: int) -> tuple[float, float] | None:
    """Where the probability lies with 95 %, as far as the number of those who bought tells: that of
    each level varies like a gamma variable of shape won + strength. None: by the overall rate."""
    if model.method == "overall":
        return None
    ratio, spread = 1.0, 1 / max(model.won, 1)
    strengths = {factor.name: factor.strength for factor in model.factors}
    for name, level in zip(FACTORS, known_levels(model, like), strict=True):
        ratio *= level.ratio
        spread += 1 / (level.won + max(strengths.get(name, 1.0), 1.0))
    wide = exp(_SURE * sqrt(spread))
    low, high = (chance(model, like.age, days, ratio * by) for by in (1 / wide, wide))
    return low, high


def prospect_class(model: Screening, probability: float) -> str:
    """Hot, warm or cold, by the probability for the last of `HORIZONS`."""
    overall = model.overall[-1]
    if model.method == "overall" or overall <= 0:
        return "warm"
    if probability >= HOT * overall:
        return "hot"
    return "cold" if probability <= COLD * overall else "warm"


def worth_of(worth: Worth, like: Like) -> float:
    """What such a customer spends at first, in minor units."""
    source, kind = like.levels[0], like.levels[1]
    return worth.mean * worth.source.get(source, 1.0) * worth.kind.get(kind, 1.0)
