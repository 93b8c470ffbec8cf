"""What customers are judged by: the policies in force, read once for many customers."""

from collections.abc import Sequence

import msgspec

from services.scoring import policies as rules
from services.scoring.policies import ChurnModel, Population, RfmCuts, Scoring
from services.scoring.projector.churn import Judge
from services.scoring.projector.matrix import Thresholds, thresholds
from services.scoring.projector.trained import TrainedJudge
from services.scoring.screening.policy import Screening
from shared.projection import Policies, Policy

AnyJudge = Judge | TrainedJudge


class Basis(msgspec.Struct, frozen=True, gc=False):
    """What `derive` and `describe` go by."""

    in_force: Sequence[Policy | None]
    """What all of this was read from, in the order of `policies.NAMES`."""
    model: str
    purchases: str
    spend: str
    policy: str
    rules: str
    prospects: str
    """Names and versions: of the churn model, of the BG/NBD and the Gamma-Gamma that foretell, of the cut points, the
    choices, the model of prospects."""
    churn: ChurnModel
    judge: AnyJudge
    shadow: tuple[int, AnyJudge] | None
    """Version of the model that scores beside the one in force, and its judge."""
    scoring: Scoring
    cuts: RfmCuts | None
    population: Population | None
    usual_satisfaction: float
    screening: Screening | None
    known: dict[str | None, Thresholds] = {}
    """Thresholds of the matrix that were asked for, by currency."""

    def thresholds(self, currency: str | None) -> Thresholds:
        """What holds for customers of a currency."""
        found = self.known.get(currency)
        if found is None:
            found = self.known[currency] = thresholds(currency, self.scoring, self.population)
        return found

    @classmethod
    def of(cls, policies: Policies) -> "Basis":
        """Read these policies."""
        scoring, churn = rules.scoring(policies), rules.churn_model(policies)
        shadow = rules.shadow_model(policies)
        return cls(
            in_force=_in_force(policies),
            model=rules.churn_label(policies),
            purchases=rules.purchases_label(policies),
            spend=rules.spend_label(policies),
            policy=rules.label(policies, rules.RFM),
            rules=rules.label(policies, rules.SCORING),
            prospects=rules.label(policies, rules.PROSPECTS),
            churn=churn,
            judge=_judge(churn, scoring),
            shadow=None if shadow is None else (shadow.version or 0, _judge(shadow, scoring)),
            scoring=scoring,
            cuts=rules.rfm_cuts(policies),
            population=rules.population(policies),
            usual_satisfaction=rules.usual_satisfaction(policies),
            screening=rules.screening(policies),
        )


def _in_force(policies: Policies) -> list[Policy | None]:
    return list(map(policies.get, rules.NAMES))


def _judge(model: ChurnModel, scoring: Scoring) -> AnyJudge:
    if model.calibrated is not None:
        return TrainedJudge(model.calibrated, scoring)
    return Judge(model, scoring)


_MOST_READ = 64
_read: dict[tuple[int, ...], Basis] = {}
"""By the identities of the policies, which are kept with it, so that no others have the same: a worker derives
thousands of customers by the same ones."""


def basis_of(policies: Policies) -> Basis:
    """What these policies say."""
    key = tuple(map(id, _in_force(policies)))
    known = _read.get(key)
    if known is None:
        if len(_read) >= _MOST_READ:
            _read.clear()
        known = _read[key] = Basis.of(policies)
    return known
