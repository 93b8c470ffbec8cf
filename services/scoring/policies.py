"""What judging goes by: the churn model, the cut points of RFM, bands and classes. All versioned.

`churn`, `rfm` and `population` are fitted to all customers and published on the log; `scoring`
(bands, classes, matrix, margins) is a choice. Before a version is published the defaults here hold,
as version 0.
"""

from typing import Literal, TypeVar

import msgspec

from services.scoring.models.bgnbd import Parameters
from services.scoring.screening.policy import Screening
from shared.projection import Policies, Policy

CHURN, RFM, SCORING, POPULATION, SHADOW, PROSPECTS = NAMES = (
    "churn",
    "rfm",
    "scoring",
    "population",
    "churn_shadow",
    "prospects",
)

PURCHASES = "purchases"
"""Name of the BG/NBD beside the churn model, which foretells purchases, money and dates."""

Band = Literal["low", "medium", "high"]
BANDS: tuple[Band, ...] = ("low", "medium", "high")
"""From the smallest risk to the greatest."""

CLASSES = (
    "champion",
    "loyal",
    "potential_loyalist",
    "new",
    "promising",
    "need_attention",
    "about_to_sleep",
    "at_risk",
    "cannot_lose",
    "hibernating",
    "lost",
)


Cell = Literal["core", "potential", "basic", "watch"]
CELLS: tuple[Cell, ...] = ("core", "potential", "basic", "watch")
"""Value and activity: both high, value only, activity only, neither."""

YEAR_MONTHS = 12
STEP_PERCENT = 5
"""Shares at the top of the population are known in steps of so many percent."""


class Usual(msgspec.Struct, frozen=True, kw_only=True):
    """What is usual among these customers: what a reason compares with."""

    gap_days: float
    """Median of the mean gaps between purchase days, of those who bought on two days or more."""
    repeats_per_week: float
    """Median of purchase days after the first, per week since the first."""


class Line(msgspec.Struct, frozen=True, array_like=True):
    """What one feature adds to the log odds: `weight` for each unit of it beyond `usual`."""

    feature: str
    weight: float
    low: float
    """Where the data it was learnt from begins and ends: beyond, a value counts as the end."""
    high: float
    usual: float
    """Median of the active customers."""


class Learnt(msgspec.Struct, frozen=True, kw_only=True):
    """Log odds of no purchase day within a horizon: a sum over features, then calibrated."""

    horizon_days: int
    base: float
    """Log odds of whom everything is usual."""
    lines: list[Line]
    slope: float = 1.0
    shift: float = 0.0
    """Calibration: log odds = shift + slope * sum; learnt on a window that the lines had not seen."""
    closed: Parameters
    """The BG/NBD whose answer is one of the features."""


class Calibrated(msgspec.Struct, frozen=True, kw_only=True):
    """A trained model of churn, by horizon."""

    horizons: list[Learnt]
    """The first one is that of the bands."""
    purchase_value: dict[str, float] = {}
    """What a purchase day is usually worth, in minor units by currency."""
    answers: float = 0.7
    """Mean of all answers to surveys, 0 to 1."""
    promoted: float = 0.0
    """Of all orders, the share that carried a coupon or a discount."""
    handling: float = 0.5
    """Mean of how complaints were handled, 0 to 1."""
    discount: float = 0.0
    """What customers usually save, as a share of the full price."""
    responses: float = 0.0
    """Responses to one contact of the company's."""


class Promotion(msgspec.Struct, frozen=True):
    """Who put a version in force, and why in spite of its figures."""

    by: str
    at: str
    """RFC 3339."""
    override: str | None = None


class ChurnModel(msgspec.Struct, frozen=True, kw_only=True):
    """A fitted BG/NBD and how sure it is, and a trained model where one was promoted. Times in weeks
    unless a name says otherwise.

    BG/NBD foretells purchases and, without `calibrated`, churn.
    """

    model: Literal["bg_nbd"] = "bg_nbd"
    horizon_days: int = 90
    parameters: Parameters
    standard_errors: dict[str, float | None] = {}
    log_likelihood: float
    customers: int
    converged: bool = True
    at_bound: list[str] = []
    """Parameters that the data cannot tell from zero or infinity."""
    usual: Usual
    fitted_at: str | None = None
    """The clock when it was fitted, RFC 3339."""
    source: str = "population"
    calibrated: Calibrated | None = None
    version: int | None = None
    """Of the model, where it is not that of the policy: versions are put in force again, and numbers
    of published policies only ascend."""
    promoted: Promotion | None = None


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """The policy `churn_shadow`: a model that is only looked at."""

    model: ChurnModel | None = None
    """None: no longer."""
    by: str = ""


class RfmCuts(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest values that score 2, 3, 4 and 5; None where nobody scores so high (ties)."""

    customers: int
    fitted_at: str
    recency: list[int | None]
    """Last purchase, in microseconds since 1970 UTC."""
    frequency: list[int | None]
    """Orders."""
    monetary: dict[str, list[int | None]]
    """Net spend in minor units, by main currency; customers are ranked within theirs."""


class SpendModel(msgspec.Struct, frozen=True):
    """A fitted Gamma-Gamma, in minor units of one currency."""

    p: float
    q: float
    v: float
    customers: int


class Population(msgspec.Struct, frozen=True, kw_only=True):
    """What is so among all who have bought. Money in minor units, by main currency."""

    customers: int
    fitted_at: str
    spend_year: dict[str, list[int]]
    """The smallest spend in twelve months among the top 95, 90, ..., 5 % of those who spent."""
    active_months: list[int]
    """The same of months with an order, of the last twelve."""
    orders: int
    """Median number of orders."""
    monetary: dict[str, int]
    """Median net spend of all time."""
    order: dict[str, int]
    """Median of the customers' mean order."""
    spend: dict[str, SpendModel] = {}
    """What a purchase day is worth."""
    satisfaction: float | None = None
    """Mean of all answers to surveys, 0 to 100; None where there are too few."""

    def top(self, quantiles: list[int], percent: int) -> int:
        """The smallest value among the top so many percent (a multiple of 5 between 5 and 95)."""
        return quantiles[(100 - percent) // STEP_PERCENT - 1]


class MatrixRules(msgspec.Struct, frozen=True, kw_only=True):
    """What counts as high value, and as active."""

    by: Literal["quantile", "absolute"] = "quantile"
    """`quantile`: the top of these customers; until there are enough of them, and in a currency of
    too few, the absolute thresholds hold."""
    value_from: str = "1000000"
    """Net spend in twelve months that must be exceeded, in major units of the main currency."""
    value_from_by_currency: dict[str, str] = {}
    """Others for some currencies."""
    active_from: int = YEAR_MONTHS
    """Months of the last twelve with an order."""
    value_top_percent: int = 20
    activity_top_percent: int = 50


class Margins(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a sale, as a share of it."""

    default: float = 0.3
    categories: dict[str, float] = {}

    def of(self, category: str) -> float:
        """The margin of a category."""
        return self.categories.get(category, self.default)


class SatisfactionRules(msgspec.Struct, frozen=True, kw_only=True):
    """How much an answer weighs against what is usual, and for how long."""

    prior: float | None = None
    """0 to 100, what is assumed of whom nothing is known; None: the mean of all answers."""
    strength: float = 3.0
    """So many answers weigh as much as what is assumed."""
    half_life_days: int = 180


class ValueRules(msgspec.Struct, frozen=True, kw_only=True):
    """How far the future counts."""

    years: int = 3
    discount_rate: float = 0.1
    """A year."""


class Scoring(msgspec.Struct, frozen=True, kw_only=True):
    """Bands of the churn probability, names of the RFM classes, the matrix, margins."""

    medium_from: float
    high_from: float
    classes: list[list[str]]
    """Row r (1 to 5), column the mean of f and m, rounded up (1 to 5)."""
    matrix: MatrixRules = MatrixRules()
    margins: Margins = Margins()
    satisfaction: SatisfactionRules = SatisfactionRules()
    value: ValueRules = ValueRules()

    def band(self, probability: float) -> Band:
        """The band of a churn probability; each begins at its threshold."""
        if probability >= self.high_from:
            return "high"
        return "medium" if probability >= self.medium_from else "low"

    def rfm_class(self, r: int, f: int, m: int) -> str:
        """The class of three scores from 1 to 5."""
        return self.classes[r - 1][(f + m + 1) // 2 - 1]


CDNOW = ChurnModel(
    parameters=Parameters(r=0.2426, alpha=4.4136, a=0.7929, b=2.4259),
    log_likelihood=-9582.429,
    customers=2357,
    usual=Usual(gap_days=48.7, repeats_per_week=0.0),
    source="CDNOW, 39 weeks of 1997; Fader, Hardie & Lee (2005), table 2",
)
"""What holds until there are enough customers of one's own: published parameters of a music shop.

A stranger's customers are a weak guide; they only make sure that an answer has a scale. `usual` was
computed from the same data.
"""

DEFAULT_SCORING = Scoring(
    medium_from=0.3,
    high_from=0.6,
    classes=[
        ["lost", "hibernating", "at_risk", "cannot_lose", "cannot_lose"],
        ["hibernating", "about_to_sleep", "at_risk", "at_risk", "at_risk"],
        ["about_to_sleep", "need_attention", "need_attention", "loyal", "loyal"],
        ["promising", "potential_loyalist", "potential_loyalist", "loyal", "champion"],
        ["new", "potential_loyalist", "potential_loyalist", "champion", "champion"],
    ],
)
"""Bands by absolute probability. `high`: likelier to stay away for the whole horizon than not, with
a margin for the model's error (0.6, not 0.5). `low`: at least seven in ten of them will come back.
They do not depend on what others do: a shop that loses everybody sees everybody in `high`."""

USUAL_SATISFACTION = 70.0
"""What is assumed before there are answers to learn from."""

_Body = TypeVar("_Body", bound=msgspec.Struct)

_MOST_READ = 64
_read: dict[int, tuple[Policy, msgspec.Struct]] = {}
"""Bodies as they were read last, by the identity of the policy, which is kept beside: a worker
derives thousands of customers by the same ones."""


def label(policies: Policies, name: str) -> str:
    """Name and version in force, such as `churn@4`; `@0` is the default."""
    policy = policies.get(name)
    return f"{name}@{policy.version if policy else 0}"


def churn_version(policies: Policies) -> int:
    """Version of the churn model in force."""
    model = _in_force(policies, CHURN, ChurnModel)
    if model is None:
        return 0
    return policies[CHURN].version if model.version is None else model.version


def churn_label(policies: Policies) -> str:
    """The churn model in force, such as `churn@4`."""
    return f"{CHURN}@{churn_version(policies)}"


def purchases_label(policies: Policies) -> str:
    """The BG/NBD that foretells purchases, such as `purchases@7`: by the policy that published it, since the one
    beside a trained model is renewed while that model's version stays."""
    policy = policies.get(CHURN)
    return f"{PURCHASES}@{policy.version if policy else 0}"


def spend_label(policies: Policies) -> str:
    """The fits of what a purchase is worth, such as `population@3`."""
    return label(policies, POPULATION)


def shadow_model(policies: Policies) -> ChurnModel | None:
    """The model that scores beside the one in force, if one does; its `version` is set."""
    shadow = _in_force(policies, SHADOW, Shadow)
    return None if shadow is None else shadow.model


def _in_force(policies: Policies, name: str, shape: type[_Body]) -> _Body | None:
    policy = policies.get(name)
    if policy is None:
        return None
    known = _read.get(id(policy))
    if known is None or known[0] is not policy:
        if len(_read) >= _MOST_READ:
            _read.clear()
        known = _read[id(policy)] = (policy, msgspec.convert(policy.body, shape))
    assert isinstance(known[1], shape)
    return known[1]


def churn_model(policies: Policies) -> ChurnModel:
    """The churn model in force."""
    return _in_force(policies, CHURN, ChurnModel) or CDNOW


def rfm_cuts(policies: Policies) -> RfmCuts | None:
    """The cut points in force; None before the first fit."""
    return _in_force(policies, RFM, RfmCuts)


def population(policies: Policies) -> Population | None:
    """What is known of all customers; None before the first fit."""
    return _in_force(policies, POPULATION, Population)


def screening(policies: Policies) -> Screening | None:
    """By what prospects are screened; None before the first fit."""
    return _in_force(policies, PROSPECTS, Screening)


def usual_satisfaction(policies: Policies) -> float:
    """What is assumed of whom nothing is known, 0 to 100."""
    chosen = scoring(policies).satisfaction.prior
    if chosen is not None:
        return chosen
    known = population(policies)
    return USUAL_SATISFACTION if known is None or known.satisfaction is None else known.satisfaction


def scoring(policies: Policies) -> Scoring:
    """Bands and classes in force."""
    return _in_force(policies, SCORING, Scoring) or DEFAULT_SCORING
