"""What judging goes by: the churn model, the cut points of RFM, bands and classes. All versioned.

`churn` and `rfm` are fitted to the population and published on the log; `scoring` (bands and
classes) is a choice. Before a version is published the defaults here hold, as version 0.
"""

from typing import Literal, TypeVar

import msgspec

from services.scoring.models.bgnbd import Parameters
from shared.projection import Policies

CHURN, RFM, SCORING = NAMES = ("churn", "rfm", "scoring")

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


class Usual(msgspec.Struct, frozen=True, kw_only=True):
    """What is usual among these customers: what a reason compares with."""

    gap_days: float
    """Median of the mean gaps between purchase days, of those who bought on two days or more."""
    repeats_per_week: float
    """Median of purchase days after the first, per week since the first."""


class ChurnModel(msgspec.Struct, frozen=True, kw_only=True):
    """A fitted BG/NBD and how sure it is. Times in weeks unless a name says otherwise."""

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


class Scoring(msgspec.Struct, frozen=True, kw_only=True):
    """Bands of the churn probability and names of the RFM classes."""

    medium_from: float
    high_from: float
    classes: list[list[str]]
    """Row r (1 to 5), column the mean of f and m, rounded up (1 to 5)."""

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

_Body = TypeVar("_Body", bound=msgspec.Struct)


def label(policies: Policies, name: str) -> str:
    """Name and version in force, such as `churn@4`; `@0` is the default."""
    policy = policies.get(name)
    return f"{name}@{policy.version if policy else 0}"


def _in_force(policies: Policies, name: str, shape: type[_Body]) -> _Body | None:
    policy = policies.get(name)
    return msgspec.convert(policy.body, shape) if policy else None


def churn_model(policies: Policies) -> ChurnModel:
    """The churn model in force."""
    return _in_force(policies, CHURN, ChurnModel) or CDNOW


def rfm_cuts(policies: Policies) -> RfmCuts | None:
    """The cut points in force; None before the first fit."""
    return _in_force(policies, RFM, RfmCuts)


def scoring(policies: Policies) -> Scoring:
    """Bands and classes in force."""
    return _in_force(policies, SCORING, Scoring) or DEFAULT_SCORING
