"""The churn probability, why it is so, and what would change its band. Times in days."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from services.scoring.models.bgnbd import p_none
from services.scoring.policies import BANDS, ChurnModel, Scoring
from services.scoring.projector.view import Churn, Nearest, Reason, Risk

HORIZONS = (28, 90)
"""Days ahead of which the risk is told."""

SILENCE_DAYS = 730
"""How far ahead a change by silence alone is looked for."""


class History(msgspec.Struct, frozen=True, gc=False):
    """`x` repeat purchase days; the last purchase and the present, in days since the first."""

    x: int
    last: float
    age: float


class Judge(msgspec.Struct, frozen=True, gc=False):
    """A model and the bands that its probabilities fall into."""

    model: ChurnModel
    scoring: Scoring

    def probability(self, history: History, days: int | None = None) -> float:
        """No purchase within so many days, the model's horizon by default; rounded as it is shown,
        so that bands agree with it."""
        value = p_none(
            self.model.parameters,
            history.x,
            history.last / 7,
            history.age / 7,
            (days or self.model.horizon_days) / 7,
        )
        return round(value, 6)

    def risk(self, history: History) -> Risk:
        """What is kept of one customer's risk."""
        probability = self.probability(history)
        return Risk(probability, self.model.horizon_days, self.scoring.band(probability))

    def churn(self, history: History, evidence: list[str], open_complaints: int) -> Churn:
        """Everything there is to say about one customer's risk."""
        probability = self.probability(history)
        reasons = [self._recency(history, probability), self._frequency(history, probability)]
        reasons.sort(key=lambda reason: -abs(reason.effect))
        if open_complaints:  # not in the model, but who calls this customer should know
            reasons.append(Reason("open_complaints", open_complaints, 0, 0.0))
        return Churn(
            probability=probability,
            horizon_days=self.model.horizon_days,
            band=self.scoring.band(probability),
            reasons=reasons,
            evidence=evidence,
            nearest=self._nearest(history, probability),
            others={
                days: self.probability(history, days)
                for days in HORIZONS
                if days != self.model.horizon_days
            },
        )

    def _recency(self, history: History, probability: float) -> Reason:
        """The silence, against the customer's own mean gap; others' where there is none."""
        if history.x:
            usual = history.last / history.x
            then = replace(history, last=history.age - usual)
        else:
            usual = self.model.usual.gap_days
            then = replace(history, age=usual)
        return Reason(
            feature="days_since_last_purchase",
            value=history.age - history.last,
            usual=round(usual, 1),
            effect=round(probability - self.probability(then), 4),
        )

    def _frequency(self, history: History, probability: float) -> Reason:
        """The number of purchase days, against that of others who are customers for as long."""
        usual = self.model.usual
        x = round(usual.repeats_per_week * history.age / 7)
        if x == history.x:
            then = history
        elif not x:
            then = replace(history, x=0, last=0)
        elif history.x:
            then = replace(history, x=x)
        else:  # once bought, the last day is the first: compare with others' silence as well
            then = replace(history, x=x, last=max(history.age - usual.gap_days, 0))
        return Reason(
            feature="purchase_days",
            value=history.x + 1,
            usual=x + 1,
            effect=round(probability - self.probability(then), 4),
        )

    def _nearest(self, history: History, probability: float) -> Nearest:
        band = self.scoring.band(probability)
        days = 0 if history.age > history.last else 1  # one more today would be the same day
        day = history.age + days
        bought = self.probability(History(history.x + 1, day, day))
        then = self.scoring.band(bought)
        if BANDS.index(then) < BANDS.index(band):
            return Nearest("purchase", days, bought, then)
        silence = first_silence(
            self.scoring,
            self.scoring.band(probability),
            lambda n: self.probability(replace(history, age=history.age + n)),
        )
        return silence or Nearest("none", days, bought, then)


def first_silence(
    scoring: Scoring,
    band: str,
    after: Callable[[int], float],
    stretches: Sequence[int] = (SILENCE_DAYS,),
) -> Nearest | None:
    """The first day in a higher band if nothing is bought. `after`: the probability after so many days;
    `stretches`: the last days of stretches within which silence never lowers the risk, ascending."""

    def is_higher(days: int) -> bool:
        return BANDS.index(scoring.band(after(days))) > BANDS.index(band)

    if band == BANDS[-1]:
        return None
    same = 0
    for last in stretches:
        if not is_higher(last):
            same = last
            continue
        other = last
        while other - same > 1:
            middle = (same + other) // 2
            if is_higher(middle):
                other = middle
            else:
                same = middle
        reached = after(other)
        return Nearest("silence", other, reached, scoring.band(reached))
    return None
